//! What one context means: which server, through which proxy, verified with which CA, as which user.
//!
//! It reads what kubectl reads: `--kubeconfig`, else the files of `KUBECONFIG` merged, else
//! `~/.kube/config`; and without any of these, for the context `in-cluster`, the service account of the
//! pod. It refuses to fall back to a context other than the one it was given: which cluster is changed is
//! never a guess.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeconfigError};

use super::certificates;
use super::kubeconfig_entries::{KubeconfigEntries, LARGEST, Led};
use super::proxy::{self, ProxyVariables};
use super::service_account;
use crate::error::{Error, Result};
use crate::model::LOGIN_PREFIX;

/// The context that means the pod's own service account, if there is no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

/// What a context leads to.
pub(super) struct Context {
    /// For kube, without the parts that its callers decide: time limits.
    pub(super) config: Config,
    /// Where the API server is, as it is written.
    pub(super) server: String,
    /// The PEM certificates that the server's is verified with; `None` leaves it to the system's.
    pub(super) certificate_authority: Option<Vec<u8>>,
}

/// Whose access a context may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Not that of a person on a roster.
    Administrators,
    /// Whoever has the rights may do it.
    Anybodys,
}

impl Context {
    /// Finds a context where kubectl would look for it.
    ///
    /// # Errors
    /// No kubeconfig, one that cannot be read, no such context, and as [`Context::of`].
    pub(super) fn find(kubeconfig: Option<&Path>, name: &str, whose: Whose) -> Result<Self> {
        match read(kubeconfig) {
            Ok(entries) => {
                let led = entries.lead(name);
                let by_login = entries.user_of(name).is_some_and(|user| user.starts_with(LOGIN_PREFIX));
                let is_a_persons = by_login || led.as_ref().is_ok_and(|led| certificates::is_a_persons(&led.user));
                if is_a_persons && whose == Whose::Administrators {
                    return Err(not_an_administrators(name));
                }
                Self::of(led?, name)
            }
            Err(Unread::Missing(_)) if name == IN_CLUSTER => {
                Self::of(service_account::of_this_pod()?, name)
            }
            Err(Unread::Missing(error)) if service_account::is_pod() => {
                Err(error.hint(format!(
                    "in a pod, `context: {IN_CLUSTER}` of that cluster in the roster uses the pod's service account"
                )))
            }
            Err(Unread::Missing(error) | Unread::Broken(error)) => Err(error),
        }
    }

    /// What a context leads to, by its entries.
    ///
    /// # Errors
    /// The server, proxy or certificates cannot be used.
    pub(super) fn of(led: Led, name: &str) -> Result<Self> {
        let Led { cluster, mut user } = led;
        let certificate_authority = certificate_authority(&cluster, name)?;
        tell_plugin(&mut user, &cluster, name)?;
        certificates::check_client(&user, name)?;
        let server = cluster.server.unwrap_or_default();
        let mut config = Config::new(server.parse().map_err(|error: http::uri::InvalidUri| {
            let cause = if server.is_empty() { "it has no `server`".to_owned() } else { error.to_string() };
            unusable(
                name,
                &cause,
                "set `server` of that context's cluster: `kubectl config set-cluster NAME --server=https://HOST:6443`",
            )
        })?);
        config.root_cert = certificate_authority
            .as_deref()
            .map(|bundle| certificates::authorities(bundle, name))
            .transpose()?;
        config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
        config.disable_compression = cluster.disable_compression.unwrap_or(false);
        config.tls_server_name = cluster.tls_server_name.filter(|name| !name.is_empty());
        let refused = |cause: &str| {
            unusable(name, cause, "check `proxy-url` of that context's cluster, and HTTPS_PROXY")
        };
        config.proxy_url = match cluster.proxy_url.filter(|address| !address.is_empty()) {
            // The kubeconfig's proxy is used for every server, including this machine.
            Some(address) => Some(
                proxy::parse(&address).ok_or_else(|| refused("`proxy-url` is not the address of a proxy"))?,
            ),
            None => ProxyVariables::from_environment()
                .proxy_of(&config.cluster_url)
                .map_err(|cause| refused(&cause))?,
        };
        config.auth_info = user;
        Ok(Self { config, server, certificate_authority })
    }
}

/// A credential plugin that wants to know the cluster is told.
fn tell_plugin(user: &mut AuthInfo, cluster: &Cluster, context: &str) -> Result<()> {
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(cluster.try_into().map_err(|error: KubeconfigError| {
            unusable(context, &error.to_string(), "`kubectl config view` shows what the kubeconfig holds")
        })?);
    }
    Ok(())
}

fn unusable(context: &str, cause: &str, hint: &str) -> Error {
    Error::new(format!("context `{context}` cannot be used; nothing was changed"))
        .caused_by(cause.to_owned())
        .hint(hint)
}

/// The context that kubectl uses where none is named.
///
/// # Errors
/// No kubeconfig, one that cannot be read, or none that says so.
pub fn current(kubeconfig: Option<&Path>) -> Result<String> {
    let entries = read(kubeconfig).map_err(|(Unread::Missing(error) | Unread::Broken(error))| error)?;
    entries.current().map(str::to_owned).ok_or_else(|| {
        Error::new("the kubeconfig has no current context; nothing was changed")
            .hint("choose one with `kubectl config use-context NAME`, or name it with `--cluster NAME`")
    })
}

/// The kubeconfig, merged from several where `KUBECONFIG` lists several. As with kubectl, a listed
/// file that does not exist is passed over.
fn read(named: Option<&Path>) -> Result<KubeconfigEntries, Unread> {
    if let Some(path) = named {
        return Ok(read_file(path).map_err(|error| unreadable(path, error))?);
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
    let mut merged: Option<KubeconfigEntries> = None;
    for path in &paths {
        let next = match read_file(path) {
            Ok(next) => next,
            Err(FileError::Unread(error)) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Unread::Broken(unreadable(path, error))),
        };
        match &mut merged {
            None => merged = Some(next),
            Some(merged) => merged.merge(next),
        }
    }
    merged.ok_or_else(|| {
        Unread::Missing({
            let listed = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            let fact = if from_environment {
                format!("KUBECONFIG names {listed}, which does not exist")
            } else {
                format!("KUBECONFIG is not set and {listed} does not exist")
            };
            Error::new(format!("no kubeconfig: {fact}; nothing was changed"))
                .hint("name one with `--kubeconfig FILE`, or set KUBECONFIG")
        })
    })
}

/// Why one file of a kubeconfig was not read.
enum FileError {
    Unread(std::io::Error),
    NotOne(String),
}

fn read_file(path: &Path) -> Result<KubeconfigEntries, FileError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(FileError::Unread)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(FileError::Unread)?;
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::NotOne("it is larger than 8 MiB".to_owned()));
    }
    let folder = std::path::absolute(path).map_err(FileError::Unread)?;
    KubeconfigEntries::parse(&bytes, folder.parent()).map_err(FileError::NotOne)
}

/// Why there is no kubeconfig to look into.
enum Unread {
    /// There is none at all.
    Missing(Error),
    Broken(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

fn unreadable(path: &Path, error: FileError) -> Error {
    let error = match error {
        FileError::Unread(cause) => failed_to_read(path).caused_by(cause),
        FileError::NotOne(cause) => failed_to_read(path).caused_by(cause),
    };
    error.hint("fix it, or name another with `--kubeconfig FILE`")
}

fn failed_to_read(path: &Path) -> Error {
    Error::new(format!("the kubeconfig {} could not be read; nothing was changed", path.display()))
}

/// A person's own access, which would be used as if it were an administrator's: what `certctl login` wrote, or a
/// kubeconfig that certctl issued, decrypted and copied.
fn not_an_administrators(context: &str) -> Error {
    Error::new(format!(
        "context `{context}` is a person's own access, which certctl issued, not an administrator's; nothing was changed"
    ))
    .hint("name the administrator's context in the roster, with `context:` of that cluster: `kubectl config get-contexts` lists them")
    .hint("or name the administrator's kubeconfig: `--kubeconfig FILE`")
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

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
clusters: [{name: one, cluster: {server: 'https://one:6443', certificate-authority-data: 'aGVs bG8='}}]
contexts: [{name: prod, context: {cluster: one}}]
";

    fn led(text: &str) -> Led {
        KubeconfigEntries::parse(text.as_bytes(), None)
            .expect("a kubeconfig")
            .lead("prod")
            .expect("a context")
    }

    #[test]
    fn white_space_in_a_certificate_authority_is_no_part_of_it() {
        let ca = certificate_authority(&led(KUBECONFIG).cluster, "prod").expect("readable");
        assert_eq!(ca.as_deref(), Some(b"hello".as_slice()));
    }

    #[test]
    fn what_login_wrote_is_no_administrators_way_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let text = "clusters: [{name: one, cluster: {server: 'https://one'}}]\n\
                    users: [{name: 'certctl:acme:prod', user: {}}, {name: admin, user: {}}]\n\
                    contexts:\n- {name: prod, context: {cluster: one, user: 'certctl:acme:prod'}}\n\
                    - {name: prod-admin, context: {cluster: one, user: admin}}\n";
        std::fs::write(&path, text).expect("written");
        let refused =
            Context::find(Some(&path), "prod", Whose::Administrators).err().expect("refused").render(false);
        assert!(refused.contains("context `prod` is a person's own access"), "{refused}");
        assert!(!refused.contains("--force"), "{refused}");
        assert!(Context::find(Some(&path), "prod-admin", Whose::Administrators).is_ok());
        // At 3 am, whoever has the rights revokes.
        assert!(Context::find(Some(&path), "prod", Whose::Anybodys).is_ok());
    }

    #[test]
    fn a_file_that_is_missing_or_no_kubeconfig_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        for content in [None, Some("users: [{token: sup3rs3cret"), Some("[sup3rs3cret]")] {
            if let Some(content) = content {
                std::fs::write(&path, content).expect("written");
            }
            let error = Context::find(Some(&path), "prod", Whose::Administrators)
                .err()
                .expect("unreadable")
                .render(false);
            assert!(error.contains(&path.display().to_string()) && !error.contains("sup3rs3cret"), "{error}");
        }
    }

    #[test]
    fn a_proxy_of_the_kubeconfig_is_used_for_every_server() {
        let text =
            KUBECONFIG.replace("https://one:6443'", "https://127.0.0.1:6443', proxy-url: 'proxy:3128'");
        let text = text.replace(", certificate-authority-data: 'aGVs bG8='", "");
        let found = Context::of(led(&text), "prod").expect("usable");
        assert_eq!(found.config.proxy_url.map(|uri| uri.to_string()).as_deref(), Some("http://proxy:3128/"));
    }

    #[test]
    fn a_context_without_a_user_has_no_credentials() {
        let text = KUBECONFIG.replace(", certificate-authority-data: 'aGVs bG8='", "");
        let found = Context::of(led(&text), "prod").expect("usable");
        assert!(found.config.auth_info.token.is_none() && found.config.auth_info.exec.is_none());
        assert_eq!(found.config.root_cert, None);
    }
}
