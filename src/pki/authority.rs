//! The CA bundle that kubeconfigs carry, as the roster names it.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::pem;
use crate::error::{Error, Result};

/// Whether PEM is a bundle of certificates.
///
/// # Errors
/// It is not one, or contains something else; a private key is named as such.
pub fn check_authority(bytes: &[u8]) -> Result<()> {
    let wrong = |what: String| Error::new(what).hint("it must be PEM, with one or more CA certificates");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("is no PEM".to_owned()))?;
    let blocks = pem::decode(text)?;
    if blocks.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    for block in blocks {
        if block.label.ends_with("PRIVATE KEY") {
            return Err(Error::new("holds a PRIVATE key")
                .hint("take it for leaked: delete it from the history, and put only certificates here"));
        }
        if block.label != "CERTIFICATE" || X509Certificate::from_der(&block.der).is_err() {
            return Err(wrong(format!("holds a `{}` block that is no certificate", block.label)));
        }
    }
    Ok(())
}
