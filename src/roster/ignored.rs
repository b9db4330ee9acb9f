//! `audit.ignore` of the roster: findings that somebody has looked at, with a reason and an end.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fence::FileScope;
use super::fields::{list_or_empty, until};
use super::finding_code::FindingCode;
use super::on_clusters::{self, OnClusters};
use super::reader::{self, Fields};
use super::yaml::Node;
use crate::model::{Invalid, Position};

/// A finding that the roster ignores for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub code: FindingCode,
    /// As the finding has it: kind and name.
    pub subject: String,
    /// The object, as the finding has it; any where absent.
    pub object: Option<String>,
    pub clusters: OnClusters,
    pub reason: String,
    pub until: Timestamp,
    /// Where the roster says it.
    pub position: Position,
}

/// The longest reason, subject or object, in bytes.
const LONGEST: usize = 500;

/// The entries of `audit.ignore`. `known`: the clusters of the roster, valid or not.
pub(super) fn read(
    fields: &Fields<'_, '_>,
    known: Option<&BTreeSet<&str>>,
    errors: &mut Errors,
) -> Vec<Ignored> {
    let audit =
        fields.get("audit").and_then(|node| reader::fields(node, "`audit`".into(), &shapes::AUDIT, errors));
    let Some(audit) = audit else { return Vec::new() };
    let list = list_or_empty(&audit, "ignore", errors).unwrap_or_default();
    let mut entries = Vec::new();
    for (index, node) in list.iter().enumerate() {
        let title = format!("entry {} of `audit.ignore`", index + 1);
        let Some(fields) = reader::fields(node, title, &shapes::IGNORED, errors) else { continue };
        entries.extend(entry(&fields, known, errors));
    }
    entries
}

fn entry(fields: &Fields<'_, '_>, known: Option<&BTreeSet<&str>>, errors: &mut Errors) -> Option<Ignored> {
    let code = fields.need("code", errors).and_then(|node| code(node, fields, errors));
    let mut line =
        |field: &str, node: &Node<'_>| reader::parsed(node, &fields.label(field), one_line, errors);
    let object = fields.get("object").map(|node| line("object", node));
    let subject = fields.get("subject").map(|node| line("subject", node));
    let reason = fields.get("reason").map(|node| line("reason", node));
    for field in ["subject", "reason", "until"] {
        fields.need(field, errors);
    }
    let until = until(fields, errors);
    let clusters = on_clusters::read(fields, &FileScope::of_roster(known), errors);
    Some(Ignored {
        code: code?,
        subject: subject??,
        object: object.flatten(),
        clusters,
        reason: reason??,
        until: until?,
        position: fields.position,
    })
}

fn code(node: &Node<'_>, fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<FindingCode> {
    let label = fields.label("code");
    let text = reader::text(node, &label, errors)?;
    let found = FindingCode::ALL.into_iter().find(|code| code.word() == text);
    if found.is_none() {
        let fact = format!("{label}: {} is no code of a finding", quoted(text));
        errors.add_unknown(node.position, fact, text, FindingCode::ALL.into_iter().map(FindingCode::word));
    }
    found
}

fn one_line(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(Invalid(format!("must be one line of 1 to {LONGEST} bytes")));
    }
    Ok(text.to_owned())
}
