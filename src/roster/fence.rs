//! How far a part of a roster may go. The fence stands in the roster itself, which others own than the part;
//! whatever the part says beyond it is an error at its place.
//!
//! What a fence does not name, the part may not do. Only clusters are all that there are.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fields::{flag, list_or_empty, validity};
use super::names::{SeenNames, is_known};
use super::pattern::Pattern;
use super::reader::{self, Fields};
use super::yaml::{Node, Value};
use super::{Grant, OnClusters};
use crate::model::{ClusterName, Position, RepoPath, RoleRef, UserName};

/// What a part may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// Whatever the roster itself may.
    Everything,
    /// Only this.
    Only(Fence),
}

/// What a part may do at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    /// The roles that it may grant.
    pub grant: BTreeSet<RoleRef>,
    /// Whether it may grant them in a whole cluster.
    pub cluster_wide: bool,
    /// The namespaces that it may grant them in.
    pub namespaces: BTreeSet<Pattern>,
    /// The clusters that it is about.
    pub clusters: OnClusters,
    /// Whom it may add.
    pub add_users: AddUsers,
    /// How long its certificates may be valid; with `None`, as long as the roster's default.
    pub validity: Option<SignedDuration>,
}

/// Something that a part may do and might not do before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Widened {
    /// The part is new.
    Included,
    /// Whatever the roster itself may do.
    Everything,
    /// Grant a role.
    Role(RoleRef),
    /// Grant its roles in whole clusters.
    ClusterWide,
    /// Grant its roles in more namespaces.
    Namespaces(Pattern),
    /// Be about more clusters.
    Clusters(OnClusters),
    /// Add more users.
    AddUsers(AddUsers),
    /// Have certificates that are valid for longer; with `None`, as long as the roster's default.
    Validity(Option<SignedDuration>),
}

impl May {
    /// What it allows that `before` does not; with `None` there was no such part.
    pub fn widened(&self, before: Option<&Self>) -> Vec<Widened> {
        let nothing = Fence { clusters: OnClusters::Only(BTreeSet::new()), ..Fence::default() };
        let (mut widened, old) = match before {
            Some(Self::Everything) => return Vec::new(),
            Some(Self::Only(fence)) => (Vec::new(), fence),
            None => (vec![Widened::Included], &nothing),
        };
        let Self::Only(new) = self else {
            widened.push(Widened::Everything);
            return widened;
        };
        let Fence { grant, cluster_wide, namespaces, clusters, add_users, validity } = new;
        widened.extend(grant.difference(&old.grant).cloned().map(Widened::Role));
        if *cluster_wide && !old.cluster_wide {
            widened.push(Widened::ClusterWide);
        }
        let known = |namespace: &&Pattern| !old.namespaces.iter().any(|old| old.covers(namespace.as_str()));
        widened.extend(namespaces.iter().filter(known).cloned().map(Widened::Namespaces));
        let more = match (&old.clusters, clusters) {
            (OnClusters::All, _) => false,
            (OnClusters::Only(_), OnClusters::All) => true,
            (OnClusters::Only(old), OnClusters::Only(new)) => !new.is_subset(old),
        };
        if more {
            widened.push(Widened::Clusters(clusters.clone()));
        }
        let more = match (&old.add_users, add_users) {
            (AddUsers::Anybody, _) | (_, AddUsers::Nobody) => false,
            (AddUsers::Nobody, _) | (_, AddUsers::Anybody) => true,
            (AddUsers::Named(old), AddUsers::Named(new)) => {
                !new.iter().all(|new| old.iter().any(|old| old.covers(new.as_str())))
            }
        };
        if more {
            widened.push(Widened::AddUsers(add_users.clone()));
        }
        let shorter = matches!((old.validity, validity), (Some(old), Some(new)) if *new <= old);
        if old.validity != *validity && !shorter {
            widened.push(Widened::Validity(*validity));
        }
        widened
    }
}

/// Whom a part may add.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AddUsers {
    /// Nobody.
    #[default]
    Nobody,
    /// Anybody.
    Anybody,
    /// Users with such names.
    Named(BTreeSet<Pattern>),
}

/// Reads `may`.
pub(super) fn read(
    node: &Node<'_>,
    what: &str,
    cluster_names: Option<&BTreeSet<&str>>,
    errors: &mut Errors,
) -> Option<May> {
    match &node.value {
        Value::Mapping(_) => {}
        Value::Plain(text) | Value::Quoted(text) if text == "everything" => return Some(May::Everything),
        _ => {
            reader::wrong_type(node, what, "`everything` or a mapping such as `{grant: [view]}`", errors);
            return None;
        }
    }
    let fields = reader::fields(node, what.to_owned(), &shapes::FENCE, errors)?;
    let mut grant = BTreeSet::new();
    for node in list_or_empty(&fields, "grant", errors).unwrap_or_default() {
        grant.extend(role(node, &fields, errors));
    }
    let mut namespaces = BTreeSet::new();
    for node in list_or_empty(&fields, "namespaces", errors).unwrap_or_default() {
        let label = format!("namespace of {what}");
        namespaces.extend(reader::parsed(node, &label, Pattern::of_namespaces, errors));
    }
    let add_users = match fields.get("addUsers") {
        Some(node) if matches!(node.value, Value::List(_)) => {
            let names = list_or_empty(&fields, "addUsers", errors).unwrap_or_default();
            let label = format!("user of {what}");
            AddUsers::Named(names.iter().filter_map(|node| reader::word(node, &label, errors)).collect())
        }
        Some(_) if flag(&fields, "addUsers", errors) => AddUsers::Anybody,
        _ => AddUsers::Nobody,
    };
    Some(May::Only(Fence {
        grant,
        cluster_wide: flag(&fields, "clusterWide", errors),
        namespaces,
        clusters: clusters(&fields, cluster_names, errors),
        add_users,
        validity: validity(&fields, errors),
    }))
}

/// `view`, or `{role: deployer}`.
fn role(node: &Node<'_>, of: &Fields<'_, '_>, errors: &mut Errors) -> Option<RoleRef> {
    let label = of.label("grant");
    if !matches!(node.value, Value::Mapping(_)) {
        return reader::word(node, &label, errors).map(RoleRef::ClusterRole);
    }
    let fields = reader::fields(node, label, &shapes::FENCED_ROLE, errors)?;
    let name = fields.need("role", errors)?;
    reader::word(name, &fields.label("role"), errors).map(RoleRef::Role)
}

fn clusters(fields: &Fields<'_, '_>, known: Option<&BTreeSet<&str>>, errors: &mut Errors) -> OnClusters {
    if fields.get("clusters").is_none() {
        return OnClusters::All;
    }
    let label = format!("cluster of {}", fields.what);
    let mut clusters: BTreeSet<ClusterName> = BTreeSet::new();
    let mut seen = SeenNames::default();
    for node in list_or_empty(fields, "clusters", errors).unwrap_or_default() {
        if let Some(name) = reader::text(node, &label, errors)
            && seen.is_new(name, node.position, &label, errors)
            && is_known(name, node.position, &label, "cluster", known, errors)
        {
            clusters.extend(name.parse::<ClusterName>());
        }
    }
    OnClusters::Only(clusters)
}

/// What a file of the roster is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileScope<'n> {
    /// The clusters of the roster, valid or not; `None` where nobody can tell.
    pub(super) cluster_names: Option<&'n BTreeSet<&'n str>>,
    /// The part that it is; `None` for the roster itself.
    pub(super) part: Option<&'n RepoPath>,
    /// How far it may go.
    pub(super) fenced: Option<Fenced<'n>>,
}

impl<'n> FileScope<'n> {
    /// Of the roster itself.
    pub(super) fn of_roster(cluster_names: Option<&'n BTreeSet<&'n str>>) -> Self {
        Self { cluster_names, part: None, fenced: None }
    }
}

/// The fence of a part that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fenced<'f> {
    pub(super) fence: &'f Fence,
    /// The part.
    pub(super) part: &'f RepoPath,
    /// Where the roster includes it.
    pub(super) at: Position,
    /// The longest that it may set.
    pub(super) longest_validity: SignedDuration,
}

impl Fenced<'_> {
    /// Reports what a part says beyond its fence.
    pub(super) fn refuse(&self, at: Position, fact: &str, remedy: &str, errors: &mut Errors) {
        let fence = errors.place(self.at);
        errors.add_with_hint(
            at,
            format!("{fact}: that is beyond what {} may ({fence})", self.part),
            format!("whoever owns the roster may {remedy} there"),
        );
    }

    pub(super) fn check_grants(&self, grants: &[Grant], owner: &str, errors: &mut Errors) {
        let Fence { grant: roles, cluster_wide, namespaces: inside, .. } = self.fence;
        for grant in grants {
            let role = &grant.role;
            if !roles.contains(role) {
                let fact = format!("{owner} is granted {} `{}`", role.kind(), role.name());
                self.refuse(grant.position, &fact, "add the role to `grant`", errors);
            }
            let Some(namespaces) = &grant.namespaces else {
                if !cluster_wide {
                    let fact =
                        format!("{owner} is granted {} `{}` in whole clusters", role.kind(), role.name());
                    self.refuse(grant.position, &fact, "set `clusterWide: true`", errors);
                }
                continue;
            };
            // What is selected by labels alone may be anywhere.
            let everywhere =
                (Pattern::any(), grant.matching.as_ref().map_or(grant.position, |of| of.position));
            let matching = grant.matching.iter().flat_map(|matching| match matching.patterns.is_empty() {
                true => vec![(&everywhere.0, &everywhere.1)],
                false => matching.patterns.iter().collect(),
            });
            for (pattern, position) in matching {
                if !inside.iter().any(|fence| fence.covers(pattern.as_str())) {
                    let fact = format!(
                        "{owner} is granted {} `{}` in namespaces `{pattern}`",
                        role.kind(),
                        role.name()
                    );
                    self.refuse(*position, &fact, "add the pattern to `namespaces`", errors);
                }
            }
            for (name, position) in namespaces {
                if !inside.iter().any(|pattern| pattern.covers(name.as_str())) {
                    let fact =
                        format!("{owner} is granted {} `{}` in namespace `{name}`", role.kind(), role.name());
                    self.refuse(*position, &fact, "add the namespace to `namespaces`", errors);
                }
            }
        }
    }

    pub(super) fn check_cluster(&self, name: &str, at: Position, label: &str, errors: &mut Errors) -> bool {
        let inside = match &self.fence.clusters {
            OnClusters::All => true,
            OnClusters::Only(clusters) => clusters.iter().any(|cluster| cluster.as_str() == name),
        };
        if !inside {
            self.refuse(at, &format!("{label}: {}", quoted(name)), "add the cluster to `clusters`", errors);
        }
        inside
    }

    pub(super) fn check_user(&self, name: &UserName, at: Position, errors: &mut Errors) {
        let (may, remedy) = match &self.fence.add_users {
            AddUsers::Anybody => return,
            AddUsers::Nobody => (false, "set `addUsers: true`"),
            AddUsers::Named(patterns) => {
                (patterns.iter().any(|pattern| pattern.covers(name.as_str())), "add the name to `addUsers`")
            }
        };
        if !may {
            self.refuse(at, &format!("user `{name}` is added"), remedy, errors);
        }
    }

    pub(super) fn check_validity(
        &self,
        validity: SignedDuration,
        at: Position,
        owner: &str,
        errors: &mut Errors,
    ) {
        let longest = self.longest_validity;
        if validity > longest {
            let fact = format!("certificates of {owner} are valid for more than {longest:#}");
            self.refuse(at, &fact, "set `validity`", errors);
        }
    }
}
