//! Keys, certificate requests and certificates.
//!
//! [`PrivateKey`] lives in memory and is wiped; it cannot be printed, copied or serialized. A request
//! is checked before it is sent, a certificate when it comes back: public key, CN and every O
//! exactly. Everything that is parsed here may be hostile, is bounded, and is refused with its reason.

mod brought;
mod certificate;
mod key;
mod request;

pub use brought::{BroughtRequest, check_brought_request};
pub use certificate::{Certificate, check_authority, verify_issued};
pub use key::PrivateKey;
pub(crate) use key::belongs_to;
pub use request::{RequestSummary, parse_request, signing_request, verify_request};

use std::collections::BTreeSet;

use x509_parser::x509::X509Name;

use crate::model::{CredentialGroup, GroupName, UserName};

/// The largest request, certificate chain or CA bundle that is looked at, in bytes.
const LARGEST: usize = 256 * 1024;

/// Whom a certificate is for: Kubernetes takes CN as the user and every O as a group
/// (`CommonNameUserConversion` in k8s.io/apiserver/pkg/authentication/request/x509).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// CN.
    pub user: UserName,
    /// Every O: the credential group, then the groups in the certificate.
    pub organizations: Vec<String>,
}

impl Subject {
    /// The subject of a credential.
    pub fn new(group: &CredentialGroup, in_certificate: &BTreeSet<GroupName>) -> Self {
        let mut organizations = vec![group.to_string()];
        organizations.extend(in_certificate.iter().map(ToString::to_string));
        Self { user: group.user.clone(), organizations }
    }

    /// Why these names are not exactly this subject's, or `None`.
    fn difference(&self, found: &Names) -> Option<String> {
        if found.common_names != [self.user.as_str()] {
            return Some(format!("its CN is {}, not `{}`", listed(&found.common_names), self.user));
        }
        let mut wanted = self.organizations.clone();
        let mut held = found.organizations.clone();
        wanted.sort();
        held.sort();
        if held != wanted {
            return Some(format!(
                "its O is {}, not {}",
                listed(&found.organizations),
                listed(&self.organizations)
            ));
        }
        found.others.first().map(|other| format!("its subject also holds {other}"))
    }
}

fn listed(values: &[String]) -> String {
    if values.is_empty() {
        return "missing".to_owned();
    }
    values.iter().map(|value| format!("`{}`", value.escape_debug())).collect::<Vec<_>>().join(", ")
}

/// What a subject holds.
#[derive(Debug, Default)]
struct Names {
    common_names: Vec<String>,
    organizations: Vec<String>,
    /// OIDs of whatever else there is, and attributes that are no text.
    others: Vec<String>,
}

impl Names {
    fn of(name: &X509Name<'_>) -> Self {
        let mut names = Self::default();
        for attribute in name.iter_attributes() {
            let oid = attribute.attr_type();
            match attribute.as_str() {
                Ok(text) if *oid == x509_parser::oid_registry::OID_X509_COMMON_NAME => {
                    names.common_names.push(text.to_owned());
                }
                Ok(text) if *oid == x509_parser::oid_registry::OID_X509_ORGANIZATION_NAME => {
                    names.organizations.push(text.to_owned());
                }
                _ => names.others.push(oid.to_id_string()),
            }
        }
        names
    }
}

/// Public data in PEM (RFC 7468).
fn pem_text(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
