//! One context of a kubeconfig, as a client that can make calls.
//!
//! What the context means is read in `context`; here it becomes a client, and its credential plugin is run.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::Client;
use kube::client::{AuthError, ClientBuilder};
use kube::config::{AuthInfo, Cluster};
use tokio::sync::Semaphore;
use tower::util::MapResponseLayer;

use super::context::{Context, Whose};
use super::kubeconfig_entries::{KubeconfigEntries, Led};
use super::limits::LineLimit;
use crate::error::{Error, Result};
use crate::model::route::Route;
use crate::pki::PrivateKey;
use crate::plan::endpoint::Endpoint;
use crate::plan::observed::Clocks;

/// How long a connection may take to come about, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How much of a credential plugin's complaint an error quotes, in characters.
const QUOTED: usize = 500;

/// A client for a cluster, authenticated as a context's user.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    context: String,
    server: String,
    certificate_authority: Option<Vec<u8>>,
    insecure: bool,
    limit: Duration,
    large_answers: Arc<Semaphore>,
    clocks: Arc<Mutex<Option<Clocks>>>,
}

impl Connection {
    /// Reads the kubeconfig and prepares the connection; credential plugins run, but no cluster is
    /// asked yet. Must be called inside a tokio runtime, which then carries the connection. No single
    /// call takes longer than `limit`, its answer included.
    ///
    /// # Errors
    /// No kubeconfig, one that cannot be read, no such context, certificates or keys that cannot be
    /// loaded, a credential plugin that fails.
    pub async fn open(kubeconfig: Option<&Path>, context: &str, limit: Duration) -> Result<Self> {
        Self::through(Context::find(kubeconfig, context, Whose::Administrators)?, context, limit).await
    }

    /// As [`Connection::open`], and a person's own access does as well.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn open_as_anybody(kubeconfig: Option<&Path>, context: &str, limit: Duration) -> Result<Self> {
        Self::through(Context::find(kubeconfig, context, Whose::Anybodys)?, context, limit).await
    }

    /// As [`Connection::open`], with the text of a kubeconfig that was checked already.
    ///
    /// # Errors
    /// As [`Connection::open`]; the text is never repeated.
    pub async fn from_kubeconfig(text: &str, context: &str, limit: Duration) -> Result<Self> {
        let entries = KubeconfigEntries::parse(text.as_bytes(), None).map_err(|why| {
            Error::new(format!("the kubeconfig of `{context}` cannot be read; nothing was changed"))
                .caused_by(why)
        })?;
        Self::through(Context::of(entries.lead(context)?, context)?, context, limit).await
    }

    /// As a person connects who has this certificate and key, and with nothing else.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(super) async fn of_person(
        endpoint: &Endpoint,
        route: &Route,
        certificate: &str,
        key: &PrivateKey,
        limit: Duration,
    ) -> Result<Self> {
        let user = AuthInfo {
            client_certificate_data: Some(BASE64.encode(certificate)),
            client_key_data: Some(BASE64.encode(&*key.to_pem()).into()),
            ..AuthInfo::default()
        };
        Self::to(endpoint, route, user, limit).await
    }

    /// As a stranger connects.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(super) async fn without_credentials(
        endpoint: &Endpoint,
        route: &Route,
        limit: Duration,
    ) -> Result<Self> {
        Self::to(endpoint, route, AuthInfo::default(), limit).await
    }

    async fn to(endpoint: &Endpoint, route: &Route, user: AuthInfo, limit: Duration) -> Result<Self> {
        const NAME: &str = "kubeconfigs";
        let cluster = Cluster {
            server: Some(endpoint.server.clone()),
            proxy_url: route.proxy.as_ref().map(ToString::to_string),
            tls_server_name: route.tls_server_name.as_ref().map(ToString::to_string),
            certificate_authority_data: endpoint.authority.bundle().map(|bundle| BASE64.encode(bundle.pem())),
            ..Cluster::default()
        };
        Self::through(Context::of(Led { cluster, user }, NAME)?, NAME, limit).await
    }

    async fn through(found: Context, context: &str, limit: Duration) -> Result<Self> {
        let Context { mut config, server, certificate_authority } = found;
        let insecure = config.accept_invalid_certs;
        let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        config.connect_timeout = Some(CONNECT_LIMIT.min(limit));
        // A credential plugin is a program that is waited for, perhaps while a person signs in.
        let built = tokio::task::spawn_blocking(move || {
            let lines = MapResponseLayer::new(|response: http::Response<_>| response.map(LineLimit::new));
            ClientBuilder::try_from(config).map(|builder| builder.with_layer(&lines).build())
        })
        .await
        .map_err(|error| {
            Error::new(format!("{context}: the connection could not be prepared; nothing was changed"))
                .caused_by(error)
        })?;
        Ok(Self {
            client: built.map_err(|error| unbuildable(context, plugin.as_deref(), &error))?,
            context: context.to_owned(),
            server,
            certificate_authority,
            insecure,
            limit,
            large_answers: Arc::new(Semaphore::new(1)),
            clocks: Arc::default(),
        })
    }

    /// The name of the context.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The API server's URL, as in the kubeconfig.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The PEM certificates that the API server's own is verified with; `None` leaves it to the
    /// system's.
    pub fn certificate_authority(&self) -> Option<&[u8]> {
        self.certificate_authority.as_deref()
    }

    /// Whether the kubeconfig sets `insecure-skip-tls-verify`.
    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// The API server's clock beside that of this machine, from the answers that came so far: where they are
    /// closest, the answer waited least. It is the real clock here, not one that is set for a test.
    pub fn clocks(&self) -> Option<Clocks> {
        *self.clocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes the `Date` of an answer.
    pub(super) fn note_date(&self, headers: &http::HeaderMap) {
        let date = headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let Some(server) = date.and_then(|date| rfc2822::parse(date).ok()) else { return };
        let now = Clocks { server: server.timestamp(), ours: Timestamp::now() };
        let mut clocks = self.clocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if clocks.is_none_or(|known| now.apart() < known.apart()) {
            *clocks = Some(now);
        }
    }

    /// How long a call may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whose turn it is to read a large answer.
    pub(super) fn large_answers(&self) -> &Semaphore {
        &self.large_answers
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

fn unbuildable(context: &str, plugin: Option<&str>, error: &kube::Error) -> Error {
    let plugin = plugin.unwrap_or_default();
    let (fact, cause, hint) = match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => (
            "the credential plugin failed",
            // Only what it wrote for people: its arguments, environment and standard output may
            // hold secrets.
            format!("`{plugin}` ended with {}: {}", out.status, excerpt(&out.stderr)),
            "run it by hand, sign in where it asks for that, and try again".to_owned(),
        ),
        kube::Error::Auth(AuthError::AuthExecStart(io)) => (
            "the credential plugin could not be started",
            format!("`{plugin}`: {io}"),
            "install that program, which `users[].user.exec.command` of the kubeconfig names".to_owned(),
        ),
        kube::Error::Auth(AuthError::AuthExecParse(_)) => (
            "the credential plugin's answer is not an ExecCredential",
            // The parser quotes its input, which may contain a token.
            String::new(),
            "check `users[].user.exec` of the kubeconfig".to_owned(),
        ),
        kube::Error::Auth(error) => (
            "the credentials cannot be used",
            error.to_string(),
            format!("`kubectl --context {context} auth whoami` uses the same credentials"),
        ),
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => (
            "the proxy cannot be used",
            error.to_string(),
            "check `proxy-url` of that context's cluster, and HTTPS_PROXY".to_owned(),
        ),
        error => {
            let (cause, hint) = unusable_identity(match error {
                kube::Error::InferKubeconfig(error) => error.to_string(),
                error => super::error::root(error),
            });
            ("its certificates or key cannot be used", cause, hint.to_owned())
        }
    };
    let failed = Error::new(format!("context `{context}`: {fact}; nothing was changed")).hint(hint);
    if cause.is_empty() { failed } else { failed.caused_by(cause) }
}

/// What is wrong with a client certificate or key, by what kube and rustls say of it, and what to do.
fn unusable_identity(said: String) -> (String, &'static str) {
    if said.contains("KeyMismatch") {
        (
            "the client key does not belong to the client certificate".to_owned(),
            "`openssl x509 -in CERTIFICATE -noout -pubkey` and `openssl pkey -in KEY -pubout` print the same if they belong together",
        )
    } else if said.contains("missing a private key") {
        (
            "there is no client key, or it has a passphrase, and nobody is asked for it here".to_owned(),
            "`openssl pkey -in KEY -out FILE` writes it without one",
        )
    } else {
        (said, "`kubectl config view` shows which files the kubeconfig names")
    }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn refused(user: &str) -> String {
        let text = format!(
            "clusters: [{{name: one, cluster: {{server: 'https://one:6443'}}}}]\nusers: [{{name: ann, user: {{{user}}}}}]\n\
             contexts: [{{name: prod, context: {{cluster: one, user: ann}}}}]\n"
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = runtime.block_on(Connection::from_kubeconfig(&text, "prod", Duration::from_secs(1)));
        opened.err().map_or_else(|| "it was opened".to_owned(), |error| error.render(false))
    }

    #[test]
    fn a_client_certificate_or_key_that_cannot_be_used_is_refused_by_its_fault() {
        let (key, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let params = CertificateParams::new(vec!["admin".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("signed");
        let encrypted = key.serialize_pem().replace("PRIVATE", "ENCRYPTED PRIVATE");
        let (pem, key) = (certificate.pem(), key.serialize_pem());
        let data = |certificate: &[u8], key: &str| {
            format!(
                "client-certificate-data: {}, client-key-data: {}",
                BASE64.encode(certificate),
                BASE64.encode(key)
            )
        };
        for (user, why) in [
            (
                data(pem.as_bytes(), &other.serialize_pem()),
                "the client key does not belong to the client certificate",
            ),
            (data(pem.as_bytes(), &encrypted), "or it has a passphrase"),
            (data(certificate.der(), &key), "missing certificate"),
            (format!("client-certificate-data: {}", BASE64.encode(&pem)), "failed to load client key"),
            (format!("client-key-data: {}", BASE64.encode(&key)), "failed to load client certificate"),
            ("client-certificate-data: '%', client-key-data: '%'".to_owned(), "failed to decode base64"),
        ] {
            let said = refused(&user);
            assert!(said.contains(why) && said.contains("nothing was changed"), "{why}: {said}");
            assert!(!said.contains(&BASE64.encode(&key)), "{said}");
        }
    }
}
