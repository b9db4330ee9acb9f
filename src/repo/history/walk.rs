//! The walk from HEAD to the commits before it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use git2::{Commit, DiffFindOptions, DiffOptions, Oid, Sort};

use super::CommitTree;
use crate::error::{Error, Result};
use crate::repo::{Repo, entry, head_of, internal};

/// The most commits that are looked at.
const COMMITS: usize = 200_000;

/// The most files that a commit which moves the roster is searched for where it came from.
const RENAMES: usize = 1_000;

/// A commit that is visited.
pub(super) struct Step<'r> {
    pub(super) commit: Commit<'r>,
    /// Its place among all commits: a larger one is older.
    pub(super) order: usize,
    pub(super) at: CommitTree,
    /// None where a shallow clone ends.
    pub(super) parents: Vec<(Oid, CommitTree)>,
    pub(super) is_cut_off: bool,
}

/// Which parents are visited.
pub(super) enum Onward {
    All,
    Only(Oid),
    None,
}

impl Repo {
    /// Shows `visit` HEAD and the commits before it, children before their parents, and goes on where it says.
    pub(super) fn look_back(&self, visit: &mut dyn FnMut(Step<'_>) -> Result<Onward>) -> Result<()> {
        let read = |error| internal("read the history of", "HEAD", error);
        let mut walk = self.git.revwalk().map_err(read)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(read)?;
        let head = head_of(&self.git)?.id;
        walk.push(head).map_err(read)?;
        let (shallow, is_partial) = (self.shallow(), self.is_partial());
        // Where the roster is in each commit that is to be visited.
        let mut rosters = HashMap::from([(head, format!("{}{}", self.prefix, self.roster))]);
        for (order, id) in walk.enumerate() {
            let id = id.map_err(read)?;
            let Some(roster) = rosters.remove(&id) else { continue };
            if order >= COMMITS {
                return Err(Error::new(format!(
                    "the history of HEAD is longer than the {COMMITS} commits that are looked at"
                )));
            }
            let commit = self.git.find_commit(id).map_err(read)?;
            let is_cut_off = shallow.contains(&id);
            if is_partial {
                // libgit2 takes a tree that was left out for one without files.
                let parents = commit.parent_ids().filter(|_| !is_cut_off);
                [id].into_iter().chain(parents).try_for_each(|id| self.fill_missing(id))?;
            }
            let at = CommitTree::of(&commit, roster);
            let mut parents = Vec::new();
            for parent in commit.parents().filter(|_| !is_cut_off) {
                parents.push((parent.id(), self.before(&parent, &at)?));
            }
            let known: Vec<(Oid, String)> =
                parents.iter().map(|(parent, at)| (*parent, at.roster.clone())).collect();
            let next = visit(Step { commit, order, at, parents, is_cut_off })?;
            for (parent, roster) in known {
                let follows = match next {
                    Onward::All => true,
                    Onward::Only(only) => only == parent,
                    Onward::None => return Ok(()),
                };
                if follows {
                    rosters.entry(parent).or_insert(roster);
                }
            }
            if rosters.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Where a parent has the roster that its child has.
    fn before(&self, parent: &Commit<'_>, child: &CommitTree) -> Result<CommitTree> {
        let same = CommitTree::of(parent, child.roster.clone());
        if same == *child {
            return Ok(same);
        }
        let (before, after) = (self.tree_at(&same)?, self.tree_at(child)?);
        if entry(&before, &child.roster)?.is_some() || entry(&after, &child.roster)?.is_none() {
            return Ok(same);
        }
        let read = |error| internal("compare commit", &parent.id().to_string(), error);
        let mut options = DiffOptions::new();
        options.context_lines(0);
        let mut diff =
            self.git.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options)).map_err(read)?;
        diff.find_similar(Some(DiffFindOptions::new().renames(true).rename_limit(RENAMES))).map_err(read)?;
        let from = diff.deltas().find_map(|delta| {
            let is_it = delta.new_file().path() == Some(Path::new(&child.roster));
            let from = delta.old_file().path().filter(|_| is_it && delta.status() == git2::Delta::Renamed)?;
            from.to_str().map(str::to_owned)
        });
        Ok(from.map_or(same, |from| CommitTree::of(parent, from)))
    }

    /// The commits whose parents a shallow clone left behind.
    fn shallow(&self) -> BTreeSet<Oid> {
        if !self.git.is_shallow() {
            return BTreeSet::new();
        }
        let text = std::fs::read_to_string(self.git.commondir().join("shallow")).unwrap_or_default();
        text.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
    }
}
