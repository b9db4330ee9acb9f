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

pub mod api;
#[allow(dead_code, reason = "the API does not ask it yet")]
pub mod authority;
pub mod backend;
pub mod clock;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod csr;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod der;
pub mod faults;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod gc;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod go;
pub mod proxy;
pub mod rbac;
pub mod request;
pub mod server;
#[allow(dead_code, reason = "the API does not ask it yet")]
pub mod signer;
pub mod status;
#[cfg(test)]
mod testing;
pub mod user;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod validate;
#[allow(dead_code, reason = "the API does not ask it yet")]
mod x509;
