//! What an apply was told that reviewers have seen: refuse anything else, and say what is different.
//!
//! Of a digest nothing can be read. So the commits before HEAD are tried: where one of them, with the
//! clusters as they are now, gives the expected plan, the difference is what came after it.

use std::path::Path;
use std::rc::Rc;

use super::cluster_run::{ClusterRun as _, seen_at};
use super::source::{self, Source};
use crate::apply::Target;
use crate::cli::{ApplyArgs, Global};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::plan::digest::{self, Digested};
use crate::plan::reviewed::Unreviewed;
use crate::plan::{self, Plan};
use crate::render::json::FORMAT_VERSION;
use crate::render::{Style, difference};
use crate::repo::{CommitId, Repo};

/// Commits that are tried, and different contents of roster and records among them.
const COMMITS: usize = 100;
const CONTENTS: usize = 10;

/// The largest plan that is read, in bytes: some 100,000 people.
const LARGEST_PLAN: u64 = 256 * 1024 * 1024;

/// What was reviewed.
pub enum ExpectedPlan {
    /// `--expect-digest`.
    Digest(String),
    /// `--expect-plan`.
    Plan(Box<Digested>),
    /// `--reviewed`: the plan is one of them, or each decision is in one of them.
    Parts(Vec<ApprovedDocument>),
}

impl ExpectedPlan {
    /// What the flags say; `None` where they say nothing.
    ///
    /// # Errors
    /// The file is no plan, or the plan is one that no apply can be held to.
    pub fn new(args: &ApplyArgs) -> Result<Option<Self>> {
        if let Some(file) = &args.expect_plan {
            return read(&file.display().to_string(), file).map(|plan| Some(Self::Plan(Box::new(plan))));
        }
        if let Some(file) = &args.reviewed {
            return read_all(&file.display().to_string(), file).map(|plans| Some(Self::Parts(plans)));
        }
        let Some(digest) = &args.expect_digest else { return Ok(None) };
        refuse_offline(digest)?;
        Ok(Some(Self::Digest(digest.clone())))
    }

    /// Whether this is what was reviewed.
    pub fn is(&self, plan: &Plan) -> bool {
        let now = digest::digested(plan);
        match self {
            Self::Digest(expected) => digest::same(expected, &digest::digest_of(&now)),
            Self::Plan(reviewed) => **reviewed == now,
            Self::Parts(plans) => unreviewed(&now, plans).is_none(),
        }
    }

    /// Says what is different; returns the refusal.
    pub fn refuse(
        &self,
        plan: &Plan,
        runs: &[Target],
        source: &Source,
        global: &Global,
        terminal: &Terminal,
    ) -> Error {
        let now = digest::digested(plan);
        let (expected, found) = match self {
            Self::Parts(plans) => return refuse_unreviewed(&now, plans),
            Self::Digest(expected) => (expected.clone(), find(expected, plan, runs, source, global)),
            Self::Plan(reviewed) => (digest::digest_of(reviewed), Some((None, (**reviewed).clone()))),
        };
        let error = Error::new(format!(
            "the plan is not the expected one: {}, not {expected}; nothing was changed",
            digest::digest_of(&now)
        ));
        let Some((commit, reviewed)) = found else {
            return error
                .hint("review the plan above: with the clusters as they are now, no recent commit gives the expected one, so they changed since, or it is older")
                .hint("with `--expect-plan FILE`, the plan that was reviewed as JSON, the difference is shown");
        };
        let of = commit.map_or(String::new(), |commit| format!(", that of commit {}", commit.short()));
        terminal.say(&format!("Different from the plan that was reviewed{of} (- only there, + only here):"));
        terminal.say(difference::render(&reviewed, &now, terminal.talk_style()).trim_end());
        error.hint("review the plan above; renewals and clean-ups do not count")
    }
}

fn refuse_offline(digest: &str) -> Result<()> {
    if !digest.starts_with(digest::OFFLINE) {
        return Ok(());
    }
    Err(Error::usage("an offline plan saw no cluster, so no apply can be held to it; nothing was done")
        .hint("review the plan of `certctl plan` without `--offline`, and expect that"))
}

/// The part of a plan document that is compared.
#[derive(serde::Deserialize)]
pub struct ApprovedDocument {
    /// Where it says none, it is of the first format.
    #[serde(default, rename = "formatVersion")]
    format_version: u32,
    digest: String,
    digested: Option<Digested>,
}

impl ApprovedDocument {
    /// Refuses one that no apply can be held to, and one whose digest is not that of what it decides.
    fn check(&self, shown: &str) -> Result<()> {
        if self.format_version > FORMAT_VERSION {
            return Err(Error::new(format!(
                "{shown} was written by a newer certctl: its formatVersion is {}, and this one reads {FORMAT_VERSION}; nothing was done",
                self.format_version
            ))
            .hint("plan and apply with the same version of certctl"));
        }
        refuse_offline(&self.digest)?;
        let decided = self.digested.as_ref().map(digest::digest_of);
        if decided.is_none_or(|decided| digest::same(&self.digest, &decided)) {
            return Ok(());
        }
        Err(Error::new(format!(
            "{shown} was changed: its digest is not that of what it holds; nothing was done"
        ))
        .hint("use the file as `certctl plan --format json` wrote it, with the same version of certctl"))
    }
}

fn parse<T: serde::de::DeserializeOwned>(shown: &str, file: &Path) -> Result<T> {
    let bytes = source::read_file(file, LARGEST_PLAN).map_err(|cause| {
        Error::new(format!("{shown} could not be read; nothing was done")).caused_by(cause)
    })?;
    serde_json::from_slice(&bytes).map_err(|cause| no_plan(shown).caused_by(cause))
}

fn no_plan(shown: &str) -> Error {
    Error::new(format!("{shown} is no plan of `certctl plan --format json`; nothing was done"))
}

fn read(shown: &str, file: &Path) -> Result<Digested> {
    let document: ApprovedDocument = parse(shown, file)?;
    document.check(shown)?;
    document.digested.ok_or_else(|| no_plan(shown))
}

fn read_all(shown: &str, file: &Path) -> Result<Vec<ApprovedDocument>> {
    let documents: Vec<ApprovedDocument> = parse(shown, file)?;
    documents.iter().try_for_each(|document| document.check(shown))?;
    Ok(documents)
}

/// What none of them decides; nothing where the plan is one of them.
fn unreviewed(now: &Digested, plans: &[ApprovedDocument]) -> Option<Unreviewed> {
    let digest = digest::digest_of(now);
    if plans.iter().any(|plan| digest::same(&plan.digest, &digest)) {
        return None;
    }
    let decided: Vec<Digested> = plans.iter().filter_map(|plan| plan.digested.clone()).collect();
    Unreviewed::find(now, &decided)
}

fn refuse_unreviewed(now: &Digested, plans: &[ApprovedDocument]) -> Error {
    let lines = unreviewed(now, plans)
        .map(|Unreviewed { gone, new }| difference::render(&gone, &new, Style::default()))
        .unwrap_or_default();
    Error::new("not all of this plan was reviewed; nothing was changed")
        .caused_by(lines.trim_end().to_owned())
        .hint("review the plan above, then run `certctl apply` without `--reviewed`; in CI, run the workflow by hand with `unreviewed`")
}

/// The plan with this digest, and the commit that has it.
fn find(
    expected: &str,
    plan: &Plan,
    runs: &[Target],
    source: &Source,
    global: &Global,
) -> Option<(Option<CommitId>, Digested)> {
    let repo = Rc::new(Repo::discover(&global.roster).ok()?);
    let mut contents = Vec::new();
    let parts = source.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    for commit in repo.history(COMMITS).ok()? {
        let content = repo.content_at(&commit, &parts).ok()?;
        if contents.contains(&content) {
            continue;
        }
        if contents.len() > CONTENTS {
            break;
        }
        contents.push(content);
        // A commit that cannot be planned has no digest that anyone could expect.
        let Some(plan) = plan_at(&commit, &repo, plan, runs, source) else { continue };
        let digested = digest::digested(&plan);
        if digest::same(expected, &digest::digest_of(&digested)) {
            return Some((Some(commit), digested));
        }
    }
    None
}

/// The plan of another commit, with the clusters as they are now.
fn plan_at(commit: &CommitId, repo: &Rc<Repo>, now: &Plan, runs: &[Target], source: &Source) -> Option<Plan> {
    let there = source::roster_at(source, Rc::clone(repo), commit.clone()).ok()??;
    let mut plan = Plan { roster: there.roster.name.clone(), clusters: Vec::new(), ..now.clone() };
    for run in runs {
        let name = run.name();
        if !there.roster.clusters.contains_key(name) {
            continue;
        }
        let (repository, cluster) = seen_at(&there, run).ok()?;
        let planned = plan::plan(&there.roster, name, &repository, &cluster, now.now).ok()?;
        plan.clusters.push((&planned).into());
    }
    Some(plan)
}
