//! Who should hold what by the roster: one binding for each group or user, role and namespace.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::binding_key::{BindingKey, BindingSubject, Grantee, parts};
use super::credentials::lasts;
use super::observed::BindingAt;
use super::people::People;
use crate::model::{ClusterName, CredentialGroup, Position, UserName};
use crate::roster::{Grant, GrantOf, Roster};

/// Everything that should be bound.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Whom each binding names; never empty.
    pub subjects: BTreeMap<BindingKey, BTreeSet<BindingSubject>>,
    /// Where the roster says so, for errors.
    pub positions: BTreeMap<BindingKey, Position>,
    /// Whose membership or grant is over, by the binding that it was bound in while that is not split.
    pub ended: BTreeMap<BindingAt, BTreeSet<UserName>>,
}

/// Who should hold what on this cluster after the plan.
pub fn desired(roster: &Roster, cluster: &ClusterName, people: &People, now: Timestamp) -> Desired {
    let mut desired = Desired::default();
    for (name, user) in &roster.users {
        if !user.clusters.contains(cluster) || user.suspended || !lasts(user.until, now) {
            continue;
        }
        let mut subjects: BTreeSet<BindingSubject> = people
            .bound
            .get(name)
            .into_iter()
            .flatten()
            .map(|id| BindingSubject::Recorded(CredentialGroup { user: name.clone(), id: id.clone() }))
            .collect();
        if people.issued.contains(name) && !people.same_group.contains(name) {
            subjects.insert(BindingSubject::Issued(name.clone()));
        }
        if subjects.is_empty() {
            continue;
        }
        for GrantOf { grant, through, membership_until } in roster.grants_of(user, cluster) {
            let grantee = through.cloned().map_or_else(|| Grantee::User(name.clone()), Grantee::Group);
            if lasts(membership_until, now) && lasts(grant.until, now) {
                desired.give(&grantee, grant, &subjects);
            } else {
                desired.end(&grantee, grant, name);
            }
        }
    }
    desired
}

impl Desired {
    fn give(&mut self, grantee: &Grantee, grant: &Grant, subjects: &BTreeSet<BindingSubject>) {
        for (key, position) in keys(grantee, grant) {
            self.positions.entry(key.clone()).or_insert(position);
            self.subjects.entry(key).or_default().extend(subjects.iter().cloned());
        }
    }

    fn end(&mut self, grantee: &Grantee, grant: &Grant, user: &UserName) {
        for (key, _) in keys(grantee, grant) {
            self.ended.entry(key.whole()).or_default().insert(user.clone());
        }
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

/// The names of all bindings that we would make, for finding foreign objects under them.
pub fn names(desired: &Desired) -> BTreeMap<BindingAt, &BindingKey> {
    let keys = desired.subjects.iter();
    keys.flat_map(|(key, subjects)| parts(key, subjects).into_iter().map(move |(at, _)| (at, key))).collect()
}
