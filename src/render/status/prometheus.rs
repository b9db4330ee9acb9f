//! The credentials of a roster as metrics, for the textfile collector of Prometheus' node_exporter.
//!
//! Labels name clusters, states and notes, never users: a metric for each person would be a series for each.
//! Names follow <https://prometheus.io/docs/practices/naming/>. Values of labels need no escape, since names of
//! clusters and rosters contain no quote, backslash or line break.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::access::credentials::{CredentialStanding, CredentialStatus};
use crate::access::status::{KnownFrom, RosterStatus};
use crate::model::ClusterName;

/// In the text format of Prometheus.
pub fn render(status: &RosterStatus) -> String {
    let roster = &status.roster;
    let mut out = String::new();
    let mut metric = |name: &str, help: &str, samples: &[(String, i64)]| {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(out, "{name}{{roster=\"{roster}\"{labels}}} {value}");
        }
    };
    let clusters = || status.clusters.iter().map(|cluster| &cluster.name);
    let of = |cluster: &ClusterName| -> Vec<&CredentialStanding> {
        status.standings.iter().filter(|standing| standing.cluster == *cluster).collect()
    };
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);

    let states = clusters().flat_map(|cluster| {
        CredentialStatus::ALL.map(|state| {
            let held =
                of(cluster).into_iter().filter(|s| s.held.as_ref().is_some_and(|held| held.state == state));
            (format!(",cluster=\"{cluster}\",state=\"{}\"", state.word()), number(held.count()))
        })
    });
    metric("certctl_credentials", "Credentials in the records.", &states.collect::<Vec<_>>());

    let notes = clusters().flat_map(|cluster| {
        let mut notes: BTreeMap<&str, usize> = BTreeMap::new();
        for note in of(cluster).into_iter().flat_map(|standing| &standing.notes) {
            *notes.entry(note.code()).or_default() += 1;
        }
        notes
            .into_iter()
            .map(move |(note, count)| (format!(",cluster=\"{cluster}\",note=\"{note}\""), number(count)))
    });
    metric(
        "certctl_credential_notes",
        "Credentials, and users without one, to which a note of `certctl status` applies.",
        &notes.collect::<Vec<_>>(),
    );

    let attention = clusters().map(|cluster| {
        let count = of(cluster).into_iter().filter(|standing| standing.needs_person()).count();
        (format!(",cluster=\"{cluster}\""), number(count))
    });
    metric(
        "certctl_credentials_needing_attention",
        "Credentials, and users without one, that somebody has to look at.",
        &attention.collect::<Vec<_>>(),
    );

    let next = clusters().filter_map(|cluster| {
        let active = of(cluster).into_iter().filter_map(|standing| standing.held.as_ref());
        let active = active.filter(|held| held.state == CredentialStatus::Active);
        let first = active.map(|held| held.not_after).min()?;
        Some((format!(",cluster=\"{cluster}\""), first.as_second()))
    });
    metric(
        "certctl_next_expiry_timestamp_seconds",
        "When the first active credential expires, as a Unix time.",
        &next.collect::<Vec<_>>(),
    );

    let held = status.clusters.iter().map(|c| (format!(",cluster=\"{}\"", c.name), number(c.held)));
    metric("certctl_held", "What is held back until its cause is fixed.", &held.collect::<Vec<_>>());

    let read = status.clusters.iter().filter(|cluster| cluster.source != KnownFrom::Records);
    let read = read.map(|cluster| {
        (format!(",cluster=\"{}\"", cluster.name), i64::from(cluster.source == KnownFrom::Cluster))
    });
    metric("certctl_cluster_up", "Whether the cluster could be read.", &read.collect::<Vec<_>>());

    let last = status.last_recorded.map(|at| (String::new(), at.as_second()));
    metric(
        "certctl_last_apply_timestamp_seconds",
        "When an apply last changed records, as a Unix time.",
        &last.into_iter().collect::<Vec<_>>(),
    );
    out
}
