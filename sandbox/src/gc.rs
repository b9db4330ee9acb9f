//! When CertificateSigningRequests are deleted.
//!
//! pkg/controller/certificates/cleaner/cleaner.go. The real one looks once an hour, so that a request
//! there can be an hour older; here it is deleted on time.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize as _;
use serde_json::Value;
use x509_parser::pem::parse_x509_pem;

use crate::csr::{self, APPROVED, DENIED, FAILED};
use crate::object::meta;
use crate::resource::Kind;
use crate::store::{Key, Tables};
use crate::x509;

/// No younger request is deleted: this is the validity of the shortest certificate.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// The age limit of issued, denied or failed requests.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// The age limit of requests that wait for an approval or for a signer.
const WAITING: SignedDuration = SignedDuration::from_hours(24);

/// Deletes the requests that are due.
pub(crate) fn throw_away(tables: &mut Tables, now: Timestamp) {
    const KIND: Kind = Kind::CertificateSigningRequest;
    let due: Vec<Key> = tables
        .objects(KIND)
        .iter()
        .filter(|(_, object)| !is_young(object, now))
        .filter(|(_, object)| {
            CertificateSigningRequest::deserialize(&***object).is_ok_and(|request| is_due(&request, now))
        })
        .map(|(key, _)| key.clone())
        .collect();
    for key in due {
        tables.remove(KIND, &key);
    }
}

fn is_young(object: &Value, now: Timestamp) -> bool {
    let made = meta(object, "creationTimestamp").parse::<Timestamp>();
    made.is_ok_and(|made| now.duration_since(made) < YOUNG)
}

/// Whether the request is due for deletion.
fn is_due(csr: &CertificateSigningRequest, now: Timestamp) -> bool {
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
