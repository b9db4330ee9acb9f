//! Accepts TLS connections, and passes requests with an authenticated sender to a [`Backend`].
//!
//! A client certificate is requested, not required. A client that presents one proves in the handshake
//! that it has the key; whether the certificate is valid is checked again at each request, by the clock,
//! and an invalid one gets a 401 instead of a failed handshake, as on the real API server. HTTP/1.1
//! only, so that one exchange can be cut without affecting another.
//!
//! It limits what a hostile client can use: connections, time for the handshake, for a head or a body,
//! and the size of both. A panic ends only the request that caused it, with a 500.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use http::header::{AUTHORIZATION, DATE, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::backend::{Abort, Backend, Body};
use crate::clock::Clock;
use crate::status::Status;
use crate::user::User;

/// The largest body of a request, in bytes (`MaxRequestBodyBytes` in k8s.io/apiserver pkg/server/config.go).
pub const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// The largest head of a request, in bytes; the real one takes a megabyte.
const HEAD_LIMIT: usize = 256 * 1024;
const CONNECTIONS: usize = 1024;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Also applies between requests, so it is longer than the 90 s for which clients keep a connection idle.
const HEAD_TIME: Duration = Duration::from_secs(100);
const BODY_TIME: Duration = Duration::from_secs(60);
/// The pause after a failure to accept, such as no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The server's own certificate, and the authority of the client certificates it accepts.
pub struct Identity {
    /// The serving certificate, and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The serving certificate's key.
    pub key: PrivateKeyDer<'static>,
    /// The authority of client certificates; different from that of the serving certificate. Without one, no client
    /// is asked for a certificate, and everyone is anonymous.
    pub client_authority: Option<CertificateDer<'static>>,
}

/// Why a server cannot be set up.
#[derive(Debug)]
pub struct SetupError(String);

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetupError {}

/// The TLS side of a server.
#[derive(Clone)]
pub struct Gate {
    acceptor: TlsAcceptor,
    /// `None` where no client is asked for a certificate.
    judge: Option<Arc<dyn ClientCertVerifier>>,
    /// By which certificates are valid.
    clock: Clock,
    /// Of the `Date` in each response.
    date: Clock,
}

impl Gate {
    /// Prepares TLS.
    ///
    /// # Errors
    /// Certificates or a key that cannot be used.
    pub fn new(identity: Identity, clock: Clock, date: Clock) -> Result<Self, SetupError> {
        let failed = |error: &dyn fmt::Display| SetupError(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge = match identity.client_authority {
            Some(authority) => Some(judge(authority, &provider).map_err(|error| failed(&*error))?),
            None => None,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?;
        let builder = match &judge {
            Some(judge) => {
                let hints = judge.root_hint_subjects().to_vec();
                builder.with_client_cert_verifier(Arc::new(Witness { provider, hints }))
            }
            None => builder.with_no_client_auth(),
        };
        let config =
            builder.with_single_cert(identity.chain, identity.key).map_err(|error| failed(&error))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), judge, clock, date })
    }

    /// The user at the other end, if their certificate is valid now.
    fn authenticate(&self, peer: &Peer) -> Option<User> {
        let (leaf, between) = peer.chain.split_first()?;
        let second = self.clock.now().as_second();
        // The result holds within the same second: both validity times are whole seconds.
        if peer.counted_at.load(Ordering::Relaxed) != second {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(second).ok()?));
            self.judge.as_ref()?.verify_client_cert(leaf, between, now).ok()?;
            peer.counted_at.store(second, Ordering::Relaxed);
        }
        peer.user.get_or_init(|| User::from_certificate(leaf)).clone()
    }
}

/// What decides whether a client certificate is valid.
fn judge(
    authority: CertificateDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?)
}

/// The client certificates of a connection, and the cached result of verifying them.
struct Peer {
    chain: Vec<CertificateDer<'static>>,
    user: OnceLock<Option<User>>,
    /// The second in which they were last valid.
    counted_at: AtomicI64,
}

/// Accepts connections until it is dropped.
pub async fn serve<B: Backend>(listener: TcpListener, gate: Gate, backend: Arc<B>) -> Infallible {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (gate, backend) = (gate.clone(), Arc::clone(&backend));
        tokio::spawn(async move {
            converse(stream, gate, backend).await;
            drop(slot);
        });
    }
}

/// Serves one connection to its end. Errors on it are for the client to see.
async fn converse<B: Backend>(stream: TcpStream, gate: Gate, backend: Arc<B>) {
    // Small responses should not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE_LIMIT, gate.acceptor.accept(stream)).await else {
        return;
    };
    let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = Arc::new(Peer {
        chain: presented.iter().cloned().map(CertificateDer::into_owned).collect(),
        user: OnceLock::new(),
        counted_at: AtomicI64::new(i64::MIN),
    });
    let service = service_fn(|request| {
        let (gate, backend, peer) = (gate.clone(), Arc::clone(&backend), Arc::clone(&peer));
        async move { recovered(dated(request, &peer, &gate, &*backend)).await }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A response with the `Date` that the clock says, which a test may have moved.
async fn dated<B: Backend>(
    request: Request<Incoming>,
    peer: &Peer,
    gate: &Gate,
    backend: &B,
) -> Result<Response<Body>, Abort> {
    let mut answer = answer(request, peer, gate, backend).await?;
    let date = gate.date.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        answer.headers_mut().insert(DATE, date);
    }
    Ok(answer)
}

/// A response; a 500 after a panic. The panic message goes to standard
/// error. The real server recovers as well (k8s.io/apiserver pkg/server/filters/wrap.go).
async fn recovered(
    answer: impl Future<Output = Result<Response<Body>, Abort>>,
) -> Result<Response<Body>, Abort> {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            let why = "this request made the sandbox panic; standard error says where";
            Poll::Ready(Ok(Status::internal(why).into_response()))
        })
    })
    .await
}

async fn answer<B: Backend>(
    request: Request<Incoming>,
    peer: &Peer,
    gate: &Gate,
    backend: &B,
) -> Result<Response<Body>, Abort> {
    let user = if peer.chain.is_empty() {
        // There are no tokens here, so none is valid.
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let presented = token
            .is_some_and(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")));
        (!presented).then(User::anonymous)
    } else {
        gate.authenticate(peer)
    };
    let Some(user) = user else {
        return Ok(Status::unauthorized().into_response());
    };
    let (head, body) = request.into_parts();
    let body = match timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Ok(Status::too_large(BODY_LIMIT).into_response());
        }
        Ok(Err(_)) | Err(_) => return Err(Abort),
    };
    backend.handle(user, Request::from_parts(head, body)).await
}

/// Accepts any certificate if the client proves that it has the key. It does not decide who the client
/// is: that is checked at each request.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    hints: Vec<DistinguishedName>,
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
