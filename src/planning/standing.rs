//! The clusters as `status` and `report` read them: from records, and from the clusters that can be read. One that is
//! down leaves what the records know, marked so.

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
use crate::repo::Repo;

/// A cluster, as far as it is known.
pub struct KnownCluster<'a> {
    pub name: &'a ClusterName,
    pub known: KnownFrom,
    /// `None` where not even its records can be read.
    pub planned: Option<PlannedCluster<'a>>,
}

/// Shows each cluster from the records alone; returns what failed.
pub fn offline(
    source: &Source,
    global: &Global,
    now: Timestamp,
    show: &mut dyn FnMut(KnownCluster<'_>),
) -> Vec<Error> {
    let planned = clusters::offline(source, global, None, now);
    show_all(&planned.runs, &KnownFrom::Records, show);
    for unread in &planned.unread {
        let known = KnownFrom::RecordsOnly { error: unread.error.clone() };
        show(KnownCluster { name: &unread.name, known, planned: None });
    }
    planned.errors
}

/// From records and clusters, all of them read side by side.
pub async fn online(
    source: &Source,
    global: &Global,
    now: Timestamp,
    terminal: &Terminal,
    show: &mut dyn FnMut(KnownCluster<'_>),
) -> Vec<Error> {
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let Planned { runs, unread, errors, .. } =
        clusters::make(source, global, commit, now, &OnlyRead, terminal).await;
    show_all(&runs, &KnownFrom::Cluster, show);
    for unread in &unread {
        let known = KnownFrom::RecordsOnly { error: unread.error.clone() };
        let wanted = source.roster.clusters.get(&unread.name);
        // Where the records are what is wrong, it has been said.
        match wanted.and_then(|wanted| OfflineRun::plan(source, &unread.name, wanted, now).ok()) {
            Some(run) => show_all(&[run], &known, show),
            None => show(KnownCluster { name: &unread.name, known, planned: None }),
        }
    }
    errors
}

fn show_all(runs: &[impl ClusterRun], known: &KnownFrom, show: &mut dyn FnMut(KnownCluster<'_>)) {
    for run in runs {
        let changes = run.changes();
        let planned = PlannedCluster { observed: run.observed(), changes: &changes };
        show(KnownCluster { name: run.name(), known: known.clone(), planned: Some(planned) });
    }
}
