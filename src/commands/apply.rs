//! `certctl apply`: plans, asks, and lets the executor do it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

use super::clock;
use super::load::{self, Source};
use super::locks::Locks;
use super::plan::{self, Planned};
use super::progress::Reporter;
use super::report;
use super::terminal::Terminal;
use super::{DONE, FAILED};
use crate::apply::{self, Settings, Target};
use crate::cli::{ApplyArgs, Global};
use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, Interrupter};
use crate::plan::{Plan, digest, safety};
use crate::render::text;
use crate::repo::{PushTarget, Repo};

pub async fn run(global: &Global, args: &ApplyArgs, terminal: &Terminal) -> Result<u8> {
    if !args.auto_approve && !terminal.can_ask() {
        return Err(Error::usage("there is no terminal to ask on, so nothing was done")
            .hint("to apply without a question, as in CI, run `certctl apply --auto-approve`"));
    }
    let start = Instant::now();
    let source = load::roster(global)?;
    source.refuse_forgotten_clusters()?;
    let repo = Repo::discover(&global.roster)?;
    for path in repo.heal()? {
        terminal.detail(&format!("{path}: brought to the last commit, which an interrupted apply had made"));
    }
    refuse_dirty(&source, &repo)?;
    repo.preflight_commit()?;
    let push = if args.no_push { None } else { Some(repo.preflight_push()?) };
    let commit = repo.head()?;

    // Held from before the clusters are read until all is done, so that two applies see each other's work.
    let locks = Locks::new(&source.roster.name, args.lock_timeout, terminal);
    let (interrupter, interrupt) = Interrupt::new();
    watch_signals(interrupter);
    let planned = tokio::select! {
        planned = plan::make(&source, global, Some(commit.to_string()), clock::now(), &locks, terminal) => planned,
        () = interrupt.wait() => {
            locks.release().await;
            return Err(Error::new("interrupted before anything was changed"));
        }
    };
    let run = Run { source: &source, args, terminal, interrupt, start };
    let files = files_beside(&source);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let result = match repo.refuse_stale(&commit, push.as_ref(), &files) {
        Ok(()) => run.apply(planned, repo, push).await,
        Err(error) => Err(error),
    };
    locks.release().await;
    result
}

struct Run<'a> {
    source: &'a Source,
    args: &'a ApplyArgs,
    terminal: &'a Terminal,
    interrupt: Interrupt,
    start: Instant,
}

impl Run<'_> {
    async fn apply(&self, planned: Planned, repo: Repo, push: Option<PushTarget>) -> Result<u8> {
        let Planned { plan, reached, errors } = planned;
        if plan.clusters.is_empty() {
            return Error::all(errors).map_or(Ok(DONE), Err);
        }
        self.approve(&plan).await?;
        let settings = Settings {
            parallelism: self.args.parallelism,
            timeout: self.args.timeout,
            push,
            clock: clock::now,
            interrupt: self.interrupt.clone(),
        };
        let targets = plan.clusters.iter().zip(reached).map(|(plan, reached)| Target {
            plan: plan.clone(),
            observed: reached.observed,
            connection: reached.connection,
            certificate_authority: reached.certificate_authority,
        });
        let commit = plan.roster_commit.clone().unwrap_or_default();
        let reporter = Reporter::new(self.terminal);
        let outcome =
            apply::run(&self.source.roster, &commit, targets.collect(), repo, &settings, &reporter).await;
        report::print(&plan, &outcome, self.terminal, self.start.elapsed());
        let interrupted = outcome.interrupted;
        match Error::all(errors.into_iter().chain(outcome.into_error())) {
            Some(error) => Err(error),
            None if interrupted => Ok(FAILED),
            None => Ok(DONE),
        }
    }

    /// The rails, the digest, and the question.
    async fn approve(&self, plan: &Plan) -> Result<()> {
        let digest = digest::digest(plan);
        let text = text::render(plan, &digest, self.terminal.talk_style());
        if let Some(expected) = &self.args.expect_digest
            && expected.trim_start_matches("sha256:") != digest.trim_start_matches("sha256:")
        {
            self.terminal.say(text.trim_end());
            return Err(Error::new(format!(
                "the plan is not the expected one: {digest}, not {expected}; nothing was changed"
            ))
            .hint("the roster, the records or the clusters changed since it was reviewed: review the plan above"));
        }
        safety::check(&self.source.roster, plan, self.args.acknowledge)?;
        if plan.is_empty() {
            return Ok(());
        }
        if self.args.auto_approve {
            self.terminal.say(text.trim_end());
            return Ok(());
        }
        let question = format!("{}\nApply this? Only `yes` is a yes:", text.trim_end());
        if !self.terminal.ask(&question, &self.interrupt).await {
            return Err(Error::new("not applied; nothing was changed"));
        }
        Ok(())
    }
}

/// The files that the roster names.
fn files_beside(source: &Source) -> BTreeSet<String> {
    let authorities =
        source.roster.clusters.values().filter_map(|cluster| cluster.certificate_authority.as_ref());
    let requests = source.roster.users.values().filter_map(|user| user.csr.as_ref());
    authorities.chain(requests).map(ToString::to_string).collect()
}

/// What is not committed is not what was reviewed.
fn refuse_dirty(source: &Source, repo: &Repo) -> Result<()> {
    let files = files_beside(source);
    let dirty = repo.dirty(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
    if dirty.is_empty() {
        return Ok(());
    }
    let dirty = dirty.join(", ");
    Err(Error::new(format!(
        "{dirty}: not committed; apply works from what is committed, so nothing was done"
    ))
    .hint("commit it with `git commit`, or put it aside with `git stash -u`"))
}

/// The first signal lets what is issued be recorded and bound; the second ends at once.
fn watch_signals(interrupter: Interrupter) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
            if interrupter.set() {
                std::process::exit(i32::from(FAILED));
            }
            // A terminal that has gone away must not end this task: the second signal still counts.
            let _ = writeln!(
                std::io::stderr(),
                "Interrupted: nothing new begins, and what is issued already is still recorded and bound. Once more ends at once."
            );
        }
    });
}
