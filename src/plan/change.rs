//! A line of a binding's diff: who comes or goes, and why. The words are in `render`.

use super::credentials::Leaving;
use crate::ledger::Ledger;
use crate::model::{CredentialGroup, Holder};

/// A line of a binding's diff.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// As it is or will be written.
    pub subject: String,
    /// Comes, or goes.
    pub joins: bool,
    /// Whose credential it is, where it is one.
    pub holder: Option<Holder>,
    pub why: ChangeReason,
}

impl Change {
    /// The credential that comes or goes, where it is one that exists.
    pub(super) fn credential(&self) -> Option<CredentialGroup> {
        self.subject.strip_prefix("Group ")?.parse().ok()
    }

    /// Whether the cluster remembers the credential as revoked.
    pub(super) fn is_revoked_in(&self, ledger: Option<&Ledger>) -> bool {
        let group = self.credential();
        ledger.zip(group).is_some_and(|(ledger, group)| ledger.revoked.contains_key(&group.id))
    }

    /// Whether the cluster remembers that an apply issued the credential.
    pub(super) fn is_issued_in(&self, ledger: Option<&Ledger>) -> bool {
        let group = self.credential();
        ledger.zip(group).is_some_and(|(ledger, group)| ledger.issued.contains_key(&group.id))
    }

    /// Whether it goes because the roster takes all access from its owner.
    pub(super) fn takes_all_access(&self) -> bool {
        matches!(&self.why, ChangeReason::Leaving(Leaving::Now(reason)) if reason.takes_all_access())
    }

    /// Whether it goes for a reason that can be withheld: not what expired, was revoked before, is rotated,
    /// or is no credential.
    pub(super) fn can_be_withheld(&self) -> bool {
        let lost = matches!(self.why, ChangeReason::NoLongerGranted | ChangeReason::NotRecorded);
        !self.joins && (lost || self.takes_all_access())
    }
}

/// Why a subject joins or leaves a binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeReason {
    /// Leaves: its credential must not be bound any more.
    Leaving(Leaving),
    /// Leaves: it is there twice.
    Duplicate,
    /// Leaves: the binding leads to another role, and is made again.
    BindingRecreated,
    /// Leaves: another part of a split binding holds it.
    InAnotherPart,
    /// Leaves: no record holds that credential.
    NotRecorded,
    /// Leaves: the `until` of the membership or grant has passed.
    GrantEnded,
    /// Leaves: the roster does not grant it any more.
    NoLongerGranted,
    /// Leaves: certctl has bound no such subject.
    AddedByHand,
    /// Leaves: a credential group of nobody, as far as records and ledger know.
    PutInByHand,
    /// The roleRef leaves: somebody made the binding for another role, and a roleRef cannot be changed.
    RoleRefReplaced,
    /// The roleRef joins: the one by the roster.
    RoleRefOfRoster,
    /// Joins: once it is issued and recorded.
    ToBeIssued,
    /// Joins: it is recorded, and nothing binds it.
    NotBound,
    /// Leaves, by a branch: it will not be issued.
    NoLongerIssued,
    /// Joins, by a branch: its record takes the place of an issuance.
    InsteadOfIssued,
    /// Joins, by a branch.
    NewlyGranted,
}

/// What makes a subject come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Roster and records, which say who is bound.
    Roster,
    /// The credential has expired, or the `until` of the membership or grant has passed.
    Clock,
    /// Somebody changed the object.
    Drift,
}

impl ChangeReason {
    /// What is behind it.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Leaving(Leaving::Expired) | Self::GrantEnded => Cause::Clock,
            Self::Duplicate
            | Self::NotRecorded
            | Self::AddedByHand
            | Self::PutInByHand
            | Self::RoleRefReplaced
            | Self::RoleRefOfRoster => Cause::Drift,
            Self::Leaving(Leaving::Revoked | Leaving::Now(_))
            | Self::BindingRecreated
            | Self::InAnotherPart
            | Self::NoLongerGranted
            | Self::ToBeIssued
            | Self::NotBound
            | Self::NoLongerIssued
            | Self::InsteadOfIssued
            | Self::NewlyGranted => Cause::Roster,
        }
    }
}
