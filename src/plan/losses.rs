//! Who loses all access on a cluster because of roster or records: what the safety limit is about.

use std::collections::{BTreeMap, BTreeSet};

use super::action::CredentialAction;
use super::binding_action::BindingAction;
use super::change::ChangeReason;
use super::desired_bindings::Desired;
use super::observed::RepositoryState;
use crate::ledger::Ledger;
use crate::model::{Holder, Position, UserName};
use crate::roster::Roster;

/// Somebody who loses all access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Whether the roster protects them, or did when their credential was issued.
    pub protected: bool,
    /// Where the roster names them, if it still does.
    pub at: Option<Position>,
}

/// Everyone known who is in a binding of ours now and in none after the plan: they left the roster, or stay
/// on it and lose every grant, or their record is gone. Whose record is gone loses the credential also where
/// they get a new one. A group in the certificate counts as a binding: it gives access until then, and is
/// not renewed. What the clock ends does not count, nor a rotation, nor a credential of nobody who is known.
pub(super) fn of(
    roster: &Roster,
    repository: &RepositoryState,
    desired: &Desired,
    people: &[CredentialAction],
    bindings: &[BindingAction],
    ledger: Option<&Ledger>,
) -> BTreeMap<UserName, Loss> {
    let after: BTreeSet<Holder> =
        desired.subjects.values().flatten().map(|subject| subject.holder()).collect();
    let changes = bindings
        .iter()
        .flat_map(|binding| binding.changes.iter().map(move |change| (&binding.unsplit, change)))
        .filter(|(_, change)| !change.joins);
    let unbound = changes.filter_map(|(binding, change)| {
        let holder = change.holder.as_ref()?;
        let listed = holder.find_in(&roster.users).map(|(user, _)| user);
        let recorded = holder.find_in(&repository.records).map(|(user, _)| user);
        let lost = match &change.why {
            // Where the namespace does not fit any more, the roster has taken nothing.
            ChangeReason::NoLongerGranted => {
                !after.contains(holder) && !desired.holds_elsewhere(binding, holder)
            }
            ChangeReason::NotRecorded => recorded.is_none() && !change.is_revoked_in(ledger),
            _ => change.takes_all_access(),
        };
        let user = listed.or(recorded).cloned();
        let issued = || change.is_issued_in(ledger).then(|| holder.name());
        user.or_else(issued).filter(|_| lost)
    });
    let with_groups = revoked(people).filter(|(user, _)| {
        let record = repository.records.get(*user);
        record.is_some_and(|record| record.credentials.iter().any(|c| !c.in_certificate_groups.is_empty()))
    });
    let lost: BTreeSet<UserName> = unbound.chain(with_groups.map(|(user, _)| user.clone())).collect();
    let recorded_as_protected =
        |user: &UserName| revoked(people).any(|(revoked, protected)| revoked == user && protected);
    let loss_of = |user: &UserName| loss(roster, user, recorded_as_protected(user));
    lost.into_iter().map(|user| (user.clone(), loss_of(&user))).collect()
}

/// The same, as far as roster and records tell it: whose credential is revoked by name.
pub(super) fn of_records(roster: &Roster, people: &[CredentialAction]) -> BTreeMap<UserName, Loss> {
    revoked(people).map(|(user, protected)| (user.clone(), loss(roster, user, protected))).collect()
}

/// Whoever the roster takes all access from, and whether their record says that it protected them.
fn revoked(people: &[CredentialAction]) -> impl Iterator<Item = (&UserName, bool)> {
    people.iter().filter_map(|action| match action {
        CredentialAction::Revoke { user, reason, cut_off: _, protected } if reason.takes_all_access() => {
            Some((user, *protected))
        }
        _ => None,
    })
}

/// Who is gone from the roster is protected by what their record remembers of it.
fn loss(roster: &Roster, user: &UserName, recorded_as_protected: bool) -> Loss {
    match roster.users.get(user) {
        Some(user) => Loss { protected: user.protected, at: Some(user.position) },
        None => Loss { protected: recorded_as_protected, at: None },
    }
}
