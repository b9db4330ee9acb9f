//! Who sends a request.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::x509;

/// An identity as authentication establishes it (`user.Info` in k8s.io/apiserver).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name that RBAC and the audit log know.
    pub name: String,
    /// Empty for most certificates.
    pub uid: String,
    /// Every group, the implied ones included.
    pub groups: Vec<String>,
    /// Further attributes from authentication, such as the credential's id.
    pub extra: BTreeMap<String, Vec<String>>,
}

const ANONYMOUS: &str = "system:anonymous";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

impl User {
    /// A request without credentials.
    pub fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.to_owned(),
            uid: String::new(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            extra: BTreeMap::new(),
        }
    }

    /// The identity in a client certificate (DER) that was already verified. `None` if it contains
    /// none: it has no CN, more than one uid or an empty one.
    ///
    /// k8s.io/apiserver/pkg/authentication/request/x509/x509.go, CommonNameUserConversion, and
    /// authentication/group/authenticated_group_adder.go.
    pub fn from_certificate(certificate: &[u8]) -> Option<Self> {
        let (subject, _) = x509::read_certificate(certificate).ok()?;
        let name = Some(subject.common_name()).filter(|name| !name.is_empty())?.to_owned();
        let uid = match subject.uids.as_slice() {
            [] => String::new(),
            [uid] if !uid.is_empty() => uid.clone(),
            _ => return None,
        };
        let mut groups = subject.organizations().to_vec();
        if name != ANONYMOUS && !groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED)
        {
            groups.push(AUTHENTICATED.to_owned());
        }
        let digest: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
        let extra = BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={digest}")])]);
        Some(Self { name, uid, groups, extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Authority;

    fn of(user: &str, groups: &[&str]) -> Option<User> {
        let now = "2026-11-01T00:00:00Z".parse().expect("a time");
        let authority = Authority::new("client CA", now).expect("made");
        let pair = authority.issue_client(user, groups, now).expect("issued");
        User::from_certificate(&pair.certificate)
    }

    #[test]
    fn the_common_name_is_the_user_and_every_organization_a_group() {
        let user = of("alice", &["ops", "team:1"]).expect("a user");
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", ""));
        assert_eq!(user.groups, ["ops", "team:1", "system:authenticated"]);
        let id = &user.extra["authentication.kubernetes.io/credential-id"];
        let hex = id[0].strip_prefix("X509SHA256=").expect("the digest of the certificate");
        assert_eq!((id.len(), hex.len()), (1, 64));
        assert!(hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{hex}");
    }

    #[test]
    fn groups_are_not_duplicated_and_an_empty_name_is_no_user() {
        assert_eq!(of("", &["ops"]), None);
        assert_eq!(User::from_certificate(b"no certificate"), None);
        let groups = |name: &str, groups: &[&str]| of(name, groups).expect("a user").groups;
        assert_eq!(groups("bob", &["system:authenticated"]), ["system:authenticated"]);
        assert_eq!(groups("bob", &["system:unauthenticated"]), ["system:unauthenticated"]);
        assert_eq!(groups("system:anonymous", &[]), [""; 0]);
    }
}
