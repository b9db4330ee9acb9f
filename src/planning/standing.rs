//! The credentials of a roster as `status` and reports read them: from records, and from the clusters that can
//! be read. One that is down leaves what the records know, marked so.

use jiff::Timestamp;

use super::cluster_run::{ClusterRun, OfflineRun};
use super::clusters::{self, OnlyRead, Planned};
use super::source::Source;
use crate::access::credentials::{self, CredentialStanding, Note, PlannedCluster};
use crate::access::status::{ClusterStatus, KnownFrom, RosterStatus};
use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::Error;
use crate::repo::Repo;

/// What could be found out, and what could not.
pub struct Looked {
    pub status: RosterStatus,
    pub errors: Vec<Error>,
}

/// From the records alone.
pub fn offline(source: &Source, global: &Global, now: Timestamp) -> Looked {
    let planned = clusters::offline(source, global, None, now);
    let mut looked = Looked::new(source, now);
    looked.take(source, &planned.runs, &KnownFrom::Records);
    looked.ended(source, global, planned)
}

/// From records and clusters, all of them read side by side.
pub async fn online(source: &Source, global: &Global, now: Timestamp, terminal: &Terminal) -> Looked {
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let planned = clusters::make(source, global, commit, now, &OnlyRead, terminal).await;
    let mut looked = Looked::new(source, now);
    looked.take(source, &planned.runs, &KnownFrom::Cluster);
    for unread in &planned.unread {
        let known = KnownFrom::RecordsOnly { error: unread.error.clone() };
        let wanted = source.roster.clusters.get(&unread.name);
        // Where the records are what is wrong, it has been said.
        let run = wanted.and_then(|wanted| OfflineRun::plan(source, &unread.name, wanted, now).ok());
        looked.take(source, run.as_slice(), &known);
    }
    looked.ended(source, global, planned)
}

impl Looked {
    fn new(source: &Source, now: Timestamp) -> Self {
        let (roster, clusters, standings) = (source.roster.name.clone(), Vec::new(), Vec::new());
        let status = RosterStatus { roster, now, clusters, standings, last_recorded: None };
        Self { status, errors: Vec::new() }
    }

    fn take(&mut self, source: &Source, runs: &[impl ClusterRun], known: &KnownFrom) {
        for run in runs {
            let changes = run.changes();
            let cluster = PlannedCluster { observed: run.observed(), changes: &changes };
            let mut standings = credentials::standings(&source.roster, cluster, self.status.now);
            if let KnownFrom::RecordsOnly { .. } = known {
                let unread = |standing: &mut CredentialStanding| {
                    standing.notes.insert(Note::Unread);
                };
                standings.iter_mut().for_each(unread);
            }
            self.status.standings.extend(standings);
            let (name, held) = (run.name().clone(), changes.held.len());
            self.status.clusters.push(ClusterStatus { name, source: known.clone(), held });
        }
    }

    /// With the clusters of which nothing is known at all.
    fn ended<R: ClusterRun>(mut self, source: &Source, global: &Global, planned: Planned<R>) -> Self {
        for (name, _) in source.clusters(global) {
            let unread = planned.unread.iter().find(|unread| unread.name == *name);
            if let Some(unread) = unread.filter(|_| !self.status.clusters.iter().any(|c| c.name == *name)) {
                let known = KnownFrom::RecordsOnly { error: unread.error.clone() };
                self.status.clusters.push(ClusterStatus { name: name.clone(), source: known, held: 0 });
            }
        }
        self.status.clusters.sort_by(|a, b| a.name.cmp(&b.name));
        self.status.sort();
        self.errors = planned.errors;
        self
    }
}
