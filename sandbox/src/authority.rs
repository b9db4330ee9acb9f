//! Certificate authorities: one that issues the server's own certificate, and another one that issues the
//! certificates of users.
//!
//! Two, because a cluster where they are the same hides the mistake of using the issuer of client
//! certificates as the cluster's CA. Certificates are encoded by hand, because rcgen keeps one
//! value for each attribute of a name, and Kubernetes reads one group from each `O`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::der;
use crate::x509::Subject;

/// Ten years, as kubeadm gives its authorities.
const AUTHORITY_VALIDITY: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// A certificate authority with its private key, which is never exported.
pub struct Authority {
    name: Subject,
    key: KeyPair,
    key_id: Vec<u8>,
    not_after: Timestamp,
    certificate: Vec<u8>,
}

/// A certificate and its private key.
pub struct Pair {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS#8, DER.
    pub key: Zeroizing<Vec<u8>>,
}

/// Why a certificate could not be created: there is no randomness, or the key cannot sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotSign(String);

impl fmt::Display for CannotSign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a certificate could not be signed: {}", self.0)
    }
}

impl std::error::Error for CannotSign {}

/// The content of a certificate besides its issuer.
pub(crate) struct Template<'a> {
    pub(crate) subject: &'a Subject,
    /// DER SubjectPublicKeyInfo.
    pub(crate) public_key: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// In the order in which they are encoded.
    pub(crate) extensions: Vec<Extension>,
}

/// One extension: its OID without tag, whether it is critical, and its value.
pub(crate) struct Extension(pub(crate) &'static [u8], pub(crate) bool, pub(crate) Vec<u8>);

// RFC 5280, 4.2.1.
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];

/// Purposes of extended key usage, the last arc below 1.3.6.1.5.5.7.3.
pub(crate) const SERVER_AUTH: u8 = 1;
pub(crate) const CLIENT_AUTH: u8 = 2;

/// Bits of key usage, from the left.
pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_CERT_SIGN: u8 = 0x04;

impl Authority {
    /// A new authority, with a new key.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(name: &str, now: Timestamp) -> Result<Self, CannotSign> {
        let mut this = Self {
            name: Subject::new(name, &[]),
            key: new_key()?,
            key_id: Vec::new(),
            not_after: later(now, AUTHORITY_VALIDITY),
            certificate: Vec::new(),
        };
        let public_key = this.key.subject_public_key_info();
        this.key_id = key_id(&public_key);
        this.certificate = this.certify(Template {
            subject: &this.name,
            public_key: &public_key,
            // A test may turn its clock back a little.
            not_before: later(now, SignedDuration::from_hours(-24)),
            not_after: this.not_after,
            extensions: vec![
                key_usage(DIGITAL_SIGNATURE | KEY_CERT_SIGN | KEY_ENCIPHERMENT),
                basic_constraints(true),
                Extension(SUBJECT_KEY_ID, false, der::value(der::OCTET_STRING, &[&this.key_id])),
            ],
        })?;
        Ok(this)
    }

    /// Its own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its own certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// When its certificate expires; no certificate that it issues outlives it.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// A certificate for a server on loopback, valid as long as the authority.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn issue_serving(&self, now: Timestamp) -> Result<Pair, CannotSign> {
        let names: Vec<u8> = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            .into_iter()
            .flat_map(|name| der::value(der::context(2, false), &[name.as_bytes()]))
            .chain(der::value(der::context(7, false), &[&[127, 0, 0, 1]]))
            .collect();
        let key = new_key()?;
        let certificate = self.certify(Template {
            subject: &Subject::new("kube-apiserver", &[]),
            public_key: &key.subject_public_key_info(),
            not_before: later(now, SignedDuration::from_hours(-24)),
            not_after: self.not_after,
            extensions: vec![
                key_usage(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT),
                extended_key_usage(&[&purpose(SERVER_AUTH)]),
                basic_constraints(false),
                self.authority_key_id(),
                Extension(SUBJECT_ALTERNATIVE_NAME, false, der::sequence(&[&names])),
            ],
        })?;
        Ok(Pair { certificate, key: Zeroizing::new(key.serialize_der()) })
    }

    /// A client certificate for a user in groups, with a new key, valid as long as the authority.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn issue_client(&self, user: &str, groups: &[&str], now: Timestamp) -> Result<Pair, CannotSign> {
        let key = new_key()?;
        let certificate = self.sign_client(&key.subject_public_key_info(), user, groups, now)?;
        Ok(Pair { certificate, key: Zeroizing::new(key.serialize_der()) })
    }

    /// A client certificate (DER) for a public key (DER SubjectPublicKeyInfo): what no signer has
    /// checked.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn sign_client(
        &self,
        public_key: &[u8],
        user: &str,
        groups: &[&str],
        now: Timestamp,
    ) -> Result<Vec<u8>, CannotSign> {
        self.certify(Template {
            subject: &Subject::new(user, groups),
            public_key,
            not_before: later(now, SignedDuration::from_hours(-24)),
            not_after: self.not_after,
            extensions: vec![
                key_usage(DIGITAL_SIGNATURE),
                extended_key_usage(&[&purpose(CLIENT_AUTH)]),
                basic_constraints(false),
                self.authority_key_id(),
            ],
        })
    }

    /// A certificate (DER), signed (RFC 5280, 4.1).
    pub(crate) fn certify(&self, template: Template<'_>) -> Result<Vec<u8>, CannotSign> {
        let algorithm = der::sequence(&[&der::value(der::OID, &[ECDSA_WITH_SHA256])]);
        let extensions: Vec<u8> = template.extensions.iter().flat_map(Extension::to_der).collect();
        let to_be_signed = der::sequence(&[
            &der::value(der::context(0, true), &[&der::integer(&[2])]),
            &der::integer(&serial_number()?),
            &algorithm,
            &self.name.to_der(),
            &der::sequence(&[&der::time(template.not_before), &der::time(template.not_after)]),
            &template.subject.to_der(),
            template.public_key,
            &der::value(der::context(3, true), &[&der::sequence(&[&extensions])]),
        ]);
        let signature = self.key.sign(&to_be_signed).map_err(|error| CannotSign(error.to_string()))?;
        Ok(der::sequence(&[&to_be_signed, &algorithm, &der::bits(&signature)]))
    }

    /// Identifies the issuer's signing key.
    pub(crate) fn authority_key_id(&self) -> Extension {
        let id = der::value(der::context(0, false), &[&self.key_id]);
        Extension(AUTHORITY_KEY_ID, false, der::sequence(&[&id]))
    }
}

/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

impl Extension {
    fn to_der(&self) -> Vec<u8> {
        let critical = if self.1 { der::value(der::BOOLEAN, &[&[0xff]]) } else { Vec::new() };
        der::sequence(&[
            &der::value(der::OID, &[self.0]),
            &critical,
            &der::value(der::OCTET_STRING, &[&self.2]),
        ])
    }
}

/// The bits, from the left, without trailing zeros.
pub(crate) fn key_usage(bits: u8) -> Extension {
    let unused = bits.trailing_zeros().min(7) as u8;
    Extension(KEY_USAGE, true, der::value(der::BIT_STRING, &[&[unused, bits]]))
}

pub(crate) fn extended_key_usage(purposes: &[&[u8]]) -> Extension {
    let purposes: Vec<u8> = purposes.iter().flat_map(|purpose| der::value(der::OID, &[purpose])).collect();
    Extension(EXTENDED_KEY_USAGE, false, der::sequence(&[&purposes]))
}

/// The OID of a purpose, 1.3.6.1.5.5.7.3 and its last arc.
pub(crate) fn purpose(arc: u8) -> [u8; 8] {
    [0x2b, 6, 1, 5, 5, 7, 3, arc]
}

pub(crate) fn basic_constraints(is_authority: bool) -> Extension {
    let content: &[u8] = if is_authority { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    Extension(BASIC_CONSTRAINTS, true, der::sequence(&[content]))
}

fn new_key() -> Result<KeyPair, CannotSign> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| CannotSign(error.to_string()))
}

/// RFC 7093, 2, method 1.
fn key_id(public_key: &[u8]) -> Vec<u8> {
    Sha256::digest(public_key)[..20].to_vec()
}

/// 128 random bits (pkg/controller/certificates/authority/authority.go).
fn serial_number() -> Result<[u8; 16], CannotSign> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|error| CannotSign(error.to_string()))?;
    Ok(serial)
}

/// The time after a span, or the latest time that can be represented.
pub(crate) fn later(time: Timestamp, while_: SignedDuration) -> Timestamp {
    time.checked_add(while_).unwrap_or(Timestamp::MAX)
}

/// One PEM block, with OpenSSL's line length.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    let text = STANDARD.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests;
