//! Who should hold what by the roster: one binding for each group or user, role and namespace.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::binding_key::{BindingKey, BindingSubject, Grantee, parts};
use super::credentials::{grant_lasts, has_access};
use super::observed::{BindingAt, ClusterState};
use super::people::People;
use crate::model::{ClusterName, CredentialGroup, Holder, Namespace, Position, RoleRef, UserName};
use crate::roster::{Grant, GrantOf, NamespaceMatch, Roster};

/// Everything that should be bound.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Whom each binding names; never empty.
    pub subjects: BTreeMap<BindingKey, BTreeSet<BindingSubject>>,
    /// Where the roster says so, for errors.
    pub positions: BTreeMap<BindingKey, Position>,
    /// Of them, those in namespaces that no grant names: their names or labels fit.
    pub matched: BTreeSet<BindingKey>,
    /// Who holds a role in namespaces that fit, whichever these are; by the name of its bindings.
    pub holders: BTreeMap<String, BTreeSet<Holder>>,
    /// Grants that fit no namespace now, with what they are about.
    pub unmatched: BTreeSet<(Grantee, RoleRef, String)>,
    /// Whose membership or grant is over, by the binding that it was bound in while that is not split.
    pub ended: BTreeMap<BindingAt, BTreeSet<Holder>>,
}

/// Who should hold what on this cluster after the plan. Where nobody asked the cluster for its namespaces, none fits.
pub fn desired(
    roster: &Roster,
    cluster: &ClusterName,
    state: Option<&ClusterState>,
    people: &People,
    now: Timestamp,
) -> Desired {
    let mut desired = Desired::default();
    for (name, user) in &roster.users {
        if !has_access(user, cluster, now) {
            continue;
        }
        let mut subjects: BTreeSet<BindingSubject> = people
            .bound
            .get(name)
            .into_iter()
            .flatten()
            .map(|id| BindingSubject::Recorded(CredentialGroup::new(name, id.clone())))
            .collect();
        if people.issued.contains(name) && !people.same_group.contains(name) {
            subjects.insert(BindingSubject::Issued(name.clone()));
        }
        if subjects.is_empty() {
            continue;
        }
        for of in roster.grants_of(user, cluster) {
            let GrantOf { grant, through, .. } = of;
            let grantee = through.cloned().map_or_else(|| Grantee::User(name.clone()), Grantee::Group);
            if grant_lasts(&of, now) {
                desired.give(&grantee, grant, state, (name, &subjects));
            } else {
                desired.end(&grantee, grant, state, name);
            }
        }
    }
    desired
}

impl Desired {
    fn give(
        &mut self,
        grantee: &Grantee,
        grant: &Grant,
        state: Option<&ClusterState>,
        (user, subjects): (&UserName, &BTreeSet<BindingSubject>),
    ) {
        let mut bind = |(key, position): (BindingKey, Position)| {
            self.positions.entry(key.clone()).or_insert(position);
            self.subjects.entry(key).or_default().extend(subjects.iter().cloned());
        };
        keys(grantee, grant).into_iter().for_each(&mut bind);
        let Some(matching) = &grant.matching else { return };
        let fitting = fitting(grantee, grant, matching, state);
        if fitting.is_empty() && state.is_some() {
            self.unmatched.insert((grantee.clone(), grant.role.clone(), matching.to_string()));
        }
        for key in fitting {
            bind((key.clone(), matching.position));
            self.matched.insert(key);
        }
        let any = BindingKey { namespace: None, grantee: grantee.clone(), role: grant.role.clone() };
        self.holders.entry(any.whole().name).or_default().insert(Holder::of(user));
    }

    fn end(&mut self, grantee: &Grantee, grant: &Grant, state: Option<&ClusterState>, user: &UserName) {
        let matching = grant.matching.as_ref();
        let fitting = matching.map(|matching| fitting(grantee, grant, matching, state)).unwrap_or_default();
        for key in keys(grantee, grant).into_iter().map(|(key, _)| key).chain(fitting) {
            self.ended.entry(key.whole()).or_default().insert(Holder::of(user));
        }
    }

    /// Whether somebody holds the role of a binding wherever the namespace fits, so that it is the cluster's doing
    /// where they do not hold it.
    pub(super) fn holds_elsewhere(&self, binding: &BindingAt, holder: &Holder) -> bool {
        let holders = self.holders.get(binding.unsplit_name()).filter(|_| binding.namespace.is_some());
        holders.is_some_and(|holders| holders.contains(holder))
    }

    /// New bindings among these in namespaces that fit, by who holds which role in them.
    pub(super) fn newly_matched(
        &self,
        is_new: impl Fn(&BindingAt) -> bool,
    ) -> BTreeMap<(Grantee, RoleRef), BTreeSet<String>> {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for key in self.matched.iter().filter(|key| is_new(&key.whole())) {
            let whose = (key.grantee.clone(), key.role.clone());
            found.entry(whose).or_default().extend(key.namespace.iter().map(ToString::to_string));
        }
        found
    }
}

/// What one grant comes to, and where the roster says so.
fn keys(grantee: &Grantee, grant: &Grant) -> Vec<(BindingKey, Position)> {
    let key = |namespace| BindingKey { namespace, grantee: grantee.clone(), role: grant.role.clone() };
    match &grant.namespaces {
        None => vec![(key(None), grant.position)],
        Some(namespaces) => {
            namespaces.iter().map(|(name, position)| (key(Some(name.clone())), *position)).collect()
        }
    }
}

/// The bindings in namespaces that fit.
fn fitting(
    grantee: &Grantee,
    grant: &Grant,
    matching: &NamespaceMatch,
    state: Option<&ClusterState>,
) -> Vec<BindingKey> {
    let names = state.into_iter().flat_map(|state| namespaces_like(matching, &grant.role, state));
    let key = |namespace| BindingKey {
        namespace: Some(namespace),
        grantee: grantee.clone(),
        role: grant.role.clone(),
    };
    names.map(key).collect()
}

/// The namespaces that fit: not those that are being deleted, nor those without the Role.
pub fn namespaces_like(matching: &NamespaceMatch, role: &RoleRef, state: &ClusterState) -> Vec<Namespace> {
    let none = BTreeMap::new();
    let labels = |name: &str| state.namespace_labels.get(name).unwrap_or(&none);
    let has_role = |name: &str| match role {
        RoleRef::ClusterRole(_) => true,
        RoleRef::Role(role) => state.roles.roles.contains_key(&(name.to_owned(), role.to_string())),
    };
    let fits = |name: &&String| {
        !state.terminating.contains(*name) && matching.includes(name, labels(name)) && has_role(name)
    };
    state.namespaces.iter().filter(fits).filter_map(|name| name.parse().ok()).collect()
}

/// The names of all bindings that we would make, for finding foreign objects under them.
pub fn names(desired: &Desired) -> BTreeMap<BindingAt, &BindingKey> {
    let keys = desired.subjects.iter();
    keys.flat_map(|(key, subjects)| parts(key, subjects).into_iter().map(move |(at, _)| (at, key))).collect()
}
