//! Writes bindings, and deletes leftover CertificateSigningRequests; nothing else (the ledger is in `ledger`).
//!
//! It refuses to change a binding that does not carry this roster's labels, and every change is
//! made against the UID and resourceVersion that the plan was computed from, so that a change by
//! someone else in between is a conflict and not overwritten. It decides nothing: on a conflict, or
//! where the answer was lost, the caller reads again and compares again.

use http::Request;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request as Build;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::connect::Connection;
use super::convert::BindingObject;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource, segment};
use super::retry::Repeat;
use crate::error::{Error, Result};
use crate::model::{CredentialGroup, LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, RoleRef, RosterName};
use crate::plan::observed::{Binding, BindingAt, Subject, is_ours, request_prefix};
use crate::plan::write::WriteError;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Permission to change a cluster. Only `apply` creates one, so that by type a plan cannot write.
#[derive(Debug)]
pub struct WritePermit(());

impl WritePermit {
    /// Only for `apply`, after the plan was shown and approved.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// Writes to one cluster in the name of one roster.
#[derive(Clone)]
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) roster: RosterName,
}

impl Writer {
    /// A writer whose objects belong to `roster`.
    pub fn new(connection: &Connection, roster: &RosterName, _permit: &WritePermit) -> Self {
        Self { connection: connection.clone(), roster: roster.clone() }
    }

    /// Makes a binding that is not there yet.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if one with that name exists, [`WriteError::NotFound`] if its
    /// namespace does not exist, and the other variants as documented there.
    pub async fn create_binding(
        &self,
        at: &BindingAt,
        role: &RoleRef,
        subjects: &[CredentialGroup],
    ) -> Result<Binding, WriteError> {
        let call = binding_call("create", at, "it was not created");
        let body = json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": at.kind(),
            "metadata": {"name": at.name, "namespace": at.namespace, "labels": self.labels()},
            "roleRef": {"apiGroup": RBAC, "kind": role.kind(), "name": role.name().as_str()},
            "subjects": subject_list(subjects),
        });
        let request = Build::new(path(at)).create(&as_us(), to_bytes(&body));
        // A second create of the same name can only end in AlreadyExists.
        self.send::<BindingObject>(&call, request).await.map(Binding::from)
    }

    /// Makes the subjects of one of our bindings exactly these; labels and annotations that others
    /// added stay.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if it changed since `planned` was read.
    pub async fn set_subjects(
        &self,
        planned: &Binding,
        subjects: &[CredentialGroup],
    ) -> Result<Binding, WriteError> {
        let call = binding_call("patch", &planned.at, "it was left as it is");
        self.check_ours(planned)?;
        // A merge patch that contains a resourceVersion is applied only to that version
        // (k8s.io/apiserver pkg/endpoints/handlers/patch.go), so repeating it can only conflict.
        let patch = json!({
            "metadata": {
                "uid": planned.uid,
                "resourceVersion": planned.resource_version,
                "labels": self.labels(),
            },
            "subjects": subject_list(subjects),
        });
        let params = PatchParams { field_manager: Some(MANAGED_BY.to_owned()), ..PatchParams::default() };
        let request =
            Build::new(path(&planned.at)).patch(&segment(&planned.at.name), &params, &Patch::Merge(patch));
        self.send::<BindingObject>(&call, request).await.map(Binding::from)
    }

    /// Takes subjects out of a binding, whoever it belongs to: `rest` is what is left of `planned`. Nothing else of
    /// it is touched.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if it changed since `planned` was read.
    pub async fn leave_only(&self, planned: &Binding, rest: &[Subject]) -> Result<(), WriteError> {
        let call = binding_call("patch", &planned.at, "it was left as it is");
        let rest: Value = rest
            .iter()
            .map(|Subject { kind, name, namespace }| match namespace {
                Some(namespace) => json!({"kind": kind, "name": name, "namespace": namespace}),
                None => json!({"kind": kind, "apiGroup": RBAC, "name": name}),
            })
            .collect();
        let patch = json!({
            "metadata": {"uid": planned.uid, "resourceVersion": planned.resource_version},
            "subjects": rest,
        });
        let params = PatchParams { field_manager: Some(MANAGED_BY.to_owned()), ..PatchParams::default() };
        let request =
            Build::new(path(&planned.at)).patch(&segment(&planned.at.name), &params, &Patch::Merge(patch));
        self.send::<IgnoredAny>(&call, request).await.map(drop)
    }

    /// Deletes one of our bindings. If it is already gone, that is success.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if it changed since `planned` was read.
    pub async fn delete_binding(&self, planned: &Binding) -> Result<(), WriteError> {
        let call = binding_call("delete", &planned.at, "it was left as it is");
        self.check_ours(planned)?;
        let params = only_if(&planned.uid, Some(&planned.resource_version));
        let request = Build::new(path(&planned.at)).delete(&segment(&planned.at.name), &params);
        self.delete(&call, request).await
    }

    /// Deletes a CertificateSigningRequest that an earlier run of this roster left behind, if it is
    /// still the same object. If it is already gone, that is success.
    ///
    /// # Errors
    /// [`WriteError::Failed`] where the name is not one that this roster's runs give.
    pub async fn delete_request(&self, name: &str, uid: &str) -> Result<(), WriteError> {
        let call = Call {
            verb: "delete",
            resource: Resource::SigningRequests,
            place: Place::Cluster,
            name: Some(name.to_owned()),
            otherwise: "it was left as it is",
        };
        if uid.is_empty() || !name.starts_with(&request_prefix(&self.roster)) {
            return Err(WriteError::Failed(Error::new(format!(
                "{}: CertificateSigningRequest `{name}` is not one that roster `{}` made; it was left as it is",
                self.connection.context(),
                self.roster
            ))));
        }
        let request = Build::new(call.resource.path(None)).delete(&segment(name), &only_if(uid, None));
        self.delete(&call, request).await
    }

    /// Reads one binding again, e.g. after a conflict. `None` if it does not exist.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn get_binding(&self, at: &BindingAt) -> Result<Option<Binding>> {
        let call = binding_call("get", at, "it was left as it is");
        let answer = match Build::new(path(at)).get(&segment(&at.name), &Default::default()) {
            Ok(request) => self.connection.call::<BindingObject>(&request, Repeat::Harmless).await,
            Err(error) => Err(CallFailure::Ours(error.to_string())),
        };
        match answer {
            Ok(object) => Ok(Some(object.into())),
            Err(failure) if failure.code() == Some(404) => Ok(None),
            Err(failure) => Err(failure.explain(&self.connection, &call)),
        }
    }

    pub(super) fn labels(&self) -> Value {
        json!({LABEL_MANAGED_BY: MANAGED_BY, LABEL_ROSTER: self.roster.as_str()})
    }

    /// A second lock on the door: the plan never names a foreign object for change.
    fn check_ours(&self, planned: &Binding) -> Result<(), WriteError> {
        if is_ours(&planned.labels, &self.roster) {
            return Ok(());
        }
        Err(WriteError::Failed(
            Error::new(format!(
                "{}: {} does not carry the labels of roster `{}`; it was left as it is",
                self.connection.context(),
                planned.at,
                self.roster
            ))
            .hint(format!(
                "rename or delete it, or, where it is meant to be certctl's, label it `{LABEL_MANAGED_BY}={MANAGED_BY}` and `{LABEL_ROSTER}={}`",
                self.roster
            )),
        ))
    }

    pub(super) async fn send<T: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, WriteError> {
        let answer = match request {
            Ok(request) => self.connection.call(&request, Repeat::Harmless).await,
            Err(error) => Err(CallFailure::Ours(error.to_string())),
        };
        answer.map_err(|failure| outcome(failure, &self.connection, call))
    }

    async fn delete(
        &self,
        call: &Call,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<(), WriteError> {
        match self.send::<IgnoredAny>(call, request).await {
            Ok(_) | Err(WriteError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn outcome(failure: CallFailure, connection: &Connection, call: &Call) -> WriteError {
    let code = failure.code();
    if failure.may_have_taken_effect() {
        let call = Call { otherwise: "it may or may not have been done", ..call.clone() };
        return WriteError::Unclear(failure.explain(connection, &call));
    }
    let vanishes = failure.is_in_a_vanishing_namespace();
    let error = failure.explain(connection, call);
    match code {
        _ if vanishes => WriteError::NotFound(error),
        Some(409) => WriteError::Conflict(error),
        Some(404) => WriteError::NotFound(error),
        _ => WriteError::Failed(error),
    }
}

/// Parameters of a write that name certctl as the manager of the fields it sets.
pub(super) fn as_us() -> PostParams {
    PostParams { field_manager: Some(MANAGED_BY.to_owned()), ..PostParams::default() }
}

/// Parameters of a delete that strikes only the object that is meant.
pub(super) fn only_if(uid: &str, resource_version: Option<&str>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: resource_version.map(ToOwned::to_owned),
        }),
        ..DeleteParams::default()
    }
}

/// The bytes of a JSON value; writing one into memory cannot fail.
pub(super) fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn subject_list(subjects: &[CredentialGroup]) -> Value {
    subjects
        .iter()
        .map(|group| json!({"kind": "Group", "apiGroup": RBAC, "name": group.to_string()}))
        .collect()
}

fn resource(at: &BindingAt) -> Resource {
    if at.namespace.is_some() { Resource::RoleBindings } else { Resource::ClusterRoleBindings }
}

fn path(at: &BindingAt) -> String {
    resource(at).path(at.namespace.as_deref())
}

fn binding_call(verb: &'static str, at: &BindingAt, otherwise: &'static str) -> Call {
    Call {
        verb,
        resource: resource(at),
        place: at.namespace.clone().map_or(Place::Cluster, Place::Namespace),
        name: Some(at.name.clone()),
        otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(labels: &[(&str, &str)]) -> Binding {
        Binding {
            at: BindingAt { namespace: None, name: "certctl:developers:view".into() },
            role_kind: "ClusterRole".into(),
            role_name: "view".into(),
            subjects: Vec::new(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            uid: "u".into(),
            resource_version: "1".into(),
            finalizers: Vec::new(),
            deletion_requested: false,
        }
    }

    #[test]
    fn only_both_labels_make_a_binding_ours() {
        let roster: RosterName = "acme".parse().expect("a name");
        let managed = (LABEL_MANAGED_BY, MANAGED_BY);
        assert!(is_ours(&binding(&[managed, (LABEL_ROSTER, "acme")]).labels, &roster));
        for labels in [
            &[][..],
            &[managed],
            &[(LABEL_ROSTER, "acme")],
            &[managed, (LABEL_ROSTER, "other")],
            &[(LABEL_MANAGED_BY, "helm"), (LABEL_ROSTER, "acme")],
        ] {
            assert!(!is_ours(&binding(labels).labels, &roster), "{labels:?}");
        }
    }

    #[test]
    fn a_delete_names_the_intended_object() {
        let params = serde_json::to_value(only_if("u", Some("7"))).expect("JSON");
        assert_eq!(params["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
        let params = serde_json::to_value(only_if("u", None)).expect("JSON");
        assert_eq!(params["preconditions"], json!({"uid": "u"}));
    }

    #[test]
    fn subjects_are_groups_of_the_rbac_api() {
        let group: CredentialGroup = "certctl:alice:3f2a91bc4d5e6f70".parse().expect("a group");
        assert_eq!(
            subject_list(&[group]),
            json!([{"kind": "Group", "apiGroup": RBAC, "name": "certctl:alice:3f2a91bc4d5e6f70"}])
        );
    }
}
