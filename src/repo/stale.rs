//! Whether the records here are the last ones: another apply may have pushed newer ones while this
//! one started or waited for the lock. A plan from old records would cut off whoever they issued to.

use std::path::Path;

use git2::{ErrorCode, Oid};

use super::{CommitId, PushTarget, Repo, head_of, internal};
use crate::error::{Error, Result};

impl Repo {
    /// Asked while the locks are held: from then on nobody else writes records.
    ///
    /// # Errors
    /// HEAD is not at `planned` any more; the branch over there holds other records than HEAD and than
    /// HEAD's own history; or it cannot be asked. `target` is `None` with `--no-push`: then only HEAD
    /// is looked at.
    pub fn refuse_stale(&self, planned: &CommitId, target: Option<&PushTarget>) -> Result<()> {
        let head = head_of(&self.git)?.id;
        if CommitId::from(head).as_str() != planned.as_str() {
            return Err(Error::new("HEAD moved while this apply started or waited; nothing was changed")
                .hint("run `certctl apply` again"));
        }
        let Some(target) = target else { return Ok(()) };
        let cannot = |error: Error| {
            error.hint("whether the records here are the last ones is not known, so nothing was changed; to revoke all the same, run `certctl apply --no-push`")
        };
        let Some(tip) = self.remote_tip(target).map_err(cannot)? else { return Ok(()) };
        if tip == head || self.git.graph_descendant_of(head, tip).unwrap_or(false) {
            return Ok(());
        }
        let Some(tip) = self.fetch(target).map_err(cannot)? else { return Ok(()) };
        let there = self.records_at(tip)?;
        // The same, or there as they were before our own unpushed commits.
        let base = self.git.merge_base(head, tip).ok();
        if there == self.records_at(head)?
            || base.map(|base| self.records_at(base)).transpose()? == Some(there)
        {
            return Ok(());
        }
        Err(Error::new(format!(
            "{target} holds newer records than this clone, as another apply pushed them; nothing was changed"
        ))
        .hint("get them with `git pull --rebase`, and run `certctl apply` again"))
    }

    /// The tree of `access/` in a commit; `None` where it has none.
    fn records_at(&self, commit: Oid) -> Result<Option<Oid>> {
        let records = self.records();
        match self.tree_of(commit)?.get_path(Path::new(&records)) {
            Ok(found) => Ok(Some(found.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(internal("look up", &records, error)),
        }
    }
}
