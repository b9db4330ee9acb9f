//! The rails against hurting oneself: who loses access only when somebody says that it was meant.
//!
//! A plan is not refused for it. Who would lose access against a rule keeps it, and everyone else's part is
//! done (see `withhold`).

use std::collections::BTreeSet;

use super::changes::Plan;
use super::held::SafetyRule;
use super::losses::Loss;
use crate::model::{ClusterName, UserName};
use crate::roster::{MaxRevocations, Roster};

/// Up to this many people who lose access a percentage does not count, so that small teams are not nagged.
pub const FLOOR: usize = 3;

/// Another number was acknowledged than the plan withholds: nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongAcknowledgement {
    /// What was acknowledged.
    pub acknowledged: usize,
    /// What the plan withholds.
    pub withheld: usize,
}

/// Who keeps access until it is acknowledged that they lose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// What makes it dangerous.
    pub danger: Danger,
    /// Everyone, and where.
    pub people: BTreeSet<(ClusterName, UserName)>,
}

/// What someone may not have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// The roster has no users, and people have credentials.
    NoUsers {
        /// How many credentials are active.
        active: usize,
    },
    /// More people lose access than the roster allows.
    OverLimit {
        /// How many credentials are active.
        active: usize,
        /// What the roster allows.
        limit: MaxRevocations,
    },
    /// Someone loses access whom the roster protects, and perhaps others whom it protects.
    Protected { user: UserName, cluster: ClusterName },
}

impl Danger {
    pub fn rule(&self) -> SafetyRule {
        match self {
            Self::NoUsers { .. } => SafetyRule::EmptyRoster,
            Self::OverLimit { .. } => SafetyRule::Limit,
            Self::Protected { .. } => SafetyRule::Protected,
        }
    }
}

/// Who keeps access for now, of all clusters that were read.
pub fn withheld(roster: &Roster, plan: &Plan) -> Option<Withheld> {
    let clusters = plan.clusters.iter();
    let losing: Vec<(&ClusterName, &UserName, &Loss)> = clusters
        .flat_map(|cluster| cluster.losing.iter().map(|(user, loss)| (&cluster.name, user, loss)))
        .collect();
    let active: usize = plan.clusters.iter().map(|cluster| cluster.active).sum();
    let limit = match roster.max_revocations {
        MaxRevocations::Count(limit) => limit as usize,
        MaxRevocations::Percent(percent) => (active * usize::from(percent) / 100).max(FLOOR),
    };
    let (first_cluster, first_user, _) =
        losing.iter().find(|(_, _, loss)| loss.protected).or(losing.first())?;
    let danger = if roster.users.is_empty() {
        Danger::NoUsers { active }
    } else if losing.len() > limit {
        Danger::OverLimit { active, limit: roster.max_revocations }
    } else {
        Danger::Protected { user: (*first_user).clone(), cluster: (*first_cluster).clone() }
    };
    let is_withheld = |loss: &Loss| loss.protected || danger.rule() != SafetyRule::Protected;
    let withheld = losing.iter().filter(|(_, _, loss)| is_withheld(loss));
    let people: BTreeSet<_> = withheld.map(|&(cluster, user, _)| (cluster.clone(), user.clone())).collect();
    (!people.is_empty()).then_some(Withheld { danger, people })
}

/// The same, unless exactly that many were acknowledged.
///
/// # Errors
/// Another number was acknowledged.
pub fn judge(
    roster: &Roster,
    plan: &Plan,
    acknowledged: Option<usize>,
) -> Result<Option<Withheld>, WrongAcknowledgement> {
    let withheld = withheld(roster, plan);
    let count = withheld.as_ref().map_or(0, |withheld| withheld.people.len());
    match acknowledged {
        None => Ok(withheld),
        Some(acknowledged) if acknowledged == count && count > 0 => Ok(None),
        Some(acknowledged) => Err(WrongAcknowledgement { acknowledged, withheld: count }),
    }
}
