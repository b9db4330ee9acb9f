//! A small in-memory Kubernetes API server on loopback, honest about being one.
//!
//! It speaks TLS with client certificates, asks RBAC for every request, and has the few kinds that
//! identity and access are made of; kubectl and client libraries work against it as against the real
//! one. What it has not, it says so in a `Status`, and it never pretends. Nothing ever runs on it, and
//! it is no place for secrets: whoever can read the process has everything.
//!
//! The way of a request:
//!
//! 1. [`server`] takes the connection, finds out the [`user`] from its certificate, reads the whole of
//!    the request and hands both on to a [`backend`];
//! 2. [`faults`] stands in front of every backend: the call is counted, and may be broken on purpose,
//!    before it is done or after;
//! 3. behind it is [`api`], or for a [`proxy`] another API server (`upstream`), which is asked the same;
//! 4. [`request`] reads method, path and query into the attributes that RBAC decides on;
//! 5. [`rbac`] says whether the sender may, and first whether they may speak for whom they name;
//! 6. `discovery` answers what is no resource, `reviews` a question about access; for the kinds that
//!    [`resource`] lists, `api` goes on by verb: read, watch or write;
//! 7. a read takes the objects that a `selector` means from the [`store`], all at one revision;
//! 8. a write takes an object from the body, or from a `patch` of the one that is there; `admission`
//!    has it checked against escalation, filled in and validated (`validate`, `csr`); and the store
//!    keeps it and tells the watches;
//! 9. the answer is an object, a list, a `table` or a [`status`], and `audit` takes down who asked what.
//!
//! What goes on by itself is in `controllers`: the [`signer`] of approved requests, and the collector of
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
