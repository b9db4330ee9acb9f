//! Is this the cluster that the records are about, and is everything there that the roster names?
//!
//! Where it is not, nothing is planned on that cluster. What is wrong is a code and its data; its words,
//! and how to fix it, are in `render`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::binding_key::{BindingKey, Grantee};
use super::credentials;
use super::desired_bindings::{self, Desired};
use super::observed::{self, Binding, BindingAt, ClusterState, RepositoryState};
use super::reason::Reason;
use crate::model::{CredentialId, Namespace, Position, RoleRef, UserName};
use crate::record::{Credential, State};
use crate::roster::Roster;

/// Why nothing can be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another cluster answers under this name.
    AnotherCluster {
        /// The UID that its records are about.
        pinned: String,
        /// The UID that it has.
        found: String,
    },
    /// A `csr:` brings a public key back which is cut off, or has to be: the credential group is made of
    /// the key, so with the same key the old certificate would get the same rights again.
    KeyReused {
        /// Who brings it.
        user: UserName,
        /// Where the roster says so.
        at: Position,
        /// What it was used for.
        by: KeyUse,
    },
    /// A namespace is granted and does not exist.
    MissingNamespace {
        namespace: Namespace,
        /// To whom it is granted.
        grantee: Grantee,
        /// Where the roster says so.
        at: Position,
    },
    /// A role is granted and does not exist.
    MissingRole {
        /// Which, where, and to whom it is granted.
        key: BindingKey,
        /// Where the roster says so.
        at: Position,
    },
    /// An object of someone else has the name of one of our bindings.
    ForeignBinding {
        at: BindingAt,
        /// The roster whose labels it has, if any.
        roster: Option<String>,
    },
}

/// What a brought key was used for before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUse {
    /// certctl made it: its private half was sealed, and lies in the history of the repository for good.
    Made {
        /// For whom.
        owner: UserName,
        /// Which credential.
        credential: CredentialId,
    },
    /// For a credential that is revoked.
    Revoked { owner: UserName, credential: CredentialId },
    /// For somebody else's credential.
    OfAnother { owner: UserName, credential: CredentialId },
    /// For a credential that is to be cut off.
    ToBeCutOff { credential: CredentialId, reason: Reason },
}

/// # Errors
/// Another cluster answers under this name.
pub fn identity(pinned: Option<&str>, uid: &str) -> Result<(), Fault> {
    match pinned {
        Some(pinned) if pinned != uid => {
            Err(Fault::AnotherCluster { pinned: pinned.to_owned(), found: uid.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Every `csr:` that brings a public key back.
pub(super) fn keys(roster: &Roster, repository: &RepositoryState, now: Timestamp) -> Vec<Fault> {
    if repository.brought_keys.is_empty() {
        return Vec::new();
    }
    let mut known: BTreeMap<&CredentialId, (&UserName, &Credential)> = BTreeMap::new();
    for record in repository.records.values() {
        let live = record.credentials.iter().filter(|credential| credential.not_after > now);
        known.extend(live.map(|credential| (&credential.id, (&record.user, credential))));
    }
    let mut faults = Vec::new();
    for (user_name, brought) in &repository.brought_keys {
        let (Some(user), Some((owner, credential))) = (roster.users.get(user_name), known.get(&brought.id))
        else {
            continue;
        };
        // Who gets nothing more needs no other key.
        if !credentials::lasts(user.until, now) {
            continue;
        }
        let (owner, id) = ((*owner).clone(), credential.id.clone());
        let by = if credential.key.made().is_some() {
            KeyUse::Made { owner, credential: id }
        } else if credential.state == State::Revoked {
            KeyUse::Revoked { owner, credential: id }
        } else if owner != *user_name {
            KeyUse::OfAnother { owner, credential: id }
        } else if let Some(reason) = credentials::cut_off_with(roster, user, brought, credential, now) {
            KeyUse::ToBeCutOff { credential: id, reason }
        } else {
            continue;
        };
        faults.push(Fault::KeyReused { user: user_name.clone(), at: user.position, by });
    }
    faults
}

/// Every namespace or role that is granted and does not exist, in the order of the roster; then every
/// object of someone else under a name that we need.
pub(super) fn references(roster: &Roster, state: &ClusterState, desired: &Desired) -> Vec<Fault> {
    let mut missing = Vec::new();
    let mut missing_namespaces = BTreeSet::new();
    for (key, at) in &desired.positions {
        let namespace = key.namespace.as_ref();
        if let Some(namespace) = namespace.filter(|name| !state.namespaces.contains(name.as_str())) {
            if missing_namespaces.insert((at, namespace)) {
                let (namespace, grantee) = (namespace.clone(), key.grantee.clone());
                missing.push((*at, Fault::MissingNamespace { namespace, grantee, at: *at }));
            }
        } else if is_role_missing(state, key) {
            missing.push((*at, Fault::MissingRole { key: key.clone(), at: *at }));
        }
    }
    missing.sort_by_key(|(at, _)| *at);
    let mut faults: Vec<Fault> = missing.into_iter().map(|(_, fault)| fault).collect();

    let others = state.bindings.iter().filter(|binding| !observed::is_ours(&binding.labels, &roster.name));
    let others: BTreeMap<&BindingAt, &Binding> = others.map(|binding| (&binding.at, binding)).collect();
    for at in desired_bindings::names(desired).keys() {
        if let Some(binding) = others.get(at) {
            let certctls =
                binding.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
            let roster = binding.labels.get(observed::LABEL_ROSTER).filter(|_| certctls).cloned();
            faults.push(Fault::ForeignBinding { at: at.clone(), roster });
        }
    }
    faults
}

fn is_role_missing(state: &ClusterState, key: &BindingKey) -> bool {
    match (&key.role, &key.namespace) {
        (RoleRef::ClusterRole(role), _) => !state.cluster_roles.contains(role.as_str()),
        (RoleRef::Role(role), Some(namespace)) => {
            !state.roles.contains(&(namespace.to_string(), role.to_string()))
        }
        // The roster refuses a Role without namespaces.
        (RoleRef::Role(_), None) => false,
    }
}
