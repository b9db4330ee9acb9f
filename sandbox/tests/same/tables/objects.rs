//! Objects that are not as they must be.

use serde_json::json;

use super::{GROUP, bound, cluster, named, rules, shop, user, with};
use crate::step::{Step, get, post, post_text};

pub fn invalid() -> Vec<Step> {
    let (roles, bindings, maps) = (shop("roles"), shop("rolebindings"), shop("configmaps"));
    let everywhere = cluster("clusterrolebindings");
    let long = "a".repeat(300);
    let namespace = |name: &str| post("root", "/api/v1/namespaces", named(name));
    let role = |name: &str| post("root", &shop("roles"), named(name));
    let map = |fields| post("root", &shop("configmaps"), fields);
    let binding = |role, subjects| {
        post("root", &shop("rolebindings"), with("x", json!({"roleRef": role, "subjects": subjects})))
    };
    let view = || json!({"kind": "ClusterRole", "name": "view"});
    let pod = |spec| post("root", &shop("pods"), with("x", json!({"spec": spec})));
    vec![
        namespace("A"),
        namespace("a.b"),
        namespace("-a"),
        namespace(&"a".repeat(64)),
        namespace(""),
        role("a/b"),
        role("50%"),
        role(".."),
        role(""),
        map(named("A_b")),
        map(named(&long)),
        map(with("x", json!({"metadata": {"namespace": "other"}}))),
        map(with("x", json!({"metadata": {"labels": {"a b": "c"}}}))),
        map(with("x", json!({"metadata": {"labels": {"a": "b c"}}}))),
        map(with("x", json!({"metadata": {"labels": {"Example.com/a": "b"}}}))),
        map(with("x", json!({"metadata": {"labels": {"a/b/c": "d"}}}))),
        map(with("x", json!({"metadata": {"annotations": {"a b": "c"}}}))),
        map(with("x", json!({"metadata": {"annotations": {"a": "x".repeat(300_000)}}}))),
        map(with("x", json!({"metadata": {"finalizers": ["mine"]}}))),
        map(with("x", json!({"metadata": {"finalizers": ["a b"]}}))),
        map(with(
            "x",
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": ""}]}}),
        )),
        map(with("x", json!({"metadata": {"resourceVersion": "1"}}))),
        map(json!({"metadata": {"generateName": "A-"}})).differs("generated names are random"),
        map(with("x", json!({"data": {"a/b": ""}}))),
        map(with("x", json!({"data": {"..": ""}}))),
        map(with("x", json!({"data": {"a": ""}, "binaryData": {"a": ""}}))),
        map(with("x", json!({"data": {"a": "x".repeat(1024 * 1024 + 1)}}))),
        post("root", "/api/v1/namespaces/nowhere/configmaps", named("x")),
        post(
            "root",
            &shop("leases"),
            with("x", json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}})),
        ),
        post("root", &roles, with("x", rules(json!({"verbs": []})))),
        post("root", &roles, with("x", rules(json!({"verbs": ["get"], "apiGroups": [""]})))),
        post("root", &roles, with("x", rules(json!({"verbs": ["get"], "nonResourceURLs": ["/x"]})))),
        post(
            "root",
            &cluster("clusterroles"),
            with("x", rules(json!({"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}))),
        ),
        post("root", &cluster("clusterroles"), with("x", json!({"aggregationRule": {}}))),
        post(
            "root",
            &cluster("clusterroles"),
            with(
                "x",
                json!({"aggregationRule": {"clusterRoleSelectors": [
            {"matchExpressions": [{"key": "a", "operator": "Near"}]}]}}),
            ),
        ),
        post(
            "root",
            &cluster("clusterroles"),
            with(
                "x",
                json!({"aggregationRule": {"clusterRoleSelectors": [
            {"matchExpressions": [{"key": "a b", "operator": "In"}], "matchLabels": {"a": "b c"}}]}}),
            ),
        ),
        post("root", &bindings, named("x")),
        binding(json!({"kind": "Role", "name": ""}), json!([])),
        binding(json!({"kind": "Role", "name": "a/b"}), json!([])),
        binding(json!({"kind": "User", "name": "a"}), json!([])),
        binding(json!({"kind": "Role", "name": "a", "apiGroup": "rbac"}), json!([])),
        post("root", &everywhere, bound("x", "Role", "a", user("a"))),
        binding(view(), json!([{"kind": "Group", "name": ""}])),
        binding(view(), json!([{"kind": "User", "name": "a", "apiGroup": "v1"}])),
        binding(view(), json!([{"kind": "Team", "name": "a"}])),
        binding(view(), json!([{"kind": "ServiceAccount", "name": "A", "apiGroup": GROUP}])),
        post(
            "root",
            &everywhere,
            bound("x", "ClusterRole", "view", json!([{"kind": "ServiceAccount", "name": "a"}])),
        ),
        pod(json!({"containers": []})),
        pod(json!({"containers": [{"name": "A", "image": "i"}, {"name": "b"}]})),
        get("root", &maps).differs("the real cluster publishes its CA in every namespace"),
    ]
}

pub fn bodies() -> Vec<Step> {
    let (maps, roles) = (shop("configmaps"), shop("roles"));
    let strict = |plural: &str| format!("{}?fieldValidation=Strict", shop(plural));
    let unknown = || with("unknown", json!({"datum": {"a": "b"}}));
    let map = |body| post("root", &shop("configmaps"), body);
    let mut calls = vec![
        post("root", &strict("configmaps"), unknown()),
        post(
            "root",
            &strict("roles"),
            with("unknown", json!({"rules": [{"verbs": ["get"], "verb": "x"}], "metadata": {"lables": {}}})),
        ),
        post("root", &format!("{maps}?fieldValidation=Warn&dryRun=All"), unknown()),
        post("root", &format!("{maps}?fieldValidation=Ignore&dryRun=All"), unknown()),
        post("root", &format!("{maps}?dryRun=All"), unknown()),
        post("root", &format!("{maps}?fieldValidation=Sometimes"), unknown()),
        post("root", &format!("{maps}?dryRun=Some"), named("x")),
        map(json!(null)),
        post_text("root", &maps, "{}").content_type("text/plain").in_other_words(),
        post_text("root", &maps, "metadata: {name: yaml}")
            .content_type("application/yaml")
            .differs("the sandbox does not read YAML"),
    ];
    let unreadable = [
        map(json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}})),
        map(json!({"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}})),
        map(json!({"kind": "ConfigMap", "apiVersion": "apps/v1", "metadata": {"name": "x"}})),
        map(json!([])),
        map(json!("text")),
        map(with("x", json!({"data": "text"}))),
        map(with("x", json!({"data": {"a": 1}}))),
        map(json!({"metadata": {"name": 1}})),
        map(json!({"metadata": "x"})),
        post("root", &roles, with("x", json!({"rules": {}}))),
        post("root", &roles, with("x", rules(json!({"verbs": "get"})))),
        post_text("root", &maps, "{"),
        post_text("root", &maps, ""),
        post_text("root", &maps, "a: b"),
    ];
    calls.extend(unreadable.map(Step::in_other_words));
    calls
}
