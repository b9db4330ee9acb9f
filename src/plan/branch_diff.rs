//! What a branch changes: the plan of its roster and records, without what is planned at its base
//! already.
//!
//! A renewal that is due, a binding that drifted or somebody who waits for the next apply is in both
//! plans, and no doing of the branch. Of bindings, who holds what in the end is compared: that is what
//! the two rosters say, also where no cluster was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::{CredentialAction, Verb};
use super::binding_diff::BindingDiff;
use super::changes::{ClusterChanges, Summary, Withdrawn};
use super::cleanup::Cleanup;
use super::full_control::{self, FullControl};
use super::held::Held;
use super::observed::{BindingAt, ClusterView, Observed, Unknown};
use super::outline::{Outline, Side};
use super::residual_access::ForeignBindings;
use super::warning::Warning;
use super::{bindings, branch_bindings, requests, takeover, warnings};
use crate::model::{ClusterName, CredentialId, UserName};
use crate::record::CredentialState;

/// What a branch changes on one cluster. It is compared, and cannot be applied:
///
/// ```compile_fail,E0308
/// use certctl::{apply::Target, plan::BranchDiff};
/// fn target(plan: BranchDiff, target: Target) -> Target {
///     Target { plan, ..target }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct BranchDiff {
    /// The roster's name for it.
    pub name: ClusterName,
    /// Credentials, by user.
    pub people: Vec<CredentialAction>,
    /// Who holds what in the end, by binding.
    pub bindings: Vec<BindingDiff>,
    /// What is left over from earlier.
    pub cleanups: Vec<Cleanup>,
    /// What is held back with the branch, and not at its base.
    pub held: Vec<Held>,
    /// What is held back at the base already.
    pub held_before: Vec<Held>,
    /// What certctl will not change.
    pub warnings: Vec<Warning>,
    /// Who comes to full control.
    pub full_control: Vec<FullControl>,
    /// What was not looked at; empty where the cluster was read.
    pub unknown: BTreeSet<Unknown>,
    /// What is planned at the base, and with this branch is not any more.
    pub withdrawn: Vec<Withdrawn>,
    /// What is planned at the base already, and so not the branch's doing.
    pub pending: Summary,
}

/// What is planned with `head` and not with `base`.
///
/// Neither is checked: the plan of `head` was, and the base may grant roles that are gone.
pub fn between(name: &ClusterName, head: Side<'_>, base: Side<'_>, now: Timestamp) -> BranchDiff {
    let plan = |side: Side<'_>| {
        let outline = Outline::new(side, name, now);
        let cleanups = cleanups(side, &outline, now);
        (outline, cleanups)
    };
    let ((ours, our_cleanups), (theirs, their_cleanups)) = (plan(head), plan(base));
    let people = without(&ours.people.actions, &theirs.people.actions, key);
    let cleanups = without(&our_cleanups, &their_cleanups, Clone::clone);
    let warnings = without(&ours.warnings, &theirs.warnings, Clone::clone);
    let pending = Summary::of(
        &without(&ours.people.actions, &people, key),
        base.observed.state().map_or(0, |state| {
            bindings::diff(&base.roster.name, &theirs.desired, &theirs.held_bindings, state, &theirs.people)
                .len()
        }),
        our_cleanups.len() - cleanups.len(),
        0,
        ours.warnings.len() - warnings.len(),
    );
    let (held_before, held) =
        ours.held.iter().cloned().partition(|held| theirs.held.iter().any(|known| known.is_same(held)));
    let mut asked = takeover::find(name, head, base, &people, now);
    asked.extend(warnings);
    let is_new = |at: &BindingAt| !theirs.desired.subjects.keys().any(|key| key.whole() == *at);
    asked.extend(warnings::newly_matched(&ours.desired, is_new));
    let bindings = branch_bindings::between(&theirs.desired, &ours.desired, &ours.people);
    let state = head.observed.state();
    let foreign =
        state.map(|state| ForeignBindings::new(head.roster, state).gained(&people, head.observed.repository));
    let full_control =
        full_control::gained(state, bindings.iter().cloned(), &people, &foreign.unwrap_or_default());
    BranchDiff {
        name: name.clone(),
        people,
        bindings,
        cleanups,
        held,
        held_before,
        warnings: asked.into_iter().collect(),
        full_control,
        unknown: match head.observed.cluster {
            ClusterView::Seen(_) => BTreeSet::new(),
            ClusterView::Unseen(unseen) => unseen.unknown(),
        },
        withdrawn: withdrawn(&ours.people.actions, &theirs.people.actions, |user| {
            newly_recorded(user, head.observed, base.observed)
        }),
        pending,
    }
}

fn cleanups(side: Side<'_>, outline: &Outline, now: Timestamp) -> Vec<Cleanup> {
    let mut cleanups = outline.people.cleanups.clone();
    if let ClusterView::Seen(cluster) = side.observed.cluster {
        cleanups.extend(requests::leftovers(side.roster, side.observed.repository, cluster, now));
    }
    cleanups.into_iter().collect()
}

impl From<&BranchDiff> for ClusterChanges {
    fn from(diff: &BranchDiff) -> Self {
        let BranchDiff {
            name,
            people,
            bindings,
            cleanups,
            held,
            held_before,
            warnings,
            full_control,
            unknown,
            withdrawn,
            pending: _,
        } = diff;
        Self {
            name: name.clone(),
            uid: None,
            people: people.clone(),
            bindings: bindings.clone(),
            terms: None,
            cleanups: cleanups.clone(),
            held: held.clone(),
            held_before: held_before.clone(),
            warnings: warnings.clone(),
            full_control: full_control.clone(),
            next_renewal: None,
            active: 0,
            losing: BTreeMap::new(),
            unknown: unknown.clone(),
            withdrawn: withdrawn.clone(),
        }
    }
}

/// What one list has and the other has not, in the order of the first.
fn without<T: Clone + PartialEq, K: Ord>(all: &[T], known: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let known: BTreeMap<K, &T> = known.iter().map(|item| (key(item), item)).collect();
    all.iter().filter(|item| known.get(&key(item)) != Some(item)).cloned().collect()
}

fn key(action: &CredentialAction) -> (UserName, Verb, Option<CredentialId>) {
    (action.user().clone(), action.verb(), action.previous().cloned())
}

/// The credentials of someone that may be bound by their record here, and not by that at the base.
fn newly_recorded(user: &UserName, head: Observed<'_>, base: Observed<'_>) -> Vec<CredentialId> {
    let of = |side: Observed<'_>| -> BTreeSet<CredentialId> {
        let credentials =
            side.repository.records.get(user).into_iter().flat_map(|record| &record.credentials);
        credentials.filter(|c| c.state != CredentialState::Revoked).map(|c| c.id.clone()).collect()
    };
    of(head).difference(&of(base)).cloned().collect()
}

/// What is planned at the base alone, and what the branch has `recorded` in place of it. Who is rotated
/// now need not be told that a renewal was due.
fn withdrawn(
    ours: &[CredentialAction],
    theirs: &[CredentialAction],
    recorded: impl Fn(&UserName) -> Vec<CredentialId>,
) -> Vec<Withdrawn> {
    let still: BTreeSet<_> = ours.iter().map(|action| (action.user(), action.verb())).collect();
    let anyone: BTreeSet<_> = ours.iter().map(CredentialAction::user).collect();
    let gone = theirs.iter().filter(|action| {
        let replaced = action.verb() == Verb::Renew && anyone.contains(action.user());
        !still.contains(&(action.user(), action.verb())) && !replaced
    });
    gone.map(|action| Withdrawn { action: action.clone(), recorded: recorded(action.user()) }).collect()
}
