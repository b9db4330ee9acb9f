//! age: sealing kubeconfigs to their owners, and opening them.
//!
//! Recipients are X25519 and SSH keys. It refuses by name what age would not open later, and a secret
//! key that was pasted where a public one belongs, without repeating it.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, IdentityFile};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::model::{Invalid, Recipient};

/// The longest recipient: an RSA key of 8192 bits takes about 1,400 characters.
const LONGEST_RECIPIENT: usize = 2000;
/// The largest sealed file, identity file or kubeconfig, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Reads a recipient in the form that `age -r` takes.
///
/// # Errors
/// It is none that can be sealed to, as half a sentence that follows its name.
pub fn parse_recipient(text: &str) -> Result<Recipient, Invalid> {
    let invalid = |why: &str| Err(Invalid(why.to_owned()));
    let text = text.trim();
    if text.len() > LONGEST_RECIPIENT {
        return invalid("is too long for a public key");
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("age-secret-key-")
        || lower.starts_with("age-plugin-")
        || lower.contains("private key")
    {
        return invalid(
            "is a SECRET key: it has to be replaced, because everyone who reads the roster knows it now; put its public key here",
        );
    }
    if lower.starts_with("age1pq1") {
        return invalid(
            "is a post-quantum recipient, which this version of age cannot seal to; use an X25519 one (`age-keygen`)",
        );
    }
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    match kind {
        "ssh-ed25519" | "ssh-rsa" => {
            let normal = format!("{kind} {}", words.next().unwrap_or_default());
            match normal.parse::<age::ssh::Recipient>() {
                Ok(_) => Ok(Recipient::accepted_by_age(normal)),
                Err(age::ssh::ParseRecipientKeyError::RsaModulusTooSmall) => {
                    invalid("is an RSA key below 2048 bits, which is too weak to seal to")
                }
                Err(_) => invalid(&format!("begins like an {kind} public key, and is none")),
            }
        }
        _ if lower.starts_with("ecdsa-sha2-") || lower.starts_with("sk-") => invalid(
            "is an SSH key of a kind that age cannot seal to; use ssh-ed25519, ssh-rsa or `age-keygen`",
        ),
        _ if words.next().is_some() => invalid("is no age recipient"),
        _ => match text.parse::<age::x25519::Recipient>() {
            Ok(recipient) => Ok(Recipient::accepted_by_age(recipient.to_string())),
            Err(_) if lower.starts_with("age1") && lower[4..].contains('1') => invalid(
                "is a recipient of an age plugin, which is not supported yet; use an X25519 one (`age-keygen`)",
            ),
            Err(_) if lower.starts_with("age1") => {
                invalid("begins like an age recipient, but has a typing error in it")
            }
            Err(_) => invalid("is no age recipient: it has to begin with `age1`, `ssh-ed25519` or `ssh-rsa`"),
        },
    }
}

/// Encrypts to every recipient, ASCII-armored, so that plain `age -d` opens it.
///
/// # Errors
/// age would not.
pub fn seal(recipients: &BTreeSet<Recipient>, plaintext: &[u8]) -> Result<Vec<u8>> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new("the kubeconfig could not be sealed; it was thrown away").caused_by(cause)
    };
    let mut keys: Vec<Box<dyn age::Recipient>> = Vec::new();
    for recipient in recipients {
        let text = recipient.as_str();
        // Both were accepted by `parse_recipient`.
        if text.starts_with("ssh-") {
            let key =
                text.parse::<age::ssh::Recipient>().map_err(|error| failed(format!("{error:?}").into()))?;
            keys.push(Box::new(key));
        } else {
            keys.push(Box::new(
                text.parse::<age::x25519::Recipient>().map_err(|error| failed(error.into()))?,
            ));
        }
    }
    let encryptor = Encryptor::with_recipients(keys.iter().map(|key| &**key as &dyn age::Recipient))
        .map_err(|e| failed(e.into()))?;
    let write = || -> std::io::Result<Vec<u8>> {
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(plaintext)?;
        writer.finish()?.finish()
    };
    write().map_err(|error| failed(error.into()))
}

/// Private keys that open what was sealed to them.
pub struct Identities(Vec<Box<dyn age::Identity>>);

/// Why a sealed file stays closed.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenError {
    /// None of the identities is a recipient.
    NotForUs,
    /// It is no sealed kubeconfig, or was changed.
    Malformed(String),
}

impl Identities {
    /// Reads age identity files and OpenSSH private keys.
    ///
    /// # Errors
    /// A file cannot be read, holds no identity, or is protected by a passphrase.
    pub fn load(files: &[PathBuf]) -> Result<Self> {
        let mut identities: Vec<Box<dyn age::Identity>> = Vec::new();
        for file in files {
            let name = file.display().to_string();
            let unreadable = |cause: std::io::Error| {
                Error::new(format!("{name} could not be read; nothing was decrypted"))
                    .caused_by(cause)
                    .hint("name the file of your age or SSH private key: `certctl decrypt -i FILE`")
            };
            let mut text = Zeroizing::new(Vec::new());
            let reader = std::fs::File::open(file).map_err(unreadable)?;
            reader.take(LARGEST).read_to_end(&mut text).map_err(unreadable)?;
            let protected = || {
                Error::new(format!("{name} is protected by a passphrase, which certctl does not ask for yet"))
                    .hint(format!("use age itself: `age -d -i {name} access/CLUSTER/USER.kubeconfig.age`"))
            };
            if text.starts_with(b"-----BEGIN OPENSSH") || text.starts_with(b"-----BEGIN RSA") {
                match age::ssh::Identity::from_buffer(&text[..], Some(name.clone())) {
                    Ok(age::ssh::Identity::Encrypted(_)) => return Err(protected()),
                    Ok(age::ssh::Identity::Unsupported(_)) | Err(_) => {
                        return Err(Error::new(format!(
                            "{name} is an SSH key of a kind that age cannot use"
                        ))
                        .hint("use an ssh-ed25519 or ssh-rsa key, or one made by `age-keygen`"));
                    }
                    Ok(identity) => identities.push(Box::new(identity)),
                }
                continue;
            }
            if text.starts_with(b"age-encryption.org/") || text.starts_with(b"-----BEGIN AGE") {
                return Err(protected());
            }
            let none = || {
                Error::new(format!("{name} holds no age identity; nothing was decrypted"))
                    .hint("it should hold a line that begins with AGE-SECRET-KEY-, or an OpenSSH private key")
            };
            // The cause is left out: it could quote the file.
            let parsed = IdentityFile::from_buffer(&text[..]).map_err(|_| none())?;
            let parsed = parsed.into_identities().map_err(|_| none())?;
            if parsed.is_empty() {
                return Err(none());
            }
            identities.extend(parsed.into_iter().map(|identity| identity as Box<dyn age::Identity>));
        }
        Ok(Self(identities))
    }

    /// Decrypts a sealed kubeconfig in memory.
    ///
    /// # Errors
    /// It is not for these identities, or not a sealed kubeconfig.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let malformed = |why: String| OpenError::Malformed(why);
        if sealed.len() as u64 > LARGEST {
            return Err(malformed(format!("it is longer than {LARGEST} bytes")));
        }
        let decryptor = Decryptor::new(ArmoredReader::new(sealed)).map_err(|error| {
            malformed(match error {
                DecryptError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    "it ends too soon".to_owned()
                }
                error => error.to_string(),
            })
        })?;
        if decryptor.is_scrypt() {
            return Err(malformed("it is encrypted with a passphrase, not to a key".to_owned()));
        }
        let reader =
            decryptor.decrypt(self.0.iter().map(|identity| &**identity)).map_err(|error| match error {
                DecryptError::NoMatchingKeys => OpenError::NotForUs,
                other => malformed(other.to_string()),
            })?;
        // Room for all of it at once: growing would leave copies behind.
        let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
        reader
            .take(LARGEST)
            .read_to_end(&mut plaintext)
            .map_err(|error| malformed(format!("it was changed or cut off: {error}")))?;
        Ok(plaintext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sealed_to_is_refused_by_name() {
        for (text, why) in [
            ("age1pq1qqq", "post-quantum"),
            ("age1yubikey1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "plugin"),
            ("AGE-SECRET-KEY-1QQQQ", "SECRET"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "SECRET"),
            ("ecdsa-sha2-nistp256 AAAA", "age cannot seal to"),
            ("sk-ssh-ed25519@openssh.com AAAA", "age cannot seal to"),
            ("ssh-ed25519 AAAA", "is none"),
            ("age1aaaa", "typing error"),
            ("alice@example.com", "has to begin with"),
            ("", "has to begin with"),
        ] {
            let error = parse_recipient(text).expect_err(text);
            assert!(error.0.contains(why), "{text}: {error}");
            assert!(!error.0.contains("QQQQ"), "a secret must not be repeated");
        }
    }

    #[test]
    fn every_recipient_opens_it_and_nobody_else() {
        let keys: Vec<age::x25519::Identity> = (0..3).map(|_| age::x25519::Identity::generate()).collect();
        let recipients =
            keys[..2].iter().map(|key| parse_recipient(&key.to_public().to_string()).expect("a recipient"));
        let sealed = seal(&recipients.collect(), b"secret").expect("sealed");
        assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
        let mut opened: Vec<_> =
            keys.into_iter().map(|key| Identities(vec![Box::new(key)]).open(&sealed)).collect();
        assert_eq!(opened.pop().expect("the third"), Err(OpenError::NotForUs));
        for plaintext in opened {
            assert_eq!(&*plaintext.expect("opened"), b"secret");
        }
    }

    #[test]
    fn what_was_changed_stays_closed() {
        let key = age::x25519::Identity::generate();
        let recipient = parse_recipient(&key.to_public().to_string()).expect("a recipient");
        let sealed = seal(&[recipient].into(), &[7; 1000]).expect("sealed");
        let identities = Identities(vec![Box::new(key)]);
        for (at, byte) in [(40, b'!'), (sealed.len() - 60, b'A')] {
            let mut changed = sealed.clone();
            changed[at] = byte;
            assert!(matches!(identities.open(&changed), Err(OpenError::Malformed(_))), "{at}");
        }
        assert!(matches!(identities.open(&sealed[..sealed.len() / 2]), Err(OpenError::Malformed(_))));
        assert!(matches!(identities.open(b"not age at all"), Err(OpenError::Malformed(_))));
    }
}
