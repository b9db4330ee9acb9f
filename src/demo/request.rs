//! Requests to the cluster: with kubectl if it is installed, else by certctl itself.

use std::path::Path;
use std::time::Duration;

use crate::cluster::{self, Answer, Connection};
use crate::error::{Error, Result};

/// A list of some objects.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Empty for the core group.
    pub group: &'static str,
    pub resource: &'static str,
    pub namespace: &'static str,
}

/// The timeout for the in-memory cluster.
const LIMIT: Duration = Duration::from_secs(10);

impl Request {
    /// The arguments for kubectl.
    pub fn kubectl(self, kubeconfig: &str) -> Vec<&str> {
        vec!["--kubeconfig", kubeconfig, "get", self.resource, "-n", self.namespace]
    }

    /// The path in the API.
    pub fn path(self) -> String {
        let root = match self.group {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        format!("{root}/namespaces/{}/{}", self.namespace, self.resource)
    }

    /// Makes the request, in a runtime.
    ///
    /// # Errors
    /// No answer came.
    pub async fn ask(self, kubeconfig: &Path, context: &str) -> Result<Answer> {
        let text = std::fs::read_to_string(kubeconfig).map_err(|why| {
            Error::new(format!("{} could not be read", kubeconfig.display())).caused_by(why)
        })?;
        let connection = Connection::from_kubeconfig(&text, context, LIMIT).await?;
        cluster::ask(&connection, &self.path()).await
    }
}
