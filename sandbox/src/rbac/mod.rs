//! Role-based access control, as the real authorizer has it: who may do what, and why not.
//!
//! Pure functions of a snapshot of the RBAC objects. Nothing is denied by a rule, only allowed.
//! plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/validation in kubernetes/kubernetes.

pub mod aggregation;
mod escalation;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use crate::go;
use crate::request::Attributes;
use crate::status::Status;
use crate::user::User;

/// The group of the RBAC kinds.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Members may do everything, whatever RBAC says (plugin: k8s.io/apiserver authorizerfactory,
/// NewPrivilegedGroups).
pub const PRIVILEGED: &str = "system:masters";

/// Who may do what: the RBAC objects of a cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    cluster_roles: HashMap<String, Vec<PolicyRule>>,
    roles: HashMap<(String, String), Vec<PolicyRule>>,
    bindings: Vec<Binding>,
    /// By subject, the places in `bindings`: one binding can have hundreds of subjects.
    by_subject: HashMap<Who, Vec<usize>>,
}

/// A binding of either kind; one without namespace is for all of the cluster.
#[derive(Debug, Clone)]
struct Binding {
    name: String,
    namespace: Option<String>,
    role: RoleRef,
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
    /// The policy that these objects make.
    pub fn new(
        cluster_roles: impl IntoIterator<Item = ClusterRole>,
        roles: impl IntoIterator<Item = Role>,
        cluster_role_bindings: impl IntoIterator<Item = ClusterRoleBinding>,
        role_bindings: impl IntoIterator<Item = RoleBinding>,
    ) -> Self {
        let mut policy = Self::default();
        for role in cluster_roles {
            let name = role.metadata.name.unwrap_or_default();
            policy.cluster_roles.insert(name, role.rules.unwrap_or_default());
        }
        for role in roles {
            let place = (role.metadata.namespace.unwrap_or_default(), role.metadata.name.unwrap_or_default());
            policy.roles.insert(place, role.rules.unwrap_or_default());
        }
        // Those of the cluster come first: allowed by both, a request is said to be allowed by them.
        for binding in cluster_role_bindings {
            let name = binding.metadata.name.unwrap_or_default();
            policy.add(name, None, binding.role_ref, binding.subjects.unwrap_or_default());
        }
        for binding in role_bindings {
            let name = binding.metadata.name.unwrap_or_default();
            let namespace = Some(binding.metadata.namespace.unwrap_or_default());
            policy.add(name, namespace, binding.role_ref, binding.subjects.unwrap_or_default());
        }
        policy
    }

    fn add(&mut self, name: String, namespace: Option<String>, role: RoleRef, subjects: Vec<Subject>) {
        for subject in subjects {
            let who = match subject.kind.as_str() {
                "User" => Who::User(subject.name),
                "Group" => Who::Group(subject.name),
                "ServiceAccount" => {
                    let own = subject.namespace.filter(|own| !own.is_empty());
                    let Some(home) = own.or_else(|| namespace.clone()) else { continue };
                    Who::User(format!("system:serviceaccount:{home}:{}", subject.name))
                }
                _ => continue,
            };
            self.by_subject.entry(who).or_default().push(self.bindings.len());
        }
        self.bindings.push(Binding { name, namespace, role });
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
        for (binding, who) in self.bindings_of(user, &request.namespace) {
            match self.rules_of(binding) {
                Some(rules) if rules.iter().any(|rule| rules::allows(rule, request)) => {
                    return Ok(Allowed(format!("RBAC: allowed by {}", binding.describe(who))));
                }
                Some(_) => {}
                None => missing.push(binding.role.clone()),
            }
        }
        Err(Denied(match missing.as_slice() {
            [] => String::new(),
            roles => format!("RBAC: {}", not_found(roles, &str::to_lowercase)),
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
        // So that no browser takes it for HTML.
        why = why.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !denied.0.is_empty() {
            why = format!("{why}: {}", denied.0);
        }
        Status::forbidden(&request.resource, &request.api_group, &request.name, &why)
    }

    /// The rules that apply to the user in a namespace, those for all of the cluster among them; and
    /// the roles that are bound and do not exist.
    fn rules_for(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<RoleRef>) {
        let (mut rules, mut missing) = (Vec::new(), Vec::new());
        for (binding, _) in self.bindings_of(user, namespace) {
            match self.rules_of(binding) {
                Some(found) => rules.extend_from_slice(found),
                None => missing.push(binding.role.clone()),
            }
        }
        (rules, missing)
    }

    /// The rules that apply to the user in a namespace, and what could not be found, in the words of
    /// the authorizer: the answer to a SelfSubjectRulesReview.
    pub(crate) fn rules(&self, user: &User, namespace: &str) -> (Vec<PolicyRule>, String) {
        let (rules, missing) = self.rules_for(user, namespace);
        let unresolved =
            if missing.is_empty() { String::new() } else { not_found(&missing, &str::to_lowercase) };
        (rules, unresolved)
    }

    /// The bindings that name the user or a group of theirs, each once, with the subject that does.
    fn bindings_of<'a>(
        &'a self,
        user: &User,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Binding, &'a Who)> + use<'a> {
        let groups = user.groups.iter().map(|group| Who::Group(group.clone()));
        let mut found: Vec<(usize, &Who)> = std::iter::once(Who::User(user.name.clone()))
            .chain(groups)
            .filter_map(|who| self.by_subject.get_key_value(&who))
            .flat_map(|(who, places)| places.iter().map(move |place| (*place, who)))
            .collect();
        found.sort_by_key(|(place, _)| *place);
        found.dedup_by_key(|(place, _)| *place);
        found
            .into_iter()
            .map(|(place, who)| (&self.bindings[place], who))
            .filter(move |(binding, _)| binding.namespace.as_deref().is_none_or(|own| own == namespace))
    }

    fn rules_of(&self, binding: &Binding) -> Option<&[PolicyRule]> {
        self.resolve(&binding.role, binding.namespace.as_deref().unwrap_or_default())
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

/// That roles are bound and do not exist. The authorizer and the storage name their kind differently.
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

impl Binding {
    fn describe(&self, who: &Who) -> String {
        let (kind, subject) = match who {
            Who::User(name) => match service_account(name) {
                Some((namespace, name)) => ("ServiceAccount", format!("{name}/{namespace}")),
                None => ("User", name.clone()),
            },
            Who::Group(name) => ("Group", name.clone()),
        };
        let (binding, name) = match &self.namespace {
            None => ("ClusterRoleBinding", self.name.clone()),
            Some(namespace) => ("RoleBinding", format!("{}/{namespace}", self.name)),
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
