//! What every binding has to hold, against what it holds.
//!
//! Its subjects are the credential groups of everyone who holds it now, so taking one subject out cuts
//! off one certificate. Who is to hold a role through a binding that is held back keeps it through the one that
//! gives it to them now.

use std::collections::{BTreeMap, BTreeSet};

use super::binding_action::{BindingAction, role_in_cluster, same_role, subject_text};
use super::binding_key::{BindingKey, BindingSubject, parts};
use super::change::{Change, ChangeReason};
use super::desired_bindings::Desired;
use super::observed::{self, Binding, BindingAt, ClusterState};
use super::people::People;
use crate::model::{CredentialGroup, Holder, RoleRef, RosterName};

/// What has to change so that our bindings, and only ours, hold what they should. Nobody is added to one
/// that is `held`; who must leave it leaves.
pub(super) fn diff(
    roster: &RosterName,
    desired: &Desired,
    held: &BTreeSet<BindingKey>,
    state: &ClusterState,
    people: &People,
) -> Vec<BindingAction> {
    let mut ours: BTreeMap<&BindingAt, &Binding> =
        state.bindings.iter().filter(|b| observed::is_ours(&b.labels, roster)).map(|b| (&b.at, b)).collect();
    let owed = Owed::new(desired, held);
    let mut actions = Vec::new();
    let mut by_base: BTreeMap<BindingAt, _> = BTreeMap::new();
    for (key, subjects) in &desired.subjects {
        by_base.insert(key.whole(), (key, subjects));
        if held.contains(key) {
            continue;
        }
        let whole = key.whole();
        for (at, part) in parts(key, subjects) {
            let observed = ours.remove(&at);
            let role = Some(key.role.clone());
            let staying = owed.in_binding(observed, role.as_ref());
            let all = subjects | &staying;
            let context = (&all, people, desired.ended.get(&whole));
            let action = BindingAction::new(at, whole.clone(), role, observed, &part | &staying, context);
            actions.extend(action);
        }
    }
    for (at, binding) in ours {
        // A part of what is now split otherwise, one that is held, or a binding that nobody holds any more.
        let base = BindingAt { namespace: at.namespace.clone(), name: at.unsplit_name().to_owned() };
        let nobody = BTreeSet::new();
        let key = by_base.get(&base).filter(|(key, _)| same_role(binding, &key.role));
        let ended = desired.ended.get(&base).or(desired.ended.get(at));
        let (whole, role, subjects) = match key {
            Some((key, subjects)) => (base, Some(key.role.clone()), *subjects),
            None => (at.clone(), role_of(binding), &nobody),
        };
        let stays = key.is_some_and(|(key, _)| held.contains(key));
        let part: BTreeSet<BindingSubject> = if stays {
            credentials(binding).filter(|it| subjects.contains(it)).collect()
        } else {
            BTreeSet::new()
        };
        // What a binding that is held does not hold, no other part will either.
        let (subjects, goes_last) = if stays { (&part, false) } else { (subjects, !subjects.is_empty()) };
        let staying = owed.in_binding(Some(binding), role.as_ref());
        let all = subjects | &staying;
        let context = (&all, people, ended);
        let action = BindingAction::new(at.clone(), whole, role, Some(binding), &part | &staying, context);
        actions.extend(action.map(|action| BindingAction { goes_last, ..action }));
    }
    let named = |at: &BindingAt| by_base.get(at).is_some_and(|(key, _)| !desired.matched.contains(*key));
    for action in &mut actions {
        action.may_vanish = action.at.namespace.is_some() && !named(&action.unsplit);
    }
    actions.sort_by(|a, b| a.at.cmp(&b.at));
    actions
}

/// Whom bindings that are held back do not take in, by namespace and role.
struct Owed<'d>(BTreeMap<(Option<String>, &'d RoleRef), BTreeSet<&'d BindingSubject>>);

impl<'d> Owed<'d> {
    fn new(desired: &'d Desired, held: &BTreeSet<BindingKey>) -> Self {
        let mut owed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (key, subjects) in desired.subjects.iter().filter(|(key, _)| held.contains(key)) {
            owed.entry((key.whole().namespace, &key.role)).or_default().extend(subjects);
        }
        Self(owed)
    }

    /// Those of them who hold the role there through this binding.
    fn in_binding(&self, binding: Option<&Binding>, role: Option<&'d RoleRef>) -> BTreeSet<BindingSubject> {
        let (Some(binding), Some(role)) = (binding, role) else { return BTreeSet::new() };
        let Some(owed) = self.0.get(&(binding.at.namespace.clone(), role)) else { return BTreeSet::new() };
        if !same_role(binding, role) {
            return BTreeSet::new();
        }
        credentials(binding).filter(|subject| owed.contains(subject)).collect()
    }
}

/// The credential groups that it names.
fn credentials(binding: &Binding) -> impl Iterator<Item = BindingSubject> {
    let groups = binding.subjects.iter().filter(|subject| subject.kind == "Group");
    groups.filter_map(|subject| subject.name.parse().ok().map(BindingSubject::Recorded))
}

impl People {
    /// Whether anybody was ever issued this credential, as far as records and ledger tell.
    fn is_ours(&self, group: &CredentialGroup) -> bool {
        self.known.is_empty() || self.known.contains(&group.id) || self.binds(group)
    }
}

fn role_of(binding: &Binding) -> Option<RoleRef> {
    let name = binding.role_name.parse().ok()?;
    Some(if binding.role_kind == "Role" { RoleRef::Role(name) } else { RoleRef::ClusterRole(name) })
}

impl BindingAction {
    /// `part` is what this object has to hold, and `context` whom all its parts hold, decisions about
    /// everyone, and whose time there is over.
    fn new(
        at: BindingAt,
        unsplit: BindingAt,
        role: Option<RoleRef>,
        observed: Option<&Binding>,
        part: BTreeSet<BindingSubject>,
        (all, people, ended): (&BTreeSet<BindingSubject>, &People, Option<&BTreeSet<Holder>>),
    ) -> Option<Self> {
        let recreate = observed.zip(role.as_ref()).is_some_and(|(binding, role)| !same_role(binding, role));
        let mut reduced = BTreeSet::new();
        let mut changes = Vec::new();
        let mut taken_out = false;
        let mut held: BTreeSet<BindingSubject> = BTreeSet::new();
        for subject in observed.map_or(&[][..], |binding| &binding.subjects) {
            let group =
                (subject.kind == "Group").then(|| subject.name.parse::<CredentialGroup>().ok()).flatten();
            let bound = group.clone().map(BindingSubject::Recorded);
            let stays = bound.as_ref().is_some_and(|bound| all.contains(bound)) && !recreate;
            let twice = bound.as_ref().is_some_and(|bound| held.contains(bound));
            if let (true, false, Some(group)) = (stays, twice, &group) {
                reduced.insert(group.clone());
            } else {
                taken_out = true;
            }
            if !part.is_empty()
                && bound.as_ref().is_some_and(|bound| part.contains(bound))
                && !twice
                && !recreate
            {
                held.extend(bound);
                continue;
            }
            let why = match &group {
                _ if twice => ChangeReason::Duplicate,
                _ if recreate => ChangeReason::BindingRecreated,
                Some(_) if stays => ChangeReason::InAnotherPart,
                Some(group) => match people.leaving.get(group) {
                    Some(leaving) => ChangeReason::Leaving(leaving.clone()),
                    None if !people.is_ours(group) => ChangeReason::PutInByHand,
                    None if !people.binds(group) => ChangeReason::NotRecorded,
                    None if ended.is_some_and(|ended| ended.contains(&group.holder)) => {
                        ChangeReason::GrantEnded
                    }
                    None => ChangeReason::NoLongerGranted,
                },
                None => ChangeReason::AddedByHand,
            };
            let holder = group.map(|group| group.holder);
            changes.push(Change { subject: subject_text(subject), joins: false, holder, why });
        }
        if let (true, Some(binding), Some(role)) = (recreate, observed, &role) {
            let change =
                |role, joins, why| Change { subject: format!("roleRef {role}"), joins, holder: None, why };
            changes.push(change(role_in_cluster(binding), false, ChangeReason::RoleRefReplaced));
            changes.push(change(role.to_string(), true, ChangeReason::RoleRefOfRoster));
        }
        for subject in part.difference(&held) {
            let why = match subject {
                BindingSubject::Issued(_) => ChangeReason::ToBeIssued,
                BindingSubject::Recorded(_) => ChangeReason::NotBound,
            };
            changes.push(Change {
                subject: subject.text(),
                joins: true,
                holder: Some(subject.holder()),
                why,
            });
        }
        changes.sort();
        // An object whose subjects were all removed by hand still has to go when nobody holds it.
        let goes = part.is_empty() && observed.is_some();
        (goes || !changes.is_empty()).then(|| Self {
            at,
            unsplit,
            role,
            observed: observed.cloned(),
            desired: part,
            reduced: (taken_out || recreate).then_some(reduced),
            goes_last: false,
            may_vanish: false,
            recreate,
            changes,
        })
    }
}
