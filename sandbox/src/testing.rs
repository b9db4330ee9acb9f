//! Signing requests, made for tests.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use crate::authority::{SUBJECT_ALTERNATIVE_NAME, pem};
use crate::der;
use crate::x509::Subject;

/// A request (PEM) for a new key; with subjectAltName `example.com` if wanted.
pub(crate) fn request(subject: &Subject, alternative_name: bool) -> (KeyPair, String) {
    let key = KeyPair::generate().expect("a key");
    let pem = request_with(&key, &subject.to_der(), alternative_name);
    (key, pem)
}

/// A request (PEM) with any subject (DER).
pub(crate) fn request_with(key: &KeyPair, subject: &[u8], alternative_name: bool) -> String {
    let names = der::sequence(&[&der::value(der::context(2, false), &[b"example.com"])]);
    let extension = der::sequence(&[
        &der::value(der::OID, &[SUBJECT_ALTERNATIVE_NAME]),
        &der::value(der::OCTET_STRING, &[&names]),
    ]);
    // extensionRequest, 1.2.840.113549.1.9.14
    let oid = der::value(der::OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14]]);
    let attribute = der::sequence(&[&oid, &der::value(der::SET, &[&der::sequence(&[&extension])])]);
    let attributes: &[u8] = if alternative_name { &attribute } else { &[] };
    let info = der::sequence(&[
        &der::integer(&[0]),
        subject,
        &key.subject_public_key_info(),
        &der::value(der::context(0, true), &[attributes]),
    ]);
    let signature = key.sign(&info).expect("signed");
    let algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pem("CERTIFICATE REQUEST", &der::sequence(&[&info, &algorithm, &der::bits(&signature)]))
}

/// A CertificateSigningRequest for `CN=alice, O=ops`, with the further fields of `spec`.
pub(crate) fn csr(spec: Value) -> CertificateSigningRequest {
    let (_, pem) = request(&Subject::new("alice", &["ops"]), false);
    csr_of(&pem, spec)
}

/// A CertificateSigningRequest with this request.
pub(crate) fn csr_of(pem: &str, spec: Value) -> CertificateSigningRequest {
    let request = k8s_openapi::ByteString(pem.as_bytes().to_vec());
    let mut object = json!({
        "metadata": {"name": "x", "creationTimestamp": "2026-11-01T00:00:00Z"},
        "spec": {
            "request": request,
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    });
    for (key, value) in spec.as_object().expect("an object") {
        object["spec"][key] = value.clone();
    }
    serde_json::from_value(object).expect("a CertificateSigningRequest")
}

/// The same with conditions, all dated midnight.
pub(crate) fn with_conditions(
    mut csr: CertificateSigningRequest,
    types: &[&str],
) -> CertificateSigningRequest {
    let conditions: Vec<Value> = types
        .iter()
        .map(|type_| json!({"type": type_, "status": "True", "lastUpdateTime": "2026-11-01T00:00:00Z"}))
        .collect();
    csr.status.get_or_insert_default().conditions =
        Some(serde_json::from_value(conditions.into()).expect("conditions"));
    csr
}

/// The same with a certificate in its status.
pub(crate) fn with_certificate(mut csr: CertificateSigningRequest, pem: &str) -> CertificateSigningRequest {
    csr.status.get_or_insert_default().certificate = Some(k8s_openapi::ByteString(pem.as_bytes().to_vec()));
    csr
}
