//! The order of an apply, which is its safety, and every decision in it.
//!
//! 0. Keep: whoever holds a role now and is to hold it through another binding is put into that one first,
//!    so that nobody who is not cut off notices. This gives nobody a right that they have not.
//! 1. Revoke: the cluster notes what must not be bound again, then subjects leave the bindings. This needs
//!    nothing else to succeed: where the note fails, they leave all the same.
//! 2. Issue: credentials are made, signed and sealed, and have no rights yet.
//!    Then the cluster notes what was issued: what it does not know is never bound, and not recorded either.
//! 3. Record: one commit for all clusters, published.
//! 4. Grant: only now are they bound; and what is replaced goes last.
//!
//! Wherever it ends, no credential is bound that the published records do not hold, no revocation has
//! waited for an issuance, and the next run converges. One person's failure stops no one else.
//!
//! Pure: [`Machine::next`] says which effects may be performed now, side by side, and the machine is told
//! what came of each. It knows no clock, no network and no randomness, so that the tests of the plan drive
//! the very machine that a real apply runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::binding_write::{BindingStep, BindingWrite, Goal};
use super::cluster_outcome::{ClusterOutcome, Failure, Made};
use super::ledger_write::{self, Additions, LedgerStep, LedgerWrite};
use super::record_changes::{self, ClusterWork, Done, RecordChange};
use super::take_out::{TakeOut, TakeOutStep};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Removal, RemovedBy};
use crate::model::{CommitHash, CredentialGroup, RosterId, RosterName, UserName};
use crate::plan::binding_key::BindingSubject;
use crate::plan::observed::{Binding, BindingAt, SeenLedger, StoredLedger, Subject};
use crate::plan::strays::Stray;
use crate::plan::write::{Write, WriteError};
use crate::plan::{BindingAction, Cleanup, ClusterPlan, Issuance};

/// How many bindings of a cluster are written at once; each is one small request.
const BINDINGS_AT_ONCE: usize = 8;

/// Which new certificates are tried at the published address before anything is made of them. Of a key that
/// its owner brought, nobody here can try one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The first of each cluster, alone: where it does not work, no other is issued.
    First,
    /// All of them, the first one alone.
    All,
    /// None.
    None,
}

/// What an apply may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Credentials in the making at once, per cluster.
    pub parallelism: usize,
    /// Which new certificates are tried.
    pub probe: Probe,
    /// How far it goes.
    pub extent: Extent,
    /// Whether the commit asks the host to run no CI for it.
    pub skip_ci_marker: bool,
}

/// What goes into a cluster's ledger besides credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// The id of a first ledger.
    pub new_id: RosterId,
    /// The commit that is applied, where the roster's branch lacks it: whoever it removes is kept out until
    /// the branch has it.
    pub unmerged: Option<CommitHash>,
}

/// How far an apply goes. Subjects leave the bindings in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// No further: nothing is issued, recorded or bound.
    CutOffs,
    /// To the records, and on.
    Records {
        /// Whether anything is issued: not while earlier records wait to be merged.
        issues: bool,
        /// Whether anything is bound: not what only a local commit holds that is on no way to the roster's
        /// branch.
        binds: bool,
    },
}

impl Extent {
    /// All that a plan says.
    pub const ALL: Self = Self::Records { issues: true, binds: true };
}

/// Names one task of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(usize);

/// Something to be done outside, and the id under which the machine is told what came of it.
#[derive(Debug)]
pub struct Task<'p> {
    /// To say what came of it.
    pub id: TaskId,
    /// What to do.
    pub order: Order<'p>,
}

/// What is to be done, and where.
#[derive(Debug)]
pub enum Order<'p> {
    /// On one cluster, counted in the order of the work.
    On(usize, Effect<'p>),
    /// Commit and push for all of them, where there is something to: [`Machine::published`].
    Publish {
        /// May be empty.
        changes: Vec<RecordChange>,
        /// Of the commit.
        message: String,
    },
}

/// What is to be done on a cluster. Behind each is the method that takes what came of it.
#[derive(Debug)]
pub enum Effect<'p> {
    /// Read a binding again: [`Machine::read`].
    Read {
        /// Which.
        at: &'p BindingAt,
        /// How long to wait before.
        pause: Duration,
    },
    /// Write a binding: [`Machine::written`].
    Write {
        /// What it belongs to.
        action: &'p BindingAction,
        /// What.
        write: Write,
        /// The version that this was decided from; `None` where it is to be made.
        current: Option<Box<Binding>>,
    },
    /// Leave only these in a binding of others: [`Machine::taken_out`].
    TakeOut {
        /// The version that this was decided from.
        current: Box<Binding>,
        /// Who stays.
        rest: Vec<Subject>,
    },
    /// Read what the cluster remembers again: [`Machine::ledger_read`].
    ReadLedger {
        /// How long to wait before.
        pause: Duration,
    },
    /// Write what the cluster remembers: [`Machine::ledger_written`].
    WriteLedger {
        /// All of it.
        ledger: Ledger,
        /// The version that this was decided from; `None` where it is to be made.
        resource_version: Option<String>,
    },
    /// Ask who certctl is there: [`Machine::identified`].
    Identify,
    /// Delete a CertificateSigningRequest that an earlier run left: [`Machine::request_deleted`].
    DeleteRequest {
        /// Its name.
        name: &'p str,
        /// Only this object.
        uid: &'p str,
    },
    /// Get ready to have certificates signed: [`Machine::signer_started`].
    StartSigner {
        /// Who certctl is there.
        requester: String,
    },
    /// Make, have signed and seal a credential: [`Machine::issued`].
    Issue {
        /// For whom.
        user: &'p UserName,
        /// Which.
        issuance: &'p Issuance,
        /// Whether it is tried.
        probe: bool,
    },
}

/// Who sees the records once they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// Everyone, or the administrator has said that they will (`--no-push`).
    Visible,
    /// Nobody yet: what was issued waits for a merge.
    Proposed,
    /// Not published.
    Failed,
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

/// How far it is. How far [`Order::Publish`] is, its performer knows better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase begins, with so many steps.
    Begin(Phase, usize),
    /// One step is done.
    Step(Phase, String),
    /// One step has failed.
    Failed(Phase, String),
    /// The phase is over.
    End(Phase),
}

/// Where the machine is. A phase begins when nothing of the one before is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Keep,
    Revoke,
    Issue,
    Note,
    Record,
    Grant,
    Done,
}

/// One apply. See the module.
#[derive(Debug)]
pub struct Machine<'p> {
    roster: &'p RosterName,
    notes: Notes,
    policy: Policy,
    clusters: Vec<Cluster<'p>>,
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

/// What a task is about.
#[derive(Debug)]
enum Job<'p> {
    Binding(usize, BindingWrite<'p>),
    TakeOut(usize, TakeOut<'p>),
    Ledger(usize, Box<LedgerWrite>),
    Cluster(usize),
    Request(usize),
    Issue(usize, &'p UserName, bool),
    Publish,
}

#[derive(Debug)]
struct Cluster<'p> {
    work: ClusterWork<'p>,
    /// Not begun yet.
    bindings: VecDeque<(BindingWrite<'p>, BindingStep)>,
    /// Effects that follow one that has ended, before anything new is begun.
    following: VecDeque<(BindingWrite<'p>, BindingStep)>,
    /// What goes once the others are written: what replaces it is there then.
    last: VecDeque<(BindingWrite<'p>, BindingStep)>,
    writing: usize,
    /// Who leaves bindings of others.
    strays: VecDeque<(TakeOut<'p>, TakeOutStep)>,
    /// What the cluster remembers, as far as is known.
    ledger: SeenLedger,
    /// What is to be done with it before a binding is written.
    noting: Noting,
    issuing: Issuing<'p>,
    outcome: ClusterOutcome,
    /// Bindings that are not as they were planned any more, by this apply's own doing.
    written: BTreeSet<&'p BindingAt>,
    /// Who could not be put into the binding that they are to hold a role through: they stay in the old one.
    spared: BTreeSet<CredentialGroup>,
    /// Whether some grant failed, so that nothing that it would replace may go.
    grant_failed: bool,
    /// Whether anything is issued.
    issues: bool,
    /// Whether a certificate was tried, and none of this cluster would be of use.
    useless: bool,
}

/// How far a cluster is with its ledger.
#[derive(Debug)]
enum Noting {
    /// This comes next.
    Next(Box<LedgerWrite>, LedgerStep),
    UnderWay,
    /// There is nothing more to do.
    Over,
}

/// How far a cluster is with its certificates.
#[derive(Debug)]
enum Issuing<'p> {
    /// Nothing has been asked.
    Not,
    /// Who are we there?
    Identifying,
    /// Left-overs go first.
    CleaningUp { requester: String, left: VecDeque<(&'p str, &'p str)>, under_way: bool },
    /// The signer is made ready.
    Starting,
    /// Credentials are in the making.
    Making { left: VecDeque<(&'p UserName, &'p Issuance)>, under_way: usize, trial: Trial },
    /// There is nothing more to do.
    Over,
}

/// How far the try of the first certificate is, which all others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    Due,
    UnderWay,
    Over,
}

/// Whether its certificate can be tried.
fn is_tried(issuance: &Issuance) -> bool {
    issuance.key.made().is_some()
}

impl<'p> Machine<'p> {
    /// An apply of these plans.
    pub fn new(
        roster: &'p RosterName,
        clusters: impl IntoIterator<Item = ClusterWork<'p>>,
        policy: Policy,
        notes: Notes,
    ) -> Self {
        let clusters = clusters.into_iter().map(|work| Cluster {
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
            spared: BTreeSet::new(),
            grant_failed: false,
            issues: matches!(policy.extent, Extent::Records { issues: true, .. }),
            useless: false,
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
            let tasks = self.begin_what_may(now);
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

    fn begin_what_may(&mut self, now: Timestamp) -> Vec<Task<'p>> {
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
            let changes = record_changes::collect(work(), now);
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
        self.enter(
            match self.stage {
                Stage::Keep => Stage::Revoke,
                Stage::Revoke if self.policy.extent == Extent::CutOffs => Stage::Done,
                Stage::Revoke => Stage::Issue,
                Stage::Issue => Stage::Note,
                Stage::Note => Stage::Record,
                // Without a record that everyone can see, a credential must not work: not one that was just
                // issued, nor one whose record the roster's branch has not taken.
                Stage::Record if self.publication == Publication::Failed || !binds => Stage::Done,
                Stage::Record => Stage::Grant,
                Stage::Grant | Stage::Done => Stage::Done,
            },
            now,
        );
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
                let open = |cluster: &Cluster<'_>| cluster.bindings.len() + cluster.strays.len();
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
                for cluster in &mut self.clusters {
                    cluster.note_what_is_issued(&self.notes, now);
                }
            }
            Stage::Keep | Stage::Record | Stage::Done => {}
            Stage::Grant => {
                for cluster in &mut self.clusters {
                    cluster.bindings = cluster.grants(roster, visible, false).collect();
                    cluster.last = cluster.grants(roster, visible, true).collect();
                }
                let open = |cluster: &Cluster<'_>| cluster.bindings.len() + cluster.last.len();
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
                let trial = if tries { Trial::Due } else { Trial::Over };
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

impl<'p> Cluster<'p> {
    /// Who gets a new credential.
    fn wanted(&self) -> impl Iterator<Item = (&'p UserName, &'p Issuance)> + use<'p> {
        let issues = self.issues;
        let people = self.work.plan.people.iter().filter(move |_| issues);
        people.filter_map(|action| Some((action.user(), &action.new_credential()?.issuance)))
    }

    /// Requests of ours that nobody needs: name, UID and who made each.
    fn left_over(&self) -> impl Iterator<Item = (&'p str, &'p str, &'p str)> + use<'p> {
        self.work.plan.cleanups.iter().filter_map(|cleanup| match cleanup {
            Cleanup::Request { name, uid, requester } => Some((&**name, &**uid, &**requester)),
            Cleanup::Expired { .. } | Cleanup::Protection { .. } | Cleanup::Revoked { .. } => None,
        })
    }

    /// Bindings that are still to be brought to what the plan says; those that what they are replaced by
    /// comes before, or the others.
    fn grants<'a>(
        &'a self,
        roster: &'p RosterName,
        visible: bool,
        last: bool,
    ) -> impl Iterator<Item = (BindingWrite<'p>, BindingStep)> + use<'a, 'p> {
        let issued = move |user: &UserName| {
            self.outcome.issued.get(user).filter(|_| visible).map(|issued| issued.group(user))
        };
        let actions = self.work.plan.bindings.iter().filter(move |action| action.goes_last == last);
        actions.filter_map(move |action| self.begin(action, roster, Goal::Grant(action.subjects(issued))))
    }

    fn begin(
        &self,
        action: &'p BindingAction,
        roster: &'p RosterName,
        goal: Goal,
    ) -> Option<(BindingWrite<'p>, BindingStep)> {
        BindingWrite::begin(action, roster, goal, !self.written.contains(&action.at))
    }

    /// The cluster remembers what is cut off before it is, so that no record that is put back ever lets it in.
    fn note_what_is_cut_off(&mut self, notes: &Notes, now: Timestamp) {
        let plan = self.work.plan;
        let cut_off = plan.people.iter().filter_map(|action| action.cut_off());
        let cut_off = cut_off.map(|cut_off| (cut_off.credential.clone(), cut_off.not_after));
        let revoked = plan.ledger.revoked.clone().into_iter().chain(cut_off).collect();
        let mut additions = Additions { revoked, ..Additions::none(notes.new_id.clone(), now) };
        match &notes.unmerged {
            Some(commit) => {
                let removal = Removal { at: now, by: RemovedBy::Commit(commit.clone()) };
                let gone = plan.people.iter().filter(|action| action.reason().is_removal());
                additions.removed = gone.map(|action| (action.user().clone(), removal.clone())).collect();
            }
            None => additions.settled = plan.ledger.settled.clone(),
        }
        self.add(additions);
    }

    /// What nobody could note must not be issued.
    fn issue_only_what_fits(&mut self) {
        let wanted = self.wanted().count();
        if wanted > 0 && self.ledger.known().is_some_and(|ledger| !ledger.has_room_for(wanted)) {
            self.issues = false;
            self.fails(None, ledger_write::full("nothing was issued"));
        }
    }

    /// The cluster knows what was issued before any record does, so that a run that is killed in between
    /// leaves no record behind that seems made up.
    fn note_what_is_issued(&mut self, notes: &Notes, now: Timestamp) {
        let new = self.outcome.issued.values().map(|issued| &issued.credential);
        let new = new.map(|credential| (credential.id.clone(), credential.not_after));
        let issued = self.work.plan.ledger.adopted.clone().into_iter().chain(new).collect();
        self.add(Additions { issued, ..Additions::none(notes.new_id.clone(), now) });
    }

    fn add(&mut self, additions: Additions) {
        if let Some((write, step)) = LedgerWrite::begin(&self.ledger, additions) {
            self.note(Box::new(write), step);
        }
    }

    fn note(&mut self, write: Box<LedgerWrite>, step: LedgerStep) {
        let LedgerStep::End(result) = step else {
            self.noting = Noting::Next(write, step);
            return;
        };
        self.noting = Noting::Over;
        self.ledger = write.into_seen();
        if let Err(error) = result {
            // What it does not know, it would not bind: nobody records it, and the next run issues anew.
            for user in std::mem::take(&mut self.outcome.issued).into_keys() {
                self.fails(
                    Some(&user),
                    Error::new(format!(
                        "{user}: what was issued is thrown away, because the cluster could not note it"
                    )),
                );
            }
            self.fails(None, error);
        }
    }

    fn begin_noting(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        let (write, step) = match std::mem::replace(&mut self.noting, Noting::UnderWay) {
            Noting::Next(write, step) => (write, step),
            other => {
                self.noting = other;
                return;
            }
        };
        let effect = match step {
            LedgerStep::Read { pause } => Effect::ReadLedger { pause },
            LedgerStep::Write { ledger, resource_version } => {
                Effect::WriteLedger { ledger, resource_version }
            }
            end @ LedgerStep::End(_) => return self.note(write, end),
        };
        begun.push((Job::Ledger(index, write), Order::On(index, effect)));
    }

    fn begin_strays(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        if !matches!(self.noting, Noting::Over) {
            return;
        }
        while let Some((work, step)) = self.strays.pop_front() {
            let effect = match step {
                TakeOutStep::Read { pause } => Effect::Read { at: work.at(), pause },
                TakeOutStep::Write { current, rest } => Effect::TakeOut { current, rest },
                TakeOutStep::End(Ok(written)) => {
                    self.outcome.bindings.extend(written.then(|| work.at().clone()));
                    continue;
                }
                TakeOutStep::End(Err(error)) => {
                    self.outcome.not_cut_off.extend(work.groups().iter().map(|group| group.user.clone()));
                    self.fails(None, error);
                    continue;
                }
            };
            begun.push((Job::TakeOut(index, work), Order::On(index, effect)));
        }
    }

    fn begin_bindings(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        if !matches!(self.noting, Noting::Over) {
            return;
        }
        loop {
            let (write, step) = match self.following.pop_front() {
                Some(next) => next,
                None if self.writing >= BINDINGS_AT_ONCE => return,
                None => {
                    if self.bindings.is_empty() && self.writing == 0 {
                        let last = std::mem::take(&mut self.last);
                        self.bindings = if self.grant_failed { VecDeque::new() } else { last };
                    }
                    let Some(next) = self.bindings.pop_front() else { return };
                    self.writing += 1;
                    next
                }
            };
            let action = write.action();
            let effect = match step {
                BindingStep::Read { pause } => Effect::Read { at: &action.at, pause },
                BindingStep::Write { write, current } => Effect::Write { action, write, current },
                BindingStep::End(result) => {
                    // It needs nothing, as far as the plan knows.
                    self.writing -= 1;
                    self.ended(&write, result);
                    continue;
                }
            };
            begun.push((Job::Binding(index, write), Order::On(index, effect)));
        }
    }

    fn begin_issuing(
        &mut self,
        index: usize,
        interrupted: bool,
        parallelism: usize,
        probe: Probe,
        begun: &mut Vec<(Job<'p>, Order<'p>)>,
    ) {
        match &mut self.issuing {
            Issuing::Not => {
                self.issuing = Issuing::Identifying;
                begun.push((Job::Cluster(index), Order::On(index, Effect::Identify)));
            }
            Issuing::CleaningUp { under_way: true, .. } | Issuing::Identifying | Issuing::Starting => {}
            Issuing::CleaningUp { requester, left, under_way } => match left.pop_front() {
                Some((name, uid)) => {
                    *under_way = true;
                    begun.push((Job::Request(index), Order::On(index, Effect::DeleteRequest { name, uid })));
                }
                None => {
                    let requester = std::mem::take(requester);
                    if self.wanted().next().is_none() {
                        self.issuing = Issuing::Over;
                        return;
                    }
                    self.issuing = Issuing::Starting;
                    begun.push((Job::Cluster(index), Order::On(index, Effect::StartSigner { requester })));
                }
            },
            Issuing::Making { left, .. } if interrupted => {
                for (user, _) in std::mem::take(left) {
                    let error = Error::new(format!("{user}: not issued, because apply was interrupted"));
                    self.fails(Some(user), error);
                }
            }
            Issuing::Making { left, under_way, trial } => {
                while *trial != Trial::UnderWay && *under_way < parallelism {
                    let first = match trial {
                        Trial::Due => left.iter().position(|(_, issuance)| is_tried(issuance)).unwrap_or(0),
                        Trial::UnderWay | Trial::Over => 0,
                    };
                    let Some((user, issuance)) = left.remove(first) else { break };
                    *under_way += 1;
                    let tried = (*trial == Trial::Due || probe == Probe::All) && is_tried(issuance);
                    *trial = if tried && *trial == Trial::Due { Trial::UnderWay } else { Trial::Over };
                    let effect = Effect::Issue { user, issuance, probe: tried };
                    begun.push((Job::Issue(index, user, tried), Order::On(index, effect)));
                }
            }
            Issuing::Over => {}
        }
    }

    /// What became of somebody's credential. Where one of them would be of no use, none is: what is issued
    /// is dropped, sealed or not, and nobody has its key.
    fn made(&mut self, user: &'p UserName, probe: bool, made: Made) {
        if let Issuing::Making { left, under_way, trial } = &mut self.issuing {
            *under_way -= 1;
            match &made {
                Made::Issued(..) if probe => *trial = Trial::Over,
                Made::Failed(_) if *trial == Trial::UnderWay => *trial = Trial::Due,
                Made::Useless(_) => left.clear(),
                Made::Issued(..) | Made::Failed(_) => {}
            }
        }
        match made {
            Made::Issued(issued, warning) => {
                let told =
                    |new: &Error| self.outcome.warnings.iter().any(|told| told.message() == new.message());
                if let Some(new) = warning.filter(|new| !told(new)) {
                    self.outcome.warnings.push(new);
                }
                if !self.useless {
                    self.outcome.issued.insert(user.clone(), *issued);
                }
            }
            Made::Failed(error) => self.fails(Some(user), error),
            Made::Useless(error) => {
                self.outcome.issued.clear();
                if !std::mem::replace(&mut self.useless, true) {
                    self.fails(None, error);
                }
            }
        }
    }

    /// A binding is as far as it can be brought.
    fn ended(&mut self, write: &BindingWrite<'p>, result: Result<bool>) {
        let action = write.action();
        let error = match result {
            Ok(true) => {
                self.written.insert(&action.at);
                self.outcome.bindings.insert(action.at.clone());
                return;
            }
            Ok(false) => return,
            Err(error) => error,
        };
        // Whatever was done before it failed, it is not as it was planned.
        self.written.insert(&action.at);
        let users = |joins: bool| {
            action.changes.iter().filter(move |c| c.joins == joins).filter_map(|c| c.user.clone())
        };
        match write.goal() {
            Goal::Keep(groups) => self.spared.extend(groups.iter().cloned()),
            Goal::Reduce(_) => self.outcome.not_cut_off.extend(users(false)),
            Goal::Grant(_) => {
                self.grant_failed = true;
                self.outcome.not_bound.extend(users(true));
            }
        }
        self.fails(None, error);
    }

    fn fails(&mut self, user: Option<&UserName>, error: Error) {
        let error = error.within(&format!("cluster {}", self.work.plan.name));
        self.outcome.failures.push(Failure { user: user.cloned(), error });
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
