//! Whose rights a plan changes, whatever objects it takes: a renewal adds a credential to a binding, and may so split
//! it, without changing anyone's rights.

use std::collections::{BTreeMap, BTreeSet};

use super::action::CredentialAction;
use super::binding_diff::BindingDiff;
use super::change::{Cause, ChangeReason};
use super::observed::BindingAt;
use crate::model::Holder;

/// Who gets the rights of a binding of ours, or of its parts, and who loses them; never nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsChange<'a> {
    /// The binding, before it is split.
    pub at: &'a BindingAt,
    /// Kind and name of the role.
    pub role: &'a str,
    /// Users, or what else is a subject.
    pub joins: BTreeSet<String>,
    /// Users, or what else is a subject.
    pub leaves: BTreeSet<String>,
}

/// All of them, by binding. What others plant is no change.
pub fn changed<'a>(
    bindings: impl IntoIterator<Item = &'a BindingDiff>,
    people: &[CredentialAction],
) -> Vec<RightsChange<'a>> {
    let ended = people.iter().filter(|a| a.new_credential().is_none() && !a.reason().is_roster_driven());
    let ended: BTreeSet<Holder> = ended.map(|action| Holder::of(action.user())).collect();
    let mut whole: BTreeMap<(&BindingAt, &str), Vec<&BindingDiff>> = BTreeMap::new();
    for binding in bindings.into_iter().filter(|binding| binding.is_ours) {
        whole.entry((&binding.unsplit, &*binding.role)).or_default().push(binding);
    }
    let changes = whole.into_iter().map(|((at, role), parts)| {
        let (joins, leaves) = net(&parts, &ended);
        RightsChange { at, role, joins, leaves }
    });
    changes.filter(|change| !change.joins.is_empty() || !change.leaves.is_empty()).collect()
}

/// Who has no credential in a binding before and one after, and the other way round; but not who leaves
/// because their time has `ended`. What somebody put there by hand counts by itself. Whoever comes to
/// hold something always counts: a renewal that is due must not hide a grant.
fn net(parts: &[&BindingDiff], ended: &BTreeSet<Holder>) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut before, mut after, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut joins, mut leaves) = (BTreeSet::new(), BTreeSet::new());
    for part in parts {
        let mut new = BTreeSet::new();
        for change in &part.changes {
            let subject = change.subject.clone();
            match (&change.holder, change.why.cause(), change.joins) {
                (Some(_), _, true) => drop(new.insert(subject)),
                (None, _, true) => drop(joins.insert(subject)),
                (Some(holder), Cause::Roster, false) => {
                    before.insert(holder.clone());
                    taken.insert(holder);
                }
                (Some(holder), Cause::Clock, false) => drop(before.insert(holder.clone())),
                (None, Cause::Drift, false) => {}
                (Some(_), Cause::Drift, false) if change.why == ChangeReason::PutInByHand => {}
                (Some(_), Cause::Drift, false) | (None, _, false) => drop(leaves.insert(subject)),
            }
        }
        for bound in &part.after {
            if !new.contains(&bound.text()) {
                before.insert(bound.holder());
            }
            after.insert(bound.holder());
        }
    }
    let gone = before.difference(&after).filter(|holder| taken.contains(holder) && !ended.contains(*holder));
    leaves.extend(gone.map(ToString::to_string));
    joins.extend(after.difference(&before).map(ToString::to_string));
    (joins, leaves)
}
