//! Everyone on one cluster: whom the roster or the records name, and what is decided about each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::CredentialAction;
use super::cleanup::Cleanup;
use super::credentials::{self, CLOCKS_DIFFER, Decision, Inputs, Leaving};
use super::observed::Observed;
use super::reason::Reason;
use super::residual_access::ForeignBindings;
use crate::model::{ClusterName, CredentialGroup, CredentialId, UserName};
use crate::record::Credential;
use crate::roster::{Roster, User};

/// Decisions about everyone on one cluster.
#[derive(Debug, Default)]
pub struct People {
    /// By user.
    pub actions: Vec<CredentialAction>,
    /// Credentials that may be bound after this plan, besides the ones it issues.
    pub bound: BTreeMap<UserName, Vec<CredentialId>>,
    /// Whoever gets a new credential.
    pub issued: BTreeSet<UserName>,
    /// Of those, whoever keeps their key and with it their group: a renewal of a brought key.
    pub same_group: BTreeSet<UserName>,
    /// Why a credential group must leave the bindings.
    pub leaving: BTreeMap<CredentialGroup, Leaving>,
    /// What the cluster knows as issued or revoked, and with it as ours.
    pub known: BTreeSet<CredentialId>,
    /// Records to bring up to date.
    pub cleanups: BTreeSet<Cleanup>,
    /// The earliest renewal that is still ahead.
    pub next_renewal: Option<(Timestamp, UserName)>,
    /// How many credentials were active before.
    pub active: usize,
    /// People who cannot get a credential before their `until`.
    pub too_short: Vec<(UserName, Timestamp)>,
}

/// Decides for every person that the roster or the records name.
pub(super) fn plan(
    roster: &Roster,
    cluster: &ClusterName,
    observed: Observed<'_>,
    foreign: Option<&ForeignBindings<'_>>,
    (refused, kept_out): (&BTreeSet<UserName>, &BTreeSet<UserName>),
    now: Timestamp,
) -> People {
    let inputs = Inputs { roster, cluster, observed, foreign, refused, now };
    let mut people = People::default();
    let names: BTreeSet<&UserName> = roster.users.keys().chain(observed.repository.records.keys()).collect();
    for name in names {
        let decision = match roster.users.get(name) {
            None => credentials::revoke_all(inputs, name, |_| Reason::RemovedFromRoster),
            Some(user) if !user.clusters.contains(cluster) => {
                credentials::revoke_all(inputs, name, |_| Reason::RemovedFromCluster)
            }
            Some(_) if kept_out.contains(name) => credentials::revoke_all(inputs, name, |_| Reason::KeptOut),
            Some(user) if user.suspended => credentials::revoke_all(inputs, name, |_| Reason::Suspended),
            Some(User { until: Some(until), .. }) if *until <= now => {
                let outlives = |credential: &&Credential| credential.not_after > *until + CLOCKS_DIFFER;
                let why = |live: &[&Credential]| Reason::AccessEnded {
                    at: *until,
                    edited: live.iter().any(outlives),
                };
                credentials::revoke_all(inputs, name, why)
            }
            Some(user) => credentials::decide(inputs, name, user),
        };
        people.take(name, decision);
    }
    people
}

impl People {
    /// Whether this credential may be bound after the plan, besides the ones that it issues.
    pub(super) fn binds(&self, group: &CredentialGroup) -> bool {
        group.holder.find_in(&self.bound).is_some_and(|(_, ids)| ids.contains(&group.id))
    }

    fn take(&mut self, name: &UserName, decision: Decision) {
        let Decision { actions, bound, leaving, same_group, cleanups, next_renewal, active, too_short } =
            decision;
        if actions.iter().any(|action| action.new_credential().is_some()) {
            self.issued.insert(name.clone());
            if same_group {
                self.same_group.insert(name.clone());
            }
        }
        self.actions.extend(actions);
        if !bound.is_empty() {
            self.bound.insert(name.clone(), bound);
        }
        let group = |id| CredentialGroup::new(name, id);
        self.leaving.extend(leaving.into_iter().map(|(id, why)| (group(id), why)));
        self.cleanups.extend(cleanups);
        if let Some(at) = next_renewal {
            let next = (at, name.clone());
            if self.next_renewal.as_ref().is_none_or(|known| next < *known) {
                self.next_renewal = Some(next);
            }
        }
        self.active += usize::from(active);
        self.too_short.extend(too_short.map(|until| (name.clone(), until)));
    }
}
