//! Keys that open the kubeconfigs of more than one user. That may be intended, as for someone's robot, so it
//! is no error; but who leaves the roster takes the key along.

use std::collections::BTreeMap;

use super::Roster;
use crate::model::{Position, Recipient, UserName};

/// Every recipient that more than one user has, with each place that names it.
pub fn find(roster: &Roster) -> BTreeMap<&Recipient, BTreeMap<&UserName, Position>> {
    let mut users: BTreeMap<&Recipient, BTreeMap<&UserName, Position>> = BTreeMap::new();
    for (name, user) in &roster.users {
        for (recipient, position) in &user.recipients {
            users.entry(recipient).or_default().insert(name, *position);
        }
    }
    users.retain(|_, users| users.len() > 1);
    users
}
