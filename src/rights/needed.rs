//! Everything that plan and apply need. What is not in here, no identity of certctl's is granted.

use std::collections::BTreeSet;

use super::{Place, Resource, Right};
use crate::model::{ClusterName, RoleRef, RosterName, SignerName};
use crate::roster::{Grant, Roster};

/// The namespace of the objects that certctl keeps for itself.
pub const HOME: &str = "kube-system";

/// The ConfigMap in which the API server publishes its client CAs.
pub const CLIENT_AUTHORITIES: &str = "extension-apiserver-authentication";

/// What a right is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Without it, nothing can be planned.
    Read,
    /// Without it, nobody notices that the client CA was replaced; nothing else depends on it.
    ClientAuthorities,
    /// To keep two applies apart.
    Lock,
    /// To take access away.
    CutOff,
    /// To remember in the cluster what was revoked and issued.
    Remember,
    /// To have certificates signed.
    Issue,
    /// To give access.
    Bind,
}

/// A right, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededRight {
    pub purpose: Purpose,
    pub right: Right,
}

/// The name of the objects that certctl keeps for itself: a ConfigMap and a Lease.
pub fn own_object(roster: &RosterName) -> String {
    format!("certctl-{roster}")
}

/// What a plan needs: it only reads.
pub fn to_plan(roster: &RosterName) -> Vec<NeededRight> {
    use Resource as R;
    let mut needed = Vec::new();
    let lists = [R::Namespaces, R::ClusterRoles, R::ClusterRoleBindings, R::SigningRequests];
    add(&mut needed, Purpose::Read, lists.map(|resource| right("list", resource, Place::Cluster, None)));
    let lists = [R::Roles, R::RoleBindings];
    add(
        &mut needed,
        Purpose::Read,
        lists.map(|resource| right("list", resource, Place::AllNamespaces, None)),
    );
    add(&mut needed, Purpose::Read, [at_home("get", R::ConfigMaps, Some(own_object(roster)))]);
    let authorities = at_home("get", R::ConfigMaps, Some(CLIENT_AUTHORITIES.to_owned()));
    add(&mut needed, Purpose::ClientAuthorities, [authorities]);
    needed
}

/// What an apply needs besides, whatever the roster is changed to, but for the roles that it grants: those
/// are the ones of this roster.
pub fn to_apply(roster: &Roster, cluster: &ClusterName) -> Vec<NeededRight> {
    use Resource as R;
    let mut needed = Vec::new();
    let own = || Some(own_object(&roster.name));
    let lease = [("get", own()), ("update", own()), ("create", None)]
        .map(|(verb, name)| at_home(verb, R::Leases, name));
    add(&mut needed, Purpose::Lock, lease);
    for verb in ["get", "patch", "delete"] {
        add(&mut needed, Purpose::CutOff, everywhere(verb));
    }
    add(&mut needed, Purpose::Remember, [at_home("update", R::ConfigMaps, own()), create_ledger()]);
    if let Some(cluster) = roster.clusters.get(cluster) {
        add(&mut needed, Purpose::Issue, to_issue(&cluster.signer_name));
    }
    add(&mut needed, Purpose::Bind, everywhere("create"));
    let roles: BTreeSet<Right> = bound_roles(roster, cluster).map(|(_, right)| right).collect();
    add(&mut needed, Purpose::Bind, roles);
    needed
}

/// What is needed to have certificates signed.
pub fn to_issue(signer: &SignerName) -> Vec<Right> {
    let requests = ["create", "get", "list", "watch", "delete"];
    let requests = requests.map(|verb| right(verb, Resource::SigningRequests, Place::Cluster, None));
    let approval = [
        right("update", Resource::SigningApproval, Place::Cluster, None),
        right("approve", Resource::Signers, Place::Cluster, Some(signer.to_string())),
    ];
    requests.into_iter().chain(approval).collect()
}

/// What is needed to make or replace the ledger.
pub fn to_remember(roster: &RosterName, exists: bool) -> Right {
    match exists {
        true => at_home("update", Resource::ConfigMaps, Some(own_object(roster))),
        false => create_ledger(),
    }
}

/// What a binding of this role takes besides the right to write it: without it, Kubernetes lets an identity
/// bind only a role whose every right it has itself (pkg/registry/rbac/rolebinding/policybased). Also for taking a
/// subject out.
pub fn to_bind(role: &RoleRef, place: Place) -> Right {
    let resource = match role {
        RoleRef::ClusterRole(_) => Resource::ClusterRoles,
        RoleRef::Role(_) => Resource::Roles,
    };
    right("bind", resource, place, Some(role.name().to_string()))
}

/// A write of a binding.
pub fn to_write_binding(verb: &'static str, namespace: Option<&str>) -> Right {
    match namespace {
        None => right(verb, Resource::ClusterRoleBindings, Place::Cluster, None),
        Some(namespace) => right(verb, Resource::RoleBindings, Place::Namespace(namespace.to_owned()), None),
    }
}

/// Each role that the roster grants on a cluster, with what it takes to bind it there.
pub fn bound_roles<'r>(
    roster: &'r Roster,
    cluster: &'r ClusterName,
) -> impl Iterator<Item = (&'r RoleRef, Right)> {
    let of = |grant: &'r Grant| to_bind_all_of(grant).into_iter().map(move |right| (&grant.role, right));
    granted(roster, cluster).flat_map(of)
}

/// What the roster grants on a cluster to anybody.
fn granted<'r>(roster: &'r Roster, cluster: &'r ClusterName) -> impl Iterator<Item = &'r Grant> {
    let shared = roster.groups.values().flat_map(|group| &group.grants);
    let users = roster.users.values().filter(|user| user.clusters.contains(cluster));
    let all = shared.chain(users.flat_map(|user| &user.grants));
    all.filter(|grant| grant.clusters.includes(cluster))
}

fn to_bind_all_of(grant: &Grant) -> Vec<Right> {
    match &grant.namespaces {
        None => vec![to_bind(&grant.role, Place::Cluster)],
        // Which namespaces fit, the cluster says only later.
        Some(_) if grant.matching.is_some() => vec![to_bind(&grant.role, Place::AllNamespaces)],
        Some(namespaces) => {
            let places = namespaces.iter().map(|(namespace, _)| Place::Namespace(namespace.to_string()));
            places.map(|place| to_bind(&grant.role, place)).collect()
        }
    }
}

/// A create has no name yet, so it cannot be limited to one.
fn create_ledger() -> Right {
    at_home("create", Resource::ConfigMaps, None)
}

fn everywhere(verb: &'static str) -> [Right; 2] {
    [
        right(verb, Resource::ClusterRoleBindings, Place::Cluster, None),
        right(verb, Resource::RoleBindings, Place::AllNamespaces, None),
    ]
}

fn at_home(verb: &'static str, resource: Resource, name: Option<String>) -> Right {
    right(verb, resource, Place::Namespace(HOME.to_owned()), name)
}

fn right(verb: &'static str, resource: Resource, place: Place, name: Option<String>) -> Right {
    Right { verb, resource, place, name }
}

fn add(needed: &mut Vec<NeededRight>, purpose: Purpose, rights: impl IntoIterator<Item = Right>) {
    needed.extend(rights.into_iter().map(|right| NeededRight { purpose, right }));
}
