//! What an apply has done on one cluster. It cannot hold a secret.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::model::{ClusterName, CredentialGroup, Holder, UserName};
use crate::plan::observed::BindingAt;
use crate::record::Credential;

/// A credential that is issued and sealed, and not yet recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// For the record.
    pub credential: Credential,
    /// The kubeconfig, encrypted to its owner.
    pub sealed: Vec<u8>,
}

impl Issued {
    /// The group that gives it rights.
    pub fn group(&self, user: &UserName) -> CredentialGroup {
        CredentialGroup::new(user, self.credential.id.clone())
    }
}

/// How the making of a credential ended.
#[derive(Debug)]
pub enum Made {
    /// It is issued and sealed, with what is worth a look.
    Issued(Box<Issued>, Option<Error>),
    /// This one failed.
    Failed(Error),
    /// It was tried, and no credential of this cluster would be of use to anyone.
    Useless(Error),
}

/// Something that failed, and whose it was, where it was someone's.
#[derive(Debug)]
pub struct Failure {
    /// Whose credential.
    pub user: Option<UserName>,
    /// What, and why.
    pub error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { user: None, error }
    }
}

/// One cluster's share.
#[derive(Debug)]
pub struct ClusterOutcome {
    /// Which.
    pub name: ClusterName,
    /// New credentials.
    pub issued: BTreeMap<UserName, Issued>,
    /// Bindings that were written.
    pub bindings: BTreeSet<BindingAt>,
    /// Whoever should have lost access and is still in a binding.
    pub not_cut_off: BTreeSet<Holder>,
    /// Whoever should have joined a binding that could not be written.
    pub not_bound: BTreeSet<Holder>,
    /// What failed; everything else was done.
    pub failures: Vec<Failure>,
    /// What is worth a look.
    pub warnings: Vec<Error>,
}

impl ClusterOutcome {
    pub(super) fn new(name: ClusterName) -> Self {
        Self {
            name,
            issued: BTreeMap::new(),
            bindings: BTreeSet::new(),
            not_cut_off: BTreeSet::new(),
            not_bound: BTreeSet::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
        }
    }
}
