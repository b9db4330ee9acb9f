//! Who commits: as a flag says, else as git's own settings do, else as the CI host knows.
//!
//! It refuses to make up an address: where nobody says who commits, nothing is committed.

use super::{Repo, git};
use crate::error::{Error, Result};
use crate::model::Author;

/// What the git program is told where its own settings do not decide.
#[derive(Debug, Default)]
pub(super) struct CommitIdentity {
    author: Option<Author>,
    committer: Option<Author>,
    signs_off: bool,
}

impl CommitIdentity {
    /// For the environment of a git that makes a commit.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let roles = [
            (&self.author, "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"),
            (&self.committer, "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        ];
        let set = roles.into_iter().filter_map(|(who, name, email)| Some((who.as_ref()?, name, email)));
        set.flat_map(|(who, name, email)| [(name, who.name().to_owned()), (email, who.email().to_owned())])
            .collect()
    }
}

impl Repo {
    /// Commits will be by `author`, where there is one. Where git's own settings name nobody, `author`
    /// also is the committer, and without an `author` the `host` is both. What git would guess from
    /// the names of the user and the machine counts only where there is nothing else.
    ///
    /// # Errors
    /// The git program cannot be run.
    pub fn commit_as(&mut self, author: Option<Author>, host: Option<Author>) -> Result<()> {
        let committer = if self.git_knows("GIT_COMMITTER_IDENT")? {
            None
        } else {
            author.clone().or_else(|| host.clone())
        };
        let author = match author {
            None if self.git_knows("GIT_AUTHOR_IDENT")? => None,
            None => host,
            author => author,
        };
        self.identity = CommitIdentity { author, committer, ..CommitIdentity::default() };
        Ok(())
    }

    /// Whether somebody has told git, by a setting or a variable.
    fn git_knows(&self, identity: &str) -> Result<bool> {
        let only_told = ["-c", "user.useConfigOnly=true", "var", identity];
        Ok(git::run(self, &only_told)?.success)
    }

    /// Commits will carry a `Signed-off-by` of their committer.
    pub fn sign_off(&mut self) {
        self.identity.signs_off = true;
    }

    /// A message as it is committed.
    ///
    /// # Errors
    /// Nobody says who commits.
    pub(super) fn signed_off(&self, message: &str) -> Result<String> {
        if !self.identity.signs_off {
            return Ok(message.to_owned());
        }
        let answer = git::run_with(self, &["var", "GIT_COMMITTER_IDENT"], b"", &self.identity.variables())?;
        // `Ann <ann@example.com> 1767225600 +0000`
        let committer = answer.stdout.rsplit_once('>').filter(|_| answer.success);
        let (committer, _) = committer.ok_or_else(|| nobody().caused_by(answer.cause()))?;
        Ok(format!("{}\nSigned-off-by: {committer}>\n", message.trim_end()))
    }
}

pub(super) fn nobody() -> Error {
    Error::new("git knows no name and e-mail address to commit with; nothing was committed")
        .hint("git config user.name \"certctl\" && git config user.email \"certctl@example.com\"")
        .hint("or say it for this run: `certctl apply --author 'certctl <certctl@example.com>'`")
}
