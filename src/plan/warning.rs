//! Something to look at: a code and its data. Its words are in `render`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::binding_key::Grantee;
use super::observed::{BindingAt, Clocks};
use super::residual_access::GivenRole;
use crate::ledger::Removal;
use crate::model::{CredentialId, GroupName, Recipient, RepoPath, RoleRef, RosterName, UserName};
use crate::roster::PartPath;
use crate::roster::fence::Widened;

/// What an administrator should know, and certctl will not change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// The clocks of cluster and machine are apart.
    ClocksApart(Clocks),
    /// certctl's own context leads elsewhere than kubeconfigs do, and the pin counts.
    ContextPassedOver {
        context: String,
        /// Where it leads.
        server: String,
        /// Where kubeconfigs lead.
        pinned: String,
    },
    /// New kubeconfigs lead where the records say, because the roster does not name the server.
    ServerNotNamed,
    /// A role is bound anew in namespaces that no grant names: their names or labels fit.
    NamespacesFit { grantee: Grantee, role: RoleRef, namespaces: BTreeSet<String> },
    /// A grant is about namespaces of which the cluster has none.
    NoNamespaceFits {
        grantee: Grantee,
        role: RoleRef,
        /// What it is about.
        places: String,
    },
    /// By a branch, a part of the roster may do more.
    FenceWidened { part: RepoPath, by: Widened },
    /// By a branch, a part of the roster may add members to a group of another file.
    GroupOpened { group: GroupName, to: PartPath },
    /// By a branch, kubeconfigs would lead elsewhere, or the records are about another cluster, and the
    /// roster does not say so.
    PinEdited {
        /// What it is about: `server`, `certificateAuthority` or `uid`.
        field: &'static str,
        /// At the base; `None` where it is not pinned there.
        from: Option<String>,
        /// With the branch; `None` where it is not pinned any more.
        to: Option<String>,
    },
    /// A credential that is cut off keeps access through a binding of others.
    AccessRemains {
        user: UserName,
        credential: CredentialId,
        /// Until when it authenticates.
        not_after: Timestamp,
        /// Through which binding.
        through: BindingAt,
        /// What that names: `user` or `group`.
        kind: &'static str,
        /// Its name.
        subject: String,
    },
    /// A finalizer on a binding of ours will keep the object, or keeps it, when it is deleted.
    BindingFinalizer {
        at: BindingAt,
        /// All of them, as the object has them.
        finalizers: Vec<String>,
        /// Whether it is deleted already, and waits.
        deletion_requested: bool,
    },
    /// A binding that is not ours names a credential group.
    ForeignBindingOfCredential {
        at: BindingAt,
        /// The group.
        group: String,
    },
    /// A binding that is not ours names a user of the roster.
    ForeignBindingOfUser {
        at: BindingAt,
        /// The user.
        user: String,
        /// Kind and name of the role that it gives them.
        role: String,
    },
    /// A CertificateSigningRequest asks for what is ours to give.
    ForeignRequest {
        /// Its name.
        name: String,
        /// Who made it.
        requester: String,
        /// What it asks for.
        claim: RequestClaim,
    },
    /// A CertificateSigningRequest has our labels, and another identity made it.
    MislabelledRequest {
        /// Its name.
        name: String,
        /// Who made it.
        requester: String,
        /// What it asks for, if that is ours to give.
        claim: Option<RequestClaim>,
        /// Who certctl is there.
        identity: Option<String>,
    },
    /// A group goes into a certificate, where nothing can revoke it.
    InCertificate {
        /// Whose certificate.
        user: UserName,
        /// Which group.
        group: GroupName,
        /// Until when it is valid.
        not_after: Timestamp,
        /// What bindings of others give the group; `None` where the cluster was not read.
        gives: Option<BTreeSet<GivenRole>>,
    },
    /// The new credential is for a key that the last one was not for.
    KeyChanged { user: UserName },
    /// A branch brings a key that its base does not bring.
    KeyEdited { user: UserName },
    /// The new credential is sealed to others than the last one.
    RecipientChanged { user: UserName },
    /// By a branch, someone's recipients are others than at its base.
    RecipientEdited { user: UserName },
    /// A branch has a record that no apply would have made of that at its base.
    RecordEdited {
        user: UserName,
        /// Which credential.
        credential: CredentialId,
        /// What became of it.
        edit: RecordEdit,
    },
    /// The cluster remembers nothing of the roster, and the records say that it did.
    LedgerLost { roster: RosterName },
    /// A record lets in a credential that the cluster remembers as revoked: the record was put back. It stays
    /// revoked.
    RevokedInCluster { user: UserName, credential: CredentialId },
    /// The roster names somebody whom the cluster keeps out.
    KeptOut {
        user: UserName,
        /// Since when, and by what.
        removal: Removal,
    },
    /// Who has no access any more has a key that the kubeconfigs of others are sealed to.
    KeyOutlivesAccess {
        recipient: Recipient,
        /// Whose key it is.
        left: BTreeSet<UserName>,
        /// Whose kubeconfigs it opens.
        opens: BTreeSet<UserName>,
    },
    /// Several people have one key.
    SharedRecipient { recipient: Recipient, users: BTreeSet<UserName> },
    /// A sealed kubeconfig is not the one that certctl wrote.
    SealedChanged {
        user: UserName,
        /// Where it lies.
        file: String,
    },
    /// A sealed kubeconfig is gone.
    SealedMissing {
        user: UserName,
        /// Where it lay.
        file: String,
    },
    /// Access ends too soon for a certificate.
    TooShort { user: UserName, until: Timestamp },
    /// The roster grants a role that the identity of apply may not bind: nothing would be issued or bound there.
    NotBindable {
        role: RoleRef,
        /// Kind and name of whom the role of apply is bound to.
        identity: String,
    },
    /// Something ends within the week.
    UntilSoon { ending: UpcomingEnd, until: Timestamp },
}

/// What a CertificateSigningRequest asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestClaim {
    /// To be a user of the roster.
    User(UserName),
    /// A credential group.
    Group(String),
    /// Nobody can tell: its subject cannot be read here, and the signer may read it.
    Unreadable,
}

/// What became of a record in a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordEdit {
    /// It is gone, before the credential has expired.
    Forgotten,
    /// The credential was revoked, and is not any more.
    Revived,
    /// It says something else.
    Changed,
    /// The credential is new in it, and nobody here knows of an apply that issued it.
    Added,
}

/// What ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpcomingEnd {
    /// All of someone's access.
    Access(UserName),
    /// A membership.
    Membership(UserName, GroupName),
    /// A personal grant.
    PersonalGrant(UserName, RoleRef),
    /// A group's grant.
    GroupGrant(GroupName, RoleRef),
}

impl Warning {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ClocksApart(_) => "clocks-apart",
            Self::ContextPassedOver { .. } => "context-passed-over",
            Self::ServerNotNamed => "server-not-named",
            Self::NamespacesFit { .. } => "namespaces-fit",
            Self::NoNamespaceFits { .. } => "no-namespace-fits",
            Self::FenceWidened { .. } | Self::GroupOpened { .. } => "fence-widened",
            Self::PinEdited { .. } => "pin-edited",
            Self::AccessRemains { .. } => "access-remains",
            Self::BindingFinalizer { .. } => "binding-finalizer",
            Self::ForeignBindingOfCredential { .. } | Self::ForeignBindingOfUser { .. } => "foreign-binding",
            Self::ForeignRequest { .. } | Self::MislabelledRequest { .. } => "foreign-csr",
            Self::InCertificate { .. } => "in-certificate",
            Self::KeyChanged { .. } => "key-changed",
            Self::KeyEdited { .. } => "key-edited",
            Self::RecipientChanged { .. } => "recipient-changed",
            Self::RecipientEdited { .. } => "recipient-edited",
            Self::RecordEdited { .. } => "record-edited",
            Self::LedgerLost { .. } => "ledger-lost",
            Self::RevokedInCluster { .. } => "revoked-in-cluster",
            Self::KeptOut { .. } => "kept-out",
            Self::KeyOutlivesAccess { .. } => "key-outlives-access",
            Self::SharedRecipient { .. } => "shared-recipient",
            Self::SealedChanged { .. } => "sealed-changed",
            Self::SealedMissing { .. } => "sealed-missing",
            Self::TooShort { .. } => "too-short",
            Self::NotBindable { .. } => "not-bindable",
            Self::UntilSoon { .. } => "until-soon",
        }
    }

    /// Whether somebody who is meant to be out may be in.
    pub fn is_danger(&self) -> bool {
        matches!(self, Self::KeyOutlivesAccess { .. })
    }

    /// Whether a branch may hand somebody's access over, and no action says so.
    pub fn is_takeover(&self) -> bool {
        matches!(
            self,
            Self::KeyEdited { .. }
                | Self::RecipientEdited { .. }
                | Self::RecordEdited { .. }
                | Self::RevokedInCluster { .. }
                | Self::PinEdited { .. }
                | Self::FenceWidened { .. }
                | Self::GroupOpened { .. }
        )
    }
}
