//! Who sends a request.

use std::collections::BTreeMap;

/// An identity as authentication finds it (`user.Info` in k8s.io/apiserver).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name that RBAC and the audit log know.
    pub name: String,
    /// Empty for certificates.
    pub uid: String,
    /// Every group, the implied ones included.
    pub groups: Vec<String>,
    /// What else authentication found out, such as the credential's id.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A request without credentials.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            uid: String::new(),
            groups: vec!["system:unauthenticated".to_owned()],
            extra: BTreeMap::new(),
        }
    }

    /// The identity in a client certificate (DER) that was verified already. `None` where it holds none.
    pub fn from_certificate(_certificate: &[u8]) -> Option<Self> {
        None
    }
}
