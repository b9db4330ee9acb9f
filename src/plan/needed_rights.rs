//! Which rights carrying out a plan takes, besides those for cutting off.
//!
//! A cut-off waits for no right: it goes as far as the rights go, and what fails is named. So a binding that
//! somebody plants can never hold up what is issued.

use std::collections::BTreeSet;

use super::binding_action::BindingAction;
use super::cluster_plan::ClusterPlan;
use super::observed::SeenLedger;
use crate::rights::needed::{to_bind, to_issue, to_remember, to_write_binding};
use crate::rights::{Place, Right};
use crate::roster::Roster;

impl ClusterPlan {
    /// Every right without which something could not be issued or bound.
    pub fn needed_rights(&self, roster: &Roster) -> BTreeSet<Right> {
        let mut needed = BTreeSet::new();
        if self.people.iter().any(|action| action.new_credential().is_some()) {
            let exists = !matches!(self.ledger.seen, SeenLedger::Missing);
            needed.insert(to_remember(&roster.name, exists));
            if let Some(cluster) = roster.clusters.get(&self.name) {
                needed.extend(to_issue(&cluster.signer_name));
            }
        }
        needed.extend(self.bindings.iter().flat_map(to_grant));
        needed
    }
}

fn to_grant(action: &BindingAction) -> Vec<Right> {
    let (Some(role), false) = (&action.role, action.desired.is_empty()) else { return Vec::new() };
    if !action.recreate && action.changes.iter().all(|change| !change.joins) {
        return Vec::new();
    }
    let namespace = action.at.namespace.as_deref();
    let verbs: &[&'static str] = match (&action.observed, action.recreate) {
        (None, _) => &["create", "get"],
        (Some(_), false) => &["patch", "get"],
        (Some(_), true) => &["delete", "create", "get"],
    };
    let place = namespace.map_or(Place::Cluster, |namespace| Place::Namespace(namespace.to_owned()));
    let writes = verbs.iter().map(|verb| to_write_binding(verb, namespace));
    writes.chain([to_bind(role, place)]).collect()
}
