//! Which commits contain which. What this clone does not have, it does not know: a shallow clone contains
//! little.

use git2::Oid;

use super::Repo;

impl Repo {
    /// Whether a commit contains another one, or is it; `false` where this clone cannot tell.
    pub fn contains(&self, commit: &str, other: &str) -> bool {
        let (Ok(commit), Ok(other)) = (Oid::from_str(commit), Oid::from_str(other)) else { return false };
        self.reaches(commit, other)
    }

    /// Whether the roster's branch, as [`Repo::refuse_stale`] saw it on the remote, lacks this commit; `false`
    /// where nobody asked the remote.
    pub fn lacks_on_its_branch(&self, commit: &str) -> bool {
        let (Some(seen), Ok(commit)) = (*self.seen.borrow(), Oid::from_str(commit)) else { return false };
        !seen.is_some_and(|tip| self.reaches(tip, commit))
    }

    pub(super) fn reaches(&self, commit: Oid, other: Oid) -> bool {
        commit == other || self.git.graph_descendant_of(commit, other).unwrap_or(false)
    }
}
