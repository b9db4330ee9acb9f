//! The in-memory cluster of `certctl sandbox` and `certctl demo`, with some objects to allow or deny access to.

use std::path::Path;

use certctl_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::person::private_file;

/// A sandbox with something in it to be allowed or denied.
///
/// # Errors
/// It did not start.
pub fn start(context: &str, port: Option<u16>) -> Result<Sandbox> {
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
/// It already exists, or cannot be written.
pub fn write_kubeconfig(sandbox: &Sandbox, path: &Path) -> Result<()> {
    private_file::write(path, sandbox.kubeconfig().as_bytes(), false)
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
