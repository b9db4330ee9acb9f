//! What certctl knows of the CI host that runs it.

pub mod environment;
pub mod github_actions;
