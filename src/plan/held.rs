//! What is held back: a fault touches what it touches, and everything else goes on.
//!
//! Nobody is added to a binding that is held, and nothing new is issued to a person who is. Whoever has
//! to leave leaves all the same: a fault never keeps access alive. What is wrong is a code and its data;
//! its words, and how to fix it, are in `render`.

use super::binding_key::{BindingKey, Grantee};
use super::endpoint::Unpublishable;
use super::observed::{BindingAt, Clocks, FileKind, RefusedFile};
use super::reason::Reason;
use crate::model::{CredentialId, Namespace, Position, UserName};

/// Something that is not done on a cluster until somebody has fixed its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A namespace is granted and does not exist.
    MissingNamespace {
        namespace: Namespace,
        /// To whom it is granted.
        grantee: Grantee,
        /// Where the roster says so.
        at: Position,
    },
    /// A namespace is granted and is being deleted.
    TerminatingNamespace {
        namespace: Namespace,
        /// To whom it is granted.
        grantee: Grantee,
        /// Where the roster says so.
        at: Position,
    },
    /// A role is granted and does not exist.
    MissingRole {
        /// Which, where, and to whom it is granted.
        key: BindingKey,
        /// The one there whose name is nearest.
        nearest: Option<String>,
        /// Where the roster says so.
        at: Position,
    },
    /// An object of someone else has the name of one of our bindings.
    ForeignBinding {
        binding: BindingAt,
        /// The roster whose labels it has, if any.
        roster: Option<String>,
        /// Where the roster grants what it would hold.
        at: Position,
    },
    /// Where kubeconfigs would lead is no use to anyone: nothing is issued on the cluster, and nobody loses
    /// a credential whose replacement would have to be.
    Unpublishable {
        why: Unpublishable,
        /// Where the roster names the cluster.
        at: Position,
    },
    /// The clocks of cluster and machine are too far apart for certificates: nothing is issued there either.
    ClocksApart {
        clocks: Clocks,
        /// Where the roster names the cluster.
        at: Position,
    },
    /// A `csr:` brings a public key back which is cut off, or has to be: the credential group is made of
    /// the key, so with the same key the old certificate would get the same rights again.
    KeyReused {
        /// Who brings it.
        user: UserName,
        /// Where the roster says so.
        at: Position,
        /// What it was used for.
        by: KeyUse,
    },
    /// A record, a sealed kubeconfig or a `csr:` cannot be believed.
    File(RefusedFile),
    /// A record holds a credential that no apply has issued, as far as the cluster remembers: it is not bound.
    NotIssuedByUs { user: UserName, credential: CredentialId },
    /// What the cluster remembers of revoked credentials cannot be read: nobody is added to any binding, and
    /// nothing new is issued.
    Ledger {
        /// Why, as whoever read it said.
        message: String,
        /// How to fix it.
        hints: Vec<String>,
    },
    /// Somebody keeps access until it is acknowledged that they lose it.
    Withheld {
        user: UserName,
        /// Where the roster names them, if it still does.
        at: Option<Position>,
        /// Why.
        by: SafetyRule,
    },
}

/// What a brought key was used for before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUse {
    /// certctl made it: its private half was sealed, and lies in the history of the repository for good.
    Made {
        /// For whom.
        owner: UserName,
        /// Which credential.
        credential: CredentialId,
    },
    /// For a credential that is revoked.
    Revoked { owner: UserName, credential: CredentialId },
    /// For a credential that the cluster remembers as revoked, and no record.
    RevokedInCluster { credential: CredentialId },
    /// For somebody else's credential.
    OfAnother { owner: UserName, credential: CredentialId },
    /// For a credential that is to be cut off.
    ToBeCutOff { credential: CredentialId, reason: Reason },
}

/// The rule by which somebody's loss of access is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafetyRule {
    /// A roster without users.
    EmptyRoster,
    /// `safety.maxRevocations`.
    Limit,
    /// `protected: true`.
    Protected,
}

impl Held {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingNamespace { .. } => "missing-namespace",
            Self::TerminatingNamespace { .. } => "terminating-namespace",
            Self::MissingRole { .. } => "missing-role",
            Self::ForeignBinding { .. } => "foreign-binding-name",
            Self::Unpublishable { .. } => "unpublishable-endpoint",
            Self::ClocksApart { .. } => "clocks-apart",
            Self::KeyReused { .. } => "key-refused",
            Self::File(file) => match file.kind {
                FileKind::Record => "record-unreadable",
                FileKind::Sealed => "sealed-unreadable",
                FileKind::Request => "key-refused",
            },
            Self::NotIssuedByUs { .. } => "not-issued-by-us",
            Self::Ledger { .. } => "ledger-unusable",
            Self::Withheld { by: SafetyRule::Limit, .. } => "withheld-limit",
            Self::Withheld { by: SafetyRule::Protected, .. } => "withheld-protected",
            Self::Withheld { by: SafetyRule::EmptyRoster, .. } => "withheld-empty-roster",
        }
    }

    /// Whether it only waits to be acknowledged.
    pub fn is_withheld(&self) -> bool {
        matches!(self, Self::Withheld { .. })
    }

    /// The person who is held back, where it is one.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::KeyReused { user, .. } | Self::Withheld { user, .. } | Self::NotIssuedByUs { user, .. } => {
                Some(user)
            }
            Self::File(file) => file.user.as_ref(),
            Self::MissingNamespace { .. }
            | Self::TerminatingNamespace { .. }
            | Self::MissingRole { .. }
            | Self::ForeignBinding { .. }
            | Self::Unpublishable { .. }
            | Self::ClocksApart { .. }
            | Self::Ledger { .. } => None,
        }
    }

    /// The binding that is held back, where it is one and not all of a namespace.
    pub fn binding(&self) -> Option<BindingAt> {
        match self {
            Self::MissingRole { key, .. } => Some(key.whole()),
            Self::ForeignBinding { binding, .. } => Some(binding.clone()),
            Self::MissingNamespace { .. }
            | Self::TerminatingNamespace { .. }
            | Self::Unpublishable { .. }
            | Self::ClocksApart { .. }
            | Self::KeyReused { .. }
            | Self::File(_)
            | Self::NotIssuedByUs { .. }
            | Self::Ledger { .. }
            | Self::Withheld { .. } => None,
        }
    }

    /// Where the roster says what is held back.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::MissingNamespace { at, .. }
            | Self::TerminatingNamespace { at, .. }
            | Self::MissingRole { at, .. }
            | Self::ForeignBinding { at, .. }
            | Self::Unpublishable { at, .. }
            | Self::ClocksApart { at, .. }
            | Self::KeyReused { at, .. } => Some(*at),
            Self::File(file) => file.position,
            Self::NotIssuedByUs { .. } | Self::Ledger { .. } => None,
            Self::Withheld { at, .. } => *at,
        }
    }

    /// Whether it is the same at another revision of the roster, where lines have moved.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let unplaced = |held: &Self| {
            let mut held = held.clone();
            match &mut held {
                Self::MissingNamespace { at, .. }
                | Self::TerminatingNamespace { at, .. }
                | Self::MissingRole { at, .. }
                | Self::ForeignBinding { at, .. }
                | Self::Unpublishable { at, .. }
                | Self::ClocksApart { at, .. }
                | Self::KeyReused { at, .. } => *at = Position::default(),
                Self::Withheld { at, .. } => *at = None,
                // What is wrong with a file may be told with the place of an edit.
                Self::File(file) => {
                    (file.position, file.message, file.hints) = (None, String::new(), Vec::new());
                }
                Self::NotIssuedByUs { .. } | Self::Ledger { .. } => {}
            }
            held
        };
        unplaced(self) == unplaced(other)
    }
}
