//! A plan as it is read: named by its digest, held against the safety limit, and shown. Nothing can be
//! applied from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::{CredentialAction, Verb};
use super::binding_action::BindingAction;
use super::binding_diff::BindingDiff;
use super::cleanup::Cleanup;
use super::cluster_plan::{ClusterPlan, OfflinePlan};
use super::full_control::FullControl;
use super::held::Held;
use super::losses::Loss;
use super::observed::Unknown;
use super::roster_changes::RosterChange;
use super::strays::Stray;
use super::terms::Terms;
use super::warning::Warning;
use crate::model::{ClusterName, CredentialId, RosterName, UserName};
use crate::roster::RosterFileNames;

/// All that one run would do, or all that a branch changes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose roster it is.
    pub roster: RosterName,
    /// The commit that the roster was read at.
    pub roster_commit: Option<String>,
    /// When it was made.
    pub now: Timestamp,
    /// The roster's files, for places in them.
    pub roster_files: RosterFileNames,
    /// By name.
    pub clusters: Vec<ClusterChanges>,
    /// The clusters that were asked for and that nothing is known of, by name.
    pub unread: Vec<UnreadCluster>,
    /// What it is compared with: then it holds only what a branch changes.
    pub base: Option<Base>,
}

/// A cluster that could not be read, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadCluster {
    /// The roster's name for it.
    pub name: ClusterName,
    /// Why.
    pub error: String,
}

/// The revision that a branch is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// As it was asked for.
    pub revision: String,
    /// The commit, in full.
    pub commit: String,
    /// What is pending there already, and so not the branch's doing.
    pub pending: Summary,
    /// What else the branch changes in the roster.
    pub roster_changes: Vec<RosterChange>,
    /// The files of the roster that the branch changes, and who has to approve that.
    pub approvals: Vec<Approval>,
    /// Where it could not be compared with, and why: there the plan is the whole one.
    pub notes: Vec<String>,
}

/// A file of the roster that a branch changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The file.
    pub file: String,
    /// Its code owners, as the base says; none where it has none.
    pub owners: Vec<String>,
}

/// What changes on one cluster.
#[derive(Debug, Clone)]
pub struct ClusterChanges {
    /// The roster's name for it.
    pub name: ClusterName,
    /// Its identity, where that is known.
    pub uid: Option<String>,
    /// Credentials, by user.
    pub people: Vec<CredentialAction>,
    /// Bindings, by name.
    pub bindings: Vec<BindingDiff>,
    /// Where credentials lead, and how long rights last; `None` with a base, which says nothing of it.
    pub terms: Option<Terms>,
    /// What is left over from earlier.
    pub cleanups: Vec<Cleanup>,
    /// What is held back, and why: with a base, only what the branch holds back.
    pub held: Vec<Held>,
    /// With a base: what is held back there already.
    pub held_before: Vec<Held>,
    /// What certctl will not change.
    pub warnings: Vec<Warning>,
    /// Who comes to full control.
    pub full_control: Vec<FullControl>,
    /// When the next credential falls due for renewal, and whose.
    pub next_renewal: Option<(Timestamp, UserName)>,
    /// Active credentials before this plan: what the safety limit is a share of.
    pub active: usize,
    /// Who loses all access here.
    pub losing: BTreeMap<UserName, Loss>,
    /// What was not looked at; empty where the cluster was read.
    pub unknown: BTreeSet<Unknown>,
    /// What is planned at the base, and with this branch is not any more.
    pub withdrawn: Vec<Withdrawn>,
}

/// An action that is planned at the base, and with a branch is not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    pub action: CredentialAction,
    /// The credentials that the branch records in place of it.
    pub recorded: Vec<CredentialId>,
}

impl From<&ClusterPlan> for ClusterChanges {
    fn from(plan: &ClusterPlan) -> Self {
        let ClusterPlan {
            name,
            uid,
            pin: _,
            people,
            bindings,
            terms,
            strays,
            cleanups,
            held,
            warnings,
            full_control,
            next_renewal,
            active,
            losing,
            ledger: _,
            only_cuts_off: _,
        } = plan;
        Self {
            name: name.clone(),
            uid: Some(uid.clone()),
            people: people.clone(),
            bindings: bindings
                .iter()
                .map(BindingAction::diff)
                .chain(strays.iter().map(Stray::diff))
                .collect(),
            terms: Some(terms.clone()),
            cleanups: cleanups.clone(),
            held: held.clone(),
            held_before: Vec::new(),
            warnings: warnings.clone(),
            full_control: full_control.clone(),
            next_renewal: next_renewal.clone(),
            active: *active,
            losing: losing.clone(),
            unknown: BTreeSet::new(),
            withdrawn: Vec::new(),
        }
    }
}

impl From<&OfflinePlan> for ClusterChanges {
    fn from(plan: &OfflinePlan) -> Self {
        let OfflinePlan {
            name,
            pinned_uid,
            people,
            terms,
            cleanups,
            held,
            warnings,
            next_renewal,
            active,
            losing,
            unknown,
        } = plan;
        Self {
            name: name.clone(),
            uid: pinned_uid.clone(),
            people: people.clone(),
            bindings: Vec::new(),
            terms: Some(terms.clone()),
            cleanups: cleanups.clone(),
            held: held.clone(),
            held_before: Vec::new(),
            warnings: warnings.clone(),
            full_control: Vec::new(),
            next_renewal: next_renewal.clone(),
            active: *active,
            losing: losing.clone(),
            unknown: unknown.clone(),
            withdrawn: Vec::new(),
        }
    }
}

impl ClusterChanges {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.bindings.is_empty()
            && self.cleanups.is_empty()
            && self.withdrawn.is_empty()
    }

    fn summary(&self) -> Summary {
        let (held, warnings) = (self.held.len(), self.warnings.len());
        Summary::of(&self.people, self.bindings.len(), self.cleanups.len(), held, warnings)
    }
}

/// How much a plan does, for headlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Summary {
    /// Credentials for people who have none.
    pub issue: usize,
    /// Credentials replaced with an overlap.
    pub renew: usize,
    /// Credentials replaced, the old one cut off at once.
    pub rotate: usize,
    /// Credentials taken away.
    pub revoke: usize,
    /// Bindings created, changed or removed.
    pub bindings: usize,
    /// Left-overs removed.
    pub cleanup: usize,
    /// What is held back until its cause is fixed.
    pub held: usize,
    /// Things to look at.
    pub warnings: usize,
}

impl Summary {
    pub(super) fn of(
        people: &[CredentialAction],
        bindings: usize,
        cleanup: usize,
        held: usize,
        warnings: usize,
    ) -> Self {
        let number = |verb| people.iter().filter(|action| action.verb() == verb).count();
        Self {
            issue: number(Verb::Issue),
            renew: number(Verb::Renew),
            rotate: number(Verb::Rotate),
            revoke: number(Verb::Revoke),
            bindings,
            cleanup,
            held,
            warnings,
        }
    }
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        let Self { issue, renew, rotate, revoke, bindings, cleanup, held, warnings } = other;
        self.issue += issue;
        self.renew += renew;
        self.rotate += rotate;
        self.revoke += revoke;
        self.bindings += bindings;
        self.cleanup += cleanup;
        self.held += held;
        self.warnings += warnings;
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.clusters.iter().all(ClusterChanges::is_empty)
    }

    /// Whether something only waits to be acknowledged.
    pub fn withholds(&self) -> bool {
        self.clusters.iter().any(|cluster| cluster.held.iter().any(Held::is_withheld))
    }

    /// Who stays out although the roster names them.
    pub fn kept_out(&self) -> BTreeSet<UserName> {
        let warnings = self.clusters.iter().flat_map(|cluster| &cluster.warnings);
        let out = warnings.filter_map(|warning| match warning {
            Warning::KeptOut { user, removal: _ } => Some(user.clone()),
            _ => None,
        });
        out.collect()
    }

    /// Whether everything that was asked for was read, nothing of it is to do or held back, and nobody is kept out.
    pub fn is_as_wished(&self) -> bool {
        let held = self.clusters.iter().any(|cluster| !cluster.held.is_empty());
        self.is_empty() && !held && self.unread.is_empty() && self.kept_out().is_empty()
    }

    /// The counts over all clusters.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.clusters.iter().for_each(|cluster| summary += cluster.summary());
        summary
    }

    /// Whether any cluster was not read: no apply can be held to such a plan.
    pub fn is_offline(&self) -> bool {
        self.clusters.iter().any(|cluster| !cluster.unknown.is_empty())
    }
}
