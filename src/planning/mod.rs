//! From files and clusters to a plan: finds the roster and what lies beside it, reads every cluster, and
//! plans. Nothing in here can change a cluster or the repository.

pub(crate) mod apply_source;
pub(crate) mod approved_plan;
pub(crate) mod branch_base;
pub mod branch_past;
pub(crate) mod cluster_locks;
pub(crate) mod cluster_run;
pub(crate) mod clusters;
mod codeowners;
pub(crate) mod connect;
pub(crate) mod lookup;
pub(crate) mod past;
mod past_rosters;
pub(crate) mod preflight;
mod records;
pub(crate) mod roster_branch;
pub mod roster_file;
pub mod source;
pub(crate) mod standing;
