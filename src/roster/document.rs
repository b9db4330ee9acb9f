//! The roster as it is written: plain types, for writing one and for the JSON Schema.
//!
//! Reading is the work of [`super::parse`], which knows places and reports every error; tests hold
//! the two together. The comments here are the schema's descriptions, which editors show.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::KeyType;

/// The names of users, groups and clusters; the limit of 39 is a schema keyword of its own.
const NAME: &str = "^[a-z0-9]([-a-z0-9._@]*[a-z0-9])?$";
const ROSTER_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const ROLE: &str = r"^[!-$&-.0-~]+$";
const DURATION: &str = "^([0-9]+[mhdw])+$";
const UNTIL: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$";
const PATH: &str = r"^[!-9;-\[\]-~]+$";
const SERVER: &str = r"^https://[A-Za-z0-9\[][^@?#\\\s]*$";

/// The people of one organisation and what they may do on its Kubernetes clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "certctl roster (users.yaml)")]
pub struct Document {
    /// Always `certctl.dev/v1`.
    #[schemars(extend("const" = "certctl.dev/v1"))]
    pub api_version: String,
    /// Always `Roster`.
    #[schemars(extend("const" = "Roster"))]
    pub kind: String,
    /// What the roster is called.
    pub metadata: Metadata,
    /// The clusters that people get access to; at least one.
    #[schemars(length(min = 1))]
    pub clusters: Vec<Cluster>,
    /// What users get who say nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Defaults")]
    pub defaults: Option<Defaults>,
    /// What an apply refuses to do without being told twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Safety")]
    pub safety: Option<Safety>,
    /// Sets of grants that several users hold. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The people. Whoever is taken off this list loses all access at the next apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
}

/// What the roster is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Written as owner on every object that certctl makes: two rosters with different names never
    /// touch each other's objects on a cluster they share. Do not change it later.
    #[schemars(length(min = 1, max = 39), regex(pattern = ROSTER_NAME), example = &"acme")]
    pub name: String,
}

/// A cluster that people get access to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// What this roster calls the cluster, and its folder under `access/`.
    #[schemars(length(min = 1, max = 39), regex(pattern = NAME), example = &"prod")]
    pub name: String,
    /// The context of certctl's own kubeconfig that leads to the cluster. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), example = &"admin@prod")]
    pub context: Option<String>,
    /// What users connect to: https://, host, and if need be port and path. Default: the server of
    /// that context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = SERVER), example = &"https://prod.example.com:6443")]
    pub server: Option<String>,
    /// A file beside the roster with the CA of the serving certificate (PEM). Default: the CA of
    /// that context. This is never the CA that issues client certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = PATH), example = &"clusters/prod.crt")]
    pub certificate_authority: Option<String>,
    /// The signer of client certificates. Default: `kubernetes.io/kube-apiserver-client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = "^[-A-Za-z0-9._:]+/[-A-Za-z0-9._:/]+$"))]
    pub signer_name: Option<String>,
}

/// What users get who say nothing else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// How long a certificate is asked to be valid: minutes, hours, days or weeks, or a sum such as
    /// `1d12h`; from `10m` to `3650d`. certctl renews it after two thirds of that time. The cluster
    /// may sign a shorter one. Default: `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"30d")]
    pub validity: Option<String>,
    /// The kind of key that certctl makes. Default: `ecdsa-p256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
}

/// What an apply refuses to do without being told twice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Safety {
    /// The most credentials that one apply revokes without `--acknowledge`: a percentage of those
    /// that are active, such as `25%`, or a count. Default: `25%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MaxRevocations")]
    pub max_revocations: Option<MaxRevocations>,
}

/// A percentage such as `25%`, or a count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MaxRevocations {
    /// Credentials.
    Count(u32),
    /// From `0%` to `100%` of the active credentials.
    Percent(#[schemars(regex(pattern = "^0*([0-9]|[1-9][0-9]|100)%$"))] String),
}

/// A set of grants that several users hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// How users refer to it.
    #[schemars(length(min = 1, max = 39), regex(pattern = NAME), example = &"developers")]
    pub name: String,
    /// Also write the group's name into its members' certificates (`O=developers`), for clusters
    /// whose own RBAC already binds that group. What is granted that way cannot be revoked before the
    /// certificate expires. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_certificate: bool,
    /// What its members may do. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// One role: a ClusterRole in the whole cluster or in some namespaces, or a Role in its namespaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["clusterRole"]}, {"required": ["role", "namespaces"]}]))]
pub struct Grant {
    /// A ClusterRole. Without `namespaces` it is granted in the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 150), regex(pattern = ROLE), example = &"view")]
    pub cluster_role: Option<String>,
    /// A Role, which has to exist in each of `namespaces`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 150), regex(pattern = ROLE), example = &"deployer")]
    pub role: Option<String>,
    /// Where: at least one namespace. Default: the whole cluster (ClusterRoles only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<NamespaceName>", length(min = 1))]
    pub namespaces: Option<Vec<NamespaceName>>,
    /// When the grant ends: a date, through which it lasts (in UTC), or an RFC 3339 time. Default:
    /// never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
}

/// The name of a namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NamespaceName(#[schemars(length(min = 1, max = 63), regex(pattern = NAMESPACE))] pub String);

/// A group that a user is in: its name, or its name and when the membership ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Membership {
    /// For as long as the user is on the roster.
    Always(#[schemars(length(min = 1, max = 39), regex(pattern = NAME))] String),
    /// For some time.
    Limited(LimitedMembership),
}

/// A group that a user is in for some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitedMembership {
    /// The group.
    #[schemars(length(min = 1, max = 39), regex(pattern = NAME), example = &"on-call")]
    pub name: String,
    /// When the membership ends: a date, through which it lasts (in UTC), or an RFC 3339 time.
    /// Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("not" = {"required": ["csr", "key"]}))]
pub struct User {
    /// The person's name: CN of their certificates, user name in the audit log, and name of their
    /// files under `access/`.
    #[schemars(length(min = 1, max = 39), regex(pattern = NAME), extend("not" = {"const": "cluster"}), example = &"alice")]
    pub name: String,
    /// The public keys to which the kubeconfig is encrypted, each of which can decrypt it: age
    /// recipients (`age1...`, from `certctl keygen` or an age plugin), or SSH keys of type ssh-ed25519
    /// or ssh-rsa. At least one.
    #[schemars(length(min = 1))]
    pub recipients: Vec<RecipientText>,
    /// Groups that the person is in. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Membership>,
    /// What the person may do besides. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// On which clusters of this roster; at least one. Default: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// When all access of the person ends: a date, through which it lasts (in UTC), or an RFC 3339
    /// time. No certificate outlives it. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
    /// Raise it by one to issue a new credential and cut off the old one at once, for example after a
    /// laptop was lost; `certctl rotate` does that. From 1 to 1000000. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1_000_000))]
    pub generation: Option<u32>,
    /// The kind of key that certctl makes for the person. Default: that of `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
    /// How long the person's certificates are asked to be valid, as in `defaults`. Default: that of
    /// `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"12h")]
    pub validity: Option<String>,
    /// A PKCS#10 file beside the roster (PEM), made with openssl. The person keeps the private
    /// key, and the kubeconfig is sealed without one. Not together with `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = PATH), example = &"csrs/alice.csr")]
    pub csr: Option<String>,
    /// Never revoke this person's credentials without `--acknowledge`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// A public key that a kubeconfig is encrypted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RecipientText(
    #[schemars(regex(pattern = r"^(age1[a-z0-9+._-]+|ssh-(ed25519|rsa) .+)$"))] pub String,
);

/// The name of a cluster of this roster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ClusterName(#[schemars(length(min = 1, max = 39), regex(pattern = NAME))] pub String);

/// The JSON Schema (draft 2020-12) of `users.yaml`, as committed in `schemas/users.schema.json`.
pub fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("$id".into(), json!("urn:certctl:users.schema.json"));
    // A schema that holds only strings, numbers, lists and maps always has a JSON text.
    format!("{:#}\n", serde_json::Value::from(schema))
}

/// The fields that [`super::parse`] reads, a list for each type above.
pub(super) mod shapes {
    use crate::roster::reader::Shape;

    pub(in crate::roster) const ROSTER: Shape = Shape {
        required: &["apiVersion", "kind", "metadata", "clusters"],
        optional: &["defaults", "safety", "groups", "users"],
    };
    pub(in crate::roster) const METADATA: Shape = Shape { required: &["name"], optional: &[] };
    pub(in crate::roster) const CLUSTER: Shape =
        Shape { required: &["name"], optional: &["context", "server", "certificateAuthority", "signerName"] };
    pub(in crate::roster) const DEFAULTS: Shape = Shape { required: &[], optional: &["validity", "key"] };
    pub(in crate::roster) const SAFETY: Shape = Shape { required: &[], optional: &["maxRevocations"] };
    pub(in crate::roster) const GROUP: Shape =
        Shape { required: &["name"], optional: &["inCertificate", "grants"] };
    pub(in crate::roster) const GRANT: Shape =
        Shape { required: &[], optional: &["clusterRole", "role", "namespaces", "until"] };
    pub(in crate::roster) const MEMBERSHIP: Shape = Shape { required: &["name"], optional: &["until"] };
    pub(in crate::roster) const USER: Shape = Shape {
        required: &["name", "recipients"],
        optional: &[
            "groups",
            "grants",
            "clusters",
            "until",
            "generation",
            "key",
            "validity",
            "csr",
            "protected",
        ],
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::roster::reader::Shape;

    const SCHEMA_FILE: &str = "schemas/users.schema.json";

    fn strings(value: &Value) -> BTreeSet<&str> {
        match value {
            Value::Object(map) => map.keys().map(String::as_str).collect(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => BTreeSet::new(),
        }
    }

    #[test]
    fn the_reader_and_the_schema_know_the_same_fields() {
        let schema: Value = serde_json::from_str(&schema()).expect("the schema is JSON");
        let definitions = &schema["$defs"];
        let all: [(&Value, &Shape); 9] = [
            (&schema, &shapes::ROSTER),
            (&definitions["Metadata"], &shapes::METADATA),
            (&definitions["Cluster"], &shapes::CLUSTER),
            (&definitions["Defaults"], &shapes::DEFAULTS),
            (&definitions["Safety"], &shapes::SAFETY),
            (&definitions["Group"], &shapes::GROUP),
            (&definitions["Grant"], &shapes::GRANT),
            (&definitions["LimitedMembership"], &shapes::MEMBERSHIP),
            (&definitions["User"], &shapes::USER),
        ];
        for (schema, shape) in all {
            let known: BTreeSet<&str> = shape.required.iter().chain(shape.optional).copied().collect();
            assert_eq!(strings(&schema["properties"]), known);
            let required: BTreeSet<&str> = shape.required.iter().copied().collect();
            assert_eq!(strings(&schema["required"]), required, "{known:?}");
            assert_eq!(schema["additionalProperties"], Value::Bool(false), "{known:?}");
        }
        let mappings = definitions.as_object().expect("definitions").values();
        let mappings = mappings.filter(|definition| definition["type"] == "object").count();
        assert_eq!(mappings + 1, all.len(), "a mapping without a shape");
    }

    #[test]
    fn the_committed_schema_is_fresh() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA_FILE);
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == schema(),
            "{SCHEMA_FILE} is stale; refresh it with `cargo run -- schema > {SCHEMA_FILE}`"
        );
    }
}
