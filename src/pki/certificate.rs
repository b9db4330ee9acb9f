//! Certificates as the cluster returns them and as records contain them: parsed, and compared with what
//! was asked for.
//!
//! Refuses a chain that is too long or too large, a CA in the leaf's place, several CNs, and any
//! subject attribute other than CN and O. The signature is not checked: the cluster's client CA is
//! not known here, and only the API server decides what it accepts.

use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use super::name::Names;
use super::request::RequestSubject;
use super::{SIZE_LIMIT, pem};
use crate::error::{Error, Result, visible_line};
use crate::model::{CredentialId, hex, sha256};

/// The longest chain that is read.
const CHAIN_LIMIT: usize = 10;

/// How far the clocks of this machine and of the cluster may differ: kube-controller-manager
/// computes both times from its own clock, and backdates notBefore by as much.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A client certificate and its chain, leaf first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// DER SubjectPublicKeyInfo.
    pub public_key_der: Vec<u8>,
    /// The credential, derived from the public key.
    pub credential_id: CredentialId,
    /// Serial number, lower-case hex, two digits a byte, without leading zero bytes.
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex: what the audit log shows after `X509SHA256=`.
    pub sha256: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// CN, if there is one: Kubernetes' user name.
    pub common_name: Option<String>,
    /// Every O in the certificate's order, which is the signer's: Go sorts them.
    pub organizations: Vec<String>,
    /// Whether its extended key usage contains `clientAuth`.
    pub has_client_auth: bool,
    /// The issuer's CN, if there is one.
    pub issuer_common_name: Option<String>,
    pem: String,
}

impl Certificate {
    /// Reads a PEM chain, leaf first. Text around the blocks is dropped.
    ///
    /// # Errors
    /// If it is larger than [`SIZE_LIMIT`], longer than 10 certificates, contains other blocks,
    /// cannot be read as X.509, or the leaf is no leaf or has a subject that certctl never asks for.
    pub fn from_pem(bytes: &[u8]) -> Result<Self> {
        let unreadable = |why: &str| Error::new(format!("the certificate cannot be read: {why}"));
        if bytes.len() > SIZE_LIMIT {
            return Err(unreadable("it is larger than 64 KiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is no PEM text"))?;
        let blocks = pem::decode(text)?;
        if blocks.len() > CHAIN_LIMIT {
            return Err(unreadable("its chain is longer than 10 certificates"));
        }
        if blocks.iter().any(|block| block.label != "CERTIFICATE") {
            return Err(unreadable("it holds PEM blocks other than `CERTIFICATE`"));
        }
        let mut parsed = Vec::with_capacity(blocks.len());
        let mut chain = String::new();
        for block in &blocks {
            let (rest, certificate) = X509Certificate::from_der(&block.der)
                .map_err(|_| unreadable("it is no X.509 certificate"))?;
            if !rest.is_empty() {
                return Err(unreadable("bytes follow the certificate"));
            }
            parsed.push(certificate);
            chain.push_str(&String::from_utf8_lossy(&pem::encode("CERTIFICATE", &block.der)));
        }
        let leaf = parsed.first().ok_or_else(|| unreadable("it holds no PEM block"))?;
        Self::of_leaf(leaf, chain)
    }

    fn of_leaf(leaf: &X509Certificate<'_>, pem: String) -> Result<Self> {
        let refused = |why: String| Error::new(format!("the certificate is refused: {why}"));
        let constraints =
            leaf.basic_constraints().map_err(|_| refused("its basicConstraints are broken".into()))?;
        if constraints.is_some_and(|constraints| constraints.value.ca) {
            return Err(refused("it is a certificate authority's, not a person's".into()));
        }
        let Names { mut common_names, organizations, others } = Names::read(leaf.subject());
        if common_names.len() > 1 {
            let names = visible_line(&common_names.join(", "));
            return Err(refused(format!("it has several common names: {names}")));
        }
        if !others.is_empty() {
            return Err(refused(format!("its subject holds more than CN and O: {}", others.join(", "))));
        }
        let usage =
            leaf.extended_key_usage().map_err(|_| refused("its extendedKeyUsage is broken".into()))?;
        let time = |time: ASN1Time| {
            Timestamp::from_second(time.timestamp())
                .map_err(|_| refused("its validity is out of range".into()))
        };
        let public_key_der = leaf.public_key().raw.to_vec();
        let serial = leaf.raw_serial();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        Ok(Self {
            credential_id: CredentialId::of_public_key(&public_key_der),
            public_key_der,
            serial: hex(&serial[zeros.min(serial.len().saturating_sub(1))..]),
            sha256: hex(&sha256(leaf.as_raw())),
            not_before: time(leaf.validity().not_before)?,
            not_after: time(leaf.validity().not_after)?,
            common_name: common_names.pop(),
            organizations,
            has_client_auth: usage.is_some_and(|usage| usage.value.client_auth),
            issuer_common_name: Names::read(leaf.issuer()).common_names.pop(),
            pem,
        })
    }

    /// The chain as PEM, leaf first: each block wrapped at 64 characters, and nothing between them.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// Checks an issued certificate: this public key, exactly this CN and these O's, `clientAuth`,
/// valid now, and, if there is a limit, not valid for longer.
///
/// Clocks may differ by 5 minutes: notBefore may be that far ahead, and notAfter that far past
/// `not_after_limit`, since the signer counts from the moment it signs, on its own clock.
///
/// # Errors
/// Every mismatch is reported, each with what was expected and what was found.
pub fn verify_issued(
    certificate: &Certificate,
    expected_public_key: &[u8],
    subject: &RequestSubject,
    now: Timestamp,
    not_after_limit: Option<Timestamp>,
) -> Result<()> {
    let mut errors = Vec::new();
    let mut refuse = |what: String| {
        errors.push(Error::new(format!("the cluster issued a certificate that {what}; it was not used")));
    };
    if certificate.public_key_der != expected_public_key {
        let expected = CredentialId::of_public_key(expected_public_key);
        refuse(format!("holds another public key: expected {expected}, found {}", certificate.credential_id));
    }
    let common_name: Vec<&str> = certificate.common_name.as_deref().into_iter().collect();
    if let Some(difference) = subject.differs_from(&common_name, &certificate.organizations, &[]) {
        refuse(format!("has another subject: {difference}"));
    }
    if !certificate.has_client_auth {
        refuse("cannot log in: its extended key usage lacks clientAuth".into());
    }
    let ahead = |time: Timestamp| time.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
    if certificate.not_before > ahead(now) {
        refuse(format!("is not valid yet: it begins {}, and now is {now}", certificate.not_before));
    }
    if certificate.not_after <= now {
        refuse(format!("has expired: it ended {}, and now is {now}", certificate.not_after));
    }
    if let Some(limit) = not_after_limit.filter(|limit| certificate.not_after > ahead(*limit)) {
        refuse(format!(
            "lives too long: expected until {limit} (and 5 minutes for clocks), found {}",
            certificate.not_after
        ));
    }
    Error::all(errors).map_or(Ok(()), |error| {
        Err(error.hint(
            "another program may sign or change these requests: look at the signer and at admission webhooks",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyType;
    use crate::pki::PrivateKey;
    use crate::pki::testing::{Issue, subject_of};

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyType::EcdsaP256).expect("made")
    }

    #[test]
    fn a_leaf_contains_what_the_record_needs() {
        let key = key();
        let subject = subject_of(&key, &["dev", "ops"]);
        let issued = Issue::to(&key, &subject);
        let text = format!("subject=/CN=alice\n{}", issued.pem());
        let certificate = Certificate::from_pem(text.as_bytes()).expect("valid");
        assert_eq!(certificate.public_key_der, key.public_key_der());
        assert_eq!(certificate.credential_id, key.credential_id());
        assert_eq!(certificate.serial, "7f00ab");
        assert_eq!(certificate.sha256, hex(&sha256(&issued.der())));
        assert_eq!(certificate.not_before.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(certificate.not_after.to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(certificate.common_name.as_deref(), Some("alice"));
        assert_eq!(certificate.organizations, subject.organizations);
        assert_eq!(certificate.issuer_common_name.as_deref(), Some("kubernetes-ca"));
        assert!(certificate.has_client_auth);
        assert_eq!(certificate.pem(), issued.pem(), "the text around the block is dropped");
        let again = Certificate::from_pem(certificate.pem().as_bytes()).expect("normal form");
        assert_eq!(again, certificate);
    }

    #[test]
    fn what_certctl_never_asks_for_is_refused() {
        let key = key();
        let good = Issue::to(&key, &subject_of(&key, &[]));
        let pem = |change: &dyn Fn(&mut Issue)| {
            let mut issue = good.clone();
            change(&mut issue);
            issue.pem()
        };
        let also = |kind: u8, text: &'static [u8]| pem(&|issue| issue.attributes.push((kind, text.to_vec())));
        for (text, why) in [
            (pem(&|issue| issue.ca = true), "certificate authority"),
            (also(3, b"bob"), "several common names: alice, bob"),
            (also(11, b"x"), "more than CN and O: OU=x"),
            (also(10, b"\xff"), "more than CN and O: O=#ff"),
            (good.pem().repeat(CHAIN_LIMIT + 1), "longer than 10"),
            (good.pem().replace("CERTIFICATE", "X509 CRL"), "PEM blocks other than"),
            (String::new(), "no PEM block"),
            ("x".repeat(SIZE_LIMIT + 1), "larger than 64 KiB"),
            ("-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----".into(), "no X.509"),
        ] {
            let error = Certificate::from_pem(text.as_bytes()).expect_err(why);
            assert!(error.message().contains(why), "{error}");
        }
        Certificate::from_pem(good.pem().repeat(CHAIN_LIMIT).as_bytes()).expect("a chain of ten");
    }

    #[test]
    fn arbitrary_bytes_do_not_panic() {
        let key = key();
        let der = Issue::to(&key, &subject_of(&key, &["dev"])).der();
        for position in 0..der.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = der.clone();
                broken[position] ^= flip;
                let _ = Certificate::from_pem(&pem::encode("CERTIFICATE", &broken));
            }
            let _ = Certificate::from_pem(&pem::encode("CERTIFICATE", &der[..position]));
        }
    }

    #[test]
    fn an_issued_certificate_is_used_only_if_it_is_what_was_asked_for() {
        let key = key();
        let public = key.public_key_der();
        let subject = subject_of(&key, &["dev"]);
        let good = Issue::to(&key, &subject);
        let check = |issue: &Issue, now: &str, limit: Option<&str>| {
            let certificate = Certificate::from_pem(issue.pem().as_bytes()).expect("readable");
            let time = |text: &str| text.parse::<Timestamp>().expect("a time");
            verify_issued(&certificate, &public, &subject, time(now), limit.map(time))
        };
        let now = "2026-11-02T00:00:00Z";
        check(&good, now, None).expect("as asked for");
        let mut sorted = good.clone();
        sorted.attributes.reverse();
        check(&sorted, now, None).expect("the order of O's is the signer's");

        let changed = |change: &dyn Fn(&mut Issue)| {
            let mut issue = good.clone();
            change(&mut issue);
            check(&issue, now, None).expect_err("changed").render(false)
        };
        let also = |kind: u8, text: &'static str| {
            changed(&|issue| issue.attributes.push((kind, text.as_bytes().to_vec())))
        };
        let other = PrivateKey::generate(KeyType::Ed25519).expect("made");
        let message = changed(&|issue| issue.public_key = other.public_key_der());
        let ids = format!("expected {}, found {}", key.credential_id(), other.credential_id());
        assert!(message.contains(&ids), "{message}");
        let group = &subject.organizations[0];
        let message = also(10, "system:masters");
        let names = format!(
            "expected `CN=alice, O={group}, O=dev`, found `CN=alice, O={group}, O=dev, O=system:masters`"
        );
        assert!(message.contains(&names), "{message}");
        assert!(also(10, "dev").contains("O=dev, O=dev`"));
        assert!(
            changed(&|issue| issue.attributes.retain(|(kind, _)| *kind != 3)).contains("another subject")
        );
        assert!(
            changed(&|issue| issue.attributes.retain(|(_, text)| text != b"dev")).contains("another subject")
        );
        assert!(changed(&|issue| issue.client_auth = false).contains("lacks clientAuth"));
        let message = changed(&|issue| {
            issue.client_auth = false;
            issue.attributes.clear();
        });
        assert_eq!(message.matches("Error:").count(), 2, "all are reported: {message}");

        // Each boundary of time: the last moment that passes, and the first that does not.
        for (passes, fails, why) in [
            ("2026-10-31T23:55:00Z", "2026-10-31T23:54:59Z", "not valid yet"),
            ("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z", "has expired"),
        ] {
            check(&good, passes, None).expect(passes);
            let error = check(&good, fails, None).expect_err(fails);
            assert!(error.message().contains(why), "{error}");
        }
        check(&good, now, Some("2026-11-30T23:55:00Z")).expect("within the tolerance");
        let error = check(&good, now, Some("2026-11-30T23:54:59Z")).expect_err("past it");
        assert!(error.message().contains("expected until 2026-11-30T23:54:59Z"), "{error}");
    }
}
