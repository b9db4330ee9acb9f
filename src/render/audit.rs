//! What an audit found: for people, and for machines as `schemas/audit.schema.json` describes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::text::date;
use super::{Style, colour, count, first_of, full_control, markdown};
use crate::access::audit::{Audited, Finding, Risk, What};
use crate::error::visible_line;
use crate::model::ClusterName;
use crate::rbac::{Power, Reach, Scope};
use crate::roster::Ignored;

/// Findings of one cluster that a page shows, and of those that are alike, a terminal.
const MOST_FINDINGS: usize = 200;

/// Of those that are alike, the ones that a terminal shows unless more are asked for.
const MOST_ALIKE: usize = 5;

/// Bindings in one sentence.
const MOST_NAMES: usize = 8;

/// One cluster, and what was found there.
#[derive(Debug)]
pub struct AuditedCluster<'r> {
    pub name: ClusterName,
    pub audit: Audited<'r>,
    /// Why it was not read, if so: then only what the records tell was found.
    pub error: Option<String>,
}

/// The output of `certctl audit --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// The findings, by cluster and within it the worst first.
    pub findings: Vec<FindingDocument>,
    /// The findings that the roster ignores.
    pub ignored: Vec<IgnoredDocument>,
    /// The clusters that were not read; of them only what the records tell is among the findings.
    pub unread: Vec<UnreadDocument>,
}

/// Something to look at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingDocument {
    /// Stable: `foreign-full-control`, `revoked-certificate`, ...
    pub code: &'static str,
    /// What an attacker gains.
    #[schemars(extend("enum" = ["critical", "high", "medium", "low"]))]
    pub severity: &'static str,
    /// The cluster's name in the roster.
    pub cluster: String,
    /// Whom it is about: kind and name.
    pub subject: String,
    /// The object that it is about: kind, and name after the namespace.
    pub object: String,
    /// For people; its wording may change at any time.
    pub message: String,
}

/// A finding that the roster ignores.
#[derive(Debug, Serialize, JsonSchema)]
pub struct IgnoredDocument {
    #[serde(flatten)]
    pub finding: FindingDocument,
    /// Why, as the roster says.
    pub reason: String,
    /// Until when (RFC 3339).
    pub until: String,
}

/// A cluster that was not read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnreadDocument {
    /// The cluster's name in the roster.
    pub cluster: String,
    /// Why.
    pub error: String,
}

/// The findings as a document.
pub fn document(clusters: &[AuditedCluster<'_>]) -> AuditDocument {
    let of = |finding: &Finding, cluster: &ClusterName| FindingDocument {
        code: finding.code.word(),
        severity: finding.risk.word(),
        cluster: cluster.to_string(),
        subject: finding.subject.clone(),
        object: finding.object.clone(),
        message: message(finding),
    };
    let findings = clusters.iter().flat_map(|AuditedCluster { name, audit, error: _ }| {
        audit.findings.iter().map(move |finding| of(finding, name))
    });
    let ignored = clusters.iter().flat_map(|AuditedCluster { name, audit, error: _ }| {
        audit.ignored.iter().map(move |(finding, Ignored { reason, until, .. })| IgnoredDocument {
            finding: of(finding, name),
            reason: reason.clone(),
            until: until.to_string(),
        })
    });
    let unread = clusters.iter().filter_map(|cluster| {
        Some(UnreadDocument { cluster: cluster.name.to_string(), error: cluster.error.clone()? })
    });
    AuditDocument {
        format_version: 1,
        findings: findings.collect(),
        ignored: ignored.collect(),
        unread: unread.collect(),
    }
}

/// The findings for people.
pub fn text(clusters: &[AuditedCluster<'_>], style: Style) -> String {
    let mut out = String::new();
    for AuditedCluster { name, audit, error } in clusters {
        let _ = writeln!(out, "{}", style.paint(colour::HEADING, &format!("Cluster {name}")));
        if error.is_some() {
            let _ = writeln!(out, "  not read: only what the records tell");
        }
        let (most, how) = match style.verbose {
            true => (MOST_FINDINGS, "`certctl audit --format json` has them all"),
            false => (MOST_ALIKE, "-v shows more"),
        };
        for alike in audit.findings.chunk_by(|a, b| (a.risk, a.code) == (b.risk, b.code)) {
            alike.iter().take(most).for_each(|finding| one(&mut out, finding, style));
            if let Some(more) = alike.len().checked_sub(most).filter(|more| *more > 0) {
                let _ = writeln!(out, "            and {more} more like these; {how}");
            }
        }
    }
    let _ = writeln!(out, "{}", sum(clusters));
    out
}

fn one(out: &mut String, finding: &Finding, style: Style) {
    let paint = match finding.risk {
        Risk::Critical | Risk::High => colour::REMOVE,
        Risk::Medium => colour::WARN,
        Risk::Low => colour::FAINT,
    };
    let risk = style.paint(paint, &format!("{:<8}", finding.risk.word()));
    let _ = writeln!(out, "  {risk}  {}  [{}]", visible_line(&finding.subject), finding.code.word());
    let _ = writeln!(out, "            {}", visible_line(&message(finding)));
}

/// The findings as Markdown, the worst clusters' worst first.
pub fn markdown(clusters: &[AuditedCluster<'_>]) -> String {
    let mut out = format!("### certctl audit: {}\n", sum(clusters).trim_end_matches('.'));
    for AuditedCluster { name, audit, error } in clusters {
        let _ = write!(out, "\n#### Cluster {}\n\n", markdown::code(name.as_str()));
        if error.is_some() {
            out.push_str("Not read: only what the records tell.\n\n");
        }
        if audit.findings.is_empty() {
            out.push_str("Nothing found.\n");
            continue;
        }
        out.push_str("| severity | who | what | code |\n|---|---|---|---|\n");
        for finding in audit.findings.iter().take(MOST_FINDINGS) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                finding.risk.word(),
                markdown::code(&finding.subject),
                markdown::prose(&message(finding)),
                finding.code.word()
            );
        }
        if let Some(more) = audit.findings.len().checked_sub(MOST_FINDINGS).filter(|more| *more > 0) {
            let _ = writeln!(out, "\nand {more} more");
        }
    }
    out
}

/// `3 findings: 1 critical, 2 low; 1 ignored.`
fn sum(clusters: &[AuditedCluster<'_>]) -> String {
    let findings = || clusters.iter().flat_map(|cluster| &cluster.audit.findings);
    let ignored: usize = clusters.iter().map(|cluster| cluster.audit.ignored.len()).sum();
    let ignored = if ignored > 0 { format!("; {ignored} ignored") } else { String::new() };
    let unread = clusters.iter().filter(|cluster| cluster.error.is_some()).count();
    let unread = if unread > 0 { format!("; {} not read", count(unread, "cluster")) } else { String::new() };
    let number = |risk| findings().filter(|finding| finding.risk == risk).count();
    let counts =
        [Risk::Critical, Risk::High, Risk::Medium, Risk::Low].map(|risk| (number(risk), risk.word()));
    let counts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let all = findings().count();
    match all {
        0 => format!("No findings{ignored}{unread}."),
        _ => format!("{}: {}{ignored}{unread}.", count(all, "finding"), counts.join(", ")),
    }
}

/// What was found, as a sentence.
pub fn message(finding: &Finding) -> String {
    let Finding { code: _, risk: _, subject, object, what, position: _ } = finding;
    match what {
        What::Rights { role, namespace, reach, powers } => {
            format!("{object} gives {subject} {role}{}: {}", place(namespace), gains(reach.as_ref(), powers))
        }
        What::Credential { role, namespace } => format!(
            "{object}, which is not certctl's, gives {subject} {role}{}: a revocation takes it out only if certctl issued that credential",
            place(namespace)
        ),
        What::Certificate { requester, name, groups } => {
            let groups = if groups.is_empty() { String::new() } else { format!(" in {}", groups.join(", ")) };
            format!(
                "{object} by {requester} was approved outside certctl, for {name}{groups}; its certificate cannot be revoked"
            )
        }
        What::Revoked { until, left } => {
            let until = date(*until);
            match left {
                None => format!(
                    "{object} of {subject} was revoked and authenticates until {until}; what is left to it is not known"
                ),
                Some(left) if left.is_empty() => format!(
                    "{object} of {subject} was revoked and authenticates until {until}; it can do what system:authenticated may"
                ),
                Some(left) => {
                    let left = first_of(left, MOST_NAMES);
                    format!(
                        "{object} of {subject} was revoked and authenticates until {until}; left to it: {left}"
                    )
                }
            }
        }
        What::IgnoreEnded { until } => {
            format!(
                "{object} of {subject} was ignored until {}: look at it again, and remove or renew the entry",
                date(*until)
            )
        }
    }
}

fn place(namespace: &Option<String>) -> String {
    namespace.as_ref().map_or(" everywhere".to_owned(), |namespace| format!(" in {namespace}"))
}

/// What somebody gains by rights.
fn gains(reach: Option<&Reach>, powers: &BTreeSet<Power>) -> String {
    if let Some(Reach { scope, by }) = reach {
        let of = match scope {
            Scope::Cluster => "the cluster".to_owned(),
            Scope::Namespace(namespace) => format!("namespace {namespace}"),
        };
        let how = full_control::control(by).map_or(String::new(), |how| format!(" ({how})"));
        return format!("full control of {of}{how}");
    }
    let said: Vec<&str> = powers.iter().map(|power| self::power(*power)).collect();
    // That somebody may write goes without saying where there is worse.
    let worse = said.len().saturating_sub(1).max(1);
    said.into_iter().take(worse).collect::<Vec<_>>().join(", ")
}

fn power(power: Power) -> &'static str {
    match power {
        Power::ApproveCertificates => "may approve certificates for anyone",
        Power::ChangeAdmission => "may change what others write",
        Power::UseNodes => "may run commands in every pod through nodes/proxy",
        Power::ReadSecrets => "may read secrets",
        Power::Exec => "may run commands in pods",
        Power::MakeVolumes => "may reach the disks of nodes through volumes",
        Power::Impersonate => "may impersonate others",
        Power::WriteBindings => "may change bindings, those of certctl among them",
        Power::Write => "may write",
    }
}

/// The JSON Schema of [`AuditDocument`], as committed in `schemas/audit.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(AuditDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
