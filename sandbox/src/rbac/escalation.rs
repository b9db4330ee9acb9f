//! Users can only grant what they have: the check on every write of a role or binding.
//!
//! A user with `escalate` on a role may put anything into it, and a user with `bind` on one may bind
//! it. pkg/registry/rbac/escalation_check.go, */policybased/storage.go and validation/rule.go.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, RoleRef};

use super::{GROUP, Policy, is_privileged, not_found, rules};
use crate::go;
use crate::request::Attributes;
use crate::status::Status;
use crate::user::User;

impl Policy {
    /// Whether the user may write a Role with these rules. `request` is the request that writes it;
    /// `name` is the object's own name, which the URL of a create does not contain.
    ///
    /// # Errors
    /// Forbidden, with the rules that the user does not have.
    pub fn may_write_role(
        &self,
        user: &User,
        request: &Attributes,
        name: &str,
        rules: &[PolicyRule],
    ) -> Result<(), Status> {
        if is_privileged(user) || self.may_escalate(user, request) {
            return Ok(());
        }
        self.holds(user, &request.namespace, rules)
            .map_err(|why| Status::forbidden(&request.resource, GROUP, name, &why))
    }

    /// Whether the user may write a ClusterRole: `new`, replacing `old` if it exists. Users who may
    /// aggregate get every role that will have such labels, so they must have all permissions.
    ///
    /// # Errors
    /// Forbidden, with the rules that the user does not have.
    pub fn may_write_cluster_role(
        &self,
        user: &User,
        request: &Attributes,
        new: &ClusterRole,
        old: Option<&ClusterRole>,
    ) -> Result<(), Status> {
        let name = new.metadata.name.as_deref().unwrap_or_default();
        self.may_write_role(user, request, name, new.rules.as_deref().unwrap_or_default())?;
        if is_privileged(user) || self.may_escalate(user, request) {
            return Ok(());
        }
        let aggregates = |role: &ClusterRole| {
            let selectors =
                role.aggregation_rule.as_ref().and_then(|rule| rule.cluster_role_selectors.as_ref());
            selectors.is_some_and(|selectors| !selectors.is_empty())
        };
        if !(aggregates(new) || old.is_some_and(aggregates)) {
            return Ok(());
        }
        self.holds(user, &request.namespace, &full_authority()).map_err(|_| {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            Status::forbidden(&request.resource, GROUP, name, why)
        })
    }

    /// Whether the user may bind this role by the binding called `name`; cluster-wide, or in
    /// the namespace of the request.
    ///
    /// # Errors
    /// Forbidden, with the rules that the user does not have; not found, if the role does not exist and the
    /// user may not bind it in advance.
    pub fn may_bind(
        &self,
        user: &User,
        request: &Attributes,
        name: &str,
        role: &RoleRef,
    ) -> Result<(), Status> {
        if is_privileged(user) {
            return Ok(());
        }
        let resource = match role.kind.as_str() {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            other => {
                let why = format!("unsupported role reference kind: {}", go::quote(other));
                return Err(Status::new(500, "", why));
            }
        };
        let bind = Attributes {
            verb: "bind".to_owned(),
            api_group: role.api_group.clone().unwrap_or_else(|| GROUP.to_owned()),
            resource: resource.to_owned(),
            namespace: request.namespace.clone(),
            name: role.name.clone(),
            is_resource: true,
            ..Attributes::default()
        };
        if self.allows(user, &bind).is_ok() {
            return Ok(());
        }
        if resource == "roles" && request.namespace.is_empty() {
            return Err(Status::bad_request("Namespace parameter required."));
        }
        let rules = self
            .resolve(role, &request.namespace)
            .ok_or_else(|| Status::not_found(&request.resource, GROUP, &role.name))?;
        self.holds(user, &request.namespace, rules)
            .map_err(|why| Status::forbidden(&request.resource, GROUP, name, &why))
    }

    fn may_escalate(&self, user: &User, request: &Attributes) -> bool {
        let escalate = Attributes {
            verb: "escalate".to_owned(),
            api_group: GROUP.to_owned(),
            resource: request.resource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            is_resource: true,
            ..Attributes::default()
        };
        self.allows(user, &escalate).is_ok()
    }

    fn holds(&self, user: &User, namespace: &str, wanted: &[PolicyRule]) -> Result<(), String> {
        let (held, unresolved) = self.rules_for(user, namespace);
        let missing = rules::not_covered(&held, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let mut why = format!(
            "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            go::quote(&user.name),
            go::quote_list(&user.groups),
            rules::describe(missing).join("\n")
        );
        if !unresolved.is_empty() {
            let plural = |kind: &str| format!("{}s", kind.to_lowercase());
            why = format!("{why}; resolution errors: [{}]", not_found(&unresolved, &plural));
        }
        Err(why)
    }
}

/// `*` on everything: the rules of cluster-admin.
fn full_authority() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule { api_groups: Some(all()), resources: Some(all()), verbs: all(), ..PolicyRule::default() },
        PolicyRule { non_resource_urls: Some(all()), verbs: all(), ..PolicyRule::default() },
    ]
}
