//! `certctl apply`: plans, asks, and lets the executor do it.

use std::time::Instant;

use crate::apply::{self, Notes, Probe, RecordsTo, Settings, Target};
use crate::ci::environment::CiEnvironment;
use crate::cli::{ApplyArgs, Global, ProbeChoice};
use crate::clock;
use crate::console::progress::Reporter;
use crate::console::signals;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::BranchName;
use crate::plan::{Plan, digest, safety};
use crate::planning::apply_source::ApplySource;
use crate::planning::approved_plan::ExpectedPlan;
use crate::planning::cluster_locks::Locks;
use crate::planning::preflight;
use crate::planning::roster_branch;
use crate::render::{text, words};
use crate::repo::Repo;
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
    let expected = ExpectedPlan::new(args)?;
    let host = CiEnvironment::detect();
    let mut repo = Repo::discover(&global.roster)?;
    repo.commit_as(args.author.clone(), host.author)?;
    if args.signoff {
        repo.sign_off();
    }
    for path in repo.recover()? {
        terminal.detail(&format!("{path}: brought to the last commit, which an interrupted apply had made"));
    }
    // Only now: before the recovery the working tree may hold an older roster than the commit.
    let committed = ApplySource::read(global, &repo)?;
    if !args.no_push && !args.only_revocations {
        report.push = Some(repo.preflight_push(args.push_branch.as_deref(), host.branch.as_deref())?);
    }

    let here = match &report.push {
        Some(target) => Some(target.at_home().branch().to_owned()),
        None => repo.branch()?.or(host.branch),
    };
    let branch = roster_branch::settle(&committed.source, here.as_deref(), args.branch.as_ref())?;

    // Held from before the clusters are read until all is done, so that two applies see each other's work.
    let locks = Locks::new(&committed.source, args.lock_timeout, terminal);
    let (interrupter, interrupt) = Interrupt::new();
    signals::watch(interrupter);
    repo.heed(interrupt.clone());
    let run = Run { global, committed: &committed, branch, args, expected, terminal, interrupt };
    let result = run.apply(repo, &locks, report).await;
    report.interrupted |= run.interrupt.is_set();
    locks.release().await;
    result
}

struct Run<'a> {
    global: &'a Global,
    committed: &'a ApplySource,
    /// To be recorded as the one that the roster is applied from.
    branch: Option<BranchName>,
    args: &'a ApplyArgs,
    expected: Option<ExpectedPlan>,
    terminal: &'a Terminal,
    interrupt: Interrupt,
}

impl Run<'_> {
    async fn apply(&self, repo: Repo, locks: &Locks<'_>, report: &mut Report) -> Result<()> {
        let Self { global, terminal, committed, .. } = *self;
        let roster = &committed.source.roster;
        let mut planned = tokio::select! {
            planned = committed.plan(global, &repo, report.push.as_ref(), locks, terminal) => planned?,
            () = self.interrupt.wait() => return Ok(()),
        };
        report.errors.append(&mut planned.errors);
        if planned.runs.is_empty() {
            return Ok(());
        }
        if self.args.only_revocations {
            preflight::only_cut_offs(roster, &mut planned.runs);
        }
        let whole = planned.plan();
        let digest = digest::digest(&whole);
        let judged = safety::judge(roster, &whole, self.args.acknowledge);
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
            true => RecordsTo::Nowhere,
            false => {
                preflight::rights(roster, &mut planned.runs, &mut report.errors).await;
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
        roster_branch::record(&mut planned.runs, &roster.name, self.branch.as_ref());
        let reporter = Reporter::new(self.terminal);
        let outcome = apply::run(roster, &commit, planned.runs, repo, &settings, &reporter).await;
        report.outcome = Some(outcome);
        Ok(())
    }

    /// A plan that is not the one that was reviewed is shown, and refused.
    fn refuse_unexpected(&self, plan: &Plan, digest: &str, runs: &[Target]) -> Result<()> {
        let Some(expected) = self.expected.as_ref().filter(|expected| !expected.is(plan)) else {
            return Ok(());
        };
        self.terminal.say(text::render(plan, digest, self.terminal.talk_style()).trim_end());
        Err(expected.refuse(plan, runs, &self.committed.source, self.global, self.terminal))
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
