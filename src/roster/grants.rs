//! `grants:` of a group or a user.

use std::collections::{BTreeMap, HashMap};

use super::Grant;
use super::document::shapes;
use super::errors::Errors;
use super::fence::FileScope;
use super::fields::until;
use super::names::SeenNames;
use super::on_clusters::{self, OnClusters};
use super::pattern::Pattern;
use super::reader::{self, Fields};
use super::selector::{self, NamespaceMatch};
use super::yaml::Node;
use crate::model::{Namespace, Position, RoleRef};

/// The grants of a group or user; what is wrong with them is reported.
pub(super) fn read(owner: &Fields<'_, '_>, scope: &FileScope<'_>, errors: &mut Errors) -> Vec<Grant> {
    let Some(node) = owner.get("grants") else {
        return Vec::new();
    };
    let list = reader::list(node, &owner.label("grants"), errors).unwrap_or_default();
    let mut grants = Vec::with_capacity(list.len());
    for (index, node) in list.iter().enumerate() {
        let what = format!("grant {} of {}", index + 1, owner.what);
        if let Some(grant) = grant(node, what, scope, errors) {
            grants.push(grant);
        }
    }
    report_repeated(&grants, &owner.what, errors);
    if let Some(fenced) = scope.fenced {
        fenced.check_grants(&grants, &owner.what, errors);
    }
    grants
}

fn grant(node: &Node<'_>, what: String, scope: &FileScope<'_>, errors: &mut Errors) -> Option<Grant> {
    let fields = reader::fields(node, what, &shapes::GRANT, errors)?;
    let until = until(&fields, errors);
    let clusters = on_clusters::read(&fields, scope, errors);
    let (mut namespaces, patterns) =
        fields.get("namespaces").map(|node| namespaces(node, &fields, errors)).unzip();
    let selector = fields.get("namespaceSelector");
    let matching = match (selector, patterns.unwrap_or_default()) {
        (None, patterns) if patterns.is_empty() => None,
        (selector, patterns) => {
            let labels =
                selector.map(|node| selector::labels(node, fields.label("namespaceSelector"), errors));
            let at = if selector.is_some() { "namespaceSelector" } else { "namespaces" };
            let position = fields.position_of(at);
            Some(NamespaceMatch { patterns, labels: labels.unwrap_or_default(), position })
        }
    };
    if let (Some(_), Some((_, at))) = (selector, namespaces.iter().flatten().next()) {
        errors.add_with_hint(
            *at,
            format!("{} names a namespace and has a `namespaceSelector`", fields.what),
            "make it two grants; with a selector, `namespaces` may hold patterns such as `pr-*`",
        );
    }
    if matching.is_some() {
        namespaces.get_or_insert_default();
    }
    let (field, role) = match (fields.get("clusterRole"), fields.get("role")) {
        (Some(node), None) => ("clusterRole", node),
        (None, Some(node)) => ("role", node),
        (None, None) => {
            errors.add_with_hint(
                fields.position,
                format!("{} names no role", fields.what),
                "write `clusterRole: <name>`, or `role: <name>` with `namespaces: [...]`",
            );
            return None;
        }
        (Some(_), Some(_)) => {
            errors.add_with_hint(
                fields.position_of("role"),
                format!("{} names both a `clusterRole` and a `role`", fields.what),
                "make it two grants",
            );
            return None;
        }
    };
    if field == "role" && namespaces.is_none() {
        errors.add_with_hint(
            fields.position_of("role"),
            format!("{} gives a `role` without `namespaces`, but a Role lives in one", fields.what),
            "add `namespaces: [...]` or a `namespaceSelector`, or name a `clusterRole`",
        );
    }
    let name = reader::word(role, &fields.label(field), errors)?;
    Some(Grant {
        role: if field == "role" { RoleRef::Role(name) } else { RoleRef::ClusterRole(name) },
        namespaces,
        matching,
        clusters,
        until,
        position: role.position,
    })
}

fn namespaces(
    node: &Node<'_>,
    fields: &Fields<'_, '_>,
    errors: &mut Errors,
) -> (Vec<(Namespace, Position)>, BTreeMap<Pattern, Position>) {
    let mut patterns = BTreeMap::new();
    let Some(list) = reader::list(node, &fields.label("namespaces"), errors) else {
        return (Vec::new(), patterns);
    };
    if list.is_empty() {
        errors.add_with_hint(
            node.position,
            format!("{} is empty, so the grant would give nothing", fields.label("namespaces")),
            "name at least one; leave the field out to grant a ClusterRole in the whole cluster",
        );
    }
    let label = format!("namespace of {}", fields.what);
    let mut seen = SeenNames::default();
    let mut namespaces = Vec::with_capacity(list.len());
    for node in list {
        if let Some(text) = reader::text(node, &label, errors)
            && seen.is_new(text, node.position, &label, errors)
        {
            if text.contains('*') {
                let pattern = reader::parsed(node, &label, Pattern::of_namespaces, errors);
                patterns.extend(pattern.map(|pattern| (pattern, node.position)));
            } else if let Some(namespace) = reader::word(node, &label, errors) {
                namespaces.push((namespace, node.position));
            }
        }
    }
    (namespaces, patterns)
}

/// One role in one place of a cluster is one binding: a second grant of it could only contradict the first.
fn report_repeated(grants: &[Grant], owner: &str, errors: &mut Errors) {
    type Granted<'g> = HashMap<(&'g RoleRef, Option<&'g Namespace>), Vec<(&'g OnClusters, Position)>>;
    let mut granted: Granted<'_> = HashMap::new();
    for grant in grants {
        let (kind, role) = (grant.role.kind(), grant.role.name());
        let everywhere = [(None, grant.position)];
        let places: Vec<(Option<&Namespace>, Position)> = match &grant.namespaces {
            Some(namespaces) => namespaces.iter().map(|(name, position)| (Some(name), *position)).collect(),
            None => everywhere.to_vec(),
        };
        for (namespace, position) in places {
            let before = granted.entry((&grant.role, namespace)).or_default();
            if let Some((_, first)) = before.iter().find(|(on, _)| on.overlaps(&grant.clusters)) {
                let place = match namespace {
                    Some(namespace) => format!("in namespace `{namespace}`"),
                    None => "in the whole cluster".into(),
                };
                let first = errors.place(*first);
                errors.add(
                    position,
                    format!("{owner} is granted {kind} `{role}` {place} twice, first at {first}"),
                );
            } else {
                before.push((&grant.clusters, position));
            }
        }
    }
}
