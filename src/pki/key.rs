//! A person's private key, for as long as it takes to seal it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize, SigningKey as _};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};
use crate::model::{CredentialId, KeyType};

/// Lives in memory, once, and is wiped when dropped. No Debug, Display, Clone or Serialize.
pub struct PrivateKey {
    pair: KeyPair,
    kind: KeyType,
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.pair.zeroize();
    }
}

/// Characters in a line of PEM (RFC 7468, section 2).
const LINE: usize = 64;

impl PrivateKey {
    /// A new random key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate(kind: KeyType) -> Result<Self> {
        let pair = match kind {
            KeyType::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyType::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        let pair = pair.map_err(|cause| {
            Error::new(format!("no {kind} key could be made; nothing was issued")).caused_by(cause)
        })?;
        Ok(Self { pair, kind })
    }

    /// Which kind it is.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// Its public half, as DER SubjectPublicKeyInfo.
    pub fn public_key_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The digest of its public half.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::of_public_key(&self.public_key_der())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.pair.sign(message).map_err(|cause| {
            Error::new("the certificate request could not be signed; nothing was issued").caused_by(cause)
        })
    }

    /// PKCS#8 in PEM, in one buffer of exactly the right size, so that no copy of it stays behind.
    pub fn to_pem(&self) -> Zeroizing<Vec<u8>> {
        const BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----\n";
        const END: &[u8] = b"-----END PRIVATE KEY-----\n";
        let der = self.pair.serialized_der();
        let mut base64 = Zeroizing::new(vec![0; der.len().div_ceil(3) * 4]);
        // The buffer has the length of the text, so this cannot fail; a part would not parse anywhere.
        let written = STANDARD.encode_slice(der, &mut base64).unwrap_or_default();
        let size = BEGIN.len() + written + written.div_ceil(LINE) + END.len();
        let mut pem = Zeroizing::new(Vec::with_capacity(size));
        pem.extend_from_slice(BEGIN);
        for line in base64[..written].chunks(LINE) {
            pem.extend_from_slice(line);
            pem.push(b'\n');
        }
        pem.extend_from_slice(END);
        pem
    }
}

/// Whether a private key in PEM is the one of a public key.
///
/// # Errors
/// It is no private key that can be read.
pub(crate) fn belongs_to(pem: &[u8], public_key_der: &[u8]) -> Result<bool> {
    let unreadable = || Error::new("the private key in it cannot be read");
    let text = std::str::from_utf8(pem).map_err(|_| unreadable())?;
    let mut pair = KeyPair::from_pem(text).map_err(|_| unreadable())?;
    let same = pair.subject_public_key_info() == public_key_der;
    pair.zeroize();
    Ok(same)
}
