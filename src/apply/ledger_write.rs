//! Bringing what a cluster remembers up to date, each write against the version that was read.
//!
//! It adds, and takes out only what has expired and who is let in again: two that write it at once both end up in
//! it. A write whose reply was lost is found done when the ledger is read again. It refuses to write over a ledger
//! that cannot be read.
//!
//! Pure: it says what to do next, and is told what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::ledger::{Ledger, Removal};
use crate::model::{CredentialId, RosterId, UserName};
use crate::plan::observed::{SeenLedger, StoredLedger};
use crate::plan::write::WriteError;

/// How often a write is tried.
const TRIES: u32 = 5;

/// How long the first pause is after a write with an unclear end; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be in it, besides what is.
#[derive(Debug, Clone)]
pub struct Additions {
    /// The repository that the roster's name belongs to from now on.
    pub claim: Option<RosterId>,
    /// What is not to be bound again, and when it expires.
    pub revoked: BTreeMap<CredentialId, Timestamp>,
    /// What was issued by us, and when it expires.
    pub issued: BTreeMap<CredentialId, Timestamp>,
    /// Who is kept out from now on.
    pub removed: BTreeMap<UserName, Removal>,
    /// Who need not be kept out any more.
    pub settled: BTreeSet<UserName>,
    /// What has expired by then is forgotten.
    pub now: Timestamp,
}

impl Additions {
    /// Nothing yet.
    pub fn none(now: Timestamp) -> Self {
        let (revoked, issued) = (BTreeMap::new(), BTreeMap::new());
        let (removed, settled) = (BTreeMap::new(), BTreeSet::new());
        Self { claim: None, revoked, issued, removed, settled, now }
    }
}

/// What is to be done next.
#[derive(Debug)]
pub enum LedgerStep {
    /// Read it.
    Read {
        /// How long to wait before.
        pause: Duration,
    },
    /// Write it.
    Write {
        /// All of it.
        ledger: Ledger,
        /// The version that this was decided from; `None` where it is to be made.
        resource_version: Option<String>,
    },
    /// Nothing more: it holds the additions, or why it does not.
    End(Result<()>),
}

/// The ledger of one cluster on its way.
#[derive(Debug)]
pub struct LedgerWrite {
    additions: Additions,
    seen: SeenLedger,
    attempt: u32,
}

impl LedgerWrite {
    /// The first step; `None` where, as far as is known, it holds the additions, or where nobody knows what
    /// it holds.
    pub fn begin(seen: &SeenLedger, additions: Additions) -> Option<(Self, LedgerStep)> {
        if matches!(seen, SeenLedger::Unusable { .. }) {
            return None;
        }
        let this = Self { additions, seen: seen.clone(), attempt: 0 };
        match this.decide() {
            LedgerStep::End(Ok(())) => None,
            step => Some((this, step)),
        }
    }

    /// It was read again.
    pub fn read(&mut self, seen: SeenLedger) -> LedgerStep {
        self.seen = seen;
        self.decide()
    }

    /// It was written, or not.
    pub fn written(&mut self, result: Result<StoredLedger, WriteError>) -> LedgerStep {
        let error = match result {
            Ok(stored) => {
                self.seen = SeenLedger::Kept(stored);
                return LedgerStep::End(Ok(()));
            }
            Err(error) => error,
        };
        self.attempt += 1;
        let last = self.attempt >= TRIES;
        match error {
            WriteError::Conflict(_) | WriteError::NotFound(_) if !last => {
                LedgerStep::Read { pause: Duration::ZERO }
            }
            WriteError::Unclear(_) if !last => LedgerStep::Read { pause: PAUSE * (1 << (self.attempt - 1)) },
            error => LedgerStep::End(Err(
                Error::from(error).within("could not note in the cluster what is revoked and issued")
            )),
        }
    }

    /// As it is known to be by now.
    pub fn into_seen(self) -> SeenLedger {
        self.seen
    }

    fn decide(&self) -> LedgerStep {
        let Additions { claim, revoked, issued, removed, settled, now } = &self.additions;
        let (known, resource_version) = match &self.seen {
            SeenLedger::Unusable { message, hints } => {
                return LedgerStep::End(Err(unusable(message, hints)));
            }
            SeenLedger::Missing => (None, None),
            SeenLedger::Kept(stored) => (Some(&stored.ledger), Some(stored.resource_version.clone())),
        };
        let has = |known: &Ledger| {
            claim.as_ref().is_none_or(|claim| known.roster_id.as_ref() == Some(claim))
                && holds(&known.revoked, revoked)
                && holds(&known.issued, issued)
                && removed.keys().all(|user| known.removed.contains_key(user))
                && settled.iter().all(|user| !known.removed.contains_key(user))
        };
        let nothing = claim.is_none() && revoked.is_empty() && issued.is_empty() && removed.is_empty();
        if known.map_or(nothing, has) {
            return LedgerStep::End(Ok(()));
        }
        let mut ledger = known.cloned().unwrap_or_default();
        match (&ledger.roster_id, claim) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                return LedgerStep::End(Err(Error::new(
                    "another repository has claimed the roster's name meanwhile",
                )));
            }
            (_, Some(ours)) => ledger.roster_id = Some(ours.clone()),
            (_, None) => {}
        }
        ledger.prune(*now);
        add(&mut ledger.revoked, revoked);
        add(&mut ledger.issued, issued);
        ledger.removed.retain(|user, _| !settled.contains(user));
        for (user, removal) in removed {
            ledger.removed.entry(user.clone()).or_insert_with(|| removal.clone());
        }
        if !ledger.fits() {
            return LedgerStep::End(Err(full(
                "what this apply cuts off or issues is known from the records alone",
            )));
        }
        LedgerStep::Write { ledger, resource_version }
    }
}

type CredentialTimes = BTreeMap<CredentialId, Timestamp>;

fn holds(known: &CredentialTimes, wanted: &CredentialTimes) -> bool {
    wanted.iter().all(|(id, not_after)| known.get(id).is_some_and(|known| known >= not_after))
}

/// A key that its owner brought keeps its id through a renewal, and then expires later.
fn add(known: &mut CredentialTimes, more: &CredentialTimes) {
    for (id, not_after) in more {
        let known = known.entry(id.clone()).or_insert(*not_after);
        *known = (*known).max(*not_after);
    }
}

/// It cannot be read, and so not written either.
pub fn unusable(message: &str, hints: &[String]) -> Error {
    hints.iter().fold(Error::new(message), |error, hint| error.hint(hint.clone()))
}

/// There is no room for more.
pub fn full(otherwise: &str) -> Error {
    Error::new(format!("the ConfigMap in which the cluster remembers credentials is full; {otherwise}")).hint(
        "what has expired makes room by itself; a shorter `validity:`, or fewer people per roster, keeps it small",
    )
}
