//! What is to be done on one cluster: a plan that can be applied, and what can be said without the cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::action::CredentialAction;
use super::binding_action::BindingAction;
use super::cleanup::Cleanup;
use super::full_control::FullControl;
use super::held::Held;
use super::losses::Loss;
use super::observed::{SeenLedger, Unknown};
use super::strays::Stray;
use super::terms::Terms;
use super::warning::Warning;
use crate::model::{ClusterName, CredentialId, UserName};
use crate::record::ClusterPin;

/// What would be done on one cluster that was read. Only this can be applied:
///
/// ```
/// use certctl::{apply::Target, plan::ClusterPlan};
/// fn target(plan: ClusterPlan, target: Target) -> Target {
///     Target { plan, ..target }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// The roster's name for it.
    pub name: ClusterName,
    /// Its identity.
    pub uid: String,
    /// What `access/<cluster>/cluster.yaml` is to say; `None` where it does.
    pub pin: Option<ClusterPin>,
    /// Credentials, by user.
    pub people: Vec<CredentialAction>,
    /// Bindings, by name.
    pub bindings: Vec<BindingAction>,
    /// Where credentials lead, and how long rights last.
    pub terms: Terms,
    /// Who leaves bindings of others.
    pub strays: Vec<Stray>,
    /// What is left over from earlier.
    pub cleanups: Vec<Cleanup>,
    /// What is held back, and why.
    pub held: Vec<Held>,
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
    /// What the cluster is to remember.
    pub ledger: LedgerPlan,
    /// Whether all but the cut-offs was left out: then nothing is bound either.
    pub only_cuts_off: bool,
}

/// What a cluster remembers of the roster's credentials, and is to remember.
#[derive(Debug, Clone)]
pub struct LedgerPlan {
    /// As it was read.
    pub seen: SeenLedger,
    /// What was revoked by earlier plans and has not expired, as the records say.
    pub revoked: BTreeMap<CredentialId, Timestamp>,
    /// For a ledger that does not know yet what was issued: what is recorded and bound already.
    pub adopted: BTreeMap<CredentialId, Timestamp>,
    /// Who need not be kept out any more: the roster says it by now.
    pub settled: BTreeSet<UserName>,
}

impl ClusterPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.bindings.is_empty()
            && self.strays.is_empty()
            && self.cleanups.is_empty()
    }
}

/// What roster and records decide of a cluster that was not read. It cannot be applied:
///
/// ```compile_fail,E0308
/// use certctl::{apply::Target, plan::OfflinePlan};
/// fn target(plan: OfflinePlan, target: Target) -> Target {
///     Target { plan, ..target }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct OfflinePlan {
    /// The roster's name for it.
    pub name: ClusterName,
    /// The identity that its records are about.
    pub pinned_uid: Option<String>,
    /// Credentials, by user.
    pub people: Vec<CredentialAction>,
    /// Where credentials lead, and how long rights last.
    pub terms: Terms,
    /// What is left over in the records.
    pub cleanups: Vec<Cleanup>,
    /// What is held back, and why.
    pub held: Vec<Held>,
    /// What certctl will not change.
    pub warnings: Vec<Warning>,
    /// When the next credential falls due for renewal, and whose.
    pub next_renewal: Option<(Timestamp, UserName)>,
    /// Active credentials before this plan: what the safety limit is a share of.
    pub active: usize,
    /// Who loses all access here, as far as roster and records tell it.
    pub losing: BTreeMap<UserName, Loss>,
    /// What was not looked at.
    pub unknown: BTreeSet<Unknown>,
}
