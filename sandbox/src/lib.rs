//! A small in-memory Kubernetes API server on loopback that does not pretend to be more.
//!
//! It speaks TLS with client certificates, asks RBAC for every request, and has the few kinds that
//! identity and access consist of; kubectl and client libraries work against it as against the real
//! one. What it lacks, it refuses with an explicit `Status`. Nothing ever runs on it, and
//! it is no place for secrets: anyone who can read the process has everything.
//!
//! The path of a request:
//!
//! 1. [`server`] accepts the connection, derives the [`user`] from its certificate, reads the whole
//!    request and passes both to a [`backend`];
//! 2. [`faults`] is in front of every backend: the call is counted, and may be made to fail
//!    before it is executed or after;
//! 3. behind it is [`api`], or for a [`proxy`] another API server (`upstream`), which gets the same request;
//! 4. [`request`] reads method, path and query into the attributes that RBAC decides on;
//! 5. [`rbac`] decides whether the sender may impersonate, and then whether the request is allowed;
//! 6. `discovery` answers non-resource paths, `reviews` answers access reviews; for the kinds that
//!    [`resource`] lists, `api` continues by verb: read, watch or write;
//! 7. a read gets the objects that match a `selector` from the [`store`], all at one revision;
//! 8. a write takes an object from the body, or from a `patch` of the existing one; `admission`
//!    has it checked against escalation, filled in and validated (`validate`, `csr`); and the store
//!    keeps it and notifies the watches;
//! 9. the response is an object, a list, a `table` or a [`status`], and `audit` records who requested what.
//!
//! The background tasks are in `controllers`: the [`signer`] of approved requests, and the collector of
//! old ones (`gc`).

#![warn(missing_docs)]

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
mod upstream;
pub mod user;
mod validate;
mod x509;

pub use sandbox::{Error, Options, Sandbox, State, VERSION};
