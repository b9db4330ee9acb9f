//! Everything that stands between a request that is allowed and an object that is kept, in the order
//! in which the real server asks it: nobody grants what they do not hold; what the server fills in;
//! what is wrong with the rest; and what an admission plugin has against it.

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
    /// Sets what was left out, and checks that nobody grants by it what they do not hold. `old` is the
    /// object that it is to replace, and `object` still is as it was sent: whoever sends the same again
    /// grants it again.
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

    /// Makes a new object, of which [`Self::begin`] had nothing to say, what it will be kept as. Its
    /// metadata is complete.
    ///
    /// # Errors
    /// The object or who writes it is refused.
    pub(crate) fn create(&self, object: &mut Value) -> Result<(), Status> {
        let errors = validate::create(self.kind, object, self.writer());
        self.refuse(object, &errors)?;
        match self.kind {
            Kind::CertificateSigningRequest => csr::restrict_subject(&typed(object)),
            _ => Ok(()),
        }
    }

    /// Makes a changed object, of which [`Self::begin`] had nothing to say, what it will be kept as. What
    /// of its metadata nobody can change is that of `old`.
    ///
    /// # Errors
    /// The object or who writes it is refused.
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

/// The object without what the garbage collector writes; who changes only that grants nothing
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
