//! The roster as written in YAML: plain types, for writing a roster and for the JSON Schema.
//!
//! [`super::parse`] reads rosters, because it knows source locations and reports every error; tests keep
//! the two in step. The comments here are the schema's descriptions, which editors show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::finding_code::FindingCode;
use crate::model::KeyType;

const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// Names with `*`: of namespaces, of users, of files.
const NAMESPACE_PATTERN: &str = r"^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$";
const USER_PATTERN: &str = r"^[-a-zA-Z0-9._@+*]+$";
const PART_PATH: &str = r"^[!-)+-9;-\[\]-~]*[!-9;-\[\]-~]$";

const EMAIL: &str = r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$";
/// The name of a user's label.
const LABEL: &str = r"^[A-Za-z0-9]([-A-Za-z0-9._/]*[A-Za-z0-9])?$";

/// The names of clusters; their limit of 39 characters is a separate schema keyword.
const NAME: &str = "^[a-z0-9]([-a-z0-9._@]*[a-z0-9])?$";
const USER_NAME: &str = "^[A-Za-z0-9]([-A-Za-z0-9._@+]*[A-Za-z0-9])?$";
const GROUP_NAME: &str = "^/?[A-Za-z0-9]([-A-Za-z0-9._@+:/]*[A-Za-z0-9])?$";
const ROSTER_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const ROLE: &str = r"^[!-$&-.0-~]+$";
const DURATION: &str = "^([0-9]+[mhdw])+$";
const UNTIL: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$";
const PATH: &str = r"^[!-9;-\[\]-~]+$";
const BRANCH: &str = r"^[!-)+-9;->@-Z\]_-}]+$";
const PROXY: &str = r"^(https?|socks5)://[A-Za-z0-9_\[][^@?#\\\s]*$";
const TLS_SERVER_NAME: &str = r"^[A-Za-z0-9_:][-A-Za-z0-9_.:]*$";
const CONTEXT_NAME: &str = r"^([^{}]|\{roster\}|\{cluster\})+$";
const SERVER: &str = r"^https://[A-Za-z0-9\[][^@?#\\\s]*$";

/// The users of one organization and what they may do on its Kubernetes clusters.
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
    /// The roster's name.
    pub metadata: Metadata,
    /// The clusters that users get access to; at least one.
    #[schemars(length(min = 1))]
    pub clusters: Vec<Cluster>,
    /// Defaults for users and clusters that do not override them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Defaults")]
    pub defaults: Option<Defaults>,
    /// What an apply refuses to do without explicit confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Safety")]
    pub safety: Option<Safety>,
    /// How the roster is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Apply")]
    pub apply: Option<Apply>,
    /// What an audit does not report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Audit")]
    pub audit: Option<Audit>,
    /// Files beside the roster that are part of it, each with how far it may go. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
    /// Sets of grants that several users share. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The users. A user removed from this list loses all access with the next apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
}

/// A part of a roster: the groups and users of one team, in a file that the team owns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "part of a certctl roster")]
pub struct PartDocument {
    /// Always `certctl.dev/v1`.
    #[schemars(extend("const" = "certctl.dev/v1"))]
    pub api_version: String,
    /// Always `RosterPart`.
    #[schemars(extend("const" = "RosterPart"))]
    pub kind: String,
    /// The groups that this part defines. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The users that this part adds. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
    /// Users of any file who come into groups of this part, or into groups that are `joinable` from it.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<PartMembership>,
}

/// A user who comes into a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartMembership {
    /// The user.
    #[schemars(length(min = 1, max = 64), regex(pattern = USER_NAME), example = &"alice")]
    pub user: String,
    /// The group.
    #[schemars(length(min = 1, max = 64), regex(pattern = GROUP_NAME), example = &"payments-developers")]
    pub group: String,
    /// The clusters on which the membership counts; at least one. Default: every cluster of the user that
    /// this part may be about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// When the membership ends: a date (inclusive, in UTC) or an RFC 3339 time. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
}

/// Files beside the roster that are part of it (`kind: RosterPart`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Include {
    /// A file in the roster's folder or below it; its name may contain `*`, for any characters.
    #[schemars(length(min = 1, max = 255), regex(pattern = PART_PATH), example = &"teams/payments.yaml", example = &"teams/*.yaml")]
    pub path: String,
    /// What the part may do: `everything`, or a fence. Whatever it says beyond that is an error.
    pub may: MayDocument,
}

/// `everything` that the roster itself may do, or a fence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "May")]
pub enum MayDocument {
    /// Always `everything`.
    Everything(#[schemars(extend("const" = "everything"))] String),
    /// Only this.
    Only(FenceDocument),
}

/// What a part may do at most. What is not here, it may not do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Fence")]
pub struct FenceDocument {
    /// The roles that it may grant: names of ClusterRoles, or `{role: NAME}` for a Role. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant: Vec<FencedRoleDocument>,
    /// Whether it may grant them in the whole cluster. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster_wide: bool,
    /// The namespaces in which it may grant them; `*` stands for any characters. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<NamespaceOrPattern>,
    /// The clusters that it is about: what it says counts nowhere else. Default: every cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// Whether it may add users, or the names of those it may add; `*` stands for any characters. A user's
    /// name is the CN of a certificate, so that a cluster's own bindings of that name count. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddUsersDocument")]
    pub add_users: Option<AddUsersDocument>,
    /// The longest `validity` that it may set. Default: the shortest that its clusters or `defaults` have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"30d")]
    pub validity: Option<String>,
}

/// The name of a ClusterRole, or a Role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "FencedRole")]
pub enum FencedRoleDocument {
    /// A ClusterRole.
    ClusterRole(#[schemars(length(min = 1, max = 150), regex(pattern = ROLE))] String),
    /// A Role.
    Role(RoleOfFence),
}

/// A Role that a part may grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleOfFence {
    /// Its name.
    #[schemars(length(min = 1, max = 150), regex(pattern = ROLE), example = &"deployer")]
    pub role: String,
}

/// Whether a part may add users, or which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "AddUsers")]
pub enum AddUsersDocument {
    /// Anybody, or nobody.
    All(bool),
    /// Users with these names.
    Named(Vec<UserPattern>),
}

/// The name of a user; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UserPattern(#[schemars(length(min = 1, max = 64), regex(pattern = USER_PATTERN))] pub String);

/// The name of a namespace; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NamespaceOrPattern(
    #[schemars(length(min = 1, max = 63), regex(pattern = NAMESPACE_PATTERN))] pub String,
);

/// The path of a part; its file's name may contain `*`, for any characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PartName(#[schemars(length(min = 1, max = 255), regex(pattern = PART_PATH))] pub String);

/// The roster's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The owner label on every object that certctl creates. Two rosters with different names never
    /// change each other's objects on a shared cluster. Do not change it later.
    #[schemars(length(min = 1, max = 39), regex(pattern = ROSTER_NAME), example = &"acme")]
    pub name: String,
}

/// A cluster that users get access to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The cluster's name in this roster, and its folder under `access/`.
    #[schemars(length(min = 1, max = 39), regex(pattern = NAME), example = &"prod")]
    pub name: String,
    /// The context in certctl's own kubeconfig for this cluster. Default: the name. In a pod without a kubeconfig,
    /// `in-cluster` is its service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), example = &"admin@prod")]
    pub context: Option<String>,
    /// The URL that users connect to: https://, host, and optionally port and path. Default: what
    /// `access/` pins, which is the server of that context at the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = SERVER), example = &"https://prod.example.com:6443")]
    pub server: Option<String>,
    /// A file beside the roster with the CA of the serving certificate (PEM). Default: what
    /// `access/` pins, which is the CA of that context at the first apply. It is not used as the issuer of client certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = PATH), example = &"clusters/prod.crt")]
    pub certificate_authority: Option<String>,
    /// The proxy that users connect through: `http://`, `https://` or `socks5://`, host and port. Default:
    /// none.
    #[serde(default, rename = "proxyURL", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048), regex(pattern = PROXY), example = &"http://proxy.example.com:3128")]
    pub proxy_url: Option<String>,
    /// The name that the server's certificate is verified with. Default: the host of `server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 253), regex(pattern = TLS_SERVER_NAME), example = &"kubernetes.default.svc")]
    pub tls_server_name: Option<String>,
    /// What users' context for this cluster is called, with `{roster}` and `{cluster}` in the place of the
    /// two names. Default: that of `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = CONTEXT_NAME), example = &"{roster}-{cluster}")]
    pub context_name: Option<String>,
    /// The default namespace of users' context, where neither they nor their groups have one. Default: none,
    /// which kubectl takes for `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NamespaceName")]
    pub namespace: Option<NamespaceName>,
    /// The signer of client certificates. Default: `kubernetes.io/kube-apiserver-client`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = "^[-A-Za-z0-9._:]+/[-A-Za-z0-9._:/]+$"))]
    pub signer_name: Option<String>,
    /// The requested lifetime of the certificates for this cluster, where neither users nor their groups say otherwise, written as in `defaults`. Default: that of
    /// `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"12h")]
    pub validity: Option<String>,
    /// The type of the keys that certctl generates for this cluster, where neither users nor their groups say otherwise. Default: that of `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
}

/// Defaults for users and clusters that do not override them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// The requested lifetime of certificates, in minutes, hours, days or weeks, or a sum such as
    /// `1d12h`; from `10m` to `3650d`. certctl renews a certificate after two thirds of that time. The
    /// cluster may issue a shorter one. Default: `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"30d")]
    pub validity: Option<String>,
    /// The type of the keys that certctl generates. Default: `ecdsa-p256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
    /// What users' contexts are called, with `{roster}` and `{cluster}` in the place of the two names.
    /// Default: `{cluster}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = CONTEXT_NAME), example = &"{roster}-{cluster}")]
    pub context_name: Option<String>,
}

/// What an apply refuses to do without explicit confirmation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Safety {
    /// The most credentials that one apply revokes without `--acknowledge`: a percentage of the
    /// active credentials, such as `25%`, or a count. Default: `25%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MaxRevocations")]
    pub max_revocations: Option<MaxRevocations>,
}

/// How the roster is applied.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apply {
    /// The branch that the roster is applied from. An apply from another branch is refused, unless it is
    /// named with `--branch`. Default: the branch of the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = BRANCH), example = &"main")]
    pub branch: Option<String>,
}

/// What an audit does not report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audit {
    /// Findings that somebody has looked at. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignored>,
}

/// A finding that an audit does not report until a date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ignored {
    /// The code of the finding.
    #[schemars(example = &"foreign-full-control")]
    pub code: FindingCode,
    /// Its subject, as the audit shows it.
    #[schemars(length(min = 1, max = 500), example = &"Group kubeadm:cluster-admins")]
    pub subject: String,
    /// Its object, as the audit shows it. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 500), example = &"ClusterRoleBinding kubeadm:cluster-admins")]
    pub object: Option<String>,
    /// Ignored on these clusters only. Default: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// Why, for the next reader.
    #[schemars(length(min = 1, max = 500), example = &"break-glass access, kept in the safe")]
    pub reason: String,
    /// When it is reported again: a date, whose end counts, or a time.
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31")]
    pub until: String,
}

/// A percentage such as `25%`, or a count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MaxRevocations {
    /// A number of credentials.
    Count(u32),
    /// From `0%` to `100%` of the active credentials.
    Percent(#[schemars(regex(pattern = "^0*([0-9]|[1-9][0-9]|100)%$"))] String),
}

/// A set of grants that several users share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The group's name. One with capitals, `+`, `:` or `/`, such as `oidc:Developers`, is for certificates alone: it
    /// takes `inCertificate: true` and no grants.
    #[schemars(length(min = 1, max = 64), regex(pattern = GROUP_NAME), example = &"developers")]
    pub name: String,
    /// Also write the group's name into its members' certificates (`O=developers`), for clusters
    /// whose own RBAC already binds that group. Access granted that way cannot be revoked before the
    /// certificate expires. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_certificate: bool,
    /// The default namespace of its members' context. Of several groups that name different ones, none
    /// counts. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NamespaceName")]
    pub namespace: Option<NamespaceName>,
    /// The requested lifetime of the certificates of its members, where they do not say otherwise; of several groups, the shortest counts, written as in `defaults`. Default: that of
    /// `defaults`, or else of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"12h")]
    pub validity: Option<String>,
    /// The type of the keys that certctl generates for its members, where they do not say otherwise; where several groups differ, none counts. Default: that of `defaults`, or else of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
    /// The parts of the roster that may add members to this group, besides the file that defines it.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joinable: Vec<PartName>,
    /// The roles that its members get. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// One role: a ClusterRole in the whole cluster or in some namespaces, or a Role in some namespaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["clusterRole"]}, {"required": ["role"], "anyOf": [{"required": ["namespaces"]}, {"required": ["namespaceSelector"]}]}]))]
pub struct Grant {
    /// A ClusterRole, granted in the whole cluster unless `namespaces` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 150), regex(pattern = ROLE), example = &"view")]
    pub cluster_role: Option<String>,
    /// A Role, which must exist in each of `namespaces`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 150), regex(pattern = ROLE), example = &"deployer")]
    pub role: Option<String>,
    /// The namespaces in which the role is granted; at least one. `*` stands for any characters: then it is
    /// granted in the namespaces of such a name that the cluster has, at each apply. Default: the whole
    /// cluster (ClusterRoles only), or all that `namespaceSelector` selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<NamespaceOrPattern>", length(min = 1))]
    pub namespaces: Option<Vec<NamespaceOrPattern>>,
    /// The labels of the namespaces in which the role is granted, of those that the cluster has, at each
    /// apply. Whoever may label a namespace may bring the grant into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Selector")]
    pub namespace_selector: Option<Selector>,
    /// The clusters on which the grant counts; at least one. Default: every cluster of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// When the grant ends: a date (inclusive, in UTC) or an RFC 3339 time. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
}

/// The name of a namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NamespaceName(#[schemars(length(min = 1, max = 63), regex(pattern = NAMESPACE))] pub String);

/// Which labels a namespace has; all of it has to fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Selector {
    /// Labels with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels, as in Kubernetes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expression {
    /// The label.
    #[schemars(length(min = 1, max = 317), example = &"env")]
    pub key: String,
    /// `In` or `NotIn` some `values`; `Exists` or `DoesNotExist`.
    #[schemars(extend("enum" = ["In", "NotIn", "Exists", "DoesNotExist"]))]
    pub operator: String,
    /// For `In` and `NotIn`: at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A group membership of a user: the group's name, optionally with an end date or on some clusters only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Membership {
    /// Everywhere, without an end date.
    Always(#[schemars(length(min = 1, max = 64), regex(pattern = GROUP_NAME))] String),
    /// With an end date, or on some clusters only.
    Limited(LimitedMembership),
}

/// A group membership with an end date, or on some clusters only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitedMembership {
    /// The group's name.
    #[schemars(length(min = 1, max = 64), regex(pattern = GROUP_NAME), example = &"on-call")]
    pub name: String,
    /// The clusters on which the membership counts; at least one. Default: every cluster of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// When the membership ends: a date (inclusive, in UTC) or an RFC 3339 time. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("not" = {"required": ["csr", "key"]}))]
pub struct User {
    /// The user's name: the CN of their certificates, their user name in the audit log, and the name of
    /// their files under `access/`.
    #[schemars(length(min = 1, max = 64), regex(pattern = USER_NAME), extend("not" = {"pattern": "^[Cc][Ll][Uu][Ss][Tt][Ee][Rr]$"}), example = &"alice")]
    pub name: String,
    /// The user's name as people write it, for reports and notices. It is in no certificate. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 100), example = &"Alice Example")]
    pub full_name: Option<String>,
    /// Where notices reach the user. It is in no certificate, and certctl sends nothing. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 3, max = 254), regex(pattern = EMAIL), example = &"alice@example.com")]
    pub email: Option<String>,
    /// What else is to be known of the user, such as a team, for reports and notices; 32 at most. It is in no
    /// certificate. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "propertyNames" = {"pattern": LABEL, "maxLength": 63}))]
    pub labels: BTreeMap<String, LabelText>,
    /// The public keys to which the kubeconfig is encrypted; any of them can decrypt it: age
    /// recipients (`age1...`, from `certctl keygen` or an age plugin), or SSH keys of type ssh-ed25519
    /// or ssh-rsa. At least one.
    #[schemars(length(min = 1))]
    pub recipients: Vec<RecipientText>,
    /// The groups that the user is a member of. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Membership>,
    /// Additional roles for this user only. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// The clusters of this roster that the user gets access to; at least one. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ClusterName>", length(min = 1))]
    pub clusters: Option<Vec<ClusterName>>,
    /// The default namespace of the user's context. Default: that of their groups, or else of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NamespaceName")]
    pub namespace: Option<NamespaceName>,
    /// When all of the user's access ends: a date (inclusive, in UTC) or an RFC 3339 time. No
    /// certificate outlives it. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = UNTIL), example = &"2027-03-31", example = &"2027-03-31T18:00:00Z")]
    pub until: Option<String>,
    /// Raise it by one to issue a new credential and cut off the old one at once, for example after a
    /// lost laptop; `certctl rotate` does that. From 1 to 1000000. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1_000_000))]
    pub generation: Option<u32>,
    /// The type of key that certctl generates for the user. Default: that of their groups, the cluster or `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyType")]
    pub key: Option<KeyType>,
    /// The requested lifetime of the user's certificates, written as in `defaults`. Default: that of their groups,
    /// the cluster or `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = DURATION), example = &"12h")]
    pub validity: Option<String>,
    /// A certificate signing request (PKCS#10, PEM) in a file beside the roster, from `certctl request`
    /// or openssl. The user keeps the private key, and the kubeconfig is sealed without one. Cannot be
    /// combined with `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255), regex(pattern = PATH), example = &"csrs/alice.csr")]
    pub csr: Option<String>,
    /// Take all access away and issue nothing, until it is `false` or gone again; then a new credential is
    /// issued. `certctl suspend` and `certctl resume` edit it. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Never revoke this user's credentials without `--acknowledge`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// The value of a label of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LabelText(#[schemars(length(min = 1, max = 100))] pub String);

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

/// The JSON Schema (draft 2020-12) of a part, as committed in `schemas/part.schema.json`.
pub fn part_schema() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PartDocument>();
    schema.insert("$id".into(), json!("urn:certctl:part.schema.json"));
    format!("{:#}\n", serde_json::Value::from(schema))
}

/// The fields that [`super::parse`] accepts, for each type above.
pub(super) mod shapes {
    use crate::roster::reader::Shape;

    pub(in crate::roster) const ROSTER: Shape = Shape {
        required: &["apiVersion", "kind", "metadata", "clusters"],
        optional: &["defaults", "safety", "apply", "audit", "include", "groups", "users"],
    };
    pub(in crate::roster) const PART: Shape =
        Shape { required: &["apiVersion", "kind"], optional: &["groups", "users", "memberships"] };
    pub(in crate::roster) const PART_MEMBERSHIP: Shape =
        Shape { required: &["user", "group"], optional: &["clusters", "until"] };
    pub(in crate::roster) const INCLUDE: Shape = Shape { required: &["path", "may"], optional: &[] };
    pub(in crate::roster) const FENCE: Shape = Shape {
        required: &[],
        optional: &["grant", "clusterWide", "namespaces", "clusters", "addUsers", "validity"],
    };
    pub(in crate::roster) const FENCED_ROLE: Shape = Shape { required: &["role"], optional: &[] };
    pub(in crate::roster) const METADATA: Shape = Shape { required: &["name"], optional: &[] };
    pub(in crate::roster) const CLUSTER: Shape = Shape {
        required: &["name"],
        optional: &[
            "context",
            "server",
            "certificateAuthority",
            "proxyURL",
            "tlsServerName",
            "contextName",
            "namespace",
            "signerName",
            "validity",
            "key",
        ],
    };
    pub(in crate::roster) const DEFAULTS: Shape =
        Shape { required: &[], optional: &["validity", "key", "contextName"] };
    pub(in crate::roster) const SAFETY: Shape = Shape { required: &[], optional: &["maxRevocations"] };
    pub(in crate::roster) const APPLY: Shape = Shape { required: &[], optional: &["branch"] };
    pub(in crate::roster) const AUDIT: Shape = Shape { required: &[], optional: &["ignore"] };
    pub(in crate::roster) const IGNORED: Shape =
        Shape { required: &["code", "subject", "reason", "until"], optional: &["object", "clusters"] };
    pub(in crate::roster) const GROUP: Shape = Shape {
        required: &["name"],
        optional: &["inCertificate", "namespace", "validity", "key", "joinable", "grants"],
    };
    pub(in crate::roster) const GRANT: Shape = Shape {
        required: &[],
        optional: &["clusterRole", "role", "namespaces", "namespaceSelector", "clusters", "until"],
    };
    pub(in crate::roster) const SELECTOR: Shape =
        Shape { required: &[], optional: &["matchLabels", "matchExpressions"] };
    pub(in crate::roster) const EXPRESSION: Shape =
        Shape { required: &["key", "operator"], optional: &["values"] };
    pub(in crate::roster) const MEMBERSHIP: Shape =
        Shape { required: &["name"], optional: &["clusters", "until"] };
    pub(in crate::roster) const USER: Shape = Shape {
        required: &["name", "recipients"],
        optional: &[
            "groups",
            "grants",
            "clusters",
            "namespace",
            "until",
            "generation",
            "key",
            "validity",
            "csr",
            "protected",
            "suspended",
            "fullName",
            "email",
            "labels",
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
        let part: Value = serde_json::from_str(&part_schema()).expect("the schema is JSON");
        let all: [(&Value, &Shape); 19] = [
            (&definitions["Selector"], &shapes::SELECTOR),
            (&definitions["Expression"], &shapes::EXPRESSION),
            (&schema, &shapes::ROSTER),
            (&part, &shapes::PART),
            (&part["$defs"]["PartMembership"], &shapes::PART_MEMBERSHIP),
            (&definitions["Include"], &shapes::INCLUDE),
            (&definitions["Fence"], &shapes::FENCE),
            (&definitions["RoleOfFence"], &shapes::FENCED_ROLE),
            (&definitions["Metadata"], &shapes::METADATA),
            (&definitions["Cluster"], &shapes::CLUSTER),
            (&definitions["Defaults"], &shapes::DEFAULTS),
            (&definitions["Safety"], &shapes::SAFETY),
            (&definitions["Apply"], &shapes::APPLY),
            (&definitions["Audit"], &shapes::AUDIT),
            (&definitions["Ignored"], &shapes::IGNORED),
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
        let of_part = part["$defs"].as_object().expect("definitions").iter();
        let of_part = of_part.filter(|(name, _)| definitions.get(name.as_str()).is_none());
        let mappings = definitions.as_object().expect("definitions").iter().chain(of_part);
        let mappings = mappings.filter(|(_, definition)| definition["type"] == "object").count();
        assert_eq!(mappings + 2, all.len(), "a mapping without a shape");
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
