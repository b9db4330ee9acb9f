//! What of a plan only takes access away: for an apply that can, or shall, do no more than that.
//!
//! Nobody comes into a binding by it. Who gains a right by the plan gains it by the next whole apply, which also
//! brings the records up to date.

use std::collections::BTreeSet;

use super::RepositoryState;
use super::action::CredentialAction;
use super::binding_action::BindingAction;
use super::binding_key::BindingSubject;
use super::change::{Change, ChangeReason};
use super::cluster_plan::ClusterPlan;
use super::reason::Reason;
use crate::model::{CredentialGroup, Holder, UserName};
use crate::roster::Roster;

/// What becomes of a credential that the plan cuts off and replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It stays, because what would replace it cannot be delivered: nobody is locked out for that.
    Kept,
    /// It is cut off all the same: the administrator asked for that.
    CutOff,
}

impl ClusterPlan {
    /// Leaves out all but the cut-offs.
    pub fn only_cut_offs(&mut self, replaced: Replaced) {
        self.only_cuts_off = true;
        let kept = match replaced {
            Replaced::Kept => self.take_rotations(|_| true),
            Replaced::CutOff => BTreeSet::new(),
        };
        let people = std::mem::take(&mut self.people).into_iter();
        self.people = people.filter_map(without_new_credential).collect();
        self.cleanups.clear();
        self.pin = None;
        self.keep(&kept);
        self.bindings.retain(|binding| binding.reduced.is_some() || hands_on(binding));
        if self.bindings.iter().all(|binding| binding.reduced.is_none()) {
            self.bindings.clear();
        }
        for binding in &mut self.bindings {
            binding.changes.retain(|change| !change.joins || change.why == ChangeReason::NotBound);
        }
    }

    /// Leaves out the rotations of these people: what would replace their credentials cannot be delivered.
    pub fn without_rotations(&mut self, whose: impl Fn(&UserName) -> bool) {
        let kept = self.take_rotations(whose);
        self.keep(&kept);
    }

    /// Leaves in place what no record here is about, except for whom the plan takes all access from: an apply
    /// whose records may be old ones does not know what newer ones say.
    pub fn keep_what_is_not_recorded(&mut self, roster: &Roster, repository: &RepositoryState) {
        let is_listed = |user: &UserName| {
            roster.users.get(user).is_some_and(|listed| listed.clusters.contains(&self.name))
        };
        let loses_all = |user: &UserName| {
            let mut actions = self.people.iter().filter(|action| action.user() == user).peekable();
            actions.peek().is_some()
                && actions.all(|action| matches!(action, CredentialAction::Revoke { .. }))
        };
        let leaves = |holder: &Holder| {
            let record = holder.find_in(&repository.records);
            record.is_some_and(|(user, _)| !is_listed(user) || loses_all(user))
        };
        let changes = self.bindings.iter().flat_map(|binding| &binding.changes);
        let unrecorded = changes.filter(|change| !change.joins && change.why == ChangeReason::NotRecorded);
        let kept = unrecorded.filter_map(Change::credential).filter(|group| !leaves(&group.holder)).collect();
        self.keep(&kept);
    }

    fn take_rotations(&mut self, whose: impl Fn(&UserName) -> bool) -> BTreeSet<CredentialGroup> {
        let mut kept = BTreeSet::new();
        self.people.retain(|action| match action {
            CredentialAction::Rotate { user, reason: _, new: _, cut_off } if whose(user) => {
                kept.insert(CredentialGroup::new(user, cut_off.credential.clone()));
                false
            }
            _ => true,
        });
        let users: BTreeSet<Holder> = kept.iter().map(|group| group.holder.clone()).collect();
        self.people.retain(|action| match action {
            CredentialAction::Revoke { user, reason: Reason::SuccessorCutOff, cut_off, protected: _ }
                if users.contains(&Holder::of(user)) =>
            {
                kept.insert(CredentialGroup::new(user, cut_off.credential.clone()));
                false
            }
            _ => true,
        });
        for binding in &mut self.bindings {
            binding.desired.retain(|subject| match subject {
                BindingSubject::Issued(user) => !users.contains(&Holder::of(user)),
                BindingSubject::Recorded(_) => true,
            });
            let is_theirs =
                |change: &Change| change.holder.as_ref().is_some_and(|holder| users.contains(holder));
            binding.changes.retain(|change| change.why != ChangeReason::ToBeIssued || !is_theirs(change));
        }
        kept
    }

    /// Keeps these wherever they are bound now.
    fn keep(&mut self, kept: &BTreeSet<CredentialGroup>) {
        for binding in &mut self.bindings {
            binding.keep_bound(kept);
        }
        self.bindings.retain(BindingAction::is_needed);
    }
}

/// A binding that somebody may have to be put into before they leave another one.
fn hands_on(binding: &BindingAction) -> bool {
    binding.desired.iter().any(|subject| matches!(subject, BindingSubject::Recorded(_)))
}

fn without_new_credential(action: CredentialAction) -> Option<CredentialAction> {
    match action {
        CredentialAction::Issue { .. } | CredentialAction::Renew { .. } => None,
        CredentialAction::Rotate { user, reason, new: _, cut_off } => {
            Some(CredentialAction::Revoke { user, reason, cut_off, protected: false })
        }
        revoke @ CredentialAction::Revoke { .. } => Some(revoke),
    }
}

impl BindingAction {
    /// One that is made again for its own role keeps nobody: what they held there was another role.
    fn keep_bound(&mut self, kept: &BTreeSet<CredentialGroup>) {
        if self.recreate {
            return;
        }
        let stays =
            |change: &Change| !change.joins && change.credential().is_some_and(|group| kept.contains(&group));
        let here: BTreeSet<CredentialGroup> =
            self.changes.iter().filter(|change| stays(change)).filter_map(Change::credential).collect();
        if here.is_empty() {
            return;
        }
        self.changes.retain(|change| !stays(change));
        self.desired.extend(here.iter().cloned().map(BindingSubject::Recorded));
        let takes_out = |change: &Change| !change.joins && change.why != ChangeReason::InAnotherPart;
        self.reduced = match self.reduced.take() {
            Some(reduced) if self.changes.iter().any(takes_out) => {
                Some(reduced.into_iter().chain(here).collect())
            }
            _ => None,
        };
    }
}
