//! The signer of client certificates: the behaviour of kube-controller-manager, and of other signers.
//!
//! Pure: decides what happens to a request at a given time. The sandbox only has
//! `kubernetes.io/kube-apiserver-client`; requests to other signers stay as they are.
//! pkg/controller/certificates/signer/signer.go and authority/policies.go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::authority::{
    Authority, CLIENT_AUTH, CannotSign, DIGITAL_SIGNATURE, Extension, KEY_ENCIPHERMENT,
    SUBJECT_ALTERNATIVE_NAME, Template, basic_constraints, extended_key_usage, key_usage, later, pem,
    purpose,
};
use crate::csr::{self, APPROVED, CLIENT_SIGNER, DENIED, FAILED};
use crate::x509::Request;

/// How long `notBefore` is before the signing.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// A shorter validity is counted in full from the signing; longer ones lose the time that
/// `notBefore` is backdated by.
const SHORT: SignedDuration = SignedDuration::from_hours(8);
/// The minimum validity.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// The options of the signer.
#[derive(Clone)]
pub struct SignerOptions {
    /// If false, nothing is ever signed, as on clusters whose signer is disabled.
    pub enabled: bool,
    /// How long a request waits after its approval.
    pub delay: Duration,
    /// `--cluster-signing-duration`: longer requests are silently limited to this.
    pub longest: SignedDuration,
    /// What happens to requests.
    pub verdict: Verdict,
    /// What happens to some of them instead; called for each, and `None` means `verdict`.
    pub except: Option<Exception>,
}

/// Decides about single requests.
pub type Exception = Arc<dyn Fn(&CertificateSigningRequest) -> Option<Verdict> + Send + Sync>;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is signed once it is approved, if the real signer would.
    Sign,
    /// It stays as it is, forever.
    Ignore,
    /// It is denied before anyone approves it, as by a watching policy controller.
    Deny {
        /// One word, machine-readable.
        reason: String,
        /// A sentence, human-readable.
        message: String,
    },
    /// It fails once it is approved.
    Fail {
        /// One word, machine-readable.
        reason: String,
        /// A sentence, human-readable.
        message: String,
    },
    /// Once approved, it gets this instead of a certificate (PEM): a signer that misbehaves.
    Answer(String),
}

impl Default for SignerOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            delay: Duration::ZERO,
            longest: SignedDuration::from_hours(365 * 24),
            verdict: Verdict::Sign,
            except: None,
        }
    }
}

impl fmt::Debug for SignerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignerOptions")
            .field("enabled", &self.enabled)
            .field("delay", &self.delay)
            .field("longest", &self.longest)
            .field("verdict", &self.verdict)
            .field("except", &self.except.as_ref().map(|_| ..))
            .finish()
    }
}

impl SignerOptions {
    fn verdict_on(&self, csr: &CertificateSigningRequest) -> Verdict {
        let exception = self.except.as_ref().and_then(|except| except(csr));
        exception.unwrap_or_else(|| self.verdict.clone())
    }

    /// Whether [`decide`] would change this request, so that the controller can wait for its time.
    pub(crate) fn concerns(&self, csr: &CertificateSigningRequest) -> bool {
        if !self.enabled || csr.spec.signer_name != CLIENT_SIGNER || csr::has(csr, DENIED) {
            return false;
        }
        let open = !csr::has(csr, FAILED) && csr::certificate(csr).is_empty();
        match self.verdict_on(csr) {
            Verdict::Ignore => false,
            Verdict::Deny { .. } => !csr::has(csr, APPROVED),
            _ => open && csr::has(csr, APPROVED),
        }
    }
}

/// The new status of the request, `None` if it does not change.
///
/// # Errors
/// The certificate cannot be signed: there is no randomness, or the authority has expired.
pub(crate) fn decide(
    csr: &CertificateSigningRequest,
    options: &SignerOptions,
    authority: &Authority,
    now: Timestamp,
) -> Result<Option<CertificateSigningRequestStatus>, CannotSign> {
    if !options.concerns(csr) {
        return Ok(None);
    }
    let mut status = csr.status.clone().unwrap_or_default();
    let mut add = |type_: &str, reason: String, message: String| {
        status.conditions.get_or_insert_default().push(CertificateSigningRequestCondition {
            type_: type_.to_owned(),
            status: "True".to_owned(),
            reason: Some(reason),
            message: Some(message),
            last_update_time: Some(Time(now)),
            last_transition_time: Some(Time(now)),
        });
    };
    match options.verdict_on(csr) {
        Verdict::Ignore => return Ok(None),
        Verdict::Deny { reason, message } => add(DENIED, reason, message),
        Verdict::Fail { reason, message } => add(FAILED, reason, message),
        Verdict::Answer(certificate) => {
            status.certificate = Some(k8s_openapi::ByteString(certificate.into_bytes()));
        }
        Verdict::Sign => match check_usages(csr.spec.usages.as_deref().unwrap_or_default()) {
            Err(message) => add(FAILED, "SignerValidationFailure".to_owned(), message),
            Ok(()) => {
                // A stored request was parsed when it was created.
                let Ok(request) = Request::read(&csr.spec.request.0) else { return Ok(None) };
                let certificate = sign(csr, &request, options.longest, authority, now)?;
                status.certificate = Some(k8s_openapi::ByteString(certificate.into_bytes()));
            }
        },
    }
    Ok(Some(status))
}

/// A client certificate is for `client auth`, and the usages that a handshake needs.
fn check_usages(usages: &[String]) -> Result<(), String> {
    let optional = ["digital signature", "key encipherment"];
    match usages.iter().find(|usage| *usage != "client auth" && !optional.contains(&usage.as_str())) {
        Some(other) => Err(format!("invalid usage for client certificate: {other}")),
        None if usages.iter().any(|usage| usage == "client auth") => Ok(()),
        None => Err("missing required usage for client certificate: client auth".to_owned()),
    }
}

/// The validity of the certificate.
fn duration(asked: Option<i32>, longest: SignedDuration) -> SignedDuration {
    match asked.map(|seconds| SignedDuration::from_secs(seconds.into())) {
        Some(asked) if asked <= longest => asked.max(SHORTEST),
        _ => longest,
    }
}

/// The certificate, PEM: subject, names and key of the request, and nothing else.
fn sign(
    csr: &CertificateSigningRequest,
    request: &Request,
    longest: SignedDuration,
    authority: &Authority,
    now: Timestamp,
) -> Result<String, CannotSign> {
    let duration = duration(csr.spec.expiration_seconds, longest);
    let not_after = if duration < SHORT { later(now, duration) } else { later(now, duration - BACKDATE) };
    let usages = csr.spec.usages.as_deref().unwrap_or_default();
    let bit = |usage: &str, bit: u8| if usages.iter().any(|one| one == usage) { bit } else { 0 };
    let key_usages = bit("digital signature", DIGITAL_SIGNATURE) | bit("key encipherment", KEY_ENCIPHERMENT);

    let mut extensions = Vec::new();
    if key_usages != 0 {
        extensions.push(key_usage(key_usages));
    }
    extensions.extend([
        extended_key_usage(&[&purpose(CLIENT_AUTH)]),
        basic_constraints(false),
        authority.authority_key_id(),
    ]);
    if let Some(names) = &request.alternative_names {
        extensions.push(Extension(SUBJECT_ALTERNATIVE_NAME, false, names.clone()));
    }
    let certificate = authority.certify(Template {
        subject: &request.subject,
        public_key: &request.public_key,
        not_before: later(now, -BACKDATE),
        not_after: not_after.min(authority.not_after()),
        extensions,
    })?;
    Ok(pem("CERTIFICATE", &certificate))
}

#[cfg(test)]
mod tests;
