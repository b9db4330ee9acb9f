//! certctl: a declarative reconciler for people's access to Kubernetes.

pub mod cluster;
pub mod error;
pub mod kubeconfig;
pub mod model;
pub mod pki;
pub mod plan;
pub mod record;
pub mod render;
pub mod repo;
pub mod roster;
pub mod seal;
