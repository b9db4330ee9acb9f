//! Is this the cluster that the records are about, and is everything there that the roster names?
//!
//! On another cluster nothing is planned. Whatever else is wrong holds back what it touches (see `held`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::binding_key::BindingKey;
use super::credentials;
use super::desired_bindings::{self, Desired};
use super::held::{Held, KeyUse};
use super::observed::{self, Binding, BindingAt, ClusterState, Observed, RepositoryState, SeenLedger};
use crate::model::{ClusterName, CredentialId, RoleRef, RosterId, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::{Roster, nearest};

/// Another cluster answers under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnotherCluster {
    /// The UID that its records are about.
    pub pinned: String,
    /// The UID that it has.
    pub found: String,
}

/// The roster's name belongs to another repository there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnotherRepository {
    /// The id that the records here have, if they have any.
    pub recorded: Option<RosterId>,
    /// The id that the cluster has.
    pub found: RosterId,
}

/// Why nothing can be planned on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    AnotherCluster(AnotherCluster),
    AnotherRepository(AnotherRepository),
}

impl From<AnotherCluster> for Refusal {
    fn from(other: AnotherCluster) -> Self {
        Self::AnotherCluster(other)
    }
}

impl From<AnotherRepository> for Refusal {
    fn from(other: AnotherRepository) -> Self {
        Self::AnotherRepository(other)
    }
}

/// # Errors
/// Another cluster answers under this name.
pub fn identity(pinned: Option<&str>, uid: &str) -> Result<(), AnotherCluster> {
    match pinned {
        Some(pinned) if pinned != uid => {
            Err(AnotherCluster { pinned: pinned.to_owned(), found: uid.to_owned() })
        }
        _ => Ok(()),
    }
}

/// A repository whose records are older than the id takes it over from the cluster; one without records is
/// another.
///
/// # Errors
/// The roster's name belongs to another repository there: with this one's records, everyone of theirs would
/// be taken out of the bindings.
pub(super) fn owner(repository: &RepositoryState, ledger: &SeenLedger) -> Result<(), AnotherRepository> {
    let Some(found) = ledger.known().and_then(|ledger| ledger.roster_id.clone()) else { return Ok(()) };
    let is_ours = match &repository.roster_id {
        Some(recorded) => *recorded == found,
        None => repository.pinned_uid.is_some(),
    };
    if is_ours { Ok(()) } else { Err(AnotherRepository { recorded: repository.roster_id.clone(), found }) }
}

/// Why nothing can be issued on the cluster.
pub(super) fn endpoint(roster: &Roster, name: &ClusterName, observed: Observed<'_>) -> Option<Held> {
    let why = observed.published()?.refused.clone()?;
    let at = roster.clusters.get(name).map(|cluster| cluster.position).unwrap_or_default();
    Some(Held::Unpublishable { why, at })
}

/// Why no certificate would be right.
pub(super) fn clock(roster: &Roster, name: &ClusterName, observed: Observed<'_>) -> Option<Held> {
    let clocks = observed.clock().filter(|clocks| clocks.are_useless())?;
    let at = roster.clusters.get(name).map(|cluster| cluster.position).unwrap_or_default();
    Some(Held::ClocksApart { clocks, at })
}

/// Every `csr:` that brings a public key back.
pub(super) fn keys(
    roster: &Roster,
    cluster: &ClusterName,
    repository: &RepositoryState,
    now: Timestamp,
) -> Vec<Held> {
    if repository.brought_keys.is_empty() {
        return Vec::new();
    }
    let mut known: BTreeMap<&CredentialId, (&UserName, &Credential)> = BTreeMap::new();
    for record in repository.records.values() {
        let counts = |c: &&Credential| c.not_after > now || c.state == CredentialState::Revoked;
        let live = record.credentials.iter().filter(counts);
        known.extend(live.map(|credential| (&credential.id, (&record.user, credential))));
    }
    let mut held = Vec::new();
    for (user_name, brought) in &repository.brought_keys {
        let (Some(user), Some((owner, credential))) = (roster.users.get(user_name), known.get(&brought.id))
        else {
            continue;
        };
        // Who gets nothing more needs no other key.
        if user.suspended || !credentials::lasts(user.until, now) {
            continue;
        }
        let (owner, id) = ((*owner).clone(), credential.id.clone());
        let by = if credential.key.made().is_some() {
            KeyUse::Made { owner, credential: id }
        } else if credential.state == CredentialState::Revoked {
            KeyUse::Revoked { owner, credential: id }
        } else if owner != *user_name {
            KeyUse::OfAnother { owner, credential: id }
        } else if let Some(reason) =
            credentials::cut_off_with(roster, cluster, user, brought, credential, now)
        {
            KeyUse::ToBeCutOff { credential: id, reason }
        } else {
            continue;
        };
        held.push(Held::KeyReused { user: user_name.clone(), at: user.position, by });
    }
    held
}

/// Every namespace or role that is granted and does not exist, in the order of the roster; then every
/// object of someone else under a name that we need. With it, the bindings that nobody may be added to.
pub(super) fn references(
    roster: &Roster,
    state: &ClusterState,
    desired: &Desired,
) -> (Vec<Held>, BTreeSet<BindingKey>) {
    let (mut missing, mut keys) = (Vec::new(), BTreeSet::new());
    let mut namespaces_told = BTreeSet::new();
    for (key, at) in &desired.positions {
        let (at, grantee) = (*at, &key.grantee);
        let unusable = key.namespace.as_ref().filter(|name| {
            !state.namespaces.contains(name.as_str()) || state.terminating.contains(name.as_str())
        });
        if let Some(namespace) = unusable {
            if namespaces_told.insert((at, namespace)) {
                let (namespace, grantee) = (namespace.clone(), grantee.clone());
                missing.push((
                    at,
                    match state.terminating.contains(namespace.as_str()) {
                        true => Held::TerminatingNamespace { namespace, grantee, at },
                        false => Held::MissingNamespace { namespace, grantee, at },
                    },
                ));
            }
        } else if is_role_missing(state, key) {
            missing.push((at, Held::MissingRole { key: key.clone(), nearest: nearest_role(state, key), at }));
        } else {
            continue;
        }
        keys.insert(key.clone());
    }
    missing.sort_by_key(|(at, _)| *at);
    let mut held: Vec<Held> = missing.into_iter().map(|(_, held)| held).collect();

    let others = state.bindings.iter().filter(|binding| !observed::is_ours(&binding.labels, &roster.name));
    let others: BTreeMap<&BindingAt, &Binding> = others.map(|binding| (&binding.at, binding)).collect();
    for (at, key) in desired_bindings::names(desired) {
        let Some(binding) = others.get(&at) else { continue };
        let certctls =
            binding.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
        let roster = binding.labels.get(observed::LABEL_ROSTER).filter(|_| certctls).cloned();
        let position = desired.positions.get(key).copied().unwrap_or_default();
        held.push(Held::ForeignBinding { binding: at, roster, at: position });
        // All parts of a split binding: nobody may lose in one what another cannot take.
        keys.insert(key.clone());
    }
    (held, keys)
}

fn is_role_missing(state: &ClusterState, key: &BindingKey) -> bool {
    match (&key.role, &key.namespace) {
        (RoleRef::ClusterRole(role), _) => !state.roles.cluster_roles.contains_key(role.as_str()),
        (RoleRef::Role(role), Some(namespace)) => {
            !state.roles.roles.contains_key(&(namespace.to_string(), role.to_string()))
        }
        // The roster refuses a Role without namespaces.
        (RoleRef::Role(_), None) => false,
    }
}

/// The role that was probably meant.
fn nearest_role(state: &ClusterState, key: &BindingKey) -> Option<String> {
    let name = key.role.name().as_str();
    let found = match &key.role {
        RoleRef::ClusterRole(_) => nearest(name, state.roles.cluster_roles.keys().map(String::as_str)),
        RoleRef::Role(_) => {
            let there = key.namespace.as_ref().map(ToString::to_string);
            let roles = state.roles.roles.keys().filter(|(namespace, _)| Some(namespace) == there.as_ref());
            nearest(name, roles.map(|(_, role)| role.as_str()))
        }
    };
    found.map(str::to_owned)
}
