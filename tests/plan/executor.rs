//! A make-believe executor: the phases of `certctl::apply` on plain data, one effect at a time.
//!
//! What is written comes from the plan itself (`plan::write`, `plan::after`), as in the real one. What
//! this adds is a cluster that keeps versions, a repository with its remote, and a place for a fault
//! before each effect.

use std::collections::{BTreeMap, BTreeSet};

use certctl::model::{CredentialGroup, CredentialId, KeySource, RoleRef, UserName, hex, sha256};
use certctl::plan::action::SHORTEST_VALIDITY;
use certctl::plan::observed::{Binding, BindingAt, SeenCluster, Subject};
use certctl::plan::write::Write;
use certctl::plan::{BindingAction, Cleanup, ClusterPlan, Issuance, RepositoryState, next_record};
use certctl::record::{Credential, Record, State};
use jiff::{SignedDuration, Timestamp};

use crate::story::{ours, request, subject};

/// What one clone of the repository holds, or its remote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    pub records: BTreeMap<UserName, Record>,
    pub sealed: BTreeMap<UserName, String>,
    pub pinned_uid: Option<String>,
}

/// The world: one cluster, a clone (`repository`), its remote, and the time.
#[derive(Debug, Clone)]
pub struct World {
    pub repository: RepositoryState,
    pub cluster: SeenCluster,
    pub remote: Repository,
    pub now: Timestamp,
    /// The longest that the signer signs.
    pub longest: SignedDuration,
    /// Everything that was ever signed, recorded or not.
    pub signed: Vec<CredentialGroup>,
    serial: u64,
    version: u64,
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
    Reduced(BindingAt),
    Deleted(String),
    Asked(UserName),
    Signed(UserName),
    Committed,
    Pushed,
    Granted(BindingAt),
    /// Every reduction went well; this does nothing itself.
    AllReduced,
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
            longest,
            signed: Vec::new(),
            serial: 0,
            version: 0,
        }
    }

    /// The clone becomes the remote, as in a new checkout.
    pub fn clone_anew(&mut self) {
        let Repository { records, sealed, pinned_uid } = self.remote.clone();
        (self.repository.records, self.repository.sealed, self.repository.pinned_uid) =
            (records, sealed, pinned_uid);
    }

    fn push(&mut self) {
        self.remote = Repository {
            records: self.repository.records.clone(),
            sealed: self.repository.sealed.clone(),
            pinned_uid: self.repository.pinned_uid.clone(),
        };
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
        let mut run = Run { world: self, plan, course, witness, effects: 0, failed: false };
        match run.phases() {
            Err(Crash) => End::Crashed,
            Ok(()) if run.failed => End::Failed,
            Ok(()) => End::Done,
        }
    }
}

struct Crash;

struct Run<'w, 'a> {
    world: &'w mut World,
    plan: &'w ClusterPlan,
    course: &'w Course,
    witness: &'w mut Witness<'a>,
    effects: usize,
    failed: bool,
}

/// What became of one effect.
enum Came {
    Done,
    Refused,
    /// Done, for all that its maker knows: perhaps.
    Unclear,
    Conflict,
}

impl Run<'_, '_> {
    fn phases(&mut self) -> Result<(), Crash> {
        let plan = self.plan;
        for action in self.shuffled(plan.bindings.iter().filter(|action| action.reduced.is_some())) {
            self.reduce(action)?;
        }
        if !self.failed {
            let world = self.world.clone();
            (self.witness)(&world, &world, &Effect::AllReduced);
        }

        for cleanup in &plan.cleanups {
            let Cleanup::Request { name, requester, .. } = cleanup else { continue };
            if Some(requester) == self.world.cluster.identity.as_ref() {
                let requests = |world: &mut World| {
                    world.cluster.state.requests.retain(|request| request.name != *name);
                    true
                };
                let came = self.attempt(None, Effect::Deleted(name.clone()), requests)?;
                self.failed |= !matches!(came, Came::Done | Came::Unclear);
            }
        }
        let mut issued = BTreeMap::new();
        for action in self.shuffled(plan.people.iter()) {
            if let Some(new) = action.new_credential()
                && let Some(credential) = self.issue(action.user(), &new.issuance)?
            {
                assert!(
                    issued.insert(action.user().clone(), credential).is_none(),
                    "{} got two",
                    action.user()
                );
            }
        }
        if !self.record(&issued)? {
            return Ok(());
        }
        for goes_last in [false, true] {
            let actions = plan.bindings.iter().filter(|action| action.goes_last == goes_last);
            let before = std::mem::take(&mut self.failed);
            for action in self.shuffled(actions) {
                self.grant(action, &issued)?;
            }
            let failed = std::mem::replace(&mut self.failed, before);
            self.failed |= failed;
            if failed {
                break;
            }
        }
        Ok(())
    }

    /// What happens side by side happens in any order.
    fn shuffled<'p, T>(&self, items: impl Iterator<Item = &'p T>) -> Vec<&'p T> {
        let mut items: Vec<(usize, &T)> = items.enumerate().collect();
        if let Some(seed) = self.course.seed {
            items.sort_by_key(|(at, _)| sha256(format!("{seed}-{at}").as_bytes()));
        }
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// One effect, and whatever happens to it; `change` says whether the API server took it.
    fn attempt(
        &mut self,
        at: Option<&BindingAt>,
        effect: Effect,
        change: impl FnOnce(&mut World) -> bool,
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
        if !change(self.world) {
            return Ok(Came::Conflict);
        }
        (self.witness)(&before, self.world, &effect);
        Ok(if fault == Some(&Fault::Lost) { Came::Unclear } else { Came::Done })
    }

    /// As `apply::bindings::reduce`.
    fn reduce(&mut self, action: &BindingAction) -> Result<(), Crash> {
        let mut current = action.observed.clone();
        for _ in 0..5 {
            let Some(binding) = &current else { return Ok(()) };
            let Some(write) = action.reduction(binding) else { return Ok(()) };
            let effect = Effect::Reduced(action.at.clone());
            match self.write(action, &write, current.as_ref(), effect)? {
                Some(again) => current = again,
                None => return Ok(()),
            }
        }
        self.failed = true;
        Ok(())
    }

    /// As `apply::bindings::grant`.
    fn grant(
        &mut self,
        action: &BindingAction,
        issued: &BTreeMap<UserName, Credential>,
    ) -> Result<(), Crash> {
        let group = |user: &UserName| {
            let id = issued.get(user)?.id.clone();
            Some(CredentialGroup { user: user.clone(), id })
        };
        let subjects = action.subjects(group);
        if !action.is_open(&subjects) {
            return Ok(());
        }
        let mut current = match (&action.observed, &action.reduced) {
            (Some(planned), None) => Some(planned.clone()),
            (Some(_), Some(_)) => match self.ours(action) {
                Some(current) => current,
                None => return Ok(()),
            },
            (None, _) => None,
        };
        for _ in 0..5 {
            let Ok(write) = action.grant(current.as_ref(), &subjects) else { break };
            let Some(write) = write else { return Ok(()) };
            let effect = Effect::Granted(action.at.clone());
            match self.write(action, &write, current.as_ref(), effect)? {
                Some(again) => current = again,
                None => return Ok(()),
            }
        }
        self.failed = true;
        Ok(())
    }

    /// `Some` where it has to be looked at again, with the binding as it is then.
    fn write(
        &mut self,
        action: &BindingAction,
        write: &Write,
        current: Option<&Binding>,
        effect: Effect,
    ) -> Result<Option<Option<Binding>>, Crash> {
        let took = |world: &mut World| {
            let found = world.binding(&action.at).cloned();
            match (write, current, found) {
                (Write::Create(groups), None, None) => {
                    world.put(made(action, groups));
                    true
                }
                (Write::Delete, _, None) => true,
                (Write::Set(_) | Write::Delete, Some(known), Some(found))
                    if known.resource_version == found.resource_version && known.uid == found.uid =>
                {
                    match write {
                        Write::Set(groups) => world.put(Binding { subjects: subjects(groups), ..found }),
                        _ => world.cluster.state.bindings.retain(|binding| binding.at != action.at),
                    }
                    true
                }
                _ => false,
            }
        };
        match self.attempt(Some(&action.at), effect, took)? {
            Came::Done => Ok(None),
            Came::Refused => {
                self.failed = true;
                Ok(None)
            }
            Came::Unclear | Came::Conflict => Ok(self.ours(action)),
        }
    }

    /// As `apply::bindings::ours`: `None`, and a failure, where it is not ours to change.
    fn ours(&mut self, action: &BindingAction) -> Option<Option<Binding>> {
        match self.world.binding(&action.at) {
            Some(binding) if binding.labels != ours() => {
                self.failed = true;
                None
            }
            other => Some(other.cloned()),
        }
    }

    /// Key, request, approval, certificate; `None` where it failed.
    fn issue(&mut self, user: &UserName, issuance: &Issuance) -> Result<Option<Credential>, Crash> {
        let world = &mut *self.world;
        world.serial += 1;
        let serial = world.serial;
        let (id, key) = match &issuance.key {
            KeySource::Made(key) => {
                (CredentialId::of_public_key(&serial.to_be_bytes()), KeySource::Made(*key))
            }
            KeySource::Brought(b) => (b.id.clone(), KeySource::Brought(b.csr_sha256.clone())),
        };
        let group = CredentialGroup { user: user.clone(), id: id.clone() };
        let name = format!("certctl-acme-{serial:08x}");
        let mut asked = request(&name, user.as_str(), &[&group.to_string()]);
        (asked.labels, asked.key) = (ours(), Some(id.clone()));
        asked.requester = world.cluster.identity.clone().unwrap_or_default();
        let ask = |world: &mut World| {
            world.cluster.state.requests.push(asked);
            true
        };
        if !matches!(self.attempt(None, Effect::Asked(user.clone()), ask)?, Came::Done) {
            self.failed = true;
            return Ok(None);
        }
        let sign = |world: &mut World| {
            let requests = &mut world.cluster.state.requests;
            requests
                .iter_mut()
                .filter(|request| request.name == name)
                .for_each(|request| request.issued = true);
            world.signed.push(group);
            true
        };
        if !matches!(self.attempt(None, Effect::Signed(user.clone()), sign)?, Came::Done) {
            self.failed = true;
            return Ok(None);
        }
        let (now, endpoint) = (self.world.now, &self.world.cluster.endpoint);
        // Counted from now, not from the plan.
        let asked_for = issuance
            .not_after_limit
            .map_or(issuance.validity, |limit| issuance.validity.min(now.duration_until(limit)));
        if asked_for < SHORTEST_VALIDITY {
            self.failed = true;
            return Ok(None);
        }
        Ok(Some(Credential {
            id,
            state: State::Active,
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
            certificate_authority_sha256: endpoint.certificate_authority_sha256.clone(),
            sealed_sha256: format!("sealed-{serial}"),
            roster_commit: "0".repeat(40),
            certificate: String::new(),
        }))
    }

    /// Commit and push; whether new credentials may be bound.
    fn record(&mut self, issued: &BTreeMap<UserName, Credential>) -> Result<bool, Crash> {
        let (plan, mut clone) = (self.plan, self.world.repository.clone());
        for (user, actions) in next_record::touched(plan) {
            let current = clone.records.get(user);
            let new = issued.get(user).cloned();
            if let Some(new) = &new {
                clone.sealed.insert(user.clone(), new.sealed_sha256.clone());
            }
            let record = next_record::record(plan, user, current, &actions, new, self.world.now);
            if !next_record::has_kubeconfig(record.as_ref()) {
                clone.sealed.remove(user);
            }
            match record {
                Some(record) => drop(clone.records.insert(user.clone(), record)),
                None => drop(clone.records.remove(user)),
            }
        }
        if plan.pin {
            clone.pinned_uid = Some(plan.uid.clone());
        }
        let of = |repository: &RepositoryState| {
            (repository.records.clone(), repository.sealed.clone(), repository.pinned_uid.clone())
        };
        let (records, sealed, pinned_uid) = of(&clone);
        if of(&self.world.repository) != of(&clone) {
            let commit = |world: &mut World| {
                let repository = &mut world.repository;
                (repository.records, repository.sealed, repository.pinned_uid) =
                    (records, sealed, pinned_uid);
                true
            };
            if !matches!(self.attempt(None, Effect::Committed, commit)?, Came::Done) {
                self.failed = true;
                return Ok(false);
            }
        }
        let Repository { records, sealed, pinned_uid } = self.world.remote.clone();
        if of(&self.world.repository) == (records, sealed, pinned_uid) {
            return Ok(true);
        }
        let push = |world: &mut World| {
            world.push();
            true
        };
        let pushed = matches!(self.attempt(None, Effect::Pushed, push)?, Came::Done);
        self.failed |= !pushed;
        Ok(pushed)
    }
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
    }
}

fn subjects(groups: &[CredentialGroup]) -> Vec<Subject> {
    let groups: BTreeSet<&CredentialGroup> = groups.iter().collect();
    groups.into_iter().map(|group| subject("Group", &group.to_string())).collect()
}
