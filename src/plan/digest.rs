//! The name of a plan: SHA-256 over what the roster drives.
//!
//! What the clock drives (renewals, clean-ups, what has expired or reached its `until`) is left out, so
//! a plan that was approved on Monday still has its name on Tuesday. A binding counts by the people who
//! join or leave it, not by credentials and not by the objects that it is split into: a renewal adds a
//! credential, and may so split a binding, without changing anyone's rights. What is hashed are codes and
//! data, never the words of `render`: another wording is the same plan.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{CredentialAction, CutOff, Issuance, NewCredential};
use super::changes::{ClusterChanges, Plan};
use super::observed::BindingAt;
use super::reason::Reason;
use super::rights::{self, RightsChange};
use super::terms::Terms;
use crate::model::{KeySource, hex, sha256};

/// What a digest begins with.
const PREFIX: &str = "sha256:";

/// What the digest of a plan that saw no cluster begins with. It names another thing, and no apply can
/// be held to it.
pub const OFFLINE: &str = "offline:";

/// What a digest is over. Two plans with the same content do the same to people's access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digested {
    /// `metadata.name` of the roster.
    pub roster: String,
    /// Those where something happens that the roster drives.
    pub clusters: Vec<DigestedCluster>,
}

/// One cluster of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestedCluster {
    /// The roster's name for it.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// What happens to people's credentials.
    pub people: BTreeSet<DigestedPerson>,
    /// Whose rights change.
    pub bindings: BTreeSet<DigestedBinding>,
    /// Where credentials lead, and how long rights last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// One decision about one person. Which credential is new or old is the clock's doing: a renewal in
/// between must not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestedPerson {
    /// Whose credential.
    pub user: String,
    /// `issue`, `renew`, `rotate` or `revoke`.
    pub action: String,
    /// Why: a code, with its data beside it.
    #[serde(flatten)]
    pub reason: Reason,
    /// SHA-256 over the recipients that a new one is sealed to; empty where there is none, as all that follows.
    pub recipients: String,
    /// The default namespace of its context.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Groups that go into its certificate, where nothing can revoke them.
    pub groups: BTreeSet<String>,
    /// Its kind of key, or the SHA-256 of the request that brings one.
    pub key: String,
    /// How long the roster lets it be valid, in seconds.
    pub validity: String,
    /// When it ends all the same.
    pub until: String,
}

impl DigestedPerson {
    /// Whether they get a new credential.
    pub(super) fn gets_a_credential(&self) -> bool {
        !self.recipients.is_empty()
    }
}

/// Who gets the rights of a binding, or a binding and its parts, and who loses them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestedBinding {
    /// Kind and name of the binding.
    pub binding: String,
    /// Kind and name of the role.
    pub role: String,
    /// Users, or what else is a subject.
    pub joins: BTreeSet<String>,
    /// Users, or what else is a subject.
    pub leaves: BTreeSet<String>,
}

/// `sha256:<hex>`; `offline:sha256:<hex>` of a plan that saw no cluster.
pub fn digest(plan: &Plan) -> String {
    digest_from(plan, &digested(plan))
}

/// [`digest`], where what it is over is at hand.
pub fn digest_from(plan: &Plan, digested: &Digested) -> String {
    let digest = digest_of(digested);
    if plan.is_offline() { format!("{OFFLINE}{digest}") } else { digest }
}

/// `sha256:<hex>` over this content.
pub fn digest_of(digested: &Digested) -> String {
    // Serializing plain strings cannot fail; an empty text would still be no other plan's.
    let text = serde_json::to_vec(digested).unwrap_or_default();
    format!("{PREFIX}{}", hex(&sha256(&text)))
}

/// Whether two digests, with their prefix or without, are the same one.
pub fn same(one: &str, other: &str) -> bool {
    one.trim_start_matches(PREFIX) == other.trim_start_matches(PREFIX)
}

/// What the digest of this plan is over.
pub fn digested(plan: &Plan) -> Digested {
    let clusters = plan.clusters.iter().map(cluster);
    Digested {
        roster: plan.roster.to_string(),
        clusters: clusters
            .filter(|c| {
                !c.people.is_empty()
                    || !c.bindings.is_empty()
                    || c.terms.as_ref().is_some_and(|terms| !terms.fitting.is_empty())
            })
            .collect(),
    }
}

fn cluster(plan: &ClusterChanges) -> DigestedCluster {
    let driven = plan.people.iter().filter(|action| action.reason().is_roster_driven());
    // How many old credentials someone has besides the one that is cut off, the clock decides.
    let people = driven.filter(|action| *action.reason() != Reason::SuccessorCutOff).map(person).collect();
    // Which namespaces fit is the cluster's doing: who is bound in them is in the terms.
    let fits = |at: &BindingAt| {
        let fitting = plan.terms.as_ref().map(|terms| &terms.fitting);
        at.namespace.is_some() && fitting.is_some_and(|fitting| fitting.contains_key(at.unsplit_name()))
    };
    let named = plan.bindings.iter().filter(|binding| !fits(&binding.unsplit));
    let bindings = rights::changed(named, &plan.people).into_iter();
    let bindings = bindings.map(|RightsChange { at, role, joins, leaves }| DigestedBinding {
        binding: at.to_string(),
        role: role.to_owned(),
        joins,
        leaves,
    });
    DigestedCluster {
        name: plan.name.to_string(),
        uid: plan.uid.clone().unwrap_or_default(),
        people,
        bindings: bindings.collect(),
        terms: plan.terms.clone(),
    }
}

fn person(action: &CredentialAction) -> DigestedPerson {
    // Which credential goes, until when it lasts and what is left to it, the clock and the cluster decide.
    let (user, reason, new) = match action {
        CredentialAction::Issue { user, reason, new }
        | CredentialAction::Renew { user, reason, new, replaced: _ }
        | CredentialAction::Rotate {
            user,
            reason,
            new,
            cut_off: CutOff { credential: _, not_after: _, residual_access: _ },
        } => (user, reason, Some(new)),
        CredentialAction::Revoke { user, reason, cut_off: _, protected: _ } => (user, reason, None),
    };
    let person = DigestedPerson {
        user: user.to_string(),
        action: action.verb().word().to_owned(),
        reason: reason.clone(),
        recipients: String::new(),
        namespace: String::new(),
        groups: BTreeSet::new(),
        key: String::new(),
        validity: String::new(),
        until: String::new(),
    };
    // Who else can use it follows from the recipients and the key.
    let Some(NewCredential { issuance, not_after: _, transfer: _ }) = new else { return person };
    // What is left of the validity, the clock decides; whether the roster protects them is noted by a clean-up,
    // `generation` is a reason, and the route is among the cluster's terms.
    let Issuance {
        key,
        recipients,
        route: _,
        context_name: _,
        namespace,
        in_certificate_groups,
        generation: _,
        validity: _,
        roster_validity,
        protected: _,
        not_after_limit,
    } = issuance;
    let recipients: Vec<&str> = recipients.iter().map(|r| r.as_str()).collect();
    DigestedPerson {
        recipients: hex(&sha256(recipients.join("\n").as_bytes())),
        namespace: namespace.as_ref().map_or(String::new(), ToString::to_string),
        groups: in_certificate_groups.iter().map(ToString::to_string).collect(),
        key: match key {
            KeySource::Made(kind) => kind.to_string(),
            KeySource::Brought(brought) => format!("csr {}", brought.csr_sha256),
        },
        validity: roster_validity.as_secs().to_string(),
        until: not_after_limit.map_or(String::new(), |until| until.to_string()),
        ..person
    }
}
