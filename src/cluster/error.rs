//! Errors of a call, distinguished by what the caller or the reader can do about them.
//!
//! [`CallFailure`] is for deciding: may the call be repeated, may it have taken effect. Its
//! `Failure::explain` is for reading: the place, the fact, what was left undone, a hint.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use kube::client::AuthError;
use kube::core::Status;

use super::resource::{Call, Place};

/// How many lines of what the API server said are quoted.
const QUOTED_LINES: usize = 3;

/// Who the API server takes a request without credentials for (k8s.io/apiserver pkg/authentication/user).
pub(super) const ANONYMOUS: &str = "system:anonymous";

/// Why a call has no answer that can be used.
#[derive(Debug, Clone)]
pub(super) enum CallFailure {
    /// The API server answered that it will not.
    Api {
        /// What it said; `code` is always the code of the HTTP answer.
        status: Box<Status>,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// There was no connection, so nothing was sent.
    Unconnected {
        /// Whether it may work in a moment: not where a certificate is refused, or where a long
        /// wait has already passed.
        transient: bool,
        cause: String,
    },
    /// The request was sent, or may have been, and no whole answer came.
    Lost(String),
    /// The request could not be made on this side, e.g. a credential plugin failed.
    Ours(String),
    /// A response that is not what was requested.
    Garbled(String),
    /// An answer, or all of a list, of more bytes than are taken.
    TooLarge(String),
}

impl CallFailure {
    /// The failure of sending a request and waiting for the head of its answer.
    pub(super) fn of_sending(error: &kube::Error) -> Self {
        let cause = root(error);
        let ours =
            matches!(error, kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_))
                || chain(error).any(|e| e.is::<AuthError>());
        if ours {
            return Self::Ours(cause);
        }
        let io =
            |kind| chain(error).any(|e| e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == kind));
        // hyper-util marks an error from before the connection stood only in its text and in a
        // method of a type that kube hides. Where the text is not recognised the request counts as
        // sent, which is the careful side.
        let connecting = io(ErrorKind::ConnectionRefused)
            || chain(error).any(|e| e.to_string() == "client error (Connect)");
        if connecting {
            let transient = !io(ErrorKind::TimedOut) && Handshake::of(&cause).is_none();
            return Self::Unconnected { transient, cause };
        }
        Self::Lost(cause)
    }

    /// Whether a write that ended like this may nevertheless have been done.
    pub(super) fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Garbled(_) | Self::TooLarge(_) => true,
            Self::Api { status, .. } => status.code >= 500,
            Self::Unconnected { .. } | Self::Ours(_) => false,
        }
    }

    /// Whether a right is missing that an administrator could grant.
    pub(super) fn is_missing_right(&self) -> bool {
        self.code() == Some(403) && self.api_message().and_then(refused_user) != Some(ANONYMOUS)
    }

    /// Whether the namespace is being deleted, so that nothing can be made in it.
    pub(super) fn is_in_a_vanishing_namespace(&self) -> bool {
        let Self::Api { status, .. } = self else { return false };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// The code of the HTTP answer, where there was one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(status.code),
            _ => None,
        }
    }

    /// The API server's message, if there is one.
    pub(super) fn api_message(&self) -> Option<&str> {
        match self {
            Self::Api { status, .. } => Some(&status.message),
            _ => None,
        }
    }

    /// In one line, where nothing depends on it.
    pub(super) fn in_short(&self) -> String {
        match self {
            Self::Api { status, .. } => format!("HTTP {}: {}", status.code, status.message),
            _ => "there was no answer".to_owned(),
        }
    }

    pub(super) fn explanation(self, context: &str, server: &str, call: &Call) -> CallReport {
        match self {
            Self::Unconnected { cause, .. } => unconnected(context, server, cause),
            Self::Lost(cause) => CallReport::new(
                format!("no answer from {server} to {call}"),
                cause,
                "run it again; what was done before is kept and not done twice",
            ),
            Self::Ours(cause) => CallReport::new(
                format!("the credentials of context `{context}` could not be used to {call}"),
                cause,
                format!("`kubectl --context {context} auth whoami` uses the same credentials"),
            ),
            Self::Garbled(cause) => CallReport::new(
                format!("the answer of {server} to {call} is not what the Kubernetes API answers"),
                cause,
                format!("check that `server` of context `{context}` is the API server itself"),
            ),
            Self::TooLarge(cause) => CallReport::new(
                format!("the answer of {server} to {call} is larger than certctl takes"),
                cause,
                format!(
                    "look for objects that were planted to be large (`kubectl --context {context} get {}`), \
                     and check that `server` is the API server itself",
                    call.resource.qualified()
                ),
            ),
            Self::Api { status, retry_after } => api(context, server, call, &status, retry_after),
        }
    }
}

/// The parts of an error message.
pub(super) struct CallReport {
    pub(super) fact: String,
    pub(super) cause: String,
    pub(super) hints: Vec<String>,
}

impl CallReport {
    fn new(fact: String, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { fact, cause: cause.into(), hints: vec![hint.into()] }
    }
}

/// A TLS handshake that fails however often it is retried, recognised by rustls's message.
pub(super) enum Handshake {
    UnknownIssuer,
    OtherName,
    NotValidNow,
    CaAsServer,
    Version1,
    NoTls,
    Other,
}

impl Handshake {
    pub(super) fn of(cause: &str) -> Option<Self> {
        if let Some((_, why)) = cause.split_once("invalid peer certificate: ") {
            return Some(if why.starts_with("UnknownIssuer") || why.starts_with("BadSignature") {
                // The second of a CA with the same name and another key.
                Self::UnknownIssuer
            } else if why.contains("not valid for name") {
                Self::OtherName
            } else if why.contains("expired") || why.contains("not valid yet") {
                Self::NotValidNow
            } else if why.contains("CaUsedAsEndEntity") {
                Self::CaAsServer
            } else if why.contains("UnsupportedCertVersion") {
                Self::Version1
            } else {
                Self::Other
            });
        }
        if cause.contains("InvalidContentType") {
            return Some(Self::NoTls);
        }
        cause.contains("received fatal alert").then_some(Self::Other)
    }
}

fn unconnected(context: &str, server: &str, cause: String) -> CallReport {
    let hint = match Handshake::of(&cause) {
        None => {
            return CallReport::new(
                format!("the cluster at {server} cannot be reached"),
                cause,
                format!(
                    "check that it is up and that `server` of context `{context}` is right: \
                     `kubectl --context {context} version` asks the same address"
                ),
            );
        }
        Some(Handshake::UnknownIssuer) => format!(
            "it was not signed by the certificate-authority of context `{context}`: fetch the kubeconfig again, \
             or make sure that nothing between here and the cluster answers in its place"
        ),
        Some(Handshake::OtherName) => format!(
            "use a name or address that the certificate contains as `server` of context `{context}`, \
             or set `tls-server-name` in the kubeconfig"
        ),
        Some(Handshake::NotValidNow) => {
            "renew the API server's certificate (`kubeadm certs check-expiration` shows it), or set this machine's clock"
                .to_owned()
        }
        Some(Handshake::CaAsServer) => {
            "the API server shows the certificate of a CA as its own: give it one that this CA issued, with \
             `basicConstraints=CA:FALSE`, and leave the CA's in the kubeconfig"
                .to_owned()
        }
        Some(Handshake::Version1) => {
            "the API server's certificate is of X.509 version 1: issue it again as version 3, with its names in \
             `subjectAltName`"
                .to_owned()
        }
        Some(Handshake::NoTls) => {
            format!("that port does not speak TLS: check `server` of context `{context}`")
        }
        Some(Handshake::Other) => {
            format!("`kubectl --context {context} version` makes the same handshake")
        }
    };
    CallReport::new(
        format!("no secure connection to {server}: the handshake or its certificate was refused"),
        cause,
        hint,
    )
}

fn api(
    context: &str,
    server: &str,
    call: &Call,
    status: &Status,
    retry_after: Option<Duration>,
) -> CallReport {
    let message = if status.message.is_empty() {
        format!("HTTP {} {}", status.code, status.reason)
    } else {
        shortened(&status.message)
    };
    match status.code {
        401 => CallReport::new(
            format!("the API server does not accept certctl's own credentials (context `{context}`)"),
            message,
            format!(
                "they may have expired: renew the certificate or token of that context's user; \
                 `kubectl --context {context} auth whoami` tells whether it worked"
            ),
        ),
        403 => CallReport::new(
            format!("not allowed to {call}"),
            message.clone(),
            granting(context, call, &message),
        ),
        404 => CallReport::new(
            format!("{call}: not found"),
            message,
            match (&call.place, &call.name) {
                (Place::Namespace(_), _) | (_, Some(_)) => {
                    "it, or its namespace, was deleted meanwhile: run it again".to_owned()
                }
                _ => format!("check that {server} is a Kubernetes API server, 1.28 or later"),
            },
        ),
        409 => CallReport::new(
            format!("{call}: it was changed meanwhile by someone else"),
            message,
            "run it again: the plan is computed again from the current state",
        ),
        410 => CallReport::new(
            format!("to {call} took longer than the API server keeps what a list began with"),
            message,
            "run it again; if the error persists, the API server or the way to it is very slow",
        ),
        429 => CallReport::new(
            match retry_after {
                Some(wait) => format!(
                    "the API server is overloaded and asks to wait {} s before trying to {call}",
                    wait.as_secs()
                ),
                None => format!("the API server is overloaded and turned away the attempts to {call}"),
            },
            message,
            "run it again later",
        ),
        // The message of Go's net/http.
        400 if message.contains("HTTP request to an HTTPS server") => CallReport::new(
            format!("{server} must be asked with TLS"),
            message,
            format!("write `https://` in `server` of context `{context}`"),
        ),
        400 | 422 => CallReport {
            fact: format!("the API server refused as invalid to {call}"),
            cause: message,
            hints: Vec::new(),
        },
        code @ 500.. => CallReport::new(
            format!("the API server failed to {call} (HTTP {code})"),
            message,
            "run it again; if the error persists, the API server's own log says why",
        ),
        code => CallReport {
            fact: format!("the API server refused to {call} (HTTP {code})"),
            cause: message,
            hints: Vec::new(),
        },
    }
}

/// The first lines of a message: a refused escalation lists every rule of the role.
fn shortened(message: &str) -> String {
    let mut lines: Vec<&str> = message.lines().take(QUOTED_LINES).collect();
    let more = message.lines().count() - lines.len();
    let rest = format!("... and {more} lines more");
    if more > 0 {
        lines.push(&rest);
    }
    lines.join("\n")
}

/// What would grant a refused call.
fn granting(context: &str, call: &Call, message: &str) -> String {
    let user = refused_user(message).unwrap_or("USER");
    if user == ANONYMOUS {
        // Never a command that would grant it to everyone.
        return format!(
            "no credentials were presented: give context `{context}` a user with a certificate, token or plugin"
        );
    }
    if message.contains("is attempting to grant RBAC permissions not currently held") {
        // pkg/registry/rbac/rolebinding/policybased/storage.go: `bind` on the role, or all of it.
        return format!(
            "a binding may be written only by a user who has `bind` on its role, or every right in it: \
             `kubectl create clusterrole certctl-bind --verb=bind --resource=clusterroles.rbac.authorization.k8s.io,roles.rbac.authorization.k8s.io --resource-name=ROLE` \
             and {}",
            binding_to(context, user, "certctl-bind")
        );
    }
    if !message.is_empty() && !message.contains(" cannot ") {
        return "this is not a missing RBAC right, but an admission plugin or policy of the cluster: ask its owner".to_owned();
    }
    let name = format!("certctl-{}-{}", call.verb, call.resource.plural().replace('/', "-"));
    // A watch begins with a list, and is of no use without.
    let verbs = if call.verb == "watch" { "list,watch" } else { call.verb };
    format!(
        "let an administrator run `kubectl create clusterrole {name} --verb={verbs} --resource={}` \
         and {}",
        call.resource.qualified(),
        binding_to(context, user, &name)
    )
}

/// How a role gets to whoever was refused. Never to a user name: it may be a person's, whose context was used
/// by accident, and what is bound to a name no revocation takes away.
fn binding_to(context: &str, user: &str, role: &str) -> String {
    match user.strip_prefix("system:serviceaccount:") {
        Some(account) => format!(
            "`kubectl create clusterrolebinding {role} --clusterrole={role} --serviceaccount={account}`"
        ),
        None => format!(
            "bind it to the identity that context `{context}` should have (docs/permissions.md): the cluster took it for `{user}`"
        ),
    }
}

/// The user of the API server's `User "x" cannot ...`, if it is safe to paste into a shell.
pub(super) fn refused_user(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"").or_else(|| message.split_once("user \""))?;
    let (user, _) = rest.split_once('"')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._@:/".contains(&b);
    (!user.is_empty() && user.bytes().all(plain)).then_some(user)
}

/// The error and what it was caused by, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// The text of the innermost cause: the outer layers only name themselves.
pub(super) fn root(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::resource::Resource;
    use super::*;

    fn list_bindings() -> Call {
        Call {
            verb: "list",
            resource: Resource::RoleBindings,
            place: Place::AllNamespaces,
            name: None,
            otherwise: "nothing was changed",
        }
    }

    fn said(failure: CallFailure) -> String {
        let CallReport { fact, cause, hints } =
            failure.explanation("prod", "https://prod:6443", &list_bindings());
        format!("{fact}\n{cause}\n{}", hints.join("\n"))
    }

    fn api(code: u16, message: &str) -> CallFailure {
        CallFailure::Api { status: Box::new(Status::failure(message, "").with_code(code)), retry_after: None }
    }

    #[test]
    fn a_refusal_names_verb_resource_and_what_grants_it() {
        expect_test::expect![[r#"
            not allowed to list rolebindings.rbac.authorization.k8s.io in all namespaces
            rolebindings.rbac.authorization.k8s.io is forbidden: User "ci" cannot list resource "rolebindings"
            let an administrator run `kubectl create clusterrole certctl-list-rolebindings --verb=list --resource=rolebindings.rbac.authorization.k8s.io` and bind it to the identity that context `prod` should have (docs/permissions.md): the cluster took it for `ci`"#]].assert_eq(&said(api(403, "rolebindings.rbac.authorization.k8s.io is forbidden: User \"ci\" cannot list resource \"rolebindings\"")));
    }

    #[test]
    fn a_refused_escalation_suggests_bind() {
        let text = said(api(
            403,
            "user \"ci\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{}",
        ));
        assert!(text.contains("--verb=bind") && text.contains("took it for `ci`"), "{text}");
        let account = "User \"system:serviceaccount:ci:certctl\" cannot list resource \"rolebindings\"";
        let text = said(api(403, account));
        assert!(text.contains("--serviceaccount=ci:certctl") && !text.contains("--user"), "{text}");
    }

    #[test]
    fn no_grant_to_the_anonymous_user_is_suggested() {
        let text = said(api(
            403,
            "namespaces is forbidden: User \"system:anonymous\" cannot list resource \"namespaces\"",
        ));
        assert!(text.contains("no credentials were presented") && !text.contains("create"), "{text}");
    }

    #[test]
    fn a_long_message_is_truncated() {
        assert_eq!(shortened("a\nb"), "a\nb");
        assert_eq!(shortened("a\nb\nc\nd\ne"), "a\nb\nc\n... and 2 lines more");
    }

    #[test]
    fn a_refusal_other_than_rbac_suggests_no_grant() {
        let text = said(api(403, "admission webhook \"policy.example\" denied the request"));
        assert!(text.contains("admission plugin") && !text.contains("clusterrole"), "{text}");
    }

    #[test]
    fn a_user_name_unsafe_for_a_shell_is_not_quoted() {
        assert_eq!(
            refused_user("User \"system:serviceaccount:a:b\" cannot"),
            Some("system:serviceaccount:a:b")
        );
        for bad in ["User \"a; rm -rf /\" cannot", "User \"$(id)\" cannot", "User \"\" cannot", "nobody"] {
            assert_eq!(refused_user(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_failure_has_its_own_message() {
        for (failure, expected) in [
            (api(401, "Unauthorized"), "does not accept certctl's own credentials"),
            (api(429, "Too many requests"), "overloaded"),
            (api(500, "etcdserver: request timed out"), "failed to list"),
            (api(422, "spec: Invalid value"), "refused as invalid"),
            (api(418, ""), "HTTP 418"),
            (CallFailure::Lost("connection reset".into()), "no answer from https://prod:6443"),
            (CallFailure::Ours("plugin".into()), "credentials of context `prod` could not be used"),
            (CallFailure::Garbled("expected value".into()), "not what the Kubernetes API answers"),
        ] {
            let text = said(failure);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn refused_certificates_are_distinguished() {
        for (cause, expected) in [
            ("Connection refused (os error 111)", "cannot be reached"),
            ("invalid peer certificate: UnknownIssuer", "not signed by the certificate-authority"),
            (
                "invalid peer certificate: certificate not valid for name \"x\"; certificate is only valid for y",
                "tls-server-name",
            ),
            ("invalid peer certificate: certificate expired: verification time 1", "clock"),
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "CA:FALSE"),
            ("invalid peer certificate: Other(OtherError(UnsupportedCertVersion))", "version 3"),
            ("received corrupt message of type InvalidContentType", "does not speak TLS"),
            ("received fatal alert: ProtocolVersion", "same handshake"),
        ] {
            let text = said(CallFailure::Unconnected { transient: true, cause: cause.into() });
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn only_a_lost_answer_or_a_server_error_may_have_taken_effect() {
        assert!(CallFailure::Lost(String::new()).may_have_taken_effect());
        assert!(api(504, "").may_have_taken_effect());
        assert!(!api(409, "").may_have_taken_effect());
        assert!(!api(429, "").may_have_taken_effect());
        assert!(!CallFailure::Ours(String::new()).may_have_taken_effect());
    }
}
