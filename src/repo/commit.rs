//! One commit that holds only our paths.
//!
//! Objects first, then the branch, then the working tree: whatever a kill leaves behind, the next
//! run either sees nothing of it or finishes it (`crash_recovery`).

use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, Oid, Tree};

use super::worktree::TreeChange;
use super::{Changes, CommitId, Head, Repo, TreeItem, entry, git, head_of, internal, short};
use crate::error::{Error, Result};
use crate::record::TRAILER;
use crate::record_folder::RECORDS;

/// A commit was made and the branch is at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub id: CommitId,
    /// Where the working tree could not follow: what to tell the user.
    pub note: Option<String>,
}

/// A commit that could be made.
pub(super) struct Draft<'a> {
    /// Where HEAD is: the parent.
    pub(super) head: Head,
    /// What is there.
    old: Tree<'a>,
    /// What would be.
    pub(super) tree: Oid,
}

/// Who made a commit that is made again, and when.
pub(super) struct MadeBy {
    name: String,
    email: String,
    /// In git's own format: seconds, then the offset from UTC.
    date: String,
}

impl Repo {
    /// Commits exactly these changes on top of HEAD, then brings working tree and index along for
    /// these paths. Everything else that is modified, staged or untracked stays as it is. `None`
    /// where HEAD already says all of it.
    ///
    /// Author, committer and signing are as the user has set them in git.
    ///
    /// # Errors
    /// Nothing is committed where a path lies outside `access/`, where the message lacks the
    /// [`TRAILER`], where a file to be written was changed by someone since the repository was
    /// opened, where another branch has been checked out, or where git has no author.
    pub fn commit(&self, changes: &Changes, message: &str) -> Result<Option<Committed>> {
        let Some(Draft { head, old, tree }) = self.draft(changes, message)? else { return Ok(None) };
        let new = self.git.find_tree(tree).map_err(|error| internal("read", "a tree", error))?;
        let steps = self.steps(&old, &new, None)?;
        let way = self.way(&old, &new, steps)?;
        if let Some(blocked) = way.blocked.first() {
            return Err(Error::new(format!("{} {}; nothing was committed", blocked.path, blocked.why))
                .hint("commit or undo that change, then run `certctl apply` again"));
        }

        let id = self.new_commit(tree, head.id, self.signed_off(message)?.as_bytes(), None)?;
        let subject = message.lines().next().unwrap_or_default();
        self.move_head(&head, id, subject)?;
        let note = (self.walk(&way).err()).map(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
            format!(
                "the commit was made, but {}{}; the next run brings the files along",
                error.message(),
                cause.unwrap_or_default()
            )
        });
        Ok(Some(Committed { id: id.into(), note }))
    }

    /// The tree that HEAD's would become, with everything checked that can be; `None` where HEAD
    /// already says all of it.
    pub(super) fn draft(&self, changes: &Changes, message: &str) -> Result<Option<Draft<'_>>> {
        let is_ours = |trailers: git2::MessageTrailersStrs| trailers.iter().any(|(key, _)| key == TRAILER);
        if !git2::message_trailers_strs(message).is_ok_and(is_ours) {
            return Err(Error::new(format!(
                "the commit message has no {TRAILER} trailer; nothing was committed"
            )));
        }
        let changes: Vec<(String, Option<&[u8]>)> =
            (changes.iter()).map(|(path, bytes)| Ok((self.own_path(path)?, bytes))).collect::<Result<_>>()?;
        let head = head_of(&self.git)?;
        let old = self.tree_of(head.id)?;
        self.refuse_changed_since_base(&head, &old, changes.iter().map(|(path, _)| path.as_str()))?;

        let mut wanted = Vec::with_capacity(changes.len());
        for (path, bytes) in &changes {
            let entry = match bytes {
                Some(bytes) => Some(TreeItem {
                    id: self.git.blob(bytes).map_err(|error| internal("store", path, error))?,
                    mode: FileMode::Blob,
                }),
                None => None,
            };
            wanted.push((path.clone(), entry));
        }
        let tree = self.tree_with(&old, &wanted)?;
        Ok((tree != old.id()).then_some(Draft { head, old, tree }))
    }

    fn own_path(&self, path: &str) -> Result<String> {
        let full = self.inside(path)?;
        let below = full.strip_prefix(&self.records()).is_some_and(|rest| rest.starts_with('/'));
        if !below {
            return Err(Error::new(format!("{path} is not below {RECORDS}/; nothing was committed")));
        }
        Ok(full)
    }

    /// What this run decided, it decided from the base. A user's commit meanwhile is welcome, as
    /// long as it is about something else.
    fn refuse_changed_since_base<'a>(
        &self,
        head: &Head,
        now: &Tree<'_>,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let base = self.base.borrow();
        let name = |head: &Head| head.branch.as_deref().map_or("a detached HEAD", short).to_owned();
        if base.branch != head.branch {
            return Err(Error::new(format!(
                "the working tree was switched from {} to {} meanwhile; nothing was committed",
                name(&base),
                name(head)
            ))
            .hint("run `certctl apply` again"));
        }
        if base.id == head.id {
            return Ok(());
        }
        let then = self.tree_of(base.id)?;
        for path in paths {
            if entry(&then, path)? != entry(now, path)? {
                return Err(Error::new(format!(
                    "{} was changed in {} meanwhile; nothing was committed",
                    self.shown(path),
                    name(head)
                ))
                .hint("run `certctl apply` again"));
            }
        }
        Ok(())
    }

    /// A tree with some files replaced, added or gone.
    pub(super) fn tree_with(&self, old: &Tree<'_>, wanted: &[(String, Option<TreeItem>)]) -> Result<Oid> {
        let mut update = TreeUpdateBuilder::new();
        for (path, new) in wanted {
            match new {
                Some(new) => drop(update.upsert(path.as_str(), new.id, new.mode)),
                // libgit2 takes the removal of what is not there for an error.
                None if entry(old, path)?.is_some() => drop(update.remove(path.as_str())),
                None => {}
            }
        }
        update.create_updated(&self.git, old).map_err(|error| {
            Error::new("the new files do not fit into the tree of the last commit; nothing was committed")
                .caused_by(error)
        })
    }

    /// A commit object that no branch holds yet. Made by the git program, for identity and
    /// signing are then as in every other commit of this user.
    pub(super) fn new_commit(
        &self,
        tree: Oid,
        parent: Oid,
        message: &[u8],
        made_by: Option<MadeBy>,
    ) -> Result<Oid> {
        let (tree, parent) = (tree.to_string(), parent.to_string());
        let mut arguments = vec!["commit-tree", "-p", &parent, "-F", "-"];
        if self.signs()? {
            arguments.push("-S");
        }
        arguments.push(&tree);
        let mut environment = self.identity.variables();
        if let Some(author) = made_by {
            environment.extend([
                ("GIT_AUTHOR_NAME", author.name),
                ("GIT_AUTHOR_EMAIL", author.email),
                ("GIT_AUTHOR_DATE", author.date),
            ]);
        }
        let answer = git::run_with(self, &arguments, message, &environment)?;
        if !answer.success {
            let unknown =
                answer.stderr.contains("tell me who you are") || answer.stderr.contains("ident name");
            let error = if unknown {
                super::author::nobody()
            } else {
                Error::new("git could not make the commit; nothing was committed")
            };
            return Err(error.caused_by(answer.cause()));
        }
        Oid::from_str(answer.stdout.trim())
            .map_err(|error| Error::new("git gave no commit id; nothing was committed").caused_by(error))
    }

    /// `git commit-tree` does not read `commit.gpgSign` itself.
    pub(super) fn signs(&self) -> Result<bool> {
        let answer = git::run(self, &["config", "--type=bool", "--get", "commit.gpgSign"])?;
        Ok(answer.stdout.trim() == "true")
    }

    /// What a commit changes of its parent.
    pub(super) fn changed_by(&self, commit: &Commit<'_>) -> Result<Vec<TreeChange>> {
        let read = |error| internal("read commit", &commit.id().to_string(), error);
        let before = commit.parent(0).and_then(|parent| parent.tree()).map_err(read)?;
        self.steps(&before, &commit.tree().map_err(read)?, None)
    }

    /// These changes on another commit, with the author and message of the first; `onto` itself
    /// where it already has them all.
    pub(super) fn commit_again(&self, commit: &Commit<'_>, steps: &[TreeChange], onto: Oid) -> Result<Oid> {
        let wanted: Vec<(String, Option<TreeItem>)> =
            (steps.iter()).map(|step| (step.path.clone(), step.new)).collect();
        let old = self.tree_of(onto)?;
        let tree = self.tree_with(&old, &wanted)?;
        if tree == old.id() {
            return Ok(onto);
        }
        let author = commit.author();
        let when = author.when();
        let (sign, minutes) = (when.sign(), when.offset_minutes().unsigned_abs());
        let author = MadeBy {
            name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
            email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
            date: format!("@{} {sign}{:02}{:02}", when.seconds(), minutes / 60, minutes % 60),
        };
        self.new_commit(tree, onto, commit.message_raw_bytes(), Some(author))
    }
}
