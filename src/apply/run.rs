//! Performs the effects of an apply, with bounded concurrency. It decides nothing.

use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::OnceCell;

use super::cluster_outcome::Made;
use super::issue::Issuer;
use super::machine::{Effect, Event, Machine, Order, Phase, Policy, Publication, Task, TaskId};
use super::outcome::{Outcome, Published};
use super::publish::{self, Next};
use super::record_changes::{ClusterWork, RecordChange};
use super::{Progress, RecordsTo, Settings, Target};
use crate::cluster::{self, Signer, WritePermit, Writer};
use crate::error::{Error, Result};
use crate::model::{RosterName, SignerName, UserName, hex};
use crate::plan::observed::{Binding, SeenLedger, StoredLedger};
use crate::plan::write::{Write, WriteError};
use crate::plan::{BindingAction, Issuance};
use crate::repo::Repo;
use crate::roster::Roster;

/// Carries out the plans of all clusters, side by side, with one commit for all.
pub async fn run(
    roster: &Roster,
    roster_commit: &str,
    targets: Vec<Target>,
    repo: Repo,
    settings: &Settings,
    progress: &dyn Progress,
) -> Outcome {
    let work = targets.iter().map(|Target { plan, repository, .. }| ClusterWork { plan, repository });
    let policy = Policy {
        parallelism: settings.parallelism,
        probe: settings.probe,
        extent: settings.records.extent(),
        // Such a request must not go into a pull request: its checks would wait for ever, and so would the
        // apply that runs on the merge.
        skip_ci_marker: settings.skip_ci_marker && !matches!(settings.records, RecordsTo::Propose(_)),
    };
    let mut machine = Machine::new(&roster.name, work, policy, settings.notes.clone());
    let clusters: Vec<ClusterRunner<'_>> =
        targets.iter().map(|target| ClusterRunner::new(roster, roster_commit, target, settings)).collect();
    let mut stopwatch = Stopwatch { progress, running: None, took: Vec::new() };
    let (mut repo, mut published) = (Some(repo), Ok(Published::Nothing));
    let mut under_way = FuturesUnordered::new();
    loop {
        if settings.interrupt.is_set() {
            machine.interrupt();
        }
        for Task { id, order } in machine.next((settings.clock)()) {
            under_way.push(match order {
                Order::On(cluster, effect) => clusters[cluster].perform(id, effect).boxed(),
                Order::Publish { changes, message } => {
                    publish(id, repo.take(), changes, message, settings, progress).boxed()
                }
            });
        }
        machine.events().for_each(|event| stopwatch.tell(event));
        match under_way.next().await {
            None => break,
            Some(EffectEnd::Read(id, binding)) => machine.read(id, binding),
            Some(EffectEnd::Written(id, result)) => machine.written(id, result),
            Some(EffectEnd::TakenOut(id, result)) => machine.taken_out(id, result),
            Some(EffectEnd::LedgerRead(id, seen)) => machine.ledger_read(id, seen),
            Some(EffectEnd::LedgerWritten(id, result)) => machine.ledger_written(id, result),
            Some(EffectEnd::BindingsRead(id, bindings)) => machine.bindings_read(id, bindings),
            Some(EffectEnd::Identified(id, requester)) => machine.identified(id, requester),
            Some(EffectEnd::RequestDeleted(id, result)) => machine.request_deleted(id, result),
            Some(EffectEnd::SignerStarted(id, result)) => machine.signer_started(id, result),
            Some(EffectEnd::Issued(id, made)) => machine.issued(id, made),
            Some(EffectEnd::Published(id, result, took)) => {
                machine.published(id, publication(&result));
                stopwatch.took.extend(took.map(|took| (Phase::Record, took)));
                published = result;
            }
        }
    }
    Outcome {
        clusters: machine.into_outcome(),
        published,
        held_up: settings.records.wait(),
        interrupted: settings.interrupt.is_set(),
        took: stopwatch.took,
    }
}

fn publication(published: &Result<Published>) -> Publication {
    match published {
        Ok(Published::Nothing | Published::Kept(_) | Published::Pushed(_)) => Publication::Visible,
        Ok(Published::Proposed(_) | Published::Waits(_)) => Publication::Proposed,
        Err(_) => Publication::Failed,
    }
}

/// What came of an effect.
enum EffectEnd {
    Read(TaskId, Result<Option<Binding>>),
    Written(TaskId, Result<Option<Binding>, WriteError>),
    TakenOut(TaskId, Result<(), WriteError>),
    LedgerRead(TaskId, SeenLedger),
    LedgerWritten(TaskId, Result<StoredLedger, WriteError>),
    BindingsRead(TaskId, Result<Vec<Binding>>),
    Identified(TaskId, Result<String>),
    RequestDeleted(TaskId, Result<()>),
    SignerStarted(TaskId, Result<()>),
    Issued(TaskId, Made),
    /// With how long it took, where there was something to publish.
    Published(TaskId, Result<Published>, Option<Duration>),
}

/// One cluster, and the way to it.
struct ClusterRunner<'a> {
    roster: &'a RosterName,
    roster_commit: &'a str,
    /// `None` where the roster does not list the cluster.
    signer_name: Option<&'a SignerName>,
    target: &'a Target,
    settings: &'a Settings,
    writer: Writer,
    signer: OnceCell<Signer>,
}

impl<'a> ClusterRunner<'a> {
    fn new(roster: &'a Roster, roster_commit: &'a str, target: &'a Target, settings: &'a Settings) -> Self {
        Self {
            roster: &roster.name,
            roster_commit,
            signer_name: roster.clusters.get(&target.plan.name).map(|cluster| &cluster.signer_name),
            target,
            settings,
            writer: Writer::new(&target.connection, &roster.name, &WritePermit::new()),
            signer: OnceCell::new(),
        }
    }

    async fn perform(&self, id: TaskId, effect: Effect<'_>) -> EffectEnd {
        match effect {
            Effect::Read { at, pause } => {
                EffectEnd::Read(id, after(pause, self.writer.get_binding(at)).await)
            }
            Effect::Write { action, write, current } => {
                EffectEnd::Written(id, self.write(action, &write, current.as_deref()).await)
            }
            Effect::TakeOut { current, rest } => {
                EffectEnd::TakenOut(id, self.writer.leave_only(&current, &rest).await)
            }
            Effect::ReadLedger { pause } => {
                EffectEnd::LedgerRead(id, after(pause, self.writer.get_ledger()).await)
            }
            Effect::WriteLedger { ledger, resource_version } => {
                let written = self.writer.put_ledger(&ledger, resource_version.as_deref()).await;
                EffectEnd::LedgerWritten(id, written)
            }
            Effect::ReadBindings => {
                EffectEnd::BindingsRead(id, cluster::bindings(&self.target.connection).await)
            }
            Effect::Identify => EffectEnd::Identified(id, cluster::whoami(&self.target.connection).await),
            Effect::DeleteRequest { name, uid } => {
                let deleted = self.writer.delete_request(name, uid).await;
                EffectEnd::RequestDeleted(id, deleted.map_err(Error::from))
            }
            Effect::StartSigner { requester } => {
                EffectEnd::SignerStarted(id, self.start_signer(requester).await)
            }
            Effect::Issue { user, issuance, probe } => {
                EffectEnd::Issued(id, self.issue(user, issuance, probe).await)
            }
        }
    }

    /// Sends one write, against the version of the binding that it was decided from; gives the binding as it
    /// is then.
    async fn write(
        &self,
        action: &BindingAction,
        write: &Write,
        current: Option<&Binding>,
    ) -> Result<Option<Binding>, WriteError> {
        match (write, current, &action.role) {
            (Write::Create(subjects), None, Some(role)) => {
                self.writer.create_binding(&action.at, role, subjects).await.map(Some)
            }
            (Write::Set(subjects), Some(binding), _) => {
                self.writer.set_subjects(binding, subjects).await.map(Some)
            }
            (Write::Delete, Some(binding), _) => self.writer.delete_binding(binding).await.map(|()| None),
            // A role that no roster can name is never bound, and only what exists is changed.
            _ => Ok(None),
        }
    }

    async fn start_signer(&self, requester: String) -> Result<()> {
        let signer_name = self.signer_name.ok_or_else(|| Error::new("it is not on the roster"))?;
        let mut run = [0; 16];
        getrandom::fill(&mut run).map_err(|cause| {
            Error::new("this system has no randomness; nothing was issued").caused_by(cause)
        })?;
        let connection = &self.target.connection;
        let permit = WritePermit::new();
        let signer =
            Signer::start(connection, self.roster, signer_name, requester, hex(&run), &permit).await?;
        // The machine starts it once.
        let _ = self.signer.set(signer);
        Ok(())
    }

    async fn issue(&self, user: &UserName, issuance: &Issuance, probe: bool) -> Made {
        let Some(signer) = self.signer.get() else {
            return Made::Failed(Error::new("the signer was not started"));
        };
        let issuer = Issuer {
            cluster: &self.target.plan.name,
            endpoint: &self.target.cluster.published.endpoint,
            connection: &self.target.connection,
            roster_commit: self.roster_commit,
            signer,
            settings: self.settings,
        };
        issuer.issue(user, issuance, probe).await
    }
}

/// Reads something again, after a pause.
pub(super) async fn after<T>(pause: Duration, read: impl Future<Output = T>) -> T {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    read.await
}

/// Publishes, and says so only where there is something to publish.
async fn publish(
    id: TaskId,
    repo: Option<Repo>,
    changes: Vec<RecordChange>,
    message: String,
    settings: &Settings,
    progress: &dyn Progress,
) -> EffectEnd {
    let Some(repo) = repo else {
        return EffectEnd::Published(id, Err(Error::new("the records were published before")), None);
    };
    match publish::prepare(repo, changes, message, settings) {
        Ok(Next::Done(published)) => EffectEnd::Published(id, Ok(published), None),
        Ok(Next::Publish(work)) => {
            progress.begin(Phase::Record, 1);
            let start = Instant::now();
            let published = work.publish().await;
            progress.end(Phase::Record, start.elapsed());
            EffectEnd::Published(id, published, Some(start.elapsed()))
        }
        Err(error) => EffectEnd::Published(id, Err(error), None),
    }
}

/// Passes on how far the machine is, and measures it.
struct Stopwatch<'a> {
    progress: &'a dyn Progress,
    running: Option<Instant>,
    took: Vec<(Phase, Duration)>,
}

impl Stopwatch<'_> {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Begin(phase, steps) => {
                self.running = Some(Instant::now());
                self.progress.begin(phase, steps);
            }
            Event::Step(phase, what) => self.progress.step(phase, &what),
            Event::Failed(phase, what) => self.progress.failed(phase, &what),
            Event::End(phase) => {
                let took = self.running.take().map(|start| start.elapsed()).unwrap_or_default();
                self.took.push((phase, took));
                self.progress.end(phase, took);
            }
        }
    }
}
