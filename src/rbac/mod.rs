//! Kubernetes' role-based access control, as its API server decides it: what a rule allows, whom a binding
//! names, and which rights come to all others.
//!
//! Pure, and it knows nothing of rosters. It decides on rules, never on the name of a role: what is called
//! `view` may allow everything. It refuses to guess: a role that does not exist allows nothing.

mod authorizer;
mod binding;
mod control;
mod listed;
mod power;
mod rule;

pub use authorizer::{AUTHENTICATED, AccessPath, Authorizer, PRIVILEGED, Requester, Roles};
pub use binding::{Binding, BindingAt, Subject};
pub use control::{Control, Controls, Reach, Scope};
pub use listed::{Listed, ListedRules};
pub use power::{Power, powers};
pub use rule::{AccessRequest, Objects, PolicyRule, granted};
