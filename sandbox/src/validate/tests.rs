use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

fn alice() -> User {
    User { name: "alice".to_owned(), groups: Vec::new(), ..User::anonymous() }
}

/// The object as the API decodes it, in the namespace `shop` if its kind is namespaced.
fn object(kind: Kind, fields: Value) -> Value {
    let resource = kind.resource();
    let mut object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-11-01T00:00:00Z"}});
    if resource.namespaced {
        object["metadata"]["namespace"] = "shop".into();
    }
    for (key, value) in fields.as_object().expect("an object") {
        match value.as_object().filter(|_| key == "metadata") {
            Some(metadata) => {
                metadata.iter().for_each(|(key, value)| object["metadata"][key] = value.clone())
            }
            None => object[key] = value.clone(),
        }
    }
    (resource.through)(&object).expect("an object of its kind")
}

fn said(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn created(kind: Kind, fields: Value) -> (Value, Vec<String>) {
    let mut object = object(kind, fields);
    set_defaults(kind, &mut object);
    let user = alice();
    let errors = create(kind, &mut object, Writer { user: &user, now: now() });
    (object, said(&errors))
}

fn wrong(kind: Kind, fields: Value) -> Vec<String> {
    created(kind, fields).1
}

fn changed(kind: Kind, subresource: &str, old: Value, new: Value) -> (Value, Vec<String>) {
    let (mut new, old) = (object(kind, new), object(kind, old));
    set_defaults(kind, &mut new);
    let user = alice();
    let errors = update(kind, subresource, &mut new, &old, Writer { user: &user, now: now() });
    (new, said(&errors))
}

const NONE: [&str; 0] = [];

const GROUP: &str = crate::rbac::GROUP;

fn bound(subjects: Value) -> Value {
    json!({"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects})
}

#[test]
fn the_group_of_roles_and_subjects_is_optional() {
    let subjects = json!([
        {"kind": "User", "name": "a"}, {"kind": "Group", "name": "b"}, {"kind": "ServiceAccount", "name": "c"},
    ]);
    let (binding, errors) = created(Kind::RoleBinding, bound(subjects));
    assert_eq!(errors, NONE);
    assert_eq!(binding["roleRef"]["apiGroup"], GROUP);
    let groups: Vec<&Value> = binding["subjects"]
        .as_array()
        .expect("subjects")
        .iter()
        .map(|subject| &subject["apiGroup"])
        .collect();
    assert_eq!(groups, [&json!(GROUP), &json!(GROUP), &Value::Null]);
}

#[test]
fn a_binding_names_a_role_and_subjects() {
    let unsupported = |field: &str, value: &str, supported: &str| {
        vec![format!("{field}: Unsupported value: {value:?}: supported values: {supported}")]
    };
    let group = format!("{GROUP:?}");
    for (kind, role, errors) in [
        (Kind::RoleBinding, json!({"kind": "Role", "name": "a:b"}), Vec::new()),
        (
            Kind::ClusterRoleBinding,
            json!({"kind": "Role", "name": "a"}),
            unsupported("roleRef.kind", "Role", "\"ClusterRole\""),
        ),
        (
            Kind::RoleBinding,
            json!({"kind": "User", "name": "a"}),
            unsupported("roleRef.kind", "User", "\"Role\", \"ClusterRole\""),
        ),
        (
            Kind::RoleBinding,
            json!({"kind": "Role", "name": "a", "apiGroup": "rbac"}),
            unsupported("roleRef.apiGroup", "rbac", &group),
        ),
        (
            Kind::RoleBinding,
            json!({"kind": "Role", "name": ""}),
            vec!["roleRef.name: Required value".to_owned()],
        ),
        (
            Kind::RoleBinding,
            json!({"kind": "Role", "name": "a/b"}),
            vec!["roleRef.name: Invalid value: \"a/b\": may not contain '/'".to_owned()],
        ),
    ] {
        assert_eq!(wrong(kind, json!({"roleRef": role})), errors, "{role}");
    }
    for (subject, errors) in [
        (json!({"kind": "User", "name": "any name: at all"}), Vec::new()),
        (json!({"kind": "Group", "name": ""}), vec!["subjects[0].name: Required value".to_owned()]),
        (
            json!({"kind": "Group", "name": "a", "apiGroup": "v1"}),
            unsupported("subjects[0].apiGroup", "v1", &group),
        ),
        (
            json!({"kind": "Team", "name": "a"}),
            unsupported("subjects[0].kind", "Team", "\"ServiceAccount\", \"User\", \"Group\""),
        ),
        (
            json!({"kind": "ServiceAccount", "name": "a", "namespace": "b", "apiGroup": GROUP}),
            unsupported("subjects[0].apiGroup", GROUP, "\"\""),
        ),
        (
            json!({"kind": "ServiceAccount", "name": "a"}),
            vec!["subjects[0].namespace: Required value".to_owned()],
        ),
    ] {
        assert_eq!(wrong(Kind::ClusterRoleBinding, bound(json!([subject]))), errors, "{subject}");
    }
    let account = json!([{"kind": "ServiceAccount", "name": "a"}]);
    assert_eq!(wrong(Kind::RoleBinding, bound(account)), NONE, "it is in the binding's own namespace");
}

#[test]
fn the_role_of_a_binding_is_immutable() {
    let to = |name: &str| json!({"roleRef": {"kind": "ClusterRole", "name": name, "apiGroup": GROUP}});
    for kind in [Kind::RoleBinding, Kind::ClusterRoleBinding] {
        assert_eq!(changed(kind, "", to("view"), to("view")).1, NONE);
        let [error] = changed(kind, "", to("view"), to("edit")).1.try_into().expect("one error");
        assert_eq!(
            error,
            r#"roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: field is immutable"#
        );
    }
}

#[test]
fn a_rule_is_about_resources_or_about_paths() {
    let rule = |rule: Value| json!({"rules": [rule]});
    let role = |fields: Value| wrong(Kind::Role, rule(fields));
    let cluster = |fields: Value| wrong(Kind::ClusterRole, rule(fields));
    assert_eq!(role(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]})), NONE);
    assert_eq!(cluster(json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]})), NONE);
    assert_eq!(
        role(json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]})),
        [
            r#"rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs"#
        ]
    );
    assert_eq!(
        cluster(json!({"verbs": ["get"], "nonResourceURLs": ["/m"], "resources": ["pods"]})),
        [
            r#"rules[0].nonResourceURLs: Invalid value: ["/m"]: rules cannot apply to both regular resources and non-resource URLs"#
        ]
    );
    let missing = role(json!({"verbs": []}));
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(
        missing[1].starts_with("rules[0].apiGroups: Required value: resource rules must supply"),
        "{missing:?}"
    );
    assert_eq!(
        wrong(Kind::ClusterRole, json!({"aggregationRule": {"clusterRoleSelectors": []}})),
        [
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
        ]
    );
    let selector = json!({"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]});
    assert_eq!(
        wrong(Kind::ClusterRole, json!({"aggregationRule": {"clusterRoleSelectors": [selector]}})),
        [
            "aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.",
            "aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: \"Near\": not a valid selector operator"
        ]
    );
}

#[test]
fn names_follow_the_rule_of_their_kind() {
    for (kind, fields, good, bad) in [
        (Kind::RoleBinding, bound(json!([])), "certctl:dev:edit", "a/b"),
        (Kind::ConfigMap, json!({}), "a.b", "A"),
        (Kind::Lease, json!({}), "a.b", "a:b"),
        (Kind::Namespace, json!({}), "a-b", "a.b"),
        (Kind::Pod, json!({"spec": {"containers": [{"name": "c", "image": "i"}]}}), "a.b", "a_b"),
    ] {
        let mut named = fields.clone();
        named["metadata"] = json!({"name": good});
        assert_eq!(wrong(kind, named.clone()), NONE, "{kind:?}");
        named["metadata"] = json!({"name": bad});
        let errors = wrong(kind, named);
        assert!(errors.len() == 1 && errors[0].starts_with("metadata.name: Invalid value"), "{errors:?}");
    }
}

#[test]
fn metadata_is_the_same_for_all_kinds() {
    let of = |metadata: Value| wrong(Kind::ConfigMap, json!({"metadata": metadata}));
    assert_eq!(of(json!({"labels": {"a/b": "c"}, "annotations": {"Upper/Case": "any: thing"}})), NONE);
    for (metadata, start) in [
        (json!({"labels": {"a b": "c"}}), "metadata.labels: Invalid value: \"a b\": name part must consist"),
        (json!({"labels": {"a": "b c"}}), "metadata.labels: Invalid value: \"b c\": a valid label must be"),
        (json!({"annotations": {"a b": "c"}}), "metadata.annotations: Invalid value: \"a b\": name part"),
        (
            json!({"annotations": {"a": "x".repeat(300_000)}}),
            "metadata.annotations: Too long: may not be more than",
        ),
        (json!({"finalizers": ["mine"]}), "metadata.finalizers[0]: Invalid value: \"mine\": name is neither"),
        (json!({"name": ""}), "metadata.name: Required value: name or generateName is required"),
        (
            json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": ""}]}),
            "metadata.ownerReferences[0].uid: Required value",
        ),
    ] {
        let errors = of(metadata);
        assert!(errors.len() == 1 && errors[0].starts_with(start), "{errors:?}");
    }
    assert_eq!(
        wrong(Kind::Namespace, json!({"metadata": {"namespace": "shop"}})),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
    let gone = |finalizers: Value| json!({"metadata": {"deletionTimestamp": "2026-11-01T00:00:00Z", "finalizers": finalizers}});
    assert_eq!(
        changed(Kind::ConfigMap, "", gone(json!(["a.b/c"])), gone(json!(["a.b/c", "a.b/d"]))).1,
        [
            r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/d"}"#
        ]
    );
    assert_eq!(changed(Kind::ConfigMap, "", gone(json!(["a.b/c"])), gone(json!([]))).1, NONE);
}

#[test]
fn a_namespace_is_active_and_labelled_with_its_name() {
    let (namespace, errors) = created(Kind::Namespace, json!({"status": {"phase": "Terminating"}}));
    assert_eq!(errors, NONE);
    assert_eq!(namespace["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "x"}));
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(namespace["status"], json!({"phase": "Active"}));

    let edit = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"finalizers": []}, "status": {"phase": "Terminating"}});
    let (changed_to, errors) = changed(Kind::Namespace, "", namespace.clone(), edit);
    assert_eq!(errors, NONE);
    assert_eq!(changed_to["metadata"]["labels"], json!({"a": "b", "kubernetes.io/metadata.name": "x"}));
    assert_eq!((&changed_to["spec"], &changed_to["status"]), (&namespace["spec"], &namespace["status"]));
    assert_eq!(
        changed(Kind::Namespace, "status", namespace, json!({"status": {"phase": "Terminating"}})).1,
        [
            "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
        ]
    );
}

#[test]
fn an_immutable_config_map_stays_immutable() {
    let map = |value: &str, immutable: Value| json!({"data": {"key": value}, "immutable": immutable});
    assert_eq!(changed(Kind::ConfigMap, "", map("a", json!(null)), map("b", json!(true))).1, NONE);
    let why = "Forbidden: field is immutable when `immutable` is set";
    assert_eq!(
        changed(Kind::ConfigMap, "", map("a", json!(true)), map("b", json!(null))).1,
        [format!("immutable: {why}"), format!("data: {why}")]
    );
    let errors = wrong(Kind::ConfigMap, json!({"data": {"a/b": ""}, "binaryData": {}}));
    assert!(
        errors.len() == 1 && errors[0].starts_with("data[a/b]: Invalid value: \"a/b\": a valid config key"),
        "{errors:?}"
    );
    assert_eq!(
        wrong(Kind::ConfigMap, json!({"data": {"a": ""}, "binaryData": {"a": ""}})),
        ["data[a]: Invalid value: \"a\": duplicate of key present in binaryData"]
    );
    assert_eq!(
        wrong(Kind::ConfigMap, json!({"data": {"a": "x".repeat(1024 * 1024 + 1)}})),
        ["[]: Too long: may not be more than 1048576 bytes"]
    );
}

#[test]
fn a_lease_lasts_and_a_pod_has_containers() {
    assert_eq!(
        wrong(Kind::Lease, json!({"spec": {"leaseDurationSeconds": 15, "leaseTransitions": 0}})),
        NONE
    );
    assert_eq!(
        wrong(Kind::Lease, json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}})),
        [
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"
        ]
    );
    let containers = |containers: Value| json!({"spec": {"containers": containers}});
    assert_eq!(wrong(Kind::Pod, containers(json!([]))), ["spec.containers: Required value"]);
    assert_eq!(
        wrong(Kind::Pod, containers(json!([{"name": "a", "image": "i"}, {"name": "a"}]))),
        ["spec.containers[1].name: Duplicate value: \"a\"", "spec.containers[1].image: Required value"]
    );
}

#[test]
fn a_pod_stays_pending_and_is_mostly_immutable() {
    let (pod, errors) = created(
        Kind::Pod,
        json!({"spec": {"containers": [{"name": "a", "image": "r:5000/i"}, {"name": "b", "image": "i:1"}]},
            "status": {"phase": "Running"}}),
    );
    assert_eq!(errors, NONE);
    assert_eq!(pod["status"]["phase"], "Pending");
    let pull: Vec<&Value> = pod["spec"]["containers"]
        .as_array()
        .expect("two")
        .iter()
        .map(|one| &one["imagePullPolicy"])
        .collect();
    assert_eq!(pull, ["Always", "IfNotPresent"]);
    let edit = |path: &str, value: Value| {
        let mut new = pod.clone();
        *new.pointer_mut(path).expect("there") = value;
        changed(Kind::Pod, "", pod.clone(), new).1
    };
    assert_eq!(edit("/spec/containers/1/image", json!("i:2")), NONE);
    let errors = edit("/spec/restartPolicy", json!("Never"));
    assert!(
        errors.len() == 1 && errors[0].starts_with("spec: Forbidden: pod updates may not change"),
        "{errors:?}"
    );
}

#[test]
fn a_signing_request_belongs_to_its_requester() {
    let csr = serde_json::to_value(crate::testing::csr(json!({"username": "root"}))).expect("JSON");
    let (csr, errors) = created(Kind::CertificateSigningRequest, csr);
    assert_eq!(errors, NONE);
    assert_eq!((&csr["spec"]["username"], &csr["status"]), (&json!("alice"), &json!({})));
    let mut approved = csr.clone();
    approved["status"] = json!({"conditions": [{"type": "Approved", "status": "True"}]});
    let (kept, errors) = changed(Kind::CertificateSigningRequest, "approval", csr.clone(), approved.clone());
    assert_eq!(errors, NONE);
    assert_eq!(kept["status"]["conditions"][0]["lastUpdateTime"], "2026-11-01T12:00:00Z");
    let (kept, errors) = changed(Kind::CertificateSigningRequest, "", csr.clone(), approved);
    assert_eq!((errors, &kept["status"]), (Vec::new(), &csr["status"]));
}
