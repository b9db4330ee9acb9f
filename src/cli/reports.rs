//! What only tells: `status`, `notices`, `who`, `history`, `explain`, `audit` and `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;
use crate::model::{Namespace, UserName};

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these users, also those who have left and still hold a credential
    #[arg(value_name = "USER")]
    pub users: Vec<UserName>,
    /// Only credentials that let somebody in and end within this time, e.g. `14d`, `12h`
    #[arg(long, value_name = "DURATION", value_parser = crate::roster::duration)]
    pub expiring: Option<jiff::SignedDuration>,
    /// Show every row of a long list
    #[arg(long)]
    pub all: bool,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Exit with 2 if something that is shown needs somebody, 0 if nothing does
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: StatusFormat,
}

/// `status --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/status.schema.json.
    Json,
    /// For the textfile collector of Prometheus' node_exporter.
    Prometheus,
}

/// `notices`.
#[derive(Debug, Args)]
pub struct NoticesArgs {
    /// Tell of access that ends within this time, e.g. `14d`, `12h`
    #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = crate::roster::duration)]
    pub within: jiff::SignedDuration,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Exit with 2 if somebody must act, 0 if nobody must
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: NoticesFormat,
}

/// `notices --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NoticesFormat {
    /// A page without anybody's address.
    Markdown,
    /// For programs; its schema is schemas/notices.schema.json.
    Json,
}

/// `who`.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// A SHA-256 fingerprint, serial number, credential id, credential group or file; `-` for standard input
    ///
    /// Fingerprints and serial numbers may contain colons; a serial number may be hexadecimal or decimal. A
    /// file or standard input holds one of these, a certificate (PEM), or lines of an audit log (JSON).
    #[arg(value_name = "CLUE")]
    pub clue: String,
    /// Tell from roster and records what it may do, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The user or the group
    #[arg(value_name = "USER|GROUP")]
    pub name: String,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The user
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// What they would do, e.g. `get`, `list`, `create`
    #[arg(value_name = "VERB", requires = "resource")]
    pub verb: Option<String>,
    /// To what: `RESOURCE[.GROUP][/SUBRESOURCE]`, or a path such as `/metrics`
    #[arg(value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// To the object of this name [default: to no particular one]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// In this namespace [default: in all of them]
    #[arg(long, short, value_name = "NAMESPACE", requires = "verb")]
    pub namespace: Option<Namespace>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: AuditFormat,
    /// Exit with 2 if there are findings, 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `audit --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/audit.schema.json.
    Json,
    /// For a comment or a page.
    Markdown,
    /// SARIF 2.1, for code scanning.
    Sarif,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The file to write, readable only by you where it is new
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Output format: `html` or `csv`
    #[arg(long, value_name = "FORMAT", default_value = "html", hide_possible_values = true)]
    pub format: ReportFormat,
    /// Also tell what has changed in the roster since a day, a time (RFC 3339) or a revision (HTML only)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
}

/// `report --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page.
    Html,
    /// A table for spreadsheets.
    Csv,
}
