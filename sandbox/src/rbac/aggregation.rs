//! Aggregated ClusterRoles: their rules are those of the roles whose labels they select.
//!
//! pkg/controller/clusterroleaggregation. The real cluster's controller does this a moment after the
//! write; here it is part of it.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The rules that the aggregated roles among these should have but lack, by name. Apply it until
/// it returns nothing: an aggregated role can itself be selected by another (edit's rules are in admin).
pub fn changes(roles: &[ClusterRole]) -> BTreeMap<String, Vec<PolicyRule>> {
    let name = |role: &ClusterRole| role.metadata.name.clone().unwrap_or_default();
    let mut sorted: Vec<&ClusterRole> = roles.iter().collect();
    sorted.sort_by_key(|role| name(role));
    let mut changes = BTreeMap::new();
    for role in &sorted {
        let Some(aggregation) = &role.aggregation_rule else { continue };
        let mut rules: Vec<PolicyRule> = Vec::new();
        for selector in aggregation.cluster_role_selectors.iter().flatten() {
            for other in sorted.iter().filter(|other| name(other) != name(role)) {
                let labels = other.metadata.labels.as_ref();
                if !selects(selector, labels.unwrap_or(&BTreeMap::new())) {
                    continue;
                }
                for rule in other.rules.iter().flatten() {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
        if role.rules.as_deref().unwrap_or_default() != rules {
            changes.insert(name(role), rules);
        }
    }
    changes
}

/// Whether the labels match the selector; one without requirements matches all
/// (apimachinery/pkg/apis/meta/v1/helpers.go, LabelSelectorAsSelector).
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    equal
        && selector.match_expressions.iter().flatten().all(|wanted| {
            let value = labels.get(&wanted.key);
            let among = |value: &String| wanted.values.iter().flatten().any(|one| one == value);
            match wanted.operator.as_str() {
                "In" => value.is_some_and(among),
                "NotIn" => !value.is_some_and(among),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                // Already refused when the role was written.
                _ => false,
            }
        })
}
