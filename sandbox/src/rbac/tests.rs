use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, RoleRef};
use serde_json::{Value, from_value, json};

use super::aggregation::changes;
use super::*;

fn user(name: &str, groups: &[&str]) -> User {
    User {
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..User::anonymous()
    }
}

/// `get /healthz`, or `get pods.apps/log shop/name`: verb, resource with group and subresource, place.
fn request(verb: &str, what: &str, place: &str) -> Attributes {
    if what.starts_with('/') {
        return Attributes { verb: verb.into(), path: what.into(), ..Attributes::default() };
    }
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (resource, api_group) = resource.split_once('.').unwrap_or((resource, ""));
    let (namespace, name) = place.split_once('/').unwrap_or((place, ""));
    Attributes {
        verb: verb.into(),
        is_resource: true,
        api_group: api_group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..Attributes::default()
    }
}

fn rule(value: Value) -> PolicyRule {
    from_value(value).expect("a rule")
}

fn objects<T: serde::de::DeserializeOwned>(values: &Value, kind: &str) -> Vec<T> {
    let values = values.as_array().expect("a list").iter().filter(|value| value["kind"] == kind);
    values.map(|value| from_value(value.clone()).expect(kind)).collect()
}

fn policy(values: Value) -> Policy {
    Policy::new(
        objects(&values, "ClusterRole"),
        objects(&values, "Role"),
        objects(&values, "ClusterRoleBinding"),
        objects(&values, "RoleBinding"),
    )
}

fn role(kind: &str, place: &str, rules: Value) -> Value {
    let (namespace, name) = place.rsplit_once('/').unwrap_or(("", place));
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "rules": rules})
}

/// `view -> Group ops` with or without a namespace.
fn binding(namespace: &str, kind: &str, role: &str, subjects: Value) -> Value {
    let own = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": own,
        "metadata": {"name": format!("bind-{role}"), "namespace": namespace},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}, "subjects": subjects})
}

fn group(name: &str) -> Value {
    json!([{"kind": "Group", "apiGroup": GROUP, "name": name}])
}

#[test]
fn a_rule_allows_exactly_what_it_names() {
    let pods = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]});
    let scale = json!({"verbs": ["update"], "apiGroups": ["*"], "resources": ["*/scale"]});
    let one =
        json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["tls"]});
    let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    let paths = json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/api*", "/metrics/*"]});
    for (rule_of, verb, what, place, allowed) in [
        (&pods, "get", "pods", "shop/web", true),
        (&pods, "get", "pods/log", "shop/web", true),
        (&pods, "get", "pods/exec", "shop/web", false),
        (&pods, "watch", "pods", "shop", false),
        (&pods, "get", "pods.metrics.k8s.io", "shop/web", false),
        (&pods, "get", "pod", "shop/web", false),
        (&scale, "update", "deployments.apps/scale", "shop/web", true),
        (&scale, "update", "deployments.apps", "shop/web", false),
        (&scale, "update", "deployments.apps/rescale", "shop/web", false),
        (&one, "get", "secrets", "shop/tls", true),
        (&one, "get", "secrets", "shop/other", false),
        (&one, "get", "secrets", "shop", false),
        (&all, "approve", "signers.certificates.k8s.io", "/x", true),
        (&all, "get", "/healthz", "", false),
        (&paths, "get", "/healthz", "", true),
        (&paths, "get", "/healthz/etcd", "", false),
        (&paths, "get", "/apis/apps", "", true),
        (&paths, "get", "/metrics/", "", true),
        (&paths, "get", "/metrics", "", false),
        (&paths, "post", "/healthz", "", false),
        (&paths, "get", "pods", "shop", false),
    ] {
        let found = rules::allows(&rule(rule_of.clone()), &request(verb, what, place));
        assert_eq!(found, allowed, "{verb} {what} {place}: {rule_of}");
    }
}

#[test]
fn who_is_bound_where() {
    let policy = policy(json!([
        role("ClusterRole", "view", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
        role(
            "Role",
            "shop/deployer",
            json!([{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}])
        ),
        binding("", "ClusterRole", "view", group("ops")),
        binding(
            "shop",
            "Role",
            "deployer",
            json!([
                {"kind": "User", "apiGroup": GROUP, "name": "alice"},
                {"kind": "ServiceAccount", "name": "ci"},
                {"kind": "ServiceAccount", "name": "cd", "namespace": "build"},
            ])
        ),
    ]));
    let may = |who: &User, verb: &str, place: &str| policy.allows(who, &request(verb, "pods", place)).is_ok();
    let alice = user("alice", &["ops"]);
    assert!(may(&alice, "get", "shop/web") && may(&alice, "get", "") && may(&alice, "create", "shop"));
    assert!(!may(&alice, "create", "other"), "a Role is for its own namespace");
    assert!(!may(&alice, "create", ""), "a Role says nothing of all of the cluster");
    assert!(!may(&user("ops", &[]), "get", "shop/web"), "a user is no group");
    assert!(may(&user("system:serviceaccount:shop:ci", &[]), "create", "shop"));
    assert!(may(&user("system:serviceaccount:build:cd", &[]), "create", "shop"));
    assert!(!may(&user("system:serviceaccount:shop:cd", &[]), "create", "shop"));
    assert!(may(&user("root", &[PRIVILEGED]), "delete", "anything"));

    let said = policy.allows(&alice, &request("get", "pods", "shop/web"));
    assert_eq!(
        said,
        Ok(Allowed(
            r#"RBAC: allowed by ClusterRoleBinding "bind-view" of ClusterRole "view" to Group "ops""#.into()
        ))
    );
    let said = policy.allows(&user("system:serviceaccount:shop:ci", &[]), &request("create", "pods", "shop"));
    assert_eq!(
        said,
        Ok(Allowed(
            r#"RBAC: allowed by RoleBinding "bind-deployer/shop" of Role "deployer" to ServiceAccount "ci/shop""#
                .into()
        ))
    );
}

#[test]
fn a_refusal_says_who_what_and_where() {
    let policy = policy(json!([binding("", "ClusterRole", "gone", group("ops"))]));
    let refusal = |who: &User, request: &Attributes| {
        let denied = policy.allows(who, request).expect_err("nobody may");
        Policy::forbidden(who, request, &denied).message
    };
    let alice = user("alice", &["dev"]);
    for (request, message) in [
        (
            request("list", "pods", "shop"),
            r#"pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "shop""#,
        ),
        (
            request("update", "certificatesigningrequests.certificates.k8s.io/approval", "/x"),
            r#"certificatesigningrequests.certificates.k8s.io "x" is forbidden: User "alice" cannot update resource "certificatesigningrequests/approval" in API group "certificates.k8s.io" at the cluster scope"#,
        ),
        (request("get", "/metrics", ""), r#"forbidden: User "alice" cannot get path "/metrics""#),
        (request("get", "/<b>&", ""), r#"forbidden: User "alice" cannot get path "/&lt;b&gt;&amp;""#),
    ] {
        assert_eq!(refusal(&alice, &request), message);
    }
    assert_eq!(
        refusal(&user("bob", &["ops"]), &request("list", "pods", "")),
        r#"pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope: rbac: RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#
    );
}

#[test]
fn rules_that_cover_others() {
    let held = [
        rule(json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/log"]})),
        rule(json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]})),
        rule(
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}),
        ),
        rule(json!({"verbs": ["get"], "nonResourceURLs": ["/logs/*"]})),
    ];
    let missing = |wanted: Value| rules::describe(rules::not_covered(&held, &[rule(wanted)]));
    let none: [&str; 0] = [];
    for covered in [
        json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods", "jobs/log"]}),
        json!({"verbs": ["get", "*"], "apiGroups": ["apps"], "resources": ["deployments", "*"]}),
        json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["b"]}),
        json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"]}),
        json!({"verbs": ["get"], "nonResourceURLs": ["/logs/a", "/logs/*"]}),
    ] {
        assert_eq!(missing(covered.clone()), none, "{covered}");
    }
    assert_eq!(
        missing(json!({"verbs": ["get", "list", "watch", "delete"], "apiGroups": ["", "batch"],
            "resources": ["pods", "pods/exec"]})),
        [
            r#"{APIGroups:[""], Resources:["pods"], Verbs:["watch" "delete"]}"#,
            r#"{APIGroups:[""], Resources:["pods/exec"], Verbs:["get" "list" "watch" "delete"]}"#,
            r#"{APIGroups:["batch"], Resources:["pods"], Verbs:["get" "list" "watch" "delete"]}"#,
            r#"{APIGroups:["batch"], Resources:["pods/exec"], Verbs:["get" "list" "watch" "delete"]}"#,
        ]
    );
    assert_eq!(
        missing(
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "c"]})
        ),
        [r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["c"], Verbs:["get"]}"#]
    );
    assert_eq!(
        missing(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]})),
        [r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}"#],
        "all of them is more than two of them"
    );
    assert_eq!(
        missing(json!({"verbs": ["get"], "nonResourceURLs": ["/*"]})),
        [r#"{NonResourceURLs:["/*"], Verbs:["get"]}"#]
    );
}

/// alice has `view` everywhere and may write bindings; the tests check what she may grant.
fn granting(more: Vec<Value>) -> Policy {
    let mut all = vec![
        role("ClusterRole", "view", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
        role(
            "ClusterRole",
            "edit",
            json!([
                {"verbs": ["get", "create", "delete"], "apiGroups": [""], "resources": ["pods"]},
            ]),
        ),
        binding("", "ClusterRole", "view", json!([{"kind": "User", "apiGroup": GROUP, "name": "alice"}])),
    ];
    all.extend(more);
    policy(all.into())
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(GROUP.to_owned()), kind: kind.to_owned(), name: name.to_owned() }
}

#[test]
fn users_cannot_bind_more_than_they_have() {
    let alice = user("alice", &["dev", "system:authenticated"]);
    let create = request("create", "clusterrolebindings.rbac.authorization.k8s.io", "");
    let policy = granting(Vec::new());
    assert_eq!(policy.may_bind(&alice, &create, "mine", &role_ref("ClusterRole", "view")), Ok(()));
    let refused =
        policy.may_bind(&alice, &create, "mine", &role_ref("ClusterRole", "edit")).expect_err("more");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            403,
            "clusterrolebindings.rbac.authorization.k8s.io \"mine\" is forbidden: user \"alice\" \
             (groups=[\"dev\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently \
             held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"create\" \"delete\"]}"
        )
    );
    let missing =
        policy.may_bind(&alice, &create, "mine", &role_ref("ClusterRole", "gone")).expect_err("no role");
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, r#"clusterrolebindings.rbac.authorization.k8s.io "gone" not found"#)
    );
    let root = user("root", &[PRIVILEGED]);
    assert_eq!(policy.may_bind(&root, &create, "mine", &role_ref("ClusterRole", "gone")), Ok(()));
}

#[test]
fn bind_allows_binding_a_missing_role_only_where_it_is_granted() {
    let may_bind_edit = json!([{"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"],
        "resourceNames": ["edit", "gone"]}]);
    let policy = granting(vec![
        role("ClusterRole", "binder", may_bind_edit),
        binding("shop", "ClusterRole", "binder", group("dev")),
    ]);
    let alice = user("alice", &["dev"]);
    let within = |namespace: &str| request("create", "rolebindings.rbac.authorization.k8s.io", namespace);
    let bind = |namespace: &str, name: &str| {
        policy
            .may_bind(&alice, &within(namespace), "mine", &role_ref("ClusterRole", name))
            .map_err(|error| error.code)
    };
    assert_eq!(bind("shop", "edit"), Ok(()));
    assert_eq!(bind("shop", "gone"), Ok(()));
    assert_eq!(bind("shop", "binder"), Ok(()), "in shop alice holds it herself");
    assert_eq!(bind("other", "binder"), Err(403));
    assert_eq!(bind("other", "edit"), Err(403));
    assert_eq!(bind("other", "gone"), Err(404));
}

#[test]
fn writing_a_role_takes_its_rules_or_escalate() {
    let escalate = json!([{"verbs": ["escalate"], "apiGroups": [GROUP], "resources": ["clusterroles"],
        "resourceNames": ["special"]}]);
    let policy = granting(vec![
        role("ClusterRole", "escalator", escalate),
        binding("", "ClusterRole", "escalator", group("dev")),
        binding("", "ClusterRole", "gone", group("dev")),
    ]);
    let alice = user("alice", &["dev"]);
    let write = |name: &str, value: Value, old: Option<Value>| {
        let mut new = value;
        new["metadata"] = json!({"name": name});
        let new: ClusterRole = from_value(new).expect("a role");
        let old = old.map(|old| from_value::<ClusterRole>(old).expect("a role"));
        let request = request("update", "clusterroles.rbac.authorization.k8s.io", &format!("/{name}"));
        policy.may_write_cluster_role(&alice, &request, &new, old.as_ref()).map_err(|error| error.message)
    };
    let get = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
    let secrets = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]);
    let aggregating = json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}});
    assert_eq!(write("mine", json!({"rules": get}), None), Ok(()));
    assert_eq!(write("special", json!({"rules": secrets}), None), Ok(()));
    assert_eq!(
        write("mine", json!({"rules": secrets}), None),
        Err("clusterroles.rbac.authorization.k8s.io \"mine\" is forbidden: user \"alice\" (groups=[\"dev\"]) is \
             attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], \
             Verbs:[\"get\"]}; resolution errors: [clusterroles.rbac.authorization.k8s.io \"gone\" not found]"
            .into())
    );
    let refused =
        Err("clusterroles.rbac.authorization.k8s.io \"mine\" is forbidden: must have cluster-admin \
                       privileges to use the aggregationRule"
            .to_owned());
    assert_eq!(write("mine", aggregating.clone(), None), refused);
    assert_eq!(write("mine", json!({"rules": get}), Some(aggregating)), refused, "nor may it be taken away");
}

#[test]
fn aggregated_roles_have_the_rules_of_the_roles_they_select() {
    let rules = |verb: &str| json!([{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}]);
    let labelled = |name: &str, label: &str, verb: &str| json!({"metadata": {"name": name, "labels": {(label): "true"}}, "rules": rules(verb)});
    let selecting = |name: &str, selectors: Value| {
        json!({"metadata": {"name": name, "labels": {"to-admin": "true"}},
            "aggregationRule": {"clusterRoleSelectors": selectors}})
    };
    let mut roles: Vec<ClusterRole> = [
        labelled("view-pods", "to-view", "get"),
        labelled("view-pods-again", "to-view", "get"),
        labelled("delete-pods", "to-edit", "delete"),
        selecting("view", json!([{"matchLabels": {"to-view": "true"}}])),
        selecting(
            "admin",
            json!([
                {"matchExpressions": [{"key": "to-admin", "operator": "Exists"}]},
                {"matchExpressions": [{"key": "to-edit", "operator": "In", "values": ["true", "yes"]}]},
            ]),
        ),
    ]
    .into_iter()
    .map(|value| from_value(value).expect("a role"))
    .collect();
    let mut rounds = 0;
    loop {
        let changes = changes(&roles);
        if changes.is_empty() {
            break;
        }
        rounds += 1;
        for role in &mut roles {
            if let Some(rules) = changes.get(role.metadata.name.as_deref().expect("a name")) {
                role.rules = Some(rules.clone());
            }
        }
    }
    assert_eq!(rounds, 2, "admin takes what view has taken");
    let verbs = |name: &str| -> Vec<&str> {
        let role = roles.iter().find(|role| role.metadata.name.as_deref() == Some(name)).expect("there");
        role.rules.iter().flatten().flat_map(|rule| rule.verbs.iter().map(String::as_str)).collect()
    };
    assert_eq!(verbs("view"), ["get"], "what two roles say is said once");
    assert_eq!(verbs("admin"), ["get", "delete"], "in the order of selectors, then of names");
}
