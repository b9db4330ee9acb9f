//! certctl: a declarative reconciler for people's access to Kubernetes.
//!
//! A map for a reader who has five minutes. Words first: [`model`] holds the types that everything
//! is made of, [`roster`] what should be (users.yaml), [`record`] what the repository remembers.
//!
//! The core is pure: [`plan`] compares roster, records and cluster, and [`render`] shows the result.
//! Neither knows a clock, a network or a disk.
//!
//! The edges each know one thing: [`cluster`] Kubernetes, [`repo`] git, [`seal`] age, [`pki`] keys and
//! certificates, [`kubeconfig`] the file that people get. [`apply`] joins a plan with the edges, in
//! the order that is safe; [`commands`] has one thin file for each command of [`cli`]. [`init`] is the
//! text that a new repository begins with.

pub mod apply;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod error;
pub mod init;
pub mod interrupt;
pub mod kubeconfig;
pub mod model;
pub mod pki;
pub mod plan;
pub mod record;
pub mod render;
pub mod repo;
pub mod roster;
pub mod seal;
