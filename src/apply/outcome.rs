//! What an apply has done, for people and machines. It cannot hold a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Phase;
use super::machine::Issued;
use crate::error::{Error, Result};
use crate::model::{ClusterName, UserName};
use crate::plan::observed::BindingAt;
use crate::repo::{Committed, Pushed};

/// Where the records ended up.
#[derive(Debug)]
pub enum Published {
    /// The records did not change.
    Nothing,
    /// Committed here, not pushed (`--no-push`).
    Kept(Committed),
    /// Committed and pushed.
    Pushed(Pushed),
    /// Pushed to a branch of their own: what is new is bound once someone has merged it.
    Proposed(Pushed),
    /// An earlier proposal is not merged yet, so nothing was issued; with the page to merge it on.
    Waits(Option<String>),
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
    pub name: ClusterName,
    /// New credentials.
    pub issued: BTreeMap<UserName, Issued>,
    /// Bindings that were written.
    pub bindings: BTreeSet<BindingAt>,
    /// Whoever should have lost access and is still in a binding.
    pub not_cut_off: BTreeSet<UserName>,
    /// Whoever should have joined a binding that could not be written.
    pub not_bound: BTreeSet<UserName>,
    /// What failed; everything else was done.
    pub failures: Vec<Failure>,
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
        }
    }
}

/// The whole run.
pub struct Outcome {
    /// In the order of the plan.
    pub clusters: Vec<ClusterOutcome>,
    /// What became of the records.
    pub published: Result<Published>,
    /// Whether nothing was issued, because earlier records have to be merged first.
    pub held_up: bool,
    /// Whether a signal cut it short.
    pub interrupted: bool,
    /// How long each phase took, in order; phases with nothing to do are left out.
    pub took: Vec<(Phase, Duration)>,
}

impl Outcome {
    /// Whether new credentials may be bound: their records are where everyone sees them, or the
    /// administrator has said that they will be (`--no-push`).
    pub fn binds(&self) -> bool {
        matches!(self.published, Ok(Published::Nothing | Published::Kept(_) | Published::Pushed(_)))
    }

    /// Every failure, in order.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        let errors = self.clusters.iter().flat_map(|cluster| &cluster.failures).map(|failure| &failure.error);
        errors.chain(self.published.as_ref().err())
    }
}
