//! Nobody grants what they do not hold.

use serde_json::{Value, json};

use super::{GROUP, bound, cluster, rules, shop, user, with};
use crate::step::{Step, delete, get, merge, post, put};

/// Asks until the real cluster's authorizer has seen what was written.
fn until_allowed(who: &'static str, verb: &str, resource: &str, allowed: bool) -> Step {
    let what = json!({"verb": verb, "group": GROUP, "resource": resource, "namespace": "shop", "name": "x"});
    let question = json!({"spec": {"resourceAttributes": what}});
    post(who, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
        .until("/status/allowed", allowed)
}

pub fn escalation() -> Vec<Step> {
    let (roles, bindings) = (shop("roles"), shop("rolebindings"));
    let (everywhere, cluster_roles) = (cluster("clusterrolebindings"), cluster("clusterroles"));
    let all = ["create", "get", "update", "patch", "delete"];
    let write = json!({"verbs": all, "apiGroups": [GROUP],
        "resources": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"]});
    let pods = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/log"]});
    let role = |rule: Value| with("x", rules(rule));
    let may = |who: &str, name: &str, rule: Value| {
        let of = if name == "binder" { "shop" } else { "" };
        let binding = bound(&format!("{who}-{name}"), "ClusterRole", name, user(who));
        let path = if of.is_empty() { cluster("clusterrolebindings") } else { shop("rolebindings") };
        [post("root", &cluster("clusterroles"), with(name, rule)), post("root", &path, binding)]
    };
    let mut calls = Vec::new();
    calls.extend(may("granter", "writer", rules(write)));
    calls.extend(may("granter", "pod-reader", rules(pods)));
    calls.push(until_allowed("granter", "create", "rolebindings", true));
    calls.extend([
        // Roles: what the granter holds, and more.
        post("granter", &roles, role(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}))),
        put("granter", &format!("{roles}/x"), role(json!({"verbs": ["get", "watch", "list"], "apiGroups": [""], "resources": ["pods", "secrets"]}))),
        put("granter", &format!("{roles}/x"), role(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["jobs/log", "pods/exec"]}))),
        merge("granter", &format!("{roles}/x"), rules(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}))),
        merge("granter", &format!("{roles}/x"), json!({"metadata": {"labels": {"a": "b"}}})),
        merge("granter", &format!("{roles}/x"), rules(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}))),
        post("granter", &cluster_roles, role(json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}))),
        post("granter", &cluster_roles, with("x", json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}))),
        put("granter", &format!("{cluster_roles}/edit"), with("edit", json!({"rules": []}))),
        // An invalid role that is more than they hold: which is said first?
        post("granter", &roles, with("a/b", rules(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]})))),
        // Bindings.
        post("granter", &bindings, bound("held", "ClusterRole", "pod-reader", user("bob"))),
        // What is missing is told in an order of verbs that may be another.
        post("granter", &bindings, bound("more", "ClusterRole", "edit", user("bob"))).in_other_words(),
        post("granter", &bindings, bound("more", "ClusterRole", "system:certificates.k8s.io:legacy-unknown-approver", user("bob"))),
        post("granter", &bindings, bound("more", "ClusterRole", "gone", user("bob"))),
        post("granter", &bindings, bound("more", "Role", "gone", user("bob"))),
        post("granter", &bindings, bound("more", "Nonsense", "view", user("bob"))),
        post("granter", &everywhere, bound("more", "ClusterRole", "cluster-admin", user("bob"))),
        post("granter", &everywhere, bound("more", "Role", "x", user("bob"))),
        put("granter", &format!("{bindings}/more"), bound("more", "ClusterRole", "cluster-admin", user("bob"))),
        // Subjects can only be added to what one holds.
        post("root", &bindings, bound("admins", "ClusterRole", "cluster-admin", json!([]))),
        put("granter", &format!("{bindings}/admins"), bound("admins", "ClusterRole", "cluster-admin", user("bob"))),
        put("granter", &format!("{bindings}/admins"), bound("admins", "ClusterRole", "cluster-admin", json!([]))),
        merge("granter", &format!("{bindings}/admins"), json!({"metadata": {"finalizers": ["example.com/x"]}})),
        merge("granter", &format!("{bindings}/admins"), json!({"metadata": {"finalizers": null}})),
        merge("granter", &format!("{bindings}/admins"), json!({"metadata": {"labels": {"a": "b"}}})),
        delete("granter", &format!("{bindings}/admins")),
        get("granter", &format!("{bindings}/admins")),
    ]);
    // With `bind` on a role in one namespace, it may be bound there and nowhere else.
    let bind = json!({"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["edit", "gone", "x"]});
    calls.extend(may("granter", "binder", rules(bind)));
    calls.push(until_allowed("granter", "bind", "clusterroles", true));
    calls.extend([
        post("granter", &bindings, bound("may", "ClusterRole", "edit", user("bob"))),
        post("granter", &bindings, bound("before", "ClusterRole", "gone", user("bob"))),
        post("granter", &bindings, bound("not", "ClusterRole", "admin", user("bob"))).in_other_words(),
        post("granter", &everywhere, bound("not", "ClusterRole", "gone", user("bob"))),
    ]);
    // A role that does not exist is told whoever is bound to it.
    calls.extend([
        post("root", &everywhere, bound("dangling", "ClusterRole", "gone", user("dora"))),
        get("dora", &shop("pods")).until_text("RBAC: clusterrole.rbac.authorization.k8s.io"),
        post(
            "dora",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            json!({"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}}),
        ),
        delete("root", &format!("{everywhere}/dangling")),
    ]);
    calls
}
