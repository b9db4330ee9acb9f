//! What a branch changes: the plan of its roster and records, without what is planned at its base
//! already.
//!
//! A renewal that is due, a binding that drifted or somebody who waits for the next apply is in both
//! plans, and no doing of the branch. Of bindings, who holds what in the end is compared: that is what
//! the two rosters say, also where no cluster was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::{CredentialAction, Verb};
use super::observed::Observed;
use super::{ClusterPlan, Outline, Summary, branch_bindings, takeover};
use crate::model::{CredentialId, UserName};
use crate::record::State;
use crate::render::words;
use crate::roster::Roster;

/// A roster, and what was known when a plan was made of it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Who should have access.
    pub roster: &'a Roster,
    /// Records of the same revision as the roster; the cluster is the same on both sides.
    pub observed: &'a Observed,
}

/// What of `plan`, the plan of `head`, is not planned at `base`; and what both plan, which is no doing
/// of the branch.
///
/// The base is not checked: it may grant roles that are gone.
pub fn against(plan: &ClusterPlan, head: Side<'_>, base: Side<'_>, now: Timestamp) -> (ClusterPlan, Summary) {
    let name = &plan.name;
    let outline = |side: Side<'_>| Outline::new(side.roster, name, side.observed, now);
    let (ours, theirs) = (outline(head), outline(base));
    let bindings = branch_bindings::between(&theirs.desired, &ours.desired, &ours.people);
    let theirs = theirs.into_plan(base.roster, name, base.observed, now);
    let people = without(&plan.people, &theirs.people, key);
    let mut warnings = takeover::find(name, head, base, &people, now);
    warnings.extend(without(&plan.warnings, &theirs.warnings, Clone::clone));
    let changes = ClusterPlan {
        people,
        bindings,
        cleanups: without(&plan.cleanups, &theirs.cleanups, Clone::clone),
        warnings: warnings.into_iter().collect(),
        next_renewal: None,
        withdrawn: withdrawn(plan, &theirs, |user| newly_recorded(user, head.observed, base.observed)),
        ..plan.clone()
    };
    let both = ClusterPlan {
        people: without(&plan.people, &changes.people, key),
        cleanups: without(&plan.cleanups, &changes.cleanups, Clone::clone),
        warnings: without(&plan.warnings, &changes.warnings, Clone::clone),
        ..theirs
    };
    (changes, both.summary())
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
fn newly_recorded(user: &UserName, head: &Observed, base: &Observed) -> Vec<CredentialId> {
    let of = |side: &Observed| -> BTreeSet<CredentialId> {
        let credentials = side.records.get(user).into_iter().flat_map(|record| &record.credentials);
        credentials.filter(|c| c.state != State::Revoked).map(|c| c.id.clone()).collect()
    };
    of(head).difference(&of(base)).cloned().collect()
}

/// What is planned at the base alone, and what the branch has `recorded` in place of it. Who is rotated
/// now need not be told that a renewal was due.
fn withdrawn(
    plan: &ClusterPlan,
    base: &ClusterPlan,
    recorded: impl Fn(&UserName) -> Vec<CredentialId>,
) -> Vec<String> {
    let still: BTreeSet<_> = plan.people.iter().map(|action| (action.user(), action.verb())).collect();
    let anyone: BTreeSet<_> = plan.people.iter().map(CredentialAction::user).collect();
    let gone = base.people.iter().filter(|action| {
        let replaced = action.verb() == Verb::Renew && anyone.contains(action.user());
        !still.contains(&(action.user(), action.verb())) && !replaced
    });
    let told = gone.map(|action| {
        let recorded: String =
            recorded(action.user()).iter().map(|id| format!("; this branch records {id}")).collect();
        format!("{} {} ({}){recorded}", action.verb(), action.user(), words::why(action))
    });
    told.collect()
}
