//! Identities: a person's own secret keys, read from their files, and what they open.
//!
//! Takes age identity files and OpenSSH private keys, with and without a passphrase, and identities
//! of age plugins. Nobody is asked for a passphrase before a file turns up that only the protected
//! key can open, and then once. Refuses large files and keys that age cannot use. Errors name the
//! file and the line, and repeat nothing of either.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use age::armor::ArmoredReader;
use age::ssh::UnsupportedKey;
use age::{DecryptError, Decryptor};
use age_core::format::{FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SEALED_LIMIT;
use super::prompt::{Asker, Prompt};
use super::recipient::{fingerprint, parse_recipient};
use crate::error::{Error, Result, visible};
use crate::model::{Recipient, sha256};

/// The largest identity file, in bytes.
const FILE_LIMIT: usize = 64 * 1024;

type Key = Box<dyn age::Identity + Send + Sync>;

/// Secret keys, in memory. No Debug, Display, Clone or Serialize.
#[derive(Default)]
pub struct Identities {
    /// Keys that open without a question.
    ready: Vec<Key>,
    /// SSH keys with a passphrase.
    protected: Vec<ProtectedSsh>,
    /// Identities of plugins, and the files that they come from.
    plugins: Vec<(PathBuf, age::plugin::Identity)>,
    /// age identity files with a passphrase.
    locked: Vec<LockedFile>,
    /// Files with a passphrase that were unlocked before, elsewhere.
    elsewhere: Option<(BTreeSet<FileDigest>, Box<dyn Elsewhere>)>,
    /// What was in them, once someone was asked, and why the others stayed locked.
    unlocked: OnceLock<Box<(Identities, Vec<String>)>>,
    recipients: BTreeSet<Recipient>,
    /// Each identity: its file, and what is known of it.
    sources: Vec<(PathBuf, String)>,
    /// Lines that could not be used, of files in which others could.
    unusable: Vec<Error>,
    asker: Asker,
}

/// Which identity file it is: the SHA-256 of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileDigest([u8; 32]);

impl FileDigest {
    /// As many bytes.
    pub const LENGTH: usize = 32;

    fn of(content: &[u8]) -> Self {
        Self(sha256(content))
    }

    /// As it is sent.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// As it was sent.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

/// Identity files with a passphrase that somebody unlocked before, and that are kept elsewhere.
pub trait Elsewhere: Send + Sync {
    /// What is unlocked, and the public side of each.
    fn files(&self) -> &BTreeMap<FileDigest, BTreeSet<Recipient>>;

    /// Opens a sealed file with these.
    ///
    /// # Errors
    /// As [`Identities::open`]; [`OpenError::Locked`] where they are not unlocked any more.
    fn open(&self, with: &BTreeSet<FileDigest>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError>;
}

/// An age identity file with a passphrase.
struct LockedFile {
    path: PathBuf,
    digest: FileDigest,
    sealed: Vec<u8>,
}

/// Why a sealed file was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// It is sealed to other people's keys.
    NotForUs,
    /// An identity that might open it could not be used: its passphrase was not given, or its
    /// plugin is missing or failed. A clause that says which.
    Locked(String),
    /// It is no sealed file of ours: broken, cut off, too large, or sealed with a passphrase. A
    /// clause that says which.
    Malformed(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForUs => f.write_str("it is sealed to none of your identities"),
            Self::Locked(why) | Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OpenError {}

/// An SSH key with a passphrase, for which age itself would ask whatever the file is sealed to.
struct ProtectedSsh {
    path: PathBuf,
    digest: FileDigest,
    public: Recipient,
    /// `Identity::Encrypted`.
    key: age::ssh::Identity,
    kind: String,
    /// The first four bytes of the public key's SHA-256, by which age finds the key.
    tag: String,
    opened: OnceLock<Option<age::ssh::Identity>>,
    asker: Asker,
}

impl age::Identity for ProtectedSsh {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let age::ssh::Identity::Encrypted(encrypted) = &self.key else { return None };
        if stanza.tag != self.kind || stanza.args.first() != Some(&self.tag) {
            return None;
        }
        let opened =
            self.opened.get_or_init(|| self.unlock(encrypted).map_err(|why| self.asker.failed(why)).ok());
        match opened {
            Some(key) => key.unwrap_stanza(stanza),
            None => Some(Err(DecryptError::KeyDecryptionFailed)),
        }
    }
}

impl ProtectedSsh {
    fn unlock(&self, encrypted: &age::ssh::EncryptedKey) -> Result<age::ssh::Identity, String> {
        let open = |passphrase| encrypted.decrypt(passphrase).ok().map(age::ssh::Identity::from);
        self.asker.unlock(&self.path.display().to_string(), open)
    }
}

impl Identities {
    /// Reads identity files; every one must be usable. Where a passphrase is needed, nobody is asked.
    ///
    /// # Errors
    /// All files that cannot be read, are too large or hold no identity, each with its name.
    pub fn load(paths: &[PathBuf]) -> Result<Self> {
        let mut identities = Self::default();
        Error::all(identities.add_files(paths)).map_or(Ok(identities), Err)
    }

    /// Reads what is usable of these files, and says why the others are not. Where a passphrase is
    /// needed, `prompt` is asked for it.
    pub fn load_with(paths: &[PathBuf], prompt: Arc<dyn Prompt>) -> (Self, Vec<Error>) {
        let mut identities = Self { asker: Asker::new(prompt), ..Self::default() };
        let errors = identities.add_files(paths);
        (identities, errors)
    }

    fn add_files(&mut self, paths: &[PathBuf]) -> Vec<Error> {
        paths.iter().filter_map(|path| self.add_file(path).err()).collect()
    }

    /// The public side of each: whom the roster would name. Plugins do not tell theirs, and what is
    /// in a protected age identity file is known only after [`Self::unlock`].
    pub fn recipients(&self) -> &BTreeSet<Recipient> {
        &self.recipients
    }

    /// Each identity, as its file and what people know it by: a fingerprint, a plugin, that it has a passphrase.
    pub fn sources(&self) -> &[(PathBuf, String)] {
        &self.sources
    }

    /// Lines that could not be used, of files in which others could. They stop nothing.
    pub fn unusable(&self) -> &[Error] {
        &self.unusable
    }

    /// The files that have a passphrase.
    pub fn with_passphrase(&self) -> impl Iterator<Item = &Path> {
        let ssh = self.protected.iter().map(|key| key.path.as_path());
        self.locked.iter().map(|file| file.path.as_path()).chain(ssh)
    }

    /// Leaves the files to somebody who has them unlocked, as far as they do: nobody is asked for a passphrase then.
    pub fn leave_to(&mut self, elsewhere: Box<dyn Elsewhere>) {
        let mine =
            self.locked.iter().map(|file| file.digest).chain(self.protected.iter().map(|key| key.digest));
        let left: BTreeSet<FileDigest> = mine.filter(|file| elsewhere.files().contains_key(file)).collect();
        if left.is_empty() {
            return;
        }
        self.locked.retain(|file| !left.contains(&file.digest));
        self.protected.retain(|key| !left.contains(&key.digest));
        self.recipients.extend(left.iter().flat_map(|file| &elsewhere.files()[file]).cloned());
        self.elsewhere = Some((left, elsewhere));
    }

    /// Asks for each passphrase, and keeps of each file keys that open without a question; and why other files stay
    /// locked. One with an identity of a plugin does, for plugins ask on a terminal each time.
    pub fn into_unlocked(self) -> (BTreeMap<FileDigest, Identities>, Vec<String>) {
        let (mut unlocked, mut errors) = (BTreeMap::new(), Vec::new());
        let mut keep = |digest, identities: Result<Identities, String>| match identities {
            Ok(identities) => drop(unlocked.insert(digest, identities)),
            Err(why) => errors.push(why),
        };
        for file in &self.locked {
            let opened = self.unlock_file(file).and_then(|opened| match opened.plugins.first() {
                Some((path, plugin)) => {
                    let plugin = plugin.plugin();
                    Err(format!(
                        "{} holds an identity of age-plugin-{plugin}, which asks each time",
                        path.display()
                    ))
                }
                None => {
                    Ok(Identities { ready: opened.ready, recipients: opened.recipients, ..Self::default() })
                }
            });
            keep(file.digest, opened);
        }
        for key in &self.protected {
            let age::ssh::Identity::Encrypted(encrypted) = &key.key else { continue };
            let opened = key.unlock(encrypted).map(|opened| Identities {
                ready: vec![Box::new(opened) as Key],
                recipients: [key.public.clone()].into(),
                ..Self::default()
            });
            keep(key.digest, opened);
        }
        (unlocked, errors)
    }

    /// Asks for the passphrases of age identity files, once; returns the public side of what is in
    /// them, and why others stayed locked.
    pub fn unlock(&self) -> (&BTreeSet<Recipient>, &[String]) {
        let (identities, errors) = self.unlocked();
        (&identities.recipients, errors)
    }

    /// The names of the plugins that are needed, as far as that is known without a question.
    pub fn plugins(&self) -> BTreeSet<&str> {
        let unlocked = self.unlocked.get().map(|unlocked| &unlocked.0);
        let all = self.plugins.iter().chain(unlocked.iter().flat_map(|unlocked| &unlocked.plugins));
        all.map(|(_, identity)| identity.plugin()).collect()
    }

    /// Opens a sealed file, armored or not.
    ///
    /// # Errors
    /// [`OpenError::NotForUs`] where no identity matches, [`OpenError::Locked`] where one that might
    /// could not be used; [`OpenError::Malformed`] otherwise.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let first = match self.open_here_or_elsewhere(sealed) {
            Err(why @ (OpenError::NotForUs | OpenError::Locked(_))) if !self.locked.is_empty() => why,
            other => return other,
        };
        let (unlocked, errors) = self.unlocked();
        match (unlocked.open_here(sealed), first) {
            (Err(OpenError::NotForUs), OpenError::Locked(why)) => Err(OpenError::Locked(why)),
            (Err(OpenError::NotForUs), _) if !errors.is_empty() => Err(OpenError::Locked(errors.join("; "))),
            (other, _) => other,
        }
    }

    fn unlocked(&self) -> &(Identities, Vec<String>) {
        self.unlocked.get_or_init(|| {
            let mut identities = Self { asker: self.asker.clone(), ..Self::default() };
            let mut errors = Vec::new();
            for file in &self.locked {
                match self.unlock_file(file) {
                    Ok(opened) => {
                        errors.extend(opened.unusable.iter().map(|error| error.message().to_owned()));
                        identities.ready.extend(opened.ready);
                        identities.plugins.extend(opened.plugins);
                        identities.recipients.extend(opened.recipients);
                    }
                    Err(why) => errors.push(why),
                }
            }
            Box::new((identities, errors))
        })
    }

    /// What is in an age identity file, whose passphrase is asked for.
    fn unlock_file(&self, file: &LockedFile) -> Result<Identities, String> {
        let LockedFile { path, digest: _, sealed } = file;
        let text = self.asker.unlock(&path.display().to_string(), |passphrase| {
            let identity = age::scrypt::Identity::new(passphrase);
            let decryptor = Decryptor::new_buffered(ArmoredReader::new(&sealed[..])).ok()?;
            read(decryptor, [&identity as &dyn age::Identity].into_iter(), sealed.len()).ok()
        })?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| format!("{} holds no identity: it is not text", path.display()))?;
        let mut identities = Self { asker: self.asker.clone(), ..Self::default() };
        identities.add_age(path, text).map_err(|error| error.message().to_owned())?;
        Ok(identities)
    }

    /// What was unlocked elsewhere comes before what could ask.
    fn open_here_or_elsewhere(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Some((files, elsewhere)) = &self.elsewhere else { return self.open_here(sealed) };
        match elsewhere.open(files, sealed) {
            Err(OpenError::NotForUs) => self.open_here(sealed),
            other => other,
        }
    }

    /// Opens with what needs no unlocking first, then with plugins and protected SSH keys.
    fn open_here(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let malformed = |why: &str| OpenError::Malformed(why.to_owned());
        if sealed.len() > SEALED_LIMIT {
            return Err(malformed("it is larger than 1 MiB, which no sealed kubeconfig is"));
        }
        let decryptor = || Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(refusal);
        if decryptor()?.is_scrypt() {
            return Err(malformed("it is sealed with a passphrase; certctl seals to public keys only"));
        }
        fn all(keys: &[Key]) -> impl Iterator<Item = &dyn age::Identity> {
            keys.iter().map(|key| &**key as &dyn age::Identity)
        }
        let protected = || self.protected.iter().map(|key| key as &dyn age::Identity);
        match read(decryptor()?, all(&self.ready), sealed.len()) {
            Err(OpenError::NotForUs) => {}
            other => return other,
        }
        let (plugins, missing) = self.running_plugins();
        let mut locked = missing;
        for asking in [all(&plugins).collect::<Vec<_>>(), protected().collect()] {
            let _ = self.asker.failure();
            match read(decryptor()?, asking.into_iter(), sealed.len()) {
                // A plugin that got no answer may just say that it opened nothing.
                Err(OpenError::NotForUs) => locked.extend(self.asker.failure()),
                Err(OpenError::Locked(why)) => locked.push(self.asker.failure().unwrap_or(why)),
                other => return other,
            }
        }
        if locked.is_empty() { Err(OpenError::NotForUs) } else { Err(OpenError::Locked(locked.join("; "))) }
    }

    /// One key for each plugin, and a clause for each that is not installed.
    fn running_plugins(&self) -> (Vec<Key>, Vec<String>) {
        let identities: Vec<age::plugin::Identity> =
            self.plugins.iter().map(|(_, identity)| identity.clone()).collect();
        let names: BTreeSet<&str> = identities.iter().map(age::plugin::Identity::plugin).collect();
        let (mut keys, mut missing) = (Vec::<Key>::new(), Vec::new());
        for name in names {
            match age::plugin::IdentityPluginV1::new(name, &identities, self.asker.clone()) {
                Ok(plugin) => keys.push(Box::new(plugin)),
                Err(_) => {
                    let file = self.plugins.iter().find(|(_, identity)| identity.plugin() == name);
                    let file = file.map_or_else(String::new, |(path, _)| path.display().to_string());
                    missing.push(format!("{file} needs `age-plugin-{name}`, which is not on PATH"));
                }
            }
        }
        (keys, missing)
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
        if bytes.starts_with(b"age-encryption.org/v1")
            || bytes.trim_ascii_start().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
        {
            return self.add_locked(path, &bytes);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| match bytes[..] {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Error::new(format!(
                "{name}: the file is no identity that can be read: it is UTF-16"
            ))
            .hint("save it as UTF-8; PowerShell's `>` writes UTF-16, `Set-Content -Encoding ascii` does not"),
            _ => Error::new(format!("{name}: the file is no identity: it is not text")),
        })?;
        // Windows editors begin a text file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let start = text.trim_start();
        if start.starts_with("-----BEGIN ") {
            self.add_ssh(path, start, FileDigest::of(&bytes))
        } else {
            self.add_age(path, text)
        }
    }

    fn add_locked(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let refused = |what: &str| Error::new(format!("{}: {what}", path.display()));
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes))
            .map_err(|_| refused("this is no age file, or was cut off"))?;
        if !decryptor.is_scrypt() {
            return Err(refused("this identity is sealed to a key, and not with a passphrase")
                .hint(format!("open it first: `age -d -i KEY {}`", path.display())));
        }
        self.sources.push((path.to_owned(), "with a passphrase".to_owned()));
        let digest = FileDigest::of(bytes);
        self.locked.push(LockedFile { path: path.to_owned(), digest, sealed: bytes.to_vec() });
        Ok(())
    }

    /// Takes the lines that can be used. The others are an error only where there is none.
    fn add_age(&mut self, path: &Path, text: &str) -> Result<()> {
        let before = self.ready.len() + self.plugins.len();
        let mut unusable = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                unusable.extend(self.add_line(path, number, line).err());
            }
        }
        if self.ready.len() + self.plugins.len() > before {
            self.unusable.append(&mut unusable);
            return Ok(());
        }
        // Of a file that is none of identities, the first line says enough.
        Err(unusable.into_iter().next().unwrap_or_else(|| {
            Error::new(format!("{}: the file holds no identity", path.display()))
                .hint("make one with `certctl keygen`")
        }))
    }

    fn add_line(&mut self, path: &Path, number: usize, line: &str) -> Result<()> {
        if let Ok(identity) = line.parse::<age::plugin::Identity>() {
            self.sources.push((path.to_owned(), format!("age-plugin-{}", identity.plugin())));
            self.plugins.push((path.to_owned(), identity));
            return Ok(());
        }
        let key: age::x25519::Identity = line.parse().map_err(|_| {
            let refused = |what: &str| Error::new(format!("{}:{number}: {what}", path.display()));
            if line.starts_with("AGE-PLUGIN-") {
                refused("this identity of an age plugin was cut off or changed")
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
        self.ready.push(Box::new(key));
        Ok(())
    }

    fn add_ssh(&mut self, path: &Path, text: &str, digest: FileDigest) -> Result<()> {
        let name = path.display();
        let refused = |what: &str| Error::new(format!("{name}: {what}"));
        let old = || {
            refused("the passphrase of this private key is of a form that age does not know")
                .hint(format!("store it in the form of OpenSSH with `ssh-keygen -p -f {name}`"))
        };
        let label = text.lines().next().unwrap_or_default();
        if label.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY") {
            return Err(old());
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
            age::ssh::Identity::Unencrypted(_) | age::ssh::Identity::Encrypted(_) => {}
            age::ssh::Identity::Unsupported(
                UnsupportedKey::EncryptedPem | UnsupportedKey::EncryptedSsh(_),
            ) => {
                return Err(old());
            }
            age::ssh::Identity::Unsupported(UnsupportedKey::Hardware(_)) => {
                return Err(refused("this ssh key is on a security token, which cannot decrypt"));
            }
            age::ssh::Identity::Unsupported(UnsupportedKey::Type(_)) => {
                return Err(refused("age cannot use ssh keys of this type; it takes ed25519 and rsa"));
            }
        }
        let unusable =
            || refused("age cannot use this ssh key; it takes ed25519, and rsa of 2048 to 4096 bits");
        let public = age::ssh::Recipient::try_from(key.clone()).map_err(|_| unusable())?.to_string();
        let recipient = self.remember(path, &public)?;
        if matches!(key, age::ssh::Identity::Unencrypted(_)) {
            self.ready.push(Box::new(key));
            return Ok(());
        }
        let (kind, blob) = public.split_once(' ').ok_or_else(unusable)?;
        let blob = STANDARD.decode(blob).map_err(|_| unusable())?;
        self.protected.push(ProtectedSsh {
            path: path.to_owned(),
            digest,
            public: recipient,
            key,
            kind: kind.to_owned(),
            tag: STANDARD_NO_PAD.encode(&sha256(&blob)[..4]),
            opened: OnceLock::new(),
            asker: self.asker.clone(),
        });
        Ok(())
    }

    fn remember(&mut self, path: &Path, public: &str) -> Result<Recipient> {
        let recipient = parse_recipient(public)
            .map_err(|why| Error::new(format!("{}: the identity's public key {why}", path.display())))?;
        self.sources.push((path.to_owned(), fingerprint(&recipient)));
        self.recipients.insert(recipient.clone());
        Ok(recipient)
    }
}

/// age does not compress: the plaintext is shorter than the file, and the buffer never moves.
fn read<'k>(
    decryptor: Decryptor<impl std::io::BufRead>,
    keys: impl Iterator<Item = &'k dyn age::Identity>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut reader = decryptor.decrypt(keys).map_err(refusal)?;
    let mut plaintext = Zeroizing::new(vec![0; limit]);
    let mut length = 0;
    while length < plaintext.len() {
        match reader.read(&mut plaintext[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(_) => return Err(OpenError::Malformed("its content was changed or cut off".to_owned())),
        }
    }
    plaintext.truncate(length);
    Ok(plaintext)
}

fn refusal(why: DecryptError) -> OpenError {
    let clause = match why {
        DecryptError::NoMatchingKeys => return OpenError::NotForUs,
        DecryptError::KeyDecryptionFailed => {
            return OpenError::Locked("the identity could not be unlocked".to_owned());
        }
        DecryptError::Plugin(_) | DecryptError::PluginResolve(_) => {
            let why: Vec<String> = why.to_string().lines().map(|line| visible(line.trim())).collect();
            return OpenError::Locked(format!("an age plugin failed: {}", why.join(" ")));
        }
        DecryptError::UnknownFormat => "it is of a newer age format",
        DecryptError::InvalidMac => "its list of recipients was changed",
        DecryptError::DecryptionFailed => "its key was changed",
        _ => "it is no age file, or was cut off",
    };
    OpenError::Malformed(clause.to_owned())
}
