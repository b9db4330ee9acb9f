//! Roles that the roster grants, and that the identity of apply could not bind. Who that is, the cluster says where
//! somebody bound the role that is made for it; elsewhere only apply itself can tell, and asks before its first write.

use std::collections::BTreeSet;

use super::observed::ClusterState;
use super::warning::Warning;
use crate::model::{ClusterName, RoleRef};
use crate::rbac::{AccessRequest, Authorizer, PolicyRule, Requester, Subject};
use crate::rights::manifest::{self, Duty};
use crate::rights::needed::bound_roles;
use crate::rights::{Place, Right};
use crate::roster::Roster;

/// Identities that are looked at: there is one as a rule, and anybody may bind more.
const MOST: usize = 10;

/// Each such role once.
pub(super) fn find(roster: &Roster, cluster: &ClusterName, state: &ClusterState) -> Vec<Warning> {
    let name = manifest::name(&roster.name, Duty::Apply);
    let gives = state.bindings.iter().filter(|binding| {
        binding.at.namespace.is_none() && binding.role_kind == "ClusterRole" && binding.role_name == name
    });
    let identities: BTreeSet<&Subject> = gives.flat_map(|binding| &binding.subjects).take(MOST).collect();
    if identities.is_empty() {
        return Vec::new();
    }
    let authorizer = Authorizer::new(&state.roles, &state.bindings);
    let mut found = BTreeSet::new();
    for (role, right) in bound_roles(roster, cluster) {
        let lacks =
            |identity: &&&Subject| !may_bind(&authorizer, state, &Requester::of(identity), role, &right);
        if let Some(identity) = identities.iter().find(lacks) {
            let (identity, role) = (super::binding_action::subject_text(identity), role.clone());
            found.insert(Warning::NotBindable { role, identity });
        }
    }
    found.into_iter().collect()
}

/// By `bind`, or because they hold all of it themselves (pkg/registry/rbac/escalation_check.go).
fn may_bind(
    authorizer: &Authorizer<'_>,
    state: &ClusterState,
    identity: &Requester,
    role: &RoleRef,
    right: &Right,
) -> bool {
    let namespace = match &right.place {
        Place::Namespace(namespace) => Some(namespace.as_str()),
        Place::Cluster | Place::AllNamespaces => None,
    };
    let bind =
        request("bind", right.resource.group(), right.resource.plural(), role.name().as_str(), namespace);
    if authorizer.allows(identity, &bind) {
        return true;
    }
    let rules = state.roles.rules(namespace, role.kind(), role.name().as_str());
    rules.is_some_and(|rules| {
        rules
            .iter()
            .flat_map(|rule| requests(rule, namespace))
            .all(|request| authorizer.allows(identity, &request))
    })
}

/// Everything that a rule allows, one by one.
fn requests<'r>(
    rule: &'r PolicyRule,
    namespace: Option<&'r str>,
) -> impl Iterator<Item = AccessRequest> + 'r {
    let any = [String::new()];
    let names: Vec<String> =
        if rule.resource_names.is_empty() { any.to_vec() } else { rule.resource_names.clone() };
    rule.verbs.iter().flat_map(move |verb| {
        let names = names.clone();
        let on_objects = rule.api_groups.iter().flat_map(move |group| {
            let names = names.clone();
            rule.resources.iter().flat_map(move |resource| {
                let each = |name: &String| request(verb, group, resource, name, namespace);
                names.iter().map(each).collect::<Vec<_>>()
            })
        });
        let path = |path: &String| AccessRequest::Path { verb: verb.clone(), path: path.clone() };
        on_objects.chain(rule.non_resource_urls.iter().map(path))
    })
}

fn request(verb: &str, group: &str, resource: &str, name: &str, namespace: Option<&str>) -> AccessRequest {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    AccessRequest::Resource {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    }
}
