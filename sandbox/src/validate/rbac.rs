//! Roles and bindings. pkg/apis/rbac/validation/validation.go and pkg/apis/rbac/v1/defaults.go.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde_json::{Value, json};

use super::{metadata, names};
use crate::rbac::GROUP;
use crate::status::FieldError;

/// The API group of a role or subject is optional.
pub(crate) fn default_binding(binding: &mut Value) {
    let default = |place: &mut Value| {
        if place.is_object() && place["apiGroup"].as_str().unwrap_or_default().is_empty() {
            place["apiGroup"] = GROUP.into();
        }
    };
    default(&mut binding["roleRef"]);
    for subject in binding.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            default(subject);
        }
    }
}

pub(crate) fn role(role: &Role) -> Vec<FieldError> {
    let mut errors = metadata::validate(&role.metadata, true, names::path_segment);
    errors.extend(rules(role.rules.as_deref().unwrap_or_default(), true));
    errors
}

pub(crate) fn cluster_role(role: &ClusterRole) -> Vec<FieldError> {
    let mut errors = metadata::validate(&role.metadata, false, names::path_segment);
    errors.extend(rules(role.rules.as_deref().unwrap_or_default(), false));
    if let Some(aggregation) = &role.aggregation_rule {
        let path = "aggregationRule.clusterRoleSelectors";
        let selectors = aggregation.cluster_role_selectors.as_deref().unwrap_or_default();
        if selectors.is_empty() {
            let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(path, why));
        }
        for (place, selector) in selectors.iter().enumerate() {
            let path = format!("{path}[{place}]");
            let wrong = metadata::selector(&path, selector);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(path, &Value::Null, "invalid label selector."));
            }
            errors.extend(wrong);
        }
    }
    errors
}

fn rules(rules: &[PolicyRule], namespaced: bool) -> Vec<FieldError> {
    rules
        .iter()
        .enumerate()
        .flat_map(|(place, one)| rule(&format!("rules[{place}]"), one, namespaced))
        .collect()
}

fn rule(path: &str, rule: &PolicyRule, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    if rule.verbs.is_empty() {
        errors.push(FieldError::required(format!("{path}.verbs"), ""));
    }
    if let Some(urls) = rule.non_resource_urls.as_ref().filter(|urls| !urls.is_empty()) {
        let mut refuse = |why: &str| {
            errors.push(FieldError::invalid(format!("{path}.nonResourceURLs"), &json!(urls), why))
        };
        if namespaced {
            refuse("namespaced rules cannot apply to non-resource URLs");
        }
        if ![&rule.api_groups, &rule.resources, &rule.resource_names].into_iter().all(is_empty) {
            refuse("rules cannot apply to both regular resources and non-resource URLs");
        }
        return errors;
    }
    if is_empty(&rule.api_groups) {
        let why = "resource rules must supply at least one api group";
        errors.push(FieldError::required(format!("{path}.apiGroups"), why));
    }
    if is_empty(&rule.resources) {
        let why = "resource rules must supply at least one resource";
        errors.push(FieldError::required(format!("{path}.resources"), why));
    }
    errors
}

pub(crate) fn role_binding(new: &RoleBinding, old: Option<&RoleBinding>) -> Vec<FieldError> {
    let mut errors = metadata::validate(&new.metadata, true, names::path_segment);
    let own = ["Role", "ClusterRole"];
    errors.extend(role_ref(&new.role_ref, old.map(|old| &old.role_ref), &own));
    errors.extend(subjects(new.subjects.as_deref().unwrap_or_default(), true));
    errors
}

pub(crate) fn cluster_role_binding(
    new: &ClusterRoleBinding,
    old: Option<&ClusterRoleBinding>,
) -> Vec<FieldError> {
    let mut errors = metadata::validate(&new.metadata, false, names::path_segment);
    errors.extend(role_ref(&new.role_ref, old.map(|old| &old.role_ref), &["ClusterRole"]));
    errors.extend(subjects(new.subjects.as_deref().unwrap_or_default(), false));
    errors
}

fn role_ref(role: &RoleRef, old: Option<&RoleRef>, kinds: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let group = role.api_group.as_deref().unwrap_or_default();
    if group != GROUP {
        errors.push(FieldError::not_supported("roleRef.apiGroup", &group.into(), &[GROUP]));
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.push(FieldError::not_supported("roleRef.kind", &role.kind.as_str().into(), kinds));
    }
    if role.name.is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else {
        let wrong = names::path_segment(&role.name);
        errors.extend(
            wrong.iter().map(|why| FieldError::invalid("roleRef.name", &role.name.as_str().into(), why)),
        );
    }
    if old.is_some_and(|old| old != role) {
        // Shown as the server's internal type, whose fields have no JSON names.
        let value = json!({"APIGroup": group, "Kind": role.kind, "Name": role.name});
        errors.push(FieldError::invalid("roleRef", &value, "field is immutable"));
    }
    errors
}

fn subjects(subjects: &[Subject], namespaced: bool) -> Vec<FieldError> {
    let all = subjects.iter().enumerate();
    all.flat_map(|(place, one)| subject(&format!("subjects[{place}]"), one, namespaced)).collect()
}

fn subject(path: &str, subject: &Subject, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = |name: &str| format!("{path}.{name}");
    let group = subject.api_group.as_deref().unwrap_or_default();
    if subject.name.is_empty() {
        errors.push(FieldError::required(field("name"), ""));
    }
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                let wrong = names::dns_subdomain(&subject.name);
                let name = subject.name.as_str().into();
                errors.extend(wrong.iter().map(|why| FieldError::invalid(field("name"), &name, why)));
            }
            if !group.is_empty() {
                errors.push(FieldError::not_supported(field("apiGroup"), &group.into(), &[""]));
            }
            if !namespaced && subject.namespace.as_ref().is_none_or(String::is_empty) {
                errors.push(FieldError::required(field("namespace"), ""));
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.push(FieldError::not_supported(field("apiGroup"), &group.into(), &[GROUP]));
            }
        }
        other => {
            let kinds = ["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(field("kind"), &other.into(), &kinds));
        }
    }
    errors
}
