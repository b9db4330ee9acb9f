//! What a careful client asks before it writes: its own rights one by one, those of others, and whether a binding
//! would be accepted.

use serde_json::{Value, json};

use super::{GROUP, bound, cluster, named, rules, shop, user, with};
use crate::step::{Step, delete, get, post};

const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

/// Whether somebody may, as they ask it themselves.
fn may(who: &str, attributes: Value) -> Step {
    let question = json!({"spec": {"resourceAttributes": attributes}});
    post(who, &format!("{AUTHORIZATION}/selfsubjectaccessreviews"), question)
}

/// Whether dora may, as an administrator asks it.
fn may_dora(attributes: Value) -> Step {
    let spec =
        json!({"user": "dora", "groups": ["dev", "system:authenticated"], "resourceAttributes": attributes});
    post("root", &format!("{AUTHORIZATION}/subjectaccessreviews"), json!({"spec": spec}))
}

pub fn before_a_write() -> Vec<Step> {
    let csr = |verb: &str, subresource: &str| {
        json!({"verb": verb, "group": "certificates.k8s.io", "resource": "certificatesigningrequests",
            "subresource": subresource, "namespace": "", "name": ""})
    };
    let signer = |name: &str| json!({"verb": "approve", "group": "certificates.k8s.io", "resource": "signers", "name": name});
    let bind = |kind: &str, name: &str, namespace: &str| json!({"verb": "bind", "group": GROUP, "resource": kind, "namespace": namespace, "name": name});
    let mut steps = vec![
        may("root", csr("create", "")),
        may("asker", csr("create", "")),
        may("asker", csr("update", "approval")),
        may("asker", signer("kubernetes.io/kube-apiserver-client")),
        may("asker", signer("kubernetes.io/*")),
        may("asker", bind("clusterroles", "view", "")),
        may("asker", bind("roles", "x", "shop")),
        may(
            "asker",
            json!({"verb": "update", "resource": "configmaps", "namespace": "kube-system", "name": "certctl-acme"}),
        ),
        may("asker", json!({"verb": "list", "group": GROUP, "resource": "rolebindings", "namespace": ""})),
    ];

    // One who may write bindings, and holds what one role has.
    let role = |name: &str, rule: Value| post("root", &cluster("clusterroles"), with(name, rules(rule)));
    let to_asker = |role: &str| bound(&format!("asker-{role}"), "ClusterRole", role, user("asker"));
    let writes = json!({"verbs": ["create"], "apiGroups": [GROUP], "resources": ["rolebindings", "clusterrolebindings"]});
    let signs = json!({"verbs": ["approve"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"],
        "resourceNames": ["kubernetes.io/*"]});
    steps.extend([
        role("asker-writes", writes),
        role("asker-reads", json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]})),
        role("asker-signs", signs),
    ]);
    steps.extend(
        ["asker-writes", "asker-reads", "asker-signs"]
            .map(|name| post("root", &cluster("clusterrolebindings"), to_asker(name))),
    );
    // The real authorizer learns of it from its watch.
    steps.push(may("asker", signer("kubernetes.io/*")).until("/status/allowed", true));
    steps.push(may("asker", signer("kubernetes.io/kube-apiserver-client")));
    steps.push(
        may("asker", json!({"verb": "create", "group": GROUP, "resource": "rolebindings"}))
            .until("/status/allowed", true),
    );
    let tried = |kind: &str, role: &str| json!({"metadata": {"name": "tried"}, "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}});
    let dry = |path: String| format!("{path}?dryRun=All");
    let (here, everywhere) = (dry(shop("rolebindings")), dry(cluster("clusterrolebindings")));
    steps.extend([
        post("asker", &here, tried("ClusterRole", "asker-reads")),
        post("asker", &everywhere, tried("ClusterRole", "asker-reads")),
        post("asker", &here, tried("ClusterRole", "cluster-admin")),
        post("asker", &everywhere, tried("ClusterRole", "cluster-admin")),
        post("asker", &here, tried("ClusterRole", "asker-gone")),
        post("asker", &here, tried("Role", "asker-gone")),
        post(
            "asker",
            &dry("/apis/rbac.authorization.k8s.io/v1/namespaces/nowhere/rolebindings".into()),
            tried("ClusterRole", "asker-reads"),
        ),
        post("dora", &here, tried("ClusterRole", "asker-reads")),
        // Nothing of it was stored.
        get("root", &format!("{}/tried", shop("rolebindings"))),
        get("root", &format!("{}/tried", cluster("clusterrolebindings"))),
        // A name that is taken is told after the rights are judged.
        post("root", &shop("rolebindings"), tried("ClusterRole", "asker-reads")),
        post("asker", &here, tried("ClusterRole", "asker-reads")),
        post("asker", &here, tried("ClusterRole", "cluster-admin")),
        delete("root", &format!("{}/tried", shop("rolebindings"))),
    ]);

    // Of others, and of paths.
    steps.extend([
        may_dora(json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "shop"})),
        may_dora(json!({"verb": "create", "group": "authorization.k8s.io", "resource": "selfsubjectaccessreviews"})),
        post("root", &format!("{AUTHORIZATION}/subjectaccessreviews"),
            json!({"spec": {"user": "dora", "nonResourceAttributes": {"verb": "get", "path": "/version"}}})),
        post("root", &format!("{AUTHORIZATION}/subjectaccessreviews"),
            json!({"spec": {"user": "dora", "groups": ["system:authenticated"], "nonResourceAttributes": {"verb": "get", "path": "/version"}}}))
            // Two roles allow it; which is named is any.
            .in_other_words(),
        post("asker", &format!("{AUTHORIZATION}/selfsubjectrulesreviews"), json!({"spec": {"namespace": "shop"}}))
            // The order of bindings in the real one's cache is any.
            .in_other_words(),
        post("nobody", &format!("{AUTHORIZATION}/selfsubjectaccessreviews"), json!({"spec": {"resourceAttributes": csr("create", "")}})),
        post("nobody", &format!("{AUTHORIZATION}/selfsubjectrulesreviews"), json!({"spec": {"namespace": "shop"}})),
    ]);

    // Single objects, as they are compared; and whom the API server trusts.
    let published = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    steps.extend([
        get("root", &format!("{}/asker-writes", cluster("clusterroles"))),
        get("root", &format!("{}/asker-gone", cluster("clusterroles"))),
        get("root", "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/extension-apiserver-authentication-reader"),
        get("asker", published),
        get("root", published).differs("each has a CA of its own"),
        post("root", "/api/v1/namespaces/kube-system/configmaps", named("extension-apiserver-authentication")),
    ]);
    steps
}
