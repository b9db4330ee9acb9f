//! One edit by a person on a branch of its own: committed on top of the commit that it was made from and pushed, for
//! review. HEAD, the working tree and the index stay where they are. It refuses a branch that is there already.

use git2::Oid;

use super::declined::Declined;
use super::git::GitOutput;
use super::push::PushOutcome;
use super::remote_error::RemoteFailure;
use super::{CommitId, PushTarget, Pushed, Repo, TreeItem, entry, host_pages, internal};
use crate::error::{Error, Result};
use crate::model::BranchName;

impl Repo {
    /// Pushes a commit that replaces these files of `base`, whose paths are relative to the roster's folder. HEAD may
    /// have moved since they were read: it does not count.
    ///
    /// # Errors
    /// `base` does not hold one of them as a file, there is no remote, the branch is there or is the roster's
    /// own, or the push fails. Nothing is left behind then.
    pub fn propose_edit(
        &self,
        branch: &BranchName,
        base: &CommitId,
        files: &[(String, String)],
        message: &str,
    ) -> Result<Pushed> {
        let target = self.preflight_push(Some(branch.as_str()), None)?;
        if !target.proposes() {
            return Err(Error::usage(format!(
                "--branch {branch}: the roster itself is on that branch; nothing was changed"
            ))
            .hint("name a new branch, or leave `--branch` out to edit the working tree"));
        }
        let base =
            Oid::from_str(base.as_str()).map_err(|error| internal("read commit", base.as_str(), error))?;
        let old = self.tree_of(base)?;
        let mut wanted = Vec::new();
        for (path, text) in files {
            let full = self.inside(path)?;
            let Some(known) = entry(&old, &full)?.filter(|known| known.is_regular()) else {
                return Err(Error::new(format!("{path} is no file of the last commit; nothing was changed")));
            };
            let id = self.git.blob(text.as_bytes()).map_err(|error| internal("store", path, error))?;
            wanted.push((full, Some(TreeItem { id, ..known })));
        }
        let tree = self.tree_with(&old, &wanted)?;
        let id = self.new_commit(tree, base, message.as_bytes(), None)?;
        let pushed = |page: Option<String>| Pushed {
            commit: CommitId::from(id),
            tries: 1,
            note: None,
            page: page.or_else(|| self.pull_request_url(&target)),
        };
        let failed = |cause, failure: RemoteFailure| {
            let error = Error::new(format!("the push to {target} failed; nothing was changed"));
            failure.explain(error.caused_by(cause))
        };
        // With an empty lease: the branch must not be there.
        match self.push_once(&target, id, Some(""))? {
            PushOutcome::Done(answer) => Ok(pushed(host_pages::printed(&answer.stderr))),
            PushOutcome::Moved => Err(Error::new(format!("{target} is there already; nothing was changed"))
                .hint("name another branch, or delete that one")),
            // The reply may be all that was lost. The remote knows.
            PushOutcome::Unclear(answer) => match self.remote_tip(&target) {
                Ok(Some(tip)) if tip == id => Ok(pushed(None)),
                _ => Err(failed(answer.cause(), RemoteFailure::of(&answer))),
            },
            PushOutcome::Declined(answer) => Err(declined(&target, &answer)),
        }
    }
}

/// Why the remote did not take it. The commit is a person's own, and made again at the next try.
fn declined(target: &PushTarget, answer: &GitOutput) -> Error {
    let error = Error::new(format!("the remote declined the push to {target}; nothing was changed"))
        .caused_by(answer.cause());
    match Declined::of(answer) {
        Declined::WithoutSignOff => {
            error.hint("leave `--branch` out, and commit the edit with `git commit --signoff`")
        }
        declined if declined.is_about_the_branch() => error.hint(format!(
            "name a branch that you may push to, or have yourself allowed to push to {}",
            target.branch()
        )),
        declined => declined.explain(error),
    }
}
