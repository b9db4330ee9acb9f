//! What a commit and a push need, tried before work that would be lost without them.
//!
//! It leaves nothing behind that a ref holds, and the remote is only asked.

use super::push::PushOutcome;
use super::{Proposal, PushTarget, Repo, git, head_of};
use crate::error::{Error, Result};

/// The message of the commit that is only tried: it is on no branch.
const TRIED: &[u8] = b"certctl tries whether a commit can be signed\n";

impl Repo {
    /// Whether a commit could be made: by somebody, and signed where git is told to sign.
    ///
    /// # Errors
    /// Nobody says by whom it would be, or it cannot be signed.
    pub fn preflight_commit(&self) -> Result<()> {
        for identity in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
            let answer = git::run_with(self, &["var", identity], b"", &self.identity.variables())?;
            if !answer.success {
                return Err(super::author::nobody().caused_by(answer.cause()));
            }
        }
        if self.signs()? {
            let head = head_of(&self.git)?.id;
            self.new_commit(self.tree_of(head)?.id(), head, TRIED, None).map_err(|error| {
                error.within("signing it, as `commit.gpgSign` asks").hint(
                    "give git a key that it can sign with here (`git config user.signingKey`), or turn signing off in this clone: `git config commit.gpgSign false`",
                )
            })?;
        }
        Ok(())
    }

    /// Whether the branch would take what HEAD has, as far as the remote says so before it is asked in earnest.
    ///
    /// # Errors
    /// It cannot be reached or written to, or has moved on under a commit that is not ours to make again.
    pub fn dry_push(&self, target: &PushTarget) -> Result<()> {
        let head = head_of(&self.git)?.id;
        match self.push_dry(target, head, None)? {
            PushOutcome::Done(_) => Ok(()),
            PushOutcome::Moved => match self.fetch(target)? {
                Some(tip) => self.recreate(target, head, tip).map(drop),
                None => Ok(()),
            },
            PushOutcome::Declined(answer) => Err(self.declined(target, &answer)),
            PushOutcome::Unclear(answer) => Err(super::push::failed(target, &answer, "nothing was recorded")),
        }
    }

    /// The same for the branch on which records wait.
    ///
    /// # Errors
    /// As for [`Repo::dry_push`].
    pub fn dry_propose(&self, proposal: &Proposal) -> Result<()> {
        let target = proposal.target();
        match self.push_dry(target, head_of(&self.git)?.id, Some(&proposal.lease()))? {
            PushOutcome::Done(_) => Ok(()),
            PushOutcome::Moved => {
                Err(Error::new(format!("{target} was changed by someone else just now; nothing was granted"))
                    .hint("run `certctl apply` again"))
            }
            PushOutcome::Declined(answer) => Err(super::propose::declined(target, &answer)),
            PushOutcome::Unclear(answer) => Err(super::push::failed(target, &answer, "nothing was recorded")),
        }
    }
}
