//! What somebody may do on a cluster by the roster, as it counts now.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::delivered::{Delivered, ListedRights};
use crate::access::granted;
use crate::model::{ClusterName, Namespace, UserName};
use crate::render::words;
use crate::roster::{Grant, Roster};

/// In how many namespaces a cluster is asked for rights at most.
const MOST_NAMESPACES: usize = 20;

/// Somebody on a cluster, at a time.
#[derive(Clone, Copy)]
pub struct Standing<'r> {
    /// What says so.
    pub roster: &'r Roster,
    /// Who.
    pub user: &'r UserName,
    /// Where.
    pub cluster: &'r ClusterName,
    /// When.
    pub now: Timestamp,
}

impl<'r> Standing<'r> {
    /// The groups that count.
    pub fn groups(self) -> Vec<String> {
        let user = self.roster.users.get(self.user);
        let groups = user.map(|user| granted::groups(user, self.cluster, self.now));
        groups.into_iter().flatten().map(ToString::to_string).collect()
    }

    /// The grants that count, of groups and personal ones.
    pub fn grants(self) -> impl Iterator<Item = &'r Grant> {
        let granted = granted::granted(self.roster, self.user, self.cluster, self.now);
        granted.into_iter().map(|granted| granted.grant)
    }

    /// The namespaces that these grants name, the first of them.
    pub fn namespaces(self) -> BTreeSet<&'r Namespace> {
        let named: BTreeSet<&Namespace> = self
            .grants()
            .flat_map(|grant| grant.namespaces.iter().flatten())
            .map(|(namespace, _)| namespace)
            .collect();
        named.into_iter().take(MOST_NAMESPACES).collect()
    }
}

/// A grant for programs, and whether the cluster grants it, where that was asked.
pub fn right(grant: &Grant, listed: Option<&ListedRights>) -> Value {
    let mut right = json!({"kind": grant.role.kind(), "role": grant.role.name().as_str()});
    if let Some(namespaces) = &grant.namespaces {
        right["namespaces"] = namespaces.iter().map(|(name, _)| Value::from(name.as_str())).collect();
    }
    if let Some(matching) = &grant.matching {
        right["namespacesLike"] = Value::from(matching.to_string());
    }
    if let Some(listed) = listed {
        let delivered = listed.delivers(grant);
        right["clusterGrants"] = Value::from(match &delivered {
            Delivered::Whole => "yes",
            Delivered::Nowhere => "no",
            Delivered::NotIn(_) => "in-part",
            Delivered::Unclear => "unknown",
        });
        if let Delivered::NotIn(namespaces) = delivered {
            right["notIn"] = namespaces.into_iter().map(|name| Value::from(name.as_str())).collect();
        }
    }
    right
}

/// What a cluster does not grant of it, as [`words::access::grant`].
pub fn not_granted(grant: &Grant, listed: &ListedRights) -> Option<String> {
    match listed.delivers(grant) {
        Delivered::Nowhere => Some(words::access::grant(grant)),
        Delivered::NotIn(namespaces) => Some(format!("{} in {}", grant.role.name(), names(&namespaces))),
        Delivered::Whole | Delivered::Unclear => None,
    }
}

/// As [`words::access::grant`], with what the cluster does not grant of it.
pub fn marked(grant: &Grant, listed: &ListedRights) -> String {
    let right = words::access::grant(grant);
    match listed.delivers(grant) {
        Delivered::Nowhere => format!("{right} (not granted)"),
        Delivered::NotIn(namespaces) => format!("{right} (not granted in {})", names(&namespaces)),
        Delivered::Whole | Delivered::Unclear => right,
    }
}

fn names(namespaces: &[&Namespace]) -> String {
    namespaces.iter().map(|namespace| namespace.as_str()).collect::<Vec<_>>().join(", ")
}
