//! Certificates that come back from a cluster, or lie in a record.

use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::{LARGEST, Names, Subject, pem_text};
use crate::error::{Error, Result};
use crate::model::{CredentialId, hex, sha256};

/// The longest chain: a leaf and some intermediates.
const LONGEST_CHAIN: usize = 10;

/// How far the clocks of the cluster and of this machine may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A client certificate, with any intermediates.
#[derive(Debug, Clone)]
pub struct Certificate {
    pem: String,
    public_key_der: Vec<u8>,
    serial: String,
    sha256: String,
    not_before: Timestamp,
    not_after: Timestamp,
    common_name: String,
    organizations: Vec<String>,
    client_auth: bool,
}

impl Certificate {
    /// Reads a chain, leaf first.
    ///
    /// # Errors
    /// It is too long, no PEM, no certificate, the certificate of an authority, or its subject holds
    /// more than one CN and some O.
    pub fn from_pem(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| Error::new(format!("the certificate {what}"));
        if bytes.len() > LARGEST {
            return Err(wrong(&format!("is longer than {LARGEST} bytes")));
        }
        let mut chain = Vec::new();
        for pem in Pem::iter_from_buffer(bytes) {
            let pem = pem.map_err(|cause| wrong("is no PEM").caused_by(cause))?;
            if pem.label != "CERTIFICATE" || chain.len() == LONGEST_CHAIN {
                return Err(wrong("comes with something else, or with too long a chain"));
            }
            chain.push(pem.contents);
        }
        let leaf = chain.first().ok_or_else(|| wrong("is no PEM"))?;
        let (rest, parsed) =
            X509Certificate::from_der(leaf).map_err(|cause| wrong("cannot be read").caused_by(cause))?;
        if !rest.is_empty() {
            return Err(wrong("has something behind it"));
        }
        if parsed.is_ca() {
            return Err(wrong("is that of an authority"));
        }
        let names = Names::of(parsed.subject());
        if let Some(other) = names.others.first() {
            return Err(wrong(&format!("has {other} in its subject")));
        }
        let [common_name] = &names.common_names[..] else {
            return Err(wrong(&format!("has {} CN", names.common_names.len())));
        };
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp())
                .map_err(|cause| wrong("has an impossible date").caused_by(cause))
        };
        let usage =
            parsed.extended_key_usage().map_err(|cause| wrong("has key usages twice").caused_by(cause))?;
        let serial = hex(parsed.raw_serial());
        Ok(Self {
            pem: chain.iter().map(|der| pem_text("CERTIFICATE", der)).collect(),
            public_key_der: parsed.public_key().raw.to_vec(),
            serial: serial.trim_start_matches('0').to_owned(),
            sha256: hex(&sha256(leaf)),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            common_name: common_name.clone(),
            organizations: names.organizations,
            client_auth: usage.is_some_and(|usage| usage.value.client_auth),
        })
    }

    /// The chain in its one normal form.
    pub fn pem(&self) -> &str {
        &self.pem
    }
    /// DER SubjectPublicKeyInfo.
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }
    /// The digest of its public key.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::of_public_key(&self.public_key_der)
    }
    /// Lower-case hex without leading zeros.
    pub fn serial(&self) -> &str {
        &self.serial
    }
    /// SHA-256 of the leaf (DER): `X509SHA256=` in the audit log.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
    /// Valid from.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }
    /// Valid until.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
    /// The user.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }
    /// The groups, in the order of the certificate.
    pub fn organizations(&self) -> &[String] {
        &self.organizations
    }
}

/// Whether a certificate that came back is the one that was asked for.
///
/// # Errors
/// What differs. It must be neither sealed nor bound then.
pub fn verify_issued(
    certificate: &Certificate,
    public_key_der: &[u8],
    subject: &Subject,
    now: Timestamp,
    not_after_limit: Option<Timestamp>,
) -> Result<()> {
    let names = Names {
        common_names: vec![certificate.common_name.clone()],
        organizations: certificate.organizations.clone(),
        others: Vec::new(),
    };
    let difference = if certificate.public_key_der != public_key_der {
        Some("it holds another public key".to_owned())
    } else if let Some(difference) = subject.difference(&names) {
        Some(difference)
    } else if !certificate.client_auth {
        Some("it is not for client authentication".to_owned())
    } else if certificate.not_after <= now {
        Some(format!("it expired at {}", certificate.not_after))
    } else if certificate.not_before > now + SKEW {
        Some(format!("it is valid only from {}", certificate.not_before))
    } else {
        // The signer counts from its own clock.
        not_after_limit
            .filter(|limit| certificate.not_after > *limit + SKEW)
            .map(|limit| format!("it is valid until {}, and access ends at {limit}", certificate.not_after))
    };
    match difference {
        None => Ok(()),
        Some(what) => Err(Error::new(format!(
            "the certificate that the cluster issued is not the one asked for: {what}; it was thrown away"
        ))
        .hint("find out who signs for this signer: something in the cluster answers in its place")),
    }
}

/// Whether PEM is a bundle of CA certificates.
///
/// # Errors
/// It is none.
pub fn check_authority(pem: &[u8]) -> Result<()> {
    let wrong =
        |what: &str| Error::new(what.to_owned()).hint("it must be PEM, with one or more CA certificates");
    let mut count = 0;
    for pem in Pem::iter_from_buffer(pem) {
        let pem = pem.map_err(|cause| wrong("is no PEM").caused_by(cause))?;
        if pem.label != "CERTIFICATE" {
            return Err(wrong(&format!("holds a {}, which is no certificate", pem.label.escape_debug())));
        }
        X509Certificate::from_der(&pem.contents)
            .map_err(|_| wrong("holds a certificate that cannot be read"))?;
        count += 1;
    }
    if count == 0 { Err(wrong("holds no certificate")) } else { Ok(()) }
}
