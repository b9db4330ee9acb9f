//! The branch that a roster is applied from: as the roster names it, else as it was recorded at the first apply.
//!
//! From another branch nothing is applied unless somebody types its name, so that a branch that nobody reviewed
//! is not applied by accident. It keeps nobody out who means it: whoever may apply may also type.

use std::collections::BTreeSet;

use super::source::Source;
use crate::apply::Target;
use crate::error::{Error, Result};
use crate::model::{BranchName, RosterName};
use crate::plan::endpoint::Endpoint;
use crate::record::ClusterPin;

/// The branch to record where none is recorded yet. `here` is the branch that is applied, if anybody knows,
/// and `typed` the one that the administrator has named.
///
/// # Errors
/// The roster is applied from another branch, or another one was typed.
pub fn settle(source: &Source, here: Option<&str>, typed: Option<&BranchName>) -> Result<Option<BranchName>> {
    let here: Option<BranchName> = here
        .map(|name| {
            name.parse().map_err(|why| {
                Error::new(format!("branch `{name}` {why}, so it could not be recorded; nothing was done"))
            })
        })
        .transpose()?;
    if let (Some(typed), Some(here)) = (typed, &here)
        && typed != here
    {
        return Err(Error::usage(format!(
            "--branch {typed}: what would be applied is branch `{here}`; nothing was done"
        )));
    }
    let branches = match &source.roster.branch {
        Some(branch) => BTreeSet::from([branch.clone()]),
        None => recorded(source),
    };
    let Some(first) = branches.first() else { return Ok(here.or(typed.cloned())) };
    if typed.is_none() && !here.as_ref().is_some_and(|here| branches.contains(here)) {
        return Err(refusal(source, first, here.as_ref()));
    }
    Ok(Some(first.clone()))
}

/// What the pins say. A pin that cannot be read stops the cluster that it is about.
fn recorded(source: &Source) -> BTreeSet<BranchName> {
    let pins = source.roster.clusters.keys().filter_map(|name| source.pin(name).ok().flatten());
    pins.filter_map(|pin| pin.branch).collect()
}

fn refusal(source: &Source, branch: &BranchName, here: Option<&BranchName>) -> Error {
    let told = match source.roster.branch {
        Some(_) => format!("`apply.branch` of {}", source.file),
        None => "the branch of its first apply".to_owned(),
    };
    let this = match here {
        Some(here) => format!("this is branch `{here}`"),
        None => "HEAD is detached, on a branch that nothing names".to_owned(),
    };
    Error::new(format!("the roster is applied from `{branch}`, {told}, and {this}; nothing was done"))
        .hint("merge it there: the apply of that branch carries it out")
        .hint(
            "to apply it from here all the same, type the name of the branch: `certctl apply --branch NAME`",
        )
        .hint(format!("to move for good, set `apply: {{branch: NAME}}` in {}", source.file))
}

/// Has the branch recorded on each cluster that has none.
pub fn record(runs: &mut [Target], roster: &RosterName, branch: Option<&BranchName>) {
    for Target { plan, repository, .. } in runs.iter_mut().filter(|run| !run.plan.only_cuts_off) {
        if let (None, Some(branch)) = (&repository.branch, branch) {
            repository.branch = Some(branch.clone());
            let pin = plan.pin.take().unwrap_or_else(|| ClusterPin {
                endpoint: repository.pinned_endpoint.as_ref().map(Endpoint::to_pin),
                roster_id: repository.roster_id.clone(),
                ..ClusterPin::new(plan.name.clone(), plan.uid.clone(), roster.clone())
            });
            plan.pin = Some(ClusterPin { branch: Some(branch.clone()), ..pin });
        }
    }
}
