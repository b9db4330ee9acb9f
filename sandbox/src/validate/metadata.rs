//! What every object's metadata must look like.
//!
//! apimachinery/pkg/api/validation/objectmeta.go and pkg/apis/core/validation/validation.go.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

use super::names::{self, NameRule};
use crate::status::FieldError;

const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Validates the metadata of an object, namespaced or not.
pub(crate) fn validate(metadata: &ObjectMeta, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
    let mut errors = validate_names(metadata, namespaced, rule);
    if errors.is_empty() {
        // The general rule is only reported if the kind's own rule finds nothing.
        errors = validate_names(metadata, namespaced, names::path_segment);
    }
    errors.extend(labels("metadata.labels", metadata.labels.as_ref()));
    errors.extend(annotations(metadata.annotations.as_ref()));
    for (place, owner) in metadata.owner_references.iter().flatten().enumerate() {
        errors.extend(owner_reference(&format!("metadata.ownerReferences[{place}]"), owner));
    }
    errors.extend(finalizers(metadata.finalizers.as_deref().unwrap_or_default()));
    errors
}

/// Validates a change of the metadata, in addition to [`validate`]. Names, times and
/// the like cannot be changed and are not checked.
pub(crate) fn validate_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    if old.deletion_timestamp.is_none() {
        return Vec::new();
    }
    let before = old.finalizers.as_deref().unwrap_or_default();
    let added: Vec<String> = new
        .finalizers
        .iter()
        .flatten()
        .filter(|one| !before.contains(one))
        .map(|one| crate::go::quote(one))
        .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    vec![FieldError::forbidden("metadata.finalizers", &why)]
}

fn validate_names(metadata: &ObjectMeta, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let invalid = |field: &str, value: &str, why: &String| FieldError::invalid(field, &value.into(), why);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (name, prefix, namespace) =
        (text(&metadata.name), text(&metadata.generate_name), text(&metadata.namespace));
    if !prefix.is_empty() {
        let wrong = names::of_prefix(rule, &prefix);
        errors.extend(wrong.iter().map(|why| invalid("metadata.generateName", &prefix, why)));
    }
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        errors.extend(rule(&name).iter().map(|why| invalid("metadata.name", &name, why)));
    }
    if namespaced {
        let wrong = names::dns_label(&namespace);
        errors.extend(wrong.iter().map(|why| invalid("metadata.namespace", &namespace, why)));
    } else if !namespace.is_empty() {
        errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"));
    }
    errors
}

/// Validates labels, or the labels that a selector requires.
pub(crate) fn labels(field: &str, labels: Option<&BTreeMap<String, String>>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.into_iter().flatten() {
        let wrong = names::label_key(key);
        errors.extend(wrong.iter().map(|why| FieldError::invalid(field, &key.as_str().into(), why)));
        let wrong = names::label_value(value);
        errors.extend(wrong.iter().map(|why| FieldError::invalid(field, &value.as_str().into(), why)));
    }
    errors
}

fn annotations(annotations: Option<&BTreeMap<String, String>>) -> Vec<FieldError> {
    let field = "metadata.annotations";
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        size += key.len() + value.len();
        let wrong = names::label_key(&key.to_lowercase());
        errors.extend(wrong.iter().map(|why| FieldError::invalid(field, &key.as_str().into(), why)));
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(field, ANNOTATIONS_LIMIT));
    }
    errors
}

fn owner_reference(path: &str, owner: &OwnerReference) -> Vec<FieldError> {
    [("apiVersion", &owner.api_version), ("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)]
        .into_iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(field, _)| FieldError::required(format!("{path}.{field}"), "must not be empty"))
        .collect()
}

fn finalizers(finalizers: &[String]) -> Vec<FieldError> {
    let (field, mut errors) = ("metadata.finalizers", Vec::new());
    for finalizer in finalizers {
        let wrong = names::label_key(finalizer);
        errors.extend(wrong.iter().map(|why| FieldError::invalid(field, &finalizer.as_str().into(), why)));
    }
    for (place, finalizer) in finalizers.iter().enumerate() {
        if !finalizer.contains('/')
            && !matches!(finalizer.as_str(), "kubernetes" | "orphan" | "foregroundDeletion")
        {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(format!("{field}[{place}]"), &finalizer.as_str().into(), why));
        }
    }
    errors
}

/// Validates a label selector (apimachinery/pkg/apis/meta/v1/validation).
pub(crate) fn selector(path: &str, selector: &LabelSelector) -> Vec<FieldError> {
    let mut errors = labels(&format!("{path}.matchLabels"), selector.match_labels.as_ref());
    for (place, wanted) in selector.match_expressions.iter().flatten().enumerate() {
        let field = |name: &str| format!("{path}.matchExpressions[{place}].{name}");
        let values = wanted.values.as_deref().unwrap_or_default();
        match wanted.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(field("values"), why));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(field("values"), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.push(FieldError::invalid(
                    field("operator"),
                    &other.into(),
                    "not a valid selector operator",
                ));
            }
        }
        let wrong = names::label_key(&wanted.key);
        let invalid =
            |field: String, value: &str, why: &String| FieldError::invalid(field, &value.into(), why);
        errors.extend(wrong.iter().map(|why| invalid(field("key"), &wanted.key, why)));
        for (at, value) in values.iter().enumerate() {
            let wrong = names::label_value(value);
            errors.extend(wrong.iter().map(|why| invalid(field(&format!("values[{at}]")), value, why)));
        }
    }
    errors
}
