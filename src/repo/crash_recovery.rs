//! Finishes what a killed run left half done: the branch locked, or moved and the working tree not yet.

use git2::{Oid, RepositoryState};

use super::{Head, REFLOG, Repo, head_of, internal};
use crate::error::Result;

impl Repo {
    /// Brings the working tree and the index up to HEAD where certctl itself moved HEAD and was
    /// killed before it got that far. Returns the paths it wrote, as seen from the roster's folder.
    ///
    /// Only paths whose file and index entry are each exactly the old commit's or already HEAD's
    /// are written; anything else is somebody's, and [`Repo::dirty`] reports it.
    ///
    /// # Errors
    /// Where git cannot tell, or a file cannot be written.
    pub fn recover(&self) -> Result<Vec<String>> {
        if !matches!(self.git.state(), RepositoryState::Clean | RepositoryState::Bisect) {
            return Ok(Vec::new());
        }
        let head = head_of(&self.git)?;
        self.remove_stale_lock(&head);
        let records = self.records();
        let (from, below) = match self.moved_from(&head) {
            // A push that had to put our commits on a new tip brought other files along.
            Some(from) => (from, None),
            None => match self.parent_of_ours(&head)? {
                Some(from) => (from, Some(records.as_str())),
                None => return Ok(Vec::new()),
            },
        };
        let (old, new) = (self.tree_of(from)?, self.tree_of(head.id)?);
        let steps = self.steps(&old, &new, below)?;
        let way = self.way(&old, &new, steps)?;
        self.walk(&way)
    }

    /// Where the last move of HEAD came from, if that move was ours. The reflog stays on this
    /// machine: nobody can push into it.
    fn moved_from(&self, head: &Head) -> Option<Oid> {
        let log = self.git.reflog("HEAD").ok()?;
        let last = log.get(0)?;
        let ours = last.id_new() == head.id && last.message_bytes()?.starts_with(REFLOG.as_bytes());
        (ours && self.git.find_commit(last.id_old()).is_ok()).then(|| last.id_old())
    }

    /// For a repository that keeps no reflog.
    fn parent_of_ours(&self, head: &Head) -> Result<Option<Oid>> {
        let commit = (self.git.find_commit(head.id)).map_err(|error| internal("read", "HEAD", error))?;
        if !self.made(&commit)? {
            return Ok(None);
        }
        Ok(commit.parent(0).ok().map(|parent| parent.id()))
    }
}
