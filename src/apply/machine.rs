//! The order of an apply, which is its safety, and every decision in it.
//!
//! 0. Keep: whoever holds a role now and is to hold it through another binding is put into that one first,
//!    so that nobody who is not cut off notices. This gives nobody a right that they have not.
//! 1. Revoke: subjects leave the bindings, and beside that the cluster notes what must not be bound again. This
//!    needs nothing else to succeed, and waits for nothing: not for a note that is slow, or fails.
//! 2. Issue: credentials are made, signed and sealed, and have no rights yet.
//!    Then the cluster notes what was issued: what it does not know is never bound, and not recorded either.
//! 3. Record: one commit for all clusters, published. With the first one, the roster's name becomes this
//!    repository's on the cluster.
//! 4. Grant: only now are they bound; and what is replaced goes last.
//! 5. Verify: whoever was cut off is looked for in all bindings once more, since somebody may have put them in
//!    again meanwhile.
//!
//! Wherever it ends, no credential is bound that the published records do not hold, no revocation has
//! waited for an issuance, and the next run converges. One person's failure stops no one else.
//!
//! What a cluster does in each part is in `cluster_machine`.
//!
//! Pure: [`Machine::next`] says which effects may be performed now, side by side, and the machine is told
//! what came of each. It knows no clock, no network and no randomness, so that the tests of the plan drive
//! the very machine that a real apply runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::binding_write::{BindingStep, BindingWrite, Goal};
use super::cluster_machine::{ClusterMachine, Issuing, Job, Noting, TrialState, is_tried};
use super::cluster_outcome::{ClusterOutcome, Made};
pub use super::effects::{Effect, Event, Order, Phase, Publication, Task, TaskId};
pub use super::policy::{Extent, Notes, Policy, Probe};
use super::record_changes::{self, ClusterWork, Done};
use super::take_out::TakeOut;
use crate::error::Result;
use crate::model::{CredentialGroup, RosterName};
use crate::plan::binding_key::BindingSubject;
use crate::plan::observed::{Binding, SeenLedger, StoredLedger};
use crate::plan::strays::Stray;
use crate::plan::write::WriteError;
use crate::plan::{BindingAction, ClusterPlan};

/// Where the machine is. A phase begins when nothing of the one before is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Keep,
    Revoke,
    Issue,
    Note,
    Record,
    Claim,
    Grant,
    Verify,
    Done,
}

/// One apply. See the module.
#[derive(Debug)]
pub struct Machine<'p> {
    roster: &'p RosterName,
    notes: Notes,
    policy: Policy,
    clusters: Vec<ClusterMachine<'p>>,
    stage: Stage,
    /// The phase that [`Event::Begin`] was said of.
    began: Option<Phase>,
    /// Whether [`Order::Publish`] was given out.
    publishing: bool,
    publication: Publication,
    interrupted: bool,
    under_way: BTreeMap<TaskId, Job<'p>>,
    next_id: usize,
    events: VecDeque<Event>,
}

impl<'p> Machine<'p> {
    /// An apply of these plans.
    pub fn new(
        roster: &'p RosterName,
        clusters: impl IntoIterator<Item = ClusterWork<'p>>,
        policy: Policy,
        notes: Notes,
    ) -> Self {
        let clusters = clusters.into_iter().map(|work| ClusterMachine {
            work,
            bindings: VecDeque::new(),
            following: VecDeque::new(),
            last: VecDeque::new(),
            writing: 0,
            strays: VecDeque::new(),
            ledger: work.plan.ledger.seen.clone(),
            noting: Noting::Over,
            issuing: Issuing::Not,
            outcome: ClusterOutcome::new(work.plan.name.clone()),
            written: BTreeSet::new(),
            gone: BTreeSet::new(),
            spared: BTreeSet::new(),
            grant_failed: false,
            issues: matches!(policy.extent, Extent::Records { issues: true, .. }),
            useless: false,
            is_recorded: false,
            is_verified: false,
        });
        let mut machine = Self {
            roster,
            notes,
            policy,
            clusters: clusters.collect(),
            stage: Stage::Keep,
            began: None,
            publishing: false,
            publication: Publication::Failed,
            interrupted: false,
            under_way: BTreeMap::new(),
            next_id: 0,
            events: VecDeque::new(),
        };
        machine.keep();
        machine
    }

    /// Begins no new credential from now on.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// What happened since this was asked last.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// What may be done now, side by side with what is under way; nothing, while nothing is under way,
    /// means that the apply is over.
    pub fn next(&mut self, now: Timestamp) -> Vec<Task<'p>> {
        loop {
            let tasks = self.begin_what_may();
            if !tasks.is_empty() || !self.under_way.is_empty() || self.stage == Stage::Done {
                return tasks;
            }
            self.advance(now);
        }
    }

    /// Whether something has failed on a cluster.
    pub fn has_failed(&self) -> bool {
        self.clusters.iter().any(|cluster| !cluster.outcome.failures.is_empty())
    }

    /// What was done, by cluster. It is whole once [`Machine::next`] has nothing more.
    pub fn into_outcome(self) -> Vec<ClusterOutcome> {
        self.clusters.into_iter().map(|cluster| cluster.outcome).collect()
    }

    fn begin_what_may(&mut self) -> Vec<Task<'p>> {
        let mut begun = Vec::new();
        if self.stage == Stage::Record && !self.publishing {
            self.publishing = true;
            let work = || {
                self.clusters.iter().map(|cluster| Done {
                    work: cluster.work,
                    issued: &cluster.outcome.issued,
                    pins: !cluster.useless,
                })
            };
            let changes = record_changes::collect(work(), &self.notes);
            let message = record_changes::message(self.roster, work(), self.policy.skip_ci_marker);
            begun.push((Job::Publish, Order::Publish { changes, message }));
        }
        let (interrupted, parallelism) = (self.interrupted, self.policy.parallelism.max(1));
        let probe = self.policy.probe;
        for (index, cluster) in self.clusters.iter_mut().enumerate() {
            cluster.begin_noting(index, &mut begun);
            cluster.begin_strays(index, &mut begun);
            cluster.begin_bindings(index, &mut begun);
            if self.stage == Stage::Issue {
                cluster.begin_issuing(index, interrupted, parallelism, probe, &mut begun);
            }
            if self.stage == Stage::Verify {
                cluster.begin_verifying(index, &mut begun);
            }
        }
        begun
            .into_iter()
            .map(|(job, order)| {
                let id = TaskId(self.next_id);
                self.next_id += 1;
                self.under_way.insert(id, job);
                Task { id, order }
            })
            .collect()
    }

    /// Nothing of this stage is left: the next one.
    fn advance(&mut self, now: Timestamp) {
        if let Some(phase) = self.began.take() {
            self.events.push_back(Event::End(phase));
        }
        let binds = matches!(self.policy.extent, Extent::Records { binds: true, .. });
        let next = match self.stage {
            Stage::Keep => Stage::Revoke,
            Stage::Revoke if self.policy.extent == Extent::CutOffs => Stage::Verify,
            Stage::Revoke => Stage::Issue,
            Stage::Issue => Stage::Note,
            Stage::Note => Stage::Record,
            // Without a record that everyone can see, a credential must not work: not one that was just
            // issued, nor one whose record the roster's branch has not taken.
            Stage::Record if self.publication == Publication::Failed || !binds => Stage::Verify,
            Stage::Record => Stage::Claim,
            Stage::Claim => Stage::Grant,
            Stage::Grant => Stage::Verify,
            Stage::Verify | Stage::Done => Stage::Done,
        };
        if next == Stage::Verify && self.stage != Stage::Grant {
            // Nobody is bound in this run.
            self.clusters.iter_mut().for_each(ClusterMachine::tell_of_what_is_gone);
        }
        self.enter(next, now);
    }

    /// The first stage.
    fn keep(&mut self) {
        let roster = self.roster;
        for cluster in &mut self.clusters {
            let kept = handed_on(cluster.work.plan);
            let begin = |(action, groups)| cluster.begin(action, roster, Goal::Keep(groups));
            cluster.bindings = kept.into_iter().filter_map(begin).collect();
        }
    }

    fn enter(&mut self, stage: Stage, now: Timestamp) {
        self.stage = stage;
        let (roster, visible) = (self.roster, self.publication == Publication::Visible);
        match stage {
            Stage::Revoke => {
                for cluster in &mut self.clusters {
                    cluster.note_what_is_cut_off(&self.notes, now);
                    let strays = cluster.work.plan.strays.iter();
                    let begin = |stray: &'p Stray| {
                        TakeOut::begin(&stray.binding, stray.groups.keys().cloned().collect())
                    };
                    cluster.strays = strays.map(begin).collect();
                    let reduce = |action| cluster.begin(action, roster, Goal::Reduce(cluster.spared.clone()));
                    cluster.bindings = cluster.work.plan.bindings.iter().filter_map(reduce).collect();
                }
                let open = |cluster: &ClusterMachine<'_>| cluster.bindings.len() + cluster.strays.len();
                self.begin(Phase::Revoke, self.clusters.iter().map(open).sum());
            }
            Stage::Issue => {
                self.begin(Phase::Issue, self.clusters.iter().map(|cluster| cluster.wanted().count()).sum());
                for cluster in &mut self.clusters {
                    cluster.issue_only_what_fits();
                    let idle = cluster.wanted().next().is_none() && cluster.left_over().next().is_none();
                    cluster.issuing = if idle { Issuing::Over } else { Issuing::Not };
                }
            }
            Stage::Note => {
                for cluster in self.clusters.iter_mut().filter(|cluster| !cluster.work.plan.only_cuts_off) {
                    cluster.note_what_is_issued(now);
                }
            }
            Stage::Keep | Stage::Record | Stage::Verify | Stage::Done => {}
            Stage::Claim => {
                for cluster in
                    self.clusters.iter_mut().filter(|cluster| visible && !cluster.work.plan.only_cuts_off)
                {
                    cluster.claim_name(&self.notes, now);
                }
            }
            Stage::Grant => {
                for cluster in &mut self.clusters {
                    if cluster.work.plan.only_cuts_off {
                        cluster.tell_of_what_is_gone();
                        continue;
                    }
                    cluster.bindings = cluster.grants(roster, visible, false).collect();
                    cluster.last = cluster.grants(roster, visible, true).collect();
                }
                let open = |cluster: &ClusterMachine<'_>| cluster.bindings.len() + cluster.last.len();
                self.begin(Phase::Grant, self.clusters.iter().map(open).sum());
            }
        }
    }

    fn begin(&mut self, phase: Phase, steps: usize) {
        if steps > 0 {
            self.began = Some(phase);
            self.events.push_back(Event::Begin(phase, steps));
        }
    }

    /// What a task was about. Each is told of once.
    fn ended(&mut self, id: TaskId) -> Option<Job<'p>> {
        self.under_way.remove(&id)
    }

    /// A binding was read again.
    pub fn read(&mut self, id: TaskId, binding: Result<Option<Binding>>) {
        match self.ended(id) {
            Some(Job::Binding(cluster, mut write)) => {
                let step = write.read(binding);
                self.follow(cluster, write, step);
            }
            Some(Job::TakeOut(cluster, mut work)) => {
                let step = work.read(binding);
                self.clusters[cluster].strays.push_back((work, step));
            }
            _ => {}
        }
    }

    /// Somebody was taken out of a binding of others, or not.
    pub fn taken_out(&mut self, id: TaskId, result: Result<(), WriteError>) {
        if let Some(Job::TakeOut(cluster, mut work)) = self.ended(id) {
            let step = work.written(result);
            self.clusters[cluster].strays.push_back((work, step));
        }
    }

    /// A binding was written, or not.
    pub fn written(&mut self, id: TaskId, result: Result<Option<Binding>, WriteError>) {
        if let Some(Job::Binding(cluster, mut write)) = self.ended(id) {
            let step = write.written(result);
            self.follow(cluster, write, step);
        }
    }

    fn follow(&mut self, cluster: usize, write: BindingWrite<'p>, step: BindingStep) {
        let at = write.action().at.to_string();
        let cluster = &mut self.clusters[cluster];
        match step {
            BindingStep::End(result) => {
                cluster.writing -= 1;
                let step = if result.is_ok() { Event::Step } else { Event::Failed };
                cluster.ended(&write, result);
                match write.goal() {
                    Goal::Keep(_) => {}
                    Goal::Reduce(_) => self.events.push_back(step(Phase::Revoke, at)),
                    Goal::Grant(_) => self.events.push_back(step(Phase::Grant, at)),
                }
            }
            step => cluster.following.push_back((write, step)),
        }
    }

    /// What a cluster remembers was read again.
    pub fn ledger_read(&mut self, id: TaskId, seen: SeenLedger) {
        if let Some(Job::Ledger(cluster, mut write)) = self.ended(id) {
            let step = write.read(seen);
            self.clusters[cluster].note(write, step);
        }
    }

    /// What a cluster remembers was written, or not.
    pub fn ledger_written(&mut self, id: TaskId, result: Result<StoredLedger, WriteError>) {
        if let Some(Job::Ledger(cluster, mut write)) = self.ended(id) {
            let step = write.written(result);
            self.clusters[cluster].note(write, step);
        }
    }

    /// Who certctl is on a cluster.
    pub fn identified(&mut self, id: TaskId, requester: Result<String>) {
        let Some(Job::Cluster(cluster)) = self.ended(id) else { return };
        let cluster = &mut self.clusters[cluster];
        cluster.issuing = match requester {
            Ok(requester) => {
                // Labels can be written by anyone; who made a request is said by the API server.
                let left = cluster.left_over().filter(|(_, _, maker)| *maker == requester);
                let left = left.map(|(name, uid, _)| (name, uid)).collect();
                Issuing::CleaningUp { requester, left, under_way: false }
            }
            Err(error) => {
                cluster.fails(None, error);
                Issuing::Over
            }
        };
    }

    /// All bindings of a cluster were read again, or not.
    pub fn bindings_read(&mut self, id: TaskId, bindings: Result<Vec<Binding>>) {
        if let Some(Job::Verify(cluster)) = self.ended(id) {
            self.clusters[cluster].verify(bindings);
        }
    }

    /// A request that was left is deleted, or not: nothing depends on it.
    pub fn request_deleted(&mut self, id: TaskId, result: Result<()>) {
        let Some(Job::Request(cluster)) = self.ended(id) else { return };
        let cluster = &mut self.clusters[cluster];
        if let Issuing::CleaningUp { under_way, .. } = &mut cluster.issuing {
            *under_way = false;
        }
        if let Err(error) = result {
            cluster.fails(None, error);
        }
    }

    /// Certificates can be signed now, or not.
    pub fn signer_started(&mut self, id: TaskId, result: Result<()>) {
        let Some(Job::Cluster(cluster)) = self.ended(id) else { return };
        let (cluster, probe) = (&mut self.clusters[cluster], self.policy.probe);
        cluster.issuing = match result {
            Ok(()) => {
                let left: VecDeque<_> = cluster.wanted().collect();
                let tries = probe != Probe::None && left.iter().any(|(_, issuance)| is_tried(issuance));
                let trial = if tries { TrialState::Due } else { TrialState::Over };
                Issuing::Making { left, under_way: 0, trial }
            }
            Err(error) => {
                cluster.fails(None, error);
                Issuing::Over
            }
        };
    }

    /// A credential is issued and sealed, or not.
    pub fn issued(&mut self, id: TaskId, made: Made) {
        let Some(Job::Issue(cluster, user, probe)) = self.ended(id) else { return };
        let cluster = &mut self.clusters[cluster];
        let step = if matches!(made, Made::Issued(..)) { Event::Step } else { Event::Failed };
        cluster.made(user, probe, made);
        self.events.push_back(step(Phase::Issue, user.to_string()));
    }

    /// The records are where they were to go, or not.
    pub fn published(&mut self, id: TaskId, publication: Publication) {
        if let Some(Job::Publish) = self.ended(id) {
            self.publication = publication;
        }
    }
}

/// Who leaves one binding and is to hold the same role in the same place through another: who has to be in
/// the other one before, and which that is.
fn handed_on(plan: &ClusterPlan) -> Vec<(&BindingAction, BTreeSet<CredentialGroup>)> {
    type Right<'a> = (Option<&'a str>, &'a str, &'a str);
    let groups = |binding: &Binding| -> BTreeSet<CredentialGroup> {
        let of_kind = binding.subjects.iter().filter(|subject| subject.kind == "Group");
        of_kind.filter_map(|subject| subject.name.parse().ok()).collect()
    };
    let mut leaving: BTreeMap<Right<'_>, BTreeSet<CredentialGroup>> = BTreeMap::new();
    for action in &plan.bindings {
        let (Some(binding), Some(reduced)) = (&action.observed, &action.reduced) else { continue };
        let right = (action.at.namespace.as_deref(), &*binding.role_kind, &*binding.role_name);
        leaving.entry(right).or_default().extend(groups(binding).difference(reduced).cloned());
    }
    let mut handed_on = Vec::new();
    for action in &plan.bindings {
        let Some(role) = &action.role else { continue };
        let right = (action.at.namespace.as_deref(), role.kind(), role.name().as_str());
        let Some(leaving) = leaving.get(&right) else { continue };
        let observed = action.observed.as_ref().filter(|_| !action.recreate);
        let held = observed.map(groups).unwrap_or_default();
        let joins = action.desired.iter().filter_map(|subject| match subject {
            BindingSubject::Recorded(group) => Some(group),
            BindingSubject::Issued(_) => None,
        });
        let kept: BTreeSet<CredentialGroup> =
            joins.filter(|group| leaving.contains(*group) && !held.contains(*group)).cloned().collect();
        if !kept.is_empty() {
            handed_on.push((action, kept));
        }
    }
    handed_on
}
