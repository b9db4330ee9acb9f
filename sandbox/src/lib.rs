//! A small in-memory Kubernetes API server on loopback, honest about being one.
//!
//! It speaks TLS with client certificates, asks RBAC for every request, and has the few kinds that
//! identity and access are made of; kubectl and client libraries work against it as against the real
//! one. What it has not, it says so in a `Status`, and it never pretends. Nothing ever runs on it, and
//! it is no place for secrets: whoever can read the process has everything.
//!
//! The way of a request:
//!
//! 1. [`server`] takes the connection, finds out the [`user`], and hands both on to a [`backend`];
//! 2. `request` reads the URL into the attributes that RBAC decides on.

mod admission;
pub mod api;
mod audit;
pub mod authority;
pub mod backend;
mod bootstrap;
pub mod clock;
mod controllers;
mod csr;
mod der;
mod discovery;
pub mod faults;
mod gc;
mod go;
mod object;
mod patch;
mod protobuf;
pub mod proxy;
pub mod rbac;
pub mod request;
pub mod resource;
mod reviews;
mod sandbox;
mod selector;
pub mod server;
pub mod signer;
pub mod status;
pub mod store;
mod table;
#[cfg(test)]
mod testing;
pub mod user;
mod validate;
mod x509;

pub use sandbox::{Error, Options, Sandbox, State, VERSION};
