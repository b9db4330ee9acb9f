//! What somebody may do on one cluster, and through what: each right with the membership or the grant, the binding and
//! the role that it comes by.
//!
//! It is read from what the cluster holds, not from what the roster wishes: the roster only tells where a binding
//! comes from and when it ends.

use jiff::Timestamp;

use crate::model::{ClusterName, CredentialGroup, GroupName, UserName};
use crate::plan::binding_key::Grantee;
use crate::plan::observed::{self, BindingAt};
use crate::rbac::{AUTHENTICATED, AccessPath, Authorizer, Requester};
use crate::record::{Credential, CredentialState, Record};
use crate::roster::{Grant, Roster};

/// Where a binding comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A group of the roster.
    Group(GroupName),
    /// A grant of their own.
    Personal,
    /// It is none of ours.
    Others,
}

impl Origin {
    /// The group of the roster, where it is one.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Group(group) => Some(group),
            Self::Personal | Self::Others => None,
        }
    }
}

/// One way in which rights come to somebody.
#[derive(Debug, Clone)]
pub struct HeldRight<'a> {
    pub origin: Origin,
    pub path: AccessPath<'a>,
    /// When the roster ends it, if it does.
    pub until: Option<Timestamp>,
}

/// The credential that speaks for somebody: the newest that may be bound, else the newest that was revoked; of those
/// that have not expired.
pub fn credential(record: Option<&Record>, now: Timestamp) -> Option<&Credential> {
    let live = record?.credentials.iter().filter(|credential| credential.not_after > now);
    live.max_by_key(|credential| {
        let rank = match credential.state {
            CredentialState::Active => 2,
            CredentialState::Superseded => 1,
            CredentialState::Revoked => 0,
        };
        (rank, credential.not_before)
    })
}

/// As whom the API server sees a credential.
pub fn requester(user: &UserName, credential: Option<&Credential>) -> Requester {
    let own = credential.map(|credential| {
        let group = CredentialGroup::new(user, credential.id.clone());
        [group.to_string()]
            .into_iter()
            .chain(credential.in_certificate_groups.iter().map(ToString::to_string))
    });
    let groups = own.into_iter().flatten().chain([AUTHENTICATED.to_owned()]).collect();
    Requester { user: user.to_string(), groups }
}

/// A roster as it counts on one cluster, now.
#[derive(Debug, Clone, Copy)]
pub struct ClusterRoster<'a> {
    pub roster: &'a Roster,
    pub cluster: &'a ClusterName,
    pub now: Timestamp,
}

impl ClusterRoster<'_> {
    /// All rights of somebody, those of the whole cluster first.
    pub fn rights<'p>(
        self,
        user: &UserName,
        requester: &Requester,
        authorizer: &Authorizer<'p>,
    ) -> Vec<HeldRight<'p>> {
        let paths = authorizer.paths(requester).into_iter();
        paths.map(|path| self.right(user, path)).collect()
    }

    /// What a credential may do besides what every authenticated user may.
    pub fn rights_besides_everyones<'p>(
        self,
        user: &UserName,
        credential: &Credential,
        authorizer: &Authorizer<'p>,
    ) -> Vec<HeldRight<'p>> {
        let mut own = requester(user, Some(credential));
        own.groups.retain(|group| group != AUTHENTICATED);
        let rights = self.rights(user, &own, authorizer).into_iter();
        // A role that does not exist allows nothing.
        rights.filter(|right| right.path.rules.is_some()).collect()
    }

    /// With what the roster says of it.
    pub fn right<'p>(self, user: &UserName, path: AccessPath<'p>) -> HeldRight<'p> {
        let ours = observed::is_ours(&path.binding.labels, &self.roster.name);
        let origin = ours.then(|| Grantee::of_binding(&path.binding.at.name)).flatten().map_or(
            Origin::Others,
            |grantee| match grantee {
                Grantee::Group(group) => Origin::Group(group),
                Grantee::User(_) => Origin::Personal,
            },
        );
        let role = (path.binding.role_kind.as_str(), path.binding.role_name.as_str());
        let until = self.until(user, &origin, role, &path.binding.at);
        HeldRight { origin, path, until }
    }

    fn until(
        self,
        user: &UserName,
        origin: &Origin,
        (kind, role): (&str, &str),
        at: &BindingAt,
    ) -> Option<Timestamp> {
        let user = self.roster.users.get(user)?;
        let (membership, grants) = match origin {
            Origin::Group(group) => (user.groups.get(group)?.until, &self.roster.groups.get(group)?.grants),
            Origin::Personal => (None, &user.grants),
            Origin::Others => return None,
        };
        let meant = |grant: &&Grant| {
            grant.clusters.includes(self.cluster)
                && grant.role.kind() == kind
                && grant.role.name().as_str() == role
                && covers(grant, at.namespace.as_deref())
        };
        let grant = grants.iter().find(meant).and_then(|grant| grant.until);
        [user.until, membership, grant].into_iter().flatten().min()
    }
}

/// Whether a grant counts in a namespace; `None` is the whole cluster.
pub fn covers(grant: &Grant, namespace: Option<&str>) -> bool {
    match (&grant.namespaces, namespace) {
        (None, None) => true,
        // Of a namespace that may fit, the cluster knows the labels: where it is bound, they do.
        (Some(names), Some(namespace)) => {
            names.iter().any(|(name, _)| name.as_str() == namespace)
                || grant.matching.as_ref().is_some_and(|matching| matching.may_include(namespace))
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}
