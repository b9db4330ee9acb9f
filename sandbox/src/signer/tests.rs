use rcgen::PublicKeyData as _;
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::csr::conditions;
use crate::testing::{csr, csr_of, request, with_conditions};
use crate::x509::Subject;

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

fn authority() -> Authority {
    Authority::new("client CA", now()).expect("made")
}

fn approved(spec: Value) -> CertificateSigningRequest {
    with_conditions(csr(spec), &["Approved"])
}

/// The DER of the certificate that was signed.
fn signed(csr: &CertificateSigningRequest, options: &SignerOptions) -> Vec<u8> {
    let status = decide(csr, options, &authority(), now()).expect("decided").expect("changed");
    let certificate = status.certificate.unwrap_or_else(|| panic!("not signed: {:?}", status.conditions));
    parse_x509_pem(&certificate.0).expect("PEM").1.contents
}

fn validity(spec: Value) -> (String, String) {
    let der = signed(&approved(spec), &SignerOptions::default());
    let validity = X509Certificate::from_der(&der).expect("a certificate").1.validity().clone();
    let text = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).expect("a time").to_string()
    };
    (text(validity.not_before), text(validity.not_after))
}

fn failure(csr: &CertificateSigningRequest, options: &SignerOptions) -> (String, String, String) {
    let status = decide(csr, options, &authority(), now()).expect("decided").expect("changed");
    assert_eq!(status.certificate, None);
    let added = status.conditions.expect("conditions").pop().expect("one");
    assert_eq!((added.status.as_str(), added.last_update_time), ("True", Some(Time(now()))));
    (added.type_, added.reason.expect("a reason"), added.message.expect("a message"))
}

#[test]
fn a_certificate_contains_only_what_was_requested() {
    let (key, pem) = request(&Subject::new("alice", &["ops", "certctl:alice:1", "dev"]), true);
    let asked = json!({"usages": ["key encipherment", "client auth", "digital signature"]});
    let der = signed(&with_conditions(csr_of(&pem, asked), &["Approved"]), &SignerOptions::default());
    let certificate = X509Certificate::from_der(&der).expect("a certificate").1;
    assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
    let organizations: Vec<&str> =
        certificate.subject().iter_organization().map(|name| name.as_str().expect("text")).collect();
    assert_eq!(organizations, ["dev", "ops", "certctl:alice:1"], "in the order of DER's sets");
    let names: Vec<&str> =
        certificate.subject().iter_common_name().map(|name| name.as_str().expect("text")).collect();
    assert_eq!(names, ["alice"]);
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().expect("readable").expect("there");
    assert_eq!(
        (usage.critical, usage.value.to_string().as_str()),
        (true, "Digital Signature, Key Encipherment")
    );
    let extended = certificate.extended_key_usage().expect("readable").expect("there").value.clone();
    assert!(extended.client_auth && !extended.server_auth && !extended.any && extended.other.is_empty());
    let names = certificate.subject_alternative_name().expect("readable").expect("kept");
    assert_eq!(names.value.general_names.len(), 1);

    let der = signed(&approved(json!({})), &SignerOptions::default());
    let certificate = X509Certificate::from_der(&der).expect("a certificate").1;
    assert!(certificate.key_usage().expect("readable").is_none(), "no usage of the key was asked for");
    assert!(certificate.subject_alternative_name().expect("readable").is_none());
}

#[test]
fn validity_is_backdated_clamped_and_never_too_short() {
    let before = "2026-11-01T11:55:00Z";
    for (asked, not_after) in [
        (json!({"expirationSeconds": 600}), "2026-11-01T12:10:00Z"),
        (json!({"expirationSeconds": 1}), "2026-11-01T12:10:00Z"),
        (json!({"expirationSeconds": 8 * 3600 - 1}), "2026-11-01T19:59:59Z"),
        (json!({"expirationSeconds": 8 * 3600}), "2026-11-01T19:55:00Z"),
        (json!({"expirationSeconds": 30 * 86400}), "2026-12-01T11:55:00Z"),
        (json!({"expirationSeconds": 400 * 86400}), "2027-11-01T11:55:00Z"),
        (json!({}), "2027-11-01T11:55:00Z"),
    ] {
        assert_eq!(validity(asked.clone()), (before.to_owned(), not_after.to_owned()), "{asked}");
    }
}

#[test]
fn no_certificate_outlives_its_authority() {
    let authority =
        Authority::new("CA", later(now(), -SignedDuration::from_hours(10 * 365 * 24 - 1))).expect("made");
    let status = decide(&approved(json!({})), &SignerOptions::default(), &authority, now()).expect("decided");
    let pem = status.expect("changed").certificate.expect("signed");
    let der = parse_x509_pem(&pem.0).expect("PEM").1.contents;
    let end = X509Certificate::from_der(&der).expect("a certificate").1.validity().not_after.timestamp();
    assert_eq!(end, authority.not_after().as_second());
}

#[test]
fn usages_that_are_not_for_clients_fail() {
    let fails = |usages: Value| failure(&approved(json!({"usages": usages})), &SignerOptions::default());
    let validation =
        |message: &str| ("Failed".to_owned(), "SignerValidationFailure".to_owned(), message.to_owned());
    assert_eq!(
        fails(json!(["client auth", "server auth"])),
        validation("invalid usage for client certificate: server auth")
    );
    assert_eq!(
        fails(json!(["digital signature"])),
        validation("missing required usage for client certificate: client auth")
    );
}

#[test]
fn only_approved_open_requests_are_processed() {
    let options = SignerOptions::default();
    let decide = |csr: &CertificateSigningRequest| super::decide(csr, &options, &authority(), now());
    for csr in [
        csr(json!({})),
        with_conditions(csr(json!({})), &["Denied"]),
        with_conditions(csr(json!({})), &["Approved", "Failed"]),
        approved(json!({"signerName": "example.com/other"})),
        crate::testing::with_certificate(approved(json!({})), "there already"),
    ] {
        assert_eq!(decide(&csr), Ok(None), "{:?}", conditions(&csr));
    }
}

#[test]
fn a_signer_can_refuse_ignore_and_lie() {
    let text = |text: &str| text.to_owned();
    let with = |verdict: Verdict| SignerOptions { verdict, ..SignerOptions::default() };
    let decide = |csr: &CertificateSigningRequest, options: &SignerOptions| {
        super::decide(csr, options, &authority(), now()).expect("decided")
    };
    let (open, ready) = (csr(json!({})), approved(json!({})));
    assert_eq!(decide(&ready, &SignerOptions { enabled: false, ..SignerOptions::default() }), None);
    assert_eq!(decide(&ready, &with(Verdict::Ignore)), None);

    let deny = with(Verdict::Deny { reason: text("Policy"), message: text("not here") });
    assert_eq!(failure(&open, &deny), (text("Denied"), text("Policy"), text("not here")));
    assert_eq!(decide(&ready, &deny), None, "what is approved cannot be denied any more");
    let fail = with(Verdict::Fail { reason: text("Broken"), message: text("no key") });
    assert_eq!(decide(&open, &fail), None);
    assert_eq!(failure(&ready, &fail), (text("Failed"), text("Broken"), text("no key")));

    let lie = with(Verdict::Answer(text("another certificate")));
    let status = decide(&ready, &lie).expect("changed");
    assert_eq!(status.certificate.expect("an answer").0, b"another certificate");

    let except: Exception =
        Arc::new(|csr| (csr.spec.expiration_seconds == Some(700)).then_some(Verdict::Ignore));
    let some = SignerOptions { except: Some(except), ..SignerOptions::default() };
    assert_eq!(decide(&approved(json!({"expirationSeconds": 700})), &some), None);
    assert!(decide(&approved(json!({"expirationSeconds": 701})), &some).is_some());
}
