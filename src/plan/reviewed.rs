//! What of a plan nobody has reviewed: decisions that none of the plans holds which reviewers were shown.
//!
//! Several changes are reviewed apart and applied together, so each decision counts by itself: one person,
//! one place in a binding, one `until`. Less than was reviewed is no fault, save a term that every reviewed
//! plan held: an `until` that went missing gives somebody more time, and a proxy is where credentials go.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::{Digested, DigestedBinding, DigestedCluster};
use super::terms::Terms;

/// What has not been reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreviewed {
    /// What every reviewed plan held, and this one does not.
    pub gone: Digested,
    /// What no reviewed plan held.
    pub new: Digested,
}

impl Unreviewed {
    /// Compares a plan with those that were reviewed; `None` where it holds nothing else.
    pub fn find(now: &Digested, reviewed: &[Digested]) -> Option<Self> {
        let part = |clusters| Digested { roster: now.roster.clone(), clusters };
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for cluster in &now.clusters {
            let shown: Vec<&DigestedCluster> = reviewed
                .iter()
                .filter(|plan| plan.roster == now.roster)
                .flat_map(|plan| &plan.clusters)
                .filter(|shown| shown.name == cluster.name && shown.uid == cluster.uid)
                .collect();
            let without = lost(cluster, &shown);
            let with = added(cluster, &shown);
            if !is_empty(&without) || !is_empty(&with) {
                gone.push(without);
                new.push(with);
            }
        }
        (!new.is_empty()).then(|| Self { gone: part(gone), new: part(new) })
    }
}

/// The terms that reviewers were shown.
fn terms<'a>(shown: &[&'a DigestedCluster]) -> impl Iterator<Item = &'a Terms> {
    shown.iter().copied().filter_map(|cluster| cluster.terms.as_ref())
}

/// What `cluster` decides and none of those does.
fn added(cluster: &DigestedCluster, shown: &[&DigestedCluster]) -> DigestedCluster {
    let DigestedCluster { name, uid, people, bindings, terms: now } = cluster;
    let people = people.iter().filter(|person| !shown.iter().any(|shown| shown.people.contains(person)));
    DigestedCluster {
        name: name.clone(),
        uid: uid.clone(),
        people: people.cloned().collect(),
        bindings: bindings.iter().filter_map(|binding| places(binding, shown)).collect(),
        terms: now.as_ref().and_then(|now| added_terms(now, shown)),
    }
}

fn added_terms(now: &Terms, shown: &[&DigestedCluster]) -> Option<Terms> {
    let Terms {
        server,
        certificate_authority,
        proxy_url,
        tls_server_name,
        signer_name,
        suspended,
        ends,
        fitting,
    } = now;
    let unless = |value: &Option<String>, of: fn(&Terms) -> &Option<String>| {
        value.clone().filter(|_| !terms(shown).any(|terms| of(terms) == value))
    };
    let unseen = |all: &BTreeSet<String>, of: fn(&Terms) -> &BTreeSet<String>| {
        let seen: BTreeSet<String> = terms(shown).flat_map(of).cloned().collect();
        all - &seen
    };
    some(Terms {
        server: unless(server, |terms| &terms.server),
        certificate_authority: unless(certificate_authority, |terms| &terms.certificate_authority),
        proxy_url: unless(proxy_url, |terms| &terms.proxy_url),
        tls_server_name: unless(tls_server_name, |terms| &terms.tls_server_name),
        signer_name: unless(signer_name, |terms| &terms.signer_name),
        suspended: unseen(suspended, |terms| &terms.suspended),
        ends: unseen(ends, |terms| &terms.ends),
        fitting: unseen_fitting(fitting, shown),
    })
}

/// Who comes to hold what in namespaces that fit, and where, that none of those says.
fn unseen_fitting(
    now: &BTreeMap<String, BTreeSet<String>>,
    shown: &[&DigestedCluster],
) -> BTreeMap<String, BTreeSet<String>> {
    let new = now.iter().map(|(binding, told)| {
        let seen = terms(shown).filter_map(|terms| terms.fitting.get(binding)).flatten().cloned();
        (binding.clone(), told - &seen.collect())
    });
    new.filter(|(_, told)| !told.is_empty()).collect()
}

/// The terms that all of those hold and `cluster` does not.
fn lost(cluster: &DigestedCluster, shown: &[&DigestedCluster]) -> DigestedCluster {
    let now = cluster.terms.clone().unwrap_or_default();
    let held_by_all = |of: fn(&Terms) -> &BTreeSet<String>| {
        let mut sets = terms(shown).map(of);
        let first = sets.next().cloned().unwrap_or_default();
        &sets.fold(first, |all, set| &all & set) - of(&now)
    };
    let dropped = |of: fn(&Terms) -> &Option<String>| {
        let kept = of(&now).is_some() || terms(shown).any(|terms| of(terms).is_none());
        terms(shown).next().filter(|_| !kept).and_then(|terms| of(terms).clone())
    };
    DigestedCluster {
        name: cluster.name.clone(),
        uid: cluster.uid.clone(),
        people: BTreeSet::new(),
        bindings: BTreeSet::new(),
        terms: some(Terms {
            server: dropped(|terms| &terms.server),
            certificate_authority: dropped(|terms| &terms.certificate_authority),
            proxy_url: dropped(|terms| &terms.proxy_url),
            tls_server_name: dropped(|terms| &terms.tls_server_name),
            signer_name: dropped(|terms| &terms.signer_name),
            suspended: held_by_all(|terms| &terms.suspended),
            ends: held_by_all(|terms| &terms.ends),
            // Who holds less than was reviewed is no fault, and another place is new above.
            fitting: BTreeMap::new(),
        }),
    }
}

fn some(terms: Terms) -> Option<Terms> {
    Some(terms).filter(|terms| *terms != Terms::default())
}

/// The places in a binding that none of those gives or takes.
fn places(binding: &DigestedBinding, shown: &[&DigestedCluster]) -> Option<DigestedBinding> {
    fn same<'a>(cluster: &'a DigestedCluster, binding: &DigestedBinding) -> Option<&'a DigestedBinding> {
        cluster.bindings.iter().find(|other| other.binding == binding.binding && other.role == binding.role)
    }
    let joins = without(&binding.joins, shown, |cluster| Some(&same(cluster, binding)?.joins));
    let leaves = without(&binding.leaves, shown, |cluster| Some(&same(cluster, binding)?.leaves));
    let any = !joins.is_empty() || !leaves.is_empty();
    any.then(|| DigestedBinding { joins, leaves, ..binding.clone() })
}

fn without<'a>(
    all: &BTreeSet<String>,
    shown: &[&'a DigestedCluster],
    of: impl Fn(&'a DigestedCluster) -> Option<&'a BTreeSet<String>>,
) -> BTreeSet<String> {
    let is_shown =
        |one: &String| shown.iter().any(|cluster| of(cluster).is_some_and(|set| set.contains(one)));
    all.iter().filter(|one| !is_shown(one)).cloned().collect()
}

fn is_empty(cluster: &DigestedCluster) -> bool {
    cluster.people.is_empty() && cluster.bindings.is_empty() && cluster.terms.is_none()
}
