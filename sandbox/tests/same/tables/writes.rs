//! Updates, patches and deletes, and what stands in their way.

use serde_json::json;

use super::{bound, cluster, named, shop, user, with};
use crate::step::{Step, delete, delete_with, get, json_patch, merge, post, put};

pub fn conflicts() -> Vec<Step> {
    let (maps, bindings) = (shop("configmaps"), shop("rolebindings"));
    let one = format!("{maps}/one");
    let lease = format!("{}/lock", shop("leases"));
    let binding = format!("{bindings}/b");
    let everywhere = format!("{}/b", cluster("clusterrolebindings"));
    let dated = |version: &str, value: &str| {
        with("one", json!({"metadata": {"resourceVersion": version}, "data": {"a": value}}))
    };
    vec![
        post("root", &maps, with("one", json!({"data": {"a": "1", "empty": ""}}))).save("first", "/metadata/resourceVersion").save("uid", "/metadata/uid"),
        post("root", &maps, named("one")),
        post("root", &cluster("clusterroles"), named("view")),
        put("root", &one, dated("{first}", "2")),
        put("root", &one, dated("{first}", "3")),
        put("root", &one, dated("0", "4")),
        put("root", &one, dated("x", "5")),
        put("root", &one, with("one", json!({"data": {"a": "6"}}))),
        put("root", &one, with("one", json!({"metadata": {"uid": "{uid}"}, "data": {"a": "7"}}))),
        put("root", &one, with("one", json!({"metadata": {"uid": "another"}, "data": {"a": "8"}}))),
        put("root", &one, named("two")),
        put("root", &one, json!({"metadata": {}})),
        put("root", &one, with("one", json!({"metadata": {"namespace": "other"}}))),
        put("root", &format!("{maps}/none"), named("none")),
        put("root", &one, with("one", json!({"immutable": true, "data": {"a": "9"}}))),
        put("root", &one, with("one", json!({"data": {"a": "10"}}))),
        put("root", &one, with("one", json!({"immutable": true, "data": {"a": "9"}, "metadata": {"labels": {"a": "b"}}}))),
        get("root", &format!("{maps}/none")),
        get("root", &one),
        // Leases are never changed blindly.
        put("root", &lease, with("lock", json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-11-01T00:00:00.000000Z"}}))).save("lease", "/metadata/resourceVersion"),
        put("root", &lease, with("lock", json!({"spec": {"holderIdentity": "b"}}))),
        put("root", &lease, with("lock", json!({"metadata": {"resourceVersion": "{lease}"}, "spec": {"holderIdentity": "b"}}))),
        put("root", &lease, with("lock", json!({"metadata": {"resourceVersion": "{lease}"}, "spec": {"holderIdentity": "c"}}))),
        // What a binding binds never changes, and an update makes what is not there.
        put("root", &binding, bound("b", "ClusterRole", "view", user("bob"))).save("made", "/metadata/uid"),
        put("root", &binding, bound("b", "ClusterRole", "edit", user("bob"))),
        put("root", &binding, bound("b", "Role", "view", user("bob"))),
        put("root", &binding, bound("b", "Nonsense", "", json!([]))),
        put("root", &binding, bound("b", "ClusterRole", "view", json!([]))),
        put("root", &everywhere, bound("b", "ClusterRole", "view", user("bob"))),
        put("root", &everywhere, bound("b", "ClusterRole", "edit", user("bob"))),
        put("root", &everywhere, bound("b", "Role", "edit", user("bob"))),
        put("root", &format!("{bindings}/gone"), with("gone", json!({"metadata": {"uid": "{made}"}, "roleRef": {"kind": "ClusterRole", "name": "view"}}))),
        post("root", "/api/v1/namespaces", named("shop")),
        put("root", "/api/v1/namespaces/shop", with("shop", json!({"metadata": {"labels": {"team": "a"}}}))),
        put("root", "/api/v1/namespaces/shop/status", with("shop", json!({"status": {"phase": "Terminating"}}))),
        put("root", "/api/v1/namespaces/none", named("none")),
        post("root", &format!("{maps}/one"), named("one")),
        put("root", &maps, named("one")),
    ]
}

pub fn patches() -> Vec<Step> {
    let maps = shop("configmaps");
    let p = format!("{maps}/p");
    let strategic = "application/strategic-merge-patch+json";
    let binding = format!("{}/b", cluster("clusterrolebindings"));
    vec![
        post("root", &maps, with("p", json!({"data": {"a": "1", "b": "2"}})))
            .save("first", "/metadata/resourceVersion"),
        merge("root", &p, json!({"data": {"a": null, "c": "3"}, "metadata": {"labels": {"x": "y"}}})),
        merge("root", &p, json!({"data": {"c": 1}})).in_other_words(),
        merge("root", &p, json!({"data": [1]})).in_other_words(),
        merge("root", &p, json!({"metadata": {"resourceVersion": "{first}"}})),
        merge("root", &p, json!({"metadata": {"name": "q"}})),
        merge("root", &p, json!({"metadata": {"namespace": "other"}})),
        merge("root", &p, json!({"metadata": {"uid": "other"}})),
        merge("root", &p, json!({"kind": "Secret"})).in_other_words(),
        merge("root", &p, json!({})),
        merge("root", &p, json!([])).in_other_words(),
        merge("root", &p, json!({"datum": 1})),
        merge("root", &format!("{p}?fieldValidation=Strict"), json!({"datum": 1})).in_other_words(),
        merge("root", &format!("{maps}/none"), json!({})),
        json_patch(
            "root",
            &p,
            json!([{"op": "test", "path": "/data/c", "value": "3"}, {"op": "add", "path": "/data/d", "value": "4"}]),
        ),
        json_patch("root", &p, json!([{"op": "test", "path": "/data/c", "value": "4"}])),
        json_patch("root", &p, json!([{"op": "remove", "path": "/data/none"}])),
        json_patch("root", &p, json!([{"op": "replace", "path": "/data/none", "value": "x"}])),
        json_patch("root", &p, json!([{"op": "nonsense", "path": "/data/a"}])),
        json_patch("root", &p, json!({"op": "remove"})).in_other_words(),
        json_patch("root", &p, json!([{"op": "replace", "path": "/data/c", "value": 1}])).in_other_words(),
        merge("root", &p, json!({"data": {"e": "5"}})).content_type(strategic),
        merge("root", &p, json!({"metadata": {"labels": {"x": null}}})).content_type(strategic),
        merge("root", &p, json!({"data": {"f": "6"}})).content_type("application/json"),
        merge("root", &p, json!({"data": {"f": "6"}})).content_type("text/plain"),
        merge(
            "root",
            &format!("{p}?fieldManager=me"),
            with("p", json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        )
        .content_type("application/apply-patch+yaml")
        .differs("the sandbox does not have server-side apply"),
        merge("root", &binding, json!({"roleRef": {"name": "edit"}})),
        merge("root", &binding, json!({"subjects": [{"kind": "Group", "name": "dev"}]})),
        merge("root", &binding, json!({"subjects": null})),
        merge("root", &binding, json!({"metadata": {"labels": {"a b": "c"}}})),
        get("root", &p),
    ]
}

pub fn deletes() -> Vec<Step> {
    let maps = shop("configmaps");
    let d = format!("{maps}/d");
    let only =
        |precondition| json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": precondition});
    let held = format!("{maps}/held");
    vec![
        post("root", &maps, named("d"))
            .save("uid", "/metadata/uid")
            .save("version", "/metadata/resourceVersion"),
        delete_with("root", &d, only(json!({"uid": "another"}))),
        delete_with("root", &d, only(json!({"resourceVersion": "1"}))),
        delete_with("root", &d, json!({"propagationPolicy": "Sideways"})),
        delete_with("root", &d, json!({"preconditions": "x"})).in_other_words(),
        delete("root", &format!("{d}?dryRun=All")),
        delete_with("root", &d, only(json!({"uid": "{uid}", "resourceVersion": "{version}"}))),
        delete("root", &d),
        delete("root", &format!("{}/b", cluster("clusterrolebindings"))),
        delete("root", &format!("{}/b", shop("rolebindings"))),
        post("root", &maps, with("held", json!({"metadata": {"finalizers": ["example.com/held"]}}))),
        delete("root", &held),
        get("root", &held),
        merge("root", &held, json!({"metadata": {"finalizers": ["example.com/held", "example.com/more"]}})),
        merge("root", &held, json!({"metadata": {"finalizers": null}})),
        get("root", &held),
        delete("root", &format!("{maps}?labelSelector=nobody%3Dhas")),
        delete("root", "/api/v1/namespaces/default"),
        delete("root", "/api/v1/namespaces/kube-system"),
        delete("root", "/api/v1/namespaces/none"),
        delete("root", "/api/v1/namespaces"),
        post("root", "/api/v1/namespaces", named("brief")),
        delete("root", "/api/v1/namespaces/brief")
            .differs("the sandbox does not wait for controllers: the namespace is gone at once"),
        get("root", "/api/v1/namespaces/brief").until_code(404),
        post("root", "/api/v1/namespaces/brief/configmaps", named("late")),
    ]
}
