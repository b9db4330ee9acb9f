//! `certctl validate`: the roster and the records, offline.

use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::planning::source::{self, Source};
use crate::render::{count, words};
use crate::roster::shared_key;

/// Warnings of one kind.
const MOST_SHARED: usize = 20;

pub fn run(global: &Global, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let mut errors: Vec<Error> = source.refuse_forgotten_clusters().err().into_iter().collect();
    let mut records = 0;
    for (name, _) in source.clusters(global) {
        match source.known(name) {
            Ok(repository) => {
                errors.extend(words::refused_files(&source.roster.files, name, &repository.refused_files));
                records += repository.records.len();
            }
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = Error::all(errors) {
        return Err(error);
    }
    let roster = &source.roster;
    if !global.quiet {
        warn_of_shared_keys(&source, terminal);
    }
    let parts = match roster.parts.len() {
        0 => String::new(),
        parts => format!("{}, ", count(parts, "part")),
    };
    terminal.say(&format!(
        "{} is valid: {}, {}{}, {}, {}.",
        source.file,
        count(roster.clusters.len(), "cluster"),
        parts,
        count(roster.groups.len(), "group"),
        count(roster.users.len(), "user"),
        count(records, "record"),
    ));
    Ok(DONE)
}

fn warn_of_shared_keys(source: &Source, terminal: &Terminal) {
    let shared = shared_key::find(&source.roster);
    for (recipient, users) in shared.iter().take(MOST_SHARED) {
        terminal.warning(&words::shared_recipient(&source.roster.files, recipient, users));
    }
    if let Some(more @ 1..) = shared.len().checked_sub(MOST_SHARED) {
        terminal.warning(&Error::new(format!("{} of more than one user", count(more, "other recipient"))));
    }
}
