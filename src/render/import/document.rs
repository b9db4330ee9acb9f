//! `certctl import --format json`, as schemas/import.schema.json and schemas/import-finish.schema.json describe it.

use schemars::JsonSchema;
use serde::Serialize;

use super::draft::{DraftHead, not_taken_line, steps};
use super::script;
use super::{missing, missing_code, why_not_taken_code};
use crate::import::draft::{DraftGrants, GrantPlaces, RosterDraft};
use crate::import::finish::{Finish, Kept, ReplacedSubjects};
use crate::import::subject::{LeftOut, NoPerson};
use crate::model::ClusterName;
use crate::rbac::BindingAt;
use crate::render::kubectl::Kubectl;

/// The output of `certctl import --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// The context that it was read from.
    pub context: String,
    /// What the cluster is called in the draft.
    pub cluster: String,
    /// The users of the draft, by name. None has a recipient or an end: no cluster knows those.
    pub users: Vec<UserDocument>,
    /// The groups of the draft, by name.
    pub groups: Vec<GroupDocument>,
    /// What could not be taken over.
    pub not_taken: Vec<NotTakenDocument>,
    pub left_out: LeftOutDocument,
    /// The migration, in its order. For people; the wording may change at any time.
    pub steps: Vec<String>,
}

/// A user of the draft.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserDocument {
    /// The name.
    pub user: String,
    /// The groups that are known.
    pub groups: Vec<String>,
    /// The personal grants.
    pub grants: Vec<GrantDocument>,
}

/// A group of the draft.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDocument {
    /// The name.
    pub group: String,
    /// Whether bindings name it, so that certificates carry it.
    pub in_certificate: bool,
    /// The group whose grants it has, where no binding of certctl can have that name.
    pub stands_for: Option<String>,
    /// What its members may do.
    pub grants: Vec<GrantDocument>,
}

/// A role, and where.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GrantDocument {
    /// `ClusterRole` or `Role`.
    pub kind: &'static str,
    /// The role's name.
    pub role: String,
    /// Where; `null` is the whole cluster.
    pub namespaces: Option<Vec<String>>,
}

/// What could not be taken over.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NotTakenDocument {
    /// Kind and name.
    pub subject: String,
    /// Where it is bound, if it is.
    pub binding: Option<BindingDocument>,
    /// Stable: `name`, `missing-role`, ...
    pub reason: &'static str,
    /// For people; its wording may change at any time.
    pub message: String,
}

/// Where a binding is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BindingDocument {
    /// `ClusterRoleBinding` or `RoleBinding`.
    pub kind: &'static str,
    /// Of a RoleBinding.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// How many were left out, each counted once.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutDocument {
    /// ServiceAccounts.
    pub service_accounts: usize,
    /// Nodes, and their groups.
    pub nodes: usize,
    /// Users and groups of Kubernetes itself.
    pub system: usize,
}

/// The output of `certctl import --finish --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// The clusters, by name.
    pub clusters: Vec<FinishedClusterDocument>,
}

/// One cluster.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinishedClusterDocument {
    /// The cluster's name in the roster.
    pub cluster: String,
    /// Why it was not read, if so; then nothing else is said of it.
    pub error: Option<String>,
    /// What the roster has replaced.
    pub removals: Vec<RemovalDocument>,
    /// What stays.
    pub kept: Vec<KeptDocument>,
    pub left_out: LeftOutDocument,
}

/// Subjects that can be taken out of a binding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RemovalDocument {
    pub binding: BindingDocument,
    /// Kind and name of each.
    pub subjects: Vec<String>,
    /// Whether nobody is left in it, so that the binding itself goes.
    pub whole: bool,
    /// For a POSIX shell.
    pub command: String,
}

/// A subject that stays.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeptDocument {
    pub binding: BindingDocument,
    /// Kind and name.
    pub subject: String,
    /// Stable: `not-on-roster`, `unbound`, `role`, ...
    pub reason: &'static str,
    /// For people; its wording may change at any time.
    pub message: String,
}

fn at(at: &BindingAt) -> BindingDocument {
    BindingDocument { kind: at.kind(), namespace: at.namespace.clone(), name: at.name.clone() }
}

fn counts(left_out: &LeftOut) -> LeftOutDocument {
    LeftOutDocument {
        service_accounts: left_out.count(NoPerson::ServiceAccount),
        nodes: left_out.count(NoPerson::Node),
        system: left_out.count(NoPerson::System),
    }
}

fn grants(grants: &DraftGrants) -> Vec<GrantDocument> {
    let grant = |(role, extent): (&crate::model::RoleRef, &GrantPlaces)| GrantDocument {
        kind: role.kind(),
        role: role.name().to_string(),
        namespaces: match extent {
            GrantPlaces::Everywhere => None,
            GrantPlaces::In(namespaces) => Some(namespaces.iter().map(ToString::to_string).collect()),
        },
    };
    grants.iter().map(grant).collect()
}

/// A draft.
pub fn import(head: DraftHead<'_>, draft: &RosterDraft) -> ImportDocument {
    let RosterDraft { users, groups, not_taken, left_out } = draft;
    let users = users.iter().map(|(name, user)| UserDocument {
        user: name.to_string(),
        groups: user.groups.iter().map(ToString::to_string).collect(),
        grants: grants(&user.grants),
    });
    let groups = groups.iter().map(|(name, group)| GroupDocument {
        group: name.to_string(),
        in_certificate: group.in_certificate,
        stands_for: group.stands_for.as_ref().map(ToString::to_string),
        grants: grants(&group.grants),
    });
    let not_taken = not_taken.iter().map(|one| NotTakenDocument {
        subject: one.principal.to_string(),
        binding: one.binding.as_ref().map(at),
        reason: why_not_taken_code(&one.why),
        message: not_taken_line(one),
    });
    ImportDocument {
        format_version: 1,
        context: head.context.to_owned(),
        cluster: head.cluster.to_string(),
        users: users.collect(),
        groups: groups.collect(),
        not_taken: not_taken.collect(),
        left_out: counts(left_out),
        steps: steps("").to_vec(),
    }
}

/// One cluster that was read, or why it was not.
pub fn finished(
    cluster: &ClusterName,
    finish: &Finish<'_>,
    kubectl: Kubectl<'_>,
    error: Option<String>,
) -> FinishedClusterDocument {
    let removal = |removal: &ReplacedSubjects<'_>| {
        let subjects = removal.subjects.iter().filter_map(|index| removal.binding.subjects.get(*index));
        RemovalDocument {
            binding: at(&removal.binding.at),
            subjects: subjects.map(|subject| format!("{} {}", subject.kind, subject.name)).collect(),
            whole: removal.is_whole(),
            command: script::removal(kubectl, removal),
        }
    };
    let kept = |kept: &Kept<'_>| KeptDocument {
        binding: at(&kept.binding.at),
        subject: kept.principal.to_string(),
        reason: missing_code(&kept.why),
        message: missing(&kept.why),
    };
    FinishedClusterDocument {
        cluster: cluster.to_string(),
        error,
        removals: finish.removals.iter().map(removal).collect(),
        kept: finish.kept.iter().map(kept).collect(),
        left_out: counts(&finish.left_out),
    }
}

/// The JSON Schema of [`ImportDocument`], as committed in `schemas/import.schema.json`.
pub fn import_schema() -> String {
    schema(&schemars::schema_for!(ImportDocument))
}

/// The JSON Schema of [`FinishDocument`], as committed in `schemas/import-finish.schema.json`.
pub fn finish_schema() -> String {
    schema(&schemars::schema_for!(FinishDocument))
}

fn schema(schema: &schemars::Schema) -> String {
    serde_json::to_string_pretty(schema).unwrap_or_default() + "\n"
}
