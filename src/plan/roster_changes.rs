//! What a branch changes in a roster that no action shows, or shows without saying from what to what:
//! it takes effect later, or when something else happens. A reviewer should know of it all the same.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;

use crate::model::{GroupName, RoleRef};
use crate::roster::{Cluster, Grant, MaxRevocations, Roster, User};

/// A line for each.
pub fn between(before: &Roster, after: &Roster) -> Vec<String> {
    let mut edits = Edits(Vec::new());
    edits.note("safety.maxRevocations", limit(&before.max_revocations), limit(&after.max_revocations));
    for (name, cluster) in &after.clusters {
        match before.clusters.get(name) {
            Some(old) => edits.cluster(&format!("cluster {name}"), old, cluster),
            None => edits.0.push(format!("cluster {name} is new")),
        }
    }
    let gone = before.clusters.keys().filter(|name| !after.clusters.contains_key(name));
    edits.0.extend(gone.map(|name| format!("cluster {name} is gone")));
    for (name, group) in &after.groups {
        let Some(old) = before.groups.get(name) else { continue };
        let of = format!("group {name}");
        edits.note(&format!("{of}: inCertificate"), old.in_certificate, group.in_certificate);
        edits.grants(&of, &old.grants, &group.grants);
    }
    for (name, user) in &after.users {
        if let Some(old) = before.users.get(name) {
            edits.user(&format!("user {name}"), old, user);
        }
    }
    edits.0
}

struct Edits(Vec<String>);

impl Edits {
    fn note<T: PartialEq + Display>(&mut self, what: &str, old: T, new: T) {
        if old != new {
            self.0.push(format!("{what}: {old} -> {new}"));
        }
    }

    fn cluster(&mut self, of: &str, old: &Cluster, new: &Cluster) {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "as in the kubeconfig".into());
        let path = |cluster: &Cluster| text(&cluster.certificate_authority.as_ref().map(ToString::to_string));
        self.note(&format!("{of}: context"), &old.context, &new.context);
        self.note(&format!("{of}: server"), text(&old.server), text(&new.server));
        self.note(&format!("{of}: certificateAuthority"), path(old), path(new));
        self.note(&format!("{of}: signerName"), &old.signer_name, &new.signer_name);
    }

    fn user(&mut self, of: &str, old: &User, new: &User) {
        let path = |user: &User| user.csr.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        self.note(&format!("{of}: until"), end(old.until), end(new.until));
        let hours = |user: &User| format!("{:#}", user.validity);
        self.note(&format!("{of}: validity"), hours(old), hours(new));
        self.note(&format!("{of}: protected"), old.protected, new.protected);
        self.note(&format!("{of}: csr"), path(old), path(new));
        if new.generation < old.generation {
            self.note(&format!("{of}: generation"), old.generation, new.generation);
        }
        self.memberships(of, &old.groups, &new.groups);
        self.grants(of, &old.grants, &new.grants);
    }

    fn memberships(
        &mut self,
        of: &str,
        old: &BTreeMap<GroupName, Option<Timestamp>>,
        new: &BTreeMap<GroupName, Option<Timestamp>>,
    ) {
        for (group, until) in new {
            if let Some(old) = old.get(group) {
                self.note(&format!("{of}: in group {group} until"), end(*old), end(*until));
            }
        }
    }

    /// Grants of the same role in the same namespaces.
    fn grants(&mut self, of: &str, old: &[Grant], new: &[Grant]) {
        let old: BTreeMap<_, _> = old.iter().map(|grant| (key(grant), grant.until)).collect();
        for grant in new {
            let (role, _) = key(grant);
            if let Some(old) = old.get(&key(grant)) {
                let what = format!("{of}: {} {} until", role.kind(), role.name());
                self.note(&what, end(*old), end(grant.until));
            }
        }
    }
}

fn key(grant: &Grant) -> (&RoleRef, Option<Vec<&str>>) {
    let namespaces = grant.namespaces.as_ref();
    (&grant.role, namespaces.map(|names| names.iter().map(|(name, _)| name.as_str()).collect()))
}

fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "no end".to_owned(), |until| until.to_string())
}

fn limit(limit: &MaxRevocations) -> String {
    match limit {
        MaxRevocations::Percent(percent) => format!("{percent}%"),
        MaxRevocations::Count(count) => count.to_string(),
    }
}
