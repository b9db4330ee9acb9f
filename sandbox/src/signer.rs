//! The signer of client certificates: what kube-controller-manager's does, and what others do instead.
//!
//! Pure: what is to become of a request at a given time. Of all signers the sandbox has
//! `kubernetes.io/kube-apiserver-client` alone; requests to others stay as they are.
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

/// `notBefore` lies so long before the signing.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// What is valid for less than this gets its whole time after the signing; the others lose what
/// `notBefore` is backdated by.
const SHORT: SignedDuration = SignedDuration::from_hours(8);
/// Less than this is never signed for.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// How the signer behaves.
#[derive(Clone)]
pub struct SignerOptions {
    /// Without it nothing is ever signed, as on clusters whose signer is elsewhere.
    pub enabled: bool,
    /// How long a request waits after its approval.
    pub delay: Duration,
    /// `--cluster-signing-duration`: whoever asks for more gets this, without a word.
    pub longest: SignedDuration,
    /// What becomes of requests.
    pub verdict: Verdict,
    /// What becomes of some of them instead; asked for each, and `None` leaves it at `verdict`.
    pub except: Option<Exception>,
}

/// Decides on single requests.
pub type Exception = Arc<dyn Fn(&CertificateSigningRequest) -> Option<Verdict> + Send + Sync>;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is signed once it is approved, if the real signer would.
    Sign,
    /// It is left as it is, for ever.
    Ignore,
    /// It is denied before anyone approves it, as by someone who watches and says no.
    Deny {
        /// One word, for programs.
        reason: String,
        /// A sentence, for people.
        message: String,
    },
    /// It fails once it is approved.
    Fail {
        /// One word, for programs.
        reason: String,
        /// A sentence, for people.
        message: String,
    },
    /// It gets this in place of a certificate once it is approved (PEM): a signer that does as it likes.
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

    /// Whether [`decide`] would change this request, so that its time can be waited for.
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

/// The status that the request is to have, `None` where it stays as it is.
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
                // What is stored could be read when it was created.
                let Ok(request) = Request::read(&csr.spec.request.0) else { return Ok(None) };
                let certificate = sign(csr, &request, options.longest, authority, now)?;
                status.certificate = Some(k8s_openapi::ByteString(certificate.into_bytes()));
            }
        },
    }
    Ok(Some(status))
}

/// A client certificate is for `client auth`, and what a handshake needs besides.
fn check_usages(usages: &[String]) -> Result<(), String> {
    let optional = ["digital signature", "key encipherment"];
    match usages.iter().find(|usage| *usage != "client auth" && !optional.contains(&usage.as_str())) {
        Some(other) => Err(format!("invalid usage for client certificate: {other}")),
        None if usages.iter().any(|usage| usage == "client auth") => Ok(()),
        None => Err("missing required usage for client certificate: client auth".to_owned()),
    }
}

/// How long the certificate is to be valid.
fn duration(asked: Option<i32>, longest: SignedDuration) -> SignedDuration {
    match asked.map(|seconds| SignedDuration::from_secs(seconds.into())) {
        Some(asked) if asked <= longest => asked.max(SHORTEST),
        _ => longest,
    }
}

/// The certificate, PEM: subject, names and key as the request has them, and nothing else of it.
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
