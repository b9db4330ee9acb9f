//! What a plan is compared with: roster and records of the commit where the branch began.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::cluster_run::ClusterRun;
use super::clusters::Planned;
use super::codeowners;
use super::source::{self, Source};
use crate::cli::Global;
use crate::error::{Error, Result};
use crate::plan::{Approval, Base, Plan, Summary, roster_changes};
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
        approvals: Vec::new(),
        notes: Vec::new(),
    };
    let mut plan = planned.plan();
    match source::roster_at(source, Rc::clone(&repo), commit) {
        Ok(Some(before)) => {
            base.roster_changes = roster_changes::between(&before.roster, &source.roster);
            base.approvals = approvals(&repo, &before, source)?;
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

/// The files of the roster that differ, and their owners as the base says: a branch may also edit CODEOWNERS.
fn approvals(repo: &Repo, before: &Source, after: &Source) -> Result<Vec<Approval>> {
    let texts = |source: &Source| -> Result<BTreeMap<String, String>> {
        let mut texts = BTreeMap::from([(repo.roster().to_owned(), source.text.clone())]);
        for part in source.roster.parts.values() {
            texts.extend(source.part(part.file)?.map(|(path, text)| (path.to_string(), text)));
        }
        Ok(texts)
    };
    let (before_texts, after_texts) = (texts(before)?, texts(after)?);
    let files: BTreeSet<&String> = before_texts.keys().chain(after_texts.keys()).collect();
    let mut changed =
        files.into_iter().filter(|file| before_texts.get(*file) != after_texts.get(*file)).peekable();
    if changed.peek().is_none() {
        return Ok(Vec::new());
    }
    let read = |place: &str| before.read(&repo.beside_roster(place)).ok().flatten();
    let Some(codeowners) = codeowners::PLACES.iter().find_map(|place| read(place)) else {
        return Ok(Vec::new());
    };
    let codeowners = String::from_utf8_lossy(&codeowners);
    let approval = |file: &String| -> Result<Approval> {
        let owners = codeowners::owners(&codeowners, &repo.whole_path(file)?);
        Ok(Approval { file: file.clone(), owners })
    };
    changed.map(approval).collect()
}

fn note(error: &Error, shown: &str) -> String {
    let others = error.each().count() - 1;
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    format!("{}{more}; so {shown} is shown", error.message())
}
