//! Whose certificate it is, for people and for programs.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::words::access as words;
use crate::access::credentials::CredentialStatus;
use crate::access::granted::GrantInForce;
use crate::access::rights::HeldRight;
use crate::model::{ClusterName, UserName};
use crate::record::Credential;

/// A credential that somebody asked about.
#[derive(Debug, Clone)]
pub struct WhoMatch<'a> {
    pub user: &'a UserName,
    pub cluster: &'a ClusterName,
    pub credential: &'a Credential,
    pub state: CredentialStatus,
    /// Whether the records still hold it.
    pub is_recorded: bool,
    pub may_do: MayDo<'a>,
}

/// What a credential may do now.
#[derive(Debug, Clone)]
pub enum MayDo<'a> {
    /// As the roster says: no cluster was asked.
    Granted(Vec<GrantInForce<'a>>),
    /// As the cluster says, besides what every authenticated user may do.
    Bound(Vec<HeldRight<'a>>),
}

/// The output of `certctl who --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// The credentials, by cluster and user.
    pub matches: Vec<WhoMatchDocument>,
    /// What was asked for and is in no record, at HEAD or before it.
    pub unknown: Vec<String>,
}

/// One credential.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoMatchDocument {
    /// Its owner.
    pub user: String,
    /// The cluster's name in the roster.
    pub cluster: String,
    /// Its id.
    pub credential: String,
    /// What it may still do, as the records say.
    #[schemars(extend("enum" = ["active", "superseded", "revoked", "expired"]))]
    pub state: &'static str,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hex: the `X509SHA256` of an audit log.
    #[serde(rename = "x509SHA256")]
    pub x509_sha256: String,
    /// When its certificate begins (RFC 3339).
    pub not_before: String,
    /// When its certificate ends (RFC 3339).
    pub not_after: String,
    /// The commit of the roster that it was issued from.
    pub commit: String,
    /// Whether the records at HEAD still hold it.
    pub recorded: bool,
    /// What it may do now, in words, besides what every authenticated user may.
    pub may_do: Vec<String>,
    /// Whether the cluster says so; else the roster does.
    pub asked: bool,
}

fn may_do(found: &WhoMatch<'_>) -> Vec<String> {
    match &found.may_do {
        MayDo::Granted(granted) => granted.iter().map(words::granted).collect(),
        MayDo::Bound(rights) => words::held(rights),
    }
}

/// As a document.
pub fn document(matches: &[WhoMatch<'_>], unknown: Vec<String>) -> WhoDocument {
    let document = |found: &WhoMatch<'_>| {
        let credential = found.credential;
        WhoMatchDocument {
            user: found.user.to_string(),
            cluster: found.cluster.to_string(),
            credential: credential.id.to_string(),
            state: found.state.word(),
            serial: credential.serial.clone(),
            x509_sha256: credential.x509_sha256.clone(),
            not_before: credential.not_before.to_string(),
            not_after: credential.not_after.to_string(),
            commit: credential.roster_commit.clone(),
            recorded: found.is_recorded,
            may_do: may_do(found),
            asked: matches!(found.may_do, MayDo::Bound(_)),
        }
    };
    WhoDocument { format_version: 1, matches: matches.iter().map(document).collect(), unknown }
}

/// As text.
pub fn text(matches: &[WhoMatch<'_>], now: Timestamp) -> String {
    let mut out = String::new();
    for found in matches {
        let WhoMatch { user, cluster, credential, state, .. } = found;
        if !out.is_empty() {
            out.push('\n');
        }
        let gone = if found.is_recorded { "" } else { ", no longer in the records" };
        let _ = writeln!(out, "{user} on {cluster}: {}{gone}", state.word());
        let (from, until) = (words::minute(credential.not_before), words::minute(credential.not_after));
        let mut may_do = may_do(found);
        if may_do.is_empty() {
            may_do.push(match state {
                CredentialStatus::Expired => "nothing".to_owned(),
                _ => format!("what every authenticated user may do, until {until}"),
            });
        }
        if matches!(
            (state, &found.may_do),
            (
                CredentialStatus::Active | CredentialStatus::Superseded | CredentialStatus::Revoked,
                MayDo::Granted(_)
            )
        ) {
            may_do.push("(by roster and records; the cluster was not asked)".to_owned());
        }
        let mut line = |label: &str, text: &str| {
            let _ = writeln!(out, "  {label:<12} {text}");
        };
        line("credential", credential.id.as_str());
        line("serial", &credential.serial);
        line("SHA-256", &credential.x509_sha256);
        line("valid", &format!("{from} to {until}, {}", words::from_now(credential.not_after, now)));
        line("issued from", &format!("commit {}", credential.roster_commit));
        for (index, right) in may_do.iter().enumerate() {
            line(if index == 0 { "may do now" } else { "" }, right);
        }
    }
    out
}

/// The JSON Schema of [`WhoDocument`], as committed in `schemas/who.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(WhoDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
