//! What an apply has done, for people and machines. It cannot hold a secret.

use std::collections::{BTreeMap, BTreeSet};

use super::{Issued, Target};
use crate::error::{Error, Result};
use crate::model::{ClusterName, UserName};
use crate::plan::observed::BindingAt;
use crate::repo::Pushed;

/// Where the records ended up.
#[derive(Debug)]
pub enum Published {
    /// The records did not change.
    Nothing,
    /// Committed here, not pushed (`--no-push`); `None` where there was nothing to commit.
    Kept(Option<String>),
    /// Committed and pushed.
    Pushed(Pushed),
}

/// One cluster's share.
pub struct ClusterOutcome {
    /// Which.
    pub name: ClusterName,
    /// New credentials.
    pub issued: BTreeMap<UserName, Issued>,
    /// Bindings that were written.
    pub bindings: BTreeSet<BindingAt>,
    /// Whoever should have lost access and is still in a binding.
    pub not_cut_off: BTreeSet<UserName>,
    /// What failed; everything else was done.
    pub errors: Vec<Error>,
}

/// What came of writing some bindings.
#[derive(Default)]
pub(super) struct Written {
    pub(super) bindings: BTreeSet<BindingAt>,
    /// Whoever should have left a binding that could not be written.
    pub(super) failed: BTreeSet<UserName>,
    pub(super) errors: Vec<Error>,
}

impl ClusterOutcome {
    pub(super) fn take(&mut self, written: Written) {
        self.bindings.extend(written.bindings);
        self.errors.extend(written.errors);
    }
}

/// The whole run.
pub struct Outcome {
    /// In the order of the plan.
    pub clusters: Vec<ClusterOutcome>,
    /// What became of the records.
    pub published: Result<Published>,
    /// Whether a signal cut it short.
    pub interrupted: bool,
}

impl Outcome {
    pub(super) fn new(targets: &[Target]) -> Self {
        let clusters = targets.iter().map(|target| ClusterOutcome {
            name: target.plan.name.clone(),
            issued: BTreeMap::new(),
            bindings: BTreeSet::new(),
            not_cut_off: BTreeSet::new(),
            errors: Vec::new(),
        });
        Self { clusters: clusters.collect(), published: Ok(Published::Nothing), interrupted: false }
    }

    pub(super) fn collect<T>(&mut self, results: Vec<T>, mut add: impl FnMut(&mut ClusterOutcome, T)) {
        for (cluster, result) in self.clusters.iter_mut().zip(results) {
            add(cluster, result);
        }
    }

    /// Every failure, as one error; `None` where all was done.
    pub fn into_error(self) -> Option<Error> {
        let errors = self.clusters.into_iter().flat_map(|cluster| cluster.errors);
        Error::all(errors.chain(self.published.err()))
    }
}
