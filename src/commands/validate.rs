//! `certctl validate`: the roster and the records, offline.

use crate::cli::Global;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::planning::source;
use crate::render::{count, words};

pub fn run(global: &Global, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let mut errors: Vec<Error> = source.refuse_forgotten_clusters().err().into_iter().collect();
    let mut records = 0;
    for (name, _) in source.clusters(global) {
        match source.known(name) {
            Ok(repository) => {
                errors.extend(words::refused_files(&source.file, name, &repository.refused_files));
                records += repository.records.len();
            }
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = Error::all(errors) {
        return Err(error);
    }
    let roster = &source.roster;
    terminal.say(&format!(
        "{} is valid: {}, {}, {}, {}.",
        source.file,
        count(roster.clusters.len(), "cluster"),
        count(roster.groups.len(), "group"),
        count(roster.users.len(), "user"),
        count(records, "record"),
    ));
    Ok(DONE)
}
