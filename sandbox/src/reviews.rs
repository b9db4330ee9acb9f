//! Access reviews, which are objects that are created and not stored: who am I, what may I do, what
//! may someone else do?
//!
//! pkg/registry/authentication/selfsubjectreview, pkg/registry/authorization and
//! pkg/apis/authorization/validation.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::rbac::Policy;
use crate::request::Attributes;
use crate::resource::{AUTHORIZATION, Kind};
use crate::status::{FieldError, Status};
use crate::user::User;

/// Answers a review of this kind, as its type defines, asked by `user` in the namespace of the
/// URL.
///
/// # Errors
/// The review is invalid.
pub(crate) fn answer(
    kind: Kind,
    question: Value,
    user: &User,
    policy: &Policy,
    namespace: &str,
    now: Timestamp,
) -> Result<Value, Status> {
    match kind {
        Kind::SelfSubjectReview => Ok(who_am_i(user, now)),
        Kind::SelfSubjectRulesReview => rules(&question, user, policy),
        _ => access(kind, question, user, policy, namespace),
    }
}

fn who_am_i(user: &User, now: Timestamp) -> Value {
    let mut info = Map::new();
    info.insert("username".to_owned(), user.name.as_str().into());
    for (field, value, empty) in [
        ("uid", json!(user.uid), user.uid.is_empty()),
        ("groups", json!(user.groups), user.groups.is_empty()),
        ("extra", json!(user.extra), user.extra.is_empty()),
    ] {
        if !empty {
            info.insert(field.to_owned(), value);
        }
    }
    json!({
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()},
        "status": {"userInfo": info},
    })
}

fn rules(question: &Value, user: &User, policy: &Policy) -> Result<Value, Status> {
    let namespace = text(&question["spec"], "namespace");
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let (rules, unresolved) = policy.rules(user, namespace);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    for rule in rules {
        if !is_empty(&rule.resources) {
            let mut shown = json!({"verbs": rule.verbs});
            for (field, list) in [
                ("apiGroups", rule.api_groups),
                ("resources", rule.resources),
                ("resourceNames", rule.resource_names),
            ] {
                if !is_empty(&list) {
                    shown[field] = list.into();
                }
            }
            resources.push(shown);
        }
        if !is_empty(&rule.non_resource_urls) {
            paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}));
        }
    }
    let mut answer = json!({
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": {"resourceRules": resources, "nonResourceRules": paths, "incomplete": false},
    });
    if !unresolved.is_empty() {
        answer["status"]["evaluationError"] = unresolved.into();
    }
    Ok(answer)
}

fn access(
    kind: Kind,
    mut question: Value,
    asks: &User,
    policy: &Policy,
    namespace: &str,
) -> Result<Value, Status> {
    let errors = validate(kind, &question);
    if !errors.is_empty() {
        // The real server does not name the kind either.
        return Err(Status::invalid("", AUTHORIZATION, "", &errors));
    }
    let spec = &question["spec"];
    if kind == Kind::LocalSubjectAccessReview && text(&question["metadata"], "namespace") != namespace {
        let why = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
        return Err(Status::bad_request(why));
    }
    let user = match kind {
        Kind::SelfSubjectAccessReview => asks.clone(),
        _ => subject(spec),
    };
    let mut status = Map::new();
    let (allowed, reason) = match policy.allows(&user, &attributes(spec)) {
        Ok(allowed) => (true, allowed.0),
        Err(denied) => (false, denied.0),
    };
    status.insert("allowed".to_owned(), allowed.into());
    if !reason.is_empty() {
        status.insert("reason".to_owned(), reason.into());
    }
    for field in ["resourceAttributes", "nonResourceAttributes"] {
        if let Some(attributes) = question["spec"].get_mut(field).and_then(Value::as_object_mut) {
            // As Go writes them.
            attributes.retain(|_, value| value != "");
        }
    }
    question["status"] = status.into();
    Ok(question)
}

/// The user that the review is about.
fn subject(spec: &Value) -> User {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    User {
        name: text(spec, "user").to_owned(),
        uid: text(spec, "uid").to_owned(),
        groups: texts(&spec["groups"]),
        extra: spec["extra"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), texts(value)))
            .collect(),
    }
}

/// The request that the review is about.
fn attributes(spec: &Value) -> Attributes {
    let field = |name: &str, field: &str| text(&spec[name], field).to_owned();
    if spec["resourceAttributes"].is_null() {
        let (verb, path) = (field("nonResourceAttributes", "verb"), field("nonResourceAttributes", "path"));
        return Attributes { verb, path, ..Attributes::default() };
    }
    let of = |name: &str| field("resourceAttributes", name);
    Attributes {
        verb: of("verb"),
        is_resource: true,
        api_group: of("group"),
        api_version: of("version"),
        resource: of("resource"),
        subresource: of("subresource"),
        namespace: of("namespace"),
        name: of("name"),
        path: String::new(),
    }
}

fn validate(kind: Kind, question: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (spec, metadata) = (&question["spec"], &question["metadata"]);
    let (resource, other) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() == other.is_null() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid("spec", &inside(other), why));
    }
    if kind != Kind::SelfSubjectAccessReview {
        let nobody = spec["groups"].as_array().is_none_or(Vec::is_empty) && text(spec, "user").is_empty();
        if nobody {
            errors.push(FieldError::invalid(
                "spec.user",
                &"".into(),
                "at least one of user or group must be specified",
            ));
        }
    }
    let local = kind == Kind::LocalSubjectAccessReview;
    let fields = metadata.as_object().into_iter().flatten();
    if fields.into_iter().any(|(field, _)| !(local && field == "namespace")) {
        let why = if local { "must be empty except for namespace" } else { "must be empty" };
        errors.push(FieldError::invalid("metadata", metadata, why));
    }
    if local {
        let (asked, there) = (text(resource, "namespace"), text(metadata, "namespace"));
        if !resource.is_null() && asked != there {
            let why = "must match metadata.namespace";
            errors.push(FieldError::invalid("spec.resourceAttributes.namespace", &asked.into(), why));
        }
        if !other.is_null() {
            let why = "disallowed on this kind of request";
            errors.push(FieldError::invalid("spec.nonResourceAttributes", &inside(other), why));
        }
    }
    errors
}

/// A path's attributes as the server's internal type, whose fields have no JSON names.
fn inside(attributes: &Value) -> Value {
    match attributes {
        Value::Null => Value::Null,
        attributes => json!({"Path": text(attributes, "path"), "Verb": text(attributes, "verb")}),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::*;

    fn policy() -> Policy {
        let role = json!({"metadata": {"name": "viewer"}, "rules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
            {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
        ]});
        let bind = |name: &str, role: &str| {
            let binding = json!({"metadata": {"name": name, "namespace": "shop"},
                "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "Group", "name": "dev"}]});
            from_value(binding).expect("a binding")
        };
        Policy::new(
            [from_value(role).expect("a role")],
            std::iter::empty(),
            std::iter::empty(),
            [bind("b", "viewer"), bind("c", "gone")],
        )
    }

    fn alice() -> User {
        User { name: "alice".into(), groups: vec!["dev".into()], ..User::anonymous() }
    }

    fn ask(kind: Kind, question: Value) -> Result<Value, Status> {
        let question = (kind.resource().through)(&question).expect("a question");
        let now = "2026-11-01T00:00:00Z".parse().expect("a time");
        answer(kind, question, &alice(), &policy(), "shop", now)
    }

    fn about_pods(namespace: &str) -> Value {
        json!({"verb": "get", "resource": "pods", "namespace": namespace})
    }

    #[test]
    fn a_self_subject_review_returns_the_authenticated_user() {
        let answer = ask(Kind::SelfSubjectReview, json!({})).expect("an answer");
        assert_eq!(answer["status"]["userInfo"], json!({"username": "alice", "groups": ["dev"]}));
        assert_eq!(answer["metadata"]["creationTimestamp"], "2026-11-01T00:00:00Z");
    }

    #[test]
    fn access_reviews_answer_for_oneself_and_for_others() {
        let mine = |namespace: &str| {
            let spec = json!({"spec": {"resourceAttributes": about_pods(namespace)}});
            ask(Kind::SelfSubjectAccessReview, spec).expect("an answer")["status"].clone()
        };
        assert_eq!(
            mine("shop"),
            json!({"allowed": true, "reason":
                r#"RBAC: allowed by RoleBinding "b/shop" of ClusterRole "viewer" to Group "dev""#})
        );
        assert_eq!(mine("other"), json!({"allowed": false}));
        let of = |user: Value| {
            let mut spec = user;
            spec["resourceAttributes"] = about_pods("shop");
            ask(Kind::SubjectAccessReview, json!({"spec": spec}))
                .map(|answer| answer["status"]["allowed"].clone())
        };
        assert_eq!(of(json!({"user": "bob"})), Ok(json!(false)));
        assert_eq!(of(json!({"user": "bob", "groups": ["dev"]})), Ok(json!(true)));
        let nobody = of(json!({})).expect_err("of nobody").message;
        assert!(nobody.contains("spec.user: Invalid value: \"\": at least one of user or group"), "{nobody}");
        let path = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}});
        let answer = ask(Kind::SelfSubjectAccessReview, path).expect("an answer");
        assert_eq!(answer["status"]["allowed"], false, "paths are in no namespace");
    }

    #[test]
    fn an_access_review_is_about_one_thing() {
        let asked = |spec: Value| ask(Kind::SelfSubjectAccessReview, json!({"spec": spec}));
        for spec in [
            json!({}),
            json!({"resourceAttributes": about_pods("shop"), "nonResourceAttributes": {"path": "/", "verb": "get"}}),
        ] {
            let message = asked(spec).expect_err("refused").message;
            assert!(
                message.contains("exactly one of nonResourceAttributes or resourceAttributes"),
                "{message}"
            );
        }
        let question = json!({"metadata": {"name": "x"}, "spec": {"resourceAttributes": about_pods("shop")}});
        let message = ask(Kind::SelfSubjectAccessReview, question).expect_err("refused").message;
        assert!(message.contains("metadata: Invalid value"), "{message}");
        let local = |namespace: &str| json!({"metadata": {"namespace": namespace}, "spec": {"user": "a", "resourceAttributes": about_pods("shop")}});
        assert!(ask(Kind::LocalSubjectAccessReview, local("shop")).is_ok());
        assert_eq!(ask(Kind::LocalSubjectAccessReview, local("other")).expect_err("refused").code, 422);
    }

    #[test]
    fn the_rules_of_a_namespace_are_listed_with_missing_roles() {
        let rules =
            |namespace: &str| ask(Kind::SelfSubjectRulesReview, json!({"spec": {"namespace": namespace}}));
        assert_eq!(
            rules("shop").expect("an answer")["status"],
            json!({
                "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}],
                "incomplete": false,
                "evaluationError": "clusterrole.rbac.authorization.k8s.io \"gone\" not found",
            })
        );
        let none = rules("other").expect("an answer")["status"].clone();
        assert_eq!(none, json!({"resourceRules": [], "nonResourceRules": [], "incomplete": false}));
        assert_eq!(rules("").expect_err("of which?").message, "no namespace on request");
    }
}
