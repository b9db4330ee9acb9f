//! A new age identity, plain or protected by a passphrase.

use std::io::Write as _;

use age::armor::{ArmoredWriter, Format};
use age::secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A new identity. No Debug, Display, Clone or Serialize.
pub struct NewIdentity {
    /// The line for the roster: `age1...`.
    pub recipient: String,
    /// The identity file.
    pub file: Zeroizing<Vec<u8>>,
}

/// Makes an X25519 identity. With a passphrase its file is an armored age file (scrypt), which takes
/// about a second to open.
///
/// # Errors
/// age failed, which would be a defect.
pub fn new_identity(created: &str, passphrase: Option<&str>) -> Result<NewIdentity> {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    // Room for all of it from the start, so that no copy of the key is left behind.
    let mut file = Zeroizing::new(Vec::with_capacity(512));
    for part in ["# created: ", created, "\n# public key: ", &recipient, "\n", secret.expose_secret(), "\n"] {
        file.extend_from_slice(part.as_bytes());
    }
    if let Some(passphrase) = passphrase {
        let passphrase = age::scrypt::Recipient::new(SecretString::from(passphrase));
        file = protect(&passphrase, &file)
            .map_err(|why| Error::new("the identity could not be protected; none was made").caused_by(why))?;
    }
    Ok(NewIdentity { recipient, file })
}

fn protect(passphrase: &age::scrypt::Recipient, file: &[u8]) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let one = std::iter::once(passphrase as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(one).map_err(std::io::Error::other)?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(file)?;
    Ok(Zeroizing::new(writer.finish().and_then(ArmoredWriter::finish)?))
}
