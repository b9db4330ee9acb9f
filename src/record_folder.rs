//! Where the repository keeps what it records of a cluster: `access/<cluster>/`, beside the roster.

use std::fmt;

use crate::model::{ClusterName, UserName};

/// The folder of all clusters' records. certctl commits below it and nowhere else.
pub const RECORDS: &str = "access";

/// The file in a cluster's folder that pins which cluster its records are about.
pub const PIN_FILE: &str = "cluster.yaml";

/// What the name of a sealed kubeconfig ends with.
pub const SEALED_SUFFIX: &str = ".kubeconfig.age";

/// The folder of one cluster's records. Paths are relative to the roster's folder, with `/` on each system.
#[derive(Debug, Clone, Copy)]
pub struct RecordFolder<'c>(pub &'c ClusterName);

impl RecordFolder<'_> {
    /// The pin: the cluster's UID, address and certificate authority.
    pub fn pin(self) -> String {
        format!("{self}/{PIN_FILE}")
    }

    /// The record of one person's credentials there.
    pub fn record(self, user: &UserName) -> String {
        format!("{self}/{user}.yaml")
    }

    /// The kubeconfig of one person there, encrypted to that person.
    pub fn kubeconfig(self, user: &UserName) -> String {
        format!("{self}/{user}{SEALED_SUFFIX}")
    }
}

impl fmt::Display for RecordFolder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RECORDS}/{}", self.0)
    }
}
