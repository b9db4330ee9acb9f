//! The files of another commit, from git's objects: neither the working tree nor the index is touched.

use git2::{ErrorCode, ObjectType, Oid};

use super::{CommitId, Repo, entry, head_of, internal};
use crate::error::{Error, Result};

impl Repo {
    /// The last commit that HEAD and a revision have in common: where a branch began, whatever has
    /// happened at `rev` since, or `rev` itself where HEAD holds all of it.
    ///
    /// # Errors
    /// There is no such revision, or nothing in common, or a shallow clone does not hold it.
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
            Ok(base) => Ok(base.into()),
            Err(error) if error.code() == ErrorCode::NotFound => Err(fetch(Error::new(format!(
                "`{rev}` and HEAD have no commit in common, so what the branch changes is not known; nothing was planned"
            )))),
            Err(error) => Err(internal("compare HEAD with", rev, error)),
        }
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
    pub fn content_at(&self, commit: &CommitId) -> Result<String> {
        let tree = self.tree_of(oid(commit)?)?;
        let id = |path: String| match tree.get_path(path.as_ref()) {
            Ok(found) => found.id().to_string(),
            Err(_) => String::new(),
        };
        Ok(format!("{} {}", id(format!("{}{}", self.prefix, self.roster)), id(self.records())))
    }

    /// The content of a file in a commit; `None` where it has no such file.
    ///
    /// # Errors
    /// It is no regular file, is longer than `limit` bytes, or cannot be read.
    pub fn read_at(&self, commit: &CommitId, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let tree = self.tree_of(oid(commit)?)?;
        let Some(entry) = entry(&tree, &self.inside(path)?)? else { return Ok(None) };
        let place = || format!("{path} in {}", commit.short());
        if !entry.is_regular() {
            return Err(Error::new(format!("{} is not a regular file", place())));
        }
        let read = |error| internal("read", &place(), error);
        let odb = self.git.odb().map_err(read)?;
        let (length, _) = odb.read_header(entry.id).map_err(read)?;
        if length as u64 > limit {
            return Err(Error::new(format!("{} is longer than {limit} bytes", place())));
        }
        let blob = self.git.find_blob(entry.id).map_err(read)?;
        Ok(Some(blob.content().to_vec()))
    }

    /// The names of what lies in a folder of a commit; `None` where it has no such folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list_at(&self, commit: &CommitId, folder: &str) -> Result<Option<Vec<String>>> {
        let tree = self.tree_of(oid(commit)?)?;
        let read = |error| internal("read", folder, error);
        let found = match tree.get_path(self.inside(folder)?.as_ref()) {
            Ok(found) if found.kind() == Some(ObjectType::Tree) => found,
            Ok(_) => return Ok(None),
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        let folder = self.git.find_tree(found.id()).map_err(read)?;
        Ok(Some(
            folder.iter().map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned()).collect(),
        ))
    }
}

fn oid(commit: &CommitId) -> Result<Oid> {
    Oid::from_str(commit.as_str()).map_err(|error| internal("read commit", commit.as_str(), error))
}
