//! Keys, certificate signing requests and certificates: created, parsed and compared; nothing is sent.
//!
//! Private keys are generated here, exist once in memory and are wiped. Requests and certificates are
//! read as untrusted bytes: bounded in size, never a panic, and refused if they contain what
//! certctl does not ask for.

mod authority;
mod brought;
mod certificate;
mod client_authority;
mod der;
mod key;
mod name;
pub(crate) mod pem;
mod request;
#[cfg(test)]
pub(crate) mod testing;

pub use authority::ca_bundle;
pub use brought::{BroughtRequest, check_brought_request};
pub use certificate::{Certificate, verify_issued};
pub use client_authority::ClientAuthorities;
pub use key::{KeyAlgorithm, KeyDescription, PrivateKey};
pub use request::{
    RequestSubject, RequestSummary, RequestedSubject, parse_request, requested_subject, signing_request,
    verify_request,
};

/// The largest request, certificate chain or key that is read, in bytes.
pub const SIZE_LIMIT: usize = 64 * 1024;
