//! Who loses all access on a cluster because of roster or records: what the safety limit is about.

use std::collections::BTreeSet;

use super::binding_action::BindingAction;
use super::change::ChangeReason;
use super::desired_bindings::Desired;
use super::observed::RepositoryState;
use crate::model::UserName;
use crate::roster::Roster;

/// Everyone known who is in a binding of ours now and in none after the plan, and no record tells of it:
/// they stay on the roster and lose every grant, or their record is gone. Whose record is gone loses the
/// credential also where they get a new one. What the clock ends does not count, nor what nobody knows.
pub(super) fn of(
    roster: &Roster,
    repository: &RepositoryState,
    desired: &Desired,
    bindings: &[BindingAction],
) -> BTreeSet<UserName> {
    let after: BTreeSet<&UserName> =
        desired.subjects.values().flatten().map(|subject| subject.user()).collect();
    let is_recorded = |user: &UserName| repository.records.contains_key(user);
    let changes = bindings.iter().flat_map(|binding| &binding.changes).filter(|change| !change.joins);
    let gone = changes.filter_map(|change| {
        let user = change.user.as_ref()?;
        let lost = match change.why {
            ChangeReason::NoLongerGranted => !after.contains(user),
            ChangeReason::NotRecorded => !is_recorded(user),
            _ => false,
        };
        (lost && (roster.users.contains_key(user) || is_recorded(user))).then(|| user.clone())
    });
    gone.collect()
}
