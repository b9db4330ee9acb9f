//! What every binding has to hold, against what it holds.
//!
//! One binding per (group or user, role, namespace). Its subjects are the credential groups of
//! everyone who holds it now, so taking one subject out cuts off one certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::observed::{self, Binding, BindingAt, ClusterState, Subject};
use super::people::{Leaving, People, lasts};
use crate::error::visible_line;
use crate::model::{
    ClusterName, CredentialGroup, GroupName, Namespace, Position, RoleRef, RosterName, UserName,
};
use crate::roster::{Grant, Roster};

/// Past this many subjects a binding is split: 500 subjects are about 50 kB, small enough to read,
/// diff and write at once, and far below etcd's limit of 1.5 MB an object.
pub const MOST_SUBJECTS: usize = 500;

/// Who a grant was given to in the roster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// Members of a group.
    Group(GroupName),
    /// One person.
    User(UserName),
}

/// What makes a binding one binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// In which namespace; `None` is cluster-wide.
    pub namespace: Option<Namespace>,
    /// Who it was given to.
    pub grantee: Grantee,
    /// Which role.
    pub role: RoleRef,
}

impl Slot {
    /// The binding's name, before a suffix for its part. Whatever makes `roleRef` differ is in it,
    /// because `roleRef` is immutable. Unambiguous: no group is called `user=...`, since `=` is in
    /// no name, and no role `role=...`, since that is refused in the roster.
    fn base_name(&self) -> String {
        let grantee = match &self.grantee {
            Grantee::Group(group) => group.to_string(),
            Grantee::User(user) => format!("user={user}"),
        };
        match &self.role {
            RoleRef::ClusterRole(role) => format!("certctl:{grantee}:{role}"),
            RoleRef::Role(role) => format!("certctl:{grantee}:role={role}"),
        }
    }

    /// Where its binding is, as long as it is not split.
    fn whole(&self) -> BindingAt {
        BindingAt { namespace: self.namespace.as_ref().map(ToString::to_string), name: self.base_name() }
    }
}

/// One subject: a certificate that exists, or the one that this plan issues to someone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A recorded credential.
    Recorded(CredentialGroup),
    /// The credential that this plan issues to this person.
    Issued(UserName),
}

impl Holder {
    /// Whose it is.
    pub fn user(&self) -> &UserName {
        match self {
            Self::Recorded(group) => &group.user,
            Self::Issued(user) => user,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded(group) => group.fmt(f),
            Self::Issued(user) => write!(f, "certctl:{user}:(to be issued)"),
        }
    }
}

/// Everything that should be bound.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Who holds each slot; never empty.
    pub holders: BTreeMap<Slot, BTreeSet<Holder>>,
    /// Where the roster says so, for errors.
    pub positions: BTreeMap<Slot, Position>,
    /// Whose membership or grant is over, by the binding that it was bound in while that is not split.
    pub ended: BTreeMap<BindingAt, BTreeSet<UserName>>,
}

/// One binding that has to change.
#[derive(Debug, Clone)]
pub struct BindingAction {
    /// Where.
    pub at: BindingAt,
    /// The name that its slot has while it is not split: what it is told by where parts do not count.
    pub slot: BindingAt,
    /// What it binds to; `None` where it has to go, and binds to something that no roster can name.
    pub role: Option<RoleRef>,
    /// As it is; `None` where it has to be created.
    pub observed: Option<Binding>,
    /// Who it has to hold in the end; empty where it has to go.
    pub desired: BTreeSet<Holder>,
    /// Of those who may stay bound to this role, the ones that it holds now: what it is reduced to
    /// before anything is issued. `None` where nothing has to be taken out.
    pub reduced: Option<BTreeSet<CredentialGroup>>,
    /// It goes only after others hold what it holds: its slot was split anew.
    pub goes_last: bool,
    /// Its `roleRef` is not ours to keep: it is deleted first and created again.
    pub recreate: bool,
    /// Each subject that comes or goes, and why; sorted.
    pub changes: Vec<Change>,
}

/// A line of a binding's diff.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// As it is or will be written.
    pub subject: String,
    /// Comes, or goes.
    pub joins: bool,
    /// Whose credential it is, where it is one.
    pub user: Option<UserName>,
    /// What is behind it.
    pub cause: Cause,
    /// Half a sentence.
    pub why: String,
}

/// What makes a subject come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Roster and records, which say who holds the slot.
    Roster,
    /// The credential has expired, or the `until` of the membership or grant has passed.
    Clock,
    /// Somebody changed the object.
    Drift,
}

/// What happens to a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingVerb {
    /// Created.
    Bind,
    /// Changed.
    Update,
    /// Deleted.
    Unbind,
}

impl fmt::Display for BindingVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bind => "bind",
            Self::Update => "update",
            Self::Unbind => "unbind",
        })
    }
}

impl BindingAction {
    /// What happens to it.
    pub fn verb(&self) -> BindingVerb {
        match (&self.observed, self.desired.is_empty()) {
            (_, true) => BindingVerb::Unbind,
            (None, false) => BindingVerb::Bind,
            (Some(_), false) => BindingVerb::Update,
        }
    }

    /// The role, in words: `ClusterRole view`.
    pub fn role_text(&self) -> String {
        match (&self.role, &self.observed) {
            (Some(role), _) => format!("{} {}", role.kind(), role.name()),
            (None, Some(binding)) => role_in_cluster(binding),
            (None, None) => String::new(),
        }
    }

    /// Subjects before and after as a unified diff that shows only what changes.
    pub fn diff(&self) -> String {
        let line = |subject: &str| format!("- {subject}\n");
        let role = |role: &str| if self.recreate { format!("roleRef: {role}\n") } else { String::new() };
        let held = self.observed.iter().flat_map(|binding| &binding.subjects);
        let before = role(&self.observed.as_ref().map_or(String::new(), role_in_cluster))
            + &held.map(|subject| line(&subject_text(subject))).collect::<String>();
        let mut after: BTreeSet<String> = self.desired.iter().map(|h| line(&holder_text(h))).collect();
        // What stays keeps its place, so that an unsorted object does not read as changed.
        let mut text = role(&self.role_text());
        for subject in self.observed.iter().flat_map(|b| &b.subjects) {
            let subject = line(&subject_text(subject));
            if after.remove(&subject) {
                text.push_str(&subject);
            }
        }
        text.extend(after);
        similar::TextDiff::from_lines(&before, &text)
            .unified_diff()
            .context_radius(1)
            .header(&format!("{} in the cluster", self.at), "by the roster")
            .to_string()
    }
}

/// As the subject that is written.
pub(super) fn holder_text(holder: &Holder) -> String {
    format!("Group {holder}")
}

/// On one line, whatever is in it: a name must not forge a line of a diff.
fn subject_text(subject: &Subject) -> String {
    visible_line(&match &subject.namespace {
        Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
        None => format!("{} {}", subject.kind, subject.name),
    })
}

fn role_in_cluster(binding: &Binding) -> String {
    visible_line(&format!("{} {}", binding.role_kind, binding.role_name))
}

/// Who should hold what on this cluster after the plan.
pub fn desired(roster: &Roster, cluster: &ClusterName, people: &People, now: Timestamp) -> Desired {
    let mut desired = Desired::default();
    for (name, user) in &roster.users {
        if !user.clusters.contains(cluster) || !lasts(user.until, now) {
            continue;
        }
        let mut holders: BTreeSet<Holder> = people
            .bound
            .get(name)
            .into_iter()
            .flatten()
            .map(|id| Holder::Recorded(CredentialGroup { user: name.clone(), id: id.clone() }))
            .collect();
        if people.issued.contains(name) && !people.same_group.contains(name) {
            holders.insert(Holder::Issued(name.clone()));
        }
        if holders.is_empty() {
            continue;
        }
        let personal = user.grants.iter().map(|grant| (Grantee::User(name.clone()), None, grant));
        let groups =
            user.groups.iter().filter_map(|(group, until)| Some((group, *until, roster.groups.get(group)?)));
        let shared = groups.flat_map(|(name, until, group)| {
            group.grants.iter().map(move |grant| (Grantee::Group(name.clone()), until, grant))
        });
        for (grantee, membership, grant) in personal.chain(shared) {
            if lasts(membership, now) && lasts(grant.until, now) {
                desired.give(&grantee, grant, &holders);
            } else {
                desired.end(&grantee, grant, name);
            }
        }
    }
    desired
}

impl Desired {
    fn give(&mut self, grantee: &Grantee, grant: &Grant, holders: &BTreeSet<Holder>) {
        for (slot, position) in slots(grantee, grant) {
            self.positions.entry(slot.clone()).or_insert(position);
            self.holders.entry(slot).or_default().extend(holders.iter().cloned());
        }
    }

    fn end(&mut self, grantee: &Grantee, grant: &Grant, user: &UserName) {
        for (slot, _) in slots(grantee, grant) {
            self.ended.entry(slot.whole()).or_default().insert(user.clone());
        }
    }
}

/// What one grant comes to, and where the roster says so.
fn slots(grantee: &Grantee, grant: &Grant) -> Vec<(Slot, Position)> {
    let slot = |namespace| Slot { namespace, grantee: grantee.clone(), role: grant.role.clone() };
    match &grant.namespaces {
        None => vec![(slot(None), grant.position)],
        Some(namespaces) => {
            namespaces.iter().map(|(name, position)| (slot(Some(name.clone())), *position)).collect()
        }
    }
}

/// The bindings of a slot: one, or as many as keep each within [`MOST_SUBJECTS`].
fn parts(slot: &Slot, holders: &BTreeSet<Holder>) -> Vec<(BindingAt, BTreeSet<Holder>)> {
    let at = |name| BindingAt { namespace: slot.namespace.as_ref().map(|n| n.to_string()), name };
    let base = slot.base_name();
    if holders.len() <= MOST_SUBJECTS {
        return vec![(at(base), holders.clone())];
    }
    // By a hash of the person, not of the credential, so that a renewal stays in its binding. The
    // count is a power of two and the part a prefix of the hash: growth splits a part in two.
    let mut count = (holders.len() / MOST_SUBJECTS).next_power_of_two().max(2);
    loop {
        let mut parts = vec![BTreeSet::new(); count];
        for holder in holders {
            let hash = crate::model::sha256(holder.user().as_str().as_bytes());
            let hash = usize::from(u16::from_be_bytes([hash[0], hash[1]]));
            parts[(hash * count) >> 16].insert(holder.clone());
        }
        if count == 1 << 16 || parts.iter().all(|part| part.len() <= MOST_SUBJECTS) {
            let named = parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
            return named.map(|(i, part)| (at(format!("{base}~{}of{count}", i + 1)), part)).collect();
        }
        count *= 2;
    }
}

/// The names of all bindings that we would make, for finding foreign objects under them.
pub fn names(desired: &Desired) -> BTreeMap<BindingAt, &Slot> {
    let slots = desired.holders.iter();
    slots
        .flat_map(|(slot, holders)| parts(slot, holders).into_iter().map(move |(at, _)| (at, slot)))
        .collect()
}

/// What has to change so that our bindings, and only ours, hold what they should.
pub fn diff(
    roster: &RosterName,
    desired: &Desired,
    state: &ClusterState,
    people: &People,
) -> Vec<BindingAction> {
    let mut ours: BTreeMap<&BindingAt, &Binding> =
        state.bindings.iter().filter(|b| observed::is_ours(&b.labels, roster)).map(|b| (&b.at, b)).collect();
    let mut actions = Vec::new();
    let mut by_base: BTreeMap<BindingAt, (&Slot, &BTreeSet<Holder>)> = BTreeMap::new();
    for (slot, holders) in &desired.holders {
        by_base.insert(slot.whole(), (slot, holders));
        let whole = slot.whole();
        for (at, part) in parts(slot, holders) {
            let observed = ours.remove(&at);
            let role = Some(slot.role.clone());
            let context = (holders, people, desired.ended.get(&whole));
            let action = BindingAction::new(at, whole.clone(), role, observed, part, context);
            actions.extend(action);
        }
    }
    for (at, binding) in ours {
        // A part of a slot that is now split otherwise, or a binding that nobody holds any more.
        let base = at.name.rsplit_once('~').map_or(at.name.as_str(), |(base, _)| base);
        let base = BindingAt { namespace: at.namespace.clone(), name: base.to_owned() };
        let nobody = BTreeSet::new();
        let slot = by_base.get(&base).filter(|(slot, _)| same_role(binding, &slot.role));
        let ended = desired.ended.get(&base).or(desired.ended.get(at));
        let (whole, role, holders) = match slot {
            Some((slot, holders)) => (base, Some(slot.role.clone()), *holders),
            None => (at.clone(), role_of(binding), &nobody),
        };
        let part = BTreeSet::new();
        let context = (holders, people, ended);
        let action = BindingAction::new(at.clone(), whole, role, Some(binding), part, context);
        actions.extend(action.map(|action| BindingAction { goes_last: !holders.is_empty(), ..action }));
    }
    actions.sort_by(|a, b| a.at.cmp(&b.at));
    actions
}

pub(super) fn same_role(binding: &Binding, role: &RoleRef) -> bool {
    binding.role_kind == role.kind() && binding.role_name == role.name().as_str()
}

fn role_of(binding: &Binding) -> Option<RoleRef> {
    let name = binding.role_name.parse().ok()?;
    Some(if binding.role_kind == "Role" { RoleRef::Role(name) } else { RoleRef::ClusterRole(name) })
}

impl BindingAction {
    /// `part` is what this object has to hold, and `context` all who hold its slot, decisions about
    /// everyone, and whose time in the slot is over.
    fn new(
        at: BindingAt,
        slot: BindingAt,
        role: Option<RoleRef>,
        observed: Option<&Binding>,
        part: BTreeSet<Holder>,
        (holders, people, ended): (&BTreeSet<Holder>, &People, Option<&BTreeSet<UserName>>),
    ) -> Option<Self> {
        let recreate = observed.zip(role.as_ref()).is_some_and(|(binding, role)| !same_role(binding, role));
        let mut reduced = BTreeSet::new();
        let mut changes = Vec::new();
        let mut taken_out = false;
        let mut held: BTreeSet<Holder> = BTreeSet::new();
        for subject in observed.map_or(&[][..], |binding| &binding.subjects) {
            let group =
                (subject.kind == "Group").then(|| subject.name.parse::<CredentialGroup>().ok()).flatten();
            let holder = group.clone().map(Holder::Recorded);
            let stays = holder.as_ref().is_some_and(|holder| holders.contains(holder)) && !recreate;
            let twice = holder.as_ref().is_some_and(|holder| held.contains(holder));
            if let (true, false, Some(group)) = (stays, twice, &group) {
                reduced.insert(group.clone());
            } else {
                taken_out = true;
            }
            if !part.is_empty() && holder.as_ref().is_some_and(|h| part.contains(h)) && !twice && !recreate {
                held.extend(holder);
                continue;
            }
            let (cause, why) = match &group {
                _ if twice => (Cause::Drift, "it is there twice"),
                _ if recreate => {
                    (Cause::Roster, "the binding is made again, because its roleRef was changed")
                }
                Some(_) if stays => (Cause::Roster, "it is bound by another part"),
                Some(group) => match people.leaving.get(group) {
                    Some(leaving) => leaving.why(),
                    None if !people.bound.get(&group.user).is_some_and(|ids| ids.contains(&group.id)) => {
                        (Cause::Drift, "no record knows it")
                    }
                    None if ended.is_some_and(|ended| ended.contains(&group.user)) => {
                        (Cause::Clock, "its `until` has passed")
                    }
                    None => (Cause::Roster, "no longer granted"),
                },
                None => (Cause::Drift, "added by hand; certctl binds only credential groups"),
            };
            changes.push(Change {
                subject: subject_text(subject),
                joins: false,
                user: group.map(|g| g.user),
                cause,
                why: why.to_owned(),
            });
        }
        if let (true, Some(binding), Some(role)) = (recreate, observed, &role) {
            let change = |role: String, joins, why: &str| Change {
                subject: format!("roleRef {role}"),
                joins,
                user: None,
                cause: Cause::Drift,
                why: why.to_owned(),
            };
            changes.push(change(role_in_cluster(binding), false, "it cannot be changed in place"));
            changes.push(change(format!("{} {}", role.kind(), role.name()), true, "as the roster says"));
        }
        for holder in part.difference(&held) {
            let why = match holder {
                Holder::Issued(_) => "once it is issued and recorded",
                Holder::Recorded(_) => "recorded, and not bound",
            };
            changes.push(Change {
                subject: holder_text(holder),
                joins: true,
                user: Some(holder.user().clone()),
                cause: Cause::Roster,
                why: why.to_owned(),
            });
        }
        changes.sort();
        // An object whose subjects were all removed by hand still has to go when nobody holds it.
        let goes = part.is_empty() && observed.is_some();
        (goes || !changes.is_empty()).then(|| Self {
            at,
            slot,
            role,
            observed: observed.cloned(),
            desired: part,
            reduced: (taken_out || recreate).then_some(reduced),
            goes_last: false,
            recreate,
            changes,
        })
    }
}

/// What has to change between two rosters, whatever the cluster holds now. Slots are told as if they
/// were never split.
pub fn between(before: &Desired, after: &Desired, people: &People) -> Vec<BindingAction> {
    let nobody = BTreeSet::new();
    let slots: BTreeSet<&Slot> = before.holders.keys().chain(after.holders.keys()).collect();
    let mut actions: Vec<BindingAction> = slots
        .into_iter()
        .filter_map(|slot| {
            let old = before.holders.get(slot).unwrap_or(&nobody);
            let new = after.holders.get(slot).unwrap_or(&nobody);
            (old != new).then(|| BindingAction::from_to(slot, old, new, people))
        })
        .collect();
    actions.sort_by(|a, b| a.at.cmp(&b.at));
    actions
}

impl BindingAction {
    fn from_to(slot: &Slot, old: &BTreeSet<Holder>, new: &BTreeSet<Holder>, people: &People) -> Self {
        let at = slot.whole();
        let change = |holder: &Holder, joins, (cause, why): (Cause, &str)| Change {
            subject: holder_text(holder),
            joins,
            user: Some(holder.user().clone()),
            cause,
            why: why.to_owned(),
        };
        let leaving = |holder: &Holder| match holder {
            Holder::Recorded(group) => people.leaving.get(group).map(Leaving::why),
            Holder::Issued(user) => {
                let recorded = new.iter().any(|new| new.user() == user);
                recorded.then_some((Cause::Roster, "no longer to be issued"))
            }
        };
        let leaves = old.difference(new).map(|holder| {
            change(holder, false, leaving(holder).unwrap_or((Cause::Roster, "no longer granted")))
        });
        let joins = new.difference(old).map(|holder| {
            let why = match holder {
                Holder::Issued(_) => "once it is issued and recorded",
                Holder::Recorded(group) if old.contains(&Holder::Issued(group.user.clone())) => {
                    "instead of the one that was to be issued"
                }
                Holder::Recorded(_) => "newly granted",
            };
            change(holder, true, (Cause::Roster, why))
        });
        let mut changes: Vec<Change> = leaves.chain(joins).collect();
        changes.sort();
        let subject =
            |holder: &Holder| Subject { kind: "Group".into(), name: holder.to_string(), namespace: None };
        let observed = (!old.is_empty()).then(|| Binding {
            at: at.clone(),
            role_kind: slot.role.kind().to_owned(),
            role_name: slot.role.name().to_string(),
            subjects: old.iter().map(subject).collect(),
            labels: BTreeMap::new(),
            uid: String::new(),
            resource_version: String::new(),
        });
        Self {
            slot: at.clone(),
            at,
            role: Some(slot.role.clone()),
            observed,
            desired: new.clone(),
            reduced: None,
            goes_last: false,
            recreate: false,
            changes,
        }
    }
}
