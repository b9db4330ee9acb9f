//! Converts the API's JSON to the plain data that plans are computed from. Pure.
//!
//! Only the fields that are named here are kept: `managedFields` and annotations are dropped while
//! an answer is parsed, so that a list of thousands of objects costs what is used of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::pki;
use crate::plan::observed::{Binding, BindingAt, SigningRequest, Subject};
use crate::rbac::PolicyRule;

/// One page of a list. `items` must be there: an answer without it is not an empty list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) metadata: PageMetadata,
    /// Go writes an empty list as `null`.
    pub(super) items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PageMetadata {
    #[serde(rename = "continue", default)]
    pub(super) next: Option<String>,
}

/// Any object, of which only the metadata is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    pub(super) resource_version: String,
    pub(super) finalizers: Option<Vec<String>>,
    pub(super) deletion_timestamp: Option<IgnoredAny>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// A Role or a ClusterRole; the two have the same fields that are wanted. An aggregated ClusterRole has the rules
/// that the cluster's controller filled in.
#[derive(Debug, Deserialize)]
pub(super) struct RoleObject {
    pub(super) metadata: Metadata,
    /// Go writes an empty list as `null`.
    rules: Option<Vec<RuleObject>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleObject {
    verbs: Option<Vec<String>>,
    api_groups: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    resource_names: Option<Vec<String>>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Option<Vec<String>>,
}

impl RoleObject {
    pub(super) fn into_rules(self) -> Vec<PolicyRule> {
        let rule = |rule: RuleObject| {
            let RuleObject { verbs, api_groups, resources, resource_names, non_resource_urls } = rule;
            PolicyRule {
                verbs: verbs.unwrap_or_default(),
                api_groups: api_groups.unwrap_or_default(),
                resources: resources.unwrap_or_default(),
                resource_names: resource_names.unwrap_or_default(),
                non_resource_urls: non_resource_urls.unwrap_or_default(),
            }
        };
        self.rules.unwrap_or_default().into_iter().map(rule).collect()
    }
}

/// A RoleBinding or ClusterRoleBinding; the two have the same fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BindingObject {
    metadata: Metadata,
    role_ref: RoleRefObject,
    subjects: Option<Vec<SubjectObject>>,
}

#[derive(Debug, Deserialize)]
struct RoleRefObject {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct SubjectObject {
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl From<BindingObject> for Binding {
    fn from(object: BindingObject) -> Self {
        let BindingObject { metadata, role_ref, subjects } = object;
        Self {
            at: BindingAt { namespace: metadata.namespace, name: metadata.name },
            role_kind: role_ref.kind,
            role_name: role_ref.name,
            subjects: subjects.unwrap_or_default().into_iter().map(Subject::from).collect(),
            labels: metadata.labels.unwrap_or_default(),
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            finalizers: metadata.finalizers.unwrap_or_default(),
            deletion_requested: metadata.deletion_timestamp.is_some(),
        }
    }
}

impl From<SubjectObject> for Subject {
    fn from(object: SubjectObject) -> Self {
        let SubjectObject { kind, name, namespace } = object;
        Self { kind, name, namespace }
    }
}

/// A CertificateSigningRequest as it is reported, without the bytes of its request, which may be a
/// megabyte. One that cannot be read has no key.
pub(super) fn signing_request(object: CertificateSigningRequest) -> SigningRequest {
    let CertificateSigningRequest { metadata, spec, status } = object;
    let status = status.unwrap_or_default();
    let (common_name, organizations, key) = match pki::requested_subject(&spec.request.0) {
        Some(subject) => (subject.common_name, subject.organizations, Some(subject.key)),
        None => (None, Vec::new(), None),
    };
    SigningRequest {
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        created: metadata.creation_timestamp.and_then(|time| Timestamp::from_second(time.0.as_second()).ok()),
        signer_name: spec.signer_name,
        requester: spec.username.unwrap_or_default(),
        common_name,
        organizations,
        key,
        conditions: status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .filter(|condition| condition.status == "True")
            .map(|condition| condition.type_)
            .collect(),
        issued: status.certificate.is_some_and(|certificate| !certificate.0.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_keeps_what_a_plan_needs_and_nothing_else() {
        let object: BindingObject = serde_json::from_str(
            r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding",
                "metadata":{"name":"b","namespace":"shop","uid":"u","resourceVersion":"7","labels":{"a":"b"},
                            "finalizers":["example.com/keep"],"deletionTimestamp":"2027-01-01T00:00:00Z",
                            "managedFields":[{"manager":"x"}]},
                "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},
                "subjects":[{"kind":"ServiceAccount","name":"s","namespace":"n"},
                            {"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"g"}]}"#,
        )
        .expect("a binding");
        let subject = |kind: &str, name: &str, namespace: Option<&str>| Subject {
            kind: kind.into(),
            name: name.into(),
            namespace: namespace.map(Into::into),
        };
        assert_eq!(
            Binding::from(object),
            Binding {
                at: BindingAt { namespace: Some("shop".into()), name: "b".into() },
                role_kind: "ClusterRole".into(),
                role_name: "edit".into(),
                subjects: vec![subject("ServiceAccount", "s", Some("n")), subject("Group", "g", None)],
                labels: [("a".to_owned(), "b".to_owned())].into(),
                uid: "u".into(),
                resource_version: "7".into(),
                finalizers: vec!["example.com/keep".into()],
                deletion_requested: true,
            }
        );
    }

    #[test]
    fn a_binding_without_subjects_has_none() {
        for subjects in ["", r#","subjects":null"#, r#","subjects":[]"#] {
            let text =
                format!(r#"{{"metadata":{{"name":"b"}},"roleRef":{{"kind":"Role","name":"r"}}{subjects}}}"#);
            let object: BindingObject = serde_json::from_str(&text).expect("a binding");
            assert_eq!(Binding::from(object).subjects, []);
        }
    }

    /// Lists of a server that is newer than what this was built with.
    #[test]
    fn fields_that_are_not_known_change_nothing() {
        let list = |kind: &str, item: serde_json::Value| {
            serde_json::json!({
                "kind": kind, "apiVersion": "v1", "shards": {"new": 1}, "items": [item],
                "metadata": {"resourceVersion": "7", "continue": "", "selfCheck": ["new"]},
            })
        };
        let metadata = serde_json::json!({"name": "n", "uid": "u", "origin": {"new": 1}});
        let binding = serde_json::json!({
            "metadata": metadata, "validUntil": "new", "roleRef": {"kind": "Role", "name": "r", "version": 2},
            "subjects": [{"kind": "Group", "name": "g", "when": [{"new": 1}]}],
        });
        let page: Page<BindingObject> =
            serde_json::from_value(list("RoleBindingList", binding)).expect("a list");
        let binding = page.items.and_then(|items| items.into_iter().next()).map(Binding::from).expect("one");
        assert_eq!((binding.role_name.as_str(), binding.subjects[0].name.as_str()), ("r", "g"));

        let role = serde_json::json!({
            "metadata": metadata, "inherits": ["new"],
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "fields": ["new"]}],
        });
        let page: Page<RoleObject> = serde_json::from_value(list("RoleList", role)).expect("a list");
        let role = page.items.and_then(|items| items.into_iter().next()).expect("one");
        assert_eq!(role.into_rules()[0].resources, ["pods"]);

        let request = serde_json::json!({
            "metadata": metadata, "verdict": "new",
            "spec": {"request": "", "signerName": "a/b", "username": "mallory", "trust": {"new": 1}},
            "status": {"conditions": [{"type": "Approved", "status": "True", "by": "new"}], "chain": ["new"]},
        });
        let page: Page<CertificateSigningRequest> =
            serde_json::from_value(list("CertificateSigningRequestList", request)).expect("a list");
        let request =
            page.items.and_then(|items| items.into_iter().next()).map(signing_request).expect("one");
        assert_eq!((request.name.as_str(), request.requester.as_str()), ("n", "mallory"));
    }

    #[test]
    fn an_answer_without_items_is_no_empty_list() {
        assert!(serde_json::from_str::<Page<Named>>(r#"{"kind":"RoleList","items":null}"#).is_ok());
        for text in ["{}", r#"{"items":[]}"#, r#"{"kind":"Status"}"#, r#"{"kind":"RoleList","items":[{}]}"#] {
            let page = serde_json::from_str::<Page<Named>>(text);
            assert!(page.is_err() || page.is_ok_and(|page| page.items.is_none()), "{text}");
        }
    }

    #[test]
    fn a_request_that_cannot_be_parsed_is_still_reported() {
        let object: CertificateSigningRequest = serde_json::from_str(
            r#"{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest",
                "metadata":{"name":"c","uid":"u","creationTimestamp":"2026-11-24T12:00:00Z"},
                "spec":{"request":"bm9uc2Vuc2U=","signerName":"a/b","username":"mallory"},
                "status":{"conditions":[{"type":"Approved","status":"True"},{"type":"Denied","status":"False"}]}}"#,
        )
        .expect("a request");
        let request = signing_request(object);
        assert_eq!(request.key, None);
        assert_eq!(request.requester, "mallory");
        assert_eq!(request.common_name, None);
        assert_eq!(request.conditions, ["Approved"]);
        assert!(!request.issued);
        assert_eq!(request.created.map(|time| time.to_string()).as_deref(), Some("2026-11-24T12:00:00Z"));
    }
}
