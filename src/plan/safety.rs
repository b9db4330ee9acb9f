//! Whether a plan may be applied: the rails against hurting oneself.

use std::collections::BTreeSet;

use super::action::CredentialAction;
use super::changes::Plan;
use super::reason::Reason;
use crate::model::{ClusterName, UserName};
use crate::roster::{MaxRevocations, Roster};

/// Up to this many revocations a percentage does not count, so that small teams are not nagged.
pub const FLOOR: usize = 3;

/// Why a plan must not be applied as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another number of revocations was acknowledged than the plan has.
    WrongAcknowledgement {
        /// What was acknowledged.
        acknowledged: usize,
        /// What the plan revokes.
        revoked: usize,
    },
    /// It has to be acknowledged first.
    NotAcknowledged {
        /// What makes it dangerous.
        danger: Danger,
        /// Everyone who would lose access, and where.
        revoked: BTreeSet<(ClusterName, UserName)>,
    },
}

/// What someone may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// The roster has no users, and people have credentials.
    NoUsers {
        /// How many credentials are active.
        active: usize,
    },
    /// More is revoked than the roster allows.
    OverLimit {
        /// How many credentials are active.
        active: usize,
        /// What the roster allows.
        limit: MaxRevocations,
    },
    /// Someone is revoked whom the roster protects.
    Protected { user: UserName, cluster: ClusterName },
}

/// # Errors
/// More is revoked than the roster allows, a protected user is revoked, or the roster holds no users
/// while people have credentials; unless exactly that many revocations were acknowledged.
pub fn check(roster: &Roster, plan: &Plan, acknowledged: Option<usize>) -> Result<(), Refusal> {
    let mut revoked = BTreeSet::new();
    // Who is gone from the roster is protected by what their record remembers of it.
    let mut recorded_as_protected = BTreeSet::new();
    for cluster in &plan.clusters {
        revoked.extend(cluster.losing.iter().map(|user| (cluster.name.clone(), user.clone())));
        for action in &cluster.people {
            let CredentialAction::Revoke { user, reason, cut_off: _, protected } = action else { continue };
            // What the clock ended or a rotation replaced is no loss of access that someone may not have meant.
            if reason.is_roster_driven() && *reason != Reason::SuccessorCutOff {
                revoked.insert((cluster.name.clone(), user.clone()));
                if *protected {
                    recorded_as_protected.insert(user);
                }
            }
        }
    }
    let is_protected = |user: &UserName| match roster.users.get(user) {
        Some(user) => user.protected,
        None => recorded_as_protected.contains(user),
    };
    if let Some(acknowledged) = acknowledged {
        return match revoked.len() {
            0 => Err(Refusal::WrongAcknowledgement { acknowledged, revoked: 0 }),
            count if count == acknowledged => Ok(()),
            count => Err(Refusal::WrongAcknowledgement { acknowledged, revoked: count }),
        };
    }
    let active: usize = plan.clusters.iter().map(|cluster| cluster.active).sum();
    let limit = match roster.max_revocations {
        MaxRevocations::Count(limit) => limit as usize,
        MaxRevocations::Percent(percent) => (active * usize::from(percent) / 100).max(FLOOR),
    };
    let danger = if roster.users.is_empty() && !revoked.is_empty() {
        Some(Danger::NoUsers { active })
    } else if revoked.len() > limit {
        Some(Danger::OverLimit { active, limit: roster.max_revocations })
    } else {
        let protected = revoked.iter().find(|(_, user)| is_protected(user));
        protected.map(|(cluster, user)| Danger::Protected { user: user.clone(), cluster: cluster.clone() })
    };
    danger.map_or(Ok(()), |danger| Err(Refusal::NotAcknowledged { danger, revoked }))
}
