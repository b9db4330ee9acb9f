//! `certctl status`: every credential, until when, and what about it needs somebody.

use super::runtime;
use crate::access::status::RosterStatus;
use crate::cli::{Global, StatusArgs, StatusFormat};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{CHANGES, DONE, FAILED};
use crate::model::UserName;
use crate::planning::source::{self, Source};
use crate::planning::standing::{self, KnownCluster};
use crate::render::json;
use crate::render::status::{document, prometheus, text};
use crate::repo::Repo;
use crate::roster;

pub fn run(global: &Global, args: &StatusArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let now = clock::now();
    let mut status = RosterStatus::new(source.roster.name.clone(), now);
    let standing = match args.offline {
        true => standing::offline(&source, global, now),
        false => runtime()?.block_on(standing::online(&source, global, now, terminal)),
    };
    for KnownCluster { name, known, planned } in standing.clusters() {
        status.add(&source.roster, name, known, planned);
    }
    status.sort();
    let is_known = |user: &&UserName| {
        source.roster.users.contains_key(*user) || status.standings.iter().any(|known| known.user == **user)
    };
    if let Some(unknown) = args.users.iter().find(|user| !is_known(user)) {
        return Err(unknown_user(&source, unknown));
    }
    status.only_of(&args.users);
    if let Some(within) = args.expiring {
        status.only_expiring(within);
    }
    match args.format {
        StatusFormat::Text => {
            let all = args.all || !args.users.is_empty() || args.expiring.is_some();
            terminal.show(&text::render(&status, all))?;
        }
        StatusFormat::Json => terminal.show_document(&json::text(&document::document(&status)))?,
        StatusFormat::Prometheus => {
            status.last_recorded =
                Repo::discover(&global.roster).and_then(|repo| repo.last_recorded()).ok().flatten();
            terminal.show_document(&prometheus::render(&status))?;
        }
    }
    for error in &standing.errors {
        terminal.error(error);
    }
    Ok(match () {
        () if !standing.errors.is_empty() => FAILED,
        () if args.detailed_exitcode && status.needs_person() => CHANGES,
        () => DONE,
    })
}

fn unknown_user(source: &Source, user: &UserName) -> Error {
    let error = Error::new(format!("`{user}` is neither on the roster nor in the records"));
    let known = source.roster.users.keys().map(UserName::as_str);
    match roster::nearest(user.as_str(), known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("for somebody who has left: `certctl history {user}`")),
    }
}
