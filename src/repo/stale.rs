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
    /// HEAD is not at `planned` any more; the branch over there holds another roster, other records or
    /// `also` files than HEAD and than HEAD's own history; or it cannot be asked. `target` is `None`
    /// with `--no-push`: then only HEAD is looked at.
    pub fn refuse_stale(&self, planned: &CommitId, target: Option<&PushTarget>, also: &[&str]) -> Result<()> {
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
            return Ok(());
        }
        Err(Error::new(format!(
            "{target} holds a newer {} than this clone, as another apply or a merge pushed it; nothing was changed",
            newer.join(", ")
        ))
        .hint("get them with `git pull --rebase`, and run `certctl apply` again"))
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
