//! What one context means: which server, through which proxy, verified with which CA, as which user.
//!
//! It reads what kubectl reads: `--kubeconfig`, else the files of `KUBECONFIG` merged, else
//! `~/.kube/config`; and without any of these, for the context `in-cluster`, the service account of the
//! pod. It refuses to fall back to a context other than the one it was given: which cluster is changed is
//! never a guess.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use kube::Config;
use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};

use super::certificates;
use super::proxy::{self, ProxyVariables};
use crate::error::{Error, Result};
use crate::model::LOGIN_PREFIX;

/// How many contexts an error lists.
const LISTED: usize = 10;

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

impl Context {
    /// Finds a context where kubectl would look for it.
    ///
    /// # Errors
    /// No kubeconfig, one that cannot be read, no such context, and as [`Context::of`].
    pub(super) fn find(kubeconfig: Option<&Path>, name: &str) -> Result<Self> {
        match read(kubeconfig) {
            Ok(kubeconfig) => {
                not_of_login(&kubeconfig, name)?;
                Self::of(kubeconfig, name)
            }
            Err(Unread::Missing(_)) if name == IN_CLUSTER => Self::of_this_pod(),
            Err(Unread::Missing(error)) if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
                Err(error.hint(format!(
                    "in a pod, `context: {IN_CLUSTER}` of that cluster in the roster uses the pod's service account"
                )))
            }
            Err(Unread::Missing(error) | Unread::Broken(error)) => Err(error),
        }
    }

    /// What a context of this kubeconfig leads to.
    ///
    /// # Errors
    /// No such context, or one whose server, proxy or certificates cannot be used.
    pub(super) fn of(kubeconfig: Kubeconfig, name: &str) -> Result<Self> {
        let cluster = cluster_of(&kubeconfig, name)?;
        let certificate_authority = certificate_authority(&cluster, name)?;
        let user = user_of(kubeconfig, &cluster, name)?;
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

    /// The API server of the pod that this runs in, as the pod's service account.
    fn of_this_pod() -> Result<Self> {
        let config = Config::incluster_env().map_err(|error| {
            Error::new(format!(
                "there is no kubeconfig, and `{IN_CLUSTER}` is no way to a cluster here; nothing was changed"
            ))
            .caused_by(error.to_string())
            .hint("run it in a pod whose service account token is mounted, or name a kubeconfig with `--kubeconfig FILE`")
        })?;
        let certificate_authority =
            config.root_cert_file.as_deref().map(std::fs::read).transpose().map_err(|error| {
                Error::new("the CA of the pod's service account could not be read; nothing was changed")
                    .caused_by(error)
            })?;
        Ok(Self { server: config.cluster_url.to_string(), certificate_authority, config })
    }
}

/// The user that a context names. As with kubectl, one that is not there has no credentials.
fn user_of(kubeconfig: Kubeconfig, cluster: &Cluster, context: &str) -> Result<AuthInfo> {
    let named = kubeconfig.contexts.into_iter().find(|named| named.name == context);
    let name = named.and_then(|named| named.context).and_then(|context| context.user).unwrap_or_default();
    let found = kubeconfig.auth_infos.into_iter().find(|user| user.name == name);
    let mut user = found.and_then(|user| user.auth_info).unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(cluster.try_into().map_err(|error: KubeconfigError| {
            unusable(context, &error.to_string(), "`kubectl config view` shows what the kubeconfig holds")
        })?);
    }
    Ok(user)
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
    let kubeconfig = read(kubeconfig).map_err(|(Unread::Missing(error) | Unread::Broken(error))| error)?;
    kubeconfig.current_context.filter(|context| !context.is_empty()).ok_or_else(|| {
        Error::new("the kubeconfig has no current context; nothing was changed")
            .hint("choose one with `kubectl config use-context NAME`, or name it with `--cluster NAME`")
    })
}

/// The kubeconfig, merged from several where `KUBECONFIG` lists several. As with kubectl, a listed
/// file that does not exist is passed over.
fn read(named: Option<&Path>) -> Result<Kubeconfig, Unread> {
    if let Some(path) = named {
        return Ok(Kubeconfig::read_from(path).map_err(|error| unreadable(path, &error))?);
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
            Err(error) => return Err(Unread::Broken(unreadable(path, &error))),
        };
        merged = Some(match merged {
            None => next,
            Some(merged) => merged.merge(next).map_err(|error| unreadable(path, &error))?,
        });
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

fn unreadable(path: &Path, error: &KubeconfigError) -> Error {
    let cause = match error {
        // The parser's own message quotes the surrounding lines, and a kubeconfig contains secrets.
        KubeconfigError::Parse(error) => error.location().map_or_else(
            || "it is no YAML that a kubeconfig could be".to_owned(),
            |at| format!("line {}, column {}: not what a kubeconfig holds there", at.line(), at.column()),
        ),
        error => super::error::root(error),
    };
    Error::new(format!("the kubeconfig {} could not be read; nothing was changed", path.display()))
        .caused_by(cause)
        .hint("fix it, or name another with `--kubeconfig FILE`")
}

/// Refuses a person's own access, which would be used as if it were an administrator's.
fn not_of_login(kubeconfig: &Kubeconfig, context: &str) -> Result<()> {
    let named = kubeconfig.contexts.iter().find(|named| named.name == context);
    let user = named.and_then(|named| named.context.as_ref()?.user.as_deref()).unwrap_or_default();
    if !user.starts_with(LOGIN_PREFIX) {
        return Ok(());
    }
    Err(Error::new(format!(
        "context `{context}` is what `certctl login` wrote: a person's own access, not an administrator's; nothing was changed"
    ))
    .hint("name the administrator's context in the roster, with `context:` of that cluster: `kubectl config get-contexts` lists them")
    .hint("or name the administrator's kubeconfig: `--kubeconfig FILE`"))
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
    fn a_missing_context_is_reported_with_the_existing_ones() {
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
    fn what_login_wrote_is_no_administrators_way_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let text = "clusters: [{name: one, cluster: {server: 'https://one'}}]\n\
                    users: [{name: 'certctl:acme:prod', user: {}}]\n\
                    contexts:\n- {name: prod, context: {cluster: one, user: 'certctl:acme:prod'}}\n\
                    - {name: prod-admin, context: {cluster: one, user: certctl}}\n";
        std::fs::write(&path, text).expect("written");
        let refused = Context::find(Some(&path), "prod").err().expect("refused").render(false);
        assert!(refused.contains("context `prod` is what `certctl login` wrote"), "{refused}");
        assert!(!refused.contains("--force"), "{refused}");
        assert!(Context::find(Some(&path), "prod-admin").is_ok());
    }

    #[test]
    fn a_kubeconfig_that_cannot_be_parsed_is_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        std::fs::write(&path, "users:\n- name: u\n  user: {token: sup3rs3cret, exec: 3}\n").expect("written");
        let text = Context::find(Some(&path), "prod").err().expect("no kubeconfig").render(false);
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
            let error = Context::find(Some(&path), "prod").err().expect("unreadable");
            assert!(error.message().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_proxy_of_the_kubeconfig_is_used_for_every_server() {
        let text =
            KUBECONFIG.replace("https://one:6443'", "https://127.0.0.1:6443', proxy-url: 'proxy:3128'");
        let text = text.replace(", certificate-authority-data: 'aGVs bG8='", "");
        let found = Context::of(kubeconfig(&text), "prod").expect("usable");
        assert_eq!(found.config.proxy_url.map(|uri| uri.to_string()).as_deref(), Some("http://proxy:3128/"));
    }

    #[test]
    fn a_user_that_the_kubeconfig_does_not_have_has_no_credentials() {
        let text = KUBECONFIG.replace(", certificate-authority-data: 'aGVs bG8='", "");
        let found = Context::of(kubeconfig(&text), "prod").expect("usable");
        assert!(found.config.auth_info.token.is_none() && found.config.auth_info.exec.is_none());
        assert_eq!(found.config.root_cert, None);
    }
}
