//! Reads all clusters side by side, or none of them, and plans each. A cluster that failed stops no other.

use jiff::Timestamp;

use super::connect::{self, Reached};
use super::source::Source;
use crate::cli::Global;
use crate::cluster::Connection;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::model::ClusterName;
use crate::plan::{self, Observed, Plan};
use crate::roster::Cluster;

/// A plan, with the clusters that it is about; a cluster that failed stops no other.
pub struct Planned {
    pub plan: Plan,
    /// Where the clusters were read: each of the plan's, in its order.
    pub reached: Vec<Reached>,
    /// Where they were not: what else each was planned from.
    pub unreached: Vec<Observed>,
    pub errors: Vec<Error>,
}

/// What a cluster was planned from, and the way there, where it was read.
pub type Seen<'a> = (&'a Observed, Option<&'a Connection>);

impl Planned {
    fn new(source: &Source, roster_commit: Option<String>, now: Timestamp) -> Self {
        let roster = source.roster.name.clone();
        let plan = Plan { roster, roster_commit, now, clusters: Vec::new(), base: None };
        Self { plan, reached: Vec::new(), unreached: Vec::new(), errors: Vec::new() }
    }

    /// What each of the plan's clusters was planned from, and the way there.
    pub fn observed(&self) -> impl Iterator<Item = Seen<'_>> {
        let reached = self.reached.iter().map(|reached| (&reached.observed, Some(&reached.connection)));
        reached.chain(self.unreached.iter().map(|observed| (observed, None)))
    }
}

/// Plans each cluster from the repository alone.
pub fn offline(source: &Source, global: &Global, roster_commit: Option<String>, now: Timestamp) -> Planned {
    let mut planned = Planned::new(source, roster_commit, now);
    let several = source.clusters(global).count() > 1;
    for (name, wanted) in source.clusters(global) {
        let result = connect::unreached(source, name, wanted).and_then(|(observed, mut refused_keys)| {
            planned.errors.append(&mut refused_keys);
            let plan = plan::plan(&source.file, &source.roster, name, &observed, now)?;
            Ok((plan, observed))
        });
        match result {
            Ok((plan, observed)) => {
                planned.plan.clusters.push(plan);
                planned.unreached.push(observed);
            }
            Err(error) if several => planned.errors.push(error.within(&cluster(name))),
            Err(error) => planned.errors.push(error),
        }
    }
    planned
}

/// The cluster as it is now, and what another commit knew of it.
///
/// # Errors
/// The records there are not as certctl wrote them.
pub fn observed_at(
    there: &Source,
    name: &ClusterName,
    now: &Observed,
    connection: Option<&Connection>,
) -> Result<Observed> {
    let mut observed = there.repository(name)?;
    // Whose key is refused there gets nothing new there.
    there.brought_keys(name, &mut observed);
    observed.unseen = now.unseen.clone();
    observed.state = now.state.clone();
    observed.identity = now.identity.clone();
    observed.server = now.server.clone();
    observed.certificate_authority_sha256 = now.certificate_authority_sha256.clone();
    if let Some(wanted) = there.roster.clusters.get(name) {
        connect::endpoint(there, wanted, connection, &mut observed)?;
    }
    Ok(observed)
}

/// Reads all clusters side by side and plans each.
pub async fn make(
    source: &Source,
    global: &Global,
    roster_commit: Option<String>,
    now: Timestamp,
    before: &impl Before,
    terminal: &Terminal,
) -> Planned {
    let clusters: Vec<_> = source.clusters(global).collect();
    let several = clusters.len() > 1;
    let read = futures::future::join_all(clusters.into_iter().map(|(name, cluster)| async move {
        let start = std::time::Instant::now();
        let reached = read(source, global, name, cluster, before).await;
        terminal.detail(&format!("cluster {name}: read in {:.2} s", start.elapsed().as_secs_f64()));
        (name, reached)
    }))
    .await;
    let mut planned = Planned::new(source, roster_commit, now);
    for (name, reached) in read {
        let result = reached.and_then(|mut reached| {
            planned.errors.append(&mut reached.refused_keys);
            let plan = plan::plan(&source.file, &source.roster, name, &reached.observed, now)?;
            Ok((plan, reached))
        });
        match result {
            Ok((plan, reached)) => {
                planned.plan.clusters.push(plan);
                planned.reached.push(reached);
            }
            Err(error) if several => planned.errors.push(error.within(&cluster(name))),
            Err(error) => planned.errors.push(error),
        }
    }
    planned
}

async fn read(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    cluster: &Cluster,
    before: &impl Before,
) -> Result<Reached> {
    let reached = connect::reach(source, global, name, cluster).await?;
    before.reading(name, &reached).await?;
    reached.read(&source.roster.name).await
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

fn cluster(name: &ClusterName) -> String {
    format!("cluster {name}")
}
