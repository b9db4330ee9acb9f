//! Why nothing can be planned on a cluster, as errors that say how to fix it.

use crate::error::Error;
use crate::model::{ClusterName, RoleRef};
use crate::plan::binding_key::Grantee;
use crate::plan::check::{Fault, KeyUse};
use crate::plan::observed::BindingAt;

/// All of them as one error.
pub fn faults(roster_file: &str, cluster: &ClusterName, faults: &[Fault]) -> Error {
    let all = Error::all(faults.iter().map(|of| fault(roster_file, cluster, of)));
    all.unwrap_or_else(|| Error::new(format!("nothing was planned on cluster `{cluster}`")))
}

/// One of them.
pub fn fault(roster_file: &str, cluster: &ClusterName, fault: &Fault) -> Error {
    match fault {
        Fault::AnotherCluster { pinned, found } => Error::new(format!(
            "cluster `{cluster}` is not the one that its records are about: access/{cluster}/cluster.yaml pins {pinned}, \
             the cluster says {found}; nothing was planned"
        ))
        .hint(format!(
            "if the context leads to the wrong cluster, set `context:` of cluster `{cluster}` in the roster"
        ))
        .hint(format!(
            "if the cluster was replaced for good, `git rm -r access/{cluster}` and commit: everyone gets new credentials"
        )),
        Fault::KeyReused { user, at, by } => Error::new(format!(
            "user `{user}`'s csr brings the public key of {}; nothing was planned on cluster `{cluster}`",
            key_use(by)
        ))
        .placed(roster_file, *at)
        .hint(format!(
            "a certificate cannot be taken back from its key, so make a new key, e.g. \
             `openssl ecparam -genkey -name prime256v1 -noout -out KEY`, and a new csr with it for {user}"
        )),
        Fault::MissingNamespace { namespace, grantee, at } => Error::new(format!(
            "namespace `{namespace}`, granted to {}, does not exist on cluster `{cluster}`; nothing was planned there",
            self::grantee(grantee)
        ))
        .placed(roster_file, *at)
        .hint(format!("create it with `kubectl create namespace {namespace}`, or correct the roster")),
        Fault::MissingRole { key, at } => {
            let (role, who) = (key.role.name(), grantee(&key.grantee));
            let (place, list) = match (&key.role, &key.namespace) {
                (RoleRef::Role(_), Some(namespace)) => {
                    (format!(" in namespace `{namespace}`"), format!("roles -n {namespace}"))
                }
                _ => (String::new(), "clusterroles".to_owned()),
            };
            Error::new(format!(
                "{} `{role}`{place}, granted to {who}, does not exist on cluster `{cluster}`; nothing was planned there",
                key.role.kind()
            ))
            .placed(roster_file, *at)
            .hint(format!("see `kubectl get {list}`, create `{role}`, or correct the roster"))
        }
        Fault::ForeignBinding { at, roster } => {
            let (owner, hint) = match roster {
                Some(other) => (
                    format!("belongs to roster `{other}`"),
                    "two rosters on one cluster need different names for the groups and people that they grant the same role"
                        .to_owned(),
                ),
                None => ("was not made by certctl".to_owned(), look_at(at)),
            };
            Error::new(format!(
                "{at} on cluster `{cluster}` has the name of one of our bindings and {owner}; nothing was planned there"
            ))
            .hint(hint)
        }
    }
}

fn look_at(at: &BindingAt) -> String {
    format!(
        "look at it with `kubectl get {} {} -o yaml`{}, then delete or rename it, or put our labels back if it lost them",
        at.kind().to_lowercase(),
        at.name,
        at.namespace.as_ref().map_or(String::new(), |namespace| format!(" -n {namespace}")),
    )
}

fn grantee(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Group(group) => format!("group `{group}`"),
        Grantee::User(user) => format!("user `{user}`"),
    }
}

fn key_use(by: &KeyUse) -> String {
    match by {
        KeyUse::Made { owner, credential } => {
            format!("{owner}'s credential {credential}, whose key certctl made")
        }
        KeyUse::Revoked { owner, credential } => format!("{owner}'s revoked credential {credential}"),
        KeyUse::OfAnother { owner, credential } => format!("{owner}'s credential {credential}"),
        KeyUse::ToBeCutOff { credential, reason } => {
            format!("the credential {credential} that is to be cut off ({})", super::reason(reason))
        }
    }
}
