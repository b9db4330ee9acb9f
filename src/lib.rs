//! certctl: a declarative reconciler for people's access to Kubernetes.

pub mod error;
pub mod model;
pub mod record;
pub mod roster;
