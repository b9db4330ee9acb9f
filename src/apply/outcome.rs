//! What an apply has done, for people and machines. It cannot hold a secret.

use std::time::Duration;

use super::cluster_outcome::ClusterOutcome;
use super::machine::Phase;
use crate::error::{Error, Result};
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
