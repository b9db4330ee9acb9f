//! Takes out of a plan what safety withholds: its people keep the access that they have, and nothing of
//! theirs is renewed, issued or recorded. Nobody comes into a binding by it.

use std::collections::{BTreeMap, BTreeSet};

use super::binding_action::BindingAction;
use super::binding_key::BindingSubject;
use super::change::{Change, ChangeReason};
use super::cleanup::Cleanup;
use super::cluster_plan::{ClusterPlan, OfflinePlan};
use super::held::Held;
use super::losses::Loss;
use super::safety::Withheld;
use crate::ledger::Ledger;
use crate::model::{ClusterName, CredentialGroup, Holder, UserName};

impl ClusterPlan {
    /// Leaves out what is withheld here, and says so.
    pub fn withhold(&mut self, withheld: &Withheld) {
        let users = withheld.on(&self.name);
        self.people.retain(|action| !users.contains(action.user()));
        self.cleanups.retain(|cleanup| !is_about(cleanup, &users));
        let ledger = self.ledger.seen.known();
        self.bindings.retain_mut(|binding| {
            binding.withhold(&users, ledger);
            binding.is_needed()
        });
        self.strays.retain_mut(|stray| stray.withhold(&users));
        self.held.extend(withheld.held(&self.losing, &users));
        // Whose renewal comes after theirs, this plan does not know.
        self.next_renewal.take_if(|(_, user)| users.contains(user));
    }
}

impl OfflinePlan {
    /// Leaves out what is withheld here, and says so.
    pub fn withhold(&mut self, withheld: &Withheld) {
        let users = withheld.on(&self.name);
        self.people.retain(|action| !users.contains(action.user()));
        self.cleanups.retain(|cleanup| !is_about(cleanup, &users));
        self.held.extend(withheld.held(&self.losing, &users));
        self.next_renewal.take_if(|(_, user)| users.contains(user));
    }
}

impl Withheld {
    fn on(&self, cluster: &ClusterName) -> BTreeSet<UserName> {
        self.people.iter().filter(|(name, _)| name == cluster).map(|(_, user)| user.clone()).collect()
    }

    fn held(&self, losing: &BTreeMap<UserName, Loss>, users: &BTreeSet<UserName>) -> Vec<Held> {
        let by = self.danger.rule();
        let at = |user| losing.get(user).and_then(|loss| loss.at);
        users.iter().map(|user| Held::Withheld { user: user.clone(), at: at(user), by }).collect()
    }
}

fn is_about(cleanup: &Cleanup, users: &BTreeSet<UserName>) -> bool {
    match cleanup {
        Cleanup::Expired { user, .. } | Cleanup::Protection { user, .. } => users.contains(user),
        // What the cluster remembers is no part of what they lose now.
        Cleanup::Revoked { .. } | Cleanup::Request { .. } => false,
    }
}

impl BindingAction {
    /// Keeps whom of these it holds, and takes in nobody of them. One that is made again for its own role
    /// keeps nobody: what they held there was another role.
    fn withhold(&mut self, users: &BTreeSet<UserName>, ledger: Option<&Ledger>) {
        let recreate = self.recreate;
        let holders: BTreeSet<Holder> = users.iter().map(Holder::of).collect();
        let stays = |change: &Change| !recreate && change.can_be_withheld() && !change.is_revoked_in(ledger);
        let is_theirs =
            |change: &Change| change.holder.as_ref().is_some_and(|holder| holders.contains(holder));
        let theirs = self.changes.iter().filter(|change| is_theirs(change) && stays(change));
        let kept: BTreeSet<CredentialGroup> = theirs.filter_map(Change::credential).collect();
        self.changes.retain(|change| !is_theirs(change) || !(change.joins || stays(change)));
        self.desired.retain(|subject| match subject {
            BindingSubject::Issued(user) => !users.contains(user),
            BindingSubject::Recorded(_) => true,
        });
        self.desired.extend(kept.iter().cloned().map(BindingSubject::Recorded));
        let is_taken_out = |change: &Change| !change.joins && change.why != ChangeReason::InAnotherPart;
        self.reduced = match self.reduced.take() {
            Some(reduced) if recreate || self.changes.iter().any(is_taken_out) => {
                Some(reduced.into_iter().chain(kept).collect())
            }
            _ => None,
        };
    }

    /// Whether anything of it is still to be done.
    pub(super) fn is_needed(&self) -> bool {
        !self.changes.is_empty() || (self.desired.is_empty() && self.observed.is_some())
    }
}
