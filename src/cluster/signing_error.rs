//! The ways in which a CertificateSigningRequest can end without a certificate, each with its message.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::model::{SignerName, UserName};

/// Why a person got no certificate.
#[derive(Debug)]
pub struct SigningError {
    /// How it ended.
    pub end: Box<SigningEnd>,
    /// Whose certificate it was to be.
    pub user: UserName,
    /// The name of the CertificateSigningRequest.
    pub request: String,
    pub(super) context: String,
    pub(super) signer: SignerName,
}

/// The end of a CertificateSigningRequest.
#[derive(Debug)]
pub enum SigningEnd {
    /// It was refused, or it is unknown whether it was created.
    NotCreated(Error),
    /// The object with our random name is not what was sent, so it was not approved.
    Foreign(&'static str),
    /// Its approval is not allowed.
    ApprovalRefused {
        /// Who is not allowed: this very connection.
        requester: String,
        /// What the API server said.
        message: String,
    },
    /// Its approval failed otherwise.
    NotApproved(Error),
    /// Someone denied it.
    Denied(ConditionReason),
    /// The signer would not sign it.
    Failed(ConditionReason),
    /// It was approved, and for this long nothing came.
    NeverSigned(Duration),
    /// Someone deleted it.
    Vanished,
    /// The run was interrupted.
    Interrupted,
    /// It cannot be watched.
    Unwatched(Error),
}

/// The content of a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConditionReason {
    /// `reason`, one word.
    pub reason: String,
    /// `message`.
    pub message: String,
}

impl fmt::Display for ConditionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason.is_empty(), self.message.is_empty()) {
            (true, true) => f.write_str("no reason given"),
            (true, false) => f.write_str(&self.message),
            (false, true) => f.write_str(&self.reason),
            (false, false) => write!(f, "{}: {}", self.reason, self.message),
        }
    }
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: no certificate for {}: ", self.context, self.user)?;
        let request = format!("CertificateSigningRequest `{}`", self.request);
        match &*self.end {
            SigningEnd::NotCreated(error) => write!(f, "{}", self.bare(error)),
            SigningEnd::Foreign(what) => {
                write!(f, "{request} is not what was sent ({what}); it was not approved")
            }
            SigningEnd::ApprovalRefused { .. } => {
                write!(f, "{request} was made, but not allowed to approve it for signer {}", self.signer)
            }
            SigningEnd::NotApproved(error) => write!(f, "{}", self.bare(error)),
            SigningEnd::Denied(reason) => write!(f, "{request} was denied ({reason})"),
            SigningEnd::Failed(reason) => {
                write!(f, "signer {} refused {request} ({reason})", self.signer)
            }
            SigningEnd::NeverSigned(waited) => write!(
                f,
                "{request} was approved, but signer {} did not sign it within {} s; it was deleted",
                self.signer,
                waited.as_secs()
            ),
            SigningEnd::Interrupted => f.write_str("not issued, because apply was interrupted"),
            SigningEnd::Vanished => write!(f, "{request} was deleted by someone else before it was signed"),
            SigningEnd::Unwatched(error) => write!(f, "{}", self.bare(error)),
        }
    }
}

impl std::error::Error for SigningError {}

impl SigningError {
    /// The message of an inner error without the context, which ours begins with already.
    fn bare<'a>(&self, error: &'a Error) -> &'a str {
        let message = error.message();
        message
            .strip_prefix(self.context.as_str())
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(message)
    }

    fn hint(&self) -> Option<String> {
        let Self { request, context, signer, .. } = self;
        Some(match &*self.end {
            SigningEnd::NotCreated(_) | SigningEnd::NotApproved(_) | SigningEnd::Unwatched(_) => return None,
            SigningEnd::Foreign(_) => format!(
                "something changes CertificateSigningRequests as they are made: look for a mutating webhook or policy \
                 (`kubectl --context {context} get mutatingwebhookconfigurations,mutatingadmissionpolicies`)"
            ),
            SigningEnd::ApprovalRefused { requester, .. } => {
                format!(
                    "{requester} needs two rules in a ClusterRole: \
                     {{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]}} and \
                     {{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [{signer}], verbs: [approve]}}"
                )
            }
            SigningEnd::Denied(_) => format!(
                "`kubectl --context {context} get csr {request} -o yaml` shows it for an hour; \
                 find out who or which policy denies requests for {signer}, then run it again"
            ),
            SigningEnd::Failed(reason) if reason.reason == "SignerValidationFailure" => format!(
                "the signer's own rules are against what was asked: check `signerName` in the roster, and that {signer} \
                 issues client certificates; `kubectl --context {context} get csr {request} -o yaml` shows the request for an hour"
            ),
            SigningEnd::Failed(_) => format!(
                "the log of the signer (kube-controller-manager for kubernetes.io/ signers) says more; \
                 `kubectl --context {context} get csr {request} -o yaml` shows the request for an hour"
            ),
            SigningEnd::NeverSigned(_) => format!(
                "check that a signer for {signer} runs: kube-controller-manager with the controller \
                 csrsigning-controller and --cluster-signing-cert-file. EKS approves but never signs kubernetes.io/kube-apiserver-client: \
                 set `signerName` to a signer of that cluster. Where it is only slow, raise `--timeout`"
            ),
            SigningEnd::Interrupted => "run `certctl apply` again".to_owned(),
            SigningEnd::Vanished => {
                "find out who deletes CertificateSigningRequests, then run it again".to_owned()
            }
        })
    }
}

impl From<SigningError> for Error {
    fn from(error: SigningError) -> Self {
        let mut out = Error::new(error.to_string());
        if let Some(hint) = error.hint() {
            out = out.hint(hint);
        }
        match *error.end {
            SigningEnd::NotCreated(inner) | SigningEnd::NotApproved(inner) | SigningEnd::Unwatched(inner) => {
                out = inner.hints().iter().fold(out, |out, hint| out.hint(hint.clone()));
                match std::error::Error::source(&inner) {
                    Some(cause) => out.caused_by(cause.to_string()),
                    None => out,
                }
            }
            SigningEnd::ApprovalRefused { message, .. } => out.caused_by(message),
            _ => out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(end: SigningEnd) -> String {
        Error::from(SigningError {
            end: Box::new(end),
            user: "alice".parse().expect("a name"),
            request: "certctl-acme-0".into(),
            context: "prod".into(),
            signer: "kubernetes.io/kube-apiserver-client".parse().expect("a signer"),
        })
        .render(false)
    }

    fn reason(reason: &str, message: &str) -> ConditionReason {
        ConditionReason { reason: reason.into(), message: message.into() }
    }

    #[test]
    fn a_refused_approval_names_both_rights_and_whose_they_must_be() {
        expect_test::expect![[r#"
            Error: prod: no certificate for alice: CertificateSigningRequest `certctl-acme-0` was made, but not allowed to approve it for signer kubernetes.io/kube-apiserver-client
              Caused by: ... is forbidden: User "ci" cannot update resource "certificatesigningrequests/approval"
              Hint: ci needs two rules in a ClusterRole: {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]} and {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}
        "#]].assert_eq(&rendered(SigningEnd::ApprovalRefused {
            requester: "ci".into(),
            message: "... is forbidden: User \"ci\" cannot update resource \"certificatesigningrequests/approval\"".into(),
        }));
    }

    #[test]
    fn every_outcome_has_its_own_message() {
        for (end, fact, hint) in [
            (SigningEnd::Denied(reason("No", "not you")), "was denied (No: not you)", "who or which policy"),
            (SigningEnd::Denied(reason("", "")), "no reason given", "who or which policy"),
            (SigningEnd::Failed(reason("SignerValidationFailure", "usages")), "refused", "own rules"),
            (SigningEnd::Failed(reason("Broken", "")), "(Broken)", "log of the signer"),
            (SigningEnd::NeverSigned(Duration::from_secs(60)), "within 60 s", "EKS"),
            (SigningEnd::Vanished, "deleted by someone else", "who deletes"),
            (SigningEnd::Foreign("the request bytes differ"), "it was not approved", "webhook"),
            (
                SigningEnd::NotCreated(
                    Error::new("prod: not allowed to create it; nothing was issued").hint("grant it"),
                ),
                "no certificate for alice: not allowed to create it",
                "Hint: grant it",
            ),
        ] {
            let text = rendered(end);
            assert!(text.contains(fact) && text.contains(hint), "{text}");
        }
    }
}
