//! A world of plain data in which the machine of `certctl::apply` runs: a cluster that keeps versions, a
//! repository with its remote, and a place for a fault before each effect.
//!
//! It performs what the machine asks for, one effect at a time, in any order that the machine allows. What
//! comes before what, and what follows a failure, is the machine's alone.

use std::collections::{BTreeMap, BTreeSet};

use certctl::apply::Probe;
use certctl::apply::machine::{Effect as Asked, Event, Extent, Machine, Order, Policy, Publication, Task};
use certctl::apply::record_changes::{ClusterWork, RecordChange};
use certctl::apply::signer_limit::short_lived;
use certctl::apply::{Issued, Made, Notes};
use certctl::error::Error;
use certctl::ledger::Ledger;
use certctl::model::{
    CaBundle, CommitHash, CredentialGroup, CredentialId, KeySource, RoleRef, RosterId, UserName, hex, sha256,
};
use certctl::plan::action::SHORTEST_VALIDITY;
use certctl::plan::endpoint::Endpoint;
use certctl::plan::observed::{Binding, BindingAt, SeenCluster, SeenLedger, StoredLedger, Subject};
use certctl::plan::write::{Write, WriteError};
use certctl::plan::{BindingAction, ClusterPlan, Issuance, RepositoryState};
use certctl::record::{Credential, CredentialState, Record};
use jiff::{SignedDuration, Timestamp};

use crate::story::{ours, request, subject};

/// What one clone of the repository holds, or its remote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    pub records: BTreeMap<UserName, Record>,
    pub sealed: BTreeMap<UserName, String>,
    pub pin: (Option<String>, Option<Endpoint>, Option<RosterId>),
}

/// The world: one cluster, a clone (`repository`), its remote, and the time.
#[derive(Debug, Clone)]
pub struct World {
    pub repository: RepositoryState,
    pub cluster: SeenCluster,
    pub remote: Repository,
    pub now: Timestamp,
    /// What a first apply ties the roster's name with.
    pub new_id: RosterId,
    /// The commit that is applied, where the roster's branch lacks it.
    pub unmerged: Option<CommitHash>,
    /// The longest that the signer signs.
    pub longest: SignedDuration,
    /// What a new certificate meets that is tried at the published address.
    pub there: There,
    /// Everything that was ever signed, recorded or not.
    pub signed: Vec<CredentialGroup>,
    /// What somebody binds just before an apply looks for the last time.
    pub planted: Option<Binding>,
    /// What every apply warned of.
    pub warned: Vec<String>,
    /// Of every commit that an apply had to make.
    pub messages: Vec<String>,
    /// What every apply told of how far it is.
    pub told: Vec<Event>,
    serial: u64,
    version: u64,
}

/// What is at the published address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    Works,
    /// Nobody, as far as can be told from where apply runs.
    NoAnswer,
    /// What refuses it.
    Useless,
}

/// What can happen to one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends before it.
    Crash,
    /// It is refused, and the process goes on.
    Refused,
    /// It takes effect, and the reply is lost.
    Lost,
    /// Somebody changes the binding first.
    Meddled(Edit),
    /// An hour passes first.
    Slow,
}

/// What somebody does to a binding by hand; numbers pick among what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    AddUser,
    /// Somebody's credential group, old or new, or one that nobody ever had.
    AddCredential(usize),
    Remove(usize),
    Twice(usize),
    /// Deleted, and made again for another role.
    Role,
    Unlabel,
    Delete,
}

/// One thing that an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Wrote(BindingAt),
    /// In the ledger.
    Noted,
    Deleted(String),
    Asked(UserName),
    Signed(UserName),
    Committed,
    Pushed,
    /// Something else than writing bindings begins, and nothing has failed yet. This does nothing itself.
    Onwards,
}

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It said that all was done.
    Done,
    /// It said that something failed.
    Failed,
    Crashed,
}

/// The faults of one apply, by the number of the effect, and the order of what happens side by side.
#[derive(Debug, Clone, Default)]
pub struct Course {
    pub faults: BTreeMap<usize, Fault>,
    /// `None`: in the order of the plan.
    pub seed: Option<u64>,
}

/// Sees the world before and after each effect.
pub type Witness<'a> = dyn FnMut(&World, &World, &Effect) + 'a;

impl World {
    pub fn new(cluster: SeenCluster, now: Timestamp) -> Self {
        let longest = SignedDuration::from_hours(24 * 3650);
        Self {
            repository: RepositoryState::default(),
            cluster,
            remote: Repository::default(),
            now,
            new_id: "0123456789abcdef0123456789abcdef".parse().expect("a roster id"),
            unmerged: None,
            longest,
            there: There::Works,
            signed: Vec::new(),
            planted: None,
            warned: Vec::new(),
            messages: Vec::new(),
            told: Vec::new(),
            serial: 0,
            version: 0,
        }
    }

    /// The clone becomes the remote, as in a new checkout.
    pub fn clone_anew(&mut self) {
        let Repository { records, sealed, pin } = self.remote.clone();
        (self.repository.records, self.repository.sealed) = (records, sealed);
        let pinned = &mut self.repository;
        (pinned.pinned_uid, pinned.pinned_endpoint, pinned.roster_id) = pin;
    }

    /// What the clone holds.
    fn clone_of_it(&self) -> Repository {
        let RepositoryState { records, sealed, pinned_uid, pinned_endpoint, roster_id, .. } =
            self.repository.clone();
        Repository { records, sealed, pin: (pinned_uid, pinned_endpoint, roster_id) }
    }

    /// One file of a commit.
    fn record(&mut self, change: RecordChange) {
        let published = self.cluster.published.endpoint.clone();
        let RepositoryState { records, sealed, pinned_uid, pinned_endpoint, roster_id, .. } =
            &mut self.repository;
        match change {
            RecordChange::Record { cluster: _, user, record: Some(record) } => {
                drop(records.insert(user, record))
            }
            RecordChange::Record { cluster: _, user, record: None } => drop(records.remove(&user)),
            RecordChange::Sealed { cluster: _, user, kubeconfig: Some(file) } => {
                sealed.insert(user, hex(&sha256(&file)));
            }
            RecordChange::Sealed { cluster: _, user, kubeconfig: None } => drop(sealed.remove(&user)),
            RecordChange::Pin(pin) => {
                *pinned_uid = Some(pin.uid);
                *pinned_endpoint = pin.endpoint.map(|_| published);
                *roster_id = pin.roster_id;
            }
        }
    }

    pub fn binding(&self, at: &BindingAt) -> Option<&Binding> {
        self.cluster.state.bindings.iter().find(|binding| binding.at == *at)
    }

    /// Puts an object as a new version of itself, or as a new one.
    fn put(&mut self, binding: Binding) {
        self.version += 1;
        let bindings = &mut self.cluster.state.bindings;
        bindings.retain(|other| other.at != binding.at);
        let uid = if binding.uid.is_empty() { format!("uid-{}", self.version) } else { binding.uid.clone() };
        bindings.push(Binding { uid, resource_version: self.version.to_string(), ..binding });
    }

    /// Changes a binding by hand, as kubectl does.
    pub fn edit(&mut self, at: &BindingAt, edit: Edit) {
        let Some(mut binding) = self.binding(at).cloned() else { return };
        let pick = |number: usize, of: usize| number.checked_rem(of);
        match edit {
            Edit::AddUser => binding.subjects.push(subject("User", "mallory")),
            Edit::AddCredential(number) => {
                let unheard_of = "certctl:alice:00000000deadbeef".parse().expect("a group");
                let group = pick(number, self.signed.len() + 1).and_then(|at| self.signed.get(at));
                binding.subjects.push(subject("Group", &group.unwrap_or(&unheard_of).to_string()));
            }
            Edit::Remove(number) => {
                if let Some(at) = pick(number, binding.subjects.len()) {
                    binding.subjects.remove(at);
                }
            }
            Edit::Twice(number) => {
                if let Some(at) = pick(number, binding.subjects.len()) {
                    binding.subjects.push(binding.subjects[at].clone());
                }
            }
            Edit::Role => (binding.role_name, binding.uid) = ("admin".into(), String::new()),
            Edit::Unlabel => binding.labels.clear(),
            Edit::Delete => {
                self.cluster.state.bindings.retain(|other| other.at != *at);
                return;
            }
        }
        self.put(binding);
    }

    /// Carries out a plan.
    pub fn apply(&mut self, plan: &ClusterPlan, course: &Course, witness: &mut Witness<'_>) -> End {
        self.go(plan, Extent::ALL, course, witness)
    }

    /// Takes away what a plan takes away, and nothing more.
    pub fn cut_off(&mut self, plan: &ClusterPlan) -> End {
        self.cut_off_on(plan, &Course::default())
    }

    /// The same with faults.
    pub fn cut_off_on(&mut self, plan: &ClusterPlan, course: &Course) -> End {
        self.go(plan, Extent::CutOffs, course, &mut |_, _, _| {})
    }

    fn go(&mut self, plan: &ClusterPlan, extent: Extent, course: &Course, witness: &mut Witness<'_>) -> End {
        let repository = self.repository.clone();
        let work = ClusterWork { plan, repository: &repository };
        let policy = Policy { parallelism: 3, probe: Probe::First, extent, skip_ci_marker: false };
        let roster = "acme".parse().expect("a name");
        let notes = Notes { new_id: self.new_id.clone(), unmerged: self.unmerged.clone() };
        let machine = Machine::new(&roster, [work], policy, notes);
        Run {
            world: self,
            machine,
            course,
            witness,
            effects: 0,
            onwards: false,
            failed: false,
            useless: false,
        }
        .into_its_end()
    }
}

struct Crash;

struct Run<'w, 'a, 'p> {
    world: &'w mut World,
    machine: Machine<'p>,
    course: &'w Course,
    witness: &'w mut Witness<'a>,
    effects: usize,
    onwards: bool,
    /// The records could not be published.
    failed: bool,
    /// A new certificate was tried and refused.
    useless: bool,
}

/// What became of one effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Done,
    Refused,
    /// Done, for all that its maker knows: perhaps.
    Unclear,
    Conflict,
    /// There is no such object any more.
    Gone,
}

/// How a write that was not done ends for its maker.
fn not_done(came: Came) -> WriteError {
    match came {
        Came::Done | Came::Unclear => WriteError::Unclear(refused()),
        Came::Refused => WriteError::Failed(refused()),
        Came::Conflict => WriteError::Conflict(refused()),
        Came::Gone => WriteError::NotFound(refused()),
    }
}

impl<'p> Run<'_, '_, 'p> {
    fn into_its_end(mut self) -> End {
        let mut waiting: Vec<Task<'p>> = Vec::new();
        loop {
            waiting.extend(self.machine.next(self.world.now));
            self.world.told.extend(self.machine.events());
            if waiting.is_empty() {
                break;
            }
            let task = waiting.remove(self.choice(waiting.len()));
            if let Err(Crash) = self.perform(task) {
                return End::Crashed;
            }
        }
        let failed = self.machine.has_failed() || self.failed;
        let warnings = self.machine.into_outcome().into_iter().flat_map(|outcome| outcome.warnings);
        self.world.warned.extend(warnings.map(|warning| warning.message().to_owned()));
        if failed { End::Failed } else { End::Done }
    }

    /// What happens side by side happens in any order.
    fn choice(&self, of: usize) -> usize {
        let Some(seed) = self.course.seed else { return 0 };
        usize::from(sha256(format!("{seed}-{}", self.effects).as_bytes())[0]) % of
    }

    fn perform(&mut self, Task { id, order }: Task<'p>) -> Result<(), Crash> {
        let on_bindings = matches!(
            order,
            Order::On(
                _,
                Asked::Read { .. }
                    | Asked::Write { .. }
                    | Asked::TakeOut { .. }
                    | Asked::ReadLedger { .. }
                    | Asked::WriteLedger { .. }
                    | Asked::ReadBindings
            )
        );
        if !on_bindings && !self.onwards {
            self.onwards = true;
            if !self.machine.has_failed() {
                let world = self.world.clone();
                (self.witness)(&world, &world, &Effect::Onwards);
            }
        }
        match order {
            Order::On(_, Asked::Read { at, pause: _ }) => {
                let binding = self.world.binding(at).cloned();
                self.machine.read(id, Ok(binding));
            }
            Order::On(_, Asked::Write { action, write, current }) => {
                let result = match self.write(action, &write, current.as_deref())? {
                    Came::Done => Ok(self.world.binding(&action.at).cloned()),
                    came => Err(not_done(came)),
                };
                self.machine.written(id, result);
            }
            Order::On(_, Asked::TakeOut { current, rest }) => {
                let result = match self.take_out(&current, rest)? {
                    Came::Done => Ok(()),
                    came => Err(not_done(came)),
                };
                self.machine.taken_out(id, result);
            }
            Order::On(_, Asked::ReadLedger { pause: _ }) => {
                let seen = self.world.cluster.ledger.clone();
                self.machine.ledger_read(id, seen);
            }
            Order::On(_, Asked::WriteLedger { ledger, resource_version }) => {
                let came = self.write_ledger(ledger, resource_version)?;
                let result = match (came, &self.world.cluster.ledger) {
                    (Came::Done, SeenLedger::Kept(stored)) => Ok(stored.clone()),
                    (Came::Done, _) => unreachable!("what was written is kept"),
                    (came, _) => Err(not_done(came)),
                };
                self.machine.ledger_written(id, result);
            }
            Order::On(_, Asked::ReadBindings) => {
                if let Some(planted) = self.world.planted.take() {
                    self.world.put(planted);
                }
                let bindings = self.world.cluster.state.bindings.clone();
                self.machine.bindings_read(id, Ok(bindings));
            }
            Order::On(_, Asked::Identify) => {
                let me = self.world.cluster.identity.clone();
                self.machine.identified(id, Ok(me.unwrap_or_default()));
            }
            Order::On(_, Asked::DeleteRequest { name, uid: _ }) => {
                let delete = |world: &mut World| {
                    world.cluster.state.requests.retain(|request| request.name != name);
                    Ok(())
                };
                let came = self.attempt(None, Effect::Deleted(name.to_owned()), delete)?;
                let deleted = matches!(came, Came::Done | Came::Unclear);
                self.machine.request_deleted(id, if deleted { Ok(()) } else { Err(refused()) });
            }
            Order::On(_, Asked::StartSigner { requester: _ }) => self.machine.signer_started(id, Ok(())),
            Order::On(_, Asked::Issue { user, issuance, probe }) => {
                let useless = probe && self.world.there == There::Useless;
                let unreachable = probe && self.world.there == There::NoAnswer;
                assert!(!self.useless, "nothing is issued once one was tried in vain");
                let made = match self.issue(user, issuance)? {
                    Some(_) if useless => {
                        self.useless = true;
                        Made::Useless(refused())
                    }
                    Some(issued) => {
                        let given = self.world.now.duration_until(issued.credential.not_after);
                        let short = short_lived(given, issuance.validity, issuance.roster_validity);
                        let unreachable = unreachable.then(|| Error::new("no answer from there"));
                        Made::Issued(Box::new(issued), short.or(unreachable))
                    }
                    None => Made::Failed(refused()),
                };
                self.machine.issued(id, made);
            }
            Order::Publish { changes, message } => {
                self.world.messages.push(message);
                let published = self.publish(changes)?;
                self.failed |= !published;
                let publication = if published { Publication::Visible } else { Publication::Failed };
                self.machine.published(id, publication);
            }
        }
        Ok(())
    }

    /// One effect, and whatever happens to it; `change` says why the API server did not take it.
    fn attempt(
        &mut self,
        at: Option<&BindingAt>,
        effect: Effect,
        change: impl FnOnce(&mut World) -> Result<(), Came>,
    ) -> Result<Came, Crash> {
        let fault = self.course.faults.get(&self.effects);
        self.effects += 1;
        match (fault, at) {
            (Some(Fault::Crash), _) => return Err(Crash),
            (Some(Fault::Refused), _) => return Ok(Came::Refused),
            (Some(Fault::Meddled(edit)), Some(at)) => self.world.edit(at, *edit),
            (Some(Fault::Slow), _) => self.world.now += SignedDuration::from_hours(1),
            _ => {}
        }
        let before = self.world.clone();
        if let Err(came) = change(self.world) {
            return Ok(came);
        }
        (self.witness)(&before, self.world, &effect);
        Ok(if fault == Some(&Fault::Lost) { Came::Unclear } else { Came::Done })
    }

    /// One write against the version that it was decided from, as an API server takes it.
    fn write(
        &mut self,
        action: &BindingAction,
        write: &Write,
        current: Option<&Binding>,
    ) -> Result<Came, Crash> {
        let took = |world: &mut World| {
            let found = world.binding(&action.at).cloned();
            match (write, current, found) {
                (Write::Create(groups), None, None) => {
                    world.put(made(action, groups));
                    Ok(())
                }
                (Write::Delete, _, None) => Ok(()),
                (Write::Set(_), _, None) => Err(Came::Gone),
                (Write::Set(_) | Write::Delete, Some(known), Some(found))
                    if known.resource_version == found.resource_version && known.uid == found.uid =>
                {
                    match write {
                        Write::Set(groups) => world.put(Binding { subjects: subjects(groups), ..found }),
                        // Something keeps it.
                        _ if !found.finalizers.is_empty() => {
                            world.put(Binding { deletion_requested: true, ..found });
                        }
                        _ => world.cluster.state.bindings.retain(|binding| binding.at != action.at),
                    }
                    Ok(())
                }
                _ => Err(Came::Conflict),
            }
        };
        self.attempt(Some(&action.at), Effect::Wrote(action.at.clone()), took)
    }

    /// As an API server takes it.
    fn take_out(&mut self, current: &Binding, rest: Vec<Subject>) -> Result<Came, Crash> {
        let took = |world: &mut World| match world.binding(&current.at).cloned() {
            Some(found) if found.resource_version == current.resource_version => {
                world.put(Binding { subjects: rest, ..found });
                Ok(())
            }
            Some(_) => Err(Came::Conflict),
            None => Err(Came::Gone),
        };
        self.attempt(Some(&current.at), Effect::Wrote(current.at.clone()), took)
    }

    /// As an API server takes it: only over the version that it was decided from.
    fn write_ledger(&mut self, ledger: Ledger, resource_version: Option<String>) -> Result<Came, Crash> {
        let took = |world: &mut World| {
            let found = match &world.cluster.ledger {
                SeenLedger::Kept(stored) => Some(stored.resource_version.clone()),
                SeenLedger::Missing | SeenLedger::Unusable { .. } => None,
            };
            if found != resource_version {
                return Err(Came::Conflict);
            }
            // As the API server keeps it, and the next plan reads it.
            let ledger = Ledger::parse(&ledger.to_data()).expect("what is written can be read");
            world.version += 1;
            let resource_version = world.version.to_string();
            world.cluster.ledger = SeenLedger::Kept(StoredLedger { ledger, resource_version });
            Ok(())
        };
        self.attempt(None, Effect::Noted, took)
    }

    /// Key, request, approval, certificate; `None` where it failed.
    fn issue(&mut self, user: &UserName, issuance: &Issuance) -> Result<Option<Issued>, Crash> {
        let world = &mut *self.world;
        world.serial += 1;
        let serial = world.serial;
        let (id, key) = match &issuance.key {
            KeySource::Made(key) => {
                (CredentialId::of_public_key(&serial.to_be_bytes()), KeySource::Made(*key))
            }
            KeySource::Brought(b) => (b.id.clone(), KeySource::Brought(b.csr_sha256.clone())),
        };
        let group = CredentialGroup::new(user, id.clone());
        let name = format!("certctl-acme-{serial:08x}");
        let mut asked = request(&name, user.as_str(), &[&group.to_string()]);
        (asked.labels, asked.key) = (ours(), Some(id.clone()));
        asked.requester = world.cluster.identity.clone().unwrap_or_default();
        let ask = |world: &mut World| {
            world.cluster.state.requests.push(asked);
            Ok(())
        };
        if !matches!(self.attempt(None, Effect::Asked(user.clone()), ask)?, Came::Done) {
            return Ok(None);
        }
        let sign = |world: &mut World| {
            let requests = &mut world.cluster.state.requests;
            requests
                .iter_mut()
                .filter(|request| request.name == name)
                .for_each(|request| request.issued = true);
            world.signed.push(group);
            Ok(())
        };
        if !matches!(self.attempt(None, Effect::Signed(user.clone()), sign)?, Came::Done) {
            return Ok(None);
        }
        let (now, endpoint) = (self.world.now, &self.world.cluster.published.endpoint);
        // Counted from now, not from the plan.
        let asked_for = issuance
            .not_after_limit
            .map_or(issuance.validity, |limit| issuance.validity.min(now.duration_until(limit)));
        if asked_for < SHORTEST_VALIDITY {
            return Ok(None);
        }
        let sealed = format!("sealed-{serial}").into_bytes();
        let credential = Credential {
            id,
            state: CredentialState::Active,
            serial: format!("{serial:x}"),
            x509_sha256: hex(&sha256(&serial.to_be_bytes())),
            // The signer backdates by five minutes.
            not_before: now - SignedDuration::from_mins(5),
            not_after: now + asked_for.min(self.world.longest),
            generation: issuance.generation,
            protected: issuance.protected,
            key,
            in_certificate_groups: issuance.in_certificate_groups.iter().cloned().collect(),
            recipients: issuance.recipients.clone(),
            server: endpoint.server.clone(),
            certificate_authority_sha256: endpoint.authority.bundle().map(CaBundle::sha256),
            route: issuance.route.clone(),
            namespace: issuance.namespace.clone(),
            sealed_sha256: hex(&sha256(&sealed)),
            roster_commit: "0".repeat(40),
            certificate: String::new(),
        };
        Ok(Some(Issued { credential, sealed }))
    }

    /// Commit and push; whether both came to be.
    fn publish(&mut self, changes: Vec<RecordChange>) -> Result<bool, Crash> {
        let hands_out =
            |change: &RecordChange| matches!(change, RecordChange::Sealed { kubeconfig: Some(_), .. });
        assert!(!(self.useless && changes.iter().any(hands_out)), "what is no use is not handed out");
        if !changes.is_empty() {
            let commit = |world: &mut World| {
                changes.into_iter().for_each(|change| world.record(change));
                Ok(())
            };
            if self.attempt(None, Effect::Committed, commit)? != Came::Done {
                return Ok(false);
            }
        }
        if self.world.remote == self.world.clone_of_it() {
            return Ok(true);
        }
        let push = |world: &mut World| {
            world.remote = world.clone_of_it();
            Ok(())
        };
        Ok(self.attempt(None, Effect::Pushed, push)? == Came::Done)
    }
}

fn refused() -> Error {
    Error::new("refused")
}

fn made(action: &BindingAction, groups: &[CredentialGroup]) -> Binding {
    let role: &RoleRef = action.role.as_ref().expect("a role");
    Binding {
        at: action.at.clone(),
        role_kind: role.kind().into(),
        role_name: role.name().to_string(),
        subjects: subjects(groups),
        labels: ours(),
        uid: String::new(),
        resource_version: String::new(),
        finalizers: Vec::new(),
        deletion_requested: false,
    }
}

fn subjects(groups: &[CredentialGroup]) -> Vec<Subject> {
    let groups: BTreeSet<&CredentialGroup> = groups.iter().collect();
    groups.into_iter().map(|group| subject("Group", &group.to_string())).collect()
}
