//! Tries a new certificate where people will use it: at the published address, with the published CA.
//!
//! The connection has the new certificate and no other credential: whoever answers there gets nothing of
//! certctl's own. It tries once, within a short time.

use std::time::Duration;

use super::connect::Connection;
use super::error::{self, CallFailure, Handshake};
use super::retry::Repeat;
use super::self_review;
use crate::error::{Error, visible_line};
use crate::model::route::Route;
use crate::model::{Authority, CredentialGroup, UserName};
use crate::pki::PrivateKey;
use crate::plan::endpoint::Endpoint;

/// How long it may take, at most.
const LIMIT: Duration = Duration::from_secs(10);

/// A certificate that nobody has used yet.
pub struct NewCertificate<'a> {
    /// Whom it must be for.
    pub user: &'a UserName,
    /// The group that it must have.
    pub group: &'a CredentialGroup,
    /// PEM.
    pub certificate: &'a str,
    pub key: &'a PrivateKey,
}

/// What came of the try.
#[derive(Debug)]
pub enum Probed {
    /// It is who it should be.
    Works,
    /// Nobody can tell from here: there was no answer.
    Unreachable(Error),
    /// It would work for nobody.
    Refused(Error),
}

/// Why it would work for nobody.
enum Fault {
    Handshake(Handshake),
    /// Another identity, or the anonymous one: the certificate did not arrive.
    Taken(String),
    /// Its group did not arrive.
    WithoutGroup,
    Unauthorized,
    NoKubernetes,
}

/// What one address says.
enum ProbeAnswer {
    Works,
    Unreachable(String),
    Faulty(Fault, String),
}

impl Connection {
    /// Tries it at `endpoint`, on this route. Where that does not know the certificate, the server of this connection is
    /// asked too, to tell another cluster from a signer that this one does not trust.
    pub async fn probe(&self, endpoint: &Endpoint, route: &Route, new: &NewCertificate<'_>) -> Probed {
        let limit = LIMIT.min(self.limit());
        let (fault, cause) = match ask(endpoint, route, new, limit).await {
            ProbeAnswer::Works => return Probed::Works,
            ProbeAnswer::Unreachable(cause) => {
                let fact = format!(
                    "no new certificate could be tried at {}, where kubeconfigs lead: it cannot be reached from here",
                    endpoint.server
                );
                return Probed::Unreachable(Error::new(fact).caused_by(cause));
            }
            ProbeAnswer::Faulty(fault, cause) => (fault, cause),
        };
        let unknown = matches!(fault, Fault::Unauthorized) && self.server() != endpoint.server;
        let elsewhere = unknown
            && matches!(ask(&self.endpoint(), &Route::default(), new, limit).await, ProbeAnswer::Works);
        let error = explained(endpoint, &fault, elsewhere);
        Probed::Refused(if cause.is_empty() { error } else { error.caused_by(cause) })
    }

    /// Where this connection leads itself.
    fn endpoint(&self) -> Endpoint {
        let bundle = self.certificate_authority().and_then(|pem| crate::pki::ca_bundle(pem).ok());
        Endpoint {
            server: self.server().to_owned(),
            authority: bundle.map_or(Authority::System, Authority::Bundle),
        }
    }
}

/// Whether an API server answers at `endpoint` with a certificate of its CA. It is asked without any credential.
pub async fn reach(endpoint: &Endpoint, route: &Route, limit: Duration) -> Probed {
    let limit = LIMIT.min(limit);
    let unreachable = |cause: String| {
        let fact = format!("{}, where kubeconfigs lead, cannot be reached from here", endpoint.server);
        Probed::Unreachable(Error::new(fact).caused_by(cause))
    };
    let connection = match Connection::without_credentials(endpoint, route, limit).await {
        Ok(connection) => connection,
        Err(error) => return unreachable(error.message().to_owned()),
    };
    let (fault, cause) = match self_review::who(&connection, Repeat::Never).await {
        Ok(_) => return Probed::Works,
        Err(CallFailure::Api { status, .. }) if matches!(status.code, 401 | 403) => return Probed::Works,
        Err(CallFailure::Unconnected { cause, .. } | CallFailure::Lost(cause)) => match Handshake::of(&cause)
        {
            Some(handshake) => (Fault::Handshake(handshake), cause),
            None => return unreachable(cause),
        },
        Err(CallFailure::Api { status, .. }) if matches!(status.code, 429 | 500..) => {
            return unreachable(format!("HTTP {}: {}", status.code, status.message));
        }
        Err(failure) => (Fault::NoKubernetes, failure.in_short()),
    };
    Probed::Refused(explained(endpoint, &fault, false).caused_by(cause))
}

async fn ask(endpoint: &Endpoint, route: &Route, new: &NewCertificate<'_>, limit: Duration) -> ProbeAnswer {
    let connection = match Connection::of_person(endpoint, route, new.certificate, new.key, limit).await {
        Ok(connection) => connection,
        Err(error) => return ProbeAnswer::Unreachable(error.message().to_owned()),
    };
    let faulty = |fault| ProbeAnswer::Faulty(fault, String::new());
    match self_review::who(&connection, Repeat::Never).await {
        Ok(me) if me.username != new.user.as_str() => faulty(Fault::Taken(me.username)),
        Ok(me) if !me.groups.contains(&new.group.to_string()) => faulty(Fault::WithoutGroup),
        Ok(_) => ProbeAnswer::Works,
        Err(CallFailure::Unconnected { cause, .. } | CallFailure::Lost(cause)) => match Handshake::of(&cause)
        {
            Some(handshake) => ProbeAnswer::Faulty(Fault::Handshake(handshake), cause),
            None => ProbeAnswer::Unreachable(cause),
        },
        Err(CallFailure::Api { status, .. }) => match (status.code, error::refused_user(&status.message)) {
            (401, _) => ProbeAnswer::Faulty(Fault::Unauthorized, status.message),
            (403, Some(user)) if user != new.user.as_str() => faulty(Fault::Taken(user.to_owned())),
            (403 | 429 | 500.., _) => {
                ProbeAnswer::Unreachable(format!("HTTP {}: {}", status.code, status.message))
            }
            _ => {
                ProbeAnswer::Faulty(Fault::NoKubernetes, format!("HTTP {}: {}", status.code, status.message))
            }
        },
        Err(CallFailure::Garbled(cause) | CallFailure::TooLarge(cause)) => {
            ProbeAnswer::Faulty(Fault::NoKubernetes, cause)
        }
        Err(CallFailure::Ours(cause)) => ProbeAnswer::Unreachable(cause),
    }
}

/// Which of these it is, and how to fix it.
fn explained(endpoint: &Endpoint, fault: &Fault, elsewhere: bool) -> Error {
    let server = &endpoint.server;
    let name_it = "name the address and the CA that users connect to with `server:` and `certificateAuthority:` in the \
                   roster, or move the pin with `certctl repin`";
    let (fact, hint) = match fault {
        Fault::Handshake(Handshake::UnknownIssuer) => {
            ("the server there has a certificate of another CA than kubeconfigs would carry".to_owned(), name_it)
        }
        Fault::Handshake(Handshake::OtherName) => {
            ("the server there has a certificate for other names than this address".to_owned(), name_it)
        }
        Fault::Handshake(Handshake::NoTls) => ("that port does not speak TLS".to_owned(), name_it),
        Fault::Handshake(_) => ("no secure connection came about there".to_owned(), name_it),
        Fault::Taken(user) => {
            let user = visible_line(user);
            let who = if user == error::ANONYMOUS { "nobody in particular".to_owned() } else { format!("`{user}`") };
            (
                format!(
                    "a proxy or load balancer ends TLS there, so that the certificate does not arrive: the API server \
                     took it for {who}"
                ),
                "publish an address that passes TLS through to the API server, with `server:` in the roster",
            )
        }
        Fault::WithoutGroup => (
            "the API server there does not give it the group that its rights hang on".to_owned(),
            "look at what stands between here and the API server: it must pass TLS through",
        ),
        Fault::Unauthorized if elsewhere => (
            "another cluster answers there, or a proxy that drops the certificate: the API server of certctl's own \
             context accepts it"
                .to_owned(),
            name_it,
        ),
        Fault::Unauthorized => (
            "the API server does not accept what its own signer signs: its client CA (`--client-ca-file`) is another \
             than the signer's"
                .to_owned(),
            "give kube-controller-manager the CA that the API server trusts (`--cluster-signing-cert-file`), or name \
             the right signer with `signerName:` in the roster",
        ),
        Fault::NoKubernetes => ("what answers there is no Kubernetes API server".to_owned(), name_it),
    };
    Error::new(format!(
        "a new certificate does not work at {server}: {fact}; nothing that was issued was recorded or bound"
    ))
    .hint(hint)
}
