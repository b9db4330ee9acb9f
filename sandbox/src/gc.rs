//! When CertificateSigningRequests are thrown away.
//!
//! pkg/controller/certificates/cleaner/cleaner.go. The real one looks once an hour, so that a request
//! there can be an hour older; here it is gone on time.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use x509_parser::pem::parse_x509_pem;

use crate::csr::{self, APPROVED, DENIED, FAILED};
use crate::x509;

/// After this long, what was issued, denied or has failed.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// After this long, what waits: for an approval, or for a signer.
const WAITING: SignedDuration = SignedDuration::from_hours(24);

/// Whether the request is to be thrown away.
pub(crate) fn is_due(csr: &CertificateSigningRequest, now: Timestamp) -> bool {
    let older = |time: Option<&Time>, than| time.is_some_and(|time| now.duration_since(time.0) > than);
    let conditions = csr::conditions(csr);
    let issued = !csr::certificate(csr).is_empty();
    if conditions.is_empty() && older(csr.metadata.creation_timestamp.as_ref(), WAITING) {
        return true;
    }
    conditions.iter().any(|condition| {
        let updated = condition.last_update_time.as_ref();
        match condition.type_.as_str() {
            DENIED | FAILED => older(updated, SETTLED),
            APPROVED if issued => older(updated, SETTLED) || has_expired(csr, now),
            APPROVED => older(updated, WAITING),
            _ => false,
        }
    })
}

fn has_expired(csr: &CertificateSigningRequest, now: Timestamp) -> bool {
    let first = parse_x509_pem(csr::certificate(csr)).ok().map(|(_, block)| block.contents);
    first.and_then(|der| x509::read_certificate(&der).ok()).is_some_and(|(_, not_after)| now > not_after)
}

#[cfg(test)]
mod tests;
