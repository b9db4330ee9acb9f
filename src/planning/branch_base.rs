//! What a plan is compared with: roster and records of the commit where the branch began.

use std::rc::Rc;

use super::cluster_run::ClusterRun;
use super::clusters::Planned;
use super::source::{self, Source};
use crate::cli::Global;
use crate::error::{Error, Result};
use crate::plan::{Base, Plan, Summary, roster_changes};
use crate::repo::Repo;

/// The plan without what is planned at `revision` already.
///
/// A base that cannot be planned, because its roster or its records are broken, is no reason to show
/// nothing: the whole plan is shown then, and why.
///
/// # Errors
/// There is no repository or no such revision, or nothing that both have in common.
pub fn compare(
    source: &Source,
    global: &Global,
    planned: &Planned<impl ClusterRun>,
    revision: &str,
) -> Result<Plan> {
    let repo = Rc::new(Repo::discover(&global.roster)?);
    let commit = repo.branch_point(revision)?;
    let mut base = Base {
        revision: revision.to_owned(),
        commit: commit.to_string(),
        pending: Summary::default(),
        roster_changes: Vec::new(),
        notes: Vec::new(),
    };
    let mut plan = planned.plan();
    match source::roster_at(source, repo, commit) {
        Ok(Some(before)) => {
            base.roster_changes = roster_changes::between(&before.roster, &source.roster);
            plan.clusters.clear();
            for run in &planned.runs {
                match run.branch_diff(source, &before, plan.now) {
                    Ok(diff) => {
                        base.pending += diff.pending;
                        plan.clusters.push((&diff).into());
                    }
                    Err(error) => {
                        base.notes.push(note(&error, &format!("all of cluster {}", run.name())));
                        plan.clusters.push(run.changes());
                    }
                }
            }
        }
        Ok(None) => base.notes.push(format!("{} is new, so all of it is shown", source.file)),
        Err(error) => base.notes.push(note(&error, "all")),
    }
    plan.base = Some(base);
    Ok(plan)
}

fn note(error: &Error, shown: &str) -> String {
    let others = error.each().count() - 1;
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    format!("{}{more}; so {shown} is shown", error.message())
}
