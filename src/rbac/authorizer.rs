//! Who may do what: all bindings and roles of a cluster together, and by which path each right comes.

use std::collections::{BTreeMap, HashMap};

use super::binding::{Binding, BindingAt, Subject};
use super::rule::{AccessRequest, PolicyRule};

/// The group of everyone who has authenticated.
pub const AUTHENTICATED: &str = "system:authenticated";

/// The group whose members may do everything, whatever roles say.
pub const PRIVILEGED: &str = "system:masters";

/// The group of all ServiceAccounts; with a namespace behind it, of those in there.
pub(super) const ALL_ACCOUNTS: &str = "system:serviceaccounts";

/// What the user name of a ServiceAccount begins with.
pub(super) const ACCOUNT: &str = "system:serviceaccount:";

/// The roles of a cluster, with their rules. Those of an aggregated ClusterRole are filled in by the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// By name.
    pub cluster_roles: BTreeMap<String, Vec<PolicyRule>>,
    /// By namespace and name.
    pub roles: BTreeMap<(String, String), Vec<PolicyRule>>,
}

impl Roles {
    /// The rules of the role that a binding leads to; `None` where it does not exist. A ClusterRoleBinding
    /// cannot lead to a Role.
    pub fn rules(&self, namespace: Option<&str>, kind: &str, name: &str) -> Option<&[PolicyRule]> {
        let rules = match (kind, namespace) {
            ("ClusterRole", _) => self.cluster_roles.get(name),
            ("Role", Some(namespace)) => self.roles.get(&(namespace.to_owned(), name.to_owned())),
            _ => None,
        };
        rules.map(Vec::as_slice)
    }
}

/// Who asks, as the API server sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub user: String,
    pub groups: Vec<String>,
}

impl Requester {
    /// Whom the subject of a ClusterRoleBinding names; of a group, somebody who is in it.
    pub fn of(subject: &Subject) -> Self {
        let name = &subject.name;
        let (user, mut groups) = match (subject.kind.as_str(), subject.namespace.as_deref()) {
            ("Group", _) => (String::new(), vec![name.clone()]),
            ("ServiceAccount", Some(home)) => {
                let accounts = vec![ALL_ACCOUNTS.to_owned(), format!("{ALL_ACCOUNTS}:{home}")];
                (format!("{ACCOUNT}{home}:{name}"), accounts)
            }
            _ => (name.clone(), Vec::new()),
        };
        groups.push(AUTHENTICATED.to_owned());
        Self { user, groups }
    }
}

/// One way in which rights come to somebody.
#[derive(Debug, Clone, Copy)]
pub struct AccessPath<'a> {
    pub binding: &'a Binding,
    /// Of its subjects, the one that is meant.
    pub subject: &'a Subject,
    /// What the role allows; `None` where it does not exist.
    pub rules: Option<&'a [PolicyRule]>,
}

/// Bindings and roles, by whom they name.
#[derive(Debug)]
pub struct Authorizer<'a> {
    pub(super) roles: &'a Roles,
    pub(super) bindings: &'a [Binding],
    users: HashMap<String, Vec<AccessPath<'a>>>,
    groups: HashMap<&'a str, Vec<AccessPath<'a>>>,
}

impl<'a> Authorizer<'a> {
    pub fn new(roles: &'a Roles, bindings: &'a [Binding]) -> Self {
        let (mut users, mut groups) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for binding in bindings {
            let namespace = binding.at.namespace.as_deref();
            let rules = roles.rules(namespace, &binding.role_kind, &binding.role_name);
            for subject in &binding.subjects {
                let path = AccessPath { binding, subject, rules };
                match subject.kind.as_str() {
                    "User" => users.entry(subject.name.clone()).or_default().push(path),
                    "Group" => groups.entry(subject.name.as_str()).or_default().push(path),
                    "ServiceAccount" => {
                        let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
                        if let Some(home) = own.or(namespace) {
                            users.entry(format!("{ACCOUNT}{home}:{}", subject.name)).or_default().push(path);
                        }
                    }
                    _ => {}
                }
            }
        }
        Self { roles, bindings, users, groups }
    }

    /// Every way in which rights come to somebody, each binding once: those of the whole cluster first, then by
    /// namespace and name.
    pub fn paths(&self, identity: &Requester) -> Vec<AccessPath<'a>> {
        let groups = identity.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        let named = self.users.get(&identity.user).into_iter().chain(groups).flatten();
        let mut by_binding: BTreeMap<&BindingAt, AccessPath<'a>> = BTreeMap::new();
        for path in named {
            by_binding.entry(&path.binding.at).or_insert(*path);
        }
        by_binding.into_values().collect()
    }

    /// Of those, the ones that allow it.
    pub fn allowing(&self, identity: &Requester, request: &AccessRequest) -> Vec<AccessPath<'a>> {
        let allows = |path: &AccessPath<'a>| {
            let here = path.binding.at.namespace.as_deref();
            let counts = here.is_none() || here == request.namespace();
            counts && path.rules.is_some_and(|rules| rules.iter().any(|rule| rule.allows(request)))
        };
        self.paths(identity).into_iter().filter(allows).collect()
    }

    /// Whether somebody may do it.
    pub fn allows(&self, identity: &Requester, request: &AccessRequest) -> bool {
        identity.groups.iter().any(|group| group == PRIVILEGED)
            || !self.allowing(identity, request).is_empty()
    }

    /// The bindings that name a user.
    pub(super) fn of_user(&self, name: &str) -> &[AccessPath<'a>] {
        self.users.get(name).map_or(&[], Vec::as_slice)
    }

    /// The bindings that name a group.
    pub(super) fn of_group(&self, name: &str) -> &[AccessPath<'a>] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Whether members of the group may do everything, whatever the rules say.
pub(super) fn is_privileged(group: &str) -> bool {
    group == PRIVILEGED
}
