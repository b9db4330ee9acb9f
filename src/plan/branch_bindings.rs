//! Who holds what by two rosters, whatever the cluster holds now.

use std::collections::BTreeSet;

use super::binding_diff::{BindingDiff, BindingVerb};
use super::binding_key::{BindingKey, BindingSubject};
use super::change::{Change, ChangeReason};
use super::desired_bindings::Desired;
use super::people::People;
use crate::model::Holder;

/// What has to change between two rosters, whatever the cluster holds now. Each is told as if it
/// were never split.
pub(super) fn between(before: &Desired, after: &Desired, people: &People) -> Vec<BindingDiff> {
    let nobody = BTreeSet::new();
    let keys: BTreeSet<&BindingKey> = before.subjects.keys().chain(after.subjects.keys()).collect();
    let mut diffs: Vec<BindingDiff> = keys
        .into_iter()
        .filter_map(|key| {
            let old = before.subjects.get(key).unwrap_or(&nobody);
            let new = after.subjects.get(key).unwrap_or(&nobody);
            (old != new).then(|| from_to(key, old, new, people))
        })
        .collect();
    diffs.sort_by(|a, b| a.at.cmp(&b.at));
    diffs
}

fn from_to(
    key: &BindingKey,
    old: &BTreeSet<BindingSubject>,
    new: &BTreeSet<BindingSubject>,
    people: &People,
) -> BindingDiff {
    let at = key.whole();
    let change = |subject: &BindingSubject, joins, why| Change {
        subject: subject.text(),
        joins,
        holder: Some(subject.holder()),
        why,
    };
    let leaves = old.difference(new).map(|subject| {
        let leaving = match subject {
            BindingSubject::Recorded(group) => people.leaving.get(group).cloned().map(ChangeReason::Leaving),
            BindingSubject::Issued(user) => {
                new.iter().any(|new| new.holder() == Holder::of(user)).then_some(ChangeReason::NoLongerIssued)
            }
        };
        change(subject, false, leaving.unwrap_or(ChangeReason::NoLongerGranted))
    });
    let issued = |subject: &BindingSubject| match subject {
        BindingSubject::Issued(user) => Some(Holder::of(user)),
        BindingSubject::Recorded(_) => None,
    };
    let issued: BTreeSet<Holder> = old.iter().filter_map(issued).collect();
    let joins = new.difference(old).map(|subject| {
        let why = match subject {
            BindingSubject::Issued(_) => ChangeReason::ToBeIssued,
            BindingSubject::Recorded(group) if issued.contains(&group.holder) => {
                ChangeReason::InsteadOfIssued
            }
            BindingSubject::Recorded(_) => ChangeReason::NewlyGranted,
        };
        change(subject, true, why)
    });
    let mut changes: Vec<Change> = leaves.chain(joins).collect();
    changes.sort();
    let verb = match (old.is_empty(), new.is_empty()) {
        (_, true) => BindingVerb::Unbind,
        (true, false) => BindingVerb::Bind,
        (false, false) => BindingVerb::Update,
    };
    BindingDiff {
        is_ours: true,
        unsplit: at.clone(),
        at,
        verb,
        role: key.role.to_string(),
        replaced_role: None,
        before: old.iter().map(BindingSubject::text).collect(),
        after: new.clone(),
        changes,
    }
}
