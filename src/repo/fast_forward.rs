//! Whether the records here are the last ones: another apply may have pushed newer ones while this
//! one started or waited for the lock. A plan from old records would cut off whoever they issued to.
//!
//! Newer records of the same roster are followed; a newer roster is for the apply of that commit.

use std::path::Path;

use git2::{ErrorCode, Oid};

use super::remote_error::RemoteError;
use super::{CommitId, PushTarget, Repo, head_of, internal};
use crate::error::{Error, Result};
use crate::record_folder::RECORDS;

/// A commit on the roster's branch, with newer records and the same roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer(Oid);

impl Repo {
    /// Asked while the locks are held: from then on nobody else writes records. Where the roster's
    /// branch holds newer ones, and this clone has nothing of its own, they are there to
    /// [`Repo::follow_records`].
    ///
    /// # Errors
    /// HEAD is not at `planned` any more; the branch over there holds another roster or other `also`
    /// files than HEAD and than HEAD's own history, or newer records that this clone cannot just
    /// follow; or it cannot be asked. `target` is `None` with `--no-push`: then only HEAD is looked at.
    pub fn refuse_stale(
        &self,
        planned: &CommitId,
        target: Option<&PushTarget>,
        also: &[&str],
    ) -> Result<Option<Newer>> {
        let head = head_of(&self.git)?.id;
        if CommitId::from(head).as_str() != planned.as_str() {
            return Err(Error::new("HEAD moved while this apply started or waited; nothing was changed")
                .hint("run `certctl apply` again"));
        }
        let Some(target) = target.map(PushTarget::at_home) else { return Ok(None) };
        let target = &target;
        let cannot = |error: RemoteError| {
            Error::from(error).hint("whether the records here are the last ones is not known, so nothing was changed; to revoke all the same, run `certctl apply --only-revocations`")
        };
        let mut tip = self.remote_tip(target).map_err(cannot)?;
        let known = |tip| tip == head || self.git.graph_descendant_of(head, tip).unwrap_or(false);
        if tip.is_some_and(|tip| !known(tip)) {
            tip = self.fetch(target).map_err(cannot)?;
        }
        *self.seen.borrow_mut() = Some(tip);
        let Some(tip) = tip.filter(|tip| !known(*tip)) else { return Ok(None) };
        // The same, or there as they were before our own unpushed commits.
        let base = self.git.merge_base(head, tip).ok();
        let roster = format!("{}{}", self.prefix, self.roster);
        let mut paths = vec![self.records(), roster];
        for path in also {
            paths.push(self.inside(path)?);
        }
        let mut newer = Vec::new();
        for path in &paths {
            let there = self.object_at(tip, path)?;
            let before = base.map(|base| self.object_at(base, path)).transpose()?;
            if there != self.object_at(head, path)? && before != Some(there) {
                newer.push(self.shown(path));
            }
        }
        if newer.is_empty() {
            return Ok(None);
        }
        if newer == [RECORDS] && base == Some(head) {
            return Ok(Some(Newer(tip)));
        }
        Err(stale(target, &newer))
    }

    /// Brings this clone to the newer records, and to all that the branch holds besides. Whatever was
    /// read of them before has to be read again.
    ///
    /// # Errors
    /// A local change is in the way; HEAD stays where it is.
    pub fn follow_records(&self, newer: &Newer, target: &PushTarget) -> Result<CommitId> {
        let head = head_of(&self.git)?;
        let (old, new) = (self.tree_of(head.id)?, self.tree_of(newer.0)?);
        let way = self.way(&old, &new, self.steps(&old, &new, None)?)?;
        if let Some(blocked) = way.blocked.first() {
            let cause = format!("{} {}", blocked.path, blocked.why);
            return Err(stale(&target.at_home(), &[RECORDS.to_owned()]).caused_by(cause));
        }
        self.move_head(&head, newer.0, "newer records of another apply")?;
        self.walk(&way)?;
        Ok(newer.0.into())
    }

    /// The file or folder in a commit; `None` where it has none.
    fn object_at(&self, commit: Oid, path: &str) -> Result<Option<Oid>> {
        match self.tree_of(commit)?.get_path(Path::new(path)) {
            Ok(found) => Ok(Some(found.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(internal("look up", path, error)),
        }
    }
}

fn stale(target: &PushTarget, newer: &[String]) -> Error {
    let error = Error::new(format!(
        "{target} holds a newer {} than this clone, as another apply or a merge pushed it; nothing was changed",
        newer.join(", ")
    ))
    .hint("get them with `git pull --rebase`, and run `certctl apply` again");
    if newer == [RECORDS] { error } else { error.hint("in CI, the run of the newer commit applies it") }
}
