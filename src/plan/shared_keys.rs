//! Who else a key lets in: the kubeconfigs of several people may be sealed to one key, and whoever loses their
//! own access then still opens another's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::credentials::lasts;
use super::observed::RepositoryState;
use super::warning::Warning;
use crate::model::{ClusterName, Recipient, UserName};
use crate::roster::Roster;

/// Every key of more than one person, as far as this cluster is concerned: of those who lost access here, whatever
/// cluster their key opens a kubeconfig of, and of those who have it.
///
/// Recipients are compared as keys: an ssh key with another comment is the same one.
pub(super) fn find(
    roster: &Roster,
    cluster: &ClusterName,
    repository: &RepositoryState,
    kept_out: &BTreeSet<UserName>,
    now: Timestamp,
) -> Vec<Warning> {
    let clusters_of = |name: &UserName| -> BTreeSet<&ClusterName> {
        let user = roster.users.get(name).filter(|user| !user.suspended && lasts(user.until, now));
        let clusters = user.into_iter().flat_map(|user| &user.clusters);
        clusters.filter(|open| *open != cluster || !kept_out.contains(name)).collect()
    };
    let mut keys: BTreeMap<&Recipient, Holders<'_>> = BTreeMap::new();
    for (name, user) in &roster.users {
        let open = clusters_of(name);
        for recipient in user.recipients.keys() {
            let holders = keys.entry(recipient).or_default();
            if user.clusters.contains(cluster) && !open.contains(cluster) {
                holders.left.insert(name, open.clone());
            }
            if !open.is_empty() {
                holders.inside.insert(name, open.clone());
            }
        }
    }
    for (name, record) in &repository.records {
        let open = clusters_of(name);
        let credentials = record.credentials.iter().filter(|credential| credential.not_after > now);
        for recipient in credentials.flat_map(|credential| &credential.recipients) {
            if let Some(holders) = keys.get_mut(recipient).filter(|_| !open.contains(cluster)) {
                holders.left.insert(name, open.clone());
            }
        }
    }
    keys.into_iter().filter_map(|(recipient, holders)| holders.warning(recipient, cluster)).collect()
}

/// Whose recipient a key is, each with the clusters that they have access to.
#[derive(Default)]
struct Holders<'a> {
    /// They have access to some.
    inside: BTreeMap<&'a UserName, BTreeSet<&'a ClusterName>>,
    /// They had it on this one, or would have it if they were not kept out.
    left: BTreeMap<&'a UserName, BTreeSet<&'a ClusterName>>,
}

impl Holders<'_> {
    fn warning(self, recipient: &Recipient, cluster: &ClusterName) -> Option<Warning> {
        let recipient = recipient.clone();
        let (mut left, mut opens) = (BTreeSet::new(), BTreeSet::new());
        for (owner, own) in &self.left {
            let others = self.inside.iter().filter(|(name, open)| *name != owner && !open.is_subset(own));
            let others: BTreeSet<UserName> = others.map(|(name, _)| (*name).clone()).collect();
            if !others.is_empty() {
                left.insert((*owner).clone());
                opens.extend(others);
            }
        }
        if !left.is_empty() {
            return Some(Warning::KeyOutlivesAccess { recipient, left, opens });
        }
        let concerns = self.inside.values().any(|open| open.contains(cluster));
        let users: BTreeSet<UserName> = self.inside.into_keys().cloned().collect();
        (users.len() > 1 && concerns).then_some(Warning::SharedRecipient { recipient, users })
    }
}
