//! Private keys: generated, exported as PKCS#8, wiped. And the properties of public keys.
//!
//! [`PrivateKey`] has no Debug, Display, Clone or Serialize, so that no log, error or plan can
//! hold one.

use std::fmt;

use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize, SigningKey as _};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::{Zeroize as _, Zeroizing};

use super::{SIZE_LIMIT, pem};
use crate::error::{Error, Result};
use crate::model::{CredentialId, KeyType};

/// PKCS#8 v1 of an Ed25519 key up to the 32 bytes of the seed (RFC 8410, section 7).
const ED25519_V1: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Where the seed is in the v1 and v2 forms that aws-lc writes: the headers have the same length.
const ED25519_SEED: std::ops::Range<usize> = 16..48;

/// A private key: one copy in memory, wiped when dropped.
pub struct PrivateKey {
    pair: KeyPair,
    kind: KeyType,
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        // rcgen implements Zeroize for its serialized copy but does not call it on drop; aws-lc
        // clears its own copy whenever it frees one.
        self.pair.zeroize();
    }
}

impl PrivateKey {
    /// Makes a key. RSA takes a second or more.
    ///
    /// # Errors
    /// Where the system's randomness fails.
    pub fn generate(kind: KeyType) -> Result<Self> {
        let pair = match kind {
            KeyType::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyType::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        let pair = pair.map_err(|why| Error::new(format!("no {kind} key could be made")).caused_by(why))?;
        Ok(Self { pair, kind })
    }

    /// Reads what [`Self::to_pem`] writes: one PKCS#8 block of one of the [`KeyType`]s.
    ///
    /// # Errors
    /// If it is anything else. The error repeats nothing of it.
    pub fn from_pem(text: &[u8]) -> Result<Self> {
        let refused = |why: &str| Error::new(format!("the private key cannot be used: {why}"));
        if text.len() > SIZE_LIMIT {
            return Err(refused("it is larger than 64 KiB"));
        }
        let text = std::str::from_utf8(text).map_err(|_| refused("it is no PEM text"))?;
        let blocks = pem::decode(text)?;
        let [block] = blocks.as_slice() else {
            return Err(refused("it must be exactly one PEM block"));
        };
        if block.label != "PRIVATE KEY" {
            return Err(refused("it must be PKCS#8 (`BEGIN PRIVATE KEY`)"));
        }
        let pair = KeyPair::try_from(block.der.as_slice())
            .map_err(|_| refused("it is no PKCS#8 key of ECDSA P-256, P-384, Ed25519 or RSA"))?;
        // The kind is set below; until then the key is already held by the type that wipes it.
        let mut key = Self { pair, kind: KeyType::default() };
        key.kind = match KeyDescription::of_public_key(&key.public_key_der()) {
            KeyDescription { algorithm: KeyAlgorithm::EcdsaP256, .. } => KeyType::EcdsaP256,
            KeyDescription { algorithm: KeyAlgorithm::EcdsaP384, .. } => KeyType::EcdsaP384,
            KeyDescription { algorithm: KeyAlgorithm::Ed25519, .. } => KeyType::Ed25519,
            KeyDescription { algorithm: KeyAlgorithm::Rsa, bits: 4096 } => KeyType::Rsa4096,
            other => return Err(refused(&format!("certctl makes no {other} keys"))),
        };
        Ok(key)
    }

    /// Its kind.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The public key: DER SubjectPublicKeyInfo.
    pub fn public_key_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The id of the credential that this key belongs to.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::of_public_key(&self.public_key_der())
    }

    /// PKCS#8 as PEM (`PRIVATE KEY`), in a buffer of exactly its size that is wiped when dropped.
    ///
    /// Ed25519 is written as version 1: OpenSSL before 3.0 and others do not read version 2, which
    /// aws-lc writes.
    pub fn to_pem(&self) -> Zeroizing<Vec<u8>> {
        let der = self.pair.serialized_der();
        match (self.kind, der.get(ED25519_SEED)) {
            (KeyType::Ed25519, Some(seed)) => {
                let mut v1 = Zeroizing::new([0; 48]);
                v1[..16].copy_from_slice(&ED25519_V1);
                v1[ED25519_SEED].copy_from_slice(seed);
                pem::encode("PRIVATE KEY", &*v1)
            }
            _ => pem::encode("PRIVATE KEY", der),
        }
    }

    /// Signs with the key's own algorithm: see `request`.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.pair
            .sign(bytes)
            .map_err(|why| Error::new(format!("the {} key could not sign", self.kind)).caused_by(why))
    }
}

/// What a public key is, for messages and for judging its strength.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// The size of the modulus or of the curve's field, in bits; 0 if unknown.
    pub bits: usize,
}

/// The algorithm of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// NIST P-256.
    EcdsaP256,
    /// NIST P-384.
    EcdsaP384,
    /// NIST P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA.
    Rsa,
    /// Anything else, as a dotted OID.
    Other(String),
}

impl KeyDescription {
    /// Describes DER SubjectPublicKeyInfo; never fails.
    pub(super) fn of_public_key(der: &[u8]) -> Self {
        match SubjectPublicKeyInfo::from_der(der) {
            Ok((_, key)) => Self::of(&key),
            Err(_) => Self { algorithm: KeyAlgorithm::Other("unreadable".into()), bits: 0 },
        }
    }

    pub(super) fn of(key: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = key.algorithm.algorithm.to_id_string();
        let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        let (algorithm, bits) = match (algorithm.as_str(), curve.map(|oid| oid.to_id_string()).as_deref()) {
            ("1.2.840.113549.1.1.1", _) => (KeyAlgorithm::Rsa, rsa_bits(key)),
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => (KeyAlgorithm::EcdsaP256, 256),
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => (KeyAlgorithm::EcdsaP384, 384),
            ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => (KeyAlgorithm::EcdsaP521, 521),
            ("1.2.840.10045.2.1", Some(curve)) => (KeyAlgorithm::Other(format!("curve {curve}")), 0),
            ("1.3.101.112", _) => (KeyAlgorithm::Ed25519, 256),
            _ => (KeyAlgorithm::Other(algorithm), 0),
        };
        Self { algorithm, bits }
    }
}

/// The size of an RSA modulus in bits.
fn rsa_bits(key: &SubjectPublicKeyInfo<'_>) -> usize {
    let Ok(PublicKey::RSA(key)) = key.parsed() else {
        return 0;
    };
    let zeros = key.modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &key.modulus[zeros..];
    modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize)
}

impl fmt::Display for KeyDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.algorithm {
            KeyAlgorithm::EcdsaP256 => f.write_str("ECDSA P-256"),
            KeyAlgorithm::EcdsaP384 => f.write_str("ECDSA P-384"),
            KeyAlgorithm::EcdsaP521 => f.write_str("ECDSA P-521"),
            KeyAlgorithm::Ed25519 => f.write_str("Ed25519"),
            KeyAlgorithm::Rsa => write!(f, "RSA {}", self.bits),
            KeyAlgorithm::Other(what) => write!(f, "unknown ({what})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_as_the_same_key() {
        for (kind, description) in [
            (KeyType::EcdsaP256, "ECDSA P-256"),
            (KeyType::EcdsaP384, "ECDSA P-384"),
            (KeyType::Ed25519, "Ed25519"),
            (KeyType::Rsa4096, "RSA 4096"),
        ] {
            let key = PrivateKey::generate(kind).expect("made");
            let public = key.public_key_der();
            assert_eq!(KeyDescription::of_public_key(&public).to_string(), description);
            let again = PrivateKey::from_pem(&key.to_pem()).expect("reads back");
            assert_eq!(again.kind(), kind);
            assert_eq!(again.public_key_der(), public);
            assert_eq!(again.to_pem(), key.to_pem());
            assert_eq!(again.credential_id(), key.credential_id());
        }
    }

    #[test]
    fn ed25519_is_written_as_version_1_that_older_programs_read() {
        let key = PrivateKey::generate(KeyType::Ed25519).expect("made");
        let pem = key.to_pem();
        let text = std::str::from_utf8(&pem).expect("ASCII");
        let der = &pem::decode(text).expect("PEM")[0].der;
        assert_eq!(der.len(), 48);
        assert_eq!(der[..16], ED25519_V1);
        assert_eq!(der[16..], key.pair.serialized_der()[16..48]);
    }

    #[test]
    fn a_foreign_key_is_refused_without_repeating_it() {
        let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).expect("made");
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).expect("made");
        let p256 = PrivateKey::generate(KeyType::EcdsaP256).expect("made").to_pem();
        let p256 = std::str::from_utf8(&p256).expect("ASCII");
        for (bad, why) in [
            (p521.serialize_pem(), "makes no ECDSA P-521 keys"),
            (rsa.serialize_pem(), "makes no RSA 2048 keys"),
            (p256.repeat(2), "exactly one PEM block"),
            (p256.replace("PRIVATE", "EC PRIVATE"), "must be PKCS#8"),
            (String::new(), "exactly one PEM block"),
            ("-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n".into(), "no PKCS#8 key"),
            ("x".repeat(SIZE_LIMIT + 1), "larger than 64 KiB"),
        ] {
            let error = PrivateKey::from_pem(bad.as_bytes()).err().expect(why);
            assert!(error.message().contains(why), "{error}");
        }
    }
}
