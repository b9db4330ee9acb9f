//! Tables as `kubectl get` shows them: the columns of each kind, filled in by the server.
//!
//! Columns and cells are those of pkg/printers/internalversion/printers.go in k8s.io/kubernetes.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::resource::Kind;

/// A column.
enum Column {
    Shown(&'static str),
    /// A date.
    Date(&'static str),
    /// Only shown with `-o wide`.
    Wide(&'static str),
}

use Column::{Date, Shown, Wide};

const NAME: Column = Shown("Name");
const AGE: Column = Shown("Age");

fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Namespace => &[NAME, Shown("Status"), AGE],
        Kind::ConfigMap => &[NAME, Shown("Data"), AGE],
        Kind::Pod => &[
            NAME,
            Shown("Ready"),
            Shown("Status"),
            Shown("Restarts"),
            AGE,
            Wide("IP"),
            Wide("Node"),
            Wide("Nominated Node"),
            Wide("Readiness Gates"),
        ],
        Kind::CertificateSigningRequest => &[
            NAME,
            AGE,
            Shown("SignerName"),
            Shown("Requestor"),
            Shown("RequestedDuration"),
            Shown("Condition"),
        ],
        Kind::Lease => &[NAME, Shown("Holder"), AGE],
        Kind::ClusterRole | Kind::Role => &[NAME, Date("Created At")],
        Kind::ClusterRoleBinding | Kind::RoleBinding => {
            &[NAME, Shown("Role"), AGE, Wide("Users"), Wide("Groups"), Wide("ServiceAccounts")]
        }
        _ => &[NAME, Date("Created At")],
    }
}

/// The descriptions of a kind's columns.
pub fn definitions(kind: Kind) -> Value {
    let columns = columns(kind).iter().map(|column| {
        let (name, kind, priority) = match column {
            Shown(name) => (name, "string", 0),
            Date(name) => (name, "date", 0),
            Wide(name) => (name, "string", 1),
        };
        let format = if *name == "Name" { "name" } else { "" };
        json!({"name": name, "type": kind, "format": format, "description": "", "priority": priority})
    });
    columns.collect()
}

/// The cells of an object.
pub fn cells(kind: Kind, object: &Value, now: Timestamp) -> Value {
    let name = &object["metadata"]["name"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let age = since(object["metadata"]["creationTimestamp"].as_str(), now);
    match kind {
        Kind::Namespace => json!([name, text(&object["status"]["phase"]), age]),
        Kind::ConfigMap => {
            let count = |field: &str| object[field].as_object().map_or(0, serde_json::Map::len);
            json!([name, count("data") + count("binaryData"), age])
        }
        Kind::Pod => {
            let containers = object["spec"]["containers"].as_array().map_or(0, Vec::len);
            let phase = match object["status"]["reason"].as_str() {
                Some(reason) if !reason.is_empty() => reason.to_owned(),
                _ => text(&object["status"]["phase"]),
            };
            json!([
                name,
                format!("0/{containers}"),
                phase,
                "0",
                age,
                or_none(&object["status"]["podIP"]),
                or_none(&object["spec"]["nodeName"]),
                or_none(&object["status"]["nominatedNodeName"]),
                "<none>"
            ])
        }
        Kind::CertificateSigningRequest => {
            let spec = &object["spec"];
            let duration = match spec["expirationSeconds"].as_u64() {
                Some(seconds) => human(seconds),
                None => "<none>".to_owned(),
            };
            json!([
                name,
                age,
                or_none(&spec["signerName"]),
                text(&spec["username"]),
                duration,
                condition(object)
            ])
        }
        Kind::Lease => json!([name, text(&object["spec"]["holderIdentity"]), age]),
        Kind::ClusterRoleBinding | Kind::RoleBinding => {
            let role = &object["roleRef"];
            let of = |kind: &str| subjects(object, kind);
            json!([
                name,
                format!("{}/{}", text(&role["kind"]), text(&role["name"])),
                age,
                of("User"),
                of("Group"),
                of("ServiceAccount"),
            ])
        }
        _ => json!([name, object["metadata"]["creationTimestamp"]]),
    }
}

fn or_none(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => "<none>".to_owned(),
    }
}

fn subjects(object: &Value, kind: &str) -> String {
    let all = object["subjects"].as_array().into_iter().flatten().filter(|subject| subject["kind"] == kind);
    let names = all.map(|subject| {
        let name = subject["name"].as_str().unwrap_or_default();
        match subject["namespace"].as_str() {
            Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// `extractCSRStatus`.
fn condition(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let has = |kind: &str| conditions.into_iter().flatten().any(|condition| condition["type"] == kind);
    let mut status = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status += ",Failed";
    }
    if object["status"]["certificate"].as_str().is_some_and(|certificate| !certificate.is_empty()) {
        status += ",Issued";
    }
    status
}

fn since(time: Option<&str>, now: Timestamp) -> String {
    let Some(time) = time.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    match u64::try_from(now.duration_since(time).as_secs()) {
        Ok(seconds) => human(seconds),
        // `duration.HumanDuration` tolerates clocks that differ slightly.
        Err(_) if now.duration_since(time).as_secs() >= -1 => "0s".to_owned(),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// `duration.HumanDuration` in k8s.io/apimachinery.
fn human(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let with = |big: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{smaller}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => with(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => with(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => with(hours / 24, "d", hours % 24, "h"),
        () if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        () if hours < 24 * 365 * 8 => with(hours / 24 / 365, "y", (hours / 24) % 365, "d"),
        () => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of duration_test.go.
    #[test]
    fn durations_read_as_kubectl_shows_them() {
        const DAY: u64 = 24 * 3600;
        for (seconds, expected) in [
            (1, "1s"),
            (70, "70s"),
            (190, "3m10s"),
            (70 * 60, "70m"),
            (47 * 3600, "47h"),
            (49 * 3600, "2d1h"),
            (8 * DAY + 2 * 3600, "8d"),
            (367 * DAY, "367d"),
            (365 * 2 * DAY + 25 * 3600, "2y1d"),
            (365 * 8 * DAY + 2 * 3600, "8y"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
        ] {
            assert_eq!(human(seconds), expected);
        }
        let now: Timestamp = "2026-11-25T02:00:00Z".parse().expect("a time");
        assert_eq!(since(Some("2026-11-25T02:00:01Z"), now), "0s");
        assert_eq!(since(Some("2026-11-25T02:00:09Z"), now), "<invalid>");
        assert_eq!(since(None, now), "<unknown>");
    }

    #[test]
    fn every_row_has_a_cell_for_every_column() {
        let now = Timestamp::now();
        for resource in crate::resource::RESOURCES.iter().filter(|resource| resource.is_kept()) {
            let cells = cells(resource.kind, &json!({"metadata": {"name": "x"}}), now);
            let columns = columns(resource.kind).len();
            assert_eq!(cells.as_array().map(Vec::len), Some(columns), "{}", resource.name);
        }
    }

    #[test]
    fn a_request_shows_its_progress() {
        for (status, expected) in [
            (json!({}), "Pending"),
            (json!({"conditions": [{"type": "Approved"}]}), "Approved"),
            (json!({"conditions": [{"type": "Approved"}], "certificate": "YQ=="}), "Approved,Issued"),
            (json!({"conditions": [{"type": "Denied"}]}), "Denied"),
            (json!({"conditions": [{"type": "Approved"}, {"type": "Failed"}]}), "Approved,Failed"),
        ] {
            assert_eq!(condition(&json!({"status": status})), expected);
        }
    }
}
