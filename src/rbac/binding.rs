//! Bindings as plain data, as they were read. Names are plain text: a cluster may hold any.

use std::collections::BTreeMap;

/// Where a binding is; a binding without namespace is a ClusterRoleBinding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingAt {
    /// The namespace of a RoleBinding.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl BindingAt {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" }
    }

    /// The name that a binding of certctl would have if it were not split.
    pub fn unsplit_name(&self) -> &str {
        self.name.rsplit_once('~').map_or(&self.name, |(base, _)| base)
    }
}

impl std::fmt::Display for BindingAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind(), self.name),
            None => write!(f, "{} {}", self.kind(), self.name),
        }
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where it is.
    pub at: BindingAt,
    /// `roleRef.kind`.
    pub role_kind: String,
    /// `roleRef.name`.
    pub role_name: String,
    /// `subjects`, in the order of the object.
    pub subjects: Vec<Subject>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.finalizers`: a deletion waits until all of them are taken out.
    pub finalizers: Vec<String>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deletion_requested: bool,
}

/// One subject of a binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The subject's name.
    pub name: String,
    /// The namespace of a ServiceAccount.
    pub namespace: Option<String>,
}
