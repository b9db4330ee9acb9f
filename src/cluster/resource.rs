//! The kinds of object that certctl touches, where they are in the API, and what a call on one of
//! them is called in an error.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// One kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Namespaces,
    ClusterRoles,
    Roles,
    ClusterRoleBindings,
    RoleBindings,
    SigningRequests,
    /// The approval of a CertificateSigningRequest, a subresource with its own permission.
    SigningApproval,
    SelfSubjectReviews,
    SelfSubjectRulesReviews,
    SubjectAccessReviews,
    Leases,
    ConfigMaps,
}

impl Resource {
    /// The plural, as in the rules of a role.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ClusterRoles => "clusterroles",
            Self::Roles => "roles",
            Self::ClusterRoleBindings => "clusterrolebindings",
            Self::RoleBindings => "rolebindings",
            Self::SigningRequests => "certificatesigningrequests",
            Self::SigningApproval => "certificatesigningrequests/approval",
            Self::SelfSubjectReviews => "selfsubjectreviews",
            Self::SelfSubjectRulesReviews => "selfsubjectrulesreviews",
            Self::SubjectAccessReviews => "subjectaccessreviews",
            Self::Leases => "leases",
            Self::ConfigMaps => "configmaps",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Namespaces | Self::ConfigMaps => "",
            Self::ClusterRoles | Self::Roles | Self::ClusterRoleBindings | Self::RoleBindings => {
                "rbac.authorization.k8s.io"
            }
            Self::SigningRequests | Self::SigningApproval => "certificates.k8s.io",
            Self::SelfSubjectReviews => "authentication.k8s.io",
            Self::SelfSubjectRulesReviews | Self::SubjectAccessReviews => "authorization.k8s.io",
            Self::Leases => "coordination.k8s.io",
        }
    }

    /// The plural with its group, as kubectl takes it: `rolebindings.rbac.authorization.k8s.io`,
    /// and a subresource after it.
    pub(super) fn qualified(self) -> String {
        let group = self.group();
        if group.is_empty() {
            return self.plural().to_owned();
        }
        match self.plural().split_once('/') {
            Some((plural, subresource)) => format!("{plural}.{group}/{subresource}"),
            None => format!("{}.{group}", self.plural()),
        }
    }

    /// The path of the collection, in one namespace or across all.
    pub(super) fn path(self, namespace: Option<&str>) -> String {
        let plural = self.plural().split('/').next().unwrap_or_default();
        let root = match self.group() {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{}/{plural}", segment(namespace)),
            None => format!("{root}/{plural}"),
        }
    }
}

/// What a segment of a URL's path does not take as it stands.
const NOT_OF_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// A name as one segment of a URL's path. RBAC names may contain `?` and `#`, which would otherwise
/// end the path (`ValidatePathSegmentName` in k8s.io/apimachinery refuses only `/`, `%`, `.`, `..`).
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NOT_OF_SEGMENT).to_string()
}

/// Where a call looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A kind without namespaces.
    Cluster,
    /// A kind with namespaces, across all of them.
    AllNamespaces,
    /// One namespace.
    Namespace(String),
}

/// One call, as errors describe it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The verb of RBAC: get, list, watch, create, update, patch, delete.
    pub(super) verb: &'static str,
    pub(super) resource: Resource,
    pub(super) place: Place,
    pub(super) name: Option<String>,
    /// What was not done if it fails, e.g. `nothing was changed`.
    pub(super) otherwise: &'static str,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource.qualified())?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match &self.place {
            Place::Cluster => Ok(()),
            Place::AllNamespaces => f.write_str(" in all namespaces"),
            Place::Namespace(namespace) => write!(f, " in namespace `{namespace}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names_are_those_of_the_api() {
        assert_eq!(Resource::Namespaces.path(None), "/api/v1/namespaces");
        assert_eq!(
            Resource::RoleBindings.path(Some("shop")),
            "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings"
        );
        assert_eq!(
            Resource::SigningApproval.path(None),
            "/apis/certificates.k8s.io/v1/certificatesigningrequests"
        );
        assert_eq!(
            Resource::SigningApproval.qualified(),
            "certificatesigningrequests.certificates.k8s.io/approval"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("certctl:developers:edit"), "certctl:developers:edit");
        assert_eq!(segment("a?b#c/d%e f"), "a%3Fb%23c%2Fd%25e%20f");
    }
}
