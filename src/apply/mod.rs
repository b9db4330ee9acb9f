//! The executor: carries out a plan and nothing else, in the one order that is safe.
//!
//! 1. `bindings::reduce`: revoke first; this needs nothing else to succeed.
//! 2. `issue`: key in memory, CSR, approval, certificate, seal.
//! 3. `commit`: one commit that holds only our paths, pushed.
//! 4. `bindings::grant`: only now are new credentials bound.
//!
//! Wherever it is killed, no credential is bound that the pushed records do not hold, no revocation
//! has waited for an issuance, and the next run converges. One person's failure stops no one else.

mod bindings;
mod commit;
mod issue;
mod outcome;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use jiff::Timestamp;

use crate::cluster::{Connection, Lock, Signer, WritePermit, Writer};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{RosterName, UserName, hex};
use crate::plan::observed::{self, Binding, SeenCluster};
use crate::plan::{BindingAction, Cleanup, ClusterPlan, Issuance, RepositoryState};
use crate::repo::{Proposal, PushTarget, Repo, Standing};
use crate::roster::Roster;
use commit::Next;
pub use issue::Issued;
use outcome::Written;
pub use outcome::{ClusterOutcome, Failure, Outcome, Published};

/// One cluster, ready to be changed.
pub struct Target {
    /// What to do.
    pub plan: ClusterPlan,
    /// What the repository knows of it.
    pub repository: RepositoryState,
    /// The cluster, as the plan was made from it.
    pub cluster: SeenCluster,
    /// The way there.
    pub connection: Connection,
    /// The CA for the kubeconfigs, PEM; `None` where the system's roots are trusted.
    pub certificate_authority: Option<Vec<u8>>,
}

/// How to go about it.
pub struct Settings {
    /// Credentials in the making at once, per cluster.
    pub parallelism: usize,
    /// How long an approved request may stay unsigned.
    pub timeout: Duration,
    /// Where the records go.
    pub records: Records,
    /// Whether the commit asks the host to run no CI for it.
    pub skip_ci_marker: bool,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// Set by the first SIGINT, SIGTERM or SIGHUP: start nothing new, wait for no signer, finish what is issued.
    pub interrupt: Interrupt,
}

/// Where the records go, and with that what may be issued and bound.
#[derive(Debug, Clone)]
pub enum Records {
    /// Committed and not pushed (`--no-push`).
    Keep,
    /// Onto the roster's branch.
    Push(PushTarget),
    /// To a branch of their own, from which a person merges them. Until then nothing new is bound: the
    /// next apply from the roster's branch would not know it. And while a proposal waits, nothing is
    /// issued: that apply would issue it a second time.
    Propose(Proposal),
}

impl Records {
    fn issues(&self) -> bool {
        match self {
            Self::Keep | Self::Push(_) => true,
            Self::Propose(proposal) => proposal.standing == Standing::Free,
        }
    }

    /// Whether HEAD holds records that the roster's branch lacks and that are not on their way there.
    fn head_is_ahead(&self) -> bool {
        matches!(self, Self::Propose(proposal) if proposal.head_is_ahead)
    }
}

/// The parts of an apply that take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Taking subjects out of bindings.
    Revoke,
    /// Keys, requests, certificates, sealing.
    Issue,
    /// Commit and push.
    Record,
    /// Putting subjects into bindings.
    Grant,
}

/// Where the executor says how far it is.
pub trait Progress: Send + Sync {
    /// A phase begins, with so many steps.
    fn begin(&self, phase: Phase, steps: usize);
    /// One step is done.
    fn step(&self, phase: Phase, what: &str);
    /// The phase is over.
    fn end(&self, phase: Phase, took: Duration);
}

/// Carries out the plans of all clusters, side by side, with one commit for all.
pub async fn run(
    roster: &Roster,
    roster_commit: &str,
    targets: Vec<Target>,
    repo: Repo,
    settings: &Settings,
    progress: &dyn Progress,
) -> Outcome {
    let mut outcome = Outcome::new(&targets);
    let runs: Vec<Run<'_>> =
        targets.iter().map(|target| Run { roster, target, settings, progress }).collect();

    let steps = targets.iter().map(|t| t.plan.bindings.iter().filter(|b| b.reduced.is_some()).count()).sum();
    let reduced = futures::future::join_all(runs.iter().map(Run::revoke));
    let reduced = timed(progress, &mut outcome.took, Phase::Revoke, steps, reduced).await;
    outcome.collect(reduced, |cluster, mut written| {
        cluster.not_cut_off = std::mem::take(&mut written.leaving);
        cluster.take(written);
    });

    let steps = if settings.records.issues() {
        targets.iter().map(|t| t.plan.people.iter().filter(|a| a.new_credential().is_some()).count()).sum()
    } else {
        0
    };
    let issued = futures::future::join_all(runs.iter().map(|run| run.issue(roster_commit)));
    let issued = timed(progress, &mut outcome.took, Phase::Issue, steps, issued).await;
    outcome.collect(issued, |cluster, (issued, failures)| {
        cluster.issued = issued;
        cluster.failures.extend(failures);
    });

    let published = match commit::prepare(roster, &targets, &outcome, repo, settings) {
        Ok(Next::Done(published)) => Ok(published),
        Ok(Next::Publish(work)) => timed(progress, &mut outcome.took, Phase::Record, 1, work.publish()).await,
        Err(error) => Err(error),
    };
    outcome.published = published;

    // Without a record that everyone can see, a credential must not work: not one that was just issued,
    // nor one whose record the roster's branch has not taken.
    if outcome.published.is_ok() && !settings.records.head_is_ahead() {
        let (binds, none) = (outcome.binds(), BTreeMap::new());
        let bound = outcome.clusters.iter().map(|done| if binds { &done.issued } else { &none });
        let bound: Vec<_> = runs.iter().zip(bound).collect();
        let open = |(run, issued): &(&Run<'_>, &BTreeMap<UserName, Issued>)| {
            run.target.plan.bindings.iter().filter(|action| bindings::is_open(action, issued)).count()
        };
        let steps = bound.iter().map(open).sum();
        let granted = futures::future::join_all(bound.iter().map(|(run, issued)| run.grant(issued)));
        let granted = timed(progress, &mut outcome.took, Phase::Grant, steps, granted).await;
        outcome.collect(granted, |cluster, mut written| {
            cluster.not_bound = std::mem::take(&mut written.joining);
            cluster.take(written);
        });
    }
    outcome.held_up = !settings.records.issues();
    outcome.interrupted = settings.interrupt.is_set();
    outcome
}

async fn timed<T>(
    progress: &dyn Progress,
    took: &mut Vec<(Phase, Duration)>,
    phase: Phase,
    steps: usize,
    work: impl Future<Output = T>,
) -> T {
    if steps == 0 {
        return work.await;
    }
    progress.begin(phase, steps);
    let start = Instant::now();
    let done = work.await;
    took.push((phase, start.elapsed()));
    progress.end(phase, start.elapsed());
    done
}

/// One cluster's share of the work.
struct Run<'a> {
    roster: &'a Roster,
    target: &'a Target,
    settings: &'a Settings,
    progress: &'a dyn Progress,
}

/// How many bindings are written at once; each is one small request.
const BINDINGS_AT_ONCE: usize = 8;

impl Run<'_> {
    fn writer(&self) -> Writer {
        Writer::new(&self.target.connection, &self.roster.name, &WritePermit::new())
    }

    /// What is ours, by its labels; the executor asks again after every conflict.
    fn owns(&self, binding: &Binding) -> bool {
        observed::is_ours(&binding.labels, &self.roster.name)
    }

    fn named(&self, error: Error) -> Error {
        error.within(&format!("cluster {}", self.target.plan.name))
    }

    async fn revoke(&self) -> Written {
        let writer = self.writer();
        let reductions = self.target.plan.bindings.iter().filter(|action| action.reduced.is_some());
        let results = futures::stream::iter(reductions).map(|action| {
            let writer = &writer;
            async move {
                let result = bindings::reduce(writer, &|b| self.owns(b), action).await;
                self.progress.step(Phase::Revoke, &action.at.to_string());
                (action, result)
            }
        });
        self.written(results.buffer_unordered(BINDINGS_AT_ONCE).collect().await)
    }

    fn written(&self, results: Vec<(&BindingAction, Result<bool>)>) -> Written {
        let mut written = Written::default();
        for (action, result) in results {
            match result {
                Ok(true) => drop(written.bindings.insert(action.at.clone())),
                Ok(false) => {}
                Err(error) => {
                    for change in &action.changes {
                        let side = if change.joins { &mut written.joining } else { &mut written.leaving };
                        side.extend(change.user.clone());
                    }
                    written.failures.push(self.named(error).into());
                }
            }
        }
        written
    }

    async fn issue(&self, roster_commit: &str) -> (BTreeMap<UserName, Issued>, Vec<Failure>) {
        let (mut issued, mut failures): (_, Vec<Failure>) = (BTreeMap::new(), Vec::new());
        let wanted: Vec<(&UserName, &Issuance)> = self
            .target
            .plan
            .people
            .iter()
            .filter(|_| self.settings.records.issues())
            .filter_map(|action| Some((action.user(), &action.new_credential()?.issuance)))
            .collect();
        let leftovers: Vec<(&str, &str, &str)> = self
            .target
            .plan
            .cleanups
            .iter()
            .filter_map(|cleanup| match cleanup {
                Cleanup::Request { name, uid, requester } => {
                    Some((name.as_str(), uid.as_str(), requester.as_str()))
                }
                Cleanup::Expired { .. } | Cleanup::Protection { .. } => None,
            })
            .collect();
        if wanted.is_empty() && leftovers.is_empty() {
            return (issued, failures);
        }
        let me = match crate::cluster::whoami(&self.target.connection).await {
            Ok(me) => me,
            Err(error) => return (issued, vec![self.named(error).into()]),
        };
        let writer = self.writer();
        for (name, uid, requester) in leftovers {
            // Labels can be written by anyone; who made a request is said by the API server.
            if requester == me
                && let Err(error) = writer.delete_request(name, uid).await
            {
                failures.push(self.named(error.into()).into());
            }
        }
        if wanted.is_empty() {
            return (issued, failures);
        }
        let signer = match self.signer(me).await {
            Ok(signer) => signer,
            Err(error) => {
                failures.push(self.named(error).into());
                return (issued, failures);
            }
        };
        let issuer = issue::Issuer {
            cluster: &self.target.plan.name,
            server: &self.target.cluster.endpoint.server,
            certificate_authority: self.target.certificate_authority.as_deref(),
            roster_commit,
            signer: &signer,
            settings: self.settings,
        };
        let results = futures::stream::iter(wanted).map(|(user, issuance)| {
            let issuer = &issuer;
            async move {
                if self.settings.interrupt.is_set() {
                    return (
                        user,
                        Err(Error::new(format!("{user}: not issued, because apply was interrupted"))),
                    );
                }
                let result = issuer.issue(user, issuance).await;
                self.progress.step(Phase::Issue, user.as_str());
                (user, result)
            }
        });
        let results: Vec<(&UserName, Result<Issued>)> =
            results.buffer_unordered(self.settings.parallelism.max(1)).collect().await;
        for (user, result) in results {
            match result {
                Ok(done) => {
                    issued.insert(user.clone(), done);
                }
                Err(error) => failures.push(Failure { user: Some(user.clone()), error: self.named(error) }),
            }
        }
        (issued, failures)
    }

    async fn signer(&self, requester: String) -> Result<Signer> {
        let cluster = self.roster.clusters.get(&self.target.plan.name);
        let signer_name = cluster
            .map(|cluster| &cluster.signer_name)
            .ok_or_else(|| Error::new("it is not on the roster"))?;
        let mut run = [0; 16];
        getrandom::fill(&mut run).map_err(|cause| {
            Error::new("this system has no randomness; nothing was issued").caused_by(cause)
        })?;
        let connection = &self.target.connection;
        Signer::start(connection, &self.roster.name, signer_name, requester, hex(&run), &WritePermit::new())
            .await
    }

    async fn grant(&self, issued: &BTreeMap<UserName, Issued>) -> Written {
        let writer = self.writer();
        let actions = &self.target.plan.bindings;
        let mut all = Written::default();
        // What replaces a binding is there before the binding goes.
        for goes in [false, true] {
            let results =
                futures::stream::iter(actions.iter().filter(|a| a.goes_last == goes)).map(|action| {
                    let writer = &writer;
                    async move {
                        let result = bindings::grant(writer, &|b| self.owns(b), action, issued).await;
                        self.progress.step(Phase::Grant, &action.at.to_string());
                        (action, result)
                    }
                });
            let written = self.written(results.buffer_unordered(BINDINGS_AT_ONCE).collect().await);
            all.bindings.extend(written.bindings);
            all.joining.extend(written.joining);
            all.failures.extend(written.failures);
            if !all.failures.is_empty() {
                break;
            }
        }
        all
    }
}

/// Takes the lock that keeps two applies of one roster apart.
///
/// # Errors
/// Someone else keeps it for longer than `patience`, or it cannot be taken.
pub async fn lock(
    connection: &Connection,
    roster: &RosterName,
    holder: &str,
    patience: Duration,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<Lock> {
    Lock::acquire(connection, roster, holder, patience, waiting, &WritePermit::new()).await
}
