//! The CAs that an API server verifies client certificates with, and which certificates those are.
//!
//! A certificate counts as unknown only where that is certain: its signature is by none of them.

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer as _;

use super::{SIZE_LIMIT, pem};
use crate::error::{Error, Result};

/// A bundle of CA certificates.
#[derive(Debug)]
pub struct ClientAuthorities(Vec<Vec<u8>>);

impl ClientAuthorities {
    /// Reads PEM; what is no certificate is passed over.
    ///
    /// # Errors
    /// It is too large, is no PEM, or holds no certificate.
    pub fn read(text: &str) -> Result<Self> {
        let unusable =
            |why: &str| Error::new(format!("the client CAs of the API server cannot be read: {why}"));
        if text.len() > 4 * SIZE_LIMIT {
            return Err(unusable("they are longer than 256 KiB"));
        }
        let blocks = pem::decode(text).map_err(|error| unusable(error.message()))?;
        let is_certificate = |der: &[u8]| X509Certificate::from_der(der).is_ok();
        let ders: Vec<Vec<u8>> =
            blocks.iter().map(|block| block.der.to_vec()).filter(|der| is_certificate(der)).collect();
        if ders.is_empty() { Err(unusable("there is no certificate in it")) } else { Ok(Self(ders)) }
    }

    /// Whether one of them may have issued one of this chain (PEM).
    pub fn may_know(&self, chain: &str) -> bool {
        let Ok(blocks) = pem::decode(chain) else { return true };
        blocks.iter().any(|block| match X509Certificate::from_der(&block.der) {
            Ok((_, certificate)) => self.0.iter().any(|authority| may_have_issued(authority, &certificate)),
            Err(_) => true,
        })
    }
}

fn may_have_issued(authority: &[u8], certificate: &X509Certificate<'_>) -> bool {
    let Ok((_, authority)) = X509Certificate::from_der(authority) else { return false };
    authority.subject().as_raw() == certificate.issuer().as_raw()
        && !matches!(
            certificate.verify_signature(Some(authority.public_key())),
            Err(X509Error::SignatureVerificationError)
        )
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    #[test]
    fn a_ca_of_the_same_name_with_another_key_knows_nobody() {
        let authority = || {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "kubernetes");
            let key = KeyPair::generate().expect("a key");
            (params.self_signed(&key).expect("signed").pem(), Issuer::new(params, key))
        };
        let ((old, issuer), (new, _)) = (authority(), authority());
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::default().signed_by(&key, &issuer).expect("signed").pem();
        let knows = |bundle: &str| ClientAuthorities::read(bundle).expect("a bundle").may_know(&leaf);
        assert!(knows(&old) && knows(&format!("{new}{old}")));
        assert!(!knows(&new));
    }
}
