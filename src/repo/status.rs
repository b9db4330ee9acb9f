//! Whether the files that a run reads are the files that are committed.

use std::collections::BTreeSet;
use std::path::Path;

use git2::RepositoryState;

use super::{Repo, entry, git};
use crate::error::{Error, Result};
use crate::record_folder::RECORDS;

/// How many paths are named; the rest are counted.
const NAMED: usize = 10;

impl Repo {
    /// What is modified, staged, untracked or in conflict among the roster, everything under
    /// `access/`, and the `also` files or folders; sorted, as seen from the roster's folder, the
    /// last line counting what is not named. Ignored files do not count, except for the roster.
    ///
    /// # Errors
    /// Where a merge or rebase is under way, where `access` or a folder in it is a symbolic link,
    /// where a path leaves the repository, or where git cannot tell.
    pub fn dirty(&self, also: &[&str]) -> Result<Vec<String>> {
        self.refuse_unfinished_work()?;
        self.refuse_links()?;
        let roster = format!("{}{}", self.prefix, self.roster);
        let mut paths = vec![roster.clone(), self.records()];
        for path in also {
            paths.push(self.inside(path)?);
        }
        let mut dirty = self.changed(&paths)?;
        // An ignored roster is no change to git, and still nothing that a commit holds.
        let head = self.tree_of(super::head_of(&self.git)?.id)?;
        if entry(&head, &roster)?.is_none() && self.roster_dir.join(&self.roster).exists() {
            dirty.insert(self.roster.clone());
        }
        Ok(bounded(dirty))
    }

    /// As `git status` says: it knows filters, line ends and hooks of the file system from wherever they are set.
    fn changed(&self, paths: &[String]) -> Result<BTreeSet<String>> {
        let mut arguments = vec!["--no-optional-locks", "status", "--porcelain=v1", "-z", "--no-renames"];
        arguments.extend(["--untracked-files=all", "--ignored=no", "--"]);
        arguments.extend(paths.iter().map(String::as_str));
        let literally = [("GIT_LITERAL_PATHSPECS", "1".to_owned())];
        let answer = git::run_with(self, &arguments, b"", &literally)?;
        if !answer.success {
            let folder = self.workdir.display();
            return Err(Error::new(format!(
                "git could not tell what is changed in {folder}; nothing was done"
            ))
            .caused_by(answer.cause()));
        }
        // `XY path`, each with a zero at its end.
        Ok(answer.stdout.split('\0').filter_map(|found| Some(self.shown(found.get(3..)?))).collect())
    }

    fn refuse_unfinished_work(&self) -> Result<()> {
        let (what, command) = match self.git.state() {
            RepositoryState::Clean | RepositoryState::Bisect => return Ok(()),
            RepositoryState::Merge => ("merge", "git merge --abort"),
            RepositoryState::Revert | RepositoryState::RevertSequence => ("revert", "git revert --abort"),
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => {
                ("cherry-pick", "git cherry-pick --abort")
            }
            RepositoryState::ApplyMailbox => ("patch", "git am --abort"),
            _ => ("rebase", "git rebase --abort"),
        };
        Err(Error::new(format!("the git repository is in the middle of a {what}; nothing was done"))
            .hint(format!("finish it, or run `{command}`")))
    }

    /// A record that is a link would be written somewhere that no commit shows.
    fn refuse_links(&self) -> Result<()> {
        let refuse = |path: String| {
            Error::new(format!(
                "{path} is not a folder but a link or a file, and certctl writes through no link; nothing was done"
            ))
            .hint("replace it by a folder and commit that")
        };
        let records = self.roster_dir.join(RECORDS);
        if !is_folder_or_absent(&records) {
            return Err(refuse(RECORDS.into()));
        }
        let Ok(folder) = records.read_dir() else {
            return Ok(());
        };
        match folder.flatten().find(|found| found.path().is_symlink()) {
            Some(found) => Err(refuse(format!("{RECORDS}/{}", found.file_name().to_string_lossy()))),
            None => Ok(()),
        }
    }
}

fn is_folder_or_absent(path: &Path) -> bool {
    path.symlink_metadata().map_or(true, |metadata| metadata.is_dir())
}

fn bounded(paths: BTreeSet<String>) -> Vec<String> {
    let more = paths.len().saturating_sub(NAMED);
    let mut named: Vec<String> = paths.into_iter().take(NAMED).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named
}
