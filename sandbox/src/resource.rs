//! The kinds of objects that the sandbox has, and how each is decoded.
//!
//! All input is decoded as the type that it claims to be and encoded again, so that
//! nothing is stored that the API does not define.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The group of roles and bindings.
pub const RBAC: &str = "rbac.authorization.k8s.io";
/// The group of CertificateSigningRequests.
pub const CERTIFICATES: &str = "certificates.k8s.io";
/// The group of leases.
pub const COORDINATION: &str = "coordination.k8s.io";
/// The group of SelfSubjectReviews.
pub const AUTHENTICATION: &str = "authentication.k8s.io";
/// The group of access reviews.
pub const AUTHORIZATION: &str = "authorization.k8s.io";

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub enum Kind {
    ConfigMap,
    Namespace,
    Pod,
    CertificateSigningRequest,
    Lease,
    ClusterRoleBinding,
    ClusterRole,
    RoleBinding,
    Role,
    SelfSubjectReview,
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
}

/// A kind of object as discovery shows it. The version is always `v1`.
#[derive(Debug)]
pub struct Resource {
    /// Which one.
    pub kind: Kind,
    /// Empty for the core group.
    pub group: &'static str,
    /// The plural, as in paths and rules.
    pub plural: &'static str,
    /// The singular, for messages.
    pub singular: &'static str,
    /// The kind, as in objects.
    pub name: &'static str,
    /// Whether it is namespaced.
    pub namespaced: bool,
    /// The short names that kubectl understands.
    pub short_names: &'static [&'static str],
    /// E.g. `all`.
    pub categories: &'static [&'static str],
    /// In alphabetical order.
    pub verbs: &'static [&'static str],
    /// Each with its verbs.
    pub subresources: &'static [(&'static str, &'static [&'static str])],
    /// Decodes an object as its type and encodes it again.
    pub through: fn(&Value) -> Result<Value, serde_json::Error>,
}

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NOT_AT_ONCE: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const ASKED: &[&str] = &["create"];
const PART: &[&str] = &["get", "patch", "update"];

const PLAIN: Resource = Resource {
    kind: Kind::ConfigMap,
    group: "",
    plural: "configmaps",
    singular: "configmap",
    name: "ConfigMap",
    namespaced: true,
    short_names: &[],
    categories: &[],
    verbs: ALL,
    subresources: &[],
    through: through::<ConfigMap>,
};

/// How many kinds have stored objects; the others are reviews.
pub const KEPT: usize = 9;

/// Every kind, stored ones first, each at the index of its [`Kind`].
pub static RESOURCES: [Resource; 14] = [
    Resource { short_names: &["cm"], ..PLAIN },
    Resource {
        kind: Kind::Namespace,
        plural: "namespaces",
        singular: "namespace",
        name: "Namespace",
        namespaced: false,
        short_names: &["ns"],
        verbs: NOT_AT_ONCE,
        subresources: &[("finalize", &["update"]), ("status", PART)],
        through: through::<Namespace>,
        ..PLAIN
    },
    Resource {
        kind: Kind::Pod,
        plural: "pods",
        singular: "pod",
        name: "Pod",
        short_names: &["po"],
        categories: &["all"],
        subresources: &[("status", PART)],
        through: through::<Pod>,
        ..PLAIN
    },
    Resource {
        kind: Kind::CertificateSigningRequest,
        group: CERTIFICATES,
        plural: "certificatesigningrequests",
        singular: "certificatesigningrequest",
        name: "CertificateSigningRequest",
        namespaced: false,
        short_names: &["csr"],
        subresources: &[("approval", PART), ("status", PART)],
        through: through::<CertificateSigningRequest>,
        ..PLAIN
    },
    Resource {
        kind: Kind::Lease,
        group: COORDINATION,
        plural: "leases",
        singular: "lease",
        name: "Lease",
        through: through::<Lease>,
        ..PLAIN
    },
    Resource {
        kind: Kind::ClusterRoleBinding,
        group: RBAC,
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        name: "ClusterRoleBinding",
        namespaced: false,
        through: through::<ClusterRoleBinding>,
        ..PLAIN
    },
    Resource {
        kind: Kind::ClusterRole,
        group: RBAC,
        plural: "clusterroles",
        singular: "clusterrole",
        name: "ClusterRole",
        namespaced: false,
        through: through::<ClusterRole>,
        ..PLAIN
    },
    Resource {
        kind: Kind::RoleBinding,
        group: RBAC,
        plural: "rolebindings",
        singular: "rolebinding",
        name: "RoleBinding",
        through: through::<RoleBinding>,
        ..PLAIN
    },
    Resource {
        kind: Kind::Role,
        group: RBAC,
        plural: "roles",
        singular: "role",
        name: "Role",
        through: through::<Role>,
        ..PLAIN
    },
    Resource {
        kind: Kind::SelfSubjectReview,
        group: AUTHENTICATION,
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        name: "SelfSubjectReview",
        namespaced: false,
        verbs: ASKED,
        through: through::<k8s_openapi::api::authentication::v1::SelfSubjectReview>,
        ..PLAIN
    },
    Resource {
        kind: Kind::LocalSubjectAccessReview,
        group: AUTHORIZATION,
        plural: "localsubjectaccessreviews",
        singular: "localsubjectaccessreview",
        name: "LocalSubjectAccessReview",
        verbs: ASKED,
        through: through::<k8s_openapi::api::authorization::v1::LocalSubjectAccessReview>,
        ..PLAIN
    },
    Resource {
        kind: Kind::SelfSubjectAccessReview,
        group: AUTHORIZATION,
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        name: "SelfSubjectAccessReview",
        namespaced: false,
        verbs: ASKED,
        through: through::<k8s_openapi::api::authorization::v1::SelfSubjectAccessReview>,
        ..PLAIN
    },
    Resource {
        kind: Kind::SelfSubjectRulesReview,
        group: AUTHORIZATION,
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        name: "SelfSubjectRulesReview",
        namespaced: false,
        verbs: ASKED,
        through: through::<k8s_openapi::api::authorization::v1::SelfSubjectRulesReview>,
        ..PLAIN
    },
    Resource {
        kind: Kind::SubjectAccessReview,
        group: AUTHORIZATION,
        plural: "subjectaccessreviews",
        singular: "subjectaccessreview",
        name: "SubjectAccessReview",
        namespaced: false,
        verbs: ASKED,
        through: through::<k8s_openapi::api::authorization::v1::SubjectAccessReview>,
        ..PLAIN
    },
];

fn through<T: Serialize + DeserializeOwned>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(T::deserialize(object)?)
}

impl Kind {
    /// The description of the kind.
    pub fn resource(self) -> &'static Resource {
        &RESOURCES[self as usize]
    }
}

impl Resource {
    /// The kind with this group and plural.
    pub fn find(group: &str, plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.group == group && resource.plural == plural)
    }

    /// The group and version, as in objects.
    pub fn api_version(&self) -> String {
        api_version(self.group)
    }

    /// Whether objects of this kind are stored.
    pub fn is_kept(&self) -> bool {
        (self.kind as usize) < KEPT
    }

    /// Whether objects have a status that only its subresource can write.
    pub fn has_status(&self) -> bool {
        self.subresources.iter().any(|(name, _)| *name == "status")
    }
}

/// A group with its version, as objects name them.
pub fn api_version(group: &str) -> String {
    if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") }
}

/// The groups other than the core, in discovery order.
pub fn groups() -> impl Iterator<Item = &'static str> {
    [AUTHENTICATION, AUTHORIZATION, CERTIFICATES, RBAC, COORDINATION].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_at_its_index() {
        for (place, resource) in RESOURCES.iter().enumerate() {
            assert_eq!(resource.kind as usize, place, "{}", resource.plural);
            assert_eq!(format!("{:?}", resource.kind), resource.name);
            assert_eq!(resource.is_kept(), resource.verbs != ASKED, "{}", resource.plural);
            let empty = (resource.through)(&Value::Object(serde_json::Map::new())).expect("an empty object");
            assert_eq!(empty["kind"], resource.name);
            assert_eq!(empty["apiVersion"], resource.api_version());
        }
    }
}
