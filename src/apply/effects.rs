//! What the machine of an apply asks for, and what it tells of its progress.

use std::time::Duration;

use super::record_changes::RecordChange;
use crate::ledger::Ledger;
use crate::model::UserName;
use crate::plan::observed::{Binding, BindingAt, Subject};
use crate::plan::write::Write;
use crate::plan::{BindingAction, Issuance};

/// Names one task of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(pub(super) usize);

/// Something to be done outside, and the id under which the machine is told what came of it.
#[derive(Debug)]
pub struct Task<'p> {
    /// To say what came of it.
    pub id: TaskId,
    /// What to do.
    pub order: Order<'p>,
}

/// What is to be done, and where.
#[derive(Debug)]
pub enum Order<'p> {
    /// On one cluster, counted in the order of the work.
    On(usize, Effect<'p>),
    /// Commit and push for all of them, where there is something to: `Machine::published`.
    Publish {
        /// May be empty.
        changes: Vec<RecordChange>,
        /// Of the commit.
        message: String,
    },
}

/// What is to be done on a cluster. Behind each is the method that takes what came of it.
#[derive(Debug)]
pub enum Effect<'p> {
    /// Read a binding again: `Machine::read`.
    Read {
        /// Which.
        at: &'p BindingAt,
        /// How long to wait before.
        pause: Duration,
    },
    /// Write a binding: `Machine::written`.
    Write {
        /// What it belongs to.
        action: &'p BindingAction,
        /// What.
        write: Write,
        /// The version that this was decided from; `None` where it is to be made.
        current: Option<Box<Binding>>,
    },
    /// Leave only these in a binding of others: `Machine::taken_out`.
    TakeOut {
        /// The version that this was decided from.
        current: Box<Binding>,
        /// Who stays.
        rest: Vec<Subject>,
    },
    /// Read what the cluster remembers again: `Machine::ledger_read`.
    ReadLedger {
        /// How long to wait before.
        pause: Duration,
    },
    /// Write what the cluster remembers: `Machine::ledger_written`.
    WriteLedger {
        /// All of it.
        ledger: Ledger,
        /// The version that this was decided from; `None` where it is to be made.
        resource_version: Option<String>,
    },
    /// Read all bindings again: `Machine::bindings_read`.
    ReadBindings,
    /// Ask who certctl is there: `Machine::identified`.
    Identify,
    /// Delete a CertificateSigningRequest that an earlier run left: `Machine::request_deleted`.
    DeleteRequest {
        /// Its name.
        name: &'p str,
        /// Only this object.
        uid: &'p str,
    },
    /// Get ready to have certificates signed: `Machine::signer_started`.
    StartSigner {
        /// Who certctl is there.
        requester: String,
    },
    /// Make, have signed and seal a credential: `Machine::issued`.
    Issue {
        /// For whom.
        user: &'p UserName,
        /// Which.
        issuance: &'p Issuance,
        /// Whether it is tried.
        probe: bool,
    },
}

/// Who sees the records once they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// Everyone, or the administrator has said that they will (`--no-push`).
    Visible,
    /// Nobody yet: what was issued waits for a merge.
    Proposed,
    /// Not published.
    Failed,
}

/// The parts of an apply that take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Taking subjects out of bindings.
    Revoke,
    /// Keys, requests, certificates, sealing.
    Issue,
    /// Commit and push.
    Record,
    /// Putting subjects into bindings.
    Grant,
}

/// How far it is. How far [`Order::Publish`] is, its performer knows better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase begins, with so many steps.
    Begin(Phase, usize),
    /// One step is done.
    Step(Phase, String),
    /// One step has failed.
    Failed(Phase, String),
    /// The phase is over.
    End(Phase),
}
