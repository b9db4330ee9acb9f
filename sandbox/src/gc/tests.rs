use super::*;
use crate::authority::{Authority, pem};
use crate::testing::{csr, with_certificate, with_conditions};
use serde_json::json;

/// Whether a request created at midnight is due at this time of the same or the next day.
fn due(csr: &CertificateSigningRequest, now: &str) -> bool {
    is_due(csr, now.parse().expect("a time"))
}

#[test]
fn a_request_is_deleted_when_it_is_due() {
    let pending = csr(json!({}));
    let valid = Authority::new("CA", "2026-11-01T00:00:00Z".parse().expect("a time")).expect("made");
    let issued = |csr| with_certificate(csr, &pem("CERTIFICATE", valid.certificate()));
    let approved = with_conditions(pending.clone(), &["Approved"]);
    for (csr, kept, due_at) in [
        (pending.clone(), "2026-11-02T00:00:00Z", "2026-11-02T00:00:01Z"),
        (approved.clone(), "2026-11-02T00:00:00Z", "2026-11-02T00:00:01Z"),
        (issued(approved.clone()), "2026-11-01T01:00:00Z", "2026-11-01T01:00:01Z"),
        (with_conditions(pending.clone(), &["Denied"]), "2026-11-01T01:00:00Z", "2026-11-01T01:00:01Z"),
        (
            with_conditions(pending.clone(), &["Approved", "Failed"]),
            "2026-11-01T01:00:00Z",
            "2026-11-01T01:00:01Z",
        ),
    ] {
        assert!(!due(&csr, kept), "{:?}", csr.status);
        assert!(due(&csr, due_at), "{:?}", csr.status);
    }
    assert!(!due(&with_conditions(pending, &["Other"]), "2027-11-01T00:00:00Z"), "it is not pending");
}

#[test]
fn an_issued_request_is_deleted_when_its_certificate_expires() {
    let ten_years_ago = "2016-11-01T00:00:00Z".parse().expect("a time");
    let expired = Authority::new("CA", ten_years_ago).expect("made");
    let expired = pem("CERTIFICATE", expired.certificate());
    let approved = with_conditions(csr(json!({})), &["Approved"]);
    assert!(due(&with_certificate(approved.clone(), &expired), "2026-11-01T00:30:00Z"));
    assert!(!due(&with_certificate(approved, "no certificate"), "2026-11-01T00:30:00Z"));
}
