//! What people ask the cluster for: with kubectl where there is one, else by certctl itself.

use std::path::Path;
use std::time::Duration;

use crate::cluster::{self, Answer, Connection};
use crate::error::Result;

/// A list of some objects.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Empty for the core group.
    pub group: &'static str,
    pub resource: &'static str,
    pub namespace: &'static str,
}

/// How long the cluster in memory may take.
const LIMIT: Duration = Duration::from_secs(10);

impl Request {
    /// The words of kubectl's command line.
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
        let connection = Connection::open(Some(kubeconfig), context, LIMIT).await?;
        cluster::ask(&connection, &self.path()).await
    }
}
