//! The CA bundle that kubeconfigs carry, as the roster, a pin or a kubeconfig names it.

use std::collections::BTreeSet;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::pem;
use crate::error::{Error, Result};
use crate::model::CaBundle;

/// Reads a bundle of certificates, PEM.
///
/// # Errors
/// It is not one, or contains something else; a private key is named as such.
pub fn ca_bundle(bytes: &[u8]) -> Result<CaBundle> {
    let wrong = |what: String| Error::new(what).hint("it must be PEM, with one or more CA certificates");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("is no PEM".to_owned()))?;
    let blocks = pem::decode(text)?;
    if blocks.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    let mut certificates = BTreeSet::new();
    for block in &blocks {
        if block.label.ends_with("PRIVATE KEY") {
            return Err(Error::new("holds a PRIVATE key")
                .hint("take it for leaked: delete it from the history, and put only certificates here"));
        }
        if block.label != "CERTIFICATE" || X509Certificate::from_der(&block.der).is_err() {
            return Err(wrong(format!("holds a `{}` block that is no certificate", block.label)));
        }
        certificates.insert(block.der.as_slice());
    }
    let normal: Vec<u8> =
        certificates.into_iter().flat_map(|der| pem::encode("CERTIFICATE", der).to_vec()).collect();
    // PEM is ASCII.
    Ok(CaBundle::in_normal_form(String::from_utf8_lossy(&normal).into_owned(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_the_same_by_their_certificates() {
        let certificate = |name: &str| {
            let key = rcgen::KeyPair::generate().expect("a key");
            let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.self_signed(&key).expect("signed").pem()
        };
        let (one, two) = (certificate("one"), certificate("two"));
        let read = |text: &str| ca_bundle(text.as_bytes()).expect("a bundle");
        let bundle = read(&format!("{one}{two}"));
        for same in [
            format!("{two}{one}"),
            format!("# the old one\n{one}\n# the new one\n{two}{two}"),
            format!("{one}{two}").replace('\n', "\r\n"),
            format!("\u{feff}{one}{two}"),
            format!("Certificate:\n    Data:\n{one}\n\n{}", two.replace('\n', "  \n")),
        ] {
            assert_eq!(read(&same), bundle, "{same}");
            assert_eq!(read(&same).sha256(), bundle.sha256());
            assert!(read(&same).is_spelled(&crate::model::hex(&crate::model::sha256(same.as_bytes()))));
        }
        assert_ne!(read(&one), bundle);
        assert_ne!(read(&one), read(&two));
    }
}
