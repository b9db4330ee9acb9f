//! The roster: who should have access. Text in, valid types out, or every error at once.
//!
//! `yaml` makes text a tree with places, `validate` turns the tree into the types here and reports
//! everything that is wrong in one run. `document` is the same format as plain types: what
//! certctl writes, and the source of the JSON Schema. What is in a [`Roster`] needs no second look:
//! names are valid and unique, references resolve, recipients are keys.

pub mod details;
pub mod difference;
pub mod document;
pub mod edit;
mod errors;
pub mod excerpt;
pub mod fence;
mod fields;
mod files;
mod finding_code;
mod grants;
mod ignored;
mod include;
mod layout;
mod names;
mod on_clusters;
pub mod pattern;
mod reader;
pub mod selector;
pub mod shared_key;
mod users;
mod validate;
mod values;
mod yaml;

pub use details::Details;
pub use document::{part_schema, schema};
pub use errors::nearest;
pub use fence::May;
pub use files::RosterFileNames;
pub use finding_code::FindingCode;
pub use ignored::Ignored;
pub use include::{Part, PartPath, RosterParts, included};
pub use on_clusters::OnClusters;
pub use selector::NamespaceMatch;
pub use validate::{parse, parse_with_parts};
pub use values::{duration, end, server};
pub use yaml::{SIZE_LIMIT, text};

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::route::Route;
use crate::model::{
    BranchName, ClusterName, GroupName, KeyType, Namespace, Position, Recipient, RepoPath, RoleRef,
    RosterName, SignerName, UserName,
};

/// A valid roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// `metadata.name`: the owner written on every object.
    pub name: RosterName,
    /// At least one.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// Of certificates, where nothing else says so.
    pub certificates: CertificateDefaults,
    /// How much may be revoked in one run.
    pub max_revocations: MaxRevocations,
    /// The branch that it is applied from; as recorded at the first apply where absent.
    pub branch: Option<BranchName>,
    /// Findings of an audit that are not told for a time.
    pub ignored: Vec<Ignored>,
    /// Every group, also those without members.
    pub groups: BTreeMap<GroupName, Group>,
    /// Every user.
    pub users: BTreeMap<UserName, User>,
    /// The parts that it includes, and how far each may go.
    pub parts: BTreeMap<RepoPath, Part>,
    /// The files that it was read from.
    pub files: RosterFileNames,
}

/// A cluster that people get access to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The context of certctl's own kubeconfig that leads to it.
    pub context: String,
    /// What users connect to (`https://...`); the context's own server where absent.
    pub server: Option<String>,
    /// The CA of the serving certificate; the context's own where absent.
    pub certificate_authority: Option<RepoPath>,
    /// How users reach it.
    pub route: Route,
    /// What users' context is called.
    pub context_name: String,
    /// The default namespace of users' context.
    pub namespace: Option<Namespace>,
    /// Who signs the client certificates.
    pub signer_name: SignerName,
    /// Of certificates for it.
    pub certificates: CertificateOverrides,
    /// Where the roster names it.
    pub position: Position,
}

/// The largest number of credentials that one apply revokes without `--acknowledge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRevocations {
    /// Of the credentials that are active, in percent (0 to 100).
    Percent(u8),
    /// As a count.
    Count(u32),
}

/// What certificates are like, unless something says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateDefaults {
    /// The kind of key to generate.
    pub key: KeyType,
    /// The requested validity.
    pub validity: SignedDuration,
}

/// What certificates are like otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CertificateOverrides {
    /// The kind of key to generate.
    pub key: Option<KeyType>,
    /// The requested validity.
    pub validity: Option<SignedDuration>,
}

/// Users who have the same grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whether members' certificates also carry `O=<group>`.
    pub in_certificate: bool,
    /// The default namespace of members' context.
    pub namespace: Option<Namespace>,
    /// Of members' certificates.
    pub certificates: CertificateOverrides,
    /// The parts that may add members, besides the file that defines it.
    pub joinable: Vec<PartPath>,
    /// What members may do.
    pub grants: Vec<Grant>,
    /// Where the roster names it.
    pub position: Position,
}

/// One role, cluster-wide or in some namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which role.
    pub role: RoleRef,
    /// Where; `None` means cluster-wide (ClusterRoles only).
    pub namespaces: Option<Vec<(Namespace, Position)>>,
    /// Further namespaces, by what they are like; then `namespaces` is not `None`.
    pub matching: Option<NamespaceMatch>,
    /// On which clusters.
    pub clusters: OnClusters,
    /// When the grant ends.
    pub until: Option<Timestamp>,
    /// Where the roster names the role.
    pub position: Position,
}

/// Being in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// When it ends.
    pub until: Option<Timestamp>,
    /// On which clusters.
    pub clusters: OnClusters,
    /// What it brings.
    pub brings: Brings,
    /// Where the roster says so.
    pub position: Position,
}

/// What a membership brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// All that the group has: grants, and what it says of certificates and contexts.
    Everything,
    /// Grants alone. So it is where another file than the user's makes it: whoever may add members to a group must
    /// not decide about the certificates of other people.
    Grants,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Everyone of these keys can decrypt; at least one. Each with its place in the roster.
    pub recipients: BTreeMap<Recipient, Position>,
    /// Each group once.
    pub groups: BTreeMap<GroupName, Membership>,
    /// Personal grants.
    pub grants: Vec<Grant>,
    /// Where they have access.
    pub clusters: BTreeSet<ClusterName>,
    /// The default namespace of their own context.
    pub namespace: Option<Namespace>,
    /// When all of it ends.
    pub until: Option<Timestamp>,
    /// Raised to reissue and cut off the old credential at once; from 1.
    pub generation: u32,
    /// The place in the roster; `None` for a default.
    pub generation_position: Option<Position>,
    /// Whether all of it is taken away for now.
    pub suspended: bool,
    /// The place of that word in the roster, where it is written.
    pub suspended_position: Option<Position>,
    /// Of their certificates.
    pub certificates: CertificateOverrides,
    /// Who they are.
    pub details: Details,
    /// Bring your own key: a PKCS#10 file instead of a key generated here.
    pub csr: Option<RepoPath>,
    /// Never revoked without `--acknowledge`.
    pub protected: bool,
    /// Where the roster names them.
    pub position: Position,
}

/// A grant of somebody's own, or of a group that they are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantOf<'r> {
    pub grant: &'r Grant,
    /// The group; `None` for one of their own.
    pub through: Option<&'r GroupName>,
    /// When the membership ends.
    pub membership_until: Option<Timestamp>,
}

impl Grant {
    /// Where it counts, in words: `shop, pr-*`; `None` is a whole cluster.
    pub fn places(&self) -> Option<String> {
        let namespaces = self.namespaces.as_ref()?;
        let named = namespaces.iter().map(|(namespace, _)| namespace.to_string());
        Some(named.chain(self.matching.as_ref().map(ToString::to_string)).collect::<Vec<_>>().join(", "))
    }
}

impl Roster {
    /// Every grant of a user that counts on a cluster, over or not: their own, and those of their groups.
    pub fn grants_of<'r>(
        &'r self,
        user: &'r User,
        cluster: &'r ClusterName,
    ) -> impl Iterator<Item = GrantOf<'r>> {
        let own = user.grants.iter().map(|grant| GrantOf { grant, through: None, membership_until: None });
        let here = user.groups.iter().filter(|(_, membership)| membership.clusters.includes(cluster));
        let groups = here.filter_map(|(name, membership)| Some((name, membership, self.groups.get(name)?)));
        let shared = groups.flat_map(|(name, membership, group)| {
            let of = move |grant| GrantOf { grant, through: Some(name), membership_until: membership.until };
            group.grants.iter().map(of)
        });
        own.chain(shared).filter(|of| of.grant.clusters.includes(cluster))
    }

    /// The default namespace of someone's context: their own, else that of their groups, else the cluster's.
    /// Where their groups name different ones, none of those counts. A membership that has ended counts until
    /// it is taken off the roster: no clock moves people's default.
    pub fn namespace_of<'a>(&'a self, user: &'a User, cluster: &ClusterName) -> Option<&'a Namespace> {
        let named: BTreeSet<&Namespace> =
            self.templates(user, cluster).filter_map(|group| group.namespace.as_ref()).collect();
        let of_groups = if named.len() == 1 { named.first().copied() } else { None };
        let of_cluster = || self.clusters.get(cluster)?.namespace.as_ref();
        user.namespace.as_ref().or(of_groups).or_else(of_cluster)
    }

    /// The groups that say what someone's certificates and contexts are like.
    fn templates<'a>(&'a self, user: &'a User, cluster: &ClusterName) -> impl Iterator<Item = &'a Group> {
        let counts = |of: &Membership| of.brings == Brings::Everything && of.clusters.includes(cluster);
        let groups = user.groups.iter().filter(move |(_, membership)| counts(membership));
        groups.filter_map(|(name, _)| self.groups.get(name))
    }

    /// How long someone's certificates are to be valid: as they, their groups, the cluster or the defaults say, in
    /// that order. Of several groups, the shortest counts.
    pub fn validity_of(&self, user: &User, cluster: &ClusterName) -> SignedDuration {
        let of_groups =
            || self.templates(user, cluster).filter_map(|group| group.certificates.validity).min();
        let of_cluster = || self.clusters.get(cluster)?.certificates.validity;
        let own = user.certificates.validity;
        own.or_else(of_groups).or_else(of_cluster).unwrap_or(self.certificates.validity)
    }

    /// The kind of key that is generated for someone, as with their validity. Where their groups name different
    /// ones, none of those counts.
    pub fn key_of(&self, user: &User, cluster: &ClusterName) -> KeyType {
        let of_groups = || {
            let mut named = self.templates(user, cluster).filter_map(|group| group.certificates.key);
            let first = named.next()?;
            named.all(|other| other == first).then_some(first)
        };
        let of_cluster = || self.clusters.get(cluster)?.certificates.key;
        let own = user.certificates.key;
        own.or_else(of_groups).or_else(of_cluster).unwrap_or(self.certificates.key)
    }

    /// What it says, whatever the layout: all places are the default ones.
    #[must_use]
    pub fn without_positions(mut self) -> Self {
        let none = Position::default();
        self.files = RosterFileNames::default();
        for cluster in self.clusters.values_mut() {
            cluster.position = none;
        }
        for group in self.groups.values_mut() {
            group.position = none;
        }
        for user in self.users.values_mut() {
            user.position = none;
            user.generation_position = None;
            user.suspended_position = None;
            user.recipients.values_mut().for_each(|position| *position = none);
            user.groups.values_mut().for_each(|membership| membership.position = none);
        }
        self.ignored.iter_mut().for_each(|ignored| ignored.position = none);
        let of_groups = self.groups.values_mut().flat_map(|group| &mut group.grants);
        let of_users = self.users.values_mut().flat_map(|user| &mut user.grants);
        for grant in of_groups.chain(of_users) {
            grant.position = none;
            for (_, position) in grant.namespaces.iter_mut().flatten() {
                *position = none;
            }
            if let Some(matching) = &mut grant.matching {
                matching.position = none;
                matching.patterns.values_mut().for_each(|position| *position = none);
            }
        }
        self
    }
}
