//! Where a person's secrets are on their own machine: identities, and keys that stay there.
//!
//! Identities are looked for in a documented order: `--identity`, `CERTCTL_IDENTITY`, and without
//! them every one that exists of certctl's own file, those of SOPS, and the SSH keys where they
//! usually are. See docs/choices.md.

use std::path::PathBuf;
use std::sync::Arc;

use super::home;
use crate::clock;
use crate::console::terminal::{Terminal, Tty};
use crate::error::{Error, Result};
use crate::model::CredentialId;
use crate::os;
use crate::render::first_of;
use crate::seal::Identities;
use crate::unlock;

/// Loads the identities of a command, and leaves to `certctl unlock` what that has unlocked.
///
/// # Errors
/// As [`load_here`].
pub fn load(given: &[PathBuf], terminal: &Terminal) -> Result<Identities> {
    let mut identities = load_here(given, terminal)?;
    if identities.with_passphrase().next().is_some()
        && let Some(unlocked) = unlocked_folder().and_then(|folder| unlock::unlocked(&folder, clock::now()))
    {
        identities.leave_to(unlocked);
    }
    Ok(identities)
}

/// Where `certctl unlock` listens. `None` without a home.
pub fn unlocked_folder() -> Option<PathBuf> {
    unlock::folder(config().map(|config| config.join("certctl")).as_deref())
}

/// Loads the identities of a command. Those that were named must be usable; of those that were
/// found, at least one.
///
/// # Errors
/// There is none, or one that was named cannot be used.
pub fn load_here(given: &[PathBuf], terminal: &Terminal) -> Result<Identities> {
    let named = match std::env::var_os("CERTCTL_IDENTITY").filter(|file| !file.is_empty()) {
        _ if !given.is_empty() => given.to_vec(),
        Some(file) => vec![file.into()],
        None => Vec::new(),
    };
    let files = if named.is_empty() { found() } else { named.clone() };
    if files.is_empty() {
        let error = Error::new(
            "there is no identity to decrypt with: neither certctl's own, nor one of SOPS, nor an SSH key in ~/.ssh",
        );
        let error = match std::env::var_os("SSH_AUTH_SOCK") {
            Some(_) => error.caused_by(
                "keys that only an ssh-agent holds cannot decrypt: it signs, and age needs the key itself",
            ),
            None => error,
        };
        return Err(error.hint(
            "make one with `certctl keygen`, or name the file of your age or SSH private key: `-i FILE`",
        ));
    }
    let (identities, errors) = Identities::load_with(&files, Arc::new(Tty));
    for error in identities.unusable() {
        terminal.detail(&format!("Not used: {error}"));
    }
    if !named.is_empty() || errors.len() == files.len() {
        return Error::all(errors).map_or(Ok(identities), Err);
    }
    for error in errors {
        terminal.detail(&format!("Not used: {error}"));
    }
    Ok(identities)
}

/// Which identities were tried, and where they are: for whoever wonders why nothing opened.
pub fn tried(identities: &Identities) -> String {
    let shown = |(file, what): &(PathBuf, String)| format!("{} ({what})", home::shown(file));
    format!("tried {}", listed(&identities.sources().iter().map(shown).collect::<Vec<_>>()))
}

/// The first of them, and how many more there are.
pub fn listed(texts: &[String]) -> String {
    const MOST: usize = 10;
    first_of(texts, MOST)
}

/// The identities that exist where they are looked for, in order.
fn found() -> Vec<PathBuf> {
    let sops = std::env::var_os("SOPS_AGE_KEY_FILE").filter(|file| !file.is_empty()).map(PathBuf::from);
    let ssh = std::env::home_dir().map(|home| home.join(".ssh"));
    let of_sops = |folder: Option<PathBuf>| folder.map(|folder| folder.join("sops/age/keys.txt"));
    let mut files: Vec<PathBuf> = [own_file(), sops, of_sops(config()), of_sops(os::application_data())]
        .into_iter()
        .chain(["id_ed25519", "id_rsa"].map(|name| ssh.as_ref().map(|ssh| ssh.join(name))))
        .flatten()
        .filter(|file| file.is_file())
        .collect();
    files.dedup();
    files
}

/// `$XDG_CONFIG_HOME`, which counts only where it is absolute, else `~/.config`.
fn config() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    named.or_else(|| Some(std::env::home_dir()?.join(".config")))
}

/// certctl's own identity file, whether it exists or not. `None` without a home.
pub fn own_file() -> Option<PathBuf> {
    Some(config()?.join("certctl/identity.txt"))
}

/// The file of a private key that stays on this machine. `None` without a home.
pub fn key_file(credential: &CredentialId) -> Option<PathBuf> {
    Some(config()?.join("certctl/keys").join(format!("{credential}.pem")))
}

/// What to say where there is no home.
pub fn homeless() -> Error {
    Error::new(
        "there is no place for private files: neither XDG_CONFIG_HOME nor HOME is set; nothing was made",
    )
}
