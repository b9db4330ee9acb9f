//! What is left over from earlier, and nobody needs.

use jiff::Timestamp;

use crate::model::{CredentialId, UserName};

/// Something left over that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cleanup {
    /// A credential in the records that has expired.
    Expired {
        user: UserName,
        credential: CredentialId,
        /// Since when.
        not_after: Timestamp,
    },
    /// A record that does not say yet whether the roster protects its owner.
    Protection {
        user: UserName,
        /// What the roster says.
        protected: bool,
    },
    /// A record that lets a credential in which the cluster remembers as revoked.
    Revoked { user: UserName, credential: CredentialId },
    /// A CertificateSigningRequest that an interrupted run left behind.
    Request {
        /// Its name.
        name: String,
        /// Its UID, so that only this object is deleted.
        uid: String,
        /// Who made it: only that identity's next apply deletes it.
        requester: String,
    },
}

impl Cleanup {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired-credential",
            Self::Protection { .. } => "protection",
            Self::Revoked { .. } => "revoked-in-cluster",
            Self::Request { .. } => "leftover-request",
        }
    }
}
