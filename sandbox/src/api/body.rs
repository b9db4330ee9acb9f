//! Request bodies: read as an object of the kind that the URL names.

use serde_json::{Map, Value};

use crate::protobuf;
use crate::request::Query;
use crate::resource::{Kind, Resource};
use crate::status::{FieldError, Status};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// What happens to fields that the kind does not have (the query's `fieldValidation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They are dropped.
    Ignored,
    /// They are dropped, and the client is warned.
    Warned,
    /// The request is refused.
    Refused,
}

impl Unknown {
    /// What the query asks for.
    ///
    /// # Errors
    /// 422 for an unknown directive.
    pub fn of(query: &Query) -> Result<Self, Status> {
        match query.text("fieldValidation") {
            None | Some("Warn") => Ok(Self::Warned),
            Some("Ignore") => Ok(Self::Ignored),
            Some("Strict") => Ok(Self::Refused),
            Some(other) => {
                let error = FieldError::not_supported(
                    "fieldValidation",
                    &other.into(),
                    &["", "Ignore", "Strict", "Warn"],
                );
                Err(Status::invalid("CreateOptions", "meta.k8s.io", "", &[error]))
            }
        }
    }
}

/// An object that was read, and the warnings about it.
#[derive(Debug)]
pub struct Read {
    /// The object, as its type serializes it.
    pub object: Value,
    /// For the header `Warning`.
    pub warnings: Vec<String>,
}

/// Reads the JSON in a body that should be an object of this kind.
///
/// # Errors
/// 415 for another content type, 400 for malformed JSON.
pub fn value(kind: &str, content_type: &str, body: &[u8]) -> Result<Value, Status> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => serde_json::from_slice(body).map_err(|error| {
            Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error}"
            ))
        }),
        PROTOBUF => protobuf::decode(body).map_err(|why| {
            Status::unsupported_media_type(format!("the body of the request was in an unknown format: {why}"))
        }),
        other => Err(Status::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, {PROTOBUF}; the sandbox does not read {other:?}"
        ))),
    }
}

/// The object in a body.
///
/// # Errors
/// A kind other than the URL's, wrong types, and unknown fields if they are refused.
pub fn object(
    resource: &Resource,
    content_type: &str,
    body: &[u8],
    unknown: Unknown,
) -> Result<Read, Status> {
    let sent = value(resource.name, content_type, body)?;
    typed(resource, sent, unknown)
}

/// A value as an object of a kind.
///
/// # Errors
/// As [`object`].
pub fn typed(resource: &Resource, mut sent: Value, unknown: Unknown) -> Result<Read, Status> {
    // As Go decodes it: nothing is set.
    if sent.is_null() {
        sent = Value::Object(Map::new());
    }
    let Value::Object(fields) = &mut sent else {
        return Err(Status::bad_request("the object provided is unrecognized: it is no JSON object"));
    };
    check_kind(resource, fields)?;
    let handled = |why: String| {
        let kind = resource.name;
        Status::bad_request(format!("{kind} in version \"v1\" cannot be handled as a {kind}: {why}"))
    };
    let mut object = (resource.through)(&sent).map_err(|error| handled(error.to_string()))?;
    let mut strangers = Vec::new();
    if unknown != Unknown::Ignored {
        compare("", &sent, &object, &mut strangers);
    }
    if !strangers.is_empty() && unknown == Unknown::Refused {
        return Err(handled(format!("strict decoding error: {}", strangers.join(", "))));
    }
    tidy(resource.kind, &mut object);
    Ok(Read { object, warnings: strangers })
}

fn check_kind(resource: &Resource, fields: &mut Map<String, Value>) -> Result<(), Status> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text(fields.get("apiVersion")), text(fields.get("kind")));
    let expected = resource.api_version();
    if !version.is_empty() && version != expected {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if !kind.is_empty() && kind != resource.name {
        return Err(Status::bad_request(format!(
            "{kind} in version \"v1\" cannot be handled as a {}: the kind in the data does not match the kind of the URL",
            resource.name
        )));
    }
    fields.insert("apiVersion".to_owned(), expected.into());
    fields.insert("kind".to_owned(), resource.name.into());
    Ok(())
}

/// Which fields were sent but not kept: those that the type does not have.
fn compare(path: &str, sent: &Value, kept: &Value, strangers: &mut Vec<String>) {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            for (key, value) in sent {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match kept.get(key) {
                    Some(kept) => compare(&path, value, kept, strangers),
                    None if value.is_null() => {}
                    None => strangers.push(format!("unknown field {path:?}")),
                }
            }
        }
        (Value::Array(sent), Value::Array(kept)) => {
            for (at, (sent, kept)) in sent.iter().zip(kept).enumerate() {
                compare(&format!("{path}[{at}]"), sent, kept, strangers);
            }
        }
        _ => {}
    }
}

/// Omits what Go omits: empty lists, maps and strings. If an empty value has a meaning of its
/// own (a pod's `emptyDir`, a lease's holder), only the metadata is cleaned.
pub(super) fn tidy(kind: Kind, object: &mut Value) {
    let Value::Object(fields) = object else { return };
    // What no client can write, and what the sandbox does not keep.
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.remove("managedFields");
        metadata.remove("selfLink");
        prune(metadata);
    }
    let whole = matches!(
        kind,
        Kind::CertificateSigningRequest
            | Kind::ClusterRole
            | Kind::ClusterRoleBinding
            | Kind::ConfigMap
            | Kind::Role
            | Kind::RoleBinding
    );
    if whole {
        for (key, value) in fields.iter_mut() {
            match value {
                // An empty value of a config map is a value.
                _ if matches!(key.as_str(), "data" | "binaryData") => {}
                Value::Object(inner) => prune(inner),
                Value::Array(items) => prune_items(items),
                _ => {}
            }
        }
        fields.retain(|_, value| !matches!(value, Value::Array(items) if items.is_empty()));
        if kind == Kind::ConfigMap {
            fields.retain(|_, value| !matches!(value, Value::Object(map) if map.is_empty()));
        }
    }
    // Lists without `omitempty` in their Go types are written as null.
    if matches!(kind, Kind::Role | Kind::ClusterRole) {
        fields.entry("rules").or_insert(Value::Null);
    }
}

fn prune(fields: &mut Map<String, Value>) {
    for (key, value) in fields.iter_mut() {
        match value {
            // The values of labels and the like may be empty.
            Value::Object(inner)
                if !matches!(key.as_str(), "labels" | "annotations" | "extra" | "matchLabels") =>
            {
                prune(inner);
            }
            Value::Array(items) => prune_items(items),
            _ => {}
        }
    }
    fields.retain(|_, value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Null => false,
        _ => true,
    });
}

fn prune_items(items: &mut [Value]) {
    for item in items {
        if let Value::Object(inner) = item {
            prune(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: Kind, sent: Value, unknown: Unknown) -> Result<Read, Status> {
        typed(kind.resource(), sent, unknown)
    }

    #[test]
    fn unknown_fields_are_named_where_they_are() {
        let sent = json!({"metadata": {"name": "x", "lables": {}}, "rules": [{"verbs": [], "verb": "get"}], "nope": 1});
        let warned = read(Kind::Role, sent.clone(), Unknown::Warned).expect("an object");
        let mut warnings = warned.warnings;
        warnings.sort();
        assert_eq!(
            warnings,
            [
                "unknown field \"metadata.lables\"",
                "unknown field \"nope\"",
                "unknown field \"rules[0].verb\""
            ]
        );
        assert!(read(Kind::Role, sent.clone(), Unknown::Ignored).expect("an object").warnings.is_empty());
        let refused = read(Kind::Role, sent, Unknown::Refused).expect_err("refused");
        assert_eq!(refused.code, 400);
        assert!(
            refused.message.starts_with(
                "Role in version \"v1\" cannot be handled as a Role: strict decoding error: unknown field"
            ),
            "{refused}"
        );
    }

    #[test]
    fn wrong_types_and_other_kinds_are_refused() {
        for sent in [
            json!([]),
            json!("x"),
            json!({"rules": "x"}),
            json!({"rules": [{"verbs": "get"}]}),
            json!({"metadata": []}),
            json!({"metadata": {"labels": {"a": 1}}}),
            json!({"kind": "RoleBinding"}),
            json!({"apiVersion": "v1"}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1"}),
        ] {
            assert_eq!(
                read(Kind::Role, sent.clone(), Unknown::Ignored).expect_err("refused").code,
                400,
                "{sent}"
            );
        }
    }

    #[test]
    fn what_go_omits_is_omitted() {
        let role = read(
            Kind::Role,
            json!({"metadata": {"name": "x", "labels": {}, "annotations": {"a": ""}, "namespace": ""},
                   "rules": [{"verbs": ["get"], "apiGroups": [""], "resourceNames": []}]}),
            Unknown::Ignored,
        );
        assert_eq!(
            role.expect("a role").object,
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                   "metadata": {"name": "x", "annotations": {"a": ""}},
                   "rules": [{"verbs": ["get"], "apiGroups": [""]}]})
        );
        let empty = read(Kind::ClusterRole, json!({"rules": []}), Unknown::Ignored).expect("a role").object;
        assert_eq!(empty["rules"], Value::Null);
        let map = read(Kind::ConfigMap, json!({"data": {"a": ""}, "binaryData": {}}), Unknown::Ignored);
        let map = map.expect("a config map").object;
        assert_eq!((&map["data"], map.get("binaryData")), (&json!({"a": ""}), None));
        let pod = json!({"spec": {"containers": [], "volumes": [{"name": "v", "emptyDir": {}}]}});
        let pod = read(Kind::Pod, pod, Unknown::Ignored).expect("a pod").object;
        assert_eq!(pod["spec"]["volumes"][0]["emptyDir"], json!({}));
    }
}
