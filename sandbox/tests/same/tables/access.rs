//! Who may do what: what is there from the beginning, refusals, reviews.

use serde_json::{Value, json};

use super::{cluster, named, shop};
use crate::step::{Step, delete, get, merge, post, put};

const ROLES: [&str; 16] = [
    "admin",
    "cluster-admin",
    "edit",
    "system:aggregate-to-admin",
    "system:aggregate-to-edit",
    "system:aggregate-to-view",
    "system:auth-delegator",
    "system:basic-user",
    "system:certificates.k8s.io:kube-apiserver-client-approver",
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
    "system:certificates.k8s.io:kubelet-serving-approver",
    "system:certificates.k8s.io:legacy-unknown-approver",
    "system:discovery",
    "system:monitoring",
    "system:public-info-viewer",
    "view",
];

/// What is there from the beginning is what the real cluster has, rule by rule.
pub fn bootstrap() -> Vec<Step> {
    let roles = ROLES.map(|name| get("root", &format!("{}/{name}", cluster("clusterroles"))));
    let bindings = [
        "cluster-admin",
        "system:basic-user",
        "system:discovery",
        "system:monitoring",
        "system:public-info-viewer",
    ]
    .map(|name| get("root", &format!("{}/{name}", cluster("clusterrolebindings"))));
    let namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"]
        .map(|name| get("root", &format!("/api/v1/namespaces/{name}")));
    let shop = post("root", "/api/v1/namespaces", named("shop"));
    roles.into_iter().chain(bindings).chain(namespaces).chain([shop]).collect()
}

pub fn forbidden() -> Vec<Step> {
    let csr = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    vec![
        get("dora", &shop("pods")),
        get("dora", &format!("{}?watch=true", shop("pods"))),
        get("dora", &format!("{}/web", shop("pods"))),
        get("dora", &format!("{}/web/log", shop("pods"))),
        get("dora", "/api/v1/pods"),
        get("dora", "/api/v1/namespaces"),
        get("dora", "/api/v1/namespaces/shop"),
        get("dora", "/api/v1/namespaces/nowhere/configmaps"),
        post("dora", "/api/v1/namespaces", named("mine")),
        post("dora", &shop("configmaps"), named("mine")),
        put("dora", &format!("{}/mine", shop("configmaps")), named("mine")),
        merge("dora", &format!("{}/mine", shop("configmaps")), json!({})),
        delete("dora", &format!("{}/mine", shop("configmaps"))),
        delete("dora", &shop("configmaps")),
        get("dora", &cluster("clusterroles")),
        get("dora", &format!("{}/view", cluster("clusterroles"))),
        post("dora", &cluster("clusterrolebindings"), named("mine")),
        get("dora", csr),
        post("dora", csr, json!({})),
        put("dora", &format!("{csr}/x/approval"), json!({})),
        get("dora", "/apis/nowhere.example.com/v1/things"),
        get("dora", "/api/v1/namespaces/shop/nothings"),
        get("dora", "/metrics"),
        get("dora", "/secret/%3Cb%3E%26%22quotes%22"),
        get("dora", "/version").differs("the builds differ"),
        get("dora", "/healthz"),
        get("dora", "/readyz"),
        get("nobody", "/healthz"),
        get("nobody", "/livez"),
        get("nobody", "/api"),
        get("nobody", "/apis"),
        get("nobody", "/api/v1"),
        get("nobody", &shop("pods")),
        post("nobody", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})),
    ]
}

pub fn reviews() -> Vec<Step> {
    let authorization = |plural: &str| format!("/apis/authorization.k8s.io/v1/{plural}");
    let mine = authorization("selfsubjectaccessreviews");
    let theirs = authorization("subjectaccessreviews");
    let local = shop("localsubjectaccessreviews");
    let rules = authorization("selfsubjectrulesreviews");
    let pods = || json!({"verb": "get", "resource": "pods", "namespace": "shop"});
    let about = |mut spec: Value, what: Value| {
        spec["resourceAttributes"] = what;
        json!({"spec": spec})
    };
    let path = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/api"}}});
    vec![
        post("dora", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})),
        post("root", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({})),
        post("dora", &mine, about(json!({}), pods())),
        post(
            "dora",
            &mine,
            about(
                json!({}),
                json!({"verb": "create", "group": "authorization.k8s.io", "resource": "selfsubjectaccessreviews"}),
            ),
        ),
        post("root", &mine, about(json!({}), pods())),
        post("dora", &mine, path),
        post("dora", &mine, json!({})),
        post(
            "dora",
            &mine,
            json!({"spec": {"resourceAttributes": pods(), "nonResourceAttributes": {"verb": "get", "path": "/"}}}),
        ),
        post("dora", &mine, json!({"metadata": {"name": "x"}, "spec": {"resourceAttributes": pods()}}))
            .in_other_words(),
        post("dora", &theirs, about(json!({"user": "bob"}), pods())),
        post("root", &theirs, about(json!({"user": "bob"}), pods())),
        post("root", &theirs, about(json!({"groups": ["system:masters"]}), pods())),
        post("root", &theirs, about(json!({}), pods())),
        post("root", &local, about(json!({"user": "bob"}), pods())),
        post(
            "root",
            &local,
            about(json!({"user": "bob"}), json!({"verb": "get", "resource": "pods", "namespace": "other"})),
        ),
        post(
            "root",
            &local,
            json!({"metadata": {"namespace": "other"}, "spec": {"user": "bob", "resourceAttributes": pods()}}),
        ),
        post(
            "root",
            &local,
            json!({"spec": {"user": "bob", "nonResourceAttributes": {"verb": "get", "path": "/"}}}),
        ),
        post("dora", &rules, json!({"spec": {}})),
        post("root", &rules, json!({"spec": {"namespace": "shop"}}))
            // The order of bindings in the real one's cache is any.
            .in_other_words(),
        get("root", &mine),
    ]
}
