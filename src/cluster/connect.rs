//! One context of a kubeconfig, as something that calls can be made through.
//!
//! It reads what kubectl reads: `--kubeconfig`, else the files of `KUBECONFIG` merged, else
//! `~/.kube/config`. It refuses to fall back on another context than the one it was told, and on
//! a pod's service account: which cluster is changed is never a guess.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use kube::client::{AuthError, ClientBuilder};
use kube::config::{Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::proxy;
use crate::error::{Error, Result};

/// How long a connection may take to come about, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How many contexts an error lists.
const LISTED: usize = 10;

/// How much of a credential plugin's complaint an error quotes, in characters.
const QUOTED: usize = 500;

/// A cluster that can be asked, as the user that a context names.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    context: String,
    server: String,
    certificate_authority: Option<Vec<u8>>,
    insecure: bool,
    limit: Duration,
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
        Self::through(read(kubeconfig)?, context, limit).await
    }

    /// As [`Connection::open`], with the text of a kubeconfig that was checked already.
    ///
    /// # Errors
    /// As [`Connection::open`]; the text is never repeated.
    pub async fn from_kubeconfig(text: &str, context: &str, limit: Duration) -> Result<Self> {
        let kubeconfig = Kubeconfig::from_yaml(text).map_err(|_| {
            Error::new(format!("the kubeconfig of `{context}` cannot be read; nothing was changed"))
        })?;
        Self::through(kubeconfig, context, limit).await
    }

    async fn through(kubeconfig: Kubeconfig, context: &str, limit: Duration) -> Result<Self> {
        let cluster = cluster_of(&kubeconfig, context)?;
        let certificate_authority = certificate_authority(&cluster, context)?;
        let server = cluster.server.clone().unwrap_or_default();
        let insecure = cluster.insecure_skip_tls_verify.unwrap_or(false);
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| unusable(context, &error))?;
        if cluster.proxy_url.is_none_or(|url| url.is_empty()) {
            proxy::honour_no_proxy(&mut config);
        }
        let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        config.connect_timeout = Some(CONNECT_LIMIT.min(limit));
        // Each call has its own limit, which a watch must not have; retries are decided by `retry`.
        config.read_timeout = None;
        config.default_retry = false;
        // A credential plugin is a program that is waited for, perhaps while a person signs in.
        let built =
            tokio::task::spawn_blocking(move || ClientBuilder::try_from(config).map(ClientBuilder::build))
                .await
                .map_err(|error| {
                    Error::new(format!(
                        "{context}: the connection could not be prepared; nothing was changed"
                    ))
                    .caused_by(error)
                })?;
        Ok(Self {
            client: built.map_err(|error| unbuildable(context, plugin.as_deref(), &error))?,
            context: context.to_owned(),
            server,
            certificate_authority,
            insecure,
            limit,
        })
    }

    /// The name of the context.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Where the API server is, as the kubeconfig says it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The PEM certificates that the API server's own is verified with; `None` leaves it to the
    /// system's.
    pub fn certificate_authority(&self) -> Option<&[u8]> {
        self.certificate_authority.as_deref()
    }

    /// Whether the kubeconfig says `insecure-skip-tls-verify`.
    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// How long a call may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

/// The kubeconfig, merged from several where `KUBECONFIG` lists several. As with kubectl, a listed
/// file that does not exist is passed over.
fn read(named: Option<&Path>) -> Result<Kubeconfig> {
    if let Some(path) = named {
        return Kubeconfig::read_from(path).map_err(|error| unreadable(path, &error));
    }
    let listed: Vec<PathBuf> =
        std::env::var_os("KUBECONFIG").map(|list| std::env::split_paths(&list).collect()).unwrap_or_default();
    let listed: Vec<PathBuf> = listed.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
    let from_environment = !listed.is_empty();
    let paths = if from_environment {
        listed
    } else {
        std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect()
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in &paths {
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == std::io::ErrorKind::NotFound => {
                continue;
            }
            Err(error) => return Err(unreadable(path, &error)),
        };
        merged = Some(match merged {
            None => next,
            Some(merged) => merged.merge(next).map_err(|error| unreadable(path, &error))?,
        });
    }
    merged.ok_or_else(|| {
        let listed = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let fact = if from_environment {
            format!("KUBECONFIG names {listed}, which does not exist")
        } else {
            format!("KUBECONFIG is not set and {listed} does not exist")
        };
        Error::new(format!("no kubeconfig: {fact}; nothing was changed"))
            .hint("name one with `--kubeconfig FILE`, or set KUBECONFIG")
    })
}

fn unreadable(path: &Path, error: &KubeconfigError) -> Error {
    let cause = match error {
        // The parser's own message quotes the lines around, and a kubeconfig's lines hold secrets.
        KubeconfigError::Parse(error) => error.location().map_or_else(
            || "it is no YAML that a kubeconfig could be".to_owned(),
            |at| format!("line {}, column {}: not what a kubeconfig holds there", at.line(), at.column()),
        ),
        error => super::error::root(error),
    };
    Error::new(format!("the kubeconfig {} could not be read; nothing was changed", path.display()))
        .caused_by(cause)
        .hint("mend it, or name another with `--kubeconfig FILE`")
}

/// The cluster that a context names.
fn cluster_of(kubeconfig: &Kubeconfig, context: &str) -> Result<Cluster> {
    let named = kubeconfig.contexts.iter().find(|named| named.name == context);
    let Some(named) = named else {
        let mut names: Vec<&str> = kubeconfig.contexts.iter().map(|named| named.name.as_str()).collect();
        names.sort_unstable();
        let known = match names.len() {
            0 => "it has none".to_owned(),
            count if count > LISTED => {
                format!("it has {} and {} more", names[..LISTED].join(", "), count - LISTED)
            }
            _ => format!("it has {}", names.join(", ")),
        };
        return Err(Error::new(format!(
            "no context `{context}` in the kubeconfig: {known}; nothing was changed"
        ))
        .hint(
            "set `context:` of that cluster in the roster, or name another file with `--kubeconfig FILE`",
        ));
    };
    let name = named.context.as_ref().map(|context| context.cluster.as_str()).unwrap_or_default();
    kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == name)
        .and_then(|cluster| cluster.cluster.clone())
        .ok_or_else(|| {
            Error::new(format!(
                "context `{context}` names the cluster `{name}`, which the kubeconfig does not have; nothing was changed"
            ))
            .hint("`kubectl config get-contexts` shows what each context names")
        })
}

/// The certificate authority of a cluster, from the kubeconfig itself or the file that it names.
fn certificate_authority(cluster: &Cluster, context: &str) -> Result<Option<Vec<u8>>> {
    let failed = |why: String| {
        Error::new(format!(
            "{context}: the certificate-authority of the kubeconfig could not be read; nothing was changed"
        ))
        .caused_by(why)
    };
    if let Some(data) = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty()) {
        let data: String = data.split_ascii_whitespace().collect();
        return base64::engine::general_purpose::STANDARD
            .decode(data)
            .map(Some)
            .map_err(|error| failed(error.to_string()));
    }
    cluster
        .certificate_authority
        .as_deref()
        .filter(|path| !path.is_empty())
        .map(|path| std::fs::read(path).map_err(|error| failed(format!("{path}: {error}"))))
        .transpose()
}

fn unusable(context: &str, error: &KubeconfigError) -> Error {
    let hint = match error {
        KubeconfigError::MissingClusterUrl | KubeconfigError::ParseClusterUrl(_) => {
            "set `server` of that context's cluster: `kubectl config set-cluster NAME --server=https://HOST:6443`"
        }
        KubeconfigError::ParseProxyUrl(_) => "check `proxy-url` of that context's cluster, and HTTPS_PROXY",
        _ => "`kubectl config view` shows what the kubeconfig holds",
    };
    Error::new(format!("context `{context}` cannot be used; nothing was changed"))
        .caused_by(error.to_string())
        .hint(hint)
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
            "the credential plugin's answer is no ExecCredential",
            // The parser quotes what it read, and that may hold a token.
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
        error => (
            "its certificates or key cannot be used",
            match error {
                kube::Error::InferKubeconfig(error) => error.to_string(),
                error => super::error::root(error),
            },
            "`kubectl config view` shows which files the kubeconfig names".to_owned(),
        ),
    };
    let failed = Error::new(format!("context `{context}`: {fact}; nothing was changed")).hint(hint);
    if cause.is_empty() { failed } else { failed.caused_by(cause) }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters:
- name: one
  cluster: {server: 'https://one:6443', certificate-authority-data: 'aGVs bG8='}
contexts:
- name: prod
  context: {cluster: one, user: nobody}
- name: broken
  context: {cluster: two, user: nobody}
";

    fn kubeconfig(text: &str) -> Kubeconfig {
        Kubeconfig::from_yaml(text).expect("a kubeconfig")
    }

    #[test]
    fn the_context_decides_server_and_certificate_authority() {
        let cluster = cluster_of(&kubeconfig(KUBECONFIG), "prod").expect("a cluster");
        assert_eq!(cluster.server.as_deref(), Some("https://one:6443"));
        let ca = certificate_authority(&cluster, "prod").expect("readable");
        assert_eq!(ca.as_deref(), Some(b"hello".as_slice()));
    }

    #[test]
    fn a_context_that_is_not_there_is_told_with_those_that_are() {
        let error = cluster_of(&kubeconfig(KUBECONFIG), "staging").expect_err("no such context");
        assert_eq!(
            error.message(),
            "no context `staging` in the kubeconfig: it has broken, prod; nothing was changed"
        );
        let many: String =
            (10..25).map(|n| format!("- {{name: c{n}, context: {{cluster: one}}}}\n")).collect();
        let error = cluster_of(&kubeconfig(&format!("contexts:\n{many}")), "x").expect_err("no such context");
        assert!(error.message().contains("c18, c19 and 5 more"), "{error}");
        let error = cluster_of(&kubeconfig(KUBECONFIG), "broken").expect_err("no such cluster");
        assert!(error.message().contains("`two`"), "{error}");
    }

    #[test]
    fn a_kubeconfig_that_cannot_be_parsed_is_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        std::fs::write(&path, "users:\n- name: u\n  user: {token: sup3rs3cret, exec: 3}\n").expect("written");
        let text = read(Some(&path)).expect_err("no kubeconfig").render(false);
        assert!(text.contains("line 3, column") && !text.contains("sup3rs3cret"), "{text}");
    }

    #[test]
    fn a_file_that_is_missing_or_no_kubeconfig_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        for content in [None, Some("contexts: 3")] {
            if let Some(content) = content {
                std::fs::write(&path, content).expect("written");
            }
            let error = read(Some(&path)).expect_err("unreadable");
            assert!(error.message().contains(&path.display().to_string()), "{error}");
        }
    }
}
