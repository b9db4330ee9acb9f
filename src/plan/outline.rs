//! The plan of one cluster: what roster and records come to, and what that asks of the cluster.

use jiff::Timestamp;

use super::bindings;
use super::check::{self, Fault};
use super::cluster_plan::{ClusterPlan, OfflinePlan};
use super::desired_bindings::{self, Desired};
use super::observed::{Observed, RepositoryState, SeenCluster, UnseenCluster};
use super::people::{self, People};
use super::requests;
use super::residual_access::ForeignBindings;
use super::warning::Warning;
use super::warnings;
use crate::model::ClusterName;
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
/// Everything that [`check`] finds: nothing is planned on a cluster that is not the pinned one, that
/// lacks a role or namespace which the roster grants, or that holds someone else's object under a
/// name we need.
pub fn plan(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    now: Timestamp,
) -> Result<ClusterPlan, Vec<Fault>> {
    let pinned = repository.pinned_uid.as_deref();
    check::identity(pinned, &cluster.state.uid).map_err(|fault| vec![fault])?;
    found(check::keys(roster, repository, now))?;
    let observed = Observed::seen(repository, cluster);
    let Outline { people, desired, warnings } = Outline::new(Side { roster, observed }, name, now);
    found(check::references(roster, &cluster.state, &desired))?;
    let bindings = bindings::diff(&roster.name, &desired, &cluster.state, &people);
    let mut cleanups = people.cleanups;
    cleanups.extend(requests::leftovers(roster, repository, cluster, now));
    Ok(ClusterPlan {
        name: name.clone(),
        uid: cluster.state.uid.clone(),
        pin: pinned.is_none(),
        people: people.actions,
        bindings,
        cleanups: cleanups.into_iter().collect(),
        warnings,
        next_renewal: people.next_renewal,
        active: people.active,
    })
}

/// Plans what roster and records alone decide of a cluster that was not read.
///
/// # Errors
/// A public key that is cut off, or has to be, is brought back.
pub fn plan_offline(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &UnseenCluster,
    now: Timestamp,
) -> Result<OfflinePlan, Vec<Fault>> {
    found(check::keys(roster, repository, now))?;
    let observed = Observed::unseen(repository, cluster);
    let Outline { people, desired: _, warnings } = Outline::new(Side { roster, observed }, name, now);
    Ok(OfflinePlan {
        name: name.clone(),
        pinned_uid: repository.pinned_uid.clone(),
        people: people.actions,
        cleanups: people.cleanups.into_iter().collect(),
        warnings,
        next_renewal: people.next_renewal,
        active: people.active,
        unknown: cluster.unknown(),
    })
}

fn found(faults: Vec<Fault>) -> Result<(), Vec<Fault>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What roster and records come to on one cluster, before anyone asks whether it can be done there.
pub(super) struct Outline {
    pub(super) people: People,
    pub(super) desired: Desired,
    pub(super) warnings: Vec<Warning>,
}

impl Outline {
    pub(super) fn new(side: Side<'_>, name: &ClusterName, now: Timestamp) -> Self {
        let Side { roster, observed } = side;
        let foreign = observed.state().map(|state| ForeignBindings::new(roster, state));
        let people = people::plan(roster, name, observed, foreign.as_ref(), now);
        let desired = desired_bindings::desired(roster, name, &people, now);
        let warnings = warnings::find(roster, name, observed, &people, foreign.as_ref(), now);
        Self { people, desired, warnings }
    }
}
