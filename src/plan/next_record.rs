//! What the records say after a plan was carried out, wholly or in part.
//!
//! Pure, so that the executor and the tests of the plan share one truth about what the next plan
//! will find.

use std::collections::BTreeMap;

use super::action::CredentialAction;
use super::cleanup::Cleanup;
use super::cluster_plan::ClusterPlan;
use crate::model::UserName;
use crate::record::{API_VERSION, Credential, CredentialState, Record};

/// The record of one person after `actions` on them; `None` where nothing is left to remember.
///
/// `issued` is the new credential, where one was issued. What was to be revoked counts as revoked
/// even where the cluster could not be told: the record says what must never be bound again, and the
/// next plan sees a binding that still holds it.
pub fn record(
    plan: &ClusterPlan,
    user: &UserName,
    current: Option<&Record>,
    actions: &[&CredentialAction],
    issued: Option<Credential>,
) -> Option<Record> {
    let mut credentials: Vec<Credential> = current.map_or_else(Vec::new, |record| record.credentials.clone());
    for cleanup in &plan.cleanups {
        match cleanup {
            Cleanup::Protection { user: of, protected } if of == user => {
                credentials.iter_mut().for_each(|credential| credential.protected = *protected);
            }
            Cleanup::Revoked { user: of, credential: id } if of == user => {
                credentials
                    .iter_mut()
                    .filter(|c| c.id == *id)
                    .for_each(|c| c.state = CredentialState::Revoked);
            }
            Cleanup::Expired { user: of, credential: id, .. } if of == user => {
                credentials.retain(|credential| credential.id != *id);
            }
            Cleanup::Protection { .. }
            | Cleanup::Revoked { .. }
            | Cleanup::Expired { .. }
            | Cleanup::Request { .. } => {}
        }
    }
    for action in actions {
        let (id, state) = match action {
            CredentialAction::Revoke { user: _, reason: _, cut_off, protected: _ }
            | CredentialAction::Rotate { user: _, reason: _, new: _, cut_off } => {
                (&cut_off.credential, CredentialState::Revoked)
            }
            CredentialAction::Renew { user: _, reason: _, new: _, replaced: Some(replaced) }
                if issued.is_some() =>
            {
                (replaced, CredentialState::Superseded)
            }
            CredentialAction::Renew { user: _, reason: _, new: _, replaced: _ }
            | CredentialAction::Issue { user: _, reason: _, new: _ } => continue,
        };
        for credential in credentials.iter_mut().filter(|credential| credential.id == *id) {
            credential.state = state;
        }
    }
    if let Some(issued) = issued {
        for other in credentials.iter_mut().filter(|c| c.state == CredentialState::Active) {
            other.state = CredentialState::Superseded;
        }
        credentials.retain(|credential| credential.id != issued.id);
        credentials.push(issued);
    }
    (!credentials.is_empty()).then(|| Record {
        api_version: API_VERSION.to_owned(),
        kind: "Record".to_owned(),
        cluster: plan.name.clone(),
        user: user.clone(),
        credentials,
    })
}

/// Whether the person still has something to decrypt.
pub fn has_kubeconfig(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.credentials.iter().any(|c| c.state == CredentialState::Active))
}

/// Everyone whose record this plan touches, with what happens to them.
pub fn touched(plan: &ClusterPlan) -> BTreeMap<&UserName, Vec<&CredentialAction>> {
    let mut touched: BTreeMap<&UserName, Vec<&CredentialAction>> = BTreeMap::new();
    for action in &plan.people {
        touched.entry(action.user()).or_default().push(action);
    }
    for cleanup in &plan.cleanups {
        match cleanup {
            Cleanup::Expired { user, .. }
            | Cleanup::Protection { user, .. }
            | Cleanup::Revoked { user, .. } => {
                touched.entry(user).or_default();
            }
            Cleanup::Request { .. } => {}
        }
    }
    touched
}
