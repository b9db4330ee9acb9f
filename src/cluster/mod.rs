//! Reading and writing Kubernetes; the only place that knows kube.
//!
//! [`Connection`] is one context of a kubeconfig. [`observe`] and [`whoami`] only read. [`Writer`]
//! changes bindings and the ledger, and [`Signer`] has certificates signed; both need a [`WritePermit`], which
//! planning never holds. Every call has a time limit, and is tried again only where that is safe.
//!
//! It refuses to take a failed read for an empty one, to change an object that does not carry this
//! roster's labels, and to approve a request that is not, byte for byte, the one this process made.

mod access_review;
mod ask;
mod call;
mod certificates;
mod client_authorities;
mod connect;
mod context;
mod convert;
mod error;
mod kubeconfig_entries;
mod lease;
mod ledger;
mod limits;
mod own_rights;
mod own_rules;
mod probe;
mod proxy;
mod read;
mod resource;
mod retry;
mod self_review;
mod server;
mod service_account;
mod signing;
mod signing_error;
mod watch;
mod write;

pub use access_review::{Verdict, review_access};
pub use ask::{Answer, ask};
pub use client_authorities::client_authorities;
pub use connect::Connection;
pub use context::current as current_context;
pub use lease::LeaseLock;
pub use ledger::{read as read_ledger, rosters};
pub use own_rights::{HasRight, rights};
pub use own_rules::listed_rights;
pub use probe::{NewCertificate, Probed, reach};
pub use read::{bindings, observe, uid};
pub use self_review::{own_identity, whoami};
pub use server::{api_groups, rbac_object, version};
pub use signing::{Ask, Signer};
pub use signing_error::{SigningEnd, SigningError};
pub use write::{WritePermit, Writer};
