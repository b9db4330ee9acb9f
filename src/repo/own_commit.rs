//! Which commits are certctl's own. The trailer in a message can be written by anyone, so what a commit changes
//! counts: records as an apply writes them, and nothing else. Every other commit is somebody's proposal.

use git2::{Commit, Oid, Tree};

use super::worktree::TreeChange;
use super::{Repo, entry, internal};
use crate::error::Result;
use crate::model::{hex, sha256};
use crate::record::{self, TRAILER};
use crate::record_folder::SEALED_SUFFIX;

impl Repo {
    /// Whether certctl may have made this commit. One whose parent a shallow clone lacks cannot be told, and is
    /// somebody's own.
    pub(super) fn made(&self, commit: &Commit<'_>) -> Result<bool> {
        if !has_trailer(commit) || commit.parent_count() != 1 || commit.parent(0).is_err() {
            return Ok(false);
        }
        if self.is_partial() {
            [commit.id()].into_iter().chain(commit.parent_ids()).try_for_each(|id| self.fill_missing(id))?;
        }
        let tree = self.tree_of(commit.id())?;
        for change in self.changed_by(commit)? {
            if !self.is_of_an_apply(&tree, &change)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an apply makes such a change: below `access/`, a record whose checksum is right, or the kubeconfig
    /// that the record beside it names.
    fn is_of_an_apply(&self, tree: &Tree<'_>, change: &TreeChange) -> Result<bool> {
        let path = &change.path;
        let is_below = path.strip_prefix(&self.records()).is_some_and(|rest| rest.starts_with('/'));
        let Some(new) = change.new.filter(|_| is_below) else { return Ok(is_below) };
        if !new.is_regular() {
            return Ok(false);
        }
        let Some(stem) = path.strip_suffix(SEALED_SUFFIX) else {
            return Ok(self.intact_record(new.id, path)?.is_some());
        };
        let record = match entry(tree, &format!("{stem}.yaml"))? {
            Some(record) if record.is_regular() => self.intact_record(record.id, path)?,
            _ => None,
        };
        let Some(record) = record else { return Ok(false) };
        self.fetch_left_out(new.id);
        let sealed = self.git.find_blob(new.id).map_err(|error| internal("read", path, error))?;
        Ok(record.contains(&hex(&sha256(sealed.content()))))
    }

    /// The text of a record; `None` where it is not as it was written.
    fn intact_record(&self, id: Oid, path: &str) -> Result<Option<String>> {
        self.fetch_left_out(id);
        let blob = self.git.find_blob(id).map_err(|error| internal("read", path, error))?;
        if blob.size() > record::LARGEST {
            return Ok(None);
        }
        let text = std::str::from_utf8(blob.content()).ok().filter(|text| record::is_intact(text));
        Ok(text.map(str::to_owned))
    }
}

fn has_trailer(commit: &Commit<'_>) -> bool {
    git2::message_trailers_bytes(commit.message_bytes())
        .is_ok_and(|trailers| trailers.iter().any(|(key, _)| key == TRAILER.as_bytes()))
}
