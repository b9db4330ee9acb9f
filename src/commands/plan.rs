//! `certctl plan`: reads, diffs, prints. Nothing it calls can write.

use jiff::Timestamp;

use super::clock;
use super::load::{self, Source};
use super::reach::{self, Reached};
use super::terminal::Terminal;
use super::{CHANGES, DONE};
use crate::cli::{Global, PlanArgs, PlanFormat};
use crate::error::{Error, Result};
use crate::model::ClusterName;
use crate::plan::{self, Plan, digest};
use crate::render::{json, text};
use crate::repo::Repo;
use crate::roster::Cluster;

pub async fn run(global: &Global, args: &PlanArgs, terminal: &Terminal) -> Result<u8> {
    let source = load::roster(global)?;
    source.refuse_forgotten_clusters()?;
    // A roster that is not in git yet can be planned, only not applied.
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let planned = make(&source, global, commit, clock::now(), &OnlyRead, terminal).await;
    let digest = digest::digest(&planned.plan);
    let out = match args.format {
        PlanFormat::Text => text::render(&planned.plan, &digest, terminal.style()),
        PlanFormat::Json => {
            let document = json::document(&planned.plan, &digest);
            serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
        }
    };
    if !planned.plan.clusters.is_empty() || planned.errors.is_empty() {
        terminal.print(out.as_bytes())?;
    }
    if let Some(error) = Error::all(planned.errors) {
        return Err(error);
    }
    // Said now, so that a reviewer sees what apply would refuse.
    if let Err(error) = plan::safety::check(&source.roster, &planned.plan, None) {
        terminal.error(&error);
    }
    Ok(if args.detailed_exitcode && !planned.plan.is_empty() { CHANGES } else { DONE })
}

/// A plan, with the clusters that it is about; a cluster that failed stops no other.
pub struct Planned {
    pub plan: Plan,
    pub reached: Vec<Reached>,
    pub errors: Vec<Error>,
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
    let mut planned = Planned {
        plan: Plan { roster: source.roster.name.clone(), roster_commit, now, clusters: Vec::new() },
        reached: Vec::new(),
        errors: Vec::new(),
    };
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
    let reached = reach::reach(source, global, name, cluster).await?;
    before.reading(name, &reached).await?;
    reached.read(&source.roster.name).await
}

/// What has to happen on a cluster before it is read: apply takes its lock there.
pub(super) trait Before {
    /// # Errors
    /// The cluster must not be read.
    async fn reading(&self, name: &ClusterName, reached: &Reached) -> Result<()>;
}

/// Nothing.
pub(super) struct OnlyRead;

impl Before for OnlyRead {
    async fn reading(&self, _: &ClusterName, _: &Reached) -> Result<()> {
        Ok(())
    }
}

fn cluster(name: &ClusterName) -> String {
    format!("cluster {name}")
}
