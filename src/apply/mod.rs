//! The executor: carries out a plan and nothing else, in the one order that is safe.
//!
//! [`machine`] decides, purely: the order, what follows a conflict or a lost reply, what a failure
//! withholds. `run` performs the effects that it asks for: `issue` makes, has signed and seals a credential
//! (`sealing`), `publish` commits and pushes, and the bindings are the cluster's business.

mod binding_write;
mod cluster_machine;
mod cluster_outcome;
mod effects;
pub mod emergency;
mod issue;
mod ledger_write;
pub mod machine;
mod outcome;
mod policy;
mod publish;
pub mod record_changes;
mod run;
mod sealing;
pub mod signer_limit;
mod take_out;
pub mod trial;

use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::{Connection, LeaseLock, WritePermit};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{RosterId, RosterName, hex};
use crate::plan::observed::SeenCluster;
use crate::plan::{ClusterPlan, RepositoryState};
use crate::repo::{Proposal, ProposalState, PushTarget};
pub use cluster_outcome::{ClusterOutcome, Failure, Issued, Made};
pub use effects::Phase;
pub use outcome::{Outcome, Published};
use policy::Extent;
pub use policy::{Notes, Probe};
pub use run::run;

/// One cluster, ready to be changed.
pub struct Target {
    /// What to do.
    pub plan: ClusterPlan,
    /// What the repository knows of it.
    pub repository: RepositoryState,
    /// The cluster, as the plan was made from it.
    pub cluster: SeenCluster,
    /// The way there.
    pub connection: Connection,
}

/// How to go about it.
pub struct Settings {
    /// Credentials in the making at once, per cluster.
    pub parallelism: usize,
    /// Which new certificates are tried.
    pub probe: Probe,
    /// How long an approved request may stay unsigned.
    pub timeout: Duration,
    /// Where the records go.
    pub records: RecordsTo,
    /// Whether the commit asks the host to run no CI for it.
    pub skip_ci_marker: bool,
    /// What the clusters note besides credentials.
    pub notes: Notes,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// Set by the first SIGINT, SIGTERM or SIGHUP: start nothing new, wait for no signer, finish what is issued.
    pub interrupt: Interrupt,
}

/// Where the records go, and with that what may be issued and bound.
#[derive(Debug, Clone)]
pub enum RecordsTo {
    /// Nowhere: subjects leave the bindings, and that is all.
    Nowhere,
    /// Committed and not pushed (`--no-push`).
    Keep,
    /// Onto the roster's branch.
    Push(PushTarget),
    /// To a branch of their own, from which a person merges them. Until then nothing new is bound: the
    /// next apply from the roster's branch would not know it. And while a proposal waits, nothing is
    /// issued: that apply would issue it a second time.
    Propose(Proposal),
}

impl RecordsTo {
    fn extent(&self) -> Extent {
        match self {
            Self::Nowhere => Extent::CutOffs,
            Self::Keep | Self::Push(_) => Extent::ALL,
            // Nothing is bound that HEAD holds and the roster's branch lacks, and takes no push of.
            Self::Propose(proposal) => {
                Extent::Records { issues: !self.wait(), binds: !proposal.head_is_ahead }
            }
        }
    }

    /// Whether earlier records have to be merged first.
    fn wait(&self) -> bool {
        matches!(self, Self::Propose(proposal) if proposal.standing != ProposalState::Free)
    }
}

/// Where the executor says how far it is.
pub trait Progress: Send + Sync {
    /// A phase begins, with so many steps.
    fn begin(&self, phase: Phase, steps: usize);
    /// One step is done.
    fn step(&self, phase: Phase, what: &str);
    /// One step has failed.
    fn failed(&self, phase: Phase, what: &str);
    /// The phase is over.
    fn end(&self, phase: Phase, took: Duration);
}

/// A random one.
///
/// # Errors
/// This system has no randomness.
pub fn new_roster_id() -> Result<RosterId> {
    let failed = || Error::new("this system has no randomness; nothing was done");
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| failed().caused_by(cause))?;
    hex(&bytes).parse().map_err(|why| failed().caused_by(why))
}

/// Takes the lock that keeps two applies of one roster apart.
///
/// # Errors
/// Someone else keeps it for longer than `patience`, or it cannot be taken.
pub async fn lock(
    connection: &Connection,
    roster: &RosterName,
    holder: &str,
    patience: Duration,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<LeaseLock> {
    LeaseLock::acquire(connection, roster, holder, patience, waiting, &WritePermit::new()).await
}
