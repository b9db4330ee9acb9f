//! The records that commits changed.

use std::collections::HashSet;
use std::str;

use git2::{DiffFile, FileMode};
use jiff::Timestamp;

use super::walk::Onward;
use super::{BlobId, CommitTree, time};
use crate::error::Result;
use crate::model::{ClusterName, UserName};
use crate::record;
use crate::record_folder::RECORDS;
use crate::repo::{Repo, internal};

/// A record that was made, changed or deleted between two commits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedRecord {
    pub cluster: ClusterName,
    pub user: UserName,
    pub before: Option<BlobId>,
    pub after: Option<BlobId>,
}

/// A record as some commit holds it.
pub struct PastRecord<'a> {
    /// Whether HEAD does.
    pub is_current: bool,
    pub cluster: &'a ClusterName,
    pub user: &'a UserName,
    pub bytes: &'a [u8],
}

/// What `past_records` shows.
pub enum Past<'a> {
    Record(PastRecord<'a>),
    /// All that HEAD holds has been shown.
    EndOfHead,
}

/// Whether more is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    On,
    Done,
}

impl Repo {
    /// What two commits hold differently, by cluster and user; `None` holds nothing.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn changed_records(
        &self,
        before: Option<&CommitTree>,
        after: &CommitTree,
    ) -> Result<Vec<ChangedRecord>> {
        let records = |at: &CommitTree| self.folder(&self.tree_at(at)?, &at.records());
        let (before, after) = (before.map(records).transpose()?.flatten(), records(after)?);
        let mut all = Vec::new();
        if before.as_ref().map(|folder| folder.id()) == after.as_ref().map(|folder| folder.id()) {
            return Ok(all);
        }
        let read = |error| internal("compare", RECORDS, error);
        let diff = self.git.diff_tree_to_tree(before.as_ref(), after.as_ref(), None).map_err(read)?;
        for delta in diff.deltas() {
            let (old, new) = (delta.old_file(), delta.new_file());
            let (before, after) = (record(&old), record(&new));
            let path = new.path_bytes().and_then(|path| str::from_utf8(path).ok());
            if let Some((cluster, user)) = path.and_then(whose).filter(|_| before != after) {
                all.push(ChangedRecord { cluster, user, before, after });
            }
        }
        all.sort();
        Ok(all)
    }

    /// Each version of each record that HEAD or a commit before it holds, the latest first, until `look` has
    /// seen enough: it is told when all that HEAD holds has been shown. Returns where the history ends before
    /// the beginning.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn past_records(&self, look: &mut dyn FnMut(Past<'_>) -> Look) -> Result<Option<Timestamp>> {
        let mut seen = HashSet::new();
        let mut ends_at = None;
        // What it holds has been shown.
        let mut last: Option<CommitTree> = None;
        self.look_back(&mut |step| {
            if step.is_cut_off {
                ends_at = Some(time(&step.commit));
            }
            let is_current = last.is_none();
            for ChangedRecord { cluster, user, after, .. } in self.changed_records(last.as_ref(), &step.at)? {
                let Some(blob) = after.filter(|blob| seen.insert(*blob)) else { continue };
                let Some(bytes) = self.content(blob, record::LARGEST)? else { continue };
                let shown = PastRecord { is_current, cluster: &cluster, user: &user, bytes: &bytes };
                if look(Past::Record(shown)) == Look::Done {
                    return Ok(Onward::None);
                }
            }
            if is_current && look(Past::EndOfHead) == Look::Done {
                return Ok(Onward::None);
            }
            last = Some(step.at);
            Ok(Onward::All)
        })?;
        Ok(ends_at)
    }
}

/// Whose record `<cluster>/<user>.yaml` is.
fn whose(path: &str) -> Option<(ClusterName, UserName)> {
    let (cluster, file) = path.split_once('/')?;
    Some((cluster.parse().ok()?, file.strip_suffix(".yaml")?.parse().ok()?))
}

/// Its content, where it is a regular file.
fn record(file: &DiffFile<'_>) -> Option<BlobId> {
    let is_regular =
        matches!(file.mode(), FileMode::Blob | FileMode::BlobExecutable | FileMode::BlobGroupWritable);
    is_regular.then(|| BlobId(file.id()))
}
