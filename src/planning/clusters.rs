//! Reads all clusters side by side, or none of them, and plans each. A cluster that failed stops no other.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::cluster_run::{ClusterRun, OfflineRun};
use super::connect::{self, Reached};
use super::source::Source;
use crate::apply::Target;
use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::ledger::RemovedBy;
use crate::model::{ClusterName, CommitHash, RosterName};
use crate::plan::observed::{SeenCluster, SeenLedger, UnknownCertificates};
use crate::plan::safety::Withheld;
use crate::plan::{self, Plan, UnreadCluster};
use crate::render::words;
use crate::repo::Repo;
use crate::roster::{Cluster, RosterFileNames};

/// The clusters that were planned; one that failed stops no other.
pub struct Planned<R> {
    /// Whose roster it is.
    pub roster: RosterName,
    /// Its files.
    pub roster_files: RosterFileNames,
    /// The commit that the roster was read at.
    pub roster_commit: Option<String>,
    /// When they were planned.
    pub now: Timestamp,
    /// By name.
    pub runs: Vec<R>,
    /// The clusters of which nothing is known, by name.
    pub unread: Vec<UnreadCluster>,
    /// What failed.
    pub errors: Vec<Error>,
}

impl<R: ClusterRun> Planned<R> {
    fn new(source: &Source, roster_commit: Option<String>, now: Timestamp) -> Self {
        let roster = source.roster.name.clone();
        let roster_files = source.roster.files.clone();
        let (runs, unread, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self { roster, roster_files, roster_commit, now, runs, unread, errors }
    }

    fn take(&mut self, name: &ClusterName, several: bool, run: Result<R>) {
        let error = match run {
            Ok(run) => return self.runs.push(run),
            Err(error) => error,
        };
        let facts: Vec<&str> = error.each().map(Error::message).collect();
        self.unread.push(UnreadCluster { name: name.clone(), error: facts.join("; ") });
        self.errors.push(if several { error.within(&format!("cluster {name}")) } else { error });
    }

    /// Leaves out what safety withholds.
    pub fn withhold(&mut self, withheld: &Withheld) {
        self.runs.iter_mut().for_each(|run| run.withhold(withheld));
    }

    /// All of it, to be shown.
    pub fn plan(&self) -> Plan {
        Plan {
            roster: self.roster.clone(),
            roster_commit: self.roster_commit.clone(),
            now: self.now,
            roster_files: self.roster_files.clone(),
            clusters: self.runs.iter().map(R::changes).collect(),
            unread: self.unread.clone(),
            base: None,
        }
    }
}

/// Plans each cluster from the repository alone.
pub fn offline(
    source: &Source,
    global: &Global,
    roster_commit: Option<String>,
    now: Timestamp,
) -> Planned<OfflineRun> {
    let mut planned = Planned::new(source, roster_commit, now);
    let several = source.clusters(global).count() > 1;
    for (name, wanted) in source.clusters(global) {
        planned.take(name, several, OfflineRun::plan(source, name, wanted, now));
    }
    planned
}

/// Reads all clusters side by side and plans each.
pub async fn make(
    source: &Source,
    global: &Global,
    roster_commit: Option<String>,
    now: Timestamp,
    before: &impl Before,
    terminal: &Terminal,
) -> Planned<Target> {
    let clusters: Vec<_> = source.clusters(global).collect();
    let several = clusters.len() > 1;
    let read = futures::future::join_all(clusters.into_iter().map(|(name, cluster)| async move {
        let start = std::time::Instant::now();
        let reached = read(source, global, name, cluster, before).await;
        if let Ok((_, SeenCluster { unknown: UnknownCertificates::Unasked { why }, .. })) = &reached {
            terminal.detail(&format!(
                "cluster {name}: whether its client CA was replaced is not known: {}",
                visible_line(why)
            ));
        }
        terminal.detail(&format!("cluster {name}: read in {:.2} s", start.elapsed().as_secs_f64()));
        (name, reached)
    }))
    .await;
    let mut planned = Planned::new(source, roster_commit.clone(), now);
    for (name, read) in read {
        let run = read.and_then(|(reached, cluster)| {
            let Reached { connection, mut repository, published: _ } = reached;
            repository.merged = merged(global, roster_commit.as_deref(), &cluster.ledger);
            match plan::plan(&source.roster, name, &repository, &cluster, now) {
                Ok(plan) => Ok(Target { plan, repository, cluster, connection }),
                Err(refusal) => Err(words::refused(&source.roster.name, name, &refusal)),
            }
        });
        planned.take(name, several, run);
    }
    planned
}

async fn read(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    cluster: &Cluster,
    before: &impl Before,
) -> Result<(Reached, SeenCluster)> {
    let reached = connect::reach(source, global, name, cluster).await?;
    before.reading(name, &reached).await?;
    let cluster = reached.read(&source.roster.name).await?;
    Ok((reached, cluster))
}

/// Of the commits that removed somebody, as the cluster remembers it, those that this one contains.
fn merged(global: &Global, commit: Option<&str>, ledger: &SeenLedger) -> BTreeSet<CommitHash> {
    let removed = ledger.known().into_iter().flat_map(|ledger| ledger.removed.values());
    let mut commits = removed.filter_map(|removal| match &removal.by {
        RemovedBy::Commit(commit) => Some(commit),
        RemovedBy::Command => None,
    });
    let Some(first) = commits.next() else { return BTreeSet::new() };
    let (Some(commit), Ok(repo)) = (commit, Repo::discover(&global.roster)) else { return BTreeSet::new() };
    let all = [first].into_iter().chain(commits);
    all.filter(|other| repo.contains(commit, other.as_str())).cloned().collect()
}

/// What has to happen on a cluster before it is read: apply takes its lock there.
pub trait Before {
    /// # Errors
    /// The cluster must not be read.
    async fn reading(&self, name: &ClusterName, reached: &Reached) -> Result<()>;
}

/// Nothing.
pub struct OnlyRead;

impl Before for OnlyRead {
    async fn reading(&self, _: &ClusterName, _: &Reached) -> Result<()> {
        Ok(())
    }
}
