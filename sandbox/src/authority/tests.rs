use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;

fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

fn read(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).expect("a certificate");
    assert!(rest.is_empty());
    certificate
}

#[test]
fn an_authority_issues_certificates_that_chain_to_it() {
    let authority = Authority::new("client CA", now()).expect("made");
    let root = read(authority.certificate());
    assert!(root.is_ca() && root.subject().to_string() == "CN=client CA");
    root.verify_signature(None).expect("signed by itself");
    let serving = authority.issue_serving(now()).expect("issued");
    let client = authority.issue_client("alice", &["ops"], now()).expect("issued");
    for pair in [&serving, &client] {
        let leaf = read(&pair.certificate);
        leaf.verify_signature(Some(root.public_key())).expect("signed by the authority");
        assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw());
        assert_eq!(leaf.validity().not_after, root.validity().not_after);
        assert!(!leaf.is_ca());
        let key = KeyPair::try_from(pair.key.as_slice()).expect("a private key");
        assert_eq!(leaf.public_key().raw, key.subject_public_key_info());
    }
    let other = Authority::new("client CA", now()).expect("made");
    let leaf = read(&client.certificate);
    leaf.verify_signature(Some(read(other.certificate()).public_key())).expect_err("another key");
}

#[test]
fn the_serving_certificate_is_for_loopback_and_the_clients_for_clients() {
    let authority = Authority::new("CA", now()).expect("made");
    let serving = authority.issue_serving(now()).expect("issued");
    let serving = read(&serving.certificate);
    let names =
        serving.subject_alternative_name().expect("readable").expect("there").value.general_names.clone();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert!(names.contains(&"DNSName(localhost)".to_owned()), "{names:?}");
    assert!(names.contains(&"IPAddress(7f:00:00:01)".to_owned()), "{names:?}");
    let usage = |certificate: &X509Certificate<'_>| {
        let usage = certificate.extended_key_usage().expect("readable").expect("there").value.clone();
        (usage.server_auth, usage.client_auth)
    };
    assert_eq!(usage(&serving), (true, false));
    let client = authority.issue_client("alice", &[], now()).expect("issued");
    assert_eq!(usage(&read(&client.certificate)), (false, true));
}

#[test]
fn pem_is_readable_by_other_programs() {
    let authority = Authority::new("CA", now()).expect("made");
    let text = authority.certificate_pem();
    assert!(text.lines().all(|line| line.len() <= 64), "{text}");
    let (rest, block) = x509_parser::pem::parse_x509_pem(text.as_bytes()).expect("PEM");
    assert_eq!(
        (rest, block.label.as_str(), block.contents.as_slice()),
        (&b""[..], "CERTIFICATE", authority.certificate())
    );
}
