//! The patch types that the sandbox supports: JSON patch, JSON merge patch, and strategic merge patch
//! where the supported kinds differ from a merge patch.
//!
//! It refuses server-side apply, and strategic patches of lists that it cannot merge, with an
//! explicit error: a patch applied with another meaning would be worse than none.

use serde_json::{Map, Value};

use crate::resource::Kind;
use crate::server::BODY_LIMIT;
use crate::status::Status;

/// `maxJSONPatchOperations` in k8s.io/apiserver pkg/endpoints/handlers/patch.go.
const MOST_OPERATIONS: usize = 10_000;

/// How deep an object may nest. A parsed body nests 128 deep at most (serde_json); a JSON patch could
/// go on from there, one level with each operation, until cloning or dropping the object overflows the
/// stack, which no task survives.
const DEEPEST: usize = 128;

/// The accepted content types, as error messages list them.
const TAKEN: &str =
    "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";

/// How a patch is to be interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// The format that Kubernetes defines.
    Strategic,
}

impl Form {
    /// The patch type that a content type names.
    ///
    /// # Errors
    /// 415 for any other, and for server-side apply.
    pub fn of(content_type: &str) -> Result<Self, Status> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
                Err(Status::unsupported_media_type(format!(
                    "the sandbox does not have server-side apply; use `kubectl apply` without --server-side - accepted media types include: {TAKEN}"
                )))
            }
            _ => Err(Status::generic(415, "UnsupportedMediaType", "415: Unsupported Media Type")),
        }
    }
}

/// The object that results from applying a patch.
///
/// # Errors
/// The patch is malformed, or does not apply to the object.
pub fn apply(form: Form, kind: Kind, object: &Value, patch: &[u8]) -> Result<Value, Status> {
    let mut patched = object.clone();
    match form {
        Form::Json => {
            let operations: Vec<Value> = parse(patch)?;
            json(&mut patched, &operations)?;
        }
        Form::Merge => {
            let patch: Map<String, Value> = parse(patch)?;
            json_patch::merge(&mut patched, &Value::Object(patch));
        }
        Form::Strategic => {
            let patch: Map<String, Value> = parse(patch)?;
            strategic(kind, &mut Vec::new(), &mut patched, &patch)?;
        }
    }
    Ok(patched)
}

fn parse<T: serde::de::DeserializeOwned>(patch: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(patch)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))
}

fn json(object: &mut Value, operations: &[Value]) -> Result<(), Status> {
    if operations.len() > MOST_OPERATIONS {
        let mut status = Status::too_large(BODY_LIMIT);
        status.message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
            operations.len()
        );
        return Err(status);
    }
    let mut copied = 0;
    for operation in operations {
        if !operation.is_object() {
            return Err(Status::bad_request("error decoding patch: an operation is no object"));
        }
        let one = read(operation, object).ok_or_else(unfit)?;
        // A copy of a copy doubles each time: 40 operations would exhaust memory.
        if let json_patch::PatchOperation::Copy(copy) = &one {
            copied += copy.from.resolve(object).map_or(0, |value| value.to_string().len());
            if copied > BODY_LIMIT {
                return Err(unfit());
            }
        }
        if reach(&one, object) > DEEPEST {
            return Err(unfit());
        }
        json_patch::patch(object, &[one]).map_err(|_| unfit())?;
    }
    Ok(())
}

/// An operation as the real server's library (github.com/evanphx/json-patch) does it: one that is
/// unknown does not apply, and to replace a field that is not there is to add it.
fn read(operation: &Value, object: &Value) -> Option<json_patch::PatchOperation> {
    use json_patch::PatchOperation::{Add, Replace};
    let of_an_object = |path: &json_patch::jsonptr::Pointer| {
        path.parent().is_some_and(|parent| parent.resolve(object).is_ok_and(Value::is_object))
    };
    match serde_json::from_value(operation.clone()).ok()? {
        Replace(one) if of_an_object(&one.path) => {
            Some(Add(json_patch::AddOperation { path: one.path, value: one.value }))
        }
        one => Some(one),
    }
}

/// How deep the object nests at the place where the operation added a value, if it applies.
fn reach(operation: &json_patch::PatchOperation, object: &Value) -> usize {
    use json_patch::PatchOperation::{Add, Copy, Move, Remove, Replace, Test};
    let from = |pointer: &json_patch::jsonptr::Pointer| pointer.resolve(object).map_or(0, depth_of);
    match operation {
        Add(add) => add.path.count() + depth_of(&add.value),
        Replace(replace) => replace.path.count() + depth_of(&replace.value),
        Copy(copy) => copy.path.count() + from(&copy.from),
        Move(moved) => moved.path.count() + from(&moved.from),
        Remove(_) | Test(_) => 0,
    }
}

/// How deep lists and mappings are nested. Iterative, so that depth does not cost stack.
fn depth_of(value: &Value) -> usize {
    let (mut deepest, mut left) = (0, vec![(value, 0)]);
    while let Some((value, above)) = left.pop() {
        deepest = deepest.max(above);
        match value {
            Value::Array(items) => left.extend(items.iter().map(|item| (item, above + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|field| (field, above + 1))),
            _ => {}
        }
    }
    deepest
}

/// 422: the patch was understood and cannot be applied to this object. The real server does not say
/// why either.
fn unfit() -> Status {
    Status::generic(422, "Invalid", "the server rejected our request due to an error in our request")
}

/// Where and how a strategic merge patch differs from a merge patch.
enum Merging {
    /// A list of strings, joined.
    Joined,
    /// A list of objects, each identified by this field.
    By(&'static str),
    /// Replaced, as in a merge patch.
    Replaced,
    /// Merged by rules that are not implemented here.
    Unknown,
}

fn merging(kind: Kind, path: &[String]) -> Merging {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (&path[..], kind) {
        (["metadata", "finalizers"], _) => Merging::Joined,
        (["metadata", "ownerReferences"], _) => Merging::By("uid"),
        (["status", "conditions"], Kind::Namespace | Kind::Pod) => Merging::By("type"),
        (["spec" | "status", ..], Kind::Pod) => Merging::Unknown,
        _ => Merging::Replaced,
    }
}

/// Nests no deeper than the parser lets a patch nest.
fn strategic(
    kind: Kind,
    path: &mut Vec<String>,
    object: &mut Value,
    patch: &Map<String, Value>,
) -> Result<(), Status> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    match patch.get("$patch").map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace" | "delete") => *object = Value::Object(Map::new()),
        Some(other) => return Err(Status::bad_request(format!("Unknown patch type found: {other}"))),
    }
    let Value::Object(fields) = object else { return Ok(()) };
    if let Some(Value::Array(kept)) = patch.get("$retainKeys") {
        fields.retain(|key, _| kept.iter().any(|name| name == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(current)), Value::Array(gone)) = (fields.get_mut(list), value) {
                current.retain(|item| !gone.contains(item));
            }
            continue;
        }
        // The requested order of a merged list; the existing order works as well.
        if key == "$patch" || key == "$retainKeys" || key.starts_with("$setElementOrder/") {
            continue;
        }
        path.push(key.clone());
        match value {
            Value::Null => {
                fields.remove(key);
            }
            Value::Object(inner) => {
                let field = fields.entry(key.as_str()).or_insert(Value::Null);
                strategic(kind, path, field, inner)?;
            }
            Value::Array(items) => {
                let field = fields.entry(key.as_str()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(kind, path, field, items)?;
            }
            other => {
                fields.insert(key.clone(), other.clone());
            }
        }
        path.pop();
    }
    Ok(())
}

fn merge_list(kind: Kind, path: &mut Vec<String>, list: &mut Value, patch: &[Value]) -> Result<(), Status> {
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    let Value::Array(current) = list else { return Ok(()) };
    match merging(kind, path) {
        Merging::Replaced => *current = patch.to_vec(),
        Merging::Joined => {
            current.retain(|item| !patch.contains(item));
            current.splice(..0, patch.iter().cloned());
        }
        Merging::By(field) => {
            for item in patch {
                let Value::Object(fields) = item else {
                    return Err(Status::bad_request(format!("{} holds what is no object", path.join("."))));
                };
                let same = current.iter().position(|known| known[field] == item[field]);
                match (item["$patch"].as_str(), same) {
                    (Some("delete"), Some(at)) => {
                        current.remove(at);
                    }
                    (Some("delete"), None) => {}
                    (_, Some(at)) => strategic(kind, path, &mut current[at], fields)?,
                    (_, None) => current.push(item.clone()),
                }
            }
        }
        Merging::Unknown => {
            return Err(Status::unsupported_media_type(format!(
                "the sandbox does not know how a strategic merge patch merges {} of a {kind:?}; send a JSON patch or a merge patch (`kubectl patch --type=merge`)",
                path.join(".")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(form: Form, kind: Kind, object: &Value, patch: &Value) -> Result<Value, Status> {
        apply(form, kind, object, patch.to_string().as_bytes())
    }

    #[test]
    fn lists_merge_as_their_kind_defines() {
        let object = json!({
            "metadata": {"finalizers": ["a"], "labels": {"x": "1", "y": "2"},
                         "ownerReferences": [{"uid": "1", "name": "n"}, {"uid": "2", "name": "m"}]},
            "subjects": [{"name": "a"}],
        });
        let patch = json!({
            "metadata": {
                "finalizers": ["b", "a"],
                "$setElementOrder/finalizers": ["a", "b"],
                "labels": {"x": null, "z": "3"},
                "ownerReferences": [{"uid": "1", "name": "changed"}, {"uid": "2", "$patch": "delete"}, {"uid": "3"}],
            },
            "subjects": [{"name": "b"}],
        });
        let strategic = patched(Form::Strategic, Kind::RoleBinding, &object, &patch).expect("it applies");
        assert_eq!(
            strategic,
            json!({
                "metadata": {"finalizers": ["b", "a"], "labels": {"y": "2", "z": "3"},
                             "ownerReferences": [{"uid": "1", "name": "changed"}, {"uid": "3"}]},
                "subjects": [{"name": "b"}],
            })
        );
        let merge =
            patched(Form::Merge, Kind::RoleBinding, &object, &json!({"metadata": {"finalizers": ["b"]}}));
        assert_eq!(merge.expect("it applies")["metadata"]["finalizers"], json!(["b"]));
    }

    #[test]
    fn directives_are_followed() {
        let object = json!({"metadata": {"labels": {"x": "1"}, "finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {
            "labels": {"$patch": "replace", "y": "2"}, "$deleteFromPrimitiveList/finalizers": ["a"],
        }});
        let out = patched(Form::Strategic, Kind::ConfigMap, &object, &patch).expect("it applies");
        assert_eq!(out, json!({"metadata": {"labels": {"y": "2"}, "finalizers": ["b"]}}));
        let wrong = json!({"metadata": {"$patch": "explode"}});
        assert_eq!(
            patched(Form::Strategic, Kind::ConfigMap, &object, &wrong).expect_err("unknown").code,
            400
        );
    }

    #[test]
    fn a_merge_that_is_not_implemented_is_refused() {
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "b"}]}});
        let status = patched(Form::Strategic, Kind::Pod, &json!({}), &patch).expect_err("it is refused");
        assert_eq!((status.code, status.reason), (415, "UnsupportedMediaType"));
        assert!(status.message.contains("spec.containers"), "{status}");
        assert!(
            Form::of("application/apply-patch+yaml")
                .expect_err("refused")
                .message
                .contains("server-side apply")
        );
        assert_eq!(Form::of("application/json").expect_err("refused").code, 415);
        assert_eq!(Form::of("application/merge-patch+json; charset=utf-8"), Ok(Form::Merge));
    }

    #[test]
    fn a_json_patch_that_does_not_apply_is_refused() {
        let object = json!({"a": 1});
        for (patch, code) in [
            (json!([{"op": "test", "path": "/a", "value": 2}]), 422),
            (json!([{"op": "remove", "path": "/b"}]), 422),
            (json!([{"op": "dance", "path": "/b"}]), 422),
            (json!([{"op": "replace", "path": "/b/c", "value": 2}]), 422),
            (json!(["remove"]), 400),
            (json!({"op": "remove"}), 400),
        ] {
            assert_eq!(
                patched(Form::Json, Kind::Pod, &object, &patch).expect_err("no").code,
                code,
                "{patch}"
            );
        }
    }

    #[test]
    fn replacing_a_missing_field_adds_it() {
        let patch = json!([{"op": "replace", "path": "/b", "value": 2}]);
        let patched = patched(Form::Json, Kind::Pod, &json!({"a": 1}), &patch);
        assert_eq!(patched, Ok(json!({"a": 1, "b": 2})));
    }

    #[test]
    fn repeated_copies_are_refused_before_memory_runs_out() {
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let object = json!({"a": ["x".repeat(1000)]});
        let status = patched(Form::Json, Kind::Pod, &object, &json!(vec![copy; 40])).expect_err("too much");
        assert_eq!(status.code, 422);
    }

    #[test]
    fn a_deeply_nesting_patch_is_refused_before_the_stack_overflows() {
        let dig = |count: usize| {
            let mut path = String::from("/a");
            let mut operations = Vec::new();
            for _ in 0..count {
                operations.push(json!({"op": "add", "path": path, "value": {}}));
                path.push_str("/a");
            }
            Value::Array(operations)
        };
        let deep = patched(Form::Json, Kind::ConfigMap, &json!({}), &dig(DEEPEST))
            .expect("the deepest that is allowed");
        assert_eq!(depth_of(&deep), DEEPEST);
        let status =
            patched(Form::Json, Kind::ConfigMap, &json!({}), &dig(DEEPEST + 1)).expect_err("too deep");
        assert_eq!(status.code, 422);
        // Each copy nests the whole object one level deeper.
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/a"});
        let object = json!({"a": {"a": {}}});
        let copies = Value::Array(vec![copy; 5_000]);
        assert_eq!(patched(Form::Json, Kind::ConfigMap, &object, &copies).expect_err("too deep").code, 422);
    }
}
