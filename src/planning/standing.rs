//! The clusters as `status`, `notices` and `report` read them: from records, and from the clusters that can be read. One
//! that is down leaves what the records know, marked so.

use jiff::Timestamp;

use super::cluster_run::{ClusterRun, OfflineRun};
use super::clusters::{self, OnlyRead, Planned};
use super::source::Source;
use crate::access::credentials::PlannedCluster;
use crate::access::status::KnownFrom;
use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::Error;
use crate::model::ClusterName;
use crate::plan::{ClusterChanges, UnreadCluster};
use crate::repo::Repo;

/// A cluster, as far as it is known.
pub struct KnownCluster<'a> {
    pub name: &'a ClusterName,
    pub known: KnownFrom,
    /// `None` where not even its records can be read.
    pub planned: Option<PlannedCluster<'a>>,
}

/// All clusters, as far as they are known.
pub struct Standing {
    read: Vec<ReadCluster>,
    /// What failed.
    pub errors: Vec<Error>,
}

struct ReadCluster {
    name: ClusterName,
    known: KnownFrom,
    run: Option<(Box<dyn ClusterRun>, ClusterChanges)>,
}

/// From the records alone.
pub fn offline(source: &Source, global: &Global, now: Timestamp) -> Standing {
    let Planned { runs, unread, errors, .. } = clusters::offline(source, global, None, now);
    let mut standing = Standing { read: Vec::new(), errors };
    standing.add(runs, &KnownFrom::Records);
    for UnreadCluster { name, error } in unread {
        standing.read.push(ReadCluster { name, known: KnownFrom::RecordsOnly { error }, run: None });
    }
    standing
}

/// From records and clusters, all of them read side by side.
pub async fn online(source: &Source, global: &Global, now: Timestamp, terminal: &Terminal) -> Standing {
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let Planned { runs, unread, errors, .. } =
        clusters::make(source, global, commit, now, &OnlyRead, terminal).await;
    let mut standing = Standing { read: Vec::new(), errors };
    standing.add(runs, &KnownFrom::Cluster);
    for UnreadCluster { name, error } in unread {
        let known = KnownFrom::RecordsOnly { error };
        let wanted = source.roster.clusters.get(&name);
        // Where the records are what is wrong, it has been said.
        match wanted.and_then(|wanted| OfflineRun::plan(source, &name, wanted, now).ok()) {
            Some(run) => standing.add([run], &known),
            None => standing.read.push(ReadCluster { name, known, run: None }),
        }
    }
    standing
}

impl Standing {
    fn add<R: ClusterRun + 'static>(&mut self, runs: impl IntoIterator<Item = R>, known: &KnownFrom) {
        self.read.extend(runs.into_iter().map(|run| {
            let (name, changes) = (run.name().clone(), run.changes());
            ReadCluster { name, known: known.clone(), run: Some((Box::new(run), changes)) }
        }));
    }

    /// Each cluster.
    pub fn clusters(&self) -> impl Iterator<Item = KnownCluster<'_>> {
        self.read.iter().map(|ReadCluster { name, known, run }| {
            let planned =
                run.as_ref().map(|(run, changes)| PlannedCluster { observed: run.observed(), changes });
            KnownCluster { name, known: known.clone(), planned }
        })
    }
}
