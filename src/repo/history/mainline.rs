//! The commits of the branch itself. Of a merge that is the merge, since it let the change in: what came before it on
//! the other side is not looked at.

use jiff::Timestamp;

use super::walk::Onward;
use super::{CommitInfo, CommitTree, info, time};
use crate::error::Result;
use crate::repo::Repo;

/// The branch, back to where it begins.
#[derive(Debug, Clone, Default)]
pub struct Mainline {
    /// What was there before all of them: something only where a shallow clone ends.
    pub beginning: Option<CommitTree>,
    /// Oldest first.
    pub commits: Vec<BranchCommit>,
    /// Where it ends before the beginning: the time of the oldest commit that is here.
    pub ends_at: Option<Timestamp>,
}

/// A commit of the branch itself.
#[derive(Debug, Clone)]
pub struct BranchCommit {
    pub commit: CommitInfo,
    pub at: CommitTree,
}

impl Repo {
    /// The branch that HEAD is on.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn mainline(&self) -> Result<Mainline> {
        let mut mainline = Mainline::default();
        self.look_back(&mut |step| {
            if step.is_cut_off {
                mainline.ends_at = Some(time(&step.commit));
                mainline.beginning = Some(step.at);
                return Ok(Onward::None);
            }
            mainline.commits.push(BranchCommit { commit: info(&step.commit), at: step.at });
            Ok(step.parents.first().map_or(Onward::None, |(parent, _)| Onward::Only(*parent)))
        })?;
        mainline.commits.reverse();
        Ok(mainline)
    }
}
