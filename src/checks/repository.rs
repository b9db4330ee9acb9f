//! What does not need a cluster: git, the roster with its records, and what sealing and decrypting need here.

use std::collections::BTreeSet;

use super::{CheckArea, Checks};
use crate::ci::environment::CiEnvironment;
use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::model::Recipient;
use crate::person::identities;
use crate::planning::source::{self, Source};
use crate::render::count;
use crate::repo::Repo;
use crate::seal;

/// Whether records can be committed and pushed from here. The remote is asked, and changes nothing.
pub fn git(global: &Global, checks: &mut Checks) {
    let host = CiEnvironment::detect();
    let mut repo = match Repo::discover(&global.roster).and_then(|repo| repo.head().map(|_| repo)) {
        Ok(repo) => repo,
        Err(error) => return checks.fail(CheckArea::Git, None, "repository", &error),
    };
    checks.ok(CheckArea::Git, None, "repository", "");
    let commit = repo.commit_as(None, host.author).and_then(|()| repo.preflight_commit());
    checks.judge(CheckArea::Git, None, "commit", commit.map(|()| ""));
    let target = repo.preflight_push(None, host.branch.as_deref());
    let pushed = target.and_then(|target| repo.dry_push(&target).map(|()| format!("{target} takes it")));
    checks.judge(CheckArea::Git, None, "push", pushed);
}

/// The roster, where it can be read, and its records.
pub fn roster(global: &Global, checks: &mut Checks) -> Option<Source> {
    let source = match source::roster(global) {
        Ok(source) => source,
        Err(error) => {
            checks.fail(CheckArea::Roster, None, "roster", &error);
            return None;
        }
    };
    let (users, clusters) = (source.roster.users.len(), source.roster.clusters.len());
    let found = format!("{}, {}", count(users, "user"), count(clusters, "cluster"));
    checks.ok(CheckArea::Roster, None, "roster", found);
    for (name, _) in source.clusters(global) {
        let known = source.known(name).map(|known| count(known.records.len(), "record"));
        checks.judge(CheckArea::Roster, Some(name), "records", known);
    }
    Some(source)
}

/// Whether this machine can seal to everyone, and decrypt for somebody.
pub fn keys(source: &Source, checks: &mut Checks, terminal: &Terminal) {
    let users = source.roster.users.values();
    let recipients: BTreeSet<Recipient> = users.flat_map(|user| user.recipients.keys().cloned()).collect();
    let found = seal::check_plugins(&recipients).map(|()| count(recipients.len(), "recipient"));
    checks.judge(CheckArea::Seal, None, "sealing", found);
    match identity(terminal) {
        Ok(()) => checks.ok(CheckArea::Seal, None, "identity", ""),
        Err(error) => checks.warn(CheckArea::Seal, None, "identity", &error),
    }
}

fn identity(terminal: &Terminal) -> Result<(), Error> {
    identities::load(&[], terminal).map(drop)
}
