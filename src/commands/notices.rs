//! `certctl notices`: who must act soon, for a mailer, a chat hook or an issue.

use super::runtime;
use crate::access::notices;
use crate::access::status::RosterStatus;
use crate::cli::{Global, NoticesArgs, NoticesFormat};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::exit_code::{CHANGES, DONE, FAILED};
use crate::planning::source;
use crate::planning::standing::{self, KnownCluster};
use crate::render::json;
use crate::render::notices as render;
use crate::seal;

pub fn run(global: &Global, args: &NoticesArgs, terminal: &Terminal) -> Result<u8> {
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
    let recipients = source.roster.users.values().flat_map(|user| user.recipients.keys());
    let problems = seal::problems(recipients);
    let notices = notices::notices(&source.roster, &status, &problems, args.within);
    match args.format {
        NoticesFormat::Json => terminal.show_document(&json::text(&render::document(&notices)))?,
        NoticesFormat::Markdown => terminal.show_document(&render::markdown(&notices))?,
    }
    for error in &standing.errors {
        terminal.error(error);
    }
    Ok(match () {
        () if !standing.errors.is_empty() => FAILED,
        () if args.detailed_exitcode && !notices.people.is_empty() => CHANGES,
        () => DONE,
    })
}
