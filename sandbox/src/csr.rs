//! CertificateSigningRequests: what may be requested, who may approve, and what is immutable.
//!
//! pkg/apis/certificates/validation, pkg/registry/certificates/certificates/strategy.go, and the
//! admission plugins in plugin/pkg/admission/certificates.

use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::go;
use crate::rbac::Policy;
use crate::request::Attributes;
use crate::status::{FieldError, Status};
use crate::user::User;
use crate::validate::names;
use crate::x509;

pub(crate) const RESOURCE: &str = "certificatesigningrequests";
pub(crate) const GROUP: &str = "certificates.k8s.io";

/// The signer of client certificates, the only one that the sandbox has.
pub(crate) const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

pub(crate) const APPROVED: &str = "Approved";
pub(crate) const DENIED: &str = "Denied";
pub(crate) const FAILED: &str = "Failed";

/// Every usage, in the order of the messages.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// What is written: the object itself, or one of its subresources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Itself,
    Approval,
    Status,
}

type Conditions = Vec<CertificateSigningRequestCondition>;

/// The conditions of a request.
pub(crate) fn conditions(csr: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    csr.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// Whether there is a condition of this type.
pub(crate) fn has(csr: &CertificateSigningRequest, type_: &str) -> bool {
    conditions(csr).iter().any(|condition| condition.type_ == type_)
}

/// The certificate, PEM; empty where there is none.
pub(crate) fn certificate(csr: &CertificateSigningRequest) -> &[u8] {
    let certificate = csr.status.as_ref().and_then(|status| status.certificate.as_ref());
    certificate.map_or(&[], |certificate| &certificate.0)
}

fn of_type<'a>(
    csr: &'a CertificateSigningRequest,
    type_: &'a str,
) -> Vec<&'a CertificateSigningRequestCondition> {
    conditions(csr).iter().filter(|condition| condition.type_ == type_).collect()
}

/// The server records the requester, whatever the client sent; and nothing is approved yet.
pub(crate) fn prepare_create(csr: &mut CertificateSigningRequest, user: &User) {
    csr.spec.username = Some(user.name.clone());
    csr.spec.uid = Some(user.uid.clone()).filter(|uid| !uid.is_empty());
    csr.spec.groups = Some(user.groups.clone());
    csr.spec.extra = Some(user.extra.clone()).filter(|extra| !extra.is_empty());
    csr.status = Some(CertificateSigningRequestStatus::default());
}

/// Reverts what this part of the object may not change, and dates new conditions.
pub(crate) fn prepare_update(
    part: Part,
    new: &mut CertificateSigningRequest,
    old: &CertificateSigningRequest,
    now: Timestamp,
) {
    new.spec = old.spec.clone();
    match part {
        Part::Itself => new.status = old.status.clone(),
        Part::Approval => {
            let conditions = dated(new, old, now);
            new.status = old.status.clone();
            new.status.get_or_insert_default().conditions = conditions;
        }
        Part::Status => {
            for type_ in [APPROVED, DENIED] {
                keep_conditions(new, old, type_);
            }
            let conditions = dated(new, old, now);
            new.status.get_or_insert_default().conditions = conditions;
        }
    }
}

/// Restores the old conditions of this type, unless some were added or removed: validation handles that.
fn keep_conditions(new: &mut CertificateSigningRequest, old: &CertificateSigningRequest, type_: &str) {
    let kept = of_type(old, type_);
    if kept.len() != of_type(new, type_).len() {
        return;
    }
    let conditions = new.status.iter_mut().filter_map(|status| status.conditions.as_mut()).flatten();
    for (condition, kept) in conditions.filter(|condition| condition.type_ == type_).zip(kept) {
        condition.clone_from(kept);
    }
}

fn dated(
    new: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
    now: Timestamp,
) -> Option<Conditions> {
    let now = Time(now);
    let date = |condition: &CertificateSigningRequestCondition| {
        let mut condition = condition.clone();
        condition.last_update_time.get_or_insert_with(|| now.clone());
        if condition.last_transition_time.is_none() {
            let before = conditions(old).iter().find(|before| {
                before.type_ == condition.type_
                    && before.status == condition.status
                    && before.last_transition_time.is_some()
            });
            let since = before.and_then(|before| before.last_transition_time.clone());
            condition.last_transition_time = since.or_else(|| Some(now.clone()));
        }
        condition
    };
    new.status.as_ref()?.conditions.as_ref().map(|conditions| conditions.iter().map(date).collect())
}

/// What is wrong with a new request.
pub(crate) fn validate_create(csr: &CertificateSigningRequest) -> Vec<FieldError> {
    let mut errors = validate_spec(csr);
    errors.extend(validate_conditions(csr));
    errors
}

fn validate_spec(csr: &CertificateSigningRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &csr.spec;
    let request = x509::Request::read(&spec.request.0).and_then(|request| request.check_signature());
    if let Err(why) = request {
        // The request is shown as in JSON: base64.
        let value = match spec.request.0.as_slice() {
            [] => Value::Null,
            _ => serde_json::to_value(&spec.request).unwrap_or(Value::Null),
        };
        errors.push(FieldError::invalid("spec.request", &value, &why));
    }
    let usages = spec.usages.as_deref().unwrap_or_default();
    if usages.is_empty() {
        errors.push(FieldError::required("spec.usages", ""));
    }
    for (place, usage) in usages.iter().enumerate().filter(|(_, usage)| !USAGES.contains(&usage.as_str())) {
        errors.push(FieldError::not_supported(
            format!("spec.usages[{place}]"),
            &usage.as_str().into(),
            &USAGES,
        ));
    }
    for (place, usage) in usages.iter().enumerate().filter(|(place, usage)| usages[..*place].contains(usage))
    {
        errors.push(FieldError::duplicate(format!("spec.usages[{place}]"), &usage.as_str().into()));
    }
    if spec.signer_name == "kubernetes.io/legacy-unknown" {
        let why = "the legacy signerName is not allowed via this API version";
        errors.push(FieldError::invalid("spec.signerName", &spec.signer_name.as_str().into(), why));
    } else {
        errors.extend(names::signer_name("spec.signerName", &spec.signer_name));
    }
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < 600) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid("spec.expirationSeconds", &seconds.into(), why));
    }
    errors
}

fn validate_conditions(csr: &CertificateSigningRequest) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (place, condition) in conditions(csr).iter().enumerate() {
        let path = |field: &str| format!("status.conditions[{place}].{field}");
        let (type_, status) = (condition.type_.as_str(), condition.status.as_str());
        if type_.is_empty() {
            errors.push(FieldError::required(path("type"), ""));
        }
        let allowed: &[&str] = if [APPROVED, DENIED, FAILED].contains(&type_) {
            &["True"]
        } else {
            &["False", "True", "Unknown"]
        };
        if status.is_empty() {
            errors.push(FieldError::required(path("status"), ""));
        } else if !allowed.contains(&status) {
            errors.push(FieldError::not_supported(path("status"), &status.into(), allowed));
        }
        if seen.contains(&type_) {
            errors.push(FieldError::duplicate(path("type"), &type_.into()));
        }
        seen.push(type_);
    }
    if seen.contains(&APPROVED) && seen.contains(&DENIED) {
        // The wording of declarative validation, which replaces the handwritten messages.
        let both = "{conditions[{\"type\": \"Approved\"}], conditions[{\"type\": \"Denied\"}]}";
        let why = "must specify at most one of: `conditions[{\"type\": \"Approved\"}]`, `conditions[{\"type\": \"Denied\"}]`";
        errors.push(FieldError::invalid("status.conditions", &both.into(), why));
    }
    errors
}

/// What is wrong with a change, after [`prepare_update`] has reverted what is ignored.
pub(crate) fn validate_update(
    part: Part,
    new: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
) -> Vec<FieldError> {
    let mut errors = validate_create(new);
    let changed = certificate(new) != certificate(old);
    if changed
        && !certificate(new).is_empty()
        && let Err(why) = x509::read_certificates(certificate(new))
    {
        errors.push(FieldError::invalid("status.certificate", &"<certificate data>".into(), &why));
    }
    let mut refuse = |field: &str, why: String| errors.push(FieldError::forbidden(field, &why));
    let counts = |type_: &str| (of_type(old, type_).len(), of_type(new, type_).len());
    for type_ in [APPROVED, DENIED, FAILED] {
        let (before, after) = counts(type_);
        if after < before {
            let why = format!("updates may not remove a condition of type {}", go::quote(type_));
            refuse("status.conditions", why);
        }
    }
    if part != Part::Approval {
        for type_ in [APPROVED, DENIED] {
            let (before, after) = counts(type_);
            if after > before {
                let why = format!("updates may not add a condition of type {}", go::quote(type_));
                refuse("status.conditions", why);
            }
        }
    }
    if changed {
        let why = match part {
            Part::Status if certificate(old).is_empty() => return errors,
            Part::Status => "updates may not modify existing certificate content",
            _ => "updates may not set certificate content",
        };
        refuse("status.certificate", why.to_owned());
    }
    errors
}

/// This signer issues no certificate that bypasses RBAC
/// (plugin/pkg/admission/certificates/subjectrestriction).
///
/// # Errors
/// Forbidden, if the request names the group `system:masters` or cannot be read.
pub(crate) fn restrict_subject(csr: &CertificateSigningRequest) -> Result<(), Status> {
    if csr.spec.signer_name != CLIENT_SIGNER {
        return Ok(());
    }
    let why = match x509::Request::read(&csr.spec.request.0) {
        Err(why) => format!("failed to parse CSR: {why}"),
        Ok(request)
            if request.subject.organizations().iter().any(|group| group == crate::rbac::PRIVILEGED) =>
        {
            format!("use of {CLIENT_SIGNER} signer with system:masters group is not allowed")
        }
        Ok(_) => return Ok(()),
    };
    let metadata = &csr.metadata;
    let name = metadata.name.as_deref().or(metadata.generate_name.as_deref()).unwrap_or("Unknown");
    Err(Status::forbidden(RESOURCE, GROUP, name, &why))
}

/// Whether the user may change the approval or the status of this request: that takes `approve` or
/// `sign` on its signer, or on all signers of that domain (pkg/certauthorization and
/// plugin/pkg/admission/certificates/{approval,signing}).
///
/// # Errors
/// Forbidden.
pub(crate) fn authorize_update(
    part: Part,
    policy: &Policy,
    user: &User,
    new: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
) -> Result<(), Status> {
    let verb = match part {
        Part::Itself => return Ok(()),
        Part::Status if new.status == old.status => return Ok(()),
        Part::Status => "sign",
        Part::Approval => "approve",
    };
    let signer = &old.spec.signer_name;
    let domain = signer.split('/').next().unwrap_or_default();
    let may = |name: &str| {
        let attributes = Attributes {
            verb: verb.to_owned(),
            is_resource: true,
            api_group: GROUP.to_owned(),
            resource: "signers".to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        policy.allows(user, &attributes).is_ok()
    };
    if may(signer) || may(&format!("{domain}/*")) {
        return Ok(());
    }
    let name = old.metadata.name.as_deref().unwrap_or_default();
    let why = format!("user not permitted to {verb} requests with signerName {}", go::quote(signer));
    Err(Status::forbidden(RESOURCE, GROUP, name, &why))
}

#[cfg(test)]
mod tests;
