//! Why a credential is issued, replaced or revoked: a code and its data. Its words are in `render`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::KeyType;

/// Why. Codes and data are part of the digest: another name for one of them refuses every approved plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// On the roster for the first time.
    New,
    /// Was revoked earlier and is on the roster again.
    AfterRevocation,
    /// The only credential has expired.
    Expired {
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// Two thirds of its lifetime have passed.
    RenewalDue {
        /// Since when.
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// `generation` was raised.
    GenerationRaised {
        /// What the credential was issued with.
        from: u32,
        /// What the roster says.
        to: u32,
    },
    /// Recipients left the roster, and perhaps others joined.
    RecipientsRemoved {
        /// No longer a recipient.
        removed: usize,
        /// Newly a recipient.
        added: usize,
    },
    /// Recipients joined the roster.
    RecipientsAdded {
        /// Newly a recipient.
        added: usize,
    },
    /// Another kind of key is asked for; `None` is a key that its owner brings.
    KeyChanged {
        /// What the credential has.
        from: Option<KeyType>,
        /// What the roster asks for.
        to: Option<KeyType>,
    },
    /// The PKCS#10 file holds another request.
    CsrChanged,
    /// Other groups belong in the certificate.
    InCertificateGroupsChanged,
    /// The kubeconfig would lead to another server.
    ServerChanged,
    /// The kubeconfig would hold another CA.
    CertificateAuthorityChanged,
    /// The kubeconfig would go through another proxy, or verify the server under another name.
    RouteChanged,
    /// The kubeconfig would have another default namespace.
    NamespaceChanged,
    /// No client CA of the cluster knows the certificate.
    ClientAuthorityReplaced,
    /// Gone from the roster.
    RemovedFromRoster,
    /// No longer on this cluster.
    RemovedFromCluster,
    /// Removed by a commit that is not merged yet, or by `revoke`.
    KeptOut,
    /// `suspended: true`.
    Suspended,
    /// `until` has passed.
    AccessEnded {
        #[schemars(with = "String")]
        at: Timestamp,
        /// Whether someone moved it here. No certificate outlives the `until` that it was issued under, so
        /// one that would have lived on tells that `until` is an edit, not the clock.
        edited: bool,
    },
    /// Superseded, and cut off together with its successor.
    SuccessorCutOff,
}

impl Reason {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::AfterRevocation => "after-revocation",
            Self::Expired { .. } => "expired",
            Self::RenewalDue { .. } => "renewal-due",
            Self::GenerationRaised { .. } => "generation-raised",
            Self::RecipientsRemoved { .. } => "recipients-removed",
            Self::RecipientsAdded { .. } => "recipients-added",
            Self::KeyChanged { .. } => "key-changed",
            Self::CsrChanged => "csr-changed",
            Self::InCertificateGroupsChanged => "in-certificate-groups-changed",
            Self::ServerChanged => "server-changed",
            Self::CertificateAuthorityChanged => "certificate-authority-changed",
            Self::RouteChanged => "route-changed",
            Self::NamespaceChanged => "namespace-changed",
            Self::ClientAuthorityReplaced => "client-authority-replaced",
            Self::RemovedFromRoster => "removed-from-roster",
            Self::RemovedFromCluster => "removed-from-cluster",
            Self::KeptOut => "kept-out",
            Self::Suspended => "suspended",
            Self::AccessEnded { .. } => "access-ended",
            Self::SuccessorCutOff => "successor-cut-off",
        }
    }

    /// What is different about the recipients, if anything.
    pub fn of_recipients(removed: usize, added: usize) -> Option<Self> {
        match (removed, added) {
            (0, 0) => None,
            (0, added) => Some(Self::RecipientsAdded { added }),
            (removed, added) => Some(Self::RecipientsRemoved { removed, added }),
        }
    }

    /// Whether the roster takes all access from its owner, rather than replaces a credential. They stay out even
    /// where the roster's branch does not say so yet.
    pub fn takes_all_access(&self) -> bool {
        matches!(
            self,
            Self::RemovedFromRoster
                | Self::RemovedFromCluster
                | Self::Suspended
                | Self::AccessEnded { edited: true, .. }
        )
    }

    /// Whether the roster drives it, rather than the clock: only then is it part of the digest.
    pub fn is_roster_driven(&self) -> bool {
        !matches!(
            self,
            Self::Expired { .. }
                | Self::RenewalDue { .. }
                | Self::ClientAuthorityReplaced
                | Self::AccessEnded { edited: false, .. }
        )
    }
}
