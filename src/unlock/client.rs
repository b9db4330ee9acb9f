//! Asking on the socket. Where nobody answers, nothing is unlocked: then passphrases are asked for, as ever.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::SOCKET;
use super::protocol::{AgentReply, AgentRequest, MOST_FILES};
use super::server::PATIENCE;
use crate::model::Recipient;
use crate::os;
use crate::seal::{Elsewhere, FileDigest, OpenError};

/// What is unlocked, and where to ask for it.
struct Client {
    folder: PathBuf,
    files: BTreeMap<FileDigest, BTreeSet<Recipient>>,
}

/// What is unlocked now, if anything is.
pub fn unlocked(folder: &Path, now: Timestamp) -> Option<Box<dyn Elsewhere>> {
    let AgentReply::What(unlocked) = ask(folder, &AgentRequest::What).ok()? else { return None };
    if unlocked.until <= now {
        // It was stopped, or its machine slept, or its clock is another.
        lock(folder);
        return None;
    }
    let files = unlocked.files.into_iter().take(MOST_FILES).collect();
    Some(Box::new(Client { folder: folder.to_owned(), files }))
}

/// What `certctl lock` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It was unlocked.
    Locked,
    /// Nothing was.
    NothingUnlocked,
}

/// Has everything forgotten at once.
pub fn lock(folder: &Path) -> Lock {
    match ask(folder, &AgentRequest::Lock) {
        Ok(_) => Lock::Locked,
        Err(_) => Lock::NothingUnlocked,
    }
}

/// One question. The folder is this user's alone, and so is whoever listens in it.
fn ask(folder: &Path, question: &AgentRequest) -> io::Result<AgentReply> {
    if !os::is_private_folder(folder) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut connection = os::connect(&folder.join(SOCKET), PATIENCE)?;
    question.send(&mut connection)?;
    AgentReply::receive(&mut connection)
}

impl Elsewhere for Client {
    fn files(&self) -> &BTreeMap<FileDigest, BTreeSet<Recipient>> {
        &self.files
    }

    fn open(&self, with: &BTreeSet<FileDigest>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let gone = || OpenError::Locked("what `certctl unlock` had unlocked was locked meanwhile".to_owned());
        match ask(&self.folder, &AgentRequest::Open(with.clone(), sealed.to_vec())) {
            Ok(AgentReply::Opened(plaintext)) => Ok(plaintext),
            Ok(AgentReply::NotOpened(why)) => Err(why),
            Ok(AgentReply::What(_) | AgentReply::Locked) | Err(_) => Err(gone()),
        }
    }
}
