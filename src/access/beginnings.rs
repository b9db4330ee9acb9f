//! Since which commit each right of a roster counts, from what its commits have changed.
//!
//! A right counts since the last of what it takes was there: its owner on the cluster, the membership, the grant.
//! Other terms do not begin it anew, except where it had ended before. What a shallow clone does not tell began
//! before all that it tells.

use std::collections::BTreeMap;
use std::mem;

use jiff::Timestamp;

use super::events::{Bounds, Gain, GrantHolder, LifeEvent};
use crate::model::{ClusterName, GroupName, RoleRef, UserName};
use crate::roster::OnClusters;

/// A commit among those that are told of: a larger one is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitIndex(pub usize);

/// When everything began that the roster says now.
#[derive(Debug, Default)]
pub struct Beginnings {
    users: BTreeMap<UserName, Began>,
    memberships: BTreeMap<(UserName, GroupName), Began>,
    grants: BTreeMap<GrantKey, Began>,
}

/// Whose grant, of which role, and where, as it is written.
type GrantKey = (Whose, RoleRef, Option<String>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    User(UserName),
    Group(GroupName),
}

impl Beginnings {
    /// What a commit changed that was made at this time; the commits one after the other, the oldest first.
    pub fn tell(&mut self, event: &LifeEvent, commit: CommitIndex, at: Timestamp) {
        match event {
            LifeEvent::Joined { user } => {
                self.users.insert(user.clone(), Began::everywhere(commit));
            }
            LifeEvent::Left { user } => {
                self.users.remove(user);
            }
            LifeEvent::Suspended { user, suspended: false } => {
                self.users.insert(user.clone(), Began::everywhere(commit));
            }
            LifeEvent::Suspended { suspended: true, .. } => {}
            LifeEvent::Until { user, until } => {
                let began = self.users.entry(user.clone()).or_default();
                if began.had_ended(at) {
                    *began = Began::everywhere(commit);
                }
                began.until = *until;
            }
            LifeEvent::Clusters { user, gained, lost: _ } => {
                let began = self.users.entry(user.clone()).or_default();
                began.on.extend(gained.iter().map(|cluster| (Some(cluster.clone()), commit)));
            }
            LifeEvent::Membership { user, group, change, terms } => {
                change_of(&mut self.memberships, (user.clone(), group.clone()), *change, terms, commit, at);
            }
            LifeEvent::Grant { of, role, places, change, terms } => {
                let holder = match of {
                    GrantHolder::User(user) => Whose::User(user.clone()),
                    GrantHolder::Group(group, _) => Whose::Group(group.clone()),
                };
                let places: Vec<Option<String>> = match places {
                    None => vec![None],
                    Some(places) => places.iter().map(|place| Some(place.to_string())).collect(),
                };
                for place in places {
                    let key = (holder.clone(), role.clone(), place);
                    change_of(&mut self.grants, key, *change, terms, commit, at);
                }
            }
            LifeEvent::Recipients { .. }
            | LifeEvent::Issued(_)
            | LifeEvent::Renewed(_)
            | LifeEvent::Rotated { .. }
            | LifeEvent::Revoked { .. } => {}
        }
    }

    /// Since when somebody has a right on a cluster, through a group or by a grant of their own; `None` where that
    /// is not told. `place` is as the roster writes it.
    pub fn of(
        &self,
        user: &UserName,
        cluster: &ClusterName,
        through: Option<&GroupName>,
        role: &RoleRef,
        place: Option<&str>,
    ) -> Option<CommitIndex> {
        let holder = through.map_or_else(|| Whose::User(user.clone()), |group| Whose::Group(group.clone()));
        let membership = through.and_then(|group| self.memberships.get(&(user.clone(), group.clone())));
        let grant = self.grants.get(&(holder, role.clone(), place.map(str::to_owned)));
        let all = [self.users.get(user), membership, grant].into_iter().flatten();
        all.filter_map(|began| began.on(cluster)).max()
    }
}

/// When something began.
#[derive(Debug, Default)]
struct Began {
    /// By cluster; under no name for all that are not named.
    on: BTreeMap<Option<ClusterName>, CommitIndex>,
    until: Option<Timestamp>,
    /// The commit that changed it last.
    changed: Option<CommitIndex>,
    /// What that commit changed.
    before: BTreeMap<Option<ClusterName>, CommitIndex>,
}

impl Began {
    fn everywhere(commit: CommitIndex) -> Self {
        Self { on: BTreeMap::from([(None, commit)]), ..Self::default() }
    }

    fn on(&self, cluster: &ClusterName) -> Option<CommitIndex> {
        on(&self.on, cluster)
    }

    fn had_ended(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= at)
    }

    /// A commit may give the same on several terms: what counts on any of them goes on.
    fn counts_on(&mut self, terms: &Bounds, commit: CommitIndex, at: Timestamp) {
        if self.changed != Some(commit) {
            self.changed = Some(commit);
            self.before = mem::take(&mut self.on);
            if self.had_ended(at) {
                self.before.clear();
            }
            self.until = terms.until;
        }
        // Without an end is the longest.
        self.until = self.until.zip(terms.until).map(|(one, other)| one.max(other));
        match &terms.clusters {
            OnClusters::All => {
                self.on.append(&mut self.before.clone());
                self.on.entry(None).or_insert(commit);
            }
            OnClusters::Only(names) => {
                for name in names {
                    self.on.insert(Some(name.clone()), on(&self.before, name).unwrap_or(commit));
                }
            }
        }
    }
}

fn on(on: &BTreeMap<Option<ClusterName>, CommitIndex>, cluster: &ClusterName) -> Option<CommitIndex> {
    on.get(&Some(cluster.clone())).or_else(|| on.get(&None)).copied()
}

fn change_of<K: Ord>(
    all: &mut BTreeMap<K, Began>,
    key: K,
    change: Gain,
    terms: &Bounds,
    commit: CommitIndex,
    at: Timestamp,
) {
    match change {
        Gain::Lost => drop(all.remove(&key)),
        Gain::Gained | Gain::Changed => all.entry(key).or_default().counts_on(terms, commit, at),
    }
}
