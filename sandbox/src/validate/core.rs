//! Namespaces, config maps, leases and pods. pkg/apis/core/validation/validation.go,
//! pkg/apis/coordination/validation/validation.go and the strategies in pkg/registry.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use serde_json::{Value, json};

use super::{metadata, names};
use crate::status::FieldError;

/// The maximum total size of a config map's values.
const CONFIG_LIMIT: usize = 1024 * 1024;

/// Every namespace is labelled with its name, so that selectors can name it.
pub(crate) fn label_namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    // A missing name is reported elsewhere.
    if name.as_str().is_some_and(|name| !name.is_empty()) {
        namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    }
}

/// A new namespace is active at once, until it is deleted.
pub(crate) fn prepare_namespace(namespace: &mut Value) {
    namespace["status"] = json!({"phase": "Active"});
    if namespace["spec"].is_null() {
        namespace["spec"] = json!({});
    }
    let finalizers = &mut namespace["spec"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(finalizers) if finalizers.iter().any(|one| one == "kubernetes") => {}
        Some(finalizers) => finalizers.push("kubernetes".into()),
        None => *finalizers = json!(["kubernetes"]),
    }
}

pub(crate) fn namespace(namespace: &Namespace) -> Vec<FieldError> {
    metadata::validate(&namespace.metadata, false, names::dns_label)
}

/// The phase depends only on whether the namespace is being deleted.
pub(crate) fn namespace_status(namespace: &Namespace) -> Vec<FieldError> {
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let (expected, why) = match namespace.metadata.deletion_timestamp {
        None => ("Active", "may only be 'Active' if `deletionTimestamp` is empty"),
        Some(_) => ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty"),
    };
    if phase == expected {
        return Vec::new();
    }
    vec![FieldError::invalid("status.Phase", &phase.into(), why)]
}

pub(crate) fn config_map(new: &ConfigMap, old: Option<&ConfigMap>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(old) = old.filter(|old| old.immutable == Some(true)) {
        let changed = [
            ("immutable", new.immutable != Some(true)),
            ("data", new.data != old.data),
            ("binaryData", new.binary_data != old.binary_data),
        ];
        for (field, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
    errors.extend(metadata::validate(&new.metadata, true, names::dns_subdomain));
    let binary = new.binary_data.iter().flatten();
    let texts = new.data.iter().flatten();
    let mut size = 0;
    for (key, value) in texts {
        errors.extend(config_key("data", key));
        if new.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
            let why = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid(format!("data[{key}]"), &key.as_str().into(), why));
        }
        size += value.len();
    }
    for (key, value) in binary {
        errors.extend(config_key("binaryData", key));
        size += value.0.len();
    }
    if size > CONFIG_LIMIT {
        errors.push(FieldError::too_long("[]", CONFIG_LIMIT));
    }
    errors
}

fn config_key(map: &str, key: &str) -> Vec<FieldError> {
    let wrong = names::config_key(key);
    wrong.iter().map(|why| FieldError::invalid(format!("{map}[{key}]"), &key.into(), why)).collect()
}

pub(crate) fn lease(lease: &Lease) -> Vec<FieldError> {
    let mut errors = metadata::validate(&lease.metadata, true, names::dns_subdomain);
    let Some(spec) = &lease.spec else { return errors };
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        errors.push(FieldError::invalid(
            "spec.leaseDurationSeconds",
            &seconds.into(),
            "must be greater than 0",
        ));
    }
    if let Some(count) = spec.lease_transitions.filter(|count| *count < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid("spec.leaseTransitions", &count.into(), why));
    }
    errors
}

/// The defaults of a pod (pkg/apis/core/v1/defaults.go). It waits for a node that
/// never comes.
pub(crate) fn default_pod(pod: &mut Value) {
    if !pod["spec"].is_object() {
        return;
    }
    let set = |place: &mut Value, fields: Value| {
        let Value::Object(fields) = fields else { return };
        for (key, value) in fields {
            if place[&key].is_null() {
                place[key] = value;
            }
        }
    };
    set(
        &mut pod["spec"],
        json!({
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {},
            "enableServiceLinks": true,
        }),
    );
    for containers in ["containers", "initContainers"] {
        for container in pod["spec"][containers].as_array_mut().into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            let name = image.rsplit('/').next().unwrap_or_default();
            let latest = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
            let pull = if latest { "Always" } else { "IfNotPresent" };
            set(
                container,
                json!({
                    "imagePullPolicy": pull,
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }),
            );
        }
    }
    // Fields that are set to null would be kept as null.
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
}

pub(crate) fn prepare_pod(pod: &mut Value) {
    pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
}

pub(crate) fn pod(pod: &Pod) -> Vec<FieldError> {
    let mut errors = metadata::validate(&pod.metadata, true, names::dns_subdomain);
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    if containers.is_empty() {
        errors.push(FieldError::required("spec.containers", ""));
    }
    for (place, container) in containers.iter().enumerate() {
        let field = |name: &str| format!("spec.containers[{place}].{name}");
        let name = container.name.as_str();
        if name.is_empty() {
            errors.push(FieldError::required(field("name"), ""));
        } else {
            let wrong = names::dns_label(name);
            errors.extend(wrong.iter().map(|why| FieldError::invalid(field("name"), &name.into(), why)));
        }
        if containers[..place].iter().any(|other| other.name == name) {
            errors.push(FieldError::duplicate(field("name"), &name.into()));
        }
        if container.image.as_ref().is_none_or(|image| image.is_empty()) {
            errors.push(FieldError::required(field("image"), ""));
        }
    }
    errors
}

/// Most fields of a pod are immutable; the sandbox lets its images change.
pub(crate) fn pod_update(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let but_images = |pod: &Pod| {
        let mut spec = pod.spec.clone().unwrap_or_default();
        spec.containers.iter_mut().for_each(|container| container.image = None);
        spec.init_containers.iter_mut().flatten().for_each(|container| container.image = None);
        spec
    };
    if but_images(new) == but_images(old) {
        return Vec::new();
    }
    let why = "pod updates may not change fields other than `spec.containers[*].image`,\
               `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
               existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
               previously negative)";
    vec![FieldError::forbidden("spec", why)]
}
