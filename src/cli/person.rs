//! What people run for themselves: identities, kubeconfigs, and who they are.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use crate::model::{KeyType, UserName};

/// `keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Protect it with a passphrase, which you enter twice
    #[arg(long)]
    pub passphrase: bool,
    /// Print the line for the roster again, of the identity that is there
    #[arg(long, conflicts_with = "passphrase")]
    pub show: bool,
    /// Where to write it [default: certctl/identity.txt in $XDG_CONFIG_HOME, else in ~/.config]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Your name on the roster [default: the user whose recipient is your identity]
    pub user: Option<UserName>,
    /// ecdsa-p256, ecdsa-p384, ed25519 or rsa-4096 [default: from the roster, else ecdsa-p256]
    #[arg(long, value_name = "KIND", value_parser = key)]
    pub key: Option<KeyType>,
    /// Where to write the request, in the roster's folder [default: csrs/USER.csr]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// An age identity file or an OpenSSH private key that identifies you, as for `decrypt`
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `decrypt`.
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// The kubeconfig's owner [default: the user whose kubeconfig the identity decrypts]
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    ///
    /// Default: $CERTCTL_IDENTITY, else all that exist of certctl/identity.txt in $XDG_CONFIG_HOME
    /// (~/.config), $SOPS_AGE_KEY_FILE, sops/age/keys.txt, ~/.ssh/id_ed25519 and ~/.ssh/id_rsa.
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Write to this file, readable only by you
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Your name on the roster; required if your key decrypts the kubeconfigs of several users
    pub user: Option<UserName>,
    /// Let kubectl run certctl to get the certificate for each call (the default)
    #[arg(long, conflicts_with = "embed")]
    pub exec: bool,
    /// Write the certificate and the private key into the kubeconfig, in plain text
    ///
    /// For programs that cannot run credential plugins. Log in again after each renewal.
    #[arg(long)]
    pub embed: bool,
    /// Replace contexts that certctl did not write, and accept another server or CA
    #[arg(long)]
    pub force: bool,
    /// An age identity file or an OpenSSH private key, remembered for kubectl; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Remove the entries of all rosters; needs no roster
    #[arg(long, conflicts_with = "clusters")]
    pub all: bool,
}

/// `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// For how long, at most 24h
    #[arg(long = "for", value_name = "DURATION", default_value = "8h", value_parser = unlocked_for)]
    pub lasts: jiff::SignedDuration,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `credential`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// The credential's owner
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `whoami`.
#[derive(Debug, Args)]
pub struct WhoamiArgs {
    /// Your name on the roster; required if your key decrypts the kubeconfigs of several users
    pub user: Option<UserName>,
    /// Contact neither a cluster nor the remote
    #[arg(long)]
    pub offline: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

fn unlocked_for(text: &str) -> Result<jiff::SignedDuration, String> {
    let lasts = crate::roster::duration(text).map_err(|why| why.to_string())?;
    let day = jiff::SignedDuration::from_hours(24);
    if lasts.is_zero() || lasts > day { Err("it must be from 1m to 24h".to_owned()) } else { Ok(lasts) }
}

fn key(text: &str) -> Result<KeyType, String> {
    let kinds = [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096];
    let kind = kinds.into_iter().find(|kind| kind.to_string() == text);
    kind.ok_or_else(|| format!("write one of {}", kinds.map(|kind| kind.to_string()).join(", ")))
}
