//! What the roster gives somebody on one cluster now, and through what.

use jiff::Timestamp;

use crate::model::{ClusterName, GroupName, UserName};
pub use crate::plan::credentials::has_access;
use crate::plan::credentials::{grant_lasts, lasts};
use crate::roster::{Grant, GrantOf, Roster, User};

/// A grant that counts now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantInForce<'r> {
    pub grant: &'r Grant,
    /// The group that it is a grant of; `None` for a personal one.
    pub through: Option<&'r GroupName>,
    /// When it ends: the earliest `until` of user, membership and grant.
    pub until: Option<Timestamp>,
}

/// The groups that somebody is in there now.
pub fn groups<'r>(
    user: &'r User,
    cluster: &ClusterName,
    now: Timestamp,
) -> impl Iterator<Item = &'r GroupName> {
    let here = user.groups.iter().filter(move |(_, membership)| membership.clusters.includes(cluster));
    here.filter(move |(_, membership)| lasts(membership.until, now)).map(|(name, _)| name)
}

/// What the roster gives somebody there now; nothing to whom it does not name.
pub fn granted<'r>(
    roster: &'r Roster,
    name: &UserName,
    cluster: &'r ClusterName,
    now: Timestamp,
) -> Vec<GrantInForce<'r>> {
    let Some(user) = roster.users.get(name).filter(|user| has_access(user, cluster, now)) else {
        return Vec::new();
    };
    let counts = |of: &GrantOf<'_>| grant_lasts(of, now);
    let all = roster.grants_of(user, cluster).filter(counts);
    all.map(|GrantOf { grant, through, membership_until }| GrantInForce {
        grant,
        through,
        until: [user.until, membership_until, grant.until].into_iter().flatten().min(),
    })
    .collect()
}
