//! certctl: a declarative reconciler for people's access to Kubernetes.

pub mod error;
pub mod model;
pub mod plan;
pub mod record;
pub mod render;
pub mod roster;
