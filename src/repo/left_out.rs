//! Partial clones (`git clone --filter`): what was left out of them, and what git can still fetch. libgit2 cannot,
//! and takes a tree that was left out for one without files.

use std::fs;

use git2::{ObjectType, Oid};

use super::{Repo, git, internal};
use crate::error::{Error, Result};

/// git's empty tree, which every repository has.
const NOTHING: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

impl Repo {
    /// Whether objects may be missing here that a remote promised to have. As git does, it goes by the packs that came
    /// with a promise, wherever the configuration is that names the remote.
    pub(super) fn is_partial(&self) -> bool {
        let packs = fs::read_dir(self.git.commondir().join("objects/pack"));
        packs.is_ok_and(|mut packs| {
            packs.any(|file| {
                file.is_ok_and(|file| file.path().extension().is_some_and(|kind| kind == "promisor"))
            })
        })
    }

    /// Fetches what was left out of a commit's roster and records, in one go.
    ///
    /// # Errors
    /// git could not fetch it.
    pub(super) fn fill(&self, commit: Oid) -> Result<()> {
        if !self.is_partial() {
            return Ok(());
        }
        // A comparison with nothing reads every object, and git fetches those that are missing together.
        let (commit, roster, records) =
            (commit.to_string(), format!("{}{}", self.prefix, self.roster), self.records());
        let compare =
            ["--literal-pathspecs", "diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--shortstat"];
        let arguments: Vec<&str> =
            compare.into_iter().chain([NOTHING, &commit, "--", &roster, &records]).collect();
        let answer = git::run(self, &arguments)?;
        if answer.success {
            return Ok(());
        }
        Err(Error::new(format!(
            "this is a partial clone, and git could not fetch what commit {} holds of {roster} and {records}; nothing was done",
            &commit[..10]
        ))
        .caused_by(answer.cause())
        .hint("try it where the remote can be reached, or in a clone without `--filter`"))
    }

    /// As [`Self::fill`], and asks git only where something is missing.
    ///
    /// # Errors
    /// git could not fetch it.
    pub(super) fn fill_missing(&self, commit: Oid) -> Result<()> {
        if self.first_missing(commit)?.is_some() { self.fill(commit) } else { Ok(()) }
    }

    /// Checks that a commit's roster and records are here, whole.
    ///
    /// # Errors
    /// Something is missing, and git could not fetch it.
    pub(super) fn complete(&self, commit: Oid) -> Result<()> {
        self.fill(commit)?;
        let Some(what) = self.first_missing(commit)? else { return Ok(()) };
        Err(Error::new(format!(
            "commit {} is not whole in this clone: {what} is missing, so it cannot be compared; nothing was planned",
            &commit.to_string()[..10]
        ))
        .hint("`git fetch --refetch` brings what is missing; `git fsck` tells whether the clone is broken"))
    }

    /// Something of a commit's roster and records that is not here.
    fn first_missing(&self, commit: Oid) -> Result<Option<String>> {
        let odb = self.git.odb().map_err(|error| internal("read", "its objects", error))?;
        let read = |error| internal("read commit", &commit.to_string(), error);
        let mut folders = vec![(String::new(), self.git.find_commit(commit).map_err(read)?.tree_id())];
        let (roster, records) = (format!("{}{}", self.prefix, self.roster), self.records());
        let wanted = |path: &str| {
            let leads = |to: &str| to == path || to.starts_with(&format!("{path}/"));
            leads(&roster) || leads(&records) || path.starts_with(&format!("{records}/"))
        };
        while let Some((folder, id)) = folders.pop() {
            let Ok(tree) = self.git.find_tree(id) else { return Ok(Some(format!("the folder {folder}"))) };
            for entry in &tree {
                let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                match entry.kind() {
                    _ if !wanted(&path) => {}
                    Some(ObjectType::Tree) => folders.push((path, entry.id())),
                    Some(ObjectType::Blob) if !odb.exists(entry.id()) => return Ok(Some(path)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Has git fetch one object, where it was left out here. What comes of it, the next read tells.
    pub(super) fn fetch_left_out(&self, id: Oid) {
        let is_here = self.git.odb().is_ok_and(|odb| odb.exists(id));
        if !is_here && self.is_partial() {
            let _ = git::run(self, &["cat-file", "-e", &id.to_string()]);
        }
    }
}
