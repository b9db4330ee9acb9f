//! `certctl history`: what happened to a user or in a group, from git.

use crate::cli::{Format, Global, HistoryArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::planning::past::{self, Life, Told, UNSHALLOW};
use crate::render::history::{self, Happened};
use crate::render::{count, json};
use crate::repo::Repo;

pub fn run(global: &Global, args: &HistoryArgs, terminal: &Terminal) -> Result<u8> {
    let repo = Repo::discover(&global.roster)?;
    let Life { told, ends_at, unreadable } = past::life(&repo, &args.name)?;
    // What the roster says counts on the clusters too.
    let wanted = |told: &&Told| {
        let cluster = told.event.cluster();
        global.clusters.is_empty() || cluster.is_none_or(|cluster| global.clusters.contains(cluster))
    };
    let mut events = Vec::new();
    for Told { event, commit } in told.iter().filter(wanted) {
        events.push(Happened { event, at: commit.at, commit: commit.id.as_str(), author: &commit.author });
    }
    match args.format {
        Format::Text if events.is_empty() => {}
        Format::Text => terminal.show(&history::text(&events, &args.name))?,
        Format::Json => terminal.show_document(&json::text(&history::document(&events, ends_at)))?,
    }
    if let Some(first) = unreadable.first() {
        terminal.warning(&Error::new(format!(
            "{} could not be read, first in commit {}: what it changed is told with the next one",
            count(unreadable.len(), "version"),
            first.id.short()
        )));
    }
    if let Some(at) = ends_at {
        terminal.warning(&Error::new(format!("what happened before {at} is not known")).hint(UNSHALLOW));
    }
    Ok(DONE)
}
