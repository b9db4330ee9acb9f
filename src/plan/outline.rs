//! The plan of one cluster: what roster and records come to, and what that asks of the cluster.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::binding_action::BindingAction;
use super::binding_key::BindingKey;
use super::bindings;
use super::check::{self, Refusal};
use super::cluster_plan::{ClusterPlan, OfflinePlan};
use super::desired_bindings::{self, Desired};
use super::endpoint::{Endpoint, PublishedEndpoint};
use super::full_control;
use super::held::Held;
use super::losses;
use super::observed::{BindingAt, Observed, RepositoryState, SeenCluster, SeenLedger, UnseenCluster};
use super::people::{self, People};
use super::remembered::{self, Remembered};
use super::requests;
use super::residual_access::ForeignBindings;
use super::shared_keys;
use super::strays;
use super::terms::Terms;
use super::warning::Warning;
use super::warnings;
use crate::model::ClusterName;
use crate::record::ClusterPin;
use crate::roster::Roster;

/// A roster, and what is known of a cluster that it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Who should have access.
    pub roster: &'a Roster,
    /// What is known. The records are those of the same revision as the roster.
    pub observed: Observed<'a>,
}

/// Plans one cluster that was read.
///
/// # Errors
/// It is not the cluster that the records are about, or not theirs to change.
pub fn plan(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    now: Timestamp,
) -> Result<ClusterPlan, Refusal> {
    check::identity(repository.pinned_uid.as_deref(), &cluster.state.uid)?;
    check::owner(repository, &cluster.ledger)?;
    let observed = Observed::seen(repository, cluster);
    let Outline { people, desired, held, held_bindings, mut warnings } =
        Outline::new(Side { roster, observed }, name, now);
    let bindings = bindings::diff(&roster.name, &desired, &held_bindings, &cluster.state, &people);
    let is_new =
        |at: &BindingAt| bindings.iter().any(|action| action.unsplit == *at && action.observed.is_none());
    warnings.extend(warnings::newly_matched(&desired, is_new));
    let strays = strays::find(&roster.name, repository, cluster, &people, &held);
    let losing = losses::of(roster, repository, &desired, &people.actions, &bindings, cluster.ledger.known());
    let foreign = ForeignBindings::new(roster, &cluster.state).gained(&people.actions, repository);
    let diffs = bindings.iter().map(BindingAction::diff);
    let full_control = full_control::gained(Some(&cluster.state), diffs, &people.actions, &foreign);
    let mut cleanups = people.cleanups;
    cleanups.extend(requests::leftovers(roster, repository, cluster, now));
    Ok(ClusterPlan {
        name: name.clone(),
        uid: cluster.state.uid.clone(),
        pin: pin(roster, name, repository, cluster),
        people: people.actions,
        bindings,
        terms: Terms::new(roster, name, observed),
        strays,
        cleanups: cleanups.into_iter().collect(),
        held,
        warnings,
        full_control,
        next_renewal: people.next_renewal,
        // Who has access without a record is one of those that the limit is a share of.
        active: people.active + losing.keys().filter(|user| !repository.records.contains_key(*user)).count(),
        losing,
        ledger: remembered::to_remember(roster, name, repository, cluster, now),
        only_cuts_off: false,
    })
}

/// The pin, where it does not say what it should: the identity of the first apply, and where the kubeconfigs
/// of the last one lead.
fn pin(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &SeenCluster,
) -> Option<ClusterPin> {
    let PublishedEndpoint { endpoint, refused, passed_over: _ } = &cluster.published;
    let publishes = refused.is_none();
    let endpoint = if publishes { Some(endpoint) } else { repository.pinned_endpoint.as_ref() };
    // Of a ledger that cannot be read, nobody knows whose it is.
    let unknown = matches!(cluster.ledger, SeenLedger::Unusable { .. });
    let identified = repository.pinned_uid.is_some() && (repository.roster_id.is_some() || unknown);
    let kept = identified && repository.pinned_endpoint.as_ref() == endpoint;
    (!kept).then(|| ClusterPin {
        branch: repository.branch.clone(),
        roster_id: repository.roster_id.clone(),
        endpoint: endpoint.map(Endpoint::to_pin),
        ..ClusterPin::new(name.clone(), cluster.state.uid.clone(), roster.name.clone())
    })
}

/// Plans what roster and records alone decide of a cluster that was not read.
pub fn plan_offline(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &UnseenCluster,
    now: Timestamp,
) -> OfflinePlan {
    let observed = Observed::unseen(repository, cluster);
    let Outline { people, desired: _, held, held_bindings: _, warnings } =
        Outline::new(Side { roster, observed }, name, now);
    OfflinePlan {
        name: name.clone(),
        pinned_uid: repository.pinned_uid.clone(),
        losing: losses::of_records(roster, &people.actions),
        people: people.actions,
        terms: Terms::new(roster, name, observed),
        cleanups: people.cleanups.into_iter().collect(),
        held,
        warnings,
        next_renewal: people.next_renewal,
        active: people.active,
        unknown: cluster.unknown(),
    }
}

/// What roster and records come to on one cluster, and what of it cannot be done there.
pub(super) struct Outline {
    pub(super) people: People,
    pub(super) desired: Desired,
    /// What is held back, in the order of the roster.
    pub(super) held: Vec<Held>,
    /// The bindings that nobody may be added to.
    pub(super) held_bindings: BTreeSet<BindingKey>,
    pub(super) warnings: Vec<Warning>,
}

impl Outline {
    pub(super) fn new(side: Side<'_>, name: &ClusterName, now: Timestamp) -> Self {
        let Side { roster, observed } = side;
        let remembered = Remembered::new(roster, name, observed, now);
        let observed = Observed { repository: &remembered.repository, ..observed };
        let foreign = observed.state().map(|state| ForeignBindings::new(roster, state));
        let mut held: Vec<Held> = observed.repository.refused_files.iter().cloned().map(Held::File).collect();
        held.extend(check::keys(roster, name, observed.repository, now));
        held.extend(check::endpoint(roster, name, observed));
        held.extend(check::clock(roster, name, observed));
        held.extend(remembered.held.iter().cloned());
        let refused = match remembered.is_known {
            true => held.iter().filter_map(Held::user).cloned().collect(),
            false => roster.users.keys().cloned().collect(),
        };
        let kept_out: BTreeSet<_> = remembered.kept_out.keys().cloned().collect();
        let mut people = people::plan(roster, name, observed, foreign.as_ref(), (&refused, &kept_out), now);
        people.cleanups.extend(remembered.cleanups());
        if let Some(ledger) = observed.ledger().and_then(SeenLedger::known) {
            people.known = ledger.issued.keys().chain(ledger.revoked.keys()).cloned().collect();
        }
        let desired = desired_bindings::desired(roster, name, observed.state(), &people, now);
        let (references, mut held_bindings) =
            observed.state().map(|state| check::references(roster, state, &desired)).unwrap_or_default();
        held.extend(references);
        if !remembered.is_known {
            held_bindings.extend(desired.subjects.keys().cloned());
        }
        let mut warnings = warnings::find(roster, name, observed, &people, foreign.as_ref(), now);
        warnings.extend(remembered.warnings());
        warnings.extend(warnings::unmatched(&desired));
        warnings.extend(shared_keys::find(roster, name, observed.repository, &kept_out, now));
        Self { people, desired, held, held_bindings, warnings }
    }
}
