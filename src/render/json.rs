//! A plan as machines read it: stable, versioned, described by `schemas/plan.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{binding, words};
use crate::plan::action::{CredentialAction, CutOff, NewCredential};
use crate::plan::digest::Digested;
use crate::plan::{ClusterChanges, Plan, Summary};

/// What `certctl plan --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// 1. It rises when a field changes its meaning or goes; new fields may come at any time.
    pub format_version: u32,
    /// `metadata.name` of the roster.
    pub roster: String,
    /// The commit that the roster was read at; absent where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roster_commit: Option<String>,
    /// `sha256:<hex>` over what the roster drives; renewals and clean-ups do not change it. With `--base`
    /// that of the whole plan. `offline:sha256:<hex>` where no cluster was asked: no apply can be held to it.
    pub digest: String,
    /// What the digest is over: SHA-256 of this object as JSON without spaces.
    pub digested: Digested,
    /// Present, and true, where no cluster was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
    /// With `--base`: what the branch is compared with. All else is then only what the branch changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseDocument>,
    /// By name.
    pub clusters: Vec<ClusterDocument>,
    /// Counts over all clusters.
    pub summary: Summary,
}

/// The revision that a branch is compared with.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseDocument {
    /// As it was asked for.
    pub revision: String,
    /// The commit where the branch began.
    pub commit: String,
    /// What is pending there already, and is not among the actions here.
    pub pending: Summary,
    /// What else the branch changes in the roster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// Why it could not be compared with, where it could not: there all actions are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One cluster of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDocument {
    /// The roster's name for it.
    pub name: String,
    /// What would be done: credentials first, then bindings, then clean-ups.
    pub actions: Vec<ActionDocument>,
    /// What to look at.
    pub warnings: Vec<WarningDocument>,
    /// When the next renewal falls due, and whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_renewal: Option<NextRenewal>,
    /// What was not looked at; absent where the cluster was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<UnseenDocument>,
    /// With `--base`: what is planned there, and with this branch is not any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

/// Something that was not looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnseenDocument {
    /// Stable: `cluster`, `server`, `certificate-authority`.
    pub code: &'static str,
    /// For people.
    pub what: String,
}

/// One thing to do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ActionDocument {
    /// `issue`, `renew`, `rotate`, `revoke`.
    Credential {
        /// The word.
        #[schemars(extend("enum" = ["issue", "renew", "rotate", "revoke"]))]
        action: &'static str,
        user: String,
        /// The credential that is replaced or revoked.
        #[serde(skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
        /// Why, for people: a sentence may be worded otherwise at any time.
        reason: String,
        /// Why, stable: `new`, `renewal-due`, `generation-raised`, ...
        #[serde(rename = "reasonCode")]
        reason_code: &'static str,
        /// Until when the new one will be valid, or the revoked one still authenticates (RFC 3339).
        #[serde(rename = "notAfter")]
        not_after: String,
    },
    /// `bind`, `update`, `unbind`.
    Binding {
        /// The word.
        #[schemars(extend("enum" = ["bind", "update", "unbind"]))]
        action: String,
        /// `RoleBinding` or `ClusterRoleBinding`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its namespace, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// `ClusterRole <name>` or `Role <name>`.
        role: String,
        /// Its subjects as a unified diff.
        diff: String,
    },
    /// `cleanup`.
    Cleanup {
        /// The word.
        #[schemars(extend("enum" = ["cleanup"]))]
        action: &'static str,
        /// What, and why, for people: a sentence may be worded otherwise at any time.
        reason: String,
        /// What, stable: `expired-credential`, `protection`, `leftover-request`.
        #[serde(rename = "reasonCode")]
        reason_code: &'static str,
    },
}

/// Something to look at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WarningDocument {
    /// Stable: `foreign-csr`, `until-soon`, ...
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// The next renewal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NextRenewal {
    /// When (RFC 3339).
    pub at: String,
    pub user: String,
}

/// The plan as a document.
pub fn document(plan: &Plan, digest: &str, digested: Digested) -> PlanDocument {
    PlanDocument {
        format_version: 1,
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
            notes: base.notes.clone(),
        }),
        clusters: plan.clusters.iter().map(cluster).collect(),
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

fn cluster(plan: &ClusterChanges) -> ClusterDocument {
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
        warnings: words::warnings(&plan.warnings)
            .into_iter()
            .map(|(code, message)| WarningDocument { code, message })
            .collect(),
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

/// Any document as text. What GitHub's runner would take for a command (see `actions`) can be in a name
/// here: it is written with an escape of JSON's, and so is the same name.
pub fn text(document: &impl Serialize) -> String {
    // Numbers and strings always serialize.
    let text = serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
    text.replace("##[", "#\\u0023[")
}

/// The JSON Schema of [`PlanDocument`], as it is kept in `schemas/plan.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(PlanDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
