//! Is this the cluster that the records are about, and is everything there that the roster names?

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::binding_key::{BindingKey, Grantee};
use super::credentials;
use super::desired_bindings::{self, Desired};
use super::observed::{self, ClusterState, Observed};
use crate::error::Error;
use crate::model::{ClusterName, CredentialId, RoleRef, UserName};
use crate::record::{Credential, State};
use crate::render::words;
use crate::roster::Roster;

/// # Errors
/// Another cluster answers under this name.
pub fn identity(name: &ClusterName, pinned: Option<&str>, uid: &str) -> Result<(), Error> {
    match pinned {
        Some(pinned) if pinned != uid => Err(Error::new(format!(
            "cluster `{name}` is not the one that its records are about: access/{name}/cluster.yaml pins {pinned}, \
             the cluster says {uid}; nothing was planned"
        ))
        .hint(format!("if the context leads to the wrong cluster, set `context:` of cluster `{name}` in the roster"))
        .hint(format!(
            "if the cluster was replaced for good, `git rm -r access/{name}` and commit: everyone gets new credentials"
        ))),
        _ => Ok(()),
    }
}

/// # Errors
/// Every `csr:` that brings a public key back which is cut off, or has to be: the credential group is
/// made of the key, so with the same key the old certificate would get the same rights again.
pub fn keys(
    roster_file: &str,
    roster: &Roster,
    name: &ClusterName,
    observed: &Observed,
    now: Timestamp,
) -> Result<(), Error> {
    if observed.brought_keys.is_empty() {
        return Ok(());
    }
    let mut known: BTreeMap<&CredentialId, (&UserName, &Credential)> = BTreeMap::new();
    for record in observed.records.values() {
        let live = record.credentials.iter().filter(|credential| credential.not_after > now);
        known.extend(live.map(|credential| (&credential.id, (&record.user, credential))));
    }
    let mut errors = Vec::new();
    for (user_name, brought) in &observed.brought_keys {
        let (Some(user), Some((owner, credential))) = (roster.users.get(user_name), known.get(&brought.id))
        else {
            continue;
        };
        // Who gets nothing more needs no other key.
        if !credentials::lasts(user.until, now) {
            continue;
        }
        let wrong = if credential.key.is_some() {
            // Its private half was sealed, and lies in the history of the repository for good.
            format!("{owner}'s credential {}, whose key certctl made", credential.id)
        } else if credential.state == State::Revoked {
            format!("{owner}'s revoked credential {}", credential.id)
        } else if *owner != user_name {
            format!("{owner}'s credential {}", credential.id)
        } else if let Some(reason) = credentials::cut_off_with(roster, user, brought, credential, now) {
            format!("the credential {} that is to be cut off ({})", credential.id, words::reason(&reason))
        } else {
            continue;
        };
        errors.push(
            Error::new(format!(
                "user `{user_name}`'s csr brings the public key of {wrong}; nothing was planned on cluster `{name}`"
            ))
            .placed(roster_file, user.position)
            .hint(format!(
                "a certificate cannot be taken back from its key, so make a new key, e.g. \
                 `openssl ecparam -genkey -name prime256v1 -noout -out KEY`, and a new csr with it for {user_name}"
            )),
        );
    }
    Error::all(errors).map_or(Ok(()), Err)
}

/// # Errors
/// Every namespace or role that is granted and does not exist, at its place in the roster; every
/// object of someone else under a name that we need.
pub fn references(
    roster_file: &str,
    roster: &Roster,
    name: &ClusterName,
    observed: &Observed,
    desired: &Desired,
) -> Result<(), Error> {
    let mut errors = Vec::new();
    let mut missing_namespaces = std::collections::BTreeSet::new();
    for (key, position) in &desired.positions {
        let who = match &key.grantee {
            Grantee::Group(group) => format!("group `{group}`"),
            Grantee::User(user) => format!("user `{user}`"),
        };
        if let Some(namespace) = &key.namespace
            && !observed.state.namespaces.contains(namespace.as_str())
        {
            if missing_namespaces.insert((position, namespace)) {
                errors.push((
                    *position,
                    Error::new(format!(
                        "namespace `{namespace}`, granted to {who}, does not exist on cluster `{name}`; nothing was planned there"
                    ))
                    .placed(roster_file, *position)
                    .hint(format!("create it with `kubectl create namespace {namespace}`, or correct the roster")),
                ));
            }
        } else if let Some(hint) = missing_role(&observed.state, key) {
            errors.push((
                *position,
                Error::new(format!(
                    "{} `{}`{}, granted to {who}, does not exist on cluster `{name}`; nothing was planned there",
                    key.role.kind(),
                    key.role.name(),
                    key.namespace.as_ref().filter(|_| key.role.kind() == "Role").map_or(String::new(), |n| format!(" in namespace `{n}`")),
                ))
                .placed(roster_file, *position)
                .hint(hint),
            ));
        }
    }
    errors.sort_by_key(|(position, _)| *position);
    let mut errors: Vec<Error> = errors.into_iter().map(|(_, error)| error).collect();

    let needed = desired_bindings::names(desired);
    let others: BTreeMap<_, _> = observed
        .state
        .bindings
        .iter()
        .filter(|binding| !observed::is_ours(&binding.labels, &roster.name))
        .map(|binding| (&binding.at, binding))
        .collect();
    for at in needed.keys() {
        if let Some(binding) = others.get(at) {
            let owner = binding.labels.get(observed::LABEL_ROSTER).filter(|_| {
                binding.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY)
            });
            let (owner, hint) = match owner {
                Some(other) => (
                    format!("belongs to roster `{other}`"),
                    "two rosters on one cluster need different names for the groups and people that they grant the same role"
                        .to_owned(),
                ),
                None => (
                    "was not made by certctl".to_owned(),
                    format!(
                        "look at it with `kubectl get {} {} -o yaml`{}, then delete or rename it, or put our labels back if it lost them",
                        binding.at.kind().to_lowercase(),
                        binding.at.name,
                        binding.at.namespace.as_ref().map_or(String::new(), |n| format!(" -n {n}")),
                    ),
                ),
            };
            errors.push(
                Error::new(format!(
                    "{} on cluster `{name}` has the name of one of our bindings and {owner}; nothing was planned there",
                    binding.at
                ))
                .hint(hint),
            );
        }
    }
    Error::all(errors).map_or(Ok(()), Err)
}

/// How to mend a role that does not exist, or `None` where it does.
fn missing_role(state: &ClusterState, key: &BindingKey) -> Option<String> {
    match (&key.role, &key.namespace) {
        (RoleRef::ClusterRole(role), _) => (!state.cluster_roles.contains(role.as_str()))
            .then(|| format!("see `kubectl get clusterroles`, create `{role}`, or correct the roster")),
        (RoleRef::Role(role), Some(namespace)) => {
            let key = (namespace.to_string(), role.to_string());
            (!state.roles.contains(&key)).then(|| {
                format!("see `kubectl get roles -n {namespace}`, create `{role}`, or correct the roster")
            })
        }
        // The roster refuses a Role without namespaces.
        (RoleRef::Role(_), None) => None,
    }
}
