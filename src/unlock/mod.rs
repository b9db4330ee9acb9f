//! Identities with a passphrase, unlocked for some hours: a process of the same user keeps them in memory, and opens
//! what is sealed to them for whoever asks it through a socket. It never hands out a key.
//!
//! Refused: a socket in a folder that another user may enter, and a connection of another user. What it opens is
//! believed by nobody: the kubeconfig is verified as if it had been opened here.

mod client;
mod handover;
mod keeper;
mod protocol;
mod server;
mod vault;

use std::path::{Path, PathBuf};

pub use client::{Lock, lock, unlocked};
pub use handover::{Launched, launch};
pub use keeper::keep;

/// Where the socket is: certctl/ in `$XDG_RUNTIME_DIR`, which is for this user and session alone, else in the folder of
/// certctl's own files.
pub fn folder(own_files: Option<&Path>) -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|folder| folder.is_absolute()).map(|folder| folder.join("certctl"));
    runtime.or_else(|| Some(own_files?.join("unlocked")))
}

/// The name of the socket.
const SOCKET: &str = "socket";

/// The name of the file that whoever listens there keeps locked.
const HELD: &str = "held";
