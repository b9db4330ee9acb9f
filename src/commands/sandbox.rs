//! `certctl sandbox`: an API server in memory until it is told to stop.

use std::fs;
use std::path::Path;

use certctl_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::signals::Signals;
use super::terminal::Terminal;
use super::{DONE, private, runtime};
use crate::cli::SandboxArgs;
use crate::error::{Error, Result};

pub fn run(args: &SandboxArgs, terminal: &Terminal) -> Result<u8> {
    let folder = tempfile::Builder::new().prefix("certctl-sandbox-").tempdir().map_err(|cause| {
        Error::new("no folder could be made for the kubeconfig; nothing was started").caused_by(cause)
    })?;
    let kubeconfig = args.output.clone().unwrap_or_else(|| folder.path().join("kubeconfig"));
    runtime()?.block_on(async {
        // Heard before there is anything to clean up.
        let mut signals = Signals::listen();
        let sandbox = start(&args.context, args.port)?;
        write_kubeconfig(&sandbox, &kubeconfig)?;
        let _removed = Removed { path: &kubeconfig, content: sandbox.kubeconfig() };
        terminal.say(&format!(
            "A Kubernetes API server in memory is at {}. It runs nothing, keeps nothing, and ends with Ctrl-C.",
            sandbox.server()
        ));
        terminal.say("Its administrator's kubeconfig, for kubectl and for certctl, is:");
        terminal.print(format!("{}\n", kubeconfig.display()).as_bytes())?;
        signals.next().await;
        Ok::<_, Error>(())
    })?;
    terminal.say("Gone, and everything in it.");
    Ok(DONE)
}

/// A kubeconfig that leads nowhere any more once this is dropped, and is removed: unless someone has put
/// something else in its place.
struct Removed<'a> {
    path: &'a Path,
    content: String,
}

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        if fs::read_to_string(self.path).is_ok_and(|there| there == self.content) {
            let _ = fs::remove_file(self.path);
        }
    }
}

/// A sandbox with something in it to be allowed or denied.
///
/// # Errors
/// It did not start.
pub(super) fn start(context: &str, port: Option<u16>) -> Result<Sandbox> {
    let options = Options { context: context.to_owned(), port, ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|cause| {
        let failed = Error::new("the sandbox could not be started").caused_by(cause);
        match port {
            Some(port) => {
                failed.hint(format!("where port {port} is taken, name another, or leave out `--port`"))
            }
            None => failed,
        }
    })?;
    for object in objects() {
        sandbox
            .put(object)
            .map_err(|cause| Error::new("the sandbox could not be filled").caused_by(cause))?;
    }
    Ok(sandbox)
}

/// # Errors
/// It is there already, or cannot be written.
pub(super) fn write_kubeconfig(sandbox: &Sandbox, path: &Path) -> Result<()> {
    private::write(path, sandbox.kubeconfig().as_bytes(), false)
}

/// What examples/users.yaml grants rights on.
fn objects() -> Vec<Value> {
    let namespace = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        })
    };
    let pod = |namespace: &str, name: &str| {
        let containers = json!([{"name": "app", "image": "registry.example.com/app:1"}]);
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {"containers": containers},
            "status": {"phase": "Pending"},
        })
    };
    vec![
        namespace("staging"),
        namespace("shop"),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "deployer", "namespace": "shop"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}],
        }),
        pod("shop", "checkout"),
        pod("shop", "catalogue"),
        pod("staging", "checkout"),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "shop"},
            "data": {"currency": "EUR"},
        }),
    ]
}
