//! Who else a key lets in: the kubeconfigs of several people may be sealed to one key, and whoever loses their
//! own access then still opens another's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::credentials::lasts;
use super::observed::RepositoryState;
use super::warning::Warning;
use crate::model::{ClusterName, Recipient, UserName};
use crate::roster::Roster;

/// Every key of more than one person, on one cluster.
///
/// Recipients are compared as keys: an ssh key with another comment is the same one.
pub(super) fn find(
    roster: &Roster,
    cluster: &ClusterName,
    repository: &RepositoryState,
    kept_out: &BTreeSet<UserName>,
    now: Timestamp,
) -> Vec<Warning> {
    let has_access = |name: &UserName| {
        roster.users.get(name).is_some_and(|user| {
            user.clusters.contains(cluster)
                && !user.suspended
                && lasts(user.until, now)
                && !kept_out.contains(name)
        })
    };
    let mut keys: BTreeMap<&Recipient, Holders<'_>> = BTreeMap::new();
    for (name, user) in &roster.users {
        for recipient in user.recipients.keys() {
            let holders = keys.entry(recipient).or_default();
            if has_access(name) {
                holders.inside.insert(name);
            } else if user.clusters.contains(cluster) {
                holders.left.insert(name);
            }
        }
    }
    for (name, record) in repository.records.iter().filter(|(name, _)| !has_access(name)) {
        let credentials = record.credentials.iter().filter(|credential| credential.not_after > now);
        for recipient in credentials.flat_map(|credential| &credential.recipients) {
            if let Some(holders) = keys.get_mut(recipient) {
                holders.left.insert(name);
            }
        }
    }
    let with_access = keys.into_iter().filter(|(_, holders)| !holders.inside.is_empty());
    with_access.filter_map(|(recipient, holders)| holders.warning(recipient)).collect()
}

/// Whose recipient a key is.
#[derive(Default)]
struct Holders<'a> {
    /// They have access.
    inside: BTreeSet<&'a UserName>,
    /// They had it, or would have it if they were not kept out.
    left: BTreeSet<&'a UserName>,
}

impl Holders<'_> {
    fn warning(self, recipient: &Recipient) -> Option<Warning> {
        let owned = |names: BTreeSet<&UserName>| names.into_iter().cloned().collect();
        let recipient = recipient.clone();
        match (self.inside.len(), self.left.is_empty()) {
            (_, false) => Some(Warning::KeyOutlivesAccess {
                recipient,
                left: owned(self.left),
                opens: owned(self.inside),
            }),
            (2.., true) => Some(Warning::SharedRecipient { recipient, users: owned(self.inside) }),
            _ => None,
        }
    }
}
