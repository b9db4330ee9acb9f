//! Whether a rule allows a request, and whether rules cover other rules.
//!
//! pkg/apis/rbac/v1/evaluation_helpers.go, and for covering
//! k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::go;
use crate::request::Attributes;

const ALL: &str = "*";

/// Whether the rule allows the request.
pub(crate) fn allows(rule: &PolicyRule, request: &Attributes) -> bool {
    if !has_or_all(&rule.verbs, &request.verb) {
        return false;
    }
    if !request.is_resource {
        return list(&rule.non_resource_urls).iter().any(|url| path_matches(url, &request.path));
    }
    let names = list(&rule.resource_names);
    has_or_all(list(&rule.api_groups), &request.api_group)
        && list(&rule.resources).iter().any(|resource| resource_matches(resource, request))
        && (names.is_empty() || names.contains(&request.name))
}

fn list(list: &Option<Vec<String>>) -> &[String] {
    list.as_deref().unwrap_or_default()
}

fn has_or_all(list: &[String], wanted: &str) -> bool {
    list.iter().any(|one| one == ALL || one == wanted)
}

/// `pods`, `pods/log`, `*/scale` or `*`. A rule on `pods` does not cover `pods/log`.
fn resource_matches(rule: &str, request: &Attributes) -> bool {
    let (resource, subresource) = (&request.resource, &request.subresource);
    rule == ALL
        || match subresource.as_str() {
            "" => rule == resource,
            _ => rule
                .rsplit_once('/')
                .is_some_and(|(of, wanted)| (of == ALL || of == resource) && wanted == subresource),
        }
}

fn path_matches(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

/// The part of the `wanted` rules that `held` does not cover, split by verb, resource and name.
pub(crate) fn not_covered(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    wanted.iter().flat_map(pieces).filter(|piece| !held.iter().any(|rule| covers(rule, piece))).collect()
}

/// Equivalent rules, each with one verb, one resource and at most one name.
fn pieces(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut pieces = Vec::new();
    let names: Vec<Option<Vec<String>>> = match list(&rule.resource_names) {
        [] => vec![None],
        names => names.iter().map(|name| Some(vec![name.clone()])).collect(),
    };
    for group in list(&rule.api_groups) {
        for resource in list(&rule.resources) {
            for verb in &rule.verbs {
                for name in &names {
                    pieces.push(PolicyRule {
                        api_groups: Some(vec![group.clone()]),
                        resources: Some(vec![resource.clone()]),
                        resource_names: name.clone(),
                        verbs: vec![verb.clone()],
                        non_resource_urls: None,
                    });
                }
            }
        }
    }
    for url in list(&rule.non_resource_urls) {
        for verb in &rule.verbs {
            pieces.push(PolicyRule {
                non_resource_urls: Some(vec![url.clone()]),
                verbs: vec![verb.clone()],
                ..PolicyRule::default()
            });
        }
    }
    pieces
}

fn covers(held: &PolicyRule, piece: &PolicyRule) -> bool {
    let all_of = |held: &[String], wanted: &[String]| {
        held.iter().any(|one| one == ALL) || wanted.iter().all(|one| held.contains(one))
    };
    let resource_covered = |wanted: &String| {
        let held = list(&held.resources);
        held.iter().any(|one| one == ALL || one == wanted)
            || wanted
                .split_once('/')
                .is_some_and(|(_, subresource)| held.contains(&format!("*/{subresource}")))
    };
    let held_names = list(&held.resource_names);
    all_of(&held.verbs, &piece.verbs)
        && all_of(list(&held.api_groups), list(&piece.api_groups))
        && list(&piece.resources).iter().all(resource_covered)
        && list(&piece.non_resource_urls)
            .iter()
            .all(|url| list(&held.non_resource_urls).iter().any(|held| path_matches(held, url)))
        && match list(&piece.resource_names) {
            [] => held_names.is_empty(),
            names => held_names.is_empty() || names.iter().all(|name| held_names.contains(name)),
        }
}

/// One line for each rule, sorted; rules that differ only in their verbs are merged
/// (pkg/registry/rbac/validation/policy_compact.go).
pub(crate) fn describe(rules: Vec<PolicyRule>) -> Vec<String> {
    let mut described: Vec<String> = Vec::new();
    let mut simple: BTreeMap<(String, String, Option<String>), PolicyRule> = BTreeMap::new();
    for rule in rules {
        let key = match (list(&rule.api_groups), list(&rule.resources), list(&rule.resource_names)) {
            ([group], [resource], names @ ([] | [_])) if list(&rule.non_resource_urls).is_empty() => {
                (group.clone(), resource.clone(), names.first().cloned())
            }
            _ => {
                described.push(compact(&rule));
                continue;
            }
        };
        match simple.get_mut(&key) {
            Some(same) => same.verbs.extend(rule.verbs),
            None => {
                simple.insert(key, rule);
            }
        }
    }
    described.extend(simple.values().map(compact));
    described.sort();
    described.dedup();
    described
}

fn compact(rule: &PolicyRule) -> String {
    let parts: Vec<String> = [
        ("APIGroups", list(&rule.api_groups)),
        ("Resources", list(&rule.resources)),
        ("NonResourceURLs", list(&rule.non_resource_urls)),
        ("ResourceNames", list(&rule.resource_names)),
        ("Verbs", &rule.verbs),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
    .map(|(name, values)| format!("{name}:{}", go::quote_list(values)))
    .collect();
    format!("{{{}}}", parts.join(", "))
}
