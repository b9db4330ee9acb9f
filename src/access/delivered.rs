//! Whether a cluster gives a credential what the roster grants, as far as its list of the credential's rules tells.
//!
//! People may not read roles. So what a role allows is known only of those that Kubernetes brings for users, of each
//! by one rule that it has and the lesser ones have not. Of any other role, only its absence can be known: where
//! nothing is listed, or nothing more in a namespace than in every one.

use std::collections::BTreeMap;

use crate::model::{Namespace, RoleRef};
use crate::rbac::{Listed, ListedRules};
use crate::roster::Grant;

/// The rules that a cluster lists for a credential.
#[derive(Debug, Clone, Default)]
pub struct ListedRights {
    /// Those that hold in every namespace.
    pub everywhere: ListedRules,
    /// All that hold in one, for those that were asked for.
    pub namespaces: BTreeMap<Namespace, ListedRules>,
}

/// Whether a grant is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered<'g> {
    Whole,
    /// In none of its places.
    Nowhere,
    /// In these namespaces it is not, of several.
    NotIn(Vec<&'g Namespace>),
    /// The list does not tell.
    Unclear,
}

impl ListedRights {
    /// Whether the cluster grants the credential anything at all.
    pub fn anything(&self) -> Listed {
        let lists = std::iter::once(&self.everywhere).chain(self.namespaces.values());
        lists.map(ListedRules::anything).max().unwrap_or(Listed::Unclear)
    }

    /// Whether it grants what the roster does.
    pub fn delivers<'g>(&self, grant: &'g Grant) -> Delivered<'g> {
        let Some(namespaces) = &grant.namespaces else {
            return match self.everywhere_at_least(&grant.role) {
                Listed::Yes => Delivered::Whole,
                Listed::No => Delivered::Nowhere,
                Listed::Unclear => Delivered::Unclear,
            };
        };
        let listed: Vec<(&Namespace, Listed)> = namespaces
            .iter()
            .map(|(namespace, _)| (namespace, self.listed(&grant.role, namespace)))
            .collect();
        let missing: Vec<&Namespace> = listed
            .iter()
            .filter(|(_, listed)| *listed == Listed::No)
            .map(|(namespace, _)| *namespace)
            .collect();
        // Which namespaces fit a pattern is not asked.
        let is_known = grant.matching.is_none();
        match missing.len() {
            0 if is_known && listed.iter().all(|(_, listed)| *listed == Listed::Yes) => Delivered::Whole,
            0 => Delivered::Unclear,
            all if is_known && all == listed.len() => Delivered::Nowhere,
            _ => Delivered::NotIn(missing),
        }
    }

    fn everywhere_at_least(&self, role: &RoleRef) -> Listed {
        match mark(role) {
            Some((verb, group, resource)) => self.everywhere.all_of(verb, group, resource),
            None => self.everywhere.anything().min(Listed::Unclear),
        }
    }

    fn listed(&self, role: &RoleRef, namespace: &Namespace) -> Listed {
        let Some(here) = self.namespaces.get(namespace) else { return Listed::Unclear };
        if let Some((verb, group, resource)) = mark(role) {
            return here.all_of(verb, group, resource);
        }
        let adds_nothing = here.rules.len() <= self.everywhere.rules.len();
        match adds_nothing && here.is_complete && self.everywhere.is_complete {
            true => Listed::No,
            false => here.anything().min(Listed::Unclear),
        }
    }
}

/// A verb on a resource that this role of Kubernetes allows, and none of the lesser ones
/// (plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go).
fn mark(role: &RoleRef) -> Option<(&'static str, &'static str, &'static str)> {
    let RoleRef::ClusterRole(name) = role else { return None };
    match name.as_str() {
        "cluster-admin" => Some(("*", "*", "*")),
        "admin" => Some(("create", "rbac.authorization.k8s.io", "rolebindings")),
        "edit" => Some(("create", "", "configmaps")),
        "view" => Some(("get", "", "configmaps")),
        _ => None,
    }
}
