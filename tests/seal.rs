//! Sealing and decrypting, against age's own library, with ssh keys that `ssh-keygen` generates. The reference
//! `age` has its test in the e2e suite.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use age::secrecy::ExposeSecret as _;
use certctl::model::Recipient;
use certctl::seal::{
    Identities, OpenError, PLAINTEXT_LIMIT, Prompt, SEALED_LIMIT, new_identity, parse_recipient, seal,
};
use zeroize::Zeroizing;

const PLAINTEXT: &[u8] = b"apiVersion: v1\nkind: Config\n";

/// A fresh age identity in a file, and its recipient.
fn age_identity(folder: &Path, name: &str) -> (PathBuf, Recipient) {
    let identity = age::x25519::Identity::generate();
    let path = folder.join(name);
    let text = format!("# created: now\n\n{}\r\n", identity.to_string().expose_secret());
    std::fs::write(&path, text).expect("written");
    (path, parse_recipient(&identity.to_public().to_string()).expect("a recipient"))
}

/// A fresh ssh key in a file, and its recipient.
fn ssh_identity(folder: &Path, kind: &str, passphrase: &str) -> (PathBuf, Recipient) {
    let path = folder.join(format!("id_{kind}{}", if passphrase.is_empty() { "" } else { "_protected" }));
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-C", "alice@laptop of hers", "-N", passphrase, "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(made.expect("ssh-keygen runs").success(), "ssh-keygen -t {kind}");
    let public = std::fs::read_to_string(path.with_extension("pub")).expect("the public key");
    (path, parse_recipient(&public).expect("a recipient"))
}

fn every_identity(folder: &Path) -> Vec<(PathBuf, Recipient)> {
    let ssh = ["ed25519", "rsa"].into_iter().map(|kind| ssh_identity(folder, kind, ""));
    std::iter::once(age_identity(folder, "age.txt")).chain(ssh).collect()
}

fn load(path: &Path) -> Identities {
    Identities::load(&[path.to_owned()]).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn refusal(paths: &[PathBuf]) -> String {
    let error = Identities::load(paths).err().expect("refused");
    error.render(false)
}

#[test]
fn each_recipient_can_decrypt_it_and_nobody_else_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let identities = every_identity(folder.path());
    let recipients: BTreeSet<Recipient> = identities.iter().map(|(_, recipient)| recipient.clone()).collect();
    let sealed = seal(&recipients, PLAINTEXT).expect("sealed");
    assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
    for (path, recipient) in &identities {
        let identity = load(path);
        assert_eq!(identity.recipients(), &BTreeSet::from([recipient.clone()]));
        assert_eq!(*identity.open(&sealed).expect("opened"), PLAINTEXT);
        let one = seal(&BTreeSet::from([recipient.clone()]), PLAINTEXT).expect("sealed");
        for (other, _) in identities.iter().filter(|(other, _)| other != path) {
            assert_eq!(load(other).open(&one).err(), Some(OpenError::NotForUs));
        }
    }
    let paths: Vec<PathBuf> = identities.into_iter().map(|(path, _)| path).collect();
    let all = Identities::load(&paths).expect("all at once");
    assert_eq!(all.recipients(), &recipients);
    assert_eq!(*all.open(&sealed).expect("opened"), PLAINTEXT);
    assert_eq!(Identities::default().open(&sealed).err(), Some(OpenError::NotForUs));
}

#[test]
fn sizes_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, recipient) = age_identity(folder.path(), "age.txt");
    let recipients = BTreeSet::from([recipient]);
    let largest = vec![b'x'; PLAINTEXT_LIMIT];
    let sealed = seal(&recipients, &largest).expect("the largest");
    assert_eq!(*load(&path).open(&sealed).expect("opened"), largest);
    assert!(load(&path).open(&seal(&recipients, b"").expect("nothing")).expect("opened").is_empty());
    let error = seal(&recipients, &vec![b'x'; PLAINTEXT_LIMIT + 1]).expect_err("too large");
    assert!(error.message().contains("larger than 256 KiB"), "{error}");
    assert!(seal(&BTreeSet::new(), PLAINTEXT).is_err(), "sealed to no one");
    let error = load(&path).open(&vec![b'x'; SEALED_LIMIT + 1]).expect_err("too large");
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
}

#[test]
fn hostile_files_are_refused_and_not_mistaken_for_other_peoples() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, recipient) = age_identity(folder.path(), "age.txt");
    let identity = load(&path);
    let sealed = seal(&BTreeSet::from([recipient]), PLAINTEXT).expect("sealed");

    for length in 0..sealed.len() - 1 {
        let error = identity.open(&sealed[..length]).expect_err("cut off");
        assert!(matches!(error, OpenError::Malformed(_)), "cut at {length}: {error}");
    }
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        identity.open(&changed).expect_err("changed");
    }
    let mut longer = sealed.clone();
    longer.extend(b"more");
    assert!(matches!(identity.open(&longer), Err(OpenError::Malformed(_))));

    let mut protected = Vec::new();
    let mut recipient = age::scrypt::Recipient::new("secret".to_owned().into());
    recipient.set_work_factor(4);
    let encryptor = age::Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter());
    let mut writer = encryptor.expect("a passphrase").wrap_output(&mut protected).expect("written");
    writer.write_all(PLAINTEXT).expect("written");
    writer.finish().expect("written");
    let error = identity.open(&protected).expect_err("sealed with a passphrase");
    assert!(error.to_string().contains("sealed with a passphrase"), "{error}");
}

#[test]
fn unusable_identities_are_refused_by_name_and_never_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let (good, recipient) = age_identity(folder.path(), "age.txt");
    let secret = std::fs::read_to_string(&good).expect("the identity");
    let sealed = seal(&BTreeSet::from([recipient.clone()]), PLAINTEXT).expect("sealed");
    let armor = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";
    let pkcs8 = "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n";
    for (path, why) in [
        (folder.path().join("missing"), "could not be read"),
        (folder.path().to_owned(), "could not be read"),
        (file("empty", "# nothing\n"), "holds no identity"),
        (file("public", recipient.as_str()), "public:1: this is a public key"),
        (file("broken", "# mine\nSECRETSECRET\n"), "broken:2: this line is no identity"),
        (
            file("plugin", "AGE-PLUGIN-YUBIKEY-1SECRETSECRET"),
            "plugin:1: this identity of an age plugin was cut off",
        ),
        (file("quantum", "AGE-SECRET-KEY-PQ-1SECRETSECRET"), "post-quantum"),
        (file("armored", armor), "this is no age file, or was cut off"),
        (file("binary", "age-encryption.org/v1\n-> scrypt"), "this is no age file, or was cut off"),
        (file("sealed", std::str::from_utf8(&sealed).expect("ASCII")), "is sealed to a key"),
        (file("pkcs8", pkcs8), "no private key that age can use"),
        (
            file("encrypted", &pkcs8.replace("PRIVATE", "ENCRYPTED PRIVATE")),
            "Hint: store it in the form of OpenSSH",
        ),
        (file("cut", "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRETSECRET\n"), "cut off"),
        (file("large", &"#".repeat(65_537)), "larger than 64 KiB"),
    ] {
        let text = refusal(&[good.clone(), path]);
        assert!(text.contains(why), "{why}: {text}");
        assert!(
            !text.contains("SECRETSECRET") && !text.contains(secret.lines().nth(2).expect("the key")),
            "{text}"
        );
    }
    let text = refusal(&[folder.path().join("missing"), folder.path().join("empty")]);
    assert_eq!(text.matches("Error:").count(), 2, "every file is reported: {text}");
}

/// Knows one passphrase, and counts how often it was asked.
struct Knows(&'static str, AtomicUsize);

impl Prompt for Knows {
    fn secret(&self, _: &str) -> Result<Zeroizing<String>, String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(Zeroizing::new(self.0.to_owned()))
    }
    fn line(&self, _: &str) -> Result<String, String> {
        Err("it knows nothing else".into())
    }
    fn tell(&self, _: &str) {}
}

#[test]
fn a_passphrase_is_prompted_for_once_and_only_if_nothing_else_decrypts_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, everyone) = age_identity(folder.path(), "age.txt");
    let (_, nobody) = age_identity(folder.path(), "other.txt");
    let made = new_identity("now", Some("right")).expect("made");
    let path = folder.path().join("locked.txt");
    std::fs::write(&path, &made.file).expect("written");
    let locked = (path, parse_recipient(&made.recipient).expect("a recipient"));
    let ssh = ["ed25519", "rsa"].into_iter().map(|kind| ssh_identity(folder.path(), kind, "right"));
    for (path, recipient) in std::iter::once(locked).chain(ssh) {
        let to = |recipient: &Recipient| seal(&[recipient.clone()].into(), PLAINTEXT).expect("sealed");
        let is_file = path.ends_with("locked.txt");

        let knows = Arc::new(Knows("right", AtomicUsize::new(0)));
        let (identities, errors) = Identities::load_with(&[path.clone(), plain.clone()], knows.clone());
        assert!(errors.is_empty(), "{errors:?}");
        let known = identities.recipients().contains(&recipient);
        assert_eq!(known, !is_file, "the public half of an SSH key needs no passphrase");
        assert_eq!(*identities.open(&to(&everyone)).expect("opened"), PLAINTEXT);
        assert_eq!(knows.1.load(Ordering::Relaxed), 0, "another key opens it");
        for _ in 0..2 {
            assert_eq!(*identities.open(&to(&recipient)).expect("opened"), PLAINTEXT);
        }
        assert_eq!(identities.open(&to(&nobody)).err(), Some(OpenError::NotForUs));
        assert_eq!(knows.1.load(Ordering::Relaxed), 1, "asked once");
        assert_eq!(identities.unlock().0.contains(&recipient), is_file);

        let guesses = Arc::new(Knows("wrong", AtomicUsize::new(0)));
        let (identities, _) = Identities::load_with(std::slice::from_ref(&path), guesses.clone());
        let error = identities.open(&to(&recipient)).expect_err("locked");
        assert!(matches!(&error, OpenError::Locked(why) if why.contains("wrong 3 times")), "{error}");
        assert_eq!(guesses.1.load(Ordering::Relaxed), 3);

        let error = load(&path).open(&to(&recipient)).expect_err("locked");
        let name = path.display().to_string();
        assert!(
            matches!(&error, OpenError::Locked(why) if why.contains("protected by a passphrase") && why.contains(&name)),
            "{error}"
        );
    }
}
