//! What an apply will need, tried before its first write.
//!
//! Where something is missing, whoever has to leave is cut off all the same, and nobody loses a credential whose
//! replacement cannot be delivered.

use std::collections::BTreeSet;

use crate::apply::{RecordsTo, Target};
use crate::cluster::{self, HasRight};
use crate::error::{Error, Result};
use crate::model::ClusterName;
use crate::plan::CredentialAction;
use crate::plan::cut_offs::Replaced;
use crate::render::first_of;
use crate::repo::{PushTarget, Repo};
use crate::roster::Roster;
use crate::seal;

/// What helps with the rest.
const AGAIN: &str =
    "who has to leave is cut off, and everything else waits; once this works, run `certctl apply` again";

/// Rights named in one sentence.
const MOST_RIGHTS: usize = 10;

/// Asks each cluster whether it allows what is to be issued and bound there. Where it does not, all but the
/// cut-offs is out of its plan, with the error.
pub async fn rights(roster: &Roster, runs: &mut [Target], errors: &mut Vec<Error>) {
    let asked = runs.iter().map(|run| cluster::rights(&run.connection, run.plan.needed_rights(roster)));
    let answers = futures::future::join_all(asked).await;
    for (run, answers) in runs.iter_mut().zip(answers) {
        let refused: Vec<String> = answers
            .into_iter()
            .filter(|(_, has)| *has == HasRight::No)
            .map(|(right, _)| right.to_string())
            .collect();
        if !refused.is_empty() {
            run.plan.only_cut_offs(Replaced::Kept);
            errors.push(missing(&run.plan.name, run.connection.context(), &refused));
        }
    }
}

fn missing(cluster: &ClusterName, context: &str, refused: &[String]) -> Error {
    let named = first_of(refused, MOST_RIGHTS);
    Error::new(format!(
        "cluster {cluster}: context `{context}` is not allowed to {named}; nothing was issued or bound there"
    ))
    .hint(format!(
        "`certctl bootstrap --cluster {cluster}` prints the RBAC that apply needs there, for an administrator to apply"
    ))
    .hint(AGAIN)
}

/// Where the records go, once a commit and a push were tried: `push` is `None` where nothing is pushed. What
/// cannot be done is out of the plans, with its error.
pub fn records(
    repo: &Repo,
    push: Option<&PushTarget>,
    runs: &mut [Target],
    errors: &mut Vec<Error>,
) -> RecordsTo {
    let is_needed = runs.iter().any(|run| !run.plan.is_empty());
    match tried(repo, push, is_needed) {
        Ok(records) => {
            runs.iter_mut().for_each(|run| errors.extend(keep_what_cannot_be_sealed_anew(run)));
            records
        }
        Err(error) => {
            runs.iter_mut().for_each(|run| run.plan.only_cut_offs(Replaced::Kept));
            errors.push(error.hint(AGAIN));
            RecordsTo::Nowhere
        }
    }
}

fn tried(repo: &Repo, push: Option<&PushTarget>, is_needed: bool) -> Result<RecordsTo> {
    let records = match push {
        None => RecordsTo::Keep,
        Some(target) if target.proposes() => RecordsTo::Propose(repo.proposal(target)?),
        Some(target) => RecordsTo::Push(target.clone()),
    };
    if is_needed {
        repo.preflight_commit()?;
        match &records {
            RecordsTo::Push(target) => repo.dry_push(target)?,
            RecordsTo::Propose(proposal) => repo.dry_propose(proposal)?,
            RecordsTo::Keep | RecordsTo::Nowhere => {}
        }
    }
    Ok(records)
}

/// For an administrator who asked for no more: this clone may lack the newest records.
pub fn only_cut_offs(roster: &Roster, runs: &mut [Target]) {
    for Target { plan, repository, .. } in runs {
        plan.keep_what_is_not_recorded(roster, repository);
        plan.only_cut_offs(Replaced::CutOff);
    }
}

/// Whose credential is to be replaced, and whose new one nobody here can seal.
fn keep_what_cannot_be_sealed_anew(run: &mut Target) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut users = BTreeSet::new();
    for action in &run.plan.people {
        let CredentialAction::Rotate { user, new, .. } = action else { continue };
        if let Err(error) = seal::check_plugins(&new.issuance.recipients) {
            errors.push(error.within(&format!("cluster {}: {user} keeps the old credential", run.plan.name)));
            users.insert(user.clone());
        }
    }
    run.plan.without_rotations(|user| users.contains(user));
    errors
}
