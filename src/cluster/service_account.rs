//! The service account of the pod that this runs in, as client-go's `rest.InClusterConfig` finds it: the address in
//! the environment, CA and token in a folder that the kubelet fills and renews.

use std::net::Ipv6Addr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{AuthInfo, Cluster};

use super::kubeconfig_entries::Led;
use crate::error::{Error, Result};

/// Where the kubelet mounts it, in every pod.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// Whether this runs in a pod.
pub(super) fn is_pod() -> bool {
    std::env::var_os(HOST).is_some()
}

/// What it leads to.
///
/// # Errors
/// This is no pod, or one without a token.
pub(super) fn of_this_pod() -> Result<Led> {
    find(|name| std::env::var(name).ok(), Path::new(FOLDER))
}

fn find(variable: impl Fn(&str) -> Option<String>, folder: &Path) -> Result<Led> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let (Some(host), Some(port)) = (set(HOST), set(PORT)) else {
        return Err(refused(&format!("{HOST} and {PORT} are not set"))
            .hint("run it in a pod, or name a kubeconfig with `--kubeconfig FILE`"));
    };
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map(|bytes| (path.display().to_string(), bytes)).map_err(|error| {
            refused(&format!("{}: {error}", path.display())).hint(
                "mount the token: `automountServiceAccountToken: true` of the pod or its service account",
            )
        })
    };
    // kube reads the token again each minute: a new one is written before it expires.
    let (token, _) = file("token")?;
    let (_, ca) = file("ca.crt")?;
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority_data: Some(BASE64.encode(ca)),
        ..Cluster::default()
    };
    Ok(Led { cluster, user: AuthInfo { token_file: Some(token), ..AuthInfo::default() } })
}

fn refused(cause: &str) -> Error {
    Error::new("there is no kubeconfig, and no service account to use instead; nothing was changed")
        .caused_by(cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::context::Context;
    use crate::model::KeyType;
    use crate::pki::PrivateKey;
    use crate::pki::testing::{Issue, subject_of};

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    fn of<'v>(host: &'v str, port: &'v str) -> impl Fn(&str) -> Option<String> + 'v {
        move |name| match name {
            HOST => Some(host.to_owned()),
            PORT => Some(port.to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_pod_without_a_kubeconfig_is_its_service_account() {
        let key = PrivateKey::generate(KeyType::EcdsaP256).expect("a key");
        let ca = Issue { ca: true, ..Issue::to(&key, &subject_of(&key, &[])) }.pem();
        let mounted = folder(&[("token", "t0ken"), ("ca.crt", &ca), ("namespace", "ci")]);
        for (host, port, server) in [
            ("10.96.0.1", "443", "https://10.96.0.1:443"),
            ("fd00::1", "6443", "https://[fd00::1]:6443"),
            ("kubernetes.default.svc", "443", "https://kubernetes.default.svc:443"),
        ] {
            let led = find(of(host, port), mounted.path()).expect("a service account");
            let found = Context::of(led, "in-cluster").expect("usable");
            assert_eq!(found.server, server);
            assert_eq!(found.certificate_authority.as_deref(), Some(ca.as_bytes()));
            assert_eq!(found.config.root_cert.map(|certificates| certificates.len()), Some(1));
            // The file, so that a token that is renewed counts, and nothing of the token itself.
            let token = mounted.path().join("token").display().to_string();
            assert_eq!(found.config.auth_info.token_file, Some(token));
            assert!(found.config.auth_info.token.is_none());
        }
    }

    #[test]
    fn what_a_service_account_lacks_is_said() {
        let pod = of("10.96.0.1", "443");
        for (files, why) in
            [(&[("ca.crt", "")][..], "token: No such file"), (&[("token", "t0ken")], "ca.crt: No such file")]
        {
            let error = find(&pod, folder(files).path()).err().expect("refused").render(false);
            assert!(error.contains(why) && error.contains("automountServiceAccountToken"), "{error}");
        }
        let whole = folder(&[("token", "t0ken"), ("ca.crt", "")]);
        for (host, port) in [("", "443"), ("10.96.0.1", "")] {
            let error = find(of(host, port), whole.path()).err().expect("refused").render(false);
            assert!(error.contains("KUBERNETES_SERVICE_PORT are not set"), "{error}");
        }
    }
}
