//! Who comes to full control: what a reader of a plan must not miss, in whatever format it is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, digest};

/// The role that may do everything, as a plan names it.
pub const ROLE: &str = "ClusterRole cluster-admin";

/// Where who gets it: each group of people once, with every place.
pub fn gained(plan: &Plan) -> BTreeMap<BTreeSet<String>, BTreeSet<String>> {
    let mut by_place: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cluster in digest::digested(plan).clusters {
        for binding in cluster.bindings.into_iter().filter(|binding| binding.role == ROLE) {
            let namespace = binding.binding.strip_prefix("RoleBinding ").and_then(|at| at.split_once('/'));
            let place = match namespace {
                Some((namespace, _)) => format!("namespace {namespace} of {}", cluster.name),
                None => cluster.name.clone(),
            };
            by_place.entry(place).or_default().extend(binding.joins);
        }
    }
    let mut by_people: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
    for (place, people) in by_place.into_iter().filter(|(_, people)| !people.is_empty()) {
        by_people.entry(people).or_default().insert(place);
    }
    by_people
}
