//! Role-based access control, like the real authorizer's: who may do what, and why not.
//!
//! Pure functions of a snapshot of the RBAC objects. Nothing is denied by a rule, only allowed.
//! plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/validation in kubernetes/kubernetes.

pub mod aggregation;
mod escalation;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use crate::go;
use crate::request::Attributes;
use crate::status::Status;
use crate::user::User;

/// The group of the RBAC kinds.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Members may do everything, regardless of RBAC (plugin: k8s.io/apiserver authorizerfactory,
/// NewPrivilegedGroups).
pub const PRIVILEGED: &str = "system:masters";

/// Who may do what: the RBAC objects of a cluster. It is updated with each change, because a
/// cluster can have thousands of subjects.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    cluster_roles: HashMap<String, Vec<PolicyRule>>,
    roles: HashMap<(String, String), Vec<PolicyRule>>,
    bindings: BTreeMap<Place, Binding>,
    by_subject: HashMap<Who, BTreeSet<Place>>,
}

/// The namespace of a binding, and its name; one without a namespace is cluster-wide. Those
/// come first: if both allow a request, they are named as the reason.
type Place = (Option<String>, String);

/// The content of a binding of either kind.
#[derive(Debug, Clone)]
struct Binding {
    role: RoleRef,
    subjects: Vec<Who>,
}

/// A binding that names a user, and the subject that matches.
#[derive(Clone, Copy)]
struct Found<'a> {
    place: &'a Place,
    role: &'a RoleRef,
    who: &'a Who,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    User(String),
    Group(String),
}

/// Why a request is allowed, for the access reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed(pub String);

/// Why a request is not allowed: empty, or which role could not be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(pub String);

impl Policy {
    /// Creates the policy that these objects define.
    pub fn new(
        cluster_roles: impl IntoIterator<Item = ClusterRole>,
        roles: impl IntoIterator<Item = Role>,
        cluster_role_bindings: impl IntoIterator<Item = ClusterRoleBinding>,
        role_bindings: impl IntoIterator<Item = RoleBinding>,
    ) -> Self {
        let mut policy = Self::default();
        for role in cluster_roles {
            policy.set_cluster_role(&role.metadata.name.unwrap_or_default(), role.rules);
        }
        for role in roles {
            let (namespace, name) = (role.metadata.namespace, role.metadata.name);
            policy.set_role(&namespace.unwrap_or_default(), &name.unwrap_or_default(), role.rules);
        }
        for binding in cluster_role_bindings {
            let place = (None, binding.metadata.name.unwrap_or_default());
            policy.set_binding(place, Some((binding.role_ref, binding.subjects)));
        }
        for binding in role_bindings {
            let namespace = binding.metadata.namespace.unwrap_or_default();
            let place = (Some(namespace), binding.metadata.name.unwrap_or_default());
            policy.set_binding(place, Some((binding.role_ref, binding.subjects)));
        }
        policy
    }

    /// Sets a ClusterRole's rules.
    pub(crate) fn set_cluster_role(&mut self, name: &str, rules: Option<Vec<PolicyRule>>) {
        self.cluster_roles.insert(name.to_owned(), rules.unwrap_or_default());
    }

    /// Removes a ClusterRole.
    pub(crate) fn remove_cluster_role(&mut self, name: &str) {
        self.cluster_roles.remove(name);
    }

    /// Sets a Role's rules.
    pub(crate) fn set_role(&mut self, namespace: &str, name: &str, rules: Option<Vec<PolicyRule>>) {
        self.roles.insert((namespace.to_owned(), name.to_owned()), rules.unwrap_or_default());
    }

    /// Removes a Role.
    pub(crate) fn remove_role(&mut self, namespace: &str, name: &str) {
        self.roles.remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Sets the binding with this key; `None` removes it.
    pub(crate) fn set_binding(&mut self, place: Place, binding: Option<(RoleRef, Option<Vec<Subject>>)>) {
        for who in self.bindings.remove(&place).map(|before| before.subjects).unwrap_or_default() {
            if let Some(places) = self.by_subject.get_mut(&who) {
                places.remove(&place);
                if places.is_empty() {
                    self.by_subject.remove(&who);
                }
            }
        }
        let Some((role, subjects)) = binding else { return };
        let subjects: Vec<Who> =
            subjects.into_iter().flatten().filter_map(|subject| who(subject, place.0.as_deref())).collect();
        for who in &subjects {
            self.by_subject.entry(who.clone()).or_default().insert(place.clone());
        }
        self.bindings.insert(place, Binding { role, subjects });
    }

    /// Whether the user may do this.
    ///
    /// # Errors
    /// The user may not.
    pub fn allows(&self, user: &User, request: &Attributes) -> Result<Allowed, Denied> {
        if is_privileged(user) {
            return Ok(Allowed(String::new()));
        }
        let mut missing = Vec::new();
        for found in self.bindings_of(user, &request.namespace) {
            match self.rules_of(found) {
                Some(rules) if rules.iter().any(|rule| rules::allows(rule, request)) => {
                    return Ok(Allowed(format!("RBAC: allowed by {}", found.describe())));
                }
                Some(_) => {}
                None => missing.push(found.role.clone()),
            }
        }
        Err(Denied(match missing.as_slice() {
            [] => String::new(),
            roles => format!("rbac: RBAC: {}", not_found(roles, &str::to_lowercase)),
        }))
    }

    /// The refusal of a request that is not allowed
    /// (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go).
    pub fn forbidden(user: &User, request: &Attributes, denied: &Denied) -> Status {
        let (who, verb) = (go::quote(&user.name), &request.verb);
        let mut why = if request.is_resource {
            let place = match request.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {}", go::quote(namespace)),
            };
            let (resource, group) = (go::quote(&request.combined_resource()), go::quote(&request.api_group));
            format!("User {who} cannot {verb} resource {resource} in API group {group} {place}")
        } else {
            format!("User {who} cannot {verb} path {}", go::quote(&request.path))
        };
        // So that no browser interprets it as HTML.
        why = why.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !denied.0.is_empty() {
            why = format!("{why}: {}", denied.0);
        }
        Status::forbidden(&request.resource, &request.api_group, &request.name, &why)
    }

    /// The rules that apply to the user in a namespace, including cluster-wide ones; and
    /// the roles that are bound but do not exist.
    fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<RoleRef>) {
        let (mut rules, mut missing) = (Vec::new(), Vec::new());
        for found in self.bindings_of(user, namespace) {
            match self.rules_of(found) {
                Some(own) => rules.extend_from_slice(own),
                None => missing.push(found.role.clone()),
            }
        }
        (rules, missing)
    }

    /// The rules that apply to the user in a namespace, and what could not be found, in the wording of
    /// the authorizer: the answer to a SelfSubjectRulesReview.
    pub(crate) fn rules(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, String) {
        let (rules, missing) = self.rules_for(user, namespace);
        let unresolved =
            if missing.is_empty() { String::new() } else { not_found(&missing, &str::to_lowercase) };
        (rules, unresolved)
    }

    /// The bindings that name the user or one of their groups, each once, with the matching subject.
    fn bindings_of(&self, user: &User, namespace: &str) -> Vec<Found<'_>> {
        let groups = user.groups.iter().map(|group| Who::Group(group.clone()));
        let mut found = BTreeMap::new();
        for who in std::iter::once(Who::User(user.name.clone())).chain(groups) {
            let Some((who, places)) = self.by_subject.get_key_value(&who) else { continue };
            for place in places.iter().filter(|(own, _)| own.as_deref().is_none_or(|own| own == namespace)) {
                found.entry(place).or_insert(who);
            }
        }
        let of =
            |(place, who)| self.bindings.get(place).map(|Binding { role, .. }| Found { place, role, who });
        found.into_iter().filter_map(of).collect()
    }

    fn rules_of(&self, found: Found<'_>) -> Option<&[PolicyRule]> {
        self.resolve(found.role, found.place.0.as_deref().unwrap_or_default())
    }

    fn resolve(&self, role: &RoleRef, namespace: &str) -> Option<&[PolicyRule]> {
        let rules = match role.kind.as_str() {
            "ClusterRole" => self.cluster_roles.get(&role.name),
            _ => self.roles.get(&(namespace.to_owned(), role.name.clone())),
        };
        rules.map(Vec::as_slice)
    }
}

fn is_privileged(user: &User) -> bool {
    user.groups.iter().any(|group| group == PRIVILEGED)
}

/// The message that bound roles do not exist. The authorizer and the storage name the kind differently.
fn not_found(roles: &[RoleRef], noun: &dyn Fn(&str) -> String) -> String {
    let mut said: Vec<String> = Vec::new();
    for role in roles {
        let text = format!("{}.{GROUP} {} not found", noun(&role.kind), go::quote(&role.name));
        if !said.contains(&text) {
            said.push(text);
        }
    }
    match said.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The user or group that a binding's subject denotes.
fn who(subject: Subject, namespace: Option<&str>) -> Option<Who> {
    match subject.kind.as_str() {
        "User" => Some(Who::User(subject.name)),
        "Group" => Some(Who::Group(subject.name)),
        "ServiceAccount" => {
            let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
            let home = own.or(namespace)?;
            Some(Who::User(format!("system:serviceaccount:{home}:{}", subject.name)))
        }
        _ => None,
    }
}

impl Found<'_> {
    fn describe(self) -> String {
        let (kind, subject) = match self.who {
            Who::User(name) => match service_account(name) {
                Some((namespace, name)) => ("ServiceAccount", format!("{name}/{namespace}")),
                None => ("User", name.clone()),
            },
            Who::Group(name) => ("Group", name.clone()),
        };
        let (binding, name) = match self.place {
            (None, name) => ("ClusterRoleBinding", name.clone()),
            (Some(namespace), name) => ("RoleBinding", format!("{name}/{namespace}")),
        };
        format!(
            "{binding} {} of {} {} to {kind} {}",
            go::quote(&name),
            self.role.kind,
            go::quote(&self.role.name),
            go::quote(&subject)
        )
    }
}

fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}
