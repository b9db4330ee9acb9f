//! The pure diff: roster, records and cluster in, a plan out.
//!
//! No clock, network, disk or randomness in here; `now` is an argument. The flow of `plan`, one
//! cluster at a time:
//!
//! 1. `check`: is this the cluster that the records are about, and is everything there that the
//!    roster names?
//! 2. `people`: for each person, keep, issue, renew, rotate or revoke.
//! 3. `bindings`: what every binding has to hold, against what it holds.
//! 4. `warnings`: what an administrator should know but certctl will not change.
//!
//! `safety` then decides whether a plan may be applied, and `digest` names it. `branch_diff` tells what
//! of it a branch changes, and `roster_changes` what else it edits. `write` says how each binding gets
//! there, and `next_record` what the records say then. What is decided are codes and data: the words are
//! in `render`.

pub mod access_transfer;
pub mod action;
pub mod binding_action;
pub mod binding_key;
mod bindings;
mod branch_bindings;
pub mod branch_diff;
pub mod change;
pub mod check;
pub mod cleanup;
pub mod credentials;
mod desired_bindings;
pub mod digest;
pub mod next_record;
pub mod observed;
mod people;
pub mod reason;
mod residual_access;
pub mod roster_changes;
pub mod safety;
pub mod takeover;
mod warnings;
pub mod write;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use action::{CredentialAction, Issuance, KeySource, Verb};
pub use binding_action::BindingAction;
pub use cleanup::Cleanup;
pub use observed::{BroughtKey, Observed, Unseen};
pub use reason::Reason;

use crate::error::Error;
use crate::model::{ClusterName, RosterName, UserName};
use crate::record::Credential;
use crate::roster::Roster;

/// All that one run would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose roster it is.
    pub roster: RosterName,
    /// The commit that the roster was read at.
    pub roster_commit: Option<String>,
    /// When it was made.
    pub now: Timestamp,
    /// By name.
    pub clusters: Vec<ClusterPlan>,
    /// What it is compared with: then it holds only what a branch changes, and cannot be applied.
    pub base: Option<Base>,
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
    pub edits: Vec<String>,
    /// Where it could not be compared with, and why: there the plan is the whole one.
    pub notes: Vec<String>,
}

/// What would be done on one cluster.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// The roster's name for it.
    pub name: ClusterName,
    /// Its identity.
    pub uid: String,
    /// Whether this run pins that identity in `access/<cluster>/cluster.yaml`.
    pub pin: bool,
    /// Credentials, by user.
    pub people: Vec<CredentialAction>,
    /// Bindings, by name.
    pub bindings: Vec<BindingAction>,
    /// What is left over from earlier.
    pub cleanups: Vec<Cleanup>,
    /// What certctl will not change.
    pub warnings: Vec<Warning>,
    /// When the next credential falls due for renewal, and whose.
    pub next_renewal: Option<(Timestamp, UserName)>,
    /// Active credentials before this plan: what the safety limit is a share of.
    pub active: usize,
    /// What was not looked at; empty where the cluster was read.
    pub unseen: BTreeSet<Unseen>,
    /// What is planned at the base, and with this branch is not any more.
    pub withdrawn: Vec<String>,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Stable, for machines: `foreign-csr`, `until-soon`, ...
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl ClusterPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.bindings.is_empty()
            && self.cleanups.is_empty()
            && self.withdrawn.is_empty()
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary {
            bindings: self.bindings.len(),
            cleanup: self.cleanups.len(),
            warnings: self.warnings.len(),
            ..Summary::default()
        };
        for action in &self.people {
            match action.verb() {
                Verb::Issue => summary.issue += 1,
                Verb::Renew => summary.renew += 1,
                Verb::Rotate => summary.rotate += 1,
                Verb::Revoke => summary.revoke += 1,
            }
        }
        summary
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
    /// Things to look at.
    pub warnings: usize,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        let Self { issue, renew, rotate, revoke, bindings, cleanup, warnings } = other;
        self.issue += issue;
        self.renew += renew;
        self.rotate += rotate;
        self.revoke += revoke;
        self.bindings += bindings;
        self.cleanup += cleanup;
        self.warnings += warnings;
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.clusters.iter().all(ClusterPlan::is_empty)
    }

    /// The counts over all clusters.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.clusters.iter().for_each(|cluster| summary += cluster.summary());
        summary
    }

    /// Whether any cluster was not read: such a plan cannot be applied.
    pub fn is_offline(&self) -> bool {
        self.clusters.iter().any(|cluster| !cluster.unseen.is_empty())
    }
}

/// Plans one cluster. Where it was not read, the plan says so in `unseen`, and holds no bindings.
///
/// # Errors
/// Everything that [`check`] finds: nothing is planned on a cluster that is not the pinned one, that
/// lacks a role or namespace which the roster grants, or that holds someone else's object under a
/// name we need.
pub fn plan(
    roster_file: &str,
    roster: &Roster,
    name: &ClusterName,
    observed: &Observed,
    now: Timestamp,
) -> Result<ClusterPlan, Error> {
    if observed.is_online() {
        check::identity(name, observed.pinned_uid.as_deref(), &observed.state.uid)?;
    }
    check::keys(roster_file, roster, name, observed, now)?;
    let outline = Outline::new(roster, name, observed, now);
    if observed.is_online() {
        check::references(roster_file, roster, name, observed, &outline.desired)?;
    }
    Ok(outline.into_plan(roster, name, observed, now))
}

/// What roster and records come to on one cluster, before anyone asks whether it can be done there.
struct Outline {
    people: people::People,
    desired: desired_bindings::Desired,
    warnings: Vec<Warning>,
}

impl Outline {
    fn new(roster: &Roster, name: &ClusterName, observed: &Observed, now: Timestamp) -> Self {
        let foreign = residual_access::ForeignBindings::new(roster, observed);
        let seen = observed.is_online().then_some(&foreign);
        let people = people::plan(roster, name, observed, seen, now);
        let desired = desired_bindings::desired(roster, name, &people, now);
        let warnings = warnings::find(roster, name, observed, &people, &foreign, now);
        Self { people, desired, warnings }
    }

    fn into_plan(
        self,
        roster: &Roster,
        name: &ClusterName,
        observed: &Observed,
        now: Timestamp,
    ) -> ClusterPlan {
        let Self { people, desired, warnings } = self;
        let online = observed.is_online();
        let diff = || bindings::diff(&roster.name, &desired, &observed.state, &people);
        let bindings = if online { diff() } else { Vec::new() };
        let mut cleanups: BTreeSet<Cleanup> = people.cleanups;
        cleanups.extend(leftover_requests(roster, observed, now));
        let pinned = || observed.pinned_uid.clone().unwrap_or_default();
        ClusterPlan {
            name: name.clone(),
            uid: if online { observed.state.uid.clone() } else { pinned() },
            pin: online && observed.pinned_uid.is_none(),
            bindings,
            cleanups: cleanups.into_iter().collect(),
            warnings,
            next_renewal: people.next_renewal,
            active: people.active,
            people: people.actions,
            unseen: observed.unseen.clone(),
            withdrawn: Vec::new(),
        }
    }
}

/// The recorded credential that came of a request. The cluster deletes an issued request within the hour.
fn outcome<'a>(observed: &'a Observed, request: &observed::SigningRequest) -> Option<&'a Credential> {
    let user = request.common_name.as_ref()?.parse::<UserName>().ok().filter(|_| request.issued)?;
    observed.records.get(&user)?.credentials.iter().find(|c| Some(&c.id) == request.key.as_ref())
}

/// Whether this very identity made a request in the name of this roster.
fn is_of_this_identity(roster: &Roster, observed: &Observed, request: &observed::SigningRequest) -> bool {
    observed::is_ours(&request.labels, &roster.name)
        && request.name.starts_with(&observed::request_prefix(&roster.name))
        && observed.identity.as_ref() == Some(&request.requester)
}

/// Requests of ours that nobody needs any more: those without a record, and those whose record is
/// forgotten now, which otherwise would be without one next time. Labels can be written by anyone, so
/// only what this very identity made is ours; the rest is [`warnings`]' to name.
fn leftover_requests<'a>(
    roster: &'a Roster,
    observed: &'a Observed,
    now: Timestamp,
) -> impl Iterator<Item = Cleanup> + 'a {
    let ours = observed.state.requests.iter().filter(move |request| {
        is_of_this_identity(roster, observed, request)
            && outcome(observed, request).is_none_or(|credential| credential.not_after <= now)
    });
    ours.map(|request| Cleanup::Request {
        name: request.name.clone(),
        uid: request.uid.clone(),
        requester: request.requester.clone(),
    })
}
