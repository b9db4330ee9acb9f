//! Requests as tables: rule by rule of what Kubernetes refuses and does. They are made in this order,
//! and each sees what those before it have left.

mod access;
mod asked;
mod grants;
mod lists;
mod objects;
mod requests;
mod writes;

use serde_json::{Value, json};

use crate::step::Step;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// Who asks.
pub const PEOPLE: &[(&str, &[&str])] = &[
    ("root", &["system:masters"]),
    ("dora", &["dev"]),
    ("granter", &[]),
    ("approver", &[]),
    ("asker", &[]),
    ("signer", &[]),
    // Without a certificate.
    ("nobody", &[]),
];

/// Every table with its name.
pub fn tables() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        ("bootstrap", access::bootstrap()),
        ("forbidden", access::forbidden()),
        ("reviews", access::reviews()),
        ("objects", objects::invalid()),
        ("bodies", objects::bodies()),
        ("writes", writes::conflicts()),
        ("patches", writes::patches()),
        ("deletes", writes::deletes()),
        ("grants", grants::escalation()),
        ("asked", asked::before_a_write()),
        ("requests", requests::created()),
        ("approvals", requests::approved()),
        ("signing", requests::signed()),
        ("lists", lists::pages()),
        ("selectors", lists::selectors()),
        ("tables", lists::tables()),
    ]
}

/// The path of a kind's objects in the namespace `shop`.
fn shop(plural: &str) -> String {
    match plural {
        "roles" | "rolebindings" => format!("{RBAC}/namespaces/shop/{plural}"),
        "leases" => "/apis/coordination.k8s.io/v1/namespaces/shop/leases".to_owned(),
        "localsubjectaccessreviews" => {
            "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews".to_owned()
        }
        _ => format!("/api/v1/namespaces/shop/{plural}"),
    }
}

/// The path of a cluster-wide RBAC kind's objects.
fn cluster(plural: &str) -> String {
    format!("{RBAC}/{plural}")
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

/// An object with a name and other fields.
fn with(name: &str, fields: Value) -> Value {
    let mut object = fields;
    object["metadata"]["name"] = name.into();
    object
}

fn bound(name: &str, kind: &str, role: &str, subjects: Value) -> Value {
    with(name, json!({"roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": subjects}))
}

fn user(name: &str) -> Value {
    json!([{"apiGroup": GROUP, "kind": "User", "name": name}])
}

fn rules(rule: Value) -> Value {
    json!({"rules": [rule]})
}
