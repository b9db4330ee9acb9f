use rcgen::KeyPair;

use super::*;
use crate::testing::{request, request_with};

/// One attribute of a name, in its own set.
fn attribute(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
    let pair = der::sequence(&[&der::value(der::OID, &[oid]), &der::value(tag, &[text])]);
    der::value(der::SET, &[&pair])
}

const CN: &[u8] = &[0x55, 4, 3];
const O: &[u8] = &[0x55, 4, 10];
const OU: &[u8] = &[0x55, 4, 11];

fn subject_of(attributes: &[Vec<u8>]) -> Result<Subject, String> {
    let key = KeyPair::generate().expect("a key");
    Request::read(request_with(&key, &der::sequence(&[&attributes.concat()]), false).as_bytes())
        .map(|request| request.subject)
}

#[test]
fn names_are_parsed_as_go_parses_them() {
    let subject = subject_of(&[
        attribute(CN, der::UTF8_STRING, b"first"),
        attribute(O, der::UTF8_STRING, b"ops"),
        attribute(OU, der::PRINTABLE_STRING, b"unit"),
        attribute(O, 0x14, b"t\xe9"),
        attribute(O, 0x1e, b"\0b\0m\0p"),
        attribute(O, der::OCTET_STRING, b"no text"),
        attribute(&[0x2a, 3], der::UTF8_STRING, b"unknown"),
        attribute(CN, der::PRINTABLE_STRING, b"last"),
    ])
    .expect("readable");
    assert_eq!(subject.common_name(), "last");
    assert_eq!(subject.organizations(), ["ops", "té", "bmp"]);
    for (tag, bytes) in [(der::UTF8_STRING, &b"\xff"[..]), (0x1e, b"odd"), (der::PRINTABLE_STRING, b"\xe9")] {
        assert_eq!(
            subject_of(&[attribute(CN, tag, bytes)]),
            Err("asn1: syntax error: invalid string".to_owned())
        );
    }
}

#[test]
fn names_are_written_as_go_writes_them() {
    let subject = Subject::new("alice", &["ops", "dev", "a@b"]);
    let key = KeyPair::generate().expect("a key");
    let request = request_with(&key, &subject.to_der(), false);
    let read = Request::read(request.as_bytes()).expect("readable").subject;
    assert_eq!(read.common_name(), "alice");
    // In one set, which DER sorts: the tag of PrintableString (0x13) is after that of UTF8String.
    assert_eq!(read.organizations(), ["a@b", "dev", "ops"]);
    assert_eq!(read.to_der(), subject.to_der());
}

#[test]
fn a_request_is_one_block_signed_with_its_own_key() {
    let (_, pem) = request(&Subject::new("alice", &["ops"]), true);
    let read = Request::read(pem.as_bytes()).expect("readable");
    assert_eq!(read.check_signature(), Ok(()));
    assert!(read.alternative_names.is_some());
    let commented = format!("what this is\n{pem}-----BEGIN more-----");
    assert_eq!(Request::read(commented.as_bytes()).expect("readable").public_key, read.public_key);

    let refused = |pem: &str| Request::read(pem.as_bytes()).expect_err("refused");
    let not_a_request = "PEM block type must be CERTIFICATE REQUEST";
    assert_eq!(refused(""), not_a_request);
    assert_eq!(refused(&pem.replace("CERTIFICATE REQUEST", "CERTIFICATE")), not_a_request);
    assert_eq!(refused(&pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")), not_a_request);

    let (_, block) = parse_x509_pem(pem.as_bytes()).expect("PEM");
    let mut der = block.contents;
    let place = der.windows(5).position(|part| part == b"alice").expect("the name");
    der[place] = b'b';
    let changed = crate::authority::pem("CERTIFICATE REQUEST", &der);
    let changed = Request::read(changed.as_bytes()).expect("readable");
    assert_eq!(changed.check_signature(), Err("x509: ECDSA verification failure".to_owned()));
}

#[test]
fn arbitrary_bytes_do_not_panic() {
    let (_, pem) = request(&Subject::new("alice", &["ops"]), true);
    let (_, block) = parse_x509_pem(pem.as_bytes()).expect("PEM");
    for place in 0..block.contents.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut der = block.contents.clone();
            der[place] ^= flip;
            let pem = crate::authority::pem("CERTIFICATE REQUEST", &der);
            let _ = Request::read(pem.as_bytes()).map(|request| request.subject.to_der());
            let _ = read_certificate(&der);
        }
        let _ = Request::read(&pem.as_bytes()[..place]);
    }
}
