//! What of a plan nobody has reviewed: decisions that none of the plans holds which reviewers were shown.
//!
//! Several changes are reviewed apart and applied together, so each decision counts by itself: one person,
//! one place in a binding, one `until`. Less than was reviewed is no fault, save a term that every reviewed
//! plan held, such as a proxy: it is where credentials go. A place in a binding was shown only with the `until` it
//! was shown with: without that, somebody has it for longer. A new credential was shown only with the proxy and the
//! server's name it was shown with: without them, it leads elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::{Digested, DigestedBinding, DigestedCluster, DigestedPerson};
use super::terms::{self, Terms};

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
            let shown: Vec<ReviewedCluster<'_>> = reviewed
                .iter()
                .filter(|plan| plan.roster == now.roster)
                .flat_map(|plan| &plan.clusters)
                .filter(|shown| shown.name == cluster.name && shown.uid == cluster.uid)
                .map(|shown| ReviewedCluster::new(shown, cluster))
                .collect();
            let with = added(cluster, &shown);
            let without = lost(cluster, &shown, &with);
            if !is_empty(&without) || !is_empty(&with) {
                gone.push(without);
                new.push(with);
            }
        }
        (!new.is_empty()).then(|| Self { gone: part(gone), new: part(new) })
    }
}

/// What reviewers were shown of a cluster.
struct ReviewedCluster<'a> {
    cluster: &'a DigestedCluster,
    /// Each `until` in it that is not there any more, be it another time.
    gone: Vec<&'a String>,
    /// Whether a term of the way to the cluster, such as a proxy, is not there any more, be it another one.
    leads_elsewhere: bool,
}

/// The terms of the way to a cluster.
const WAY: [fn(&Terms) -> &Option<String>; 4] = [
    |terms| &terms.server,
    |terms| &terms.certificate_authority,
    |terms| &terms.proxy_url,
    |terms| &terms.tls_server_name,
];

impl<'a> ReviewedCluster<'a> {
    fn new(cluster: &'a DigestedCluster, now: &DigestedCluster) -> Self {
        let kept: BTreeSet<&str> =
            now.terms.iter().flat_map(|now| &now.ends).map(|end| terms::about(end)).collect();
        let ends = cluster.terms.iter().flat_map(|terms| &terms.ends);
        let is_gone = |of: &fn(&Terms) -> &Option<String>| {
            cluster.terms.as_ref().is_some_and(|shown| of(shown).is_some())
                && now.terms.as_ref().is_none_or(|now| of(now).is_none())
        };
        Self {
            cluster,
            gone: ends.filter(|end| !kept.contains(terms::about(end))).collect(),
            leads_elsewhere: WAY.iter().any(is_gone),
        }
    }

    /// Whether this was decided about this person, and a new credential leads where it was to lead.
    fn decides(&self, person: &DigestedPerson) -> bool {
        self.cluster.people.contains(person) && !(self.leads_elsewhere && person.gets_a_credential())
    }

    /// Whether somebody was to have what the binding of this name gives, and for no shorter time.
    fn for_as_long(&self, user: &str, binding: &str) -> bool {
        !self.gone.iter().any(|end| terms::ends_what(end, user, binding))
    }
}

/// The terms that reviewers were shown.
fn terms<'a>(shown: &[ReviewedCluster<'a>]) -> impl Iterator<Item = &'a Terms> {
    shown.iter().filter_map(|shown| shown.cluster.terms.as_ref())
}

/// The name of a binding that is told with its kind and namespace.
fn name_of(binding: &str) -> &str {
    binding.rsplit([' ', '/']).next().unwrap_or(binding)
}

/// What `cluster` decides and none of those does.
fn added(cluster: &DigestedCluster, shown: &[ReviewedCluster<'_>]) -> DigestedCluster {
    let DigestedCluster { name, uid, people, bindings, terms: now } = cluster;
    let people = people.iter().filter(|person| !shown.iter().any(|shown| shown.decides(person)));
    DigestedCluster {
        name: name.clone(),
        uid: uid.clone(),
        people: people.cloned().collect(),
        bindings: bindings.iter().filter_map(|binding| places(binding, shown)).collect(),
        terms: now.as_ref().and_then(|now| added_terms(now, shown)),
    }
}

fn added_terms(now: &Terms, shown: &[ReviewedCluster<'_>]) -> Option<Terms> {
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
    shown: &[ReviewedCluster<'_>],
) -> BTreeMap<String, BTreeSet<String>> {
    let new = now.iter().map(|(binding, told)| {
        let is_seen = |one: &String| {
            let user = one.strip_prefix("user ").unwrap_or_default();
            shown.iter().any(|shown| {
                let fitting = shown.cluster.terms.as_ref().and_then(|terms| terms.fitting.get(binding));
                fitting.is_some_and(|told| told.contains(one)) && shown.for_as_long(user, binding)
            })
        };
        (binding.clone(), told.iter().filter(|one| !is_seen(one)).cloned().collect::<BTreeSet<_>>())
    });
    new.filter(|(_, told)| !told.is_empty()).collect()
}

/// The terms that all of those hold and `cluster` does not, and each `until`, proxy and name of a server for lack of
/// which something in `new` was not shown.
fn lost(cluster: &DigestedCluster, shown: &[ReviewedCluster<'_>], new: &DigestedCluster) -> DigestedCluster {
    let now = cluster.terms.clone().unwrap_or_default();
    let held_by_all = |of: fn(&Terms) -> &BTreeSet<String>| {
        let mut sets = terms(shown).map(of);
        let first = sets.next().cloned().unwrap_or_default();
        &sets.fold(first, |all, set| &all & set) - of(&now)
    };
    let fitting = new.terms.iter().flat_map(|terms| &terms.fitting);
    let fitting = fitting.flat_map(|(binding, told)| {
        told.iter().filter_map(move |one| Some((one.strip_prefix("user ")?, binding.as_str())))
    });
    let joins = new.bindings.iter();
    let joins = joins.flat_map(|it| it.joins.iter().map(|user| (user.as_str(), name_of(&it.binding))));
    let longer: Vec<(&str, &str)> = joins.chain(fitting).collect();
    let for_longer =
        |end: &&&String| longer.iter().any(|(user, binding)| terms::ends_what(end, user, binding));
    let missing = shown.iter().flat_map(|shown| &shown.gone).filter(for_longer).map(|end| (*end).clone());
    let dropped = |of: fn(&Terms) -> &Option<String>| {
        if of(&now).is_some() {
            return None;
        }
        let in_all = terms(shown).all(|terms| of(terms).is_some());
        let with = shown.iter().filter(|shown| in_all || !shown.cluster.people.is_disjoint(&new.people));
        with.filter_map(|shown| shown.cluster.terms.as_ref()).find_map(|terms| of(terms).clone())
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
            ends: held_by_all(|terms| &terms.ends).into_iter().chain(missing).collect(),
            // Who holds less than was reviewed is no fault, and another place is new above.
            fitting: BTreeMap::new(),
        }),
    }
}

fn some(terms: Terms) -> Option<Terms> {
    Some(terms).filter(|terms| *terms != Terms::default())
}

/// The places in a binding that none of those gives, for as long, or takes.
fn places(binding: &DigestedBinding, shown: &[ReviewedCluster<'_>]) -> Option<DigestedBinding> {
    let same = |shown: &ReviewedCluster<'_>, of: fn(&DigestedBinding) -> &BTreeSet<String>, user: &String| {
        let mut all = shown.cluster.bindings.iter();
        let same = all.find(|other| other.binding == binding.binding && other.role == binding.role);
        same.is_some_and(|same| of(same).contains(user))
    };
    let name = name_of(&binding.binding);
    let joins = binding.joins.iter().filter(|user| {
        !shown.iter().any(|shown| same(shown, |it| &it.joins, user) && shown.for_as_long(user, name))
    });
    let leaves =
        binding.leaves.iter().filter(|user| !shown.iter().any(|shown| same(shown, |it| &it.leaves, user)));
    let (joins, leaves): (BTreeSet<_>, BTreeSet<_>) = (joins.cloned().collect(), leaves.cloned().collect());
    let any = !joins.is_empty() || !leaves.is_empty();
    any.then(|| DigestedBinding { joins, leaves, ..binding.clone() })
}

fn is_empty(cluster: &DigestedCluster) -> bool {
    cluster.people.is_empty() && cluster.bindings.is_empty() && cluster.terms.is_none()
}
