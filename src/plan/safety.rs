//! Whether a plan may be applied: the rails against hurting oneself.

use std::collections::BTreeSet;

use super::{CredentialAction, Plan, Reason};
use crate::error::Error;
use crate::model::{ClusterName, UserName};
use crate::roster::{MaxRevocations, Roster};

/// Up to this many revocations a percentage does not count, so that small teams are not nagged.
pub const FLOOR: usize = 3;

/// # Errors
/// More is revoked than the roster allows, a protected user is revoked, or the roster holds no users
/// while people have credentials; unless exactly that many revocations were acknowledged.
pub fn check(roster: &Roster, plan: &Plan, acknowledged: Option<usize>) -> Result<(), Error> {
    // What the clock ended or a rotation replaced is no loss of access that someone may not have meant.
    let meant = |action: &&CredentialAction| match action {
        CredentialAction::Revoke { user: _, reason, cut_off: _, protected: _ } => {
            reason.is_roster_driven() && *reason != Reason::SuccessorCutOff
        }
        CredentialAction::Issue { .. } | CredentialAction::Renew { .. } | CredentialAction::Rotate { .. } => {
            false
        }
    };
    let revoked: BTreeSet<(&ClusterName, &UserName)> = plan
        .clusters
        .iter()
        .flat_map(|cluster| cluster.people.iter().filter(meant).map(|action| (&cluster.name, action.user())))
        .collect();
    // Who is gone from the roster is protected by what their record remembers of it.
    let recorded: BTreeSet<&UserName> = plan
        .clusters
        .iter()
        .flat_map(|cluster| cluster.people.iter().filter(meant))
        .filter(|action| matches!(action, CredentialAction::Revoke { protected: true, .. }))
        .map(CredentialAction::user)
        .collect();
    let is_protected = |user: &UserName| match roster.users.get(user) {
        Some(user) => user.protected,
        None => recorded.contains(user),
    };
    let count = revoked.len();
    if acknowledged == Some(count) && count > 0 {
        return Ok(());
    }
    if let Some(wrong) = acknowledged {
        return Err(Error::new(format!(
            "--acknowledge {wrong} does not fit: this plan revokes {count} {}; nothing was changed",
            plural(count, "credential")
        ))
        .hint(if count == 0 {
            "leave the flag out".to_owned()
        } else {
            format!("read `certctl plan`; if that is intended, run `certctl apply --acknowledge {count}`")
        }));
    }
    let active: usize = plan.clusters.iter().map(|cluster| cluster.active).sum();
    let (limit, text) = match roster.max_revocations {
        MaxRevocations::Count(limit) => (limit as usize, format!("limit {limit}")),
        MaxRevocations::Percent(percent) => {
            let share = active * usize::from(percent) / 100;
            (share.max(FLOOR), format!("limit {percent}%, at least {FLOOR}"))
        }
    };
    let reason = if roster.users.is_empty() && count > 0 {
        Some(format!("the roster has no users, which would revoke {count} of {active}"))
    } else if count > limit {
        Some(format!(
            "this would revoke {count} of {active} active {} ({text})",
            plural(active, "credential")
        ))
    } else {
        revoked
            .iter()
            .find(|(_, user)| is_protected(user))
            .map(|(cluster, user)| format!("`{user}` is protected and would lose access to `{cluster}`"))
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            let mut names: Vec<String> =
                revoked.iter().take(20).map(|(cluster, user)| format!("{user} on {cluster}")).collect();
            if count > names.len() {
                names.push(format!("and {} more", count - names.len()));
            }
            Err(Error::new(format!("refusing to apply: {reason}; nothing was changed"))
                .hint(format!("it would revoke {}", names.join(", ")))
                .hint(format!("if that is intended, run `certctl apply --acknowledge {count}`")))
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
