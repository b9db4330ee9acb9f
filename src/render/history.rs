//! What happened to a user or in a group, for people and for programs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::table::Table;
use super::words::access as words;
use crate::access::events::LifeEvent;

/// An event, and by which commit.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    pub event: &'a LifeEvent,
    pub at: Timestamp,
    /// All of its hex digits.
    pub commit: &'a str,
    /// `Name <mail>`, fit to be shown.
    pub author: &'a str,
}

/// The output of `certctl history --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// Oldest first.
    pub events: Vec<EventDocument>,
    /// Where a shallow clone ends (RFC 3339): what happened before is not known. Absent in a whole clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_since: Option<String>,
}

/// One event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventDocument {
    /// When the commit was made (RFC 3339).
    pub at: String,
    /// What happened. More kinds may be added.
    #[schemars(extend("examples" = ["joined", "issued", "renewed", "rotated", "revoked", "recipients", "membership",
        "grant", "left", "suspended", "resumed", "until", "clusters"]))]
    pub event: &'static str,
    /// Whom it happened to; null if it is about a whole group.
    pub user: Option<String>,
    /// The group that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The cluster that it happened on; null for what the roster says.
    pub cluster: Option<String>,
    /// The credential that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The commit.
    pub commit: String,
    /// Its author.
    pub author: String,
    /// For people; its wording may change at any time.
    pub detail: String,
}

/// As a document.
pub fn document(events: &[Happened<'_>], known_since: Option<Timestamp>) -> HistoryDocument {
    let document = |&Happened { event, at, commit, author }: &Happened<'_>| EventDocument {
        at: at.to_string(),
        event: event.code(),
        user: event.user().map(ToString::to_string),
        group: event.group().map(ToString::to_string),
        cluster: event.cluster().map(ToString::to_string),
        credential: event.credential().map(ToString::to_string),
        commit: commit.to_owned(),
        author: author.to_owned(),
        detail: words::event(event),
    };
    HistoryDocument {
        format_version: 1,
        events: events.iter().map(document).collect(),
        known_since: known_since.map(|at| at.to_string()),
    }
}

/// The most of an author's name that is shown in a table.
const AUTHOR: usize = 16;

/// Of what one commit did to many, the rows that a table has.
const MOST_ALIKE: usize = 8;

/// As a table. Whom an event happened to stands in it where it is not the one that was asked for.
pub fn text(events: &[Happened<'_>], asked: &str) -> String {
    let row = |&Happened { event, at, commit, author }: &Happened<'_>, what: String| {
        let name = author.split_once(" <").map_or(author, |(name, _)| name);
        [
            at.strftime("%Y-%m-%d %H:%M").to_string(),
            event.code().to_owned(),
            event.cluster().map_or_else(String::new, ToString::to_string),
            commit.chars().take(10).collect(),
            name.chars().take(AUTHOR).collect(),
            what,
        ]
    };
    let what = |event: &LifeEvent| {
        let user = event.user().map(|user| user.as_str()).filter(|user| *user != asked);
        user.map_or(String::new(), |user| format!("{user}: ")) + &words::event(event)
    };
    let is_alike = |a: &Happened<'_>, b: &Happened<'_>| {
        a.commit == b.commit && a.event.code() == b.event.code() && a.event.cluster() == b.event.cluster()
    };
    let mut table = Table::new(["AT (UTC)", "EVENT", "CLUSTER", "COMMIT", "AUTHOR", "WHAT"]);
    for alike in events.chunk_by(is_alike) {
        for happened in alike.iter().take(MOST_ALIKE) {
            table.push(row(happened, what(happened.event)));
        }
        if let (Some(first), more @ 1..) = (alike.first(), alike.len().saturating_sub(MOST_ALIKE)) {
            table.push(row(first, format!("and {more} more like these; `--format json` has them")));
        }
    }
    table.lines()
}

/// The JSON Schema of [`HistoryDocument`], as committed in `schemas/history.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(HistoryDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
