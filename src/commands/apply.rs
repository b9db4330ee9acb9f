//! `certctl apply`: plans, asks, and lets the executor do it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Instant;

use crate::apply::{self, Notes, Probe, Records, Settings, Target};
use crate::ci::environment::CiEnvironment;
use crate::cli::{ApplyArgs, Global, ProbeChoice};
use crate::clock;
use crate::console::progress::Reporter;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::FAILED;
use crate::interrupt::{Interrupt, Interrupter};
use crate::model::BranchName;
use crate::os::{Heard, Signals};
use crate::plan::{Plan, digest, safety};
use crate::planning::approved_plan::Expected;
use crate::planning::cluster_locks::Locks;
use crate::planning::clusters::{self, Before, OnlyRead, Planned};
use crate::planning::preflight;
use crate::planning::roster_branch;
use crate::planning::source::{self, Source};
use crate::render::{text, words};
use crate::repo::{CommitId, Repo};
use crate::report::Report;

pub async fn run(global: &Global, args: &ApplyArgs, terminal: &Terminal) -> Result<u8> {
    let start = Instant::now();
    let mut report = Report::default();
    if let Err(error) = apply(global, args, terminal, &mut report).await {
        report.errors.push(error);
    }
    report.took = start.elapsed();
    report.finish(args.format, terminal)
}

/// All of it, noted in the report as it goes.
async fn apply(global: &Global, args: &ApplyArgs, terminal: &Terminal, report: &mut Report) -> Result<()> {
    if !args.auto_approve && !terminal.can_ask() {
        return Err(Error::usage("there is no terminal to ask on, so nothing was done")
            .hint("to apply without a question, as in CI, run `certctl apply --auto-approve`"));
    }
    let expected = Expected::new(args)?;
    let host = CiEnvironment::detect();
    let mut repo = Repo::discover(&global.roster)?;
    repo.commit_as(args.author.clone(), host.author)?;
    if args.signoff {
        repo.sign_off();
    }
    for path in repo.recover()? {
        terminal.detail(&format!("{path}: brought to the last commit, which an interrupted apply had made"));
    }
    let head = repo.head()?;
    refuse_dirty(&repo, &BTreeSet::new())?;
    // Only now: before the recovery the working tree may hold an older roster than the commit.
    let objects = Rc::new(Repo::discover(&global.roster)?);
    let source = source::committed_roster(global, Rc::clone(&objects), head.clone())?;
    let beside = files_beside(&source);
    if !beside.is_empty() {
        refuse_dirty(&repo, &beside)?;
    }
    source.refuse_forgotten_clusters()?;
    if !args.no_push && !args.only_revocations {
        report.push = Some(repo.preflight_push(args.push_branch.as_deref(), host.branch.as_deref())?);
    }

    let here = match &report.push {
        Some(target) => Some(target.at_home().branch().to_owned()),
        None => repo.branch()?.or(host.branch),
    };
    let branch = roster_branch::settle(&source, here.as_deref(), args.branch.as_ref())?;

    // Held from before the clusters are read until all is done, so that two applies see each other's work.
    let locks = Locks::new(&source, args.lock_timeout, terminal);
    let (interrupter, interrupt) = Interrupt::new();
    watch_signals(interrupter);
    repo.heed(interrupt.clone());
    let run = Run { global, source: &source, branch, objects, args, expected, terminal, interrupt };
    let result = run.apply(repo, head, &locks, report).await;
    report.interrupted |= run.interrupt.is_set();
    locks.release().await;
    result
}

struct Run<'a> {
    global: &'a Global,
    source: &'a Source,
    /// To be recorded as the one that the roster is applied from.
    branch: Option<BranchName>,
    /// The repository once more, to read commits from while the other writes.
    objects: Rc<Repo>,
    args: &'a ApplyArgs,
    expected: Option<Expected>,
    terminal: &'a Terminal,
    interrupt: Interrupt,
}

impl Run<'_> {
    async fn apply(&self, repo: Repo, head: CommitId, locks: &Locks<'_>, report: &mut Report) -> Result<()> {
        let Some(mut planned) = self.plan(&repo, head, locks, report).await? else { return Ok(()) };
        report.errors.append(&mut planned.errors);
        if planned.runs.is_empty() {
            return Ok(());
        }
        if self.args.only_revocations {
            preflight::only_cut_offs(&self.source.roster, &mut planned.runs);
        }
        let whole = planned.plan();
        let digest = digest::digest(&whole);
        let judged = safety::judge(&self.source.roster, &whole, self.args.acknowledge);
        // The digest names what roster and records ask for, and so the whole plan; less may be done of it.
        if let Ok(Some(withheld)) = &judged {
            planned.withhold(withheld);
            report.withheld = Some(words::withheld(withheld));
        }
        let plan = planned.plan();
        report.held = words::all_held(&plan);
        let (plan, digest) = &*report.plan.insert((plan, digest));
        self.refuse_unexpected(&whole, digest, &planned.runs)?;
        judged.map_err(|wrong| words::wrong_acknowledgement(&wrong))?;
        if !self.approves(plan, digest, report.withheld.as_ref()).await {
            report.decline();
            return Ok(());
        }
        let digest = digest.clone();
        let records = match self.args.only_revocations {
            true => Records::Nowhere,
            false => {
                preflight::rights(&self.source.roster, &mut planned.runs, &mut report.errors).await;
                preflight::records(&repo, report.push.as_ref(), &mut planned.runs, &mut report.errors)
            }
        };
        report.plan = Some((planned.plan(), digest));
        let commit = planned.roster_commit.clone().unwrap_or_default();
        // Nobody asks the remote for revocations alone.
        let is_unmerged = self.args.only_revocations || repo.lacks_on_its_branch(&commit);
        let unmerged = if is_unmerged { commit.parse().ok() } else { None };
        let settings = Settings {
            parallelism: self.args.parallelism,
            probe: match self.args.probe {
                ProbeChoice::First => Probe::First,
                ProbeChoice::All => Probe::All,
                ProbeChoice::None => Probe::None,
            },
            timeout: self.args.timeout,
            records,
            skip_ci_marker: self.args.skip_ci_marker,
            notes: Notes { new_id: apply::new_roster_id()?, unmerged },
            clock: clock::now,
            interrupt: self.interrupt.clone(),
        };
        roster_branch::record(&mut planned.runs, &self.source.roster.name, self.branch.as_ref());
        let reporter = Reporter::new(self.terminal);
        let outcome =
            apply::run(&self.source.roster, &commit, planned.runs, repo, &settings, &reporter).await;
        report.outcome = Some(outcome);
        Ok(())
    }

    /// The plan, from the newest records; `None` where a signal came first.
    async fn plan(
        &self,
        repo: &Repo,
        mut commit: CommitId,
        locks: &Locks<'_>,
        report: &Report,
    ) -> Result<Option<Planned<Target>>> {
        let files = files_beside(self.source);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let Some(mut planned) = self.plan_at(self.source, &commit, locks).await else { return Ok(None) };
        // Another apply may have pushed records while this one started or waited for the lock.
        while let Some(newer) = repo.refuse_stale(&commit, report.push.as_ref(), &files)? {
            let Some(target) = &report.push else { break };
            commit = repo.follow_records(&newer, target)?;
            self.terminal.say(&format!(
                "Another apply has pushed newer records: going on from {}, where {} is now.",
                commit.short(),
                target.at_home()
            ));
            // The roster and the files that it names are the same in both commits; the records are not.
            let newer = source::committed_roster(self.global, Rc::clone(&self.objects), commit.clone())?;
            newer.refuse_forgotten_clusters()?;
            let Some(again) = self.plan_at(&newer, &commit, &OnlyRead).await else { return Ok(None) };
            planned = again;
        }
        Ok(Some(planned))
    }

    async fn plan_at(
        &self,
        source: &Source,
        commit: &CommitId,
        before: &impl Before,
    ) -> Option<Planned<Target>> {
        let commit = Some(commit.to_string());
        let planned = clusters::make(source, self.global, commit, clock::now(), before, self.terminal);
        tokio::select! {
            planned = planned => Some(planned),
            () = self.interrupt.wait() => None,
        }
    }

    /// A plan that is not the one that was reviewed is shown, and refused.
    fn refuse_unexpected(&self, plan: &Plan, digest: &str, runs: &[Target]) -> Result<()> {
        let Some(expected) = self.expected.as_ref().filter(|expected| !expected.is(plan)) else {
            return Ok(());
        };
        self.terminal.say(text::render(plan, digest, self.terminal.talk_style()).trim_end());
        Err(expected.refuse(plan, runs, self.source, self.global, self.terminal))
    }

    /// Shows the plan and asks; whether it is to be carried out.
    async fn approves(&self, plan: &Plan, digest: &str, withheld: Option<&Error>) -> bool {
        if plan.is_empty() {
            return true;
        }
        // It was reviewed: `refuse_unexpected` has seen that it is the same.
        if self.args.auto_approve && self.expected.is_some() {
            self.terminal.say(&format!("As expected. {}", text::headline(plan)));
            self.terminal.detail(text::render(plan, digest, self.terminal.talk_style()).trim_end());
            return true;
        }
        let text = text::render(plan, digest, self.terminal.talk_style());
        if self.args.auto_approve {
            self.terminal.say(text.trim_end());
            return true;
        }
        withheld.into_iter().for_each(|withheld| self.terminal.warning(withheld));
        let question = format!("{}\nApply this plan? Only `yes` is accepted:", text.trim_end());
        self.terminal.ask(&question, &self.interrupt).await
    }
}

/// The files that the roster names.
fn files_beside(source: &Source) -> BTreeSet<String> {
    let authorities =
        source.roster.clusters.values().filter_map(|cluster| cluster.certificate_authority.as_ref());
    let requests = source.roster.users.values().filter_map(|user| user.csr.as_ref());
    authorities.chain(requests).map(ToString::to_string).chain(source.parts()).collect()
}

/// What is not committed is not what was reviewed.
fn refuse_dirty(repo: &Repo, also: &BTreeSet<String>) -> Result<()> {
    let dirty = repo.dirty(&also.iter().map(String::as_str).collect::<Vec<_>>())?;
    if dirty.is_empty() {
        return Ok(());
    }
    let dirty = dirty.join(", ");
    Err(Error::new(format!(
        "{dirty}: not committed; apply works from what is committed, so nothing was done"
    ))
    .hint("commit it with `git commit`, or put it aside with `git stash -u`"))
}

/// The first signal lets what is issued be recorded and bound; the second, if it is no hang-up, ends at
/// once.
fn watch_signals(interrupter: Interrupter) {
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        let mut told = false;
        loop {
            let heard = signals.next().await;
            interrupter.set();
            let more = match heard {
                Heard::Stop if told => std::process::exit(i32::from(FAILED)),
                Heard::Stop => {
                    told = true;
                    " Once more ends at once."
                }
                Heard::Hangup => "",
            };
            // A terminal that has gone away must not end this task: the second signal still counts.
            let _ = writeln!(
                std::io::stderr(),
                "Interrupted: nothing new begins, and what is issued already is still recorded and bound.{more}"
            );
        }
    });
}
