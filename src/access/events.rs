//! What happened to somebody, or in a group, between two versions of the roster or of the records.
//!
//! Events are codes and data; their words are in `render`. What one commit changes is one commit's events,
//! however many commits it was once: a squashed merge tells the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::model::{ClusterName, CredentialId, GroupName, Namespace, Recipient, RoleRef, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::{Grant, Membership, NamespaceMatch, OnClusters, Roster, User};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifeEvent {
    /// Put on the roster.
    Joined { user: UserName },
    /// Taken off the roster.
    Left { user: UserName },
    /// All access was taken away, or given back.
    Suspended { user: UserName, suspended: bool },
    /// When all access ends.
    Until { user: UserName, until: Option<Timestamp> },
    /// Access to whole clusters.
    Clusters { user: UserName, gained: BTreeSet<ClusterName>, lost: BTreeSet<ClusterName> },
    /// Other keys that kubeconfigs are sealed to.
    Recipients { user: UserName, added: BTreeSet<Recipient>, removed: BTreeSet<Recipient> },
    /// In or out of a group, or on other terms.
    Membership { user: UserName, group: GroupName, change: Gain, terms: Bounds },
    /// A right of one's own, or of a group that one is in.
    Grant {
        of: GrantHolder,
        role: RoleRef,
        /// `None` is the whole cluster.
        places: Option<BTreeSet<GrantPlace>>,
        change: Gain,
        terms: Bounds,
    },
    /// A first credential, or one after the last was revoked or had expired.
    Issued(IssuedCredential),
    /// A credential beside or after the one that it replaces.
    Renewed(IssuedCredential),
    /// A credential in place of one that was cut off.
    Rotated { new: IssuedCredential, cut_off: CredentialId },
    /// Cut off, and nothing in its place.
    Revoked { user: UserName, cluster: ClusterName, credential: CredentialId, not_after: Timestamp },
}

/// Whether something was gained, lost, or goes on with other terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gain {
    Lost,
    Gained,
    Changed,
}

/// Where a right counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantPlace {
    Namespace(Namespace),
    /// Wherever a namespace is like this.
    Like(NamespaceMatch),
}

impl fmt::Display for GrantPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => name.fmt(f),
            Self::Like(matching) => matching.fmt(f),
        }
    }
}

/// Where something counts, and until when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounds {
    pub clusters: OnClusters,
    pub until: Option<Timestamp>,
}

/// Whose a grant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantHolder {
    User(UserName),
    /// A group's; with the user whose history it is part of, where it is one's.
    Group(GroupName, Option<UserName>),
}

/// A credential as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCredential {
    pub user: UserName,
    pub cluster: ClusterName,
    pub credential: CredentialId,
    pub not_after: Timestamp,
}

impl LifeEvent {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Joined { .. } => "joined",
            Self::Left { .. } => "left",
            Self::Suspended { suspended: true, .. } => "suspended",
            Self::Suspended { suspended: false, .. } => "resumed",
            Self::Until { .. } => "until",
            Self::Clusters { .. } => "clusters",
            Self::Recipients { .. } => "recipients",
            Self::Membership { .. } => "membership",
            Self::Grant { .. } => "grant",
            Self::Issued(_) => "issued",
            Self::Renewed(_) => "renewed",
            Self::Rotated { .. } => "rotated",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// Whom it happened to; `None` where it is about a whole group.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::Joined { user }
            | Self::Left { user }
            | Self::Suspended { user, .. }
            | Self::Until { user, .. }
            | Self::Clusters { user, .. }
            | Self::Recipients { user, .. }
            | Self::Membership { user, .. }
            | Self::Revoked { user, .. }
            | Self::Grant { of: GrantHolder::User(user), .. } => Some(user),
            Self::Grant { of: GrantHolder::Group(_, user), .. } => user.as_ref(),
            Self::Issued(new) | Self::Renewed(new) | Self::Rotated { new, .. } => Some(&new.user),
        }
    }

    /// The group that it is about.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Membership { group, .. } | Self::Grant { of: GrantHolder::Group(group, _), .. } => {
                Some(group)
            }
            _ => None,
        }
    }

    /// The cluster that it happened on; `None` for what the roster says.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Self::Issued(new) | Self::Renewed(new) | Self::Rotated { new, .. } => Some(&new.cluster),
            Self::Revoked { cluster, .. } => Some(cluster),
            _ => None,
        }
    }

    /// The credential that it is about.
    pub fn credential(&self) -> Option<&CredentialId> {
        match self {
            Self::Issued(new) | Self::Renewed(new) | Self::Rotated { new, .. } => Some(&new.credential),
            Self::Revoked { credential, .. } => Some(credential),
            _ => None,
        }
    }
}

/// What two versions of a roster say differently of the user or the group of this name. `None` is no roster.
pub fn of_roster(before: Option<&Roster>, after: Option<&Roster>, name: &str) -> Vec<LifeEvent> {
    let mut events = Vec::new();
    if let Ok(user) = name.parse::<UserName>() {
        of_user(before, after, &user, &mut events);
        through_groups(before, after, &user, &mut events);
    }
    if let Ok(group) = name.parse::<GroupName>() {
        of_group(before, after, &group, &mut events);
    }
    events
}

/// What two versions of a roster say differently of anybody and of any group, by name. What a group gains or loses
/// is told of the group, and not of each member.
pub fn of_everyone(before: Option<&Roster>, after: Option<&Roster>) -> Vec<LifeEvent> {
    let mut events = Vec::new();
    let rosters = || before.into_iter().chain(after);
    let users: BTreeSet<&UserName> = rosters().flat_map(|roster| roster.users.keys()).collect();
    for name in users {
        if before.and_then(|roster| roster.users.get(name)) != after.and_then(|roster| roster.users.get(name))
        {
            of_user(before, after, name, &mut events);
        }
    }
    let groups: BTreeSet<&GroupName> = rosters().flat_map(|roster| roster.groups.keys()).collect();
    for name in groups {
        let of = GrantHolder::Group(name.clone(), None);
        events.extend(grants(&of, group_grants(before, name), group_grants(after, name)));
    }
    events
}

fn of_user(before: Option<&Roster>, after: Option<&Roster>, name: &UserName, events: &mut Vec<LifeEvent>) {
    let (old, new) = (before.and_then(|r| r.users.get(name)), after.and_then(|r| r.users.get(name)));
    let user = || name.clone();
    match (old, new) {
        (None, None) => return,
        (None, Some(_)) => events.push(LifeEvent::Joined { user: user() }),
        (Some(_), None) => events.push(LifeEvent::Left { user: user() }),
        (Some(old), Some(new)) => {
            let (gained, lost) = (&new.clusters - &old.clusters, &old.clusters - &new.clusters);
            if !gained.is_empty() || !lost.is_empty() {
                events.push(LifeEvent::Clusters { user: user(), gained, lost });
            }
            let keys = |of: &User| of.recipients.keys().cloned().collect::<BTreeSet<_>>();
            let (old_keys, new_keys) = (keys(old), keys(new));
            let (added, removed) = (&new_keys - &old_keys, &old_keys - &new_keys);
            if !added.is_empty() || !removed.is_empty() {
                events.push(LifeEvent::Recipients { user: user(), added, removed });
            }
        }
    }
    let until = |of: Option<&User>| of.and_then(|of| of.until);
    if new.is_some() && until(old) != until(new) {
        events.push(LifeEvent::Until { user: user(), until: until(new) });
    }
    let suspended = |of: Option<&User>| of.is_some_and(|of| of.suspended);
    if new.is_some() && suspended(old) != suspended(new) {
        events.push(LifeEvent::Suspended { user: user(), suspended: suspended(new) });
    }
    let memberships = |of: Option<&User>| of.map(|of| of.groups.clone()).unwrap_or_default();
    let (old_groups, new_groups) = (memberships(old), memberships(new));
    let names: BTreeSet<&GroupName> = old_groups.keys().chain(new_groups.keys()).collect();
    for group in names {
        events.extend(membership(name, group, old_groups.get(group), new_groups.get(group)));
    }
    let personal = |of: Option<&User>| of.map(|of| of.grants.clone()).unwrap_or_default();
    events.extend(grants(&GrantHolder::User(user()), &personal(old), &personal(new)));
}

/// What a group gains while somebody is in it, they gain too.
fn through_groups(
    before: Option<&Roster>,
    after: Option<&Roster>,
    name: &UserName,
    events: &mut Vec<LifeEvent>,
) {
    let in_groups = |roster: Option<&Roster>| -> BTreeSet<GroupName> {
        let user = roster.and_then(|roster| roster.users.get(name));
        user.into_iter().flat_map(|user| user.groups.keys().cloned()).collect()
    };
    for group in &in_groups(before) & &in_groups(after) {
        let (old, new) = (group_grants(before, &group), group_grants(after, &group));
        events.extend(grants(&GrantHolder::Group(group, Some(name.clone())), old, new));
    }
}

fn of_group(before: Option<&Roster>, after: Option<&Roster>, name: &GroupName, events: &mut Vec<LifeEvent>) {
    let of = GrantHolder::Group(name.clone(), None);
    events.extend(grants(&of, group_grants(before, name), group_grants(after, name)));
    let rosters = before.into_iter().chain(after);
    let users: BTreeSet<&UserName> = rosters.flat_map(|roster| roster.users.keys()).collect();
    for user in users {
        let member = |roster: Option<&Roster>| roster?.users.get(user)?.groups.get(name).cloned();
        events.extend(membership(user, name, member(before).as_ref(), member(after).as_ref()));
    }
}

fn group_grants<'r>(roster: Option<&'r Roster>, name: &GroupName) -> &'r [Grant] {
    roster.and_then(|roster| roster.groups.get(name)).map_or(&[], |group| &group.grants)
}

fn membership(
    user: &UserName,
    group: &GroupName,
    before: Option<&Membership>,
    after: Option<&Membership>,
) -> Option<LifeEvent> {
    let (change, of) = match (before, after) {
        (None, Some(new)) => (Gain::Gained, new),
        (Some(old), None) => (Gain::Lost, old),
        (Some(old), Some(new)) if old != new => (Gain::Changed, new),
        _ => return None,
    };
    let terms = Bounds { clusters: of.clusters.clone(), until: of.until };
    Some(LifeEvent::Membership { user: user.clone(), group: group.clone(), change, terms })
}

/// A role in one place or everywhere.
type Right<'g> = (&'g RoleRef, Option<GrantPlace>);

/// Grants one place at a time, so that a list that grows by one says which one.
fn grants(of: &GrantHolder, before: &[Grant], after: &[Grant]) -> Vec<LifeEvent> {
    fn rights(grants: &[Grant]) -> BTreeMap<Right<'_>, BTreeSet<Bounds>> {
        let mut rights: BTreeMap<Right<'_>, BTreeSet<Bounds>> = BTreeMap::new();
        for grant in grants {
            let terms = Bounds { clusters: grant.clusters.clone(), until: grant.until };
            let mut add = |place| {
                rights.entry((&grant.role, place)).or_default().insert(terms.clone());
            };
            match &grant.namespaces {
                None => add(None),
                Some(namespaces) => {
                    let named = namespaces.iter().map(|(name, _)| GrantPlace::Namespace(name.clone()));
                    let like = grant.matching.iter().cloned().map(GrantPlace::Like);
                    named.chain(like).for_each(|place| add(Some(place)));
                }
            }
        }
        rights
    }
    let (before, after) = (rights(before), rights(after));
    let mut changes: BTreeMap<(Gain, &RoleRef, bool, Bounds), BTreeSet<GrantPlace>> = BTreeMap::new();
    let keys: BTreeSet<&Right<'_>> = before.keys().chain(after.keys()).collect();
    for right in keys {
        let (old, new) = (before.get(right), after.get(right));
        let (change, terms) = match (old, new) {
            (None, Some(new)) => (Gain::Gained, new),
            (Some(old), None) => (Gain::Lost, old),
            (Some(old), Some(new)) if old != new => (Gain::Changed, new),
            _ => continue,
        };
        let (role, place) = right;
        for terms in terms {
            let places = changes.entry((change, *role, place.is_some(), terms.clone())).or_default();
            places.extend(place.clone());
        }
    }
    let event = |((change, role, in_places, terms), places): (_, BTreeSet<GrantPlace>)| {
        let role: &RoleRef = role;
        let places = bool::then_some(in_places, places);
        LifeEvent::Grant { of: of.clone(), role: role.clone(), places, change, terms }
    };
    changes.into_iter().map(event).collect()
}

/// Somebody's credentials, by cluster.
pub type Records = BTreeMap<ClusterName, Vec<Credential>>;

/// What two versions of somebody's records say differently.
pub fn of_records(user: &UserName, before: &Records, after: &Records) -> Vec<LifeEvent> {
    let nothing = Vec::new();
    let clusters: BTreeSet<&ClusterName> = before.keys().chain(after.keys()).collect();
    let events = clusters.into_iter().flat_map(|cluster| {
        let of = |records: &'_ Records| records.get(cluster).cloned();
        let (old, new) = (of(before).unwrap_or_else(|| nothing.clone()), of(after).unwrap_or_default());
        on_cluster(user, cluster, &old, &new)
    });
    events.collect()
}

fn on_cluster(
    user: &UserName,
    cluster: &ClusterName,
    old: &[Credential],
    new: &[Credential],
) -> Vec<LifeEvent> {
    let known: BTreeMap<&CredentialId, &Credential> = old.iter().map(|c| (&c.id, c)).collect();
    let is_new = |c: &Credential| !known.contains_key(&c.id);
    // A brought key keeps its id: then it is the certificate that is new.
    let reissued = |c: &Credential| known.get(&c.id).is_some_and(|was| was.x509_sha256 != c.x509_sha256);
    let newly_revoked = |c: &Credential| {
        c.state == CredentialState::Revoked
            && known.get(&c.id).is_none_or(|was| was.state != CredentialState::Revoked)
    };
    let mut all: Vec<&Credential> = old.iter().filter(|c| !new.iter().any(|n| n.id == c.id)).collect();
    all.extend(new);
    all.sort_by_key(|c| (c.not_before, c.not_after));
    let mut events = Vec::new();
    let mut replaced = BTreeSet::new();
    for (index, credential) in all.iter().enumerate() {
        let made = IssuedCredential {
            user: user.clone(),
            cluster: cluster.clone(),
            credential: credential.id.clone(),
            not_after: credential.not_after,
        };
        if reissued(credential) {
            events.push(LifeEvent::Renewed(made));
            continue;
        }
        if !is_new(credential) {
            continue;
        }
        let last =
            all[..index].iter().rev().find(|c| c.state != CredentialState::Revoked || newly_revoked(c));
        events.push(match last {
            None => LifeEvent::Issued(made),
            Some(last) if newly_revoked(last) => {
                replaced.insert(&last.id);
                LifeEvent::Rotated { new: made, cut_off: last.id.clone() }
            }
            Some(_) => LifeEvent::Renewed(made),
        });
    }
    let revoked = all.iter().filter(|c| newly_revoked(c) && !replaced.contains(&c.id));
    events.extend(revoked.map(|c| LifeEvent::Revoked {
        user: user.clone(),
        cluster: cluster.clone(),
        credential: c.id.clone(),
        not_after: c.not_after,
    }));
    events
}
