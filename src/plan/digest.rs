//! The name of a plan: SHA-256 over what the roster drives.
//!
//! What the clock drives (renewals, clean-ups) is left out, so a plan that was approved on Monday
//! still has its name on Tuesday. A binding counts by the people who join or leave it, not by the
//! credentials, because a renewal changes those without changing anyone's rights.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ClusterPlan, Plan};
use crate::model::{hex, sha256};

#[derive(Serialize)]
struct Digested<'a> {
    roster: &'a str,
    clusters: Vec<DigestedCluster<'a>>,
}

#[derive(Serialize)]
struct DigestedCluster<'a> {
    name: &'a str,
    uid: &'a str,
    people: Vec<(&'a str, &'a str, String, String)>,
    bindings: Vec<DigestedBinding>,
}

#[derive(Serialize)]
struct DigestedBinding {
    at: String,
    role: String,
    /// Who joins (+1) or leaves (-1), people whose credentials only change left out.
    changes: BTreeMap<String, i64>,
}

/// `sha256:<hex>`.
pub fn digest(plan: &Plan) -> String {
    let digested = Digested {
        roster: plan.roster.as_str(),
        clusters: plan
            .clusters
            .iter()
            .map(cluster)
            .filter(|c| !c.people.is_empty() || !c.bindings.is_empty())
            .collect(),
    };
    // Serializing plain strings and numbers cannot fail; an empty text would still be no other plan's.
    let text = serde_json::to_vec(&digested).unwrap_or_default();
    format!("sha256:{}", hex(&sha256(&text)))
}

fn cluster(plan: &ClusterPlan) -> DigestedCluster<'_> {
    let driven = plan.people.iter().filter(|action| action.reason.roster_driven());
    let people = driven.map(|action| {
        // Which credential is new or old is the clock's doing: a renewal in between must not count.
        (action.user.as_str(), action.verb.word(), action.reason.to_string(), recipients(action))
    });
    let clock: Vec<_> = plan
        .people
        .iter()
        .filter(|action| !action.reason.roster_driven())
        .map(|action| action.user.as_str())
        .collect();
    let mut bindings = Vec::new();
    for binding in &plan.bindings {
        let mut changes: BTreeMap<String, i64> = BTreeMap::new();
        for change in &binding.changes {
            let who = match &change.user {
                Some(user) if clock.contains(&user.as_str()) => continue,
                Some(user) => user.to_string(),
                None => change.subject.clone(),
            };
            *changes.entry(who).or_default() += if change.joins { 1 } else { -1 };
        }
        changes.retain(|_, balance| *balance != 0);
        if !changes.is_empty() {
            let role = binding.role_text();
            bindings.push(DigestedBinding { at: binding.at.to_string(), role, changes });
        }
    }
    DigestedCluster { name: plan.name.as_str(), uid: &plan.uid, people: people.collect(), bindings }
}

fn recipients(action: &super::CredentialAction) -> String {
    let sealed = action.issuance.as_ref().map(|issuance| {
        let recipients: Vec<&str> = issuance.recipients.iter().map(|r| r.as_str()).collect();
        hex(&sha256(recipients.join("\n").as_bytes()))
    });
    sealed.unwrap_or_default()
}
