//! certctl: a declarative reconciler for people's access to Kubernetes.

pub mod error;
