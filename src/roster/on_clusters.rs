//! `clusters:` of a user, a membership or a grant: where it counts.

use std::collections::BTreeSet;

use super::errors::Errors;
use super::fence::FileScope;
use super::names::{SeenNames, is_known};
use super::reader::{self, Fields};
use super::yaml::Value;
use crate::model::ClusterName;

/// Where something counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum OnClusters {
    #[default]
    /// Wherever the user has access.
    All,
    /// On these, of those.
    Only(BTreeSet<ClusterName>),
}

impl OnClusters {
    /// Whether it counts there.
    pub fn includes(&self, cluster: &ClusterName) -> bool {
        match self {
            Self::All => true,
            Self::Only(clusters) => clusters.contains(cluster),
        }
    }

    /// Whether there is a cluster on which both count.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Only(these), Self::Only(those)) => !these.is_disjoint(those),
            (Self::All, _) | (_, Self::All) => true,
        }
    }
}

/// The field, where it is there; else what a fence leaves of all.
pub(super) fn read(fields: &Fields<'_, '_>, scope: &FileScope<'_>, errors: &mut Errors) -> OnClusters {
    let Some(node) = fields.get("clusters") else {
        return scope.fenced.map_or(OnClusters::All, |fenced| fenced.fence.clusters.clone());
    };
    let list = reader::list(node, &fields.label("clusters"), errors).unwrap_or_default();
    if list.is_empty() && matches!(node.value, Value::List(_)) {
        errors.add_with_hint(
            fields.position_of("clusters"),
            format!("{} names no cluster", fields.label("clusters")),
            format!("leave the field out to mean every cluster, or delete {}", fields.what),
        );
    }
    let mut clusters = BTreeSet::new();
    let mut seen = SeenNames::default();
    for node in list {
        let label = format!("cluster of {}", fields.what);
        if let Some(name) = reader::text(node, &label, errors)
            && seen.is_new(name, node.position, &label, errors)
            && is_known(name, node.position, &label, "cluster", scope.cluster_names, errors)
            && scope.fenced.is_none_or(|fenced| fenced.check_cluster(name, node.position, &label, errors))
            && let Ok(name) = name.parse()
        {
            clusters.insert(name);
        }
    }
    OnClusters::Only(clusters)
}
