//! Where the kinds of object that certctl touches are in the API, and what a call on one of them is called in
//! an error.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) use crate::rights::{Place, Resource, Right};

impl Resource {
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

impl Call {
    /// The right that it takes.
    fn right(&self) -> Right {
        let Self { verb, resource, place, name, otherwise: _ } = self.clone();
        Right { verb, resource, place, name }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.right().fmt(f)
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
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("certctl:developers:edit"), "certctl:developers:edit");
        assert_eq!(segment("a?b#c/d%e f"), "a%3Fb%23c%2Fd%25e%20f");
    }
}
