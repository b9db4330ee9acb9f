//! A sandbox: the in-memory API behind its server, on its own thread, from start to drop.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::api::{Api, Setup, beginning};
use crate::authority::{Authority, CannotSign, Pair, pem};
use crate::backend::{Abort, Backend, Body};
use crate::clock::Clock;
use crate::controllers;
use crate::faults::{Faults, Faulty};
use crate::resource::Resource;
use crate::server::{Gate, Identity, serve};
use crate::signer::SignerOptions;
use crate::store::{Image, Store};
use crate::upstream::Upstream;
use crate::user::User;

/// The Kubernetes version whose behaviour the sandbox reproduces.
pub const VERSION: &str = "v1.37.2";

/// The user that the admin kubeconfig is for.
const ADMIN: &str = "sandbox-admin";

/// The options of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// A port on 127.0.0.1; any free one if not set.
    pub port: Option<u16>,
    /// The name of the context, the cluster and the user in the kubeconfigs.
    pub context: String,
    /// The options of the signer.
    pub signer: SignerOptions,
    /// The snapshot of an earlier sandbox to start from: its objects, its authorities.
    pub state: Option<State>,
    /// The clock that certificates and objects are dated by.
    pub clock: Clock,
    /// The clock of the `Date` in each response. A test that moves the other one into the future leaves this one alone,
    /// as whoever asks compares it with the clock of the machine.
    pub date: Clock,
    /// Whether an audit log is kept.
    pub audit: bool,
    /// The response of `/version`.
    pub version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            context: "sandbox".to_owned(),
            signer: SignerOptions::default(),
            state: None,
            clock: Clock::default(),
            date: Clock::default(),
            audit: true,
            version: VERSION.to_owned(),
        }
    }
}

/// Why a sandbox did not start, or could not sign.
#[derive(Debug)]
pub struct Error {
    what: String,
    cause: String,
}

impl Error {
    fn new(what: impl Into<String>, cause: &dyn fmt::Display) -> Self {
        Self { what: what.into(), cause: cause.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

impl std::error::Error for Error {}

impl From<CannotSign> for Error {
    fn from(error: CannotSign) -> Self {
        Self::new("the sandbox has no certificate", &error)
    }
}

/// The whole state of a sandbox at one moment. Clones are cheap.
#[derive(Clone)]
pub struct State {
    authorities: Arc<Authorities>,
    image: Image,
}

impl State {
    /// The same with another authority of client certificates: those that the old one issued are dead, and so is what
    /// the signer issues until [`Self::with_signer_that_followed`].
    ///
    /// # Errors
    /// There is no randomness.
    pub fn with_another_client_authority(self, now: Timestamp) -> Result<Self, Error> {
        let Authorities { serving, client: _, signing, server, admin: _ } = &*self.authorities;
        let client = client_authority(now)?;
        let admin = client.issue_client(ADMIN, &["system:masters"], now)?;
        let (serving, signing, server) = (Arc::clone(serving), Arc::clone(signing), Arc::clone(server));
        Ok(Self { authorities: Arc::new(Authorities { serving, client, signing, server, admin }), ..self })
    }

    /// The same with a signer that uses the authority of client certificates.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn with_signer_that_followed(self, now: Timestamp) -> Result<Self, Error> {
        let Authorities { serving, client, signing: _, server, admin: _ } = &*self.authorities;
        let admin = client.issue_client(ADMIN, &["system:masters"], now)?;
        let (serving, client, server) = (Arc::clone(serving), Arc::clone(client), Arc::clone(server));
        let signing = Arc::clone(&client);
        Ok(Self { authorities: Arc::new(Authorities { serving, client, signing, server, admin }), ..self })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("revision", &self.image.revision()).finish_non_exhaustive()
    }
}

/// Two authorities: kubeconfigs contain the server's, which issues no client certificates.
struct Authorities {
    serving: Arc<Authority>,
    /// That of client certificates.
    client: Arc<Authority>,
    /// The signer's: the same, but where a cluster was given another one.
    signing: Arc<Authority>,
    server: Arc<Pair>,
    admin: Pair,
}

fn client_authority(now: Timestamp) -> Result<Arc<Authority>, CannotSign> {
    Authority::new("sandbox client CA", now).map(Arc::new)
}

impl Authorities {
    fn new(clock: &Clock) -> Result<Self, CannotSign> {
        let now = clock.now();
        let serving = Arc::new(Authority::new("sandbox serving CA", now)?);
        let client = client_authority(now)?;
        let server = serving.issue_serving(now)?;
        let admin = client.issue_client(ADMIN, &["system:masters"], now)?;
        Ok(Self { serving, signing: Arc::clone(&client), client, server: Arc::new(server), admin })
    }
}

/// A running sandbox. It stops when dropped.
pub struct Sandbox {
    api: Api,
    faults: Faults,
    authorities: Arc<Authorities>,
    address: SocketAddr,
    context: String,
    contexts: Mutex<BTreeSet<String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox. It is ready when this returns; the caller needs no runtime.
    ///
    /// # Errors
    /// The port is taken, or there is no randomness.
    pub fn start(options: Options) -> Result<Self, Error> {
        Self::launch(options, None)
    }

    /// As [`Self::start`]; with an upstream, requests are passed on to it.
    pub(crate) fn launch(options: Options, upstream: Option<Upstream>) -> Result<Self, Error> {
        let Options { port, context, signer, state, clock, date, audit, version } = options;
        let (authorities, store) = match state {
            Some(State { authorities, image }) => (authorities, Store::from(image)),
            None => (Arc::new(Authorities::new(&clock)?), beginning(clock.now())),
        };
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let listener = listen(wanted)
            .map_err(|error| Error::new(format!("the sandbox cannot listen at {wanted}"), &error))?;
        let address =
            listener.local_addr().map_err(|error| Error::new("the sandbox has no address", &error))?;
        let mut identity = identity(&authorities);
        if upstream.as_ref().is_some_and(Upstream::is_for_anyone) {
            identity.client_authority = None;
        }
        let gate = Gate::new(identity, clock.clone(), date)
            .map_err(|error| Error::new("the sandbox has no TLS", &error))?;
        let api = Api::new(Setup { store, clock, version, server: address.to_string(), audit });
        let faults = Faults::default();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let life = Life {
            listener,
            gate,
            backend: Arc::new(Faulty::new(
                upstream.map_or_else(|| Source::Here(api.clone()), Source::There),
                faults.clone(),
            )),
            api: api.clone(),
            signer,
            authority: Arc::clone(&authorities.signing),
            client_authority: authorities.client.certificate_pem(),
        };
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || life.live(stopped, &ready))
            .map_err(|error| Error::new("the sandbox has no thread", &error))?;
        match started.recv() {
            Ok(None) => {}
            Ok(Some(error)) => return Err(Error::new("the sandbox has no threads", &error)),
            Err(error) => return Err(Error::new("the sandbox did not start", &error)),
        }
        Ok(Self {
            api,
            faults,
            authorities,
            address,
            contexts: Mutex::new(BTreeSet::from([context.clone()])),
            context,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The URL of the API server.
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority that issued the server's certificate, PEM. It has issued no client
    /// certificate.
    pub fn serving_ca_pem(&self) -> String {
        self.authorities.serving.certificate_pem()
    }

    /// The administrator's kubeconfig, with every context that was added.
    pub fn kubeconfig(&self) -> String {
        self.render(&self.authorities.admin)
    }

    /// Adds a context with this name, for the same cluster and user, to the kubeconfigs created from now on.
    pub fn add_context(&self, name: &str) {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// A kubeconfig for any identity, with a certificate that no signer checked. The identity has
    /// only the rights that RBAC gives it.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn client_kubeconfig(&self, user: &str, groups: &[&str]) -> Result<String, Error> {
        let now = self.api.clock().now();
        Ok(self.render(&self.authorities.client.issue_client(user, groups, now)?))
    }

    /// A client certificate for a public key (DER SubjectPublicKeyInfo), PEM: what the signer would
    /// issue, or, for a test, should not have issued.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn sign_client(&self, public_key: &[u8], user: &str, groups: &[&str]) -> Result<String, Error> {
        let now = self.api.clock().now();
        Ok(pem("CERTIFICATE", &self.authorities.client.sign_client(public_key, user, groups, now)?))
    }

    /// A snapshot of the current state. A sandbox started from it has the same objects, UIDs, resource versions and
    /// authorities, on another port.
    pub fn state(&self) -> State {
        State { authorities: Arc::clone(&self.authorities), image: self.api.store().image() }
    }

    /// The faults to inject.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The current end of the audit log, for [`Self::audit_events_since`].
    pub fn audit_position(&self) -> u64 {
        self.api.audit().map_or(0, |audit| audit.position())
    }

    /// Every event of the audit log, oldest first; none without [`Options::audit`].
    pub fn audit_events(&self) -> Vec<Value> {
        self.audit_events_since(0)
    }

    /// The events in the audit log after a position.
    pub fn audit_events_since(&self, position: u64) -> Vec<Value> {
        self.api.audit().map(|audit| audit.since(position)).unwrap_or_default()
    }

    /// One object, bypassing every check. `group` is empty for the core, `namespace` for cluster-scoped kinds.
    pub fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = Resource::find(group, plural).filter(|resource| resource.is_kept())?.kind;
        self.api.store().lock().get(kind, namespace, name).map(|object| Value::clone(object))
    }

    /// All objects of a kind, bypassing every check.
    pub fn list(&self, group: &str, plural: &str) -> Vec<Value> {
        let resource = Resource::find(group, plural).filter(|resource| resource.is_kept());
        let Some(resource) = resource else { return Vec::new() };
        let objects = Arc::clone(self.api.store().lock().objects(resource.kind));
        objects.values().map(|object| Value::clone(object)).collect()
    }

    /// Writes an object, bypassing every check except its type; replaces one with that name.
    ///
    /// # Errors
    /// A kind that the sandbox does not have, or an object that is not of its kind.
    pub fn put(&self, object: Value) -> Result<Value, Error> {
        self.api.put(object).map_err(|status| Error::new("the object was not written", &status))
    }

    /// Removes an object, bypassing every check; `false` if it does not exist.
    pub fn remove(&self, group: &str, plural: &str, namespace: &str, name: &str) -> bool {
        let kind = Resource::find(group, plural).filter(|resource| resource.is_kept()).map(|r| r.kind);
        let key = (namespace.to_owned(), name.to_owned());
        kind.is_some_and(|kind| self.api.store().lock().remove(kind, &key).is_some())
    }

    /// Drops the history of watches and paged lists: those that are open end with 410, as after
    /// a compaction of etcd.
    pub fn compact(&self) {
        self.api.store().lock().compact();
    }

    fn render(&self, pair: &Pair) -> String {
        let contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        kubeconfig(&self.server(), &self.serving_ca_pem(), &self.context, &contexts, pair)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have stopped already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Where the responses come from.
enum Source {
    Here(Api),
    There(Upstream),
}

impl Backend for Source {
    async fn handle(&self, user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        match self {
            Self::Here(api) => api.handle(user, request).await,
            Self::There(upstream) => upstream.handle(user, request).await,
        }
    }
}

/// What a sandbox's thread owns. The runtime is created and dropped there, because the code that starts or
/// drops a sandbox may run inside another runtime.
struct Life {
    listener: std::net::TcpListener,
    gate: Gate,
    backend: Arc<Faulty<Source>>,
    api: Api,
    signer: SignerOptions,
    /// The signer's.
    authority: Arc<Authority>,
    /// That of client certificates, PEM.
    client_authority: String,
}

impl Life {
    /// Reports that it is ready, or why it is not, and runs everything until it is stopped; then every
    /// connection is dropped with the runtime.
    fn live(self, stopped: oneshot::Receiver<()>, ready: &mpsc::Sender<Option<io::Error>>) {
        let Self { listener, gate, backend, api, signer, authority, client_authority } = self;
        let run = || {
            let runtime =
                Builder::new_multi_thread().worker_threads(2).thread_name("sandbox").enable_all().build()?;
            let inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            drop(inside);
            Ok((runtime, listener))
        };
        let (runtime, listener) = match run() {
            Ok(running) => running,
            Err(error) => {
                // The code that started it waits for this.
                let _ = ready.send(Some(error));
                return;
            }
        };
        runtime.block_on(async {
            tokio::spawn(serve(listener, gate, backend));
            let (cleaned, publishing) = (api.clone(), api.clone());
            controllers::publish_once(&api, &client_authority);
            tokio::spawn(keep(PAUSE, move || {
                controllers::sign(api.clone(), signer.clone(), Arc::clone(&authority))
            }));
            tokio::spawn(keep(PAUSE, move || controllers::clean(cleaned.clone())));
            tokio::spawn(keep(PAUSE, move || {
                controllers::publish(publishing.clone(), client_authority.clone())
            }));
            let _ = ready.send(None);
            // An error means that the sender was dropped, and the sandbox with it.
            let _ = stopped.await;
        });
    }
}

/// How long after a panic a controller restarts.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a controller forever. One that panics, which is printed to standard error, restarts: it
/// then processes everything, so that nothing is missed.
async fn keep<F>(pause: Duration, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while tokio::spawn(begin()).await.is_err_and(|error| error.is_panic()) {
        tokio::time::sleep(pause).await;
    }
}

fn identity(authorities: &Authorities) -> Identity {
    let der = |bytes: &[u8]| CertificateDer::from(bytes.to_vec());
    Identity {
        chain: vec![der(&authorities.server.certificate)],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(authorities.server.key.to_vec())),
        client_authority: Some(der(authorities.client.certificate())),
    }
}

fn kubeconfig(server: &str, ca: &str, name: &str, contexts: &BTreeSet<String>, user: &Pair) -> String {
    let name = Value::from(name);
    let listed: String = contexts
        .iter()
        .map(|context| {
            format!(
                "- name: {}\n  context:\n    cluster: {name}\n    user: {name}\n",
                Value::from(context.as_str())
            )
        })
        .collect();
    let certificate = STANDARD.encode(pem("CERTIFICATE", &user.certificate));
    let key = Zeroizing::new(STANDARD.encode(Zeroizing::new(pem("PRIVATE KEY", &user.key))));
    let (ca, key) = (STANDARD.encode(ca), key.as_str());
    format!(
        "\
apiVersion: v1
kind: Config
current-context: {name}
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {ca}
contexts:
{listed}users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_controller_that_panics_restarts() {
        let begun = Arc::new(AtomicUsize::new(0));
        keep(Duration::ZERO, || {
            let begun = Arc::clone(&begun);
            async move { assert_ne!(begun.fetch_add(1, Ordering::Relaxed), 0, "the first time is the last") }
        })
        .await;
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
}
