//! The pure diff: roster, records and cluster in, a plan out.
//!
//! No clock, network, disk or randomness in here; `now` is an argument. The flow of `plan`, one
//! cluster at a time:
//!
//! 1. `check`: is this the cluster that the records are about, and is everything there that the
//!    roster names? What is not is `held` back, and the rest goes on.
//! 2. `people`: for each person, keep, issue, renew, rotate or revoke.
//! 3. `bindings`: what every binding has to hold, against what it holds.
//! 4. `warnings`: what an administrator should know but certctl will not change.
//!
//! `rights` and `full_control` say what that means for people. `digest` names the plan, and `safety` says of whom `withhold` takes out what it takes away. `branch_diff` tells what
//! of it a branch changes, and `roster_changes` what else it edits. `write` says how each binding gets
//! there, and `next_record` what the records say then. What is decided are codes and data: the words are
//! in `render`.

pub mod access_transfer;
pub mod action;
pub mod binding_action;
pub mod binding_diff;
pub mod binding_key;
mod bindings;
mod branch_bindings;
pub mod branch_diff;
pub mod change;
pub mod changes;
pub mod check;
pub mod cleanup;
pub mod cluster_plan;
pub mod credentials;
pub mod cut_offs;
pub mod desired_bindings;
pub mod digest;
pub mod emergency;
pub mod endpoint;
pub mod full_control;
pub mod held;
pub mod losses;
mod needed_rights;
pub mod next_record;
pub mod observed;
mod outline;
mod people;
pub mod reason;
mod remembered;
mod requests;
pub mod residual_access;
pub mod reviewed;
pub mod rights;
pub mod roster_changes;
pub mod safety;
mod shared_keys;
pub mod strays;
mod takeover;
pub mod terms;
mod unbindable;
pub mod warning;
mod warnings;
mod withhold;
pub mod write;

pub use action::{CredentialAction, Issuance, Verb};
pub use binding_action::BindingAction;
pub use branch_diff::BranchDiff;
pub use changes::{Approval, Base, ClusterChanges, Plan, Summary, UnreadCluster};
pub use cleanup::Cleanup;
pub use cluster_plan::{ClusterPlan, OfflinePlan};
pub use held::Held;
pub use observed::{BroughtKey, Observed, RepositoryState, Unknown};
pub use outline::{Side, plan, plan_offline};
pub use reason::Reason;
pub use warning::Warning;
