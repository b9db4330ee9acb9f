//! Who must act soon: a document for mailers and chat hooks, and a page for an issue of a git host.
//!
//! The page names nobody's address: it may be public, and the document is not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::markdown::{code, prose};
use super::status::document::{ClusterStatusDocument, cluster};
use super::words::notices as words;
use super::{grouped, noun};
use crate::access::notices::{Actor, Notice, Notices, PersonNotices};
use crate::access::status::KnownFrom;

/// The longest page in bytes, as for the comment about a plan.
const LONGEST: usize = super::markdown::LONGEST_COMMENT;

/// The output of `certctl notices --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticesDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// `metadata.name` of the roster.
    pub roster: String,
    /// When it was looked (RFC 3339).
    pub now: String,
    /// The clusters that were asked for, sorted by name.
    pub clusters: Vec<ClusterStatusDocument>,
    /// Those of whom somebody must do something, sorted by user.
    pub people: Vec<PersonDocument>,
}

/// What there is to do about one person.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonDocument {
    /// The user's name.
    pub user: String,
    /// `fullName` of the user; absent without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// `email` of the user; absent without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `labels` of the user.
    pub labels: BTreeMap<String, String>,
    /// What is due first comes first.
    pub notices: Vec<NoticeDocument>,
}

/// Something that somebody must do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeDocument {
    /// Stable.
    #[schemars(extend("enum" = ["access-ends", "certificate-unrenewed", "recipient-weak", "recipient-unusable", "request-waiting"]))]
    pub code: &'static str,
    /// Who: the user, if only to ask, or whoever runs certctl.
    #[schemars(extend("enum" = ["user", "administrators"]))]
    pub must_act: &'static str,
    /// When it is too late (RFC 3339); absent if it is to be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// The clusters that it is about.
    pub clusters: Vec<String>,
    /// What it is, in a sentence.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// As a document.
pub fn document(notices: &Notices) -> NoticesDocument {
    NoticesDocument {
        format_version: 1,
        roster: notices.roster.to_string(),
        now: notices.now.to_string(),
        clusters: notices.clusters.iter().map(cluster).collect(),
        people: notices.people.iter().map(person).collect(),
    }
}

fn person(person: &PersonNotices) -> PersonDocument {
    let details = &person.details;
    let notice = |notice: &Notice| NoticeDocument {
        code: notice.what.code(),
        must_act: match notice.what.actor() {
            Actor::User => "user",
            Actor::Administrators => "administrators",
        },
        due: notice.due.map(|due| due.to_string()),
        clusters: notice.clusters.iter().map(ToString::to_string).collect(),
        message: words::notice(notice),
        hint: words::remedy(&person.user, notice),
    };
    PersonDocument {
        user: person.user.to_string(),
        full_name: details.full_name.as_ref().map(ToString::to_string),
        email: details.email.as_ref().map(ToString::to_string),
        labels: details.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        notices: person.notices.iter().map(notice).collect(),
    }
}

/// The JSON Schema of [`NoticesDocument`], as committed in `schemas/notices.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(NoticesDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// As a page. Whatever the roster holds, it stays text; what does not fit is counted.
pub fn markdown(notices: &Notices) -> String {
    let roster = code(notices.roster.as_str());
    let mut page = if notices.people.is_empty() {
        format!("### certctl: nobody must act soon in roster {roster}\n")
    } else {
        let number = notices.people.len();
        let people = noun(number, ("person", "people"));
        format!("### certctl: who must act soon in roster {roster}: {} {people}\n", grouped(number))
    };
    let unread: Vec<String> = notices.clusters.iter().filter_map(unread).collect();
    if !unread.is_empty() {
        let _ = write!(page, "\nKnown from the records alone: {}.\n", unread.join(", "));
    }
    for (index, person) in notices.people.iter().enumerate() {
        let section = section(person);
        if page.len() + section.len() > LONGEST {
            let left = notices.people.len() - index;
            let _ = write!(page, "\nAnd {} more: `certctl notices` lists them.\n", grouped(left));
            break;
        }
        page.push_str(&section);
    }
    page
}

fn unread(cluster: &crate::access::status::ClusterStatus) -> Option<String> {
    matches!(cluster.source, KnownFrom::RecordsOnly { .. }).then(|| code(cluster.name.as_str()))
}

fn section(person: &PersonNotices) -> String {
    let full_name = person.details.full_name.as_ref();
    let full_name = full_name.map_or_else(String::new, |name| format!(" ({})", prose(name.as_str())));
    let mut section = format!("\n**{}**{full_name}\n\n", code(person.user.as_str()));
    for notice in &person.notices {
        let by = match notice.what.actor() {
            Actor::User => "",
            Actor::Administrators => "for administrators: ",
        };
        let _ = writeln!(
            section,
            "- {}; {}",
            prose(&words::notice(notice)),
            prose(&format!("{by}{}", words::remedy(&person.user, notice)))
        );
    }
    section
}
