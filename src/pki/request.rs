//! PKCS#10 certificate requests: made, and read with suspicion.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

use super::{LARGEST, Names, PrivateKey, Subject};
use crate::error::{Error, Result};
use crate::model::KeyType;

/// A request for this subject and key, PEM.
///
/// Written here, because rcgen's names hold each attribute once, and a certificate with groups in
/// it has several O.
///
/// # Errors
/// It could not be signed.
pub fn signing_request(key: &PrivateKey, subject: &Subject) -> Result<String> {
    // RFC 2986, section 4; the O come before the CN, as openssl writes them.
    let mut names = Vec::new();
    for organization in &subject.organizations {
        names.extend(attribute(ORGANIZATION, organization));
    }
    names.extend(attribute(COMMON_NAME, subject.user.as_str()));
    let info = der(
        SEQUENCE,
        &[der(INTEGER, &[0]), der(SEQUENCE, &names), key.public_key_der(), der(NO_ATTRIBUTES, &[])].concat(),
    );
    let signature = key.sign(&info)?;
    let signature = [&[0], &signature[..]].concat();
    let request = der(SEQUENCE, &[info, algorithm(key.kind()), der(BIT_STRING, &signature)].concat());
    Ok(super::pem_text("CERTIFICATE REQUEST", &request))
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, constructed: the empty set of attributes.
const NO_ATTRIBUTES: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// One value of DER: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length: Vec<u8> =
                content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | length.len() as u8);
            out.extend(length);
        }
    }
    out.extend_from_slice(content);
    out
}

/// One relative distinguished name with one attribute.
fn attribute(oid: &[u8], value: &str) -> Vec<u8> {
    der(SET, &der(SEQUENCE, &[der(OID, oid), der(UTF8_STRING, value.as_bytes())].concat()))
}

/// The signature algorithm that rcgen signs with: RFC 5758 (ECDSA), RFC 8410 (Ed25519), RFC 4055 (RSA).
fn algorithm(kind: KeyType) -> Vec<u8> {
    let content = match kind {
        KeyType::EcdsaP256 => der(OID, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
        KeyType::EcdsaP384 => der(OID, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]),
        KeyType::Ed25519 => der(OID, &[0x2b, 0x65, 0x70]),
        KeyType::Rsa4096 => {
            [der(OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]), der(NULL, &[])].concat()
        }
    };
    der(SEQUENCE, &content)
}

/// What a request says, none of it believed yet.
#[derive(Debug)]
pub struct RequestSummary {
    /// Every CN.
    pub common_names: Vec<String>,
    /// Every O.
    pub organizations: Vec<String>,
    /// OIDs of other attributes of the subject.
    pub other_names: Vec<String>,
    /// DER SubjectPublicKeyInfo.
    pub public_key_der: Vec<u8>,
    /// Why the key is too weak or unknown, or `None`.
    pub weak_key: Option<String>,
    /// OIDs of the extensions that it asks for.
    pub extensions: Vec<String>,
    /// Whether whoever made it holds the private key.
    pub signature_valid: bool,
    /// The request itself.
    pub der: Vec<u8>,
}

/// Reads a PKCS#10 request, PEM or DER.
///
/// # Errors
/// It is too large, or no such request.
pub fn parse_request(bytes: &[u8]) -> Result<RequestSummary> {
    let not_one = || {
        Error::new("is no certificate request (PKCS#10)")
            .hint("make one with `openssl req -new -key KEY -subj /O=.../CN=... -out FILE`")
    };
    if bytes.len() > LARGEST {
        return Err(Error::new(format!("is longer than {LARGEST} bytes, so it is no certificate request")));
    }
    let der = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        let (_, pem) = x509_parser::pem::parse_x509_pem(bytes).map_err(|_| not_one())?;
        if pem.label != "CERTIFICATE REQUEST" && pem.label != "NEW CERTIFICATE REQUEST" {
            return Err(not_one());
        }
        pem.contents
    } else {
        bytes.to_vec()
    };
    let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| not_one())?;
    if !rest.is_empty() {
        return Err(not_one());
    }
    let info = &request.certification_request_info;
    let names = Names::of(&info.subject);
    let extensions = request.requested_extensions().into_iter().flatten();
    let extensions = extensions.map(|extension| match extension {
        x509_parser::extensions::ParsedExtension::UnsupportedExtension { oid } => oid.to_id_string(),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or("an extension").to_owned(),
    });
    Ok(RequestSummary {
        common_names: names.common_names,
        organizations: names.organizations,
        other_names: names.others,
        public_key_der: info.subject_pki.raw.to_vec(),
        weak_key: weakness(&info.subject_pki),
        extensions: extensions.collect(),
        signature_valid: request.verify_signature().is_ok(),
        der: der.clone(),
    })
}

/// RSA below 2048 bits, and whatever is not RSA, ECDSA on P-256 or P-384, or Ed25519.
fn weakness(key: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Option<String> {
    const ED25519: &str = "1.3.101.112";
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() < 2048 => {
            Some(format!("its RSA key has {} bits; 2048 is the least", rsa.key_size()))
        }
        Ok(PublicKey::RSA(_)) => None,
        Ok(PublicKey::EC(point)) if matches!(point.key_size(), 256 | 384) => None,
        Ok(PublicKey::EC(point)) => {
            Some(format!("its key is on a curve of {} bits; use P-256 or P-384", point.key_size()))
        }
        _ if key.algorithm.algorithm.to_id_string() == ED25519 => None,
        _ => Some("its key is neither RSA, nor ECDSA on P-256 or P-384, nor Ed25519".to_owned()),
    }
}

/// Whether a request is exactly the one that is wanted.
///
/// # Errors
/// What differs. Nothing may be sent then.
pub fn verify_request(request: &[u8], public_key_der: &[u8], subject: &Subject) -> Result<()> {
    let found = parse_request(request)?;
    let names = Names {
        common_names: found.common_names,
        organizations: found.organizations,
        others: found.other_names,
    };
    let difference = if !found.signature_valid {
        Some("its signature is not that of its key".to_owned())
    } else if found.public_key_der != public_key_der {
        Some("it holds another public key".to_owned())
    } else if let Some(extension) = found.extensions.first() {
        Some(format!("it asks for the extension {extension}"))
    } else {
        subject.difference(&names)
    };
    match difference {
        None => Ok(()),
        Some(what) => {
            Err(Error::new(format!("the certificate request is not the one wanted: {what}; it was not sent")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::CredentialGroup;

    fn subject(key: &PrivateKey, groups: &[&str]) -> Subject {
        let groups: BTreeSet<_> = groups.iter().map(|group| group.parse().expect("a name")).collect();
        Subject::new(
            &CredentialGroup { user: "alice".parse().expect("a name"), id: key.credential_id() },
            &groups,
        )
    }

    #[test]
    fn what_is_made_is_what_is_wanted_for_every_kind_of_key() {
        for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096] {
            let key = PrivateKey::generate(kind).expect("a key");
            let subject = subject(&key, &["developers", "on-call", "ops"]);
            let request = signing_request(&key, &subject).expect("a request");
            verify_request(request.as_bytes(), &key.public_key_der(), &subject).expect("the one wanted");
            let found = parse_request(request.as_bytes()).expect("it parses");
            assert_eq!(found.organizations, subject.organizations);
            assert_eq!(found.weak_key, None);
        }
    }

    #[test]
    fn every_difference_is_found() {
        let key = PrivateKey::generate(KeyType::EcdsaP256).expect("a key");
        let other = PrivateKey::generate(KeyType::EcdsaP256).expect("a key");
        let wanted = subject(&key, &["developers"]);
        let refused = |request: &str, key: &PrivateKey, wanted: &Subject| {
            verify_request(request.as_bytes(), &key.public_key_der(), wanted)
                .expect_err("refused")
                .message()
                .to_owned()
        };
        let right = signing_request(&key, &wanted).expect("a request");
        assert!(refused(&right, &other, &wanted).contains("another public key"));
        assert!(refused(&right, &key, &subject(&key, &[])).contains("its O is"));
        assert!(refused(&right, &key, &subject(&other, &["developers"])).contains("its O is"));
        let mut bob = wanted.clone();
        bob.user = "bob".parse().expect("a name");
        assert!(refused(&right, &key, &bob).contains("its CN is `alice`, not `bob`"));

        // One bit of the signature.
        let (_, pem) = x509_parser::pem::parse_x509_pem(right.as_bytes()).expect("PEM");
        let mut der = pem.contents;
        *der.last_mut().expect("bytes") ^= 1;
        assert!(!parse_request(&der).expect("it still parses").signature_valid);
    }

    #[test]
    fn rubbish_is_refused() {
        for bytes in [
            &b""[..],
            b"x",
            b"-----BEGIN CERTIFICATE REQUEST-----\n!\n-----END CERTIFICATE REQUEST-----\n",
            &[0x30; 70],
        ] {
            assert!(parse_request(bytes).is_err());
        }
    }
}
