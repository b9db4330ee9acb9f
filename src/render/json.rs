//! A plan as machines read it: stable, versioned, described by `schemas/plan.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{binding, words};
use crate::model::ClusterName;
use crate::plan::action::{CredentialAction, CutOff, NewCredential};
use crate::plan::digest::Digested;
use crate::plan::full_control::FullControl;
use crate::plan::{Approval, ClusterChanges, Held, Plan, Summary};
use crate::rbac::Scope;
use crate::roster::RosterFileNames;

/// The format of that output.
pub const FORMAT_VERSION: u32 = 1;

/// The output of `certctl plan --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// `metadata.name` of the roster.
    pub roster: String,
    /// The commit that the roster was read from; absent if there is none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roster_commit: Option<String>,
    /// `sha256:<hex>` of what the roster drives; renewals and cleanups do not change it. With `--base`, that
    /// of the whole plan. `offline:sha256:<hex>` for an offline plan, which apply does not accept.
    pub digest: String,
    /// The input of the digest: it is the SHA-256 of this object as JSON without spaces.
    pub digested: Digested,
    /// Present and true for an offline plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
    /// With `--base`: the revision compared with. Everything else then covers only the branch's changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseDocument>,
    /// The clusters, sorted by name.
    pub clusters: Vec<ClusterDocument>,
    /// Counts over all clusters.
    pub summary: Summary,
}

/// The revision that a branch is compared with.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseDocument {
    /// The revision as given on the command line.
    pub revision: String,
    /// The commit at which the branch started.
    pub commit: String,
    /// Changes already pending there, which are not among the actions here.
    pub pending: Summary,
    /// Other roster changes of the branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// The files of the roster that the branch changes, with their code owners at the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalDocument>,
    /// Why the comparison was not possible, if so; all actions are then listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A file of the roster that a branch changes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDocument {
    /// The file.
    pub file: String,
    /// Its code owners; empty if it has none.
    pub owners: Vec<String>,
}

/// One cluster of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDocument {
    /// The cluster's name in the roster.
    pub name: String,
    /// The planned actions: credentials first, then bindings, then cleanups.
    pub actions: Vec<ActionDocument>,
    /// What is held back until its cause is fixed; with `--base`, only what this branch newly holds back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldDocument>,
    /// With `--base`: what is held back there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_before: Vec<HeldDocument>,
    /// Why nothing is known of this cluster, if so: it was not read, or refused. Nothing else is then listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Warnings to review.
    pub warnings: Vec<WarningDocument>,
    /// Who gains full control of the cluster or of a namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_control: Vec<FullControlDocument>,
    /// The next renewal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_renewal: Option<NextRenewal>,
    /// What was not checked; absent if the cluster was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<UnseenDocument>,
    /// With `--base`: actions planned there that this branch removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

/// Something that was not checked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnseenDocument {
    /// Stable: `cluster`, `server`, `certificate-authority`.
    pub code: &'static str,
    /// For people.
    pub what: String,
}

/// One planned action.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ActionDocument {
    /// `issue`, `renew`, `rotate`, `revoke`.
    Credential {
        /// The kind of action.
        #[schemars(extend("enum" = ["issue", "renew", "rotate", "revoke"]))]
        action: &'static str,
        /// The user's name.
        user: String,
        /// The credential that is replaced or revoked.
        #[serde(skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
        /// The reason, for people; its wording may change at any time.
        reason: String,
        /// The reason as a stable code: `new`, `renewal-due`, `generation-raised`, ...
        #[serde(rename = "reasonCode")]
        reason_code: &'static str,
        /// When the new credential expires, or until when the revoked one still authenticates (RFC 3339).
        #[serde(rename = "notAfter")]
        not_after: String,
    },
    /// `bind`, `update`, `unbind`.
    Binding {
        /// The kind of action.
        #[schemars(extend("enum" = ["bind", "update", "unbind"]))]
        action: String,
        /// `RoleBinding` or `ClusterRoleBinding`.
        kind: &'static str,
        /// The binding's name.
        name: String,
        /// The binding's namespace, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// `ClusterRole <name>` or `Role <name>`.
        role: String,
        /// The binding's subjects as a unified diff.
        diff: String,
    },
    /// `cleanup`.
    Cleanup {
        /// The kind of action.
        #[schemars(extend("enum" = ["cleanup"]))]
        action: &'static str,
        /// The reason, for people; its wording may change at any time.
        reason: String,
        /// The reason as a stable code: `expired-credential`, `protection`, `revoked-in-cluster`, `leftover-request`.
        #[serde(rename = "reasonCode")]
        reason_code: &'static str,
    },
}

/// Something that is held back until its cause is fixed. Everything else goes on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldDocument {
    /// Stable: `missing-namespace`, `terminating-namespace`, `missing-role`, `foreign-binding-name`,
    /// `record-unreadable`, `sealed-unreadable`, `key-refused`, `not-issued-by-us`,
    /// `ledger-unusable`.
    pub code: &'static str,
    /// The user to whom nothing is issued, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The binding to which nobody is added, if it is one: its kind, and its name after the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// Where the roster asks for it: `users.yaml:8:19`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// For people; its wording may change at any time.
    pub message: String,
    /// How to fix it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A warning to review.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WarningDocument {
    /// Stable: `foreign-csr`, `until-soon`, ...
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// Some who gain full control.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FullControlDocument {
    /// The users.
    pub users: Vec<String>,
    /// The namespace that they control; absent if it is the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `ClusterRole <name>` or `Role <name>`.
    pub role: String,
    /// The binding that gives it to them, if it is not one of certctl's: its kind, and its name after the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// How the role comes to full control, for people; absent if it allows everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

/// The next renewal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextRenewal {
    /// When it falls due (RFC 3339).
    pub at: String,
    /// The user's name.
    pub user: String,
}

/// The plan as a document.
pub fn document(plan: &Plan, digest: &str, digested: Digested) -> PlanDocument {
    PlanDocument {
        format_version: FORMAT_VERSION,
        roster: plan.roster.to_string(),
        roster_commit: plan.roster_commit.clone(),
        digest: digest.to_owned(),
        digested,
        offline: plan.is_offline(),
        base: plan.base.as_ref().map(|base| BaseDocument {
            revision: base.revision.clone(),
            commit: base.commit.clone(),
            pending: base.pending,
            edits: base.roster_changes.iter().map(words::roster_change).collect(),
            approvals: (base.approvals.iter())
                .map(|Approval { file, owners }| ApprovalDocument {
                    file: file.clone(),
                    owners: owners.clone(),
                })
                .collect(),
            notes: base.notes.clone(),
        }),
        clusters: clusters(plan),
        summary: plan.summary(),
    }
}

fn credential(action: &CredentialAction) -> ActionDocument {
    let new_until = |new: &NewCredential| {
        // What it holds is in `digested`, and who else can use it is a warning.
        let NewCredential { issuance: _, not_after, transfer: _ } = new;
        *not_after
    };
    let (user, reason, previous, not_after) = match action {
        CredentialAction::Issue { user, reason, new } => (user, reason, None, new_until(new)),
        CredentialAction::Renew { user, reason, new, replaced } => {
            (user, reason, replaced.as_ref(), new_until(new))
        }
        CredentialAction::Rotate { user, reason, new, cut_off } => {
            let CutOff { credential, not_after: _, residual_access: _ } = cut_off;
            (user, reason, Some(credential), new_until(new))
        }
        CredentialAction::Revoke { user, reason, cut_off, protected: _ } => {
            let CutOff { credential, not_after, residual_access: _ } = cut_off;
            (user, reason, Some(credential), *not_after)
        }
    };
    ActionDocument::Credential {
        action: action.verb().word(),
        user: user.to_string(),
        credential: previous.map(ToString::to_string),
        reason: words::why(action),
        reason_code: reason.code(),
        not_after: not_after.to_string(),
    }
}

/// Those that were planned and those that were not, by name.
fn clusters(plan: &Plan) -> Vec<ClusterDocument> {
    let planned = plan.clusters.iter().map(|changes| cluster(&plan.roster_files, changes));
    let unread = plan.unread.iter().map(|unread| ClusterDocument {
        name: unread.name.to_string(),
        actions: Vec::new(),
        held: Vec::new(),
        held_before: Vec::new(),
        error: Some(unread.error.clone()),
        warnings: Vec::new(),
        full_control: Vec::new(),
        next_renewal: None,
        unseen: Vec::new(),
        withdrawn: Vec::new(),
    });
    let mut clusters: Vec<ClusterDocument> = planned.chain(unread).collect();
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters
}

/// What is held back on one cluster.
pub fn held(files: &RosterFileNames, cluster: &ClusterName, held: &[Held]) -> Vec<HeldDocument> {
    let document = |held: &Held| {
        let error = words::held(files, cluster, held);
        HeldDocument {
            code: held.code(),
            user: held.user().map(ToString::to_string),
            binding: held.binding().map(|binding| binding.to_string()),
            position: held.position().map(|at| files.place(at)),
            message: error.message().to_owned(),
            hint: error.hints().first().cloned(),
        }
    };
    held.iter().map(document).collect()
}

fn cluster(files: &RosterFileNames, plan: &ClusterChanges) -> ClusterDocument {
    let people = plan.people.iter().map(credential);
    let bindings = plan.bindings.iter().map(|action| ActionDocument::Binding {
        action: action.verb.to_string(),
        kind: action.at.kind(),
        name: action.at.name.clone(),
        namespace: action.at.namespace.clone(),
        role: action.role.clone(),
        diff: binding::unified(action),
    });
    let cleanups = plan.cleanups.iter().map(|cleanup| ActionDocument::Cleanup {
        action: "cleanup",
        reason: words::cleanup(cleanup),
        reason_code: cleanup.code(),
    });
    ClusterDocument {
        name: plan.name.to_string(),
        actions: people.chain(bindings).chain(cleanups).collect(),
        held: held(files, &plan.name, &plan.held),
        held_before: held(files, &plan.name, &plan.held_before),
        error: None,
        warnings: words::warnings(&plan.warnings)
            .into_iter()
            .map(|(code, message)| WarningDocument { code, message })
            .collect(),
        full_control: plan.full_control.iter().map(full_control).collect(),
        next_renewal: plan
            .next_renewal
            .as_ref()
            .map(|(at, user)| NextRenewal { at: at.to_string(), user: user.to_string() }),
        unseen: plan
            .unknown
            .iter()
            .map(|unknown| UnseenDocument { code: unknown.code(), what: words::unknown(*unknown).to_owned() })
            .collect(),
        withdrawn: plan.withdrawn.iter().map(words::withdrawn).collect(),
    }
}

fn full_control(gained: &FullControl) -> FullControlDocument {
    let FullControl { people, role, through, reach } = gained;
    FullControlDocument {
        users: people.iter().cloned().collect(),
        namespace: match &reach.scope {
            Scope::Cluster => None,
            Scope::Namespace(namespace) => Some(namespace.clone()),
        },
        role: role.clone(),
        binding: through.as_ref().map(ToString::to_string),
        how: super::full_control::control(&reach.by),
    }
}

/// Any document as text. What GitHub's runner would take for a command (see `actions`) can be in a name
/// here: it is written with an escape of JSON's, and so is the same name.
pub fn text(document: &impl Serialize) -> String {
    // Numbers and strings always serialize.
    let text = serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
    text.replace("##[", "#\\u0023[")
}

/// The JSON Schema of [`PlanDocument`], as committed in `schemas/plan.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(PlanDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
