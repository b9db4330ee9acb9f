//! Who holds what by two rosters, whatever the cluster holds now.

use std::collections::{BTreeMap, BTreeSet};

use super::binding_action::BindingAction;
use super::binding_key::{BindingKey, BindingSubject};
use super::change::{Change, ChangeReason};
use super::desired_bindings::Desired;
use super::observed::{Binding, Subject};
use super::people::People;

/// What has to change between two rosters, whatever the cluster holds now. Each is told as if it
/// were never split.
pub fn between(before: &Desired, after: &Desired, people: &People) -> Vec<BindingAction> {
    let nobody = BTreeSet::new();
    let keys: BTreeSet<&BindingKey> = before.subjects.keys().chain(after.subjects.keys()).collect();
    let mut actions: Vec<BindingAction> = keys
        .into_iter()
        .filter_map(|key| {
            let old = before.subjects.get(key).unwrap_or(&nobody);
            let new = after.subjects.get(key).unwrap_or(&nobody);
            (old != new).then(|| BindingAction::from_to(key, old, new, people))
        })
        .collect();
    actions.sort_by(|a, b| a.at.cmp(&b.at));
    actions
}

impl BindingAction {
    fn from_to(
        key: &BindingKey,
        old: &BTreeSet<BindingSubject>,
        new: &BTreeSet<BindingSubject>,
        people: &People,
    ) -> Self {
        let at = key.whole();
        let change = |subject: &BindingSubject, joins, why| Change {
            subject: subject.text(),
            joins,
            user: Some(subject.user().clone()),
            why,
        };
        let leaves = old.difference(new).map(|subject| {
            let leaving = match subject {
                BindingSubject::Recorded(group) => {
                    people.leaving.get(group).cloned().map(ChangeReason::Leaving)
                }
                BindingSubject::Issued(user) => {
                    new.iter().any(|new| new.user() == user).then_some(ChangeReason::NoLongerIssued)
                }
            };
            change(subject, false, leaving.unwrap_or(ChangeReason::NoLongerGranted))
        });
        let joins = new.difference(old).map(|subject| {
            let why = match subject {
                BindingSubject::Issued(_) => ChangeReason::ToBeIssued,
                BindingSubject::Recorded(group)
                    if old.contains(&BindingSubject::Issued(group.user.clone())) =>
                {
                    ChangeReason::InsteadOfIssued
                }
                BindingSubject::Recorded(_) => ChangeReason::NewlyGranted,
            };
            change(subject, true, why)
        });
        let mut changes: Vec<Change> = leaves.chain(joins).collect();
        changes.sort();
        let subject = |subject: &BindingSubject| Subject {
            kind: "Group".into(),
            name: subject.to_string(),
            namespace: None,
        };
        let observed = (!old.is_empty()).then(|| Binding {
            at: at.clone(),
            role_kind: key.role.kind().to_owned(),
            role_name: key.role.name().to_string(),
            subjects: old.iter().map(subject).collect(),
            labels: BTreeMap::new(),
            uid: String::new(),
            resource_version: String::new(),
        });
        Self {
            unsplit: at.clone(),
            at,
            role: Some(key.role.clone()),
            observed,
            desired: new.clone(),
            reduced: None,
            goes_last: false,
            recreate: false,
            changes,
        }
    }
}
