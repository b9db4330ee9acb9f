//! What an apply works from: the roster, records and files of a commit, never of the working tree. Refuses a
//! working tree in which one of them differs from it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::cluster_locks::Locks;
use super::clusters::{self, Before, OnlyRead, Planned};
use super::source::{self, Source};
use crate::apply::Target;
use crate::cli::Global;
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::repo::{CommitId, PushTarget, Repo};

/// The last commit, and what it says.
pub struct ApplySource {
    pub head: CommitId,
    pub source: Source,
    /// The files that the roster names.
    beside: BTreeSet<String>,
    /// The repository once more, to read commits from while the other writes.
    objects: Rc<Repo>,
}

impl ApplySource {
    /// Reads it.
    ///
    /// # Errors
    /// The roster is not valid, or something of it is not committed.
    pub fn read(global: &Global, repo: &Repo) -> Result<Self> {
        let head = repo.head()?;
        refuse_dirty(repo, &BTreeSet::new())?;
        let objects = Rc::new(Repo::discover(&global.roster)?);
        let source = source::committed_roster(global, Rc::clone(&objects), head.clone())?;
        let beside = files_beside(&source);
        if !beside.is_empty() {
            refuse_dirty(repo, &beside)?;
        }
        source.refuse_forgotten_clusters()?;
        Ok(Self { head, source, beside, objects })
    }

    /// The plan, from the newest records: another apply may have pushed some while this one started or waited for
    /// the lock.
    ///
    /// # Errors
    /// The branch that is pushed to has what this clone cannot follow.
    pub async fn plan(
        &self,
        global: &Global,
        repo: &Repo,
        push: Option<&PushTarget>,
        locks: &Locks<'_>,
        terminal: &Terminal,
    ) -> Result<Planned<Target>> {
        let beside: Vec<&str> = self.beside.iter().map(String::as_str).collect();
        let mut commit = self.head.clone();
        let mut planned = plan_at(&self.source, global, &commit, locks, terminal).await;
        while let Some(newer) = repo.refuse_stale(&commit, push, &beside)? {
            let Some(target) = push else { break };
            commit = repo.follow_records(&newer, target)?;
            terminal.say(&format!(
                "Another apply has pushed newer records: going on from {}, where {} is now.",
                commit.short(),
                target.at_home()
            ));
            // The roster and the files that it names are the same in both commits; the records are not.
            let newer = source::committed_roster(global, Rc::clone(&self.objects), commit.clone())?;
            newer.refuse_forgotten_clusters()?;
            planned = plan_at(&newer, global, &commit, &OnlyRead, terminal).await;
        }
        Ok(planned)
    }
}

async fn plan_at(
    source: &Source,
    global: &Global,
    commit: &CommitId,
    before: &impl Before,
    terminal: &Terminal,
) -> Planned<Target> {
    clusters::make(source, global, Some(commit.to_string()), clock::now(), before, terminal).await
}

/// The files that the roster names.
fn files_beside(source: &Source) -> BTreeSet<String> {
    let authorities =
        source.roster.clusters.values().filter_map(|cluster| cluster.certificate_authority.as_ref());
    let requests = source.roster.users.values().filter_map(|user| user.csr.as_ref());
    authorities.chain(requests).map(ToString::to_string).chain(source.parts()).collect()
}

/// What is not committed is not what was reviewed.
fn refuse_dirty(repo: &Repo, also: &BTreeSet<String>) -> Result<()> {
    let dirty = repo.dirty(&also.iter().map(String::as_str).collect::<Vec<_>>())?;
    if dirty.is_empty() {
        return Ok(());
    }
    let dirty = dirty.join(", ");
    Err(Error::new(format!(
        "{dirty}: not committed; apply works from what is committed, so nothing was done"
    ))
    .hint("commit it with `git commit`, or put it aside with `git stash -u`"))
}
