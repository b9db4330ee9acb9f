//! What somebody may do on a cluster by the roster, as it counts now.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::granted;
use crate::model::{ClusterName, UserName};
use crate::roster::{Grant, Roster};

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
}

/// A grant for programs.
pub fn right(grant: &Grant) -> Value {
    let mut right = json!({"kind": grant.role.kind(), "role": grant.role.name().as_str()});
    if let Some(namespaces) = &grant.namespaces {
        right["namespaces"] = namespaces.iter().map(|(name, _)| Value::from(name.as_str())).collect();
    }
    if let Some(matching) = &grant.matching {
        right["namespacesLike"] = Value::from(matching.to_string());
    }
    right
}
