//! Certificate signing requests (PKCS#10): written with exactly one subject, and read from anyone.
//!
//! A request of ours contains CN, O and a public key, no attribute and no extension. [`parse_request`]
//! returns what any request contains and refuses only what cannot be parsed; the caller judges it.

use std::collections::BTreeSet;

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::FromDer as _;

use super::der::{self, value};
use super::key::{KeyDescription, PrivateKey};
use super::name::Names;
use super::{SIZE_LIMIT, pem};
use crate::error::{Error, Result, visible_line};
use crate::model::{CredentialGroup, CredentialId, GroupName, KeyType, UserName};

/// id-at-commonName and id-at-organizationName, as DER content.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];

/// Whom a certificate names: CN and every O. Kubernetes takes them as user and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSubject {
    /// CN.
    pub user: UserName,
    /// Each O: the credential group first, then the groups in the certificate, sorted.
    pub organizations: Vec<String>,
}

impl RequestSubject {
    /// The subject of one credential.
    pub fn new(user: &UserName, id: &CredentialId, in_certificate: &BTreeSet<GroupName>) -> Self {
        let own = CredentialGroup::new(user, id.clone()).to_string();
        let groups = in_certificate.iter().map(ToString::to_string);
        Self { user: user.clone(), organizations: std::iter::once(own).chain(groups).collect() }
    }

    /// Compares with what was found: CN once, the same O's in any order, nothing twice, nothing
    /// else. `None` where they agree; otherwise both as text.
    pub(super) fn differs_from(
        &self,
        common_names: &[&str],
        organizations: &[String],
        others: &[String],
    ) -> Option<String> {
        let sorted = |texts: &[String]| {
            let mut texts = texts.to_vec();
            texts.sort();
            texts
        };
        let same = common_names == [self.user.as_str()]
            && sorted(organizations) == sorted(&self.organizations)
            && others.is_empty();
        if same {
            return None;
        }
        let list = |names: &[&str], organizations: &[String], others: &[String]| {
            let names = names.iter().map(|name| format!("CN={name}"));
            let organizations = organizations.iter().map(|name| format!("O={name}"));
            names.chain(organizations).chain(others.iter().cloned()).collect::<Vec<_>>().join(", ")
        };
        Some(format!(
            "expected `{}`, found `{}`",
            list(&[self.user.as_str()], &self.organizations, &[]),
            visible_line(&list(common_names, organizations, others)),
        ))
    }
}

/// Writes a request and signs it with its own key: PEM.
///
/// rcgen writes each attribute type once, and a Kubernetes subject needs an O for each group; so
/// the request is put together here, and rcgen's key signs it.
///
/// # Errors
/// Where the key cannot sign.
pub fn signing_request(key: &PrivateKey, subject: &RequestSubject) -> Result<String> {
    let attribute = |oid: &[u8], text: &str| {
        let kind = value(der::OID, &[oid]);
        let text = value(der::UTF8_STRING, &[text.as_bytes()]);
        value(der::SET, &[&value(der::SEQUENCE, &[&kind, &text])])
    };
    let mut name: Vec<u8> =
        subject.organizations.iter().flat_map(|name| attribute(&ORGANIZATION, name)).collect();
    name.extend(attribute(&COMMON_NAME, subject.user.as_str()));
    let info = value(
        der::SEQUENCE,
        &[
            &value(der::INTEGER, &[&[0]]),
            &value(der::SEQUENCE, &[&name]),
            &key.public_key_der(),
            &value(der::ATTRIBUTES, &[]),
        ],
    );
    // The bit string's first byte says that no bits are unused.
    let signature = value(der::BIT_STRING, &[&[0], &key.sign(&info)?]);
    let request = value(der::SEQUENCE, &[&info, signature_algorithm(key.kind()), &signature]);
    Ok(request_pem(&request))
}

/// AlgorithmIdentifier of the signatures that [`PrivateKey`] creates: ecdsa-with-SHA256 and SHA384
/// (RFC 5758), Ed25519 (RFC 8410), sha256WithRSAEncryption with NULL (RFC 4055).
fn signature_algorithm(kind: KeyType) -> &'static [u8] {
    match kind {
        KeyType::EcdsaP256 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
        KeyType::EcdsaP384 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
        KeyType::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
        KeyType::Rsa4096 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
    }
}

fn request_pem(der: &[u8]) -> String {
    // PEM is ASCII, so nothing is lost.
    String::from_utf8_lossy(&pem::encode("CERTIFICATE REQUEST", der)).into_owned()
}

/// The content of a request. All of it is untrusted: its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSummary {
    /// The CN that Kubernetes would take: the last one. Earlier ones are in `other_attributes`.
    pub common_name: Option<String>,
    /// Every O, in order.
    pub organizations: Vec<String>,
    /// Everything else in the subject, as `OU=text` or `1.2.3=#hex`.
    pub other_attributes: Vec<String>,
    /// DER SubjectPublicKeyInfo.
    pub public_key_der: Vec<u8>,
    /// What the key is.
    pub key: KeyDescription,
    /// Requested extensions and other PKCS#10 attributes, by name or OID; ours have none.
    pub extensions: Vec<String>,
    /// Whether the request is signed with its own key. False also for algorithms that certctl does
    /// not know (ECDSA on P-521, for one).
    pub signature_valid: bool,
    /// The request, DER.
    pub der: Vec<u8>,
}

impl RequestSummary {
    /// The credential that this public key would be.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::of_public_key(&self.public_key_der)
    }

    /// The request as one PEM block, as the Kubernetes API takes it.
    pub fn pem(&self) -> String {
        request_pem(&self.der)
    }
}

/// The user and the key that a CertificateSigningRequest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedSubject {
    /// The CN that Kubernetes would take: the last one.
    pub common_name: Option<String>,
    /// Every O, in order.
    pub organizations: Vec<String>,
    /// The credential that its public key would be.
    pub key: CredentialId,
}

/// Reads what a CertificateSigningRequest in a cluster asks for, however large: the first PEM block, as
/// the API server does. `None` where it cannot be read, or a CN or O in it is no text that Go reads.
pub fn requested_subject(pem: &[u8]) -> Option<RequestedSubject> {
    let text = String::from_utf8_lossy(pem);
    let blocks = pem::decode(&text).ok()?;
    let block = blocks.first().filter(|block| block.label == "CERTIFICATE REQUEST")?;
    let (_, request) = X509CertificationRequest::from_der(&block.der).ok()?;
    let info = &request.certification_request_info;
    let Names { mut common_names, organizations, others } = Names::read(&info.subject);
    let hidden = others.iter().any(|other| other.starts_with("CN=") || other.starts_with("O="));
    (!hidden).then(|| RequestedSubject {
        common_name: common_names.pop(),
        organizations,
        key: CredentialId::of_public_key(info.subject_pki.raw),
    })
}

/// Reads a request from anyone: one PEM block, or DER.
///
/// # Errors
/// If it is larger than [`SIZE_LIMIT`], or cannot be parsed as PKCS#10. A private key in its
/// place is called out, and not repeated.
pub fn parse_request(bytes: &[u8]) -> Result<RequestSummary> {
    let unreadable = |why: &str| {
        Error::new(format!("the certificate signing request cannot be read: {why}"))
            .hint("make one with `openssl req -new -key KEY -subj /CN=...` and keep its `BEGIN CERTIFICATE REQUEST` block")
    };
    if bytes.len() > SIZE_LIMIT {
        return Err(unreadable("it is larger than 64 KiB"));
    }
    // DER begins with a SEQUENCE, 0x30, which is also the digit 0: never the start of a PEM block.
    let der = if bytes.first() == Some(&der::SEQUENCE) {
        bytes.to_vec()
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is neither PEM nor DER"))?;
        let blocks = pem::decode(text)?;
        if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
            return Err(Error::new("a PRIVATE key stands where a certificate signing request should be")
                .hint("take it for leaked: delete it from the history, make a new key, and put only its request here"));
        }
        match blocks.as_slice() {
            [block] if block.label == "CERTIFICATE REQUEST" => block.der.to_vec(),
            [_] => return Err(unreadable("its PEM block is not a `CERTIFICATE REQUEST`")),
            _ => return Err(unreadable("it must be exactly one PEM block")),
        }
    };
    let (rest, request) =
        X509CertificationRequest::from_der(&der).map_err(|_| unreadable("it is no PKCS#10 request"))?;
    if !rest.is_empty() {
        return Err(unreadable("bytes follow the request"));
    }
    let info = &request.certification_request_info;
    let mut names = Names::read(&info.subject);
    let common_name = names.common_names.pop();
    let ignored = names.common_names.iter().map(|name| format!("CN={}", visible_line(name)));
    let other_attributes = ignored.chain(names.others).collect();
    let extensions = info
        .iter_attributes()
        .flat_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(requested) if !requested.extensions.is_empty() => {
                requested.extensions.iter().map(|one| extension_name(&one.oid.to_id_string())).collect()
            }
            _ => vec![extension_name(&attribute.oid.to_id_string())],
        })
        .collect();
    Ok(RequestSummary {
        common_name,
        organizations: names.organizations,
        other_attributes,
        public_key_der: info.subject_pki.raw.to_vec(),
        key: KeyDescription::of(&info.subject_pki),
        extensions,
        signature_valid: request.verify_signature().is_ok(),
        der: der.clone(),
    })
}

/// The usual name of an extension or request attribute beside its OID.
fn extension_name(oid: &str) -> String {
    let name = match oid {
        "2.5.29.14" => "subjectKeyIdentifier",
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.37" => "extendedKeyUsage",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        "1.2.840.113549.1.9.7" => "challengePassword",
        "1.2.840.113549.1.9.14" => "extensionRequest",
        _ => return oid.to_owned(),
    };
    format!("{name} ({oid})")
}

/// Checks a request before it is sent: signed by its own key, this key, exactly this subject, and
/// nothing else in it.
///
/// # Errors
/// Each mismatch says what was expected and what was found.
pub fn verify_request(request: &[u8], expected_public_key: &[u8], subject: &RequestSubject) -> Result<()> {
    let found = parse_request(request)?;
    let refused =
        |what: String| Error::new(format!("the certificate signing request {what}; it was not sent"));
    if !found.signature_valid {
        return Err(refused("is not signed by its own key".into()));
    }
    if found.public_key_der != expected_public_key {
        let expected = CredentialId::of_public_key(expected_public_key);
        return Err(refused(format!(
            "holds another public key: expected {expected}, found {}",
            found.credential_id()
        )));
    }
    let common_name: Vec<&str> = found.common_name.as_deref().into_iter().collect();
    if let Some(difference) =
        subject.differs_from(&common_name, &found.organizations, &found.other_attributes)
    {
        return Err(refused(format!("has another subject: {difference}")));
    }
    if !found.extensions.is_empty() {
        return Err(refused(format!("asks for more than a subject: {}", found.extensions.join(", "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::subject_of;

    fn own_request(kind: KeyType) -> (PrivateKey, RequestSubject, String) {
        let key = PrivateKey::generate(kind).expect("made");
        let subject = subject_of(&key, &["ops", "dev"]);
        let request = signing_request(&key, &subject).expect("signed");
        (key, subject, request)
    }

    #[test]
    fn a_request_in_a_cluster_is_read_as_the_signer_reads_it() {
        let key = PrivateKey::generate(KeyType::EcdsaP256).expect("made");
        let request = |kind: u8, name: &[u8], padding: usize| {
            let attribute = |oid: &[u8], text: &[u8]| {
                value(der::SET, &[&value(der::SEQUENCE, &[&value(der::OID, &[oid]), &value(kind, &[text])])])
            };
            let name = [attribute(&ORGANIZATION, name), attribute(&COMMON_NAME, name)].concat();
            let padding = value(0x04, &[&vec![0; padding]]);
            let padding = value(
                der::SEQUENCE,
                &[
                    &value(der::OID, &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02"]),
                    &value(der::SET, &[&padding]),
                ],
            );
            let parts: [&[u8]; 4] = [
                &value(der::INTEGER, &[&[0]]),
                &value(der::SEQUENCE, &[&name]),
                &key.public_key_der(),
                &value(der::ATTRIBUTES, &[&padding]),
            ];
            let info = value(der::SEQUENCE, &parts);
            let signature = value(der::BIT_STRING, &[&[0], &key.sign(&info).expect("signed")]);
            request_pem(&value(der::SEQUENCE, &[&info, signature_algorithm(key.kind()), &signature]))
        };
        const BMP_STRING: u8 = 0x1e;
        const UNIVERSAL_STRING: u8 = 0x1c;
        let wide: Vec<u8> = "alice".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let expected = RequestedSubject {
            common_name: Some("alice".into()),
            organizations: vec!["alice".into()],
            key: key.credential_id(),
        };
        for (kind, name, padding) in [
            (der::UTF8_STRING, b"alice".as_slice(), 0),
            (BMP_STRING, wide.as_slice(), 0),
            (BMP_STRING, wide.as_slice(), 1_200_000),
        ] {
            let request = request(kind, name, padding);
            assert_eq!(requested_subject(request.as_bytes()).as_ref(), Some(&expected), "{kind} {padding}");
            let after = format!("words\n{request}-----BEGIN OTHER-----\nAAEC\n-----END OTHER-----\n");
            assert_eq!(requested_subject(after.as_bytes()).as_ref(), Some(&expected));
        }
        for (kind, name) in
            [(UNIVERSAL_STRING, wide.as_slice()), (der::UTF8_STRING, b"\xff"), (BMP_STRING, b"a")]
        {
            assert_eq!(requested_subject(request(kind, name, 0).as_bytes()), None, "{kind}");
        }
        let good = request(der::UTF8_STRING, b"alice", 0);
        for bad in [String::new(), "\u{fffd}".repeat(1000), good[..good.len() / 2].to_owned()] {
            assert_eq!(requested_subject(bad.as_bytes()), None);
        }
    }

    #[test]
    fn a_request_contains_only_the_subject() {
        for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096] {
            let (key, subject, request) = own_request(kind);
            verify_request(request.as_bytes(), &key.public_key_der(), &subject).expect("our own");
            let found = parse_request(request.as_bytes()).expect("readable");
            assert!(found.signature_valid, "{kind}");
            assert_eq!(found.common_name.as_deref(), Some("alice"));
            let group = format!("certctl:alice:{}", key.credential_id());
            assert_eq!(found.organizations, [group.as_str(), "dev", "ops"]);
            assert_eq!(found.extensions, [""; 0]);
            assert_eq!(found.pem(), request);
            assert_eq!(parse_request(&found.der).expect("DER is read too"), found);
        }
    }

    #[test]
    fn a_request_that_is_not_ours_is_not_sent() {
        let (key, subject, request) = own_request(KeyType::EcdsaP256);
        let public = key.public_key_der();
        let refusal = |request: &str, subject: &RequestSubject| {
            let error = verify_request(request.as_bytes(), &public, subject).expect_err("differs");
            error.message().to_owned()
        };
        let (other_key, _, other) = own_request(KeyType::EcdsaP256);
        assert!(refusal(&other, &subject).contains(&format!("found {}", other_key.credential_id())));

        let fewer = subject_of(&key, &["dev"]);
        assert!(refusal(&request, &fewer).contains("another subject: expected `CN=alice, O=certctl:alice:"));
        let mut twice = subject.clone();
        twice.organizations.push("dev".into());
        let doubled = signing_request(&key, &twice).expect("signed");
        assert!(refusal(&doubled, &subject).contains("O=dev, O=ops, O=dev`"));
    }

    #[test]
    fn extensions_and_attributes_are_named_and_not_sent() {
        let signer = rcgen::KeyPair::generate().expect("made");
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "alice");
        // challengePassword, which openssl prompts for.
        let password =
            rcgen::Attribute { oid: &[1, 2, 840, 113_549, 1, 9, 7], values: b"\x31\x04\x0c\x02pw".to_vec() };
        let request = parameters.serialize_request_with_attributes(&signer, vec![password]).expect("signed");
        let found = parse_request(request.der()).expect("readable");
        assert!(found.signature_valid);
        assert_eq!(
            found.extensions,
            [
                "challengePassword (1.2.840.113549.1.9.7)",
                "subjectAltName (2.5.29.17)",
                "basicConstraints (2.5.29.19)"
            ]
        );
        let subject = RequestSubject { user: "alice".parse().expect("a user"), organizations: Vec::new() };
        let error =
            verify_request(request.der(), &found.public_key_der, &subject).expect_err("asks for more");
        assert!(error.message().contains("more than a subject: challengePassword"), "{error}");
    }

    #[test]
    fn a_changed_request_is_not_signed_by_its_own_key() {
        let (key, subject, request) = own_request(KeyType::Ed25519);
        let mut der = parse_request(request.as_bytes()).expect("readable").der;
        let position = der.windows(5).position(|part| part == b"alice").expect("the name");
        der[position] = b'b';
        let error = verify_request(&der, &key.public_key_der(), &subject).expect_err("changed");
        assert!(error.message().contains("not signed by its own key"), "{error}");
    }

    #[test]
    fn hostile_names_are_listed_as_kubernetes_reads_them() {
        let (key, _, _) = own_request(KeyType::EcdsaP256);
        // Two CNs, an OU, T61, BMP, broken UTF-8, an unknown type.
        let attributes: [(&[u8], u8, &[u8]); 7] = [
            (&[0x55, 4, 3], 0x0c, b"first"),
            (&[0x55, 4, 3], 0x13, b"last"),
            (&[0x55, 4, 11], 0x16, b"unit"),
            (&[0x55, 4, 10], 0x14, b"t\xe9"),
            (&[0x55, 4, 10], 0x1e, b"\0b\0m\0p"),
            (&[0x55, 4, 10], 0x0c, b"\xff\xfe"),
            (&[0x2a, 3], 0x0c, b"x"),
        ];
        let attribute = |(kind, tag, bytes): &(&[u8], u8, &[u8])| {
            let pair = value(der::SEQUENCE, &[&value(der::OID, &[kind]), &value(*tag, &[bytes])]);
            value(der::SET, &[&pair])
        };
        let name: Vec<u8> = attributes.iter().flat_map(attribute).collect();
        let info = value(
            der::SEQUENCE,
            &[
                &value(der::INTEGER, &[&[0]]),
                &value(der::SEQUENCE, &[&name]),
                &key.public_key_der(),
                &value(der::ATTRIBUTES, &[]),
            ],
        );
        let signature = value(der::BIT_STRING, &[&[0, 1]]);
        let request = value(der::SEQUENCE, &[&info, signature_algorithm(KeyType::EcdsaP256), &signature]);
        let found = parse_request(&request).expect("readable");
        assert_eq!(found.common_name.as_deref(), Some("last"));
        assert_eq!(found.organizations, ["té", "bmp"]);
        assert_eq!(found.other_attributes, ["CN=first", "OU=unit", "O=#fffe", "1.2.3=x"]);
        assert!(!found.signature_valid);
    }

    #[test]
    fn invalid_requests_are_refused_and_a_secret_is_named_as_such() {
        let (key, _, request) = own_request(KeyType::EcdsaP256);
        let secret = String::from_utf8(key.to_pem().to_vec()).expect("ASCII");
        let mut longer = parse_request(request.as_bytes()).expect("readable").der;
        longer.push(0);
        for (bad, why) in [
            (Vec::new(), "exactly one PEM block"),
            (vec![0xff, 0xfe], "neither PEM nor DER"),
            (vec![0x30], "no PKCS#10"),
            (longer, "bytes follow"),
            (request.repeat(2).into_bytes(), "exactly one PEM block"),
            (request.replace("CERTIFICATE", "NEW CERTIFICATE").into_bytes(), "not a `CERTIFICATE REQUEST`"),
            (secret.clone().into_bytes(), "PRIVATE key stands"),
            (format!("{request}{secret}").into_bytes(), "PRIVATE key stands"),
            (vec![0x30; SIZE_LIMIT + 1], "larger than 64 KiB"),
        ] {
            let error = parse_request(&bad).expect_err(why);
            assert!(error.message().contains(why), "{error}");
            assert!(!error.render(false).contains(secret.lines().nth(1).expect("base64")));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic() {
        let (_, _, request) = own_request(KeyType::EcdsaP256);
        let der = parse_request(request.as_bytes()).expect("readable").der;
        for position in 0..der.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = der.clone();
                broken[position] ^= flip;
                let _ = parse_request(&broken);
            }
            let _ = parse_request(&der[..position]);
        }
    }
}
