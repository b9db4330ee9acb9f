//! Which rights come to all others.
//!
//! Kubernetes keeps people from granting more than they have (`pkg/registry/rbac/escalation_check.go`), except for
//! whoever holds the verbs `escalate` or `bind`, can be somebody else, or can let a ServiceAccount work for them.
//! What is found is a way that exists now; that none is found proves nothing: a Secret may hold anything.

use std::collections::BTreeSet;

use super::authorizer::{ACCOUNT, ALL_ACCOUNTS, AccessPath, Authorizer, is_privileged};
use super::binding::Subject;
use super::rule::{Objects, PolicyRule, granted};

/// The group of the API that roles and bindings are in.
const RBAC: &str = "rbac.authorization.k8s.io";

/// The group of the API that constrained impersonation is decided in.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The verbs by which one may be another user or in another group, each with the group of the API that it is
/// decided in. What somebody may do then, the second one (Kubernetes 1.36) leaves to `impersonate-on:user-info:VERB`,
/// which may come by any other binding: it counts as if all of that were there.
const IMPERSONATE: [(&str, &str); 2] = [("impersonate", ""), ("impersonate:user-info", AUTHENTICATION)];

/// What lets one be a ServiceAccount of this name: verb, group of the API and resource.
const AS_ACCOUNT: &[(&str, &str, &str)] = &[
    ("impersonate", "", "serviceaccounts"),
    ("impersonate:serviceaccount", AUTHENTICATION, "serviceaccounts"),
    ("create", "", "serviceaccounts/token"),
];

/// The ClusterRole that is named where any could be bound.
const ADMIN: &str = "cluster-admin";

/// Of what somebody has full control.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Cluster,
    Namespace(String),
}

/// How somebody comes to full control.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// Everything is allowed.
    Everything,
    /// May put any right into a role.
    Escalate,
    /// May bind this role, which has full control: its kind and name.
    Bind(String),
    /// May be whoever they like.
    ImpersonateAnyone,
    /// May be somebody who has full control: kind and name.
    Impersonate(String),
    /// May let a ServiceAccount that has full control work for them.
    ActAs {
        /// By which right: a verb and a resource.
        right: String,
        /// Namespace and name; only what is known of them where a whole group of accounts has it.
        account: String,
    },
}

/// Full control of something, and how one comes to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    pub scope: Scope,
    pub by: Control,
}

/// ServiceAccounts that have full control of something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ControllingAccount {
    scope: Scope,
    /// `None`: in any namespace.
    namespace: Option<String>,
    /// `None`: any.
    name: Option<String>,
}

/// What works as a ServiceAccount, by what is written into it: a group, a resource, and the verbs that write that.
const WORKLOADS: &[(&str, &str, &[&str])] = &[
    ("", "pods", &["create"]),
    ("", "replicationcontrollers", WRITE),
    ("apps", "daemonsets", WRITE),
    ("apps", "deployments", WRITE),
    ("apps", "replicasets", WRITE),
    ("apps", "statefulsets", WRITE),
    ("batch", "cronjobs", WRITE),
    ("batch", "jobs", &["create"]),
];

const WRITE: &[&str] = &["create", "patch", "update"];

/// Which rights come to full control on one cluster.
#[derive(Debug)]
pub struct Controls<'p, 'a> {
    authorizer: &'p Authorizer<'a>,
    accounts: BTreeSet<ControllingAccount>,
}

impl<'p, 'a> Controls<'p, 'a> {
    pub fn new(authorizer: &'p Authorizer<'a>) -> Self {
        let alone = Self { authorizer, accounts: BTreeSet::new() };
        let accounts = alone.controlling_accounts();
        Self { authorizer, accounts }
    }

    /// The ServiceAccounts that have full control of something, widest first.
    fn controlling_accounts(&self) -> BTreeSet<ControllingAccount> {
        let mut found = BTreeSet::new();
        for binding in self.authorizer.bindings {
            let namespace = binding.at.namespace.as_deref();
            let named: Vec<_> =
                binding.subjects.iter().filter_map(|subject| named(subject, namespace)).collect();
            if named.is_empty() {
                continue;
            }
            let rules = self.authorizer.roles.rules(namespace, &binding.role_kind, &binding.role_name);
            let Some(Reach { scope, by: _ }) = rules.and_then(|rules| self.reach(rules, namespace)) else {
                continue;
            };
            found.extend(named.into_iter().map(|(namespace, name)| ControllingAccount {
                scope: scope.clone(),
                namespace: namespace.map(ToOwned::to_owned),
                name: name.map(ToOwned::to_owned),
            }));
        }
        found
    }

    /// The widest control to which these rules lead, bound in a namespace or in the whole cluster, and the
    /// simplest way to it.
    pub fn reach(&self, rules: &[PolicyRule], namespace: Option<&str>) -> Option<Reach> {
        let own = can_change_rights(rules).then(|| {
            let bind = self.binds(rules, namespace);
            own(rules, namespace).into_iter().chain(bind).chain(self.impersonates(rules, namespace)).min()
        });
        own.flatten().into_iter().chain(self.acts_as(rules, namespace)).min()
    }

    /// Through a role that may be bound.
    fn binds(&self, rules: &[PolicyRule], namespace: Option<&str>) -> Option<Reach> {
        let may = granted(rules, "bind", RBAC, "clusterroles");
        let named = self.authorizer.roles.cluster_roles.iter().filter(|(name, _)| may.includes(name));
        let mut cluster_roles: Vec<_> = named.collect();
        cluster_roles.sort_by_key(|(name, _)| *name != ADMIN);
        let cluster_role = cluster_roles.into_iter().find_map(|(name, rules)| {
            let scope = own(rules, namespace)?.scope;
            Some(Reach { scope, by: Control::Bind(format!("ClusterRole {name}")) })
        });
        let may = granted(rules, "bind", RBAC, "roles");
        let here = |home: &str| namespace.is_none_or(|namespace| namespace == home);
        let role = self
            .authorizer
            .roles
            .roles
            .iter()
            .filter(|((home, name), _)| here(home) && may.includes(name))
            .find_map(|((home, name), rules)| {
                let scope = own(rules, Some(home))?.scope;
                Some(Reach { scope, by: Control::Bind(format!("Role {home}/{name}")) })
            });
        cluster_role.into_iter().chain(role).min()
    }

    /// Through a user or a group that they may say they are. Those are in no namespace, so only a
    /// ClusterRoleBinding allows it.
    fn impersonates(&self, rules: &[PolicyRule], namespace: Option<&str>) -> Option<Reach> {
        if namespace.is_some() {
            return None;
        }
        let mut reaches = Vec::new();
        let ways = [("User", "users"), ("Group", "groups")]
            .into_iter()
            .flat_map(|(kind, resource)| IMPERSONATE.map(|(verb, group)| (kind, verb, group, resource)));
        for (kind, verb, group, resource) in ways {
            let Objects::Named(names) = granted(rules, verb, group, resource) else {
                // `own` says it.
                continue;
            };
            for name in names {
                let by = Control::Impersonate(format!("{kind} {name}"));
                if kind == "Group" && is_privileged(name) {
                    reaches.push(Reach { scope: Scope::Cluster, by });
                    continue;
                }
                let paths = if kind == "User" {
                    self.authorizer.of_user(name)
                } else {
                    self.authorizer.of_group(name)
                };
                let scope = paths.iter().filter_map(own_of).map(|reach| reach.scope).min();
                reaches.extend(scope.map(|scope| Reach { scope, by }));
            }
        }
        reaches.into_iter().min()
    }

    /// Through a ServiceAccount that they may let work for them.
    fn acts_as(&self, rules: &[PolicyRule], namespace: Option<&str>) -> Option<Reach> {
        let here = |account: &&ControllingAccount| {
            account.namespace.as_deref().zip(namespace).is_none_or(|(home, namespace)| home == namespace)
        };
        let accounts: Vec<&ControllingAccount> = self.accounts.iter().filter(here).collect();
        if accounts.is_empty() {
            return None;
        }
        let found = |may: &Objects<'_>, right: String, names_accounts: bool| {
            let may_use = |account: &&&ControllingAccount| match &account.name {
                Some(name) if names_accounts => may.includes(name),
                _ => !may.is_none(),
            };
            let account = accounts.iter().find(may_use)?;
            let by = Control::ActAs { right, account: account.to_string() };
            Some(Reach { scope: account.scope.clone(), by })
        };
        let as_one = AS_ACCOUNT.iter().filter_map(|(verb, group, resource)| {
            found(&granted(rules, verb, group, resource), format!("{verb} {resource}"), true)
        });
        // A node may ask for a token of each account whose pods it runs.
        let (verb, resource) = ("impersonate:arbitrary-node", "nodes");
        let nodes = namespace.is_none().then(|| granted(rules, verb, AUTHENTICATION, resource));
        let as_node = nodes.and_then(|may| found(&may, format!("{verb} {resource}"), false));
        let works = WORKLOADS
            .iter()
            .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| (group, resource, verb)));
        let works = works.filter_map(|(group, resource, verb)| {
            found(&granted(rules, verb, group, resource), format!("{verb} {resource}"), false)
        });
        as_one.chain(as_node).chain(works).min()
    }
}

/// Whether any of the verbs is there without which nobody comes to more rights by themselves.
fn can_change_rights(rules: &[PolicyRule]) -> bool {
    let verbs = rules.iter().flat_map(|rule| &rule.verbs);
    let change = |verb: &str| {
        ["*", "escalate", "bind"].contains(&verb)
            || IMPERSONATE.iter().any(|(impersonate, _)| *impersonate == verb)
    };
    verbs.into_iter().any(|verb| change(verb))
}

/// What the rules allow by themselves.
fn own(rules: &[PolicyRule], namespace: Option<&str>) -> Option<Reach> {
    let scope = || namespace.map_or(Scope::Cluster, |namespace| Scope::Namespace(namespace.to_owned()));
    let may = |verb, group, resource| granted(rules, verb, group, resource);
    let by = if rules.iter().any(PolicyRule::is_everything) {
        Control::Everything
    } else if !may("escalate", RBAC, "roles").is_none()
        || namespace.is_none() && !may("escalate", RBAC, "clusterroles").is_none()
    {
        Control::Escalate
    } else if namespace.is_none()
        && IMPERSONATE
            .iter()
            .any(|(verb, group)| ["users", "groups"].iter().any(|all| may(verb, group, all) == Objects::All))
    {
        Control::ImpersonateAnyone
    } else {
        return None;
    };
    Some(Reach { scope: scope(), by })
}

fn own_of(path: &AccessPath<'_>) -> Option<Reach> {
    own(path.rules?, path.binding.at.namespace.as_deref())
}

/// The ServiceAccounts that a subject of a binding means: their namespace and name, where it says so.
fn named<'a>(subject: &'a Subject, binding: Option<&'a str>) -> Option<(Option<&'a str>, Option<&'a str>)> {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
            Some((Some(own.or(binding)?), Some(&subject.name)))
        }
        "User" => {
            let (namespace, name) = subject.name.strip_prefix(ACCOUNT)?.split_once(':')?;
            Some((Some(namespace), Some(name)))
        }
        "Group" if subject.name == ALL_ACCOUNTS => Some((None, None)),
        "Group" => Some((Some(subject.name.strip_prefix(ALL_ACCOUNTS)?.strip_prefix(':')?), None)),
        _ => None,
    }
}

impl std::fmt::Display for ControllingAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "{namespace}/{name}"),
            (Some(namespace), None) => write!(f, "{namespace}/*"),
            _ => f.write_str("*"),
        }
    }
}
