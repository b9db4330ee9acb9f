//! What an audit found as SARIF 2.1.0, for code scanning. Each finding lies in the roster: at the grant, the user or
//! the cluster that it is about.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::audit::{AuditedCluster, message};
use crate::access::audit::{Finding, Risk};
use crate::model::{ClusterName, hex, sha256};
use crate::roster::{FindingCode, Ignored};

/// Results that code scanning takes of one run.
const MOST_RESULTS: usize = 5_000;

/// The log. `file`: the roster, as the repository has it.
pub fn document(clusters: &[AuditedCluster<'_>], file: &str) -> Value {
    let mut found = Vec::new();
    for AuditedCluster { name, audit, error: _ } in clusters {
        found.extend(audit.findings.iter().map(|finding| (None, name, finding)));
        let ignored = audit.ignored.iter();
        found.extend(ignored.map(|(finding, Ignored { reason, .. })| (Some(reason), name, finding)));
    }
    // Of all clusters, the worst come first, and what is ignored last.
    found.sort_by_key(|(ignored, _, finding)| (ignored.is_some(), Reverse(finding.risk)));
    let results = found.into_iter().take(MOST_RESULTS).map(|(ignored, name, finding)| {
        let mut result = result(name, finding, file);
        if let Some(reason) = ignored {
            result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
        }
        result
    });
    let results: Vec<Value> = results.collect();
    let of = |cluster: &AuditedCluster<'_>| -> Vec<FindingCode> {
        let ignored = cluster.audit.ignored.iter().map(|(finding, _)| finding.code);
        cluster.audit.findings.iter().map(|finding| finding.code).chain(ignored).collect()
    };
    let codes: BTreeSet<FindingCode> = clusters.iter().flat_map(of).collect();
    let rules: Vec<Value> = codes.into_iter().map(rule).collect();
    let failed = clusters.iter().any(|cluster| cluster.error.is_some());
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "certctl",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [{"executionSuccessful": !failed}],
            "results": results,
        }],
    })
}

fn result(cluster: &ClusterName, finding: &Finding, file: &str) -> Value {
    let identity = [cluster.as_str(), finding.code.word(), &finding.subject, &finding.object].join("\n");
    let level = match finding.risk {
        Risk::Critical | Risk::High => "error",
        Risk::Medium => "warning",
        Risk::Low => "note",
    };
    json!({
        "ruleId": finding.code.word(),
        "level": level,
        "message": {"text": format!("{cluster}: {}", message(finding))},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": file},
            "region": {"startLine": finding.position.line.max(1)},
        }}],
        "partialFingerprints": {"certctl/v1": hex(&sha256(identity.as_bytes()))},
        "properties": {"severity": finding.risk.word(), "cluster": cluster.as_str()},
    })
}

fn rule(code: FindingCode) -> Value {
    let (about, severity) = match code {
        FindingCode::OpenToEveryone => ("Everyone may write, or come to more", "9.8"),
        FindingCode::ForeignFullControl => ("Full control that the roster does not know", "9.5"),
        FindingCode::ForeignCertificate => ("A certificate that was approved outside certctl", "8.5"),
        FindingCode::ForeignCredential => ("A binding of others names a credential of ours", "8.0"),
        FindingCode::ForeignPower => ("Rights that give more than they seem, unknown to the roster", "8.0"),
        FindingCode::ForeignWildcard => ("Rights by wildcard that the roster does not know", "7.0"),
        FindingCode::ForeignWrite => ("Rights to write that the roster does not know", "6.0"),
        FindingCode::GrantedFullControl => ("Full control that the roster grants", "9.0"),
        FindingCode::GrantedPower => ("Rights that give more than they seem, by the roster", "7.5"),
        FindingCode::GrantedWildcard => ("Rights by wildcard that the roster grants", "3.0"),
        FindingCode::RevokedCertificate => ("A revoked certificate that still authenticates", "3.0"),
        FindingCode::IgnoreEnded => ("An ignored finding that is reported again", "2.0"),
    };
    json!({
        "id": code.word(),
        "shortDescription": {"text": about},
        "properties": {"tags": ["security"], "security-severity": severity},
    })
}
