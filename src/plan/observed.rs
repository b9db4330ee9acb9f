//! What a plan is made from besides the roster: the cluster and the records, as plain data.
//!
//! Everything in here came from outside and is kept as it was said. Names are plain text, because a
//! cluster may hold objects whose names the roster would refuse.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::endpoint::{Endpoint, PublishedEndpoint};
use crate::ledger::Ledger;
use crate::model::{Authority, BranchName, CommitHash, CredentialId, Position, RosterId, UserName};
pub use crate::model::{LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY};
pub use crate::rbac::{Binding, BindingAt, Roles, Subject};
use crate::record::Record;

/// What is known of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// By the repository.
    pub repository: &'a RepositoryState,
    /// By the cluster itself.
    pub cluster: ClusterView<'a>,
}

/// A cluster that was read, or one that was not.
#[derive(Debug, Clone, Copy)]
pub enum ClusterView<'a> {
    /// It was read.
    Seen(&'a SeenCluster),
    /// Nobody asked it.
    Unseen(&'a UnseenCluster),
}

/// What the repository knows of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryState {
    /// The records under `access/<cluster>/`, each already checked against its certificates.
    pub records: BTreeMap<UserName, Record>,
    /// SHA-256 of each `<user>.kubeconfig.age`, where there is such a file.
    pub sealed: BTreeMap<UserName, String>,
    /// The cluster UID that `access/<cluster>/cluster.yaml` pins.
    pub pinned_uid: Option<String>,
    /// The branch that the roster is applied from, as `cluster.yaml` says; where it says none, as this apply
    /// knows it.
    pub branch: Option<BranchName>,
    /// What ties the roster's name to this repository, as it says; `None` in a pin of an earlier version.
    pub roster_id: Option<RosterId>,
    /// Where kubeconfigs lead, as it pins that; `None` in a pin of an earlier version.
    pub pinned_endpoint: Option<Endpoint>,
    /// The PKCS#10 files that users of this cluster brought, already checked.
    pub brought_keys: BTreeMap<UserName, BroughtKey>,
    /// Of the commits that the cluster remembers because they removed somebody, those that this revision
    /// contains.
    pub merged: BTreeSet<CommitHash>,
    /// Files about one person that cannot be believed.
    pub refused_files: Vec<RefusedFile>,
}

/// A file that cannot be believed, as whoever read it said: nothing is decided on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFile {
    pub kind: FileKind,
    /// Whom it is about; `None` where its name is nobody's.
    pub user: Option<UserName>,
    /// Where the roster names it.
    pub position: Option<Position>,
    /// What is wrong with it.
    pub message: String,
    /// How to fix it.
    pub hints: Vec<String>,
}

/// What a file about one person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `access/<cluster>/<user>.yaml`.
    Record,
    /// `access/<cluster>/<user>.kubeconfig.age`.
    Sealed,
    /// The `csr:` of the roster.
    Request,
}

/// A cluster that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCluster {
    /// What is in it.
    pub state: ClusterState,
    /// Who certctl is there. Only asked where the cluster holds requests with our labels, because only
    /// they hang on it; `None` elsewhere.
    pub identity: Option<String>,
    /// What kubeconfigs hold of it.
    pub published: PublishedEndpoint,
    /// Which certificates it does not know, because their CA is none of its client CAs.
    pub unknown: UnknownCertificates,
    /// What its clock says; `None` where it does not tell.
    pub clock: Option<Clocks>,
    /// What it remembers of the roster's credentials.
    pub ledger: SeenLedger,
}

/// What a cluster remembers of the roster's credentials, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenLedger {
    /// Nothing: no apply has written it yet, or it was lost.
    Missing,
    /// This.
    Kept(StoredLedger),
    /// Nobody can tell.
    Unusable {
        /// Why, as whoever read it said.
        message: String,
        /// How to fix it.
        hints: Vec<String>,
    },
}

/// The ledger, and the version of the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLedger {
    pub ledger: Ledger,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
}

impl SeenLedger {
    /// What it says, where it can be read.
    pub fn known(&self) -> Option<&Ledger> {
        match self {
            Self::Kept(stored) => Some(&stored.ledger),
            Self::Missing | Self::Unusable { .. } => None,
        }
    }
}

/// The recorded certificates that an API server does not know, by SHA-256 (DER).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownCertificates {
    /// It may not be asked, or did not say: nobody can tell.
    Unasked { why: String },
    /// These.
    Known(BTreeSet<String>),
}

/// Two clocks, read at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clocks {
    /// That of the API server.
    pub server: Timestamp,
    /// That of this machine.
    pub ours: Timestamp,
}

impl Clocks {
    /// How far they are apart.
    pub fn apart(self) -> SignedDuration {
        self.ours.duration_until(self.server).abs()
    }

    /// Whether they are too far apart for certificates: a signer counts from its own clock.
    pub(super) fn are_useless(self) -> bool {
        self.apart() > SignedDuration::from_mins(10)
    }
}

/// A cluster that was not read: what roster and pin say of it, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnseenCluster {
    /// What kubeconfigs connect to; `None` where that is left to certctl's own kubeconfig.
    pub server: Option<String>,
    /// What they verify it with; `None` where that is left to certctl's own kubeconfig.
    pub authority: Option<Authority>,
}

/// What a plan without a cluster cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// Bindings and drift, roles and namespaces, requests: whatever is in the cluster.
    Cluster,
    /// The address for kubeconfigs, where roster and pin leave it to certctl's own kubeconfig.
    Server,
    /// The CA for kubeconfigs, where roster and pin leave it to certctl's own kubeconfig.
    CertificateAuthority,
}

impl Unknown {
    /// Stable, for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Server => "server",
            Self::CertificateAuthority => "certificate-authority",
        }
    }
}

impl UnseenCluster {
    /// What is not known of it.
    pub fn unknown(&self) -> BTreeSet<Unknown> {
        let mut unknown = BTreeSet::from([Unknown::Cluster]);
        if self.server.is_none() {
            unknown.insert(Unknown::Server);
        }
        if self.authority.is_none() {
            unknown.insert(Unknown::CertificateAuthority);
        }
        unknown
    }
}

impl<'a> Observed<'a> {
    /// With a cluster that was read.
    pub fn seen(repository: &'a RepositoryState, cluster: &'a SeenCluster) -> Self {
        Self { repository, cluster: ClusterView::Seen(cluster) }
    }

    /// With a cluster that was not read.
    pub fn unseen(repository: &'a RepositoryState, cluster: &'a UnseenCluster) -> Self {
        Self { repository, cluster: ClusterView::Unseen(cluster) }
    }

    /// What the cluster remembers, where it was read.
    pub fn ledger(self) -> Option<&'a SeenLedger> {
        match self.cluster {
            ClusterView::Seen(seen) => Some(&seen.ledger),
            ClusterView::Unseen(_) => None,
        }
    }

    /// What is in the cluster, where it was read.
    pub fn state(self) -> Option<&'a ClusterState> {
        match self.cluster {
            ClusterView::Seen(seen) => Some(&seen.state),
            ClusterView::Unseen(_) => None,
        }
    }

    /// Where kubeconfigs lead, where certctl's own context is known.
    pub(super) fn published(self) -> Option<&'a PublishedEndpoint> {
        match self.cluster {
            ClusterView::Seen(seen) => Some(&seen.published),
            ClusterView::Unseen(_) => None,
        }
    }

    /// Whether a kubeconfig that is made now would be of use.
    pub(super) fn may_issue(self) -> bool {
        self.published().is_none_or(|published| published.refused.is_none())
            && !self.clock().is_some_and(Clocks::are_useless)
    }

    /// Whether a certificate is dead, because the cluster's client CA was replaced.
    pub(super) fn is_dead(self, x509_sha256: &str) -> bool {
        match self.cluster {
            ClusterView::Seen(SeenCluster { unknown: UnknownCertificates::Known(unknown), .. }) => {
                unknown.contains(x509_sha256)
            }
            ClusterView::Seen(_) | ClusterView::Unseen(_) => false,
        }
    }

    /// What the clocks say, where the cluster was read.
    pub(super) fn clock(self) -> Option<Clocks> {
        match self.cluster {
            ClusterView::Seen(seen) => seen.clock,
            ClusterView::Unseen(_) => None,
        }
    }

    /// Whether kubeconfigs connect to something else than this; `false` where that is not known.
    pub(super) fn leads_elsewhere(self, server: &str) -> bool {
        match self.cluster {
            ClusterView::Seen(seen) => seen.published.endpoint.server != server,
            ClusterView::Unseen(unseen) => unseen.server.as_ref().is_some_and(|known| known != server),
        }
    }

    /// Whether kubeconfigs carry another CA than this; `false` where that is not known.
    pub(super) fn trusts_another(self, authority: Option<&String>) -> bool {
        match self.cluster {
            ClusterView::Seen(seen) => !is_recorded(&seen.published.endpoint.authority, authority),
            ClusterView::Unseen(unseen) => {
                unseen.authority.as_ref().is_some_and(|known| !is_recorded(known, authority))
            }
        }
    }
}

/// Whether a record with this SHA-256 is about the same certificates.
fn is_recorded(authority: &Authority, sha256: Option<&String>) -> bool {
    match (authority, sha256) {
        (Authority::System, None) => true,
        (Authority::Bundle(bundle), Some(sha256)) => bundle.is_spelled(sha256),
        (Authority::System, Some(_)) | (Authority::Bundle(_), None) => false,
    }
}

/// A public key that its owner brought, from the roster's `csr:` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtKey {
    /// Digest of its public key.
    pub id: CredentialId,
    /// SHA-256 of the file (DER).
    pub csr_sha256: String,
    /// The request, PEM.
    pub request: String,
}

/// One cluster as it was read, in a fixed number of list calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterState {
    /// UID of the namespace kube-system: the cluster's identity.
    pub uid: String,
    /// Every namespace.
    pub namespaces: BTreeSet<String>,
    /// The labels of each that has any.
    pub namespace_labels: BTreeMap<String, BTreeMap<String, String>>,
    /// Those of them that are being deleted, in which nothing can be created.
    pub terminating: BTreeSet<String>,
    /// Every ClusterRole and every Role, with its rules.
    pub roles: Roles,
    /// Every RoleBinding and ClusterRoleBinding, whoever owns it.
    pub bindings: Vec<Binding>,
    /// Every CertificateSigningRequest, whoever made it.
    pub requests: Vec<SigningRequest>,
}

/// A CertificateSigningRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRequest {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// `spec.signerName`.
    pub signer_name: String,
    /// `spec.username`: who made it, as the API server saw them.
    pub requester: String,
    /// CN of the subject that it asks for, where the request can be read.
    pub common_name: Option<String>,
    /// Every O of the subject that it asks for.
    pub organizations: Vec<String>,
    /// Digest of the public key that it holds; `None` where the request cannot be read.
    pub key: Option<CredentialId>,
    /// `Approved`, `Denied` and `Failed` conditions that are true.
    pub conditions: Vec<String>,
    /// Whether a certificate was issued.
    pub issued: bool,
}

/// What the names of a roster's CertificateSigningRequests begin with.
pub fn request_prefix(roster: &crate::model::RosterName) -> String {
    format!("certctl-{roster}-")
}

/// Whether these labels say that the object belongs to this roster.
pub fn is_ours(labels: &BTreeMap<String, String>, roster: &crate::model::RosterName) -> bool {
    labels.get(LABEL_MANAGED_BY).is_some_and(|v| v == MANAGED_BY)
        && labels.get(LABEL_ROSTER).is_some_and(|v| v == roster.as_str())
}
