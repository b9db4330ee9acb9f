//! The validation of objects, and their immutable fields.
//!
//! For each kind: its defaults, what the server fills in or reverts, and what
//! is wrong with the rest. Pure functions of an object, the one before it, and who writes when.

mod core;
mod metadata;
pub(crate) mod names;
mod rbac;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::csr::{self, Part};
use crate::resource::Kind;
use crate::status::FieldError;
use crate::user::User;

/// Who writes, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) user: &'a User,
    pub(crate) now: Timestamp,
}

/// Sets defaults.
pub(crate) fn set_defaults(kind: Kind, object: &mut Value) {
    match kind {
        Kind::RoleBinding | Kind::ClusterRoleBinding => rbac::default_binding(object),
        Kind::Pod => core::default_pod(object),
        _ => {}
    }
}

/// Fills in the server's fields of a new object, and validates the rest.
pub(crate) fn create(kind: Kind, object: &mut Value, writer: Writer<'_>) -> Vec<FieldError> {
    match kind {
        Kind::Namespace => {
            core::prepare_namespace(object);
            core::label_namespace(object);
            core::namespace(&typed(object))
        }
        Kind::Pod => {
            core::prepare_pod(object);
            core::pod(&typed(object))
        }
        Kind::CertificateSigningRequest => {
            let mut csr = typed(object);
            csr::prepare_create(&mut csr, writer.user);
            write_csr(object, &csr);
            let mut errors = metadata::validate(&csr.metadata, false, names::path_segment);
            errors.extend(csr::validate_create(&csr));
            errors
        }
        _ => plain(kind, object, None),
    }
}

/// Reverts what this part of an object may not change, and validates the rest. The
/// names and times of both are the same.
pub(crate) fn update(
    kind: Kind,
    subresource: &str,
    object: &mut Value,
    old: &Value,
    writer: Writer<'_>,
) -> Vec<FieldError> {
    let metadata_of = |object: &Value| typed_field(object, "metadata");
    let mut errors = metadata::validate_update(&metadata_of(object), &metadata_of(old));
    errors.extend(match (kind, subresource) {
        (Kind::Namespace, "") => {
            object["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
            restore(object, old, "status");
            core::label_namespace(object);
            core::namespace(&typed(object))
        }
        (Kind::Namespace, "status") => {
            restore(object, old, "spec");
            core::namespace_status(&typed(object))
        }
        (Kind::Namespace, _) => {
            restore(object, old, "status");
            Vec::new()
        }
        (Kind::Pod, "status") => {
            restore(object, old, "spec");
            Vec::new()
        }
        (Kind::Pod, _) => {
            restore(object, old, "status");
            let (new, old) = (typed(object), typed(old));
            let mut errors = core::pod(&new);
            errors.extend(core::pod_update(&new, &old));
            errors
        }
        (Kind::CertificateSigningRequest, subresource) => {
            let part = csr_part(subresource);
            let (mut new, old) = (typed(object), typed(old));
            csr::prepare_update(part, &mut new, &old, writer.now);
            write_csr(object, &new);
            let mut errors = metadata::validate(&new.metadata, false, names::path_segment);
            errors.extend(csr::validate_update(part, &new, &old));
            errors
        }
        _ => plain(kind, object, Some(old)),
    });
    errors
}

/// The kinds for which the server fills in nothing.
fn plain(kind: Kind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match kind {
        Kind::ConfigMap => core::config_map(&typed(object), old.map(typed).as_ref()),
        Kind::Lease => core::lease(&typed(object)),
        Kind::Role => rbac::role(&typed(object)),
        Kind::ClusterRole => rbac::cluster_role(&typed(object)),
        Kind::RoleBinding => rbac::role_binding(&typed(object), old.map(typed).as_ref()),
        Kind::ClusterRoleBinding => rbac::cluster_role_binding(&typed(object), old.map(typed).as_ref()),
        _ => Vec::new(),
    }
}

/// The part of a CertificateSigningRequest that a subresource covers.
pub(crate) fn csr_part(subresource: &str) -> Part {
    match subresource {
        "approval" => Part::Approval,
        "status" => Part::Status,
        _ => Part::Itself,
    }
}

/// An object as its type; all were decoded as it when they were received.
pub(crate) fn typed<T: DeserializeOwned>(object: &Value) -> T {
    T::deserialize(object).expect("an object was read as its type when it came in")
}

fn typed_field<T: DeserializeOwned + Default>(object: &Value, field: &str) -> T {
    T::deserialize(&object[field]).unwrap_or_default()
}

fn restore(object: &mut Value, old: &Value, field: &str) {
    match (&old[field], object.as_object_mut()) {
        (Value::Null, Some(object)) => drop(object.remove(field)),
        (value, Some(object)) => drop(object.insert(field.to_owned(), value.clone())),
        (_, None) => {}
    }
}

/// Writes back what the server has changed.
fn write_csr(object: &mut Value, csr: &k8s_openapi::api::certificates::v1::CertificateSigningRequest) {
    for (field, value) in
        [("spec", serde_json::to_value(&csr.spec)), ("status", serde_json::to_value(&csr.status))]
    {
        object[field] = value.expect("the types of the API are JSON");
    }
}
