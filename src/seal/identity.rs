//! Identities: a person's own secret keys, read from their files, and what they open.
//!
//! Takes age identity files and OpenSSH private keys without a passphrase. Refuses keys that are
//! protected by one (asking for it is not built yet), plugins, and large files. Errors name the
//! file and the line, and repeat nothing of either.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use age::ssh::UnsupportedKey;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::SEALED_LIMIT;
use super::recipient::parse_recipient;
use crate::error::{Error, Result};
use crate::model::Recipient;

/// The largest identity file, in bytes.
const FILE_LIMIT: usize = 64 * 1024;

/// Secret keys, in memory. No Debug, Display, Clone or Serialize.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Box<dyn age::Identity + Send + Sync>>,
    recipients: BTreeSet<Recipient>,
}

/// Why a sealed file was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// It is sealed to other people's keys.
    NotForUs,
    /// It is no sealed file of ours: broken, cut off, too large, or sealed with a passphrase. A
    /// clause that says which.
    Malformed(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForUs => f.write_str("it is sealed to none of your identities"),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OpenError {}

impl Identities {
    /// Reads identity files; every one must be usable.
    ///
    /// # Errors
    /// All files that cannot be read, are too large, hold no identity, or need a passphrase or a
    /// plugin, each with its name.
    pub fn load(paths: &[PathBuf]) -> Result<Self> {
        let mut identities = Self::default();
        let errors: Vec<Error> = paths.iter().filter_map(|path| identities.add_file(path).err()).collect();
        Error::all(errors).map_or(Ok(identities), Err)
    }

    /// The public side of each: whom the roster would name.
    pub fn recipients(&self) -> &BTreeSet<Recipient> {
        &self.recipients
    }

    /// Opens a sealed file, armored or not.
    ///
    /// # Errors
    /// [`OpenError::NotForUs`] where no identity matches; [`OpenError::Malformed`] otherwise.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let malformed = |why: &str| OpenError::Malformed(why.to_owned());
        if sealed.len() > SEALED_LIMIT {
            return Err(malformed("it is larger than 1 MiB, which no sealed kubeconfig is"));
        }
        let decryptor = Decryptor::new_buffered(age::armor::ArmoredReader::new(sealed)).map_err(refusal)?;
        if decryptor.is_scrypt() {
            return Err(malformed("it is sealed with a passphrase; certctl seals to public keys only"));
        }
        let keys = self.keys.iter().map(|key| &**key as &dyn age::Identity);
        let mut reader = decryptor.decrypt(keys).map_err(refusal)?;
        // age does not compress: the plaintext is shorter than the file, and the buffer never moves.
        let mut plaintext = Zeroizing::new(vec![0; sealed.len()]);
        let mut length = 0;
        while length < plaintext.len() {
            match reader.read(&mut plaintext[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(_) => return Err(malformed("its content was changed or cut off")),
            }
        }
        plaintext.truncate(length);
        Ok(plaintext)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let name = path.display();
        let unreadable = |why: std::io::Error| {
            Error::new(format!("{name}: the identity could not be read; nothing was decrypted"))
                .caused_by(why)
                .hint("name the file of your age or SSH private key: `-i FILE`")
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LIMIT + 64));
        let file = File::open(path).map_err(unreadable)?;
        file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > FILE_LIMIT {
            return Err(Error::new(format!("{name}: the file is larger than 64 KiB, which no identity is")));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::new(format!("{name}: the file is no identity: it is not text")))?;
        let start = text.trim_start();
        if start.starts_with("age-encryption.org/v1")
            || start.starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
        {
            return Err(protected(path));
        }
        if start.starts_with("-----BEGIN ") { self.add_ssh(path, start) } else { self.add_age(path, text) }
    }

    fn add_age(&mut self, path: &Path, text: &str) -> Result<()> {
        let name = path.display();
        let before = self.keys.len();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key: age::x25519::Identity = line.parse().map_err(|_| {
                let refused = |what: &str| Error::new(format!("{name}:{number}: {what}"));
                if line.starts_with("AGE-PLUGIN-") {
                    refused("this identity needs an age plugin, and plugins are not supported yet")
                } else if line.starts_with("AGE-SECRET-KEY-PQ-") {
                    refused("this is a post-quantum identity, which age 0.12 does not know")
                } else if line.starts_with("age1") || line.starts_with("ssh-") {
                    refused("this is a public key; an identity is the secret one")
                        .hint("name the file that `certctl keygen` or `ssh-keygen` made, without `.pub`")
                } else {
                    refused("this line is no identity (`AGE-SECRET-KEY-1...`)")
                }
            })?;
            self.remember(path, &key.to_public().to_string())?;
            self.keys.push(Box::new(key));
        }
        if self.keys.len() == before {
            return Err(Error::new(format!("{name}: the file holds no identity"))
                .hint("make one with `certctl keygen`"));
        }
        Ok(())
    }

    fn add_ssh(&mut self, path: &Path, text: &str) -> Result<()> {
        let name = path.display();
        let refused = |what: &str| Error::new(format!("{name}: {what}"));
        let label = text.lines().next().unwrap_or_default();
        if label.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY") {
            return Err(protected(path));
        }
        // age reads on to the end of the block, so it must be there.
        if !text.contains("-----END ") {
            return Err(refused("the private key is cut off"));
        }
        let key = age::ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| {
            refused("this is no private key that age can use")
                .hint("it takes OpenSSH keys of type ed25519 and rsa, as `ssh-keygen -t ed25519` makes them")
        })?;
        match &key {
            age::ssh::Identity::Unencrypted(_) => {}
            age::ssh::Identity::Encrypted(_)
            | age::ssh::Identity::Unsupported(
                UnsupportedKey::EncryptedPem | UnsupportedKey::EncryptedSsh(_),
            ) => {
                return Err(protected(path));
            }
            age::ssh::Identity::Unsupported(UnsupportedKey::Hardware(_)) => {
                return Err(refused("this ssh key is on a security token, which cannot decrypt"));
            }
            age::ssh::Identity::Unsupported(UnsupportedKey::Type(_)) => {
                return Err(refused("age cannot use ssh keys of this type; it takes ed25519 and rsa"));
            }
        }
        let public = age::ssh::Recipient::try_from(key.clone()).map_err(|_| {
            refused("age cannot use this ssh key; it takes ed25519, and rsa of 2048 to 4096 bits")
        })?;
        self.remember(path, &public.to_string())?;
        self.keys.push(Box::new(key));
        Ok(())
    }

    fn remember(&mut self, path: &Path, public: &str) -> Result<()> {
        let recipient = parse_recipient(public)
            .map_err(|why| Error::new(format!("{}: the identity's public key {why}", path.display())))?;
        self.recipients.insert(recipient);
        Ok(())
    }
}

fn protected(path: &Path) -> Error {
    let name = path.display();
    Error::new(format!(
        "{name}: the identity is protected by a passphrase, and certctl cannot ask for it yet"
    ))
    .hint(format!("decrypt with age itself, which asks: `age -d -i {name} FILE.kubeconfig.age`"))
}

fn refusal(why: DecryptError) -> OpenError {
    let clause = match why {
        DecryptError::NoMatchingKeys => return OpenError::NotForUs,
        DecryptError::UnknownFormat => "it is of a newer age format",
        DecryptError::InvalidMac => "its list of recipients was changed",
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => "its key was changed",
        _ => "it is no age file, or was cut off",
    };
    OpenError::Malformed(clause.to_owned())
}
