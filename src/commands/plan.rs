//! `certctl plan`: reads, diffs, prints. Nothing it calls can write.

use jiff::Timestamp;

use super::load::{self, Source};
use super::reach::{self, Reached};
use super::terminal::Terminal;
use super::{CHANGES, DONE};
use super::{base, clock, github};
use crate::cli::{Global, PlanArgs, PlanFormat};
use crate::cluster::Connection;
use crate::error::{Error, Result};
use crate::model::ClusterName;
use crate::plan::digest::{self, Digested};
use crate::plan::{self, Observed, Plan};
use crate::render::markdown::{self, Context};
use crate::render::{Style, json, text};
use crate::repo::Repo;
use crate::roster::Cluster;

pub async fn run(global: &Global, args: &PlanArgs, terminal: &Terminal) -> Result<u8> {
    let shown = look(global, args, terminal).await;
    let markdown = |limit| match &shown {
        Ok(shown) => shown.markdown(limit),
        Err(error) => markdown::failure(error, limit),
    };
    let text = |format, style| match (format, &shown) {
        // Where there is no plan, a comment on a pull request has to say so.
        (PlanFormat::Markdown, _) => Some(markdown(markdown::LONGEST_COMMENT)),
        (PlanFormat::Text, Ok(shown)) => Some(text::render(&shown.plan, &shown.digest, style)),
        (PlanFormat::Json, Ok(shown)) => {
            Some(json::text(&json::document(&shown.plan, &shown.digest, shown.digested.clone())))
        }
        (PlanFormat::Text | PlanFormat::Json, Err(_)) => None,
    };
    if let Some(text) = text(args.format, terminal.style()) {
        terminal.show(&text)?;
    }
    for (format, file) in &args.save {
        let Some(text) = text(*format, Style::default()) else { continue };
        std::fs::write(file, text).map_err(|cause| {
            Error::new(format!("the plan could not be written to {}", file.display())).caused_by(cause)
        })?;
    }
    if terminal.on_github()
        && let Err(error) = github::summarize(markdown)
    {
        terminal.say(&format!("The plan is not in the step summary, which could not be written: {error}."));
    }
    let Shown { plan, failed, refused, .. } = shown?;
    if let Some(error) = failed {
        return Err(error);
    }
    // Said now, so that a reviewer sees what apply would refuse.
    if let Some(error) = refused {
        terminal.error(&error);
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { CHANGES } else { DONE })
}

/// A plan, and what is said with it.
struct Shown {
    /// All of it, or what a branch changes.
    plan: Plan,
    /// Of all of it.
    digest: String,
    digested: Digested,
    failed: Option<Error>,
    refused: Option<Error>,
}

impl Shown {
    fn markdown(&self, limit: usize) -> String {
        let (failed, refused) = (self.failed.as_ref(), self.refused.as_ref());
        markdown::render(&self.plan, Context { digest: &self.digest, failed, refused }, limit)
    }
}

/// # Errors
/// Nothing at all could be planned.
async fn look(global: &Global, args: &PlanArgs, terminal: &Terminal) -> Result<Shown> {
    let source = load::roster(global)?;
    source.refuse_forgotten_clusters()?;
    // A roster that is not in git yet can be planned, only not applied.
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let now = clock::now();
    let mut planned = if args.offline {
        offline(&source, global, commit, now)
    } else {
        make(&source, global, commit, now, &OnlyRead, terminal).await
    };
    let failed = Error::all(std::mem::take(&mut planned.errors));
    let failed = match failed {
        Some(error) if planned.plan.clusters.is_empty() => return Err(error),
        failed => failed,
    };
    let digested = digest::digested(&planned.plan);
    Ok(Shown {
        digest: digest::digest_from(&planned.plan, &digested),
        digested,
        refused: plan::safety::check(&source.roster, &planned.plan, None).err(),
        failed,
        plan: match &args.base {
            Some(revision) => base::compare(&source, global, &planned, revision)?,
            None => planned.plan,
        },
    })
}

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
fn offline(source: &Source, global: &Global, roster_commit: Option<String>, now: Timestamp) -> Planned {
    let mut planned = Planned::new(source, roster_commit, now);
    let several = source.clusters(global).count() > 1;
    for (name, wanted) in source.clusters(global) {
        let result = reach::unreached(source, name, wanted).and_then(|(observed, mut refused_keys)| {
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
        reach::endpoint(there, wanted, connection, &mut observed)?;
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
