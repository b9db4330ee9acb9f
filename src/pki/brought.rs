//! A request that a person brought, so that their private key never leaves them.

use std::collections::BTreeSet;

use super::{KeyAlgorithm, KeyDescription, parse_request};
use crate::error::{Error, Result};
use crate::model::{CredentialGroup, CredentialId, GroupName, UserName, hex, sha256};

/// A request that contains only what the roster allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtRequest {
    /// The digest of its public key.
    pub id: CredentialId,
    /// SHA-256 of the request (DER), lower-case hex.
    pub sha256: String,
    /// The request in its one normal form, PEM.
    pub pem: String,
}

/// Checks a `csr:` file: CN, exactly the credential group of its own key and the groups that go into
/// the certificate, a strong key, a valid signature, and nothing else.
///
/// # Errors
/// What is wrong, and how to create a correct one.
pub fn check_brought_request(
    bytes: &[u8],
    user: &UserName,
    groups: &BTreeSet<GroupName>,
) -> Result<BroughtRequest> {
    let request = parse_request(bytes)?;
    let id = request.credential_id();
    let group = CredentialGroup::new(user, id.clone()).to_string();
    let mut wanted: Vec<String> = vec![group];
    wanted.extend(groups.iter().map(ToString::to_string));
    let subject: String =
        wanted.iter().map(|organization| format!("/O={}", organization.replace('/', "\\/"))).collect();
    let command = format!("`openssl req -new -key KEY -subj '{subject}/CN={user}' -out FILE`");
    let mut held = request.organizations.clone();
    held.sort();
    wanted.sort();
    // First of all: the signature of a weak key cannot even be verified.
    let wrong = if let Some(weak) = weakness(&request.key) {
        Some((
            weak,
            "make a new key, e.g. `openssl ecparam -genkey -name prime256v1 -noout -out KEY`".to_owned(),
        ))
    } else if !request.signature_valid {
        Some(("its signature is not that of its key".to_owned(), format!("make it again: {command}")))
    } else if request.common_name.as_deref() != Some(user.as_str()) {
        Some((
            format!("its CN is {}, not `{user}`", listed(request.common_name.as_slice())),
            format!("with the same key: {command}"),
        ))
    } else if held != wanted {
        Some((
            format!("its O is {}, not {}", listed(&request.organizations), listed(&wanted)),
            format!("with the same key, whose credential group this is: {command}"),
        ))
    } else if let Some(other) = request.other_attributes.first() {
        Some((format!("its subject also holds {other}"), format!("with the same key: {command}")))
    } else {
        request.extensions.first().map(|extension| {
            (format!("it asks for the extension {extension}"), format!("leave extensions out: {command}"))
        })
    };
    match wrong {
        Some((what, hint)) => Err(Error::new(format!("{what}; nothing was issued for it")).hint(hint)),
        None => Ok(BroughtRequest { id, sha256: hex(&sha256(&request.der)), pem: request.pem() }),
    }
}

/// RSA below 2048 bits, and whatever is neither RSA, nor ECDSA on P-256 or P-384, nor Ed25519.
fn weakness(key: &KeyDescription) -> Option<String> {
    match key.algorithm {
        KeyAlgorithm::Rsa if key.bits < 2048 => {
            Some(format!("its RSA key has {} bits; 2048 is the least", key.bits))
        }
        KeyAlgorithm::Rsa | KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::Ed25519 => None,
        KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Other(_) => {
            Some(format!("its key is {key}; use RSA, ECDSA on P-256 or P-384, or Ed25519"))
        }
    }
}

fn listed(values: &[String]) -> String {
    if values.is_empty() {
        return "missing".to_owned();
    }
    values.iter().map(|value| format!("`{}`", value.escape_debug())).collect::<Vec<_>>().join(", ")
}
