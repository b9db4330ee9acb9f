//! Records on a branch of their own, from which a person merges them: for a branch that takes no
//! push from certctl.
//!
//! Such a branch is built anew on the roster's branch each time, once everything on it is merged;
//! HEAD and the working tree stay where they are, because what is proposed is not yet what the
//! roster's branch holds. It refuses to replace what is not merged, and what somebody else put there.

use git2::Oid;

use super::declined::Declined;
use super::git::GitOutput;
use super::push::PushOutcome;
use super::{Changes, CommitId, PushTarget, Pushed, Repo, entry, git, head_of, internal};
use crate::error::{Error, Result};
use crate::record_folder::RECORDS;

/// What is on the branch for proposals, and whether there is room for more.
#[derive(Debug, Clone)]
pub struct Proposal {
    target: PushTarget,
    /// Where the branch is over there.
    tip: Option<Oid>,
    /// What has to be merged first.
    pub standing: ProposalState,
    /// Whether HEAD holds what the roster's branch lacks: then nothing may be bound yet.
    pub head_is_ahead: bool,
}

/// What stands in the way of another proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// Nothing.
    Free,
    /// An earlier proposal, with so many files, waits to be merged.
    Waits(usize),
    /// Records that were committed here, and that the roster's branch did not take: they go first.
    Unpushed,
}

impl Proposal {
    /// The branch that it is on.
    pub fn target(&self) -> &PushTarget {
        &self.target
    }

    /// Where the branch has to be for a push to replace it: empty where there must be none.
    pub(super) fn lease(&self) -> String {
        self.tip.map_or(String::new(), |tip| tip.to_string())
    }
}

/// Why the remote did not take the branch for proposals.
pub(super) fn declined(target: &PushTarget, answer: &GitOutput) -> Error {
    let declined = Declined::of(answer);
    let error = Error::new(format!(
        "the remote declined the push to {target}, a branch for {RECORDS}/ that certctl replaces; nothing was granted"
    ))
    .caused_by(answer.cause());
    if !declined.is_about_the_branch() {
        return declined.explain(error);
    }
    error.hint(format!(
        "allow the identity that certctl runs as to push to {}, also by force, or delete the branch after each merge",
        target.branch()
    ))
}

impl Repo {
    /// Looks at the branch for proposals. To be asked after [`Repo::refuse_stale`].
    ///
    /// # Errors
    /// It cannot be read, has no history in common with the roster's branch, or holds changes besides
    /// the records.
    pub fn proposal(&self, target: &PushTarget) -> Result<Proposal> {
        let home = target.at_home();
        let seen = *self.seen.borrow();
        let there = match seen {
            Some(seen) => seen,
            None => self.fetch(&home)?,
        };
        let there = there.ok_or_else(|| {
            Error::new(format!("there is no branch {home} to merge a proposal into; nothing was recorded"))
        })?;
        let head_is_ahead = self.ahead(&home)? && !self.merged(there)?;
        let records_are_ahead = head_is_ahead && self.records_ahead(&home)?;
        let head = head_of(&self.git)?.id;
        let tip = self.fetch(target)?;
        let waiting = match tip {
            Some(tip) => self.waiting(target, tip, there)?,
            None => Vec::new(),
        };
        let standing = match (tip, waiting.len()) {
            (Some(tip), files @ 1..) if !records_are_ahead || self.same(&waiting, tip, head)? => {
                ProposalState::Waits(files)
            }
            (_, 0) if !records_are_ahead => ProposalState::Free,
            (_, 0) => ProposalState::Unpushed,
            _ => {
                return Err(Error::new(format!(
                    "{target} holds records that wait to be merged, and this clone others that were never pushed; \
                     nothing was recorded"
                ))
                .hint(format!("merge {target} first, then `git pull --rebase`, and run `certctl apply` again")));
            }
        };
        Ok(Proposal { target: target.clone(), tip, standing, head_is_ahead })
    }

    /// Whether the roster's branch has all that the commits here change, under other ids: they were
    /// merged. Then the local branch follows, if all of them are ours and no local change is in the way.
    fn merged(&self, there: Oid) -> Result<bool> {
        let head = head_of(&self.git)?;
        let compare = |error| internal("compare HEAD with", "the roster's branch", error);
        let (mut paths, mut ours) = (Vec::new(), true);
        for commit in self.chain(head.id, there).map_err(compare)? {
            if commit.parent_count() != 1 {
                return Ok(false);
            }
            ours &= self.made(&commit)?;
            paths.extend(self.changed_by(&commit)?.into_iter().map(|step| step.path));
        }
        let merged = self.same(&paths, head.id, there)?;
        if merged && ours {
            // Where it cannot follow, a pull does it later; nothing here depends on it.
            let _ = self.follow(&head, there);
        }
        Ok(merged)
    }

    /// What is on the branch and waits to be merged: records that the roster's branch has neither taken nor
    /// gone past, and what HEAD holds besides.
    fn waiting(&self, target: &PushTarget, tip: Oid, home: Oid) -> Result<Vec<String>> {
        let base = self.merge_base(target, tip, home)?;
        let (base, tip, home) = (self.tree_of(base)?, self.tree_of(tip)?, self.tree_of(home)?);
        let head = self.tree_of(head_of(&self.git)?.id)?;
        let records = format!("{}/", self.records());
        let mut waiting = Vec::new();
        for step in self.steps(&base, &tip, None)? {
            let now = entry(&home, &step.path)?;
            if step.path.starts_with(&records) {
                if now == step.old {
                    waiting.push(step.path);
                }
            } else if now != step.new && entry(&head, &step.path)? == step.new {
                waiting.push(step.path);
            } else if now != step.new {
                return Err(Error::new(format!(
                    "{target} also changes {}, which is no record; nothing was recorded",
                    self.shown(&step.path)
                ))
                .hint(format!(
                    "merge it or take it away, for certctl replaces what is on {}",
                    target.branch()
                ))
                .hint(
                    "or name a branch that is only for this: `certctl apply --push-branch certctl/records`",
                ));
            }
        }
        Ok(waiting)
    }

    /// Whether two commits hold the same in these files.
    fn same(&self, paths: &[String], a: Oid, b: Oid) -> Result<bool> {
        let (a, b) = (self.tree_of(a)?, self.tree_of(b)?);
        for path in paths {
            if entry(&a, path)? != entry(&b, path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// By the git program, which sees at once what a fetch has deepened.
    fn merge_base(&self, target: &PushTarget, tip: Oid, home: Oid) -> Result<Oid> {
        let (tip, home) = (tip.to_string(), home.to_string());
        let mut answer = git::run(self, &["merge-base", &tip, &home])?;
        if !answer.success && self.git.is_shallow() {
            let deepen = [
                "fetch",
                "--quiet",
                "--no-tags",
                "--unshallow",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
            ];
            let deepened = git::run(self, &[&deepen[..], &["--", &target.remote]].concat())?;
            if !deepened.success {
                return Err(Error::new(format!(
                    "this clone is too shallow to tell what of {target} is merged; nothing was recorded"
                ))
                .caused_by(deepened.cause())
                .hint("git fetch --unshallow"));
            }
            answer = git::run(self, &["merge-base", &tip, &home])?;
        }
        Oid::from_str(answer.stdout.trim()).map_err(|_| {
            Error::new(format!(
                "{target} has no history in common with {}; nothing was recorded",
                target.at_home()
            ))
            .hint("name a branch that is only for this: `certctl apply --push-branch certctl/records`")
        })
    }

    /// Commits these changes on top of HEAD, without moving HEAD, and makes the branch for proposals
    /// be that commit. `None` where HEAD already says all of it.
    ///
    /// # Errors
    /// As for [`Repo::commit`]; the remote declines, cannot be reached, or the branch has moved since
    /// [`Repo::proposal`] looked. Nothing is left behind then.
    pub fn propose(&self, proposal: &Proposal, changes: &Changes, message: &str) -> Result<Option<Pushed>> {
        let Some(draft) = self.draft(changes, message)? else { return Ok(None) };
        let id = self.new_commit(draft.tree, draft.head.id, self.signed_off(message)?.as_bytes(), None)?;
        self.push_aside(proposal, id).map(Some)
    }

    /// Makes the branch for proposals be HEAD, with what the roster's branch lacks.
    ///
    /// # Errors
    /// As for [`Repo::propose`]; HEAD stays as it is.
    pub fn propose_head(&self, proposal: &Proposal) -> Result<Pushed> {
        self.push_aside(proposal, head_of(&self.git)?.id)
    }

    fn push_aside(&self, proposal: &Proposal, id: Oid) -> Result<Pushed> {
        let target = &proposal.target;
        let pushed = |printed: Option<String>| Pushed {
            commit: CommitId::from(id),
            tries: 1,
            note: None,
            page: printed.or_else(|| self.pull_request_url(target)),
        };
        match self.push_once(target, id, Some(&proposal.lease()))? {
            PushOutcome::Done(answer) => Ok(pushed(super::host_pages::printed(&answer.stderr))),
            PushOutcome::Moved => {
                Err(Error::new(format!("{target} was changed by someone else just now; nothing was granted"))
                    .hint("run `certctl apply` again"))
            }
            PushOutcome::Declined(answer) => Err(declined(target, &answer)),
            // The reply may be all that was lost. The remote knows.
            PushOutcome::Unclear(answer) => match self.remote_tip(target) {
                Ok(Some(tip)) if tip == id => Ok(pushed(None)),
                _ => Err(super::push::failed(target, &answer, "nothing was recorded")),
            },
        }
    }

    /// The page on which a person opens the pull request.
    pub fn pull_request_url(&self, target: &PushTarget) -> Option<String> {
        let answer = git::run(self, &["remote", "get-url", "--push", "--", &target.remote]).ok()?;
        let url = if answer.success { answer.stdout.trim() } else { target.remote.as_str() };
        super::host_pages::known(url, target.branch(), target.at_home().branch())
    }
}
