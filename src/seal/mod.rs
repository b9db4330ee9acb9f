//! age: sealing a kubeconfig to a person's public keys, and opening it with their own.
//!
//! What is sealed is ASCII-armored, so that plain `age -d` opens it without certctl. Refused:
//! recipients that nobody or everybody could open (see [`parse_recipient`]), files that are sealed
//! with a passphrase, and anything larger than a kubeconfig can be.

mod identity;
mod keygen;
mod problems;
mod prompt;
mod recipient;

use std::collections::BTreeSet;
use std::io::Write as _;

use age::armor::{ArmoredWriter, Format};

pub use identity::{Elsewhere, FileDigest, Identities, OpenError};
pub use keygen::{NewIdentity, new_identity};
pub use problems::problems;
pub use prompt::Prompt;
pub use recipient::{check_plugins, fingerprint, parse_recipient, plugin_of};

use crate::error::{Error, Result};
use crate::model::Recipient;

/// The largest plaintext that is sealed, in bytes.
pub const PLAINTEXT_LIMIT: usize = 256 * 1024;
/// The largest sealed file that is opened, in bytes: the plaintext as base64, and many recipients.
pub const SEALED_LIMIT: usize = 1024 * 1024;

/// Seals to every recipient: each can open it alone.
///
/// # Errors
/// Without recipients, for a plaintext larger than [`PLAINTEXT_LIMIT`], or where the result would
/// be too large to be opened again; where a recipient's plugin is not installed, or fails.
pub fn seal(recipients: &BTreeSet<Recipient>, plaintext: &[u8]) -> Result<Vec<u8>> {
    let failed = |why: &str| Error::new(format!("the kubeconfig could not be sealed: {why}"));
    if plaintext.len() > PLAINTEXT_LIMIT {
        return Err(failed("it is larger than 256 KiB"));
    }
    let keys = recipient::for_age(recipients)?;
    let encryptor = age::Encryptor::with_recipients(keys.iter().map(|key| &**key as &dyn age::Recipient))
        .map_err(|why| failed("age refused the recipients").caused_by(why))?;
    let io = |why: std::io::Error| failed("age failed").caused_by(why);
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(io)?;
    let mut writer = encryptor.wrap_output(armor).map_err(io)?;
    writer.write_all(plaintext).map_err(io)?;
    let sealed = writer.finish().and_then(ArmoredWriter::finish).map_err(io)?;
    if sealed.len() > SEALED_LIMIT {
        return Err(failed("there are too many recipients"));
    }
    Ok(sealed)
}
