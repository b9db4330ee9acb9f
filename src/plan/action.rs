//! What a plan does to one credential: four actions, each with what it needs and nothing else.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::access_transfer::AccessTransfer;
use super::observed::BroughtKey;
use super::reason::Reason;
use crate::model::route::Route;
use crate::model::{CredentialId, GroupName, KeySource, Namespace, Recipient, UserName};

/// The shortest lifetime that the CSR API takes (`expirationSeconds` of `CertificateSigningRequestSpec`).
pub const SHORTEST_VALIDITY: SignedDuration = SignedDuration::from_secs(600);

/// What happens to a person's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// They have none.
    Issue,
    /// A new one; the old stays bound until it expires.
    Renew,
    /// A new one; the old is cut off at once.
    Rotate,
    /// Cut off, nothing new.
    Revoke,
}

impl Verb {
    /// The word in texts and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One decision about one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialAction {
    /// They have none.
    Issue {
        user: UserName,
        reason: Reason,
        /// What they get.
        new: NewCredential,
    },
    /// A new one; the old stays bound until it expires.
    Renew {
        user: UserName,
        reason: Reason,
        /// What they get.
        new: NewCredential,
        /// What it replaces; `None` where that has expired.
        replaced: Option<CredentialId>,
    },
    /// A new one; the old is cut off at once.
    Rotate {
        user: UserName,
        reason: Reason,
        /// What they get.
        new: NewCredential,
        /// What they lose.
        cut_off: CutOff,
    },
    /// Cut off, nothing new.
    Revoke {
        user: UserName,
        reason: Reason,
        /// What they lose.
        cut_off: CutOff,
        /// Whether the roster protected its owner when it was issued.
        protected: bool,
    },
}

/// A credential that is to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// What to issue.
    pub issuance: Issuance,
    /// Until when it will be valid, as far as the plan knows: the signer decides.
    pub not_after: Timestamp,
    /// Whether others can use it than could use the last one.
    pub transfer: AccessTransfer,
}

/// A credential that is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    pub credential: CredentialId,
    /// Until when it still authenticates.
    pub not_after: Timestamp,
    /// Through how many bindings of others it keeps access; `None` where the cluster was not read.
    pub residual_access: Option<usize>,
}

impl CredentialAction {
    pub fn verb(&self) -> Verb {
        match self {
            Self::Issue { .. } => Verb::Issue,
            Self::Renew { .. } => Verb::Renew,
            Self::Rotate { .. } => Verb::Rotate,
            Self::Revoke { .. } => Verb::Revoke,
        }
    }

    pub fn user(&self) -> &UserName {
        match self {
            Self::Issue { user, .. }
            | Self::Renew { user, .. }
            | Self::Rotate { user, .. }
            | Self::Revoke { user, .. } => user,
        }
    }

    pub fn reason(&self) -> &Reason {
        match self {
            Self::Issue { reason, .. }
            | Self::Renew { reason, .. }
            | Self::Rotate { reason, .. }
            | Self::Revoke { reason, .. } => reason,
        }
    }

    /// What is issued, if anything is.
    pub fn new_credential(&self) -> Option<&NewCredential> {
        match self {
            Self::Issue { new, .. } | Self::Renew { new, .. } | Self::Rotate { new, .. } => Some(new),
            Self::Revoke { .. } => None,
        }
    }

    /// What is cut off, if anything is.
    pub fn cut_off(&self) -> Option<&CutOff> {
        match self {
            Self::Rotate { cut_off, .. } | Self::Revoke { cut_off, .. } => Some(cut_off),
            Self::Issue { .. } | Self::Renew { .. } => None,
        }
    }

    /// The credential that is replaced or revoked.
    pub fn previous(&self) -> Option<&CredentialId> {
        match self {
            Self::Issue { .. } => None,
            Self::Renew { replaced, .. } => replaced.as_ref(),
            Self::Rotate { cut_off, .. } | Self::Revoke { cut_off, .. } => Some(&cut_off.credential),
        }
    }

    /// Whether others can use what is issued than could use the last one.
    pub fn transfer(&self) -> AccessTransfer {
        self.new_credential().map(|new| new.transfer).unwrap_or_default()
    }

    /// Until when the new one will be valid, or the revoked one still authenticates.
    pub fn not_after(&self) -> Timestamp {
        match self {
            Self::Issue { new, .. } | Self::Renew { new, .. } | Self::Rotate { new, .. } => new.not_after,
            Self::Revoke { cut_off, .. } => cut_off.not_after,
        }
    }
}

/// All that is needed to issue a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// The kind of key to make, or the key that its owner brought.
    pub key: KeySource<BroughtKey>,
    /// Sealed to each of them.
    pub recipients: BTreeSet<Recipient>,
    /// How the kubeconfig reaches the server.
    pub route: Route,
    /// What the context is called. It is no reason for another kubeconfig: `login` takes it from the roster.
    pub context_name: String,
    /// The context's default namespace.
    pub namespace: Option<Namespace>,
    /// Groups that go into the certificate besides the credential group.
    pub in_certificate_groups: BTreeSet<GroupName>,
    /// The roster's `generation`.
    pub generation: u32,
    /// How long it is asked to be valid: what the roster says, or what is left until `not_after_limit`.
    pub validity: SignedDuration,
    /// What the roster says, whatever the time is.
    pub roster_validity: SignedDuration,
    /// Whether the roster protects them.
    pub protected: bool,
    /// `until`: its notAfter never exceeds this.
    pub not_after_limit: Option<Timestamp>,
}
