//! certctl: a declarative reconciler for people's access to Kubernetes.
//!
//! A map for a reader who has five minutes. Vocabulary first: [`model`] has the types that everything
//! is made of, [`roster`] what should be (users.yaml), [`record`] what the repository remembers, [`ledger`] what
//! the cluster does, [`rights`] what certctl needs there, and [`rbac`] is how Kubernetes decides who may do what.
//!
//! The core is pure: [`plan`] compares roster, records and cluster, [`access`] is who holds what by them, [`import`]
//! turns access that was given by hand into a roster, and [`render`] shows the result.
//! Neither knows a clock, a network or a disk.
//!
//! The edges each know one thing: [`cluster`] Kubernetes, [`repo`] git, [`seal`] age, [`pki`] keys and
//! certificates, [`kubeconfig`] the file that people get. [`apply`] joins a plan with the edges, in
//! the order that is safe.
//!
//! Around them: [`planning`] turns files and clusters into a plan, `report` says what an apply has done, `checks` what
//! is in its way,
//! `person` is the side of the user of a kubeconfig, `unlock` keeps their identities open for a while, [`os`] is what
//! differs between systems, `console` the terminal, `ci` the host that runs
//! certctl. [`commands`] has one thin file for each command of [`cli`]. [`init`] is the text that a new
//! repository begins with, `setup` asks for what is in it and writes it, `demo` is what a newcomer plays with.

pub mod access;
pub mod apply;
pub(crate) mod atomic_file;
pub(crate) mod checks;
pub(crate) mod ci;
pub mod cli;
pub(crate) mod clock;
pub mod cluster;
pub mod commands;
pub(crate) mod console;
#[cfg(feature = "sandbox")]
pub(crate) mod demo;
pub mod error;
pub mod exit_code;
pub mod import;
pub mod init;
pub mod interrupt;
pub mod kubeconfig;
pub mod ledger;
pub mod model;
pub mod os;
pub(crate) mod person;
pub mod pki;
pub mod plan;
pub mod planning;
pub mod rbac;
pub mod record;
pub mod record_folder;
pub mod render;
pub mod repo;
pub(crate) mod report;
pub mod rights;
pub mod roster;
pub mod seal;
pub(crate) mod setup;
pub(crate) mod unlock;
