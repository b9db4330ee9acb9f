//! What the process holds, and what it answers. Pure: the time is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::protocol::{Answer, Question, Unlocked};
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

    /// The answer; after [`Answer::Locked`] there is no other.
    pub(super) fn answer(&self, question: &Question, now: Timestamp) -> Answer {
        if now >= self.until {
            return Answer::Locked;
        }
        match question {
            Question::Lock => Answer::Locked,
            Question::What => {
                let files = self.files.iter();
                let files = files.map(|(file, identities)| (*file, identities.recipients().clone()));
                Answer::What(Unlocked { until: self.until, files: files.collect() })
            }
            Question::Open(with, sealed) => self.open(with, sealed),
        }
    }

    fn open(&self, with: &BTreeSet<FileDigest>, sealed: &[u8]) -> Answer {
        for identities in with.iter().filter_map(|file| self.files.get(file)) {
            match identities.open(sealed) {
                Ok(plaintext) => return Answer::Opened(plaintext),
                Err(OpenError::NotForUs) => {}
                Err(why) => return Answer::NotOpened(why),
            }
        }
        Answer::NotOpened(OpenError::NotForUs)
    }
}
