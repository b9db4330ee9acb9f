//! Who comes to full control by a plan, and through what: what a reader must not miss. Decided by what roles
//! allow, not by what they are called; only of a cluster that was not read, by the name that Kubernetes gives.

use std::collections::{BTreeMap, BTreeSet};

use super::action::CredentialAction;
use super::binding_diff::BindingDiff;
use super::observed::{BindingAt, ClusterState};
use super::residual_access::GivenRole;
use super::rights;
use crate::model::UserName;
use crate::rbac::{Authorizer, Control, Controls, Reach, Scope};

/// What is known of a role without the cluster.
const CLUSTER_ADMIN: &str = "ClusterRole cluster-admin";

/// Some who come to full control.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FullControl {
    /// Users, or what else is a subject.
    pub people: BTreeSet<String>,
    /// Kind and name of the role.
    pub role: String,
    /// The binding that gives it to them, where that is none of ours.
    pub through: Option<BindingAt>,
    pub reach: Reach,
}

/// A role, by kind and name, and the namespace that it is bound in: `None` is the whole cluster.
pub type BoundRole = (Option<String>, String);

/// Who gains full control: through our bindings, or because a new certificate names what bindings of others name.
pub(super) fn gained(
    state: Option<&ClusterState>,
    bindings: impl Iterator<Item = BindingDiff>,
    people: &[CredentialAction],
    foreign: &BTreeSet<(UserName, GivenRole)>,
) -> Vec<FullControl> {
    let bindings: Vec<BindingDiff> = bindings.collect();
    let of_ours = bindings.iter().map(|binding| (binding.unsplit.namespace.clone(), binding.role.clone()));
    let of_others = foreign.iter().map(|(_, given)| (given.at.namespace.clone(), given.role.clone()));
    let reaches = reaches(state, of_ours.chain(of_others).collect());
    let reach = |namespace: &Option<String>, role: &str| reaches.get(&(namespace.clone(), role.to_owned()));
    let mut gained = Vec::new();
    let dangerous =
        bindings.iter().filter(|binding| reach(&binding.unsplit.namespace, &binding.role).is_some());
    for rights in rights::changed(dangerous, people) {
        let Some(reach) = reach(&rights.at.namespace, rights.role) else { continue };
        if !rights.joins.is_empty() {
            let (role, reach) = (rights.role.to_owned(), reach.clone());
            gained.push(FullControl { people: rights.joins, role, through: None, reach });
        }
    }
    let mut by_others: BTreeMap<(&str, &BindingAt), (&Reach, BTreeSet<String>)> = BTreeMap::new();
    for (user, GivenRole { role, at }) in foreign {
        if let Some(reach) = reach(&at.namespace, role) {
            let (_, people) = by_others.entry((role, at)).or_insert((reach, BTreeSet::new()));
            people.insert(user.to_string());
        }
    }
    gained.extend(by_others.into_iter().map(|((role, at), (reach, people))| FullControl {
        people,
        role: role.to_owned(),
        through: Some(at.clone()),
        reach: reach.clone(),
    }));
    gained
}

/// Those of the roles that come to full control.
pub fn reaches(state: Option<&ClusterState>, roles: BTreeSet<BoundRole>) -> BTreeMap<BoundRole, Reach> {
    let Some(state) = state else {
        let known = roles.into_iter().filter(|(_, role)| role == CLUSTER_ADMIN);
        return known
            .map(|bound| {
                let scope = bound.0.clone().map_or(Scope::Cluster, Scope::Namespace);
                (bound, Reach { scope, by: Control::Everything })
            })
            .collect();
    };
    if roles.is_empty() {
        return BTreeMap::new();
    }
    let authorizer = Authorizer::new(&state.roles, &state.bindings);
    let controls = Controls::new(&authorizer);
    let reached = |(namespace, role): BoundRole| {
        let (kind, name) = role.split_once(' ')?;
        let rules = state.roles.rules(namespace.as_deref(), kind, name)?;
        let reach = controls.reach(rules, namespace.as_deref())?;
        Some(((namespace, role), reach))
    };
    roles.into_iter().filter_map(reached).collect()
}
