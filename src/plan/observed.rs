//! What a plan is made from besides the roster: the cluster and the records, as plain data.
//!
//! Everything in here came from outside and is kept as it was said. Names are plain text, because a
//! cluster may hold objects whose names the roster would refuse.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::CredentialId;
pub use crate::model::{LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY};

/// One cluster as it was read, in a fixed number of list calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterState {
    /// UID of the namespace kube-system: the cluster's identity.
    pub uid: String,
    /// Every namespace.
    pub namespaces: BTreeSet<String>,
    /// Every ClusterRole.
    pub cluster_roles: BTreeSet<String>,
    /// Every Role, as (namespace, name).
    pub roles: BTreeSet<(String, String)>,
    /// Every RoleBinding and ClusterRoleBinding, whoever owns it.
    pub bindings: Vec<Binding>,
    /// Every CertificateSigningRequest, whoever made it.
    pub requests: Vec<SigningRequest>,
}

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

/// A CertificateSigningRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRequest {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// `spec.signerName`.
    pub signer_name: String,
    /// `spec.username`: who made it, as the API server saw them.
    pub requester: String,
    /// `spec.request`, the PEM bytes.
    pub request: Vec<u8>,
    /// CN of the subject that it asks for, where the request can be parsed.
    pub common_name: Option<String>,
    /// Every O of the subject that it asks for.
    pub organizations: Vec<String>,
    /// Digest of the public key that it holds, where the request can be parsed.
    pub key: Option<CredentialId>,
    /// `Approved`, `Denied` and `Failed` conditions that are true.
    pub conditions: Vec<String>,
    /// Whether a certificate was issued.
    pub issued: bool,
}

/// What the names of a roster's CertificateSigningRequests begin with.
pub fn request_prefix(roster: &crate::model::RosterName) -> String {
    format!("certctl-{roster}-")
}

/// Whether these labels say that the object belongs to this roster.
pub fn is_ours(labels: &BTreeMap<String, String>, roster: &crate::model::RosterName) -> bool {
    labels.get(LABEL_MANAGED_BY).is_some_and(|v| v == MANAGED_BY)
        && labels.get(LABEL_ROSTER).is_some_and(|v| v == roster.as_str())
}
