//! What a plan is compared with: roster and records of the commit where the branch began.

use std::rc::Rc;

use super::clusters::{Planned, observed_at};
use super::source::{self, Source};
use crate::cli::Global;
use crate::error::{Error, Result};
use crate::plan::branch_diff::{self, Side};
use crate::plan::{Base, Plan, Summary, roster_changes};
use crate::repo::Repo;

/// The plan without what is planned at `revision` already.
///
/// A base that cannot be planned, because its roster or its records are broken, is no reason to show
/// nothing: the whole plan is shown then, and why.
///
/// # Errors
/// There is no repository or no such revision, or nothing that both have in common.
pub fn compare(source: &Source, global: &Global, planned: &Planned, revision: &str) -> Result<Plan> {
    let repo = Rc::new(Repo::discover(&global.roster)?);
    let commit = repo.branch_point(revision)?;
    let mut base = Base {
        revision: revision.to_owned(),
        commit: commit.to_string(),
        pending: Summary::default(),
        edits: Vec::new(),
        notes: Vec::new(),
    };
    let mut plan = planned.plan.clone();
    match source::roster_at(source, repo, commit) {
        Ok(Some(before)) => {
            base.edits = roster_changes::between(&before.roster, &source.roster);
            for (cluster, (observed, connection)) in plan.clusters.iter_mut().zip(planned.observed()) {
                match observed_at(&before, &cluster.name, observed, connection) {
                    Ok(at_base) => {
                        let head = Side { roster: &source.roster, observed };
                        let side = Side { roster: &before.roster, observed: &at_base };
                        let (changes, pending) = branch_diff::against(cluster, head, side, plan.now);
                        *cluster = changes;
                        base.pending += pending;
                    }
                    Err(error) => base.notes.push(note(&error, &format!("all of cluster {}", cluster.name))),
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
