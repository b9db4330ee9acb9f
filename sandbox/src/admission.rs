//! Everything between an allowed request and a stored object, in the order
//! of the real server: the escalation check; the fields that the server fills in;
//! validation; and the admission plugins.

use jiff::Timestamp;
use serde_json::Value;

use crate::csr;
use crate::object::meta;
use crate::rbac::Policy;
use crate::request::Attributes;
use crate::resource::Kind;
use crate::status::{FieldError, Status};
use crate::user::User;
use crate::validate::{self, Writer, typed};

/// One write of one object.
pub(crate) struct Write<'a> {
    pub(crate) kind: Kind,
    pub(crate) user: &'a User,
    pub(crate) request: &'a Attributes,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
}

impl Write<'_> {
    /// Sets defaults, and checks that the user only grants what they have. `old` is the
    /// object that it replaces, and `object` is still as it was sent: sending the same again
    /// counts as granting it again.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn begin(&self, object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        validate::set_defaults(self.kind, object);
        match old {
            Some(old) if without_ownership(object) == without_ownership(old) => Ok(()),
            _ => self.escalates_nothing(object, old),
        }
    }

    /// Completes a new object, which [`Self::begin`] accepted, for storage. Its
    /// metadata is already complete.
    ///
    /// # Errors
    /// The object or the user who writes it is refused.
    pub(crate) fn create(&self, object: &mut Value) -> Result<(), Status> {
        let errors = validate::create(self.kind, object, self.writer());
        self.refuse(object, &errors)?;
        match self.kind {
            Kind::CertificateSigningRequest => csr::restrict_subject(&typed(object)),
            _ => Ok(()),
        }
    }

    /// Completes a changed object, which [`Self::begin`] accepted, for storage. Its immutable
    /// metadata is that of `old`.
    ///
    /// # Errors
    /// The object or the user who writes it is refused.
    pub(crate) fn update(&self, object: &mut Value, old: &Value) -> Result<(), Status> {
        let subresource = self.request.subresource.as_str();
        let errors = validate::update(self.kind, subresource, object, old, self.writer());
        self.refuse(object, &errors)?;
        match self.kind {
            Kind::CertificateSigningRequest => {
                let part = validate::csr_part(subresource);
                csr::authorize_update(part, self.policy, self.user, &typed(object), &typed(old))
            }
            _ => Ok(()),
        }
    }

    fn writer(&self) -> Writer<'_> {
        Writer { user: self.user, now: self.now }
    }

    fn refuse(&self, object: &Value, errors: &[FieldError]) -> Result<(), Status> {
        if errors.is_empty() {
            return Ok(());
        }
        let resource = self.kind.resource();
        Err(Status::invalid(resource.name, resource.group, meta(object, "name"), errors))
    }

    fn escalates_nothing(&self, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let name = meta(object, "name");
        let Self { user, request, policy, .. } = self;
        match self.kind {
            Kind::Role => {
                let role: k8s_openapi::api::rbac::v1::Role = typed(object);
                policy.may_write_role(user, request, name, role.rules.as_deref().unwrap_or_default())
            }
            Kind::ClusterRole => {
                let old = old.map(typed);
                policy.may_write_cluster_role(user, request, &typed(object), old.as_ref())
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                policy.may_bind(user, request, name, &typed(&object["roleRef"]))
            }
            _ => Ok(()),
        }
    }
}

/// The object without the fields that the garbage collector writes; changing only those grants nothing
/// (pkg/registry/rbac/helpers.go, IsOnlyMutatingGCFields).
fn without_ownership(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["ownerReferences", "finalizers"] {
            metadata.remove(field);
        }
    }
    object
}
