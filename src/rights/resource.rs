//! The kinds of object that certctl touches, as the rules of RBAC name them.

/// One kind of object, or what rules name like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Namespaces,
    ClusterRoles,
    Roles,
    ClusterRoleBindings,
    RoleBindings,
    SigningRequests,
    /// The approval of a CertificateSigningRequest, a subresource with its own permission.
    SigningApproval,
    /// Who signs certificates: no objects, only a name that the right to approve hangs on.
    Signers,
    SelfSubjectReviews,
    SelfSubjectRulesReviews,
    SelfSubjectAccessReviews,
    SubjectAccessReviews,
    Leases,
    ConfigMaps,
}

impl Resource {
    /// The plural, as in the rules of a role.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ClusterRoles => "clusterroles",
            Self::Roles => "roles",
            Self::ClusterRoleBindings => "clusterrolebindings",
            Self::RoleBindings => "rolebindings",
            Self::SigningRequests => "certificatesigningrequests",
            Self::SigningApproval => "certificatesigningrequests/approval",
            Self::Signers => "signers",
            Self::SelfSubjectReviews => "selfsubjectreviews",
            Self::SelfSubjectRulesReviews => "selfsubjectrulesreviews",
            Self::SelfSubjectAccessReviews => "selfsubjectaccessreviews",
            Self::SubjectAccessReviews => "subjectaccessreviews",
            Self::Leases => "leases",
            Self::ConfigMaps => "configmaps",
        }
    }

    /// The API group; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            Self::Namespaces | Self::ConfigMaps => "",
            Self::ClusterRoles | Self::Roles | Self::ClusterRoleBindings | Self::RoleBindings => {
                "rbac.authorization.k8s.io"
            }
            Self::SigningRequests | Self::SigningApproval | Self::Signers => "certificates.k8s.io",
            Self::SelfSubjectReviews => "authentication.k8s.io",
            Self::SelfSubjectRulesReviews | Self::SelfSubjectAccessReviews | Self::SubjectAccessReviews => {
                "authorization.k8s.io"
            }
            Self::Leases => "coordination.k8s.io",
        }
    }

    /// The plural with its group, as kubectl takes it: `rolebindings.rbac.authorization.k8s.io`,
    /// and a subresource after it.
    pub fn qualified(self) -> String {
        let group = self.group();
        if group.is_empty() {
            return self.plural().to_owned();
        }
        match self.plural().split_once('/') {
            Some((plural, subresource)) => format!("{plural}.{group}/{subresource}"),
            None => format!("{}.{group}", self.plural()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subresource_comes_after_the_group() {
        assert_eq!(
            Resource::SigningApproval.qualified(),
            "certificatesigningrequests.certificates.k8s.io/approval"
        );
    }
}
