//! The part of the Kubernetes protobuf format that kubectl sends: `create`, `auth` and `certificate` use
//! it for the built-in kinds. Responses are always JSON, which those clients accept as well.
//!
//! The numbers are those of the `generated.proto` files in k8s.io/api and k8s.io/apimachinery. A kind
//! that is not listed here (a pod) is refused, and so are unlisted fields: nothing that was sent
//! is dropped silently.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The prefix of a protobuf body.
const MAGIC: &[u8] = b"k8s\0";

/// A message: its fields by number.
type Message = [(u64, &'static str, Shape)];

/// The type of a field, and how it is written in JSON.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// A pointer in Go: empty and absent are different.
    TextPointer,
    Bytes,
    Int,
    IntPointer,
    BoolPointer,
    Time,
    MicroTime,
    One(&'static Message),
    TextMap,
    BytesMap,
    /// Each value a list (`ExtraValue`).
    TextsMap,
    Texts,
    Many(&'static Message),
    /// Not for clients to set.
    Ignored,
}

use Shape::{
    BoolPointer, Bytes, BytesMap, Ignored, Int, IntPointer, Many, MicroTime, One, Text, TextMap, TextPointer,
    Texts, TextsMap, Time,
};

const OWNER_REFERENCE: &Message = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", BoolPointer),
    (7, "blockOwnerDeletion", BoolPointer),
];
const MANAGED_FIELDS: &Message = &[
    (1, "manager", Text),
    (2, "operation", Text),
    (3, "apiVersion", Text),
    (4, "time", Time),
    (6, "fieldsType", Text),
    (7, "fieldsV1", Ignored),
    (8, "subresource", Text),
];
const METADATA: &Message = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Int),
    (8, "creationTimestamp", Time),
    (9, "deletionTimestamp", Time),
    (10, "deletionGracePeriodSeconds", IntPointer),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (13, "ownerReferences", Many(OWNER_REFERENCE)),
    (14, "finalizers", Texts),
    (17, "managedFields", Many(MANAGED_FIELDS)),
];
const REQUIREMENT: &Message = &[(1, "key", Text), (2, "operator", Text), (3, "values", Texts)];
const LABEL_SELECTOR: &Message = &[(1, "matchLabels", TextMap), (2, "matchExpressions", Many(REQUIREMENT))];
const RULE: &Message = &[
    (1, "verbs", Texts),
    (2, "apiGroups", Texts),
    (3, "resources", Texts),
    (4, "resourceNames", Texts),
    (5, "nonResourceURLs", Texts),
];
const AGGREGATION: &Message = &[(1, "clusterRoleSelectors", Many(LABEL_SELECTOR))];
const SUBJECT: &Message =
    &[(1, "kind", Text), (2, "apiGroup", Text), (3, "name", Text), (4, "namespace", Text)];
const ROLE_REF: &Message = &[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)];
const ROLE: &Message = &[(1, "metadata", One(METADATA)), (2, "rules", Many(RULE))];
const CLUSTER_ROLE: &Message =
    &[(1, "metadata", One(METADATA)), (2, "rules", Many(RULE)), (3, "aggregationRule", One(AGGREGATION))];
const BINDING: &Message =
    &[(1, "metadata", One(METADATA)), (2, "subjects", Many(SUBJECT)), (3, "roleRef", One(ROLE_REF))];
const REQUEST_SPEC: &Message = &[
    (1, "request", Bytes),
    (2, "username", Text),
    (3, "uid", Text),
    (4, "groups", Texts),
    (5, "usages", Texts),
    (6, "extra", TextsMap),
    (7, "signerName", Text),
    (8, "expirationSeconds", IntPointer),
];
const REQUEST_CONDITION: &Message = &[
    (1, "type", Text),
    (2, "reason", Text),
    (3, "message", Text),
    (4, "lastUpdateTime", Time),
    (5, "lastTransitionTime", Time),
    (6, "status", Text),
];
const REQUEST_STATUS: &Message = &[(1, "conditions", Many(REQUEST_CONDITION)), (2, "certificate", Bytes)];
const SIGNING_REQUEST: &Message =
    &[(1, "metadata", One(METADATA)), (2, "spec", One(REQUEST_SPEC)), (3, "status", One(REQUEST_STATUS))];
const NAMESPACE_SPEC: &Message = &[(1, "finalizers", Texts)];
const NAMESPACE_CONDITION: &Message = &[
    (1, "type", Text),
    (2, "status", Text),
    (4, "lastTransitionTime", Time),
    (5, "reason", Text),
    (6, "message", Text),
];
const NAMESPACE_STATUS: &Message = &[(1, "phase", Text), (2, "conditions", Many(NAMESPACE_CONDITION))];
const NAMESPACE: &Message =
    &[(1, "metadata", One(METADATA)), (2, "spec", One(NAMESPACE_SPEC)), (3, "status", One(NAMESPACE_STATUS))];
const CONFIG_MAP: &Message = &[
    (1, "metadata", One(METADATA)),
    (2, "data", TextMap),
    (3, "binaryData", BytesMap),
    (4, "immutable", BoolPointer),
];
const LEASE_SPEC: &Message = &[
    (1, "holderIdentity", TextPointer),
    (2, "leaseDurationSeconds", IntPointer),
    (3, "acquireTime", MicroTime),
    (4, "renewTime", MicroTime),
    (5, "leaseTransitions", IntPointer),
    (6, "strategy", TextPointer),
    (7, "preferredHolder", TextPointer),
];
const LEASE: &Message = &[(1, "metadata", One(METADATA)), (2, "spec", One(LEASE_SPEC))];
const SELECTOR_ATTRIBUTES: &Message = &[(1, "rawSelector", Text), (2, "requirements", Many(REQUIREMENT))];
const RESOURCE_ATTRIBUTES: &Message = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
    (8, "fieldSelector", One(SELECTOR_ATTRIBUTES)),
    (9, "labelSelector", One(SELECTOR_ATTRIBUTES)),
];
const PATH_ATTRIBUTES: &Message = &[(1, "path", Text), (2, "verb", Text)];
const SUBJECT_ACCESS: &Message = &[
    (1, "resourceAttributes", One(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", One(PATH_ATTRIBUTES)),
    (3, "user", Text),
    (4, "groups", Texts),
    (5, "extra", TextsMap),
    (6, "uid", Text),
];
const ACCESS_REVIEW: &Message =
    &[(1, "metadata", One(METADATA)), (2, "spec", One(SUBJECT_ACCESS)), (3, "status", Ignored)];
const SELF_ACCESS: &Message = &[
    (1, "resourceAttributes", One(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", One(PATH_ATTRIBUTES)),
];
const SELF_ACCESS_REVIEW: &Message =
    &[(1, "metadata", One(METADATA)), (2, "spec", One(SELF_ACCESS)), (3, "status", Ignored)];
const RULES_REVIEW_SPEC: &Message = &[(1, "namespace", Text)];
const RULES_REVIEW: &Message =
    &[(1, "metadata", One(METADATA)), (2, "spec", One(RULES_REVIEW_SPEC)), (3, "status", Ignored)];
const SELF_REVIEW: &Message = &[(1, "metadata", One(METADATA)), (2, "status", Ignored)];
const PRECONDITIONS: &Message = &[(1, "uid", TextPointer), (2, "resourceVersion", TextPointer)];
const DELETE_OPTIONS: &Message = &[
    (1, "gracePeriodSeconds", IntPointer),
    (2, "preconditions", One(PRECONDITIONS)),
    (3, "orphanDependents", BoolPointer),
    (4, "propagationPolicy", TextPointer),
    (5, "dryRun", Texts),
    (6, "ignoreStoreReadErrorWithClusterBreakingPotential", BoolPointer),
];

fn message(kind: &str) -> Option<&'static Message> {
    Some(match kind {
        "ClusterRole" => CLUSTER_ROLE,
        "Role" => ROLE,
        "ClusterRoleBinding" | "RoleBinding" => BINDING,
        "CertificateSigningRequest" => SIGNING_REQUEST,
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Lease" => LEASE,
        "SelfSubjectReview" => SELF_REVIEW,
        "SelfSubjectAccessReview" => SELF_ACCESS_REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SubjectAccessReview" | "LocalSubjectAccessReview" => ACCESS_REVIEW,
        "DeleteOptions" => DELETE_OPTIONS,
        _ => return None,
    })
}

/// Decodes a protobuf object to JSON.
///
/// # Errors
/// The body is not the protobuf of a supported kind; the text says why.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let mut reader =
        body.strip_prefix(MAGIC).ok_or("it does not begin with the magic number of Kubernetes")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    while let Some((number, data)) = field(&mut reader)? {
        match (number, data) {
            (1, Data::Sized(mut type_meta)) => {
                while let Some((number, data)) = field(&mut type_meta)? {
                    match number {
                        1 => api_version = data.text()?,
                        2 => kind = data.text()?,
                        _ => {}
                    }
                }
            }
            (2, Data::Sized(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let message =
        message(&kind).ok_or_else(|| format!("the sandbox reads {kind:?} only as application/json"))?;
    let mut object = read(message, raw)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

/// The content of one field.
#[derive(Clone, Copy)]
enum Data<'a> {
    Number(u64),
    Sized(&'a [u8]),
}

impl<'a> Data<'a> {
    fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Self::Sized(bytes) => Ok(bytes),
            Self::Number(_) => Err("a number where bytes belong".to_owned()),
        }
    }

    fn text(self) -> Result<String, String> {
        std::str::from_utf8(self.bytes()?)
            .map(str::to_owned)
            .map_err(|_| "a text that is not UTF-8".to_owned())
    }

    /// Negative numbers are written as the two's complement of 64 bits.
    fn number(self) -> Result<i64, String> {
        match self {
            Self::Number(number) => Ok(number.cast_signed()),
            Self::Sized(_) => Err("bytes where a number belongs".to_owned()),
        }
    }
}

fn varint(reader: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = reader.split_first().ok_or("it ends in the middle of a number")?;
        *reader = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number that is too long".to_owned())
}

/// The next field, `None` at the end.
fn field<'a>(reader: &mut &'a [u8]) -> Result<Option<(u64, Data<'a>)>, String> {
    if reader.is_empty() {
        return Ok(None);
    }
    let tag = varint(reader)?;
    let data = match tag & 7 {
        0 => Data::Number(varint(reader)?),
        2 => {
            let length = usize::try_from(varint(reader)?).unwrap_or(usize::MAX);
            let (bytes, rest) = reader.split_at_checked(length).ok_or("it ends in the middle of a field")?;
            *reader = rest;
            Data::Sized(bytes)
        }
        other => return Err(format!("wire type {other}, which Kubernetes does not use")),
    };
    Ok(Some((tag >> 3, data)))
}

/// Messages nest no deeper than the tables above, so the input cannot make this recurse further.
fn read(message: &'static Message, mut reader: &[u8]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    while let Some((number, data)) = field(&mut reader)? {
        let known = message.iter().find(|(known, ..)| *known == number);
        let (_, name, shape) =
            known.ok_or_else(|| format!("a field with number {number}, which is not known"))?;
        let value = match shape {
            Ignored => continue,
            Text => match data.text()? {
                text if text.is_empty() => continue,
                text => text.into(),
            },
            TextPointer => data.text()?.into(),
            Bytes => match data.bytes()? {
                [] => continue,
                bytes => STANDARD.encode(bytes).into(),
            },
            Int => match data.number()? {
                0 => continue,
                number => number.into(),
            },
            IntPointer => data.number()?.into(),
            BoolPointer => (data.number()? != 0).into(),
            Time | MicroTime => match moment(data.bytes()?, matches!(shape, MicroTime))? {
                Some(text) => text.into(),
                None => continue,
            },
            One(inner) => Value::Object(read(inner, data.bytes()?)?),
            Texts => {
                append(&mut object, name, data.text()?.into());
                continue;
            }
            Many(inner) => {
                append(&mut object, name, Value::Object(read(inner, data.bytes()?)?));
                continue;
            }
            TextMap | BytesMap | TextsMap => {
                let (key, value) = entry(data.bytes()?, *shape)?;
                let map = object.entry(*name).or_insert_with(|| Value::Object(Map::new()));
                map[&key] = value;
                continue;
            }
        };
        object.insert((*name).to_owned(), value);
    }
    Ok(object)
}

fn append(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(list) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(value);
    }
}

/// A key and its value; either is omitted if empty.
fn entry(mut reader: &[u8], shape: Shape) -> Result<(String, Value), String> {
    let mut key = String::new();
    let mut value = match shape {
        TextsMap => Value::Array(Vec::new()),
        _ => Value::String(String::new()),
    };
    while let Some((number, data)) = field(&mut reader)? {
        match (number, shape) {
            (1, _) => key = data.text()?,
            (2, BytesMap) => value = STANDARD.encode(data.bytes()?).into(),
            (2, TextsMap) => {
                let mut items = data.bytes()?;
                let mut texts = Vec::new();
                while let Some((_, item)) = field(&mut items)? {
                    texts.push(Value::String(item.text()?));
                }
                value = texts.into();
            }
            (2, _) => value = data.text()?.into(),
            _ => {}
        }
    }
    Ok((key, value))
}

/// A time as JSON writes it; absent for Go's zero time.
fn moment(mut reader: &[u8], micro: bool) -> Result<Option<String>, String> {
    let (mut seconds, mut nanos, mut any) = (0, 0, false);
    while let Some((number, data)) = field(&mut reader)? {
        any = true;
        match number {
            1 => seconds = data.number()?,
            2 => nanos = data.number()?,
            _ => {}
        }
    }
    if !any {
        return Ok(None);
    }
    let nanos = i32::try_from(nanos).map_err(|_| "a time that is none")?;
    let time = Timestamp::new(seconds, nanos).map_err(|_| "a time that is none")?;
    let format = if micro { "%Y-%m-%dT%H:%M:%S%.6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(Some(time.strftime(format).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What `kubectl create rolebinding x --clusterrole=view --user=a -n default` sent, recorded.
    const ROLE_BINDING: &str = "azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxJyChgKAXgSABoHZGVmYXVsdCIAKgAyADgAQgASJgoEVXNlchIZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxoBYSIAGi4KGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8SC0NsdXN0ZXJSb2xlGgR2aWV3GgAiAA==";

    #[test]
    fn what_kubectl_sends_is_decoded() {
        let body = STANDARD.decode(ROLE_BINDING).expect("base64");
        assert_eq!(
            decode(&body).expect("an object"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "x", "namespace": "default"},
                "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "a"}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            })
        );
    }

    #[test]
    fn truncated_or_unknown_protobuf_is_refused() {
        let body = STANDARD.decode(ROLE_BINDING).expect("base64");
        for end in 0..body.len() {
            // Cut between fields it decodes to less; it must not panic, and never yield more.
            let _ = decode(&body[..end]);
        }
        for (bytes, why) in [
            (&b"{}"[..], "magic"),
            (b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "too long"),
            (b"k8s\0\x0a\x7f", "middle of a field"),
            (b"k8s\0\x0a\x05\x12\x03Pod", "\"Pod\" only as application/json"),
            (b"k8s\0\x0a\x06\x12\x04Role\x12\x03\x9a\x06\x00", "number 99"),
            (b"k8s\0\x0a\x06\x12\x04Role\x12\x02\x08\x01", "a number where bytes belong"),
        ] {
            let said = decode(bytes).expect_err("it is none");
            assert!(said.contains(why), "{said}");
        }
    }
}
