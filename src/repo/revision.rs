//! The commits before HEAD: where a branch began, and which of them differ in what plans are made of.

use std::collections::BTreeSet;

use git2::{ErrorCode, Oid};

use super::{CommitId, Repo, head_of, internal};
use crate::error::{Error, Result};
use crate::roster::nearest;

impl Repo {
    /// The last commit that HEAD and a revision have in common: where a branch began, whatever has
    /// happened at `rev` since, or `rev` itself where HEAD holds all of it.
    ///
    /// # Errors
    /// There is no such revision, or nothing in common, or a shallow clone does not hold it, or what a partial
    /// clone left out of it cannot be fetched.
    pub fn branch_point(&self, rev: &str) -> Result<CommitId> {
        let fetch = |error: Error| {
            match self.git.is_shallow() {
            true => error.hint(
                "this clone is shallow: `git fetch --unshallow`, or check out with `fetch-depth: 0` (in GitLab `GIT_DEPTH: 0`)",
            ),
            false => error.hint(format!("is it fetched? `git fetch origin`, then e.g. `--base origin/main`; see `git log {rev}`")),
        }
        };
        let commit = (self.git.revparse_single(rev)).and_then(|object| object.peel_to_commit());
        let commit = commit.map_err(|cause| {
            fetch(
                Error::new(format!("`{rev}` is no commit of this repository; nothing was planned"))
                    .caused_by(cause),
            )
        })?;
        match self.git.merge_base(head_of(&self.git)?.id, commit.id()) {
            Ok(base) => self.complete(base).map(|()| base.into()),
            Err(error) if error.code() == ErrorCode::NotFound => Err(fetch(Error::new(format!(
                "`{rev}` and HEAD have no commit in common, so what the branch changes is not known; nothing was planned"
            )))),
            Err(error) => Err(internal("compare HEAD with", rev, error)),
        }
    }

    /// The commits of HEAD that a revision does not hold.
    ///
    /// # Errors
    /// There is no such revision, or a shallow clone does not hold it.
    pub fn commits_since(&self, rev: &str) -> Result<BTreeSet<String>> {
        let commit = self.git.revparse_single(rev).and_then(|object| object.peel_to_commit());
        let commit = commit.map_err(|cause| {
            let error = Error::new(format!("`{rev}` is no day, no time and no commit of this repository"));
            let error = match nearest(rev, self.names().iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => {
                    error.caused_by(cause).hint("e.g. 2026-09-30, a tag, or the beginning of a commit's id")
                }
            };
            match self.git.is_shallow() {
                true => {
                    error.hint("this clone is shallow: `git fetch --unshallow` brings the commits before")
                }
                false => error,
            }
        })?;
        let read = |error| internal("compare HEAD with", rev, error);
        let mut walk = self.git.revwalk().map_err(read)?;
        walk.push_head().map_err(read)?;
        walk.hide(commit.id()).map_err(read)?;
        walk.map(|id| Ok(id.map_err(read)?.to_string())).collect()
    }

    /// The branches and tags, as one names them.
    fn names(&self) -> Vec<String> {
        let references = self.git.references().into_iter().flatten().flatten();
        references.filter_map(|reference| reference.shorthand().ok().map(str::to_owned)).collect()
    }

    /// The commits before HEAD, the latest first.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn history(&self, most: usize) -> Result<Vec<CommitId>> {
        let read = |error| internal("read the history of", "HEAD", error);
        let mut walk = self.git.revwalk().map_err(read)?;
        walk.push_head().map_err(read)?;
        let ids = walk.skip(1).take(most).collect::<Result<Vec<Oid>, _>>().map_err(read)?;
        Ok(ids.into_iter().map(CommitId::from).collect())
    }

    /// What tells the roster and the records of one commit from those of another.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn content_at(&self, commit: &CommitId, also: &[&str]) -> Result<String> {
        let tree = self.tree_of(oid(commit)?)?;
        let id = |path: String| match tree.get_path(path.as_ref()) {
            Ok(found) => found.id().to_string(),
            Err(_) => String::new(),
        };
        let also = also.iter().map(|path| format!("{}{path}", self.prefix));
        let all = [format!("{}{}", self.prefix, self.roster), self.records()].into_iter().chain(also);
        Ok(all.map(id).collect::<Vec<_>>().join(" "))
    }
}

pub(super) fn oid(commit: &CommitId) -> Result<Oid> {
    Oid::from_str(commit.as_str()).map_err(|error| internal("read commit", commit.as_str(), error))
}
