//! What an apply may do, and what it is told to note.

use crate::model::{CommitHash, RosterId};

/// Which new certificates are tried at the published address before anything is made of them. Of a key that
/// its owner brought, nobody here can try one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The first of each cluster, alone: where it does not work, no other is issued.
    First,
    /// All of them, the first one alone.
    All,
    /// None.
    None,
}

/// What an apply may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Credentials in the making at once, per cluster.
    pub parallelism: usize,
    /// Which new certificates are tried.
    pub probe: Probe,
    /// How far it goes.
    pub extent: Extent,
    /// Whether the commit asks the host to run no CI for it.
    pub skip_ci_marker: bool,
}

/// What goes into a cluster's ledger besides credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Of the repository, where neither its records nor the cluster have one yet.
    pub new_id: RosterId,
    /// The commit that is applied, where the roster's branch lacks it: whoever it removes is kept out until
    /// the branch has it.
    pub unmerged: Option<CommitHash>,
}

/// How far an apply goes. Subjects leave the bindings in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// No further: nothing is issued, recorded or bound.
    CutOffs,
    /// To the records, and on.
    Records {
        /// Whether anything is issued: not while earlier records wait to be merged.
        issues: bool,
        /// Whether anything is bound: not what only a local commit holds that is on no way to the roster's
        /// branch.
        binds: bool,
    },
}

impl Extent {
    /// All that a plan says.
    pub const ALL: Self = Self::Records { issues: true, binds: true };
}
