//! The certificates of one control plane: an authority that the API server serves with, and another
//! one that its users' certificates come from. Two, because a cluster where they are the same hides
//! the mistake of writing the issuer of client certificates into a kubeconfig as the cluster's CA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _,
};

/// A certificate and its private key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A certificate authority.
pub(crate) struct Authority {
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pair: Pair,
}

impl Authority {
    pub(crate) fn new(name: &'static str) -> Result<Self, Error> {
        let key = key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let pair = Pair { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() };
        Ok(Self { name, issuer: Issuer::new(params, key), pair })
    }

    /// A serving certificate for the API server on loopback.
    pub(crate) fn issue_serving(&self) -> Result<Pair, Error> {
        let names = ["127.0.0.1", "localhost", "kubernetes.default"].map(String::from);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name("kube-apiserver");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = key()?;
        Ok(Pair { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }

    /// A client certificate for `user` in `groups`, with a new key.
    pub(crate) fn issue_client(&self, user: &str, groups: &[&str]) -> Result<Pair, Error> {
        let key = key()?;
        let certificate = self.sign_client(&key.subject_public_key_info(), user, groups)?;
        Ok(Pair { certificate, key: key.serialize_pem() })
    }

    /// A client certificate for a public key (DER SubjectPublicKeyInfo), PEM.
    ///
    /// Written out by hand, because rcgen keeps one value for each attribute of a name, and
    /// Kubernetes reads one group from each `O`.
    pub(crate) fn sign_client(
        &self,
        public_key: &[u8],
        user: &str,
        groups: &[&str],
    ) -> Result<String, Error> {
        let subject = groups.iter().map(|group| (ORGANIZATION, *group)).chain([(COMMON_NAME, user)]);
        // RFC 5280, 4.1: version 3, serial number, algorithm, issuer, validity, subject, key, extensions.
        let tbs = sequence(&[
            &der(0xa0, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&serial()]),
            &ecdsa_with_sha256(),
            &name([(COMMON_NAME, self.name)]),
            &sequence(&[&der(UTC_TIME, &[b"200101000000Z"]), &der(UTC_TIME, &[b"491231235959Z"])]),
            &name(subject),
            public_key,
            &der(
                0xa3,
                &[&sequence(&[&extension(EXTENDED_KEY_USAGE, &sequence(&[&der(OID, &[CLIENT_AUTH])]))])],
            ),
        ]);
        let signature = self.issuer.key().sign(&tbs)?;
        let certificate = sequence(&[&tbs, &ecdsa_with_sha256(), &der(BIT_STRING, &[&[0], &signature])]);
        Ok(pem("CERTIFICATE", &certificate))
    }
}

/// A fresh P-256 key pair.
pub(crate) fn key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn common_name(value: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, value);
    name
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03]; // 2.5.4.3
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a]; // 2.5.4.10
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25]; // 2.5.29.37
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]; // 1.3.6.1.5.5.7.3.2
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]; // 1.2.840.10045.4.3.2

fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[&der(OID, &[ECDSA_WITH_SHA256])])
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&der(OID, &[oid]), &der(OCTET_STRING, &[value])])
}

fn name<'a>(attributes: impl IntoIterator<Item = (&'a [u8], &'a str)>) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = attributes
        .into_iter()
        .map(|(oid, value)| {
            der(SET, &[&sequence(&[&der(OID, &[oid]), &der(UTF8_STRING, &[value.as_bytes()])])])
        })
        .collect();
    sequence(&[&sets.concat()])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, parts)
}

/// One DER element: tag, length, and the parts joined.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    if content.len() < 0x80 {
        element.push(content.len() as u8);
    } else {
        let length: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        element.push(0x80 | length.len() as u8);
        element.extend(length);
    }
    element.extend(content);
    element
}

/// Eight random bytes that DER reads as a positive number of its shortest form.
fn serial() -> [u8; 8] {
    let mut bytes = crate::random().to_be_bytes();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for start in (0..text.len()).step_by(64) {
        pem.push_str(&text[start..text.len().min(start + 64)]);
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}
