//! What the process holds, and what it answers. Pure: the time is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::protocol::{AgentReply, AgentRequest, Unlocked};
use crate::seal::{FileDigest, Identities, OpenError};

/// Unlocked identities, and until when. No Debug, Display, Clone or Serialize.
pub(super) struct Vault {
    files: BTreeMap<FileDigest, Identities>,
    until: Timestamp,
}

impl Vault {
    /// Holds what was in these identity files; none of it may need a question.
    pub(super) fn new(files: BTreeMap<FileDigest, Identities>, until: Timestamp) -> Self {
        Self { files, until }
    }

    /// Until when it answers.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// The answer; after [`AgentReply::Locked`] there is no other, and by then nothing is held any more.
    pub(super) fn answer(&mut self, question: &AgentRequest, now: Timestamp) -> AgentReply {
        match question {
            _ if now >= self.until => self.lock(),
            AgentRequest::Lock => self.lock(),
            AgentRequest::What => {
                let files = self.files.iter();
                let files = files.map(|(file, identities)| (*file, identities.recipients().clone()));
                AgentReply::What(Unlocked { until: self.until, files: files.collect() })
            }
            AgentRequest::Open(with, sealed) => self.open(with, sealed),
        }
    }

    fn lock(&mut self) -> AgentReply {
        self.files.clear();
        AgentReply::Locked
    }

    fn open(&self, with: &BTreeSet<FileDigest>, sealed: &[u8]) -> AgentReply {
        for identities in with.iter().filter_map(|file| self.files.get(file)) {
            match identities.open(sealed) {
                Ok(plaintext) => return AgentReply::Opened(plaintext),
                Err(OpenError::NotForUs) => {}
                Err(why) => return AgentReply::NotOpened(why),
            }
        }
        AgentReply::NotOpened(OpenError::NotForUs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::new_identity;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    /// With one identity, until the 100th second.
    fn vault() -> Vault {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("identity");
        std::fs::write(&path, &new_identity("now", None).expect("made").file).expect("written");
        let identities = Identities::load(&[path]).expect("loaded");
        Vault::new([(FileDigest::from_bytes([7; FileDigest::LENGTH]), identities)].into(), at(100))
    }

    #[test]
    fn once_it_says_locked_it_holds_nothing() {
        for (question, second) in
            [(AgentRequest::Lock, 0), (AgentRequest::What, 100), (AgentRequest::Lock, 100)]
        {
            let mut vault = vault();
            assert!(
                matches!(vault.answer(&AgentRequest::What, at(99)), AgentReply::What(it) if it.files.len() == 1)
            );
            assert!(matches!(vault.answer(&question, at(second)), AgentReply::Locked));
            // Not even to somebody whose clock is behind.
            assert!(
                matches!(vault.answer(&AgentRequest::What, at(0)), AgentReply::What(it) if it.files.is_empty())
            );
        }
    }
}
