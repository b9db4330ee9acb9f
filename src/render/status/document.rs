//! The credentials of a roster as programs read them: stable, described by `schemas/status.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::access::credentials::{CredentialStanding, CredentialStatus, Note};
use crate::access::status::{ClusterStatus, KnownFrom, RosterStatus};

/// The output of `certctl status --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// `metadata.name` of the roster.
    pub roster: String,
    /// The clusters that were asked for, sorted by name.
    pub clusters: Vec<ClusterStatusDocument>,
    /// The credentials in the records; those that need somebody first.
    pub credentials: Vec<CredentialDocument>,
    /// Users to whom the roster gives access to a cluster and who hold no credential for it that works.
    pub without_credential: Vec<WithoutCredential>,
}

/// Where the credentials of one cluster are known from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClusterStatusDocument {
    /// The cluster's name in the roster.
    pub name: String,
    /// Whether the cluster was read. If not, notes that only it can tell are missing.
    pub read: bool,
    /// Why it could not be read; absent if it was read, or with `--offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How much is held back there; `certctl plan` lists it.
    pub held: usize,
}

/// One credential.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialDocument {
    /// Its owner.
    pub user: String,
    /// The cluster's name in the roster.
    pub cluster: String,
    /// Its id.
    pub credential: String,
    /// What it may still do.
    #[schemars(extend("enum" = ["active", "superseded", "revoked", "expired"]))]
    pub state: &'static str,
    /// When its certificate ends (RFC 3339).
    pub not_after: String,
    /// When the next one falls due (RFC 3339); absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<String>,
    /// The groups of the roster that its owner is in now, on this cluster.
    pub groups: Vec<String>,
    /// Stable: `revoked-bound`, `revoked-in-cluster`, `to-be-cut-off`, `suspended`, `not-on-roster`,
    /// `not-on-cluster`, `access-ended`, `kept-out`, `held`, `unbound`, `undecryptable`, `sealed-changed`,
    /// `expiring`, `overdue`, `to-be-renewed`, `superseded-bound`, `unread`.
    pub notes: Vec<&'static str>,
    /// Whether one of the notes asks somebody to do something.
    pub needs_person: bool,
}

/// Somebody without a credential.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WithoutCredential {
    /// The user's name.
    pub user: String,
    /// The cluster's name in the roster.
    pub cluster: String,
    /// The groups of the roster that they are in now, on this cluster.
    pub groups: Vec<String>,
    /// Stable: `not-issued`, and those of credentials.
    pub notes: Vec<&'static str>,
}

/// As a document.
pub fn document(status: &RosterStatus) -> StatusDocument {
    let without = status.standings.iter().filter(|standing| standing.held.is_none());
    StatusDocument {
        format_version: 1,
        roster: status.roster.to_string(),
        clusters: status.clusters.iter().map(cluster).collect(),
        credentials: status.standings.iter().filter_map(credential).collect(),
        without_credential: without
            .map(|standing| WithoutCredential {
                user: standing.user.to_string(),
                cluster: standing.cluster.to_string(),
                groups: groups(standing),
                notes: notes(standing),
            })
            .collect(),
    }
}

pub(crate) fn cluster(ClusterStatus { name, source, held }: &ClusterStatus) -> ClusterStatusDocument {
    ClusterStatusDocument {
        name: name.to_string(),
        read: *source == KnownFrom::Cluster,
        error: match source {
            KnownFrom::RecordsOnly { error } => Some(error.clone()),
            KnownFrom::Cluster | KnownFrom::Records => None,
        },
        held: *held,
    }
}

fn credential(standing: &CredentialStanding) -> Option<CredentialDocument> {
    let held = standing.held.as_ref()?;
    Some(CredentialDocument {
        user: standing.user.to_string(),
        cluster: standing.cluster.to_string(),
        credential: held.id.to_string(),
        state: CredentialStatus::word(held.state),
        not_after: held.not_after.to_string(),
        renews_at: held.renews_at.map(|at| at.to_string()),
        groups: groups(standing),
        notes: notes(standing),
        needs_person: standing.needs_person(),
    })
}

fn groups(standing: &CredentialStanding) -> Vec<String> {
    standing.groups.iter().map(ToString::to_string).collect()
}

fn notes(standing: &CredentialStanding) -> Vec<&'static str> {
    standing.notes.iter().copied().map(Note::code).collect()
}

/// The JSON Schema of [`StatusDocument`], as committed in `schemas/status.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(StatusDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
