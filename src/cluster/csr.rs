//! What a foreign CertificateSigningRequest asks for: CN, every O, and for which key; nothing else.
//!
//! The bytes come from anyone who may create such objects. It refuses, with `None`, what is too
//! long or cannot be parsed, and trusts nothing in it: not even that the signature is right.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::model::CredentialId;

/// A longer request is not parsed: one with an RSA key of 16384 bits takes 6 KiB.
const SIZE_LIMIT: usize = 64 * 1024;

/// What a request wants to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) common_name: Option<String>,
    pub(super) organizations: Vec<String>,
    pub(super) key: Option<CredentialId>,
}

/// The subject of a PEM `CERTIFICATE REQUEST`.
pub(super) fn requested_subject(pem: &[u8]) -> Option<Subject> {
    if pem.len() > SIZE_LIMIT {
        return None;
    }
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
    let info = &request.certification_request_info;
    Some(Subject { key: Some(CredentialId::of_public_key(info.subject_pki.raw)), ..subject(&info.subject) })
}

fn subject(name: &X509Name<'_>) -> Subject {
    Subject {
        // Go's crypto/x509/pkix takes the last of several, and so does the API server's user name.
        common_name: name.iter_common_name().last().map(text),
        organizations: name.iter_organization().map(text).collect(),
        key: None,
    }
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> String {
    match attribute.as_str() {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(attribute.as_slice()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn request(names: &[(DnType, &str)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().expect("a key");
        params.serialize_request(&key).expect("a request").pem().expect("PEM")
    }

    #[test]
    fn cn_and_o_are_read() {
        let pem = request(&[
            (DnType::OrganizationName, "certctl:alice:3f2a91bc4d5e6f70"),
            (DnType::CommonName, "alice"),
        ]);
        let subject = requested_subject(pem.as_bytes()).expect("a subject");
        assert_eq!(subject.common_name.as_deref(), Some("alice"));
        assert_eq!(subject.organizations, ["certctl:alice:3f2a91bc4d5e6f70"]);
    }

    #[test]
    fn what_is_no_request_has_no_subject() {
        let good = request(&[(DnType::CommonName, "alice")]);
        for bad in [
            Vec::new(),
            b"-----BEGIN CERTIFICATE REQUEST-----\n!!\n-----END CERTIFICATE REQUEST-----\n".to_vec(),
            vec![0xff; 1000],
            good.as_bytes()[..good.len() / 2].to_vec(),
            [good.as_bytes(), &vec![b'\n'; SIZE_LIMIT]].concat(),
        ] {
            assert_eq!(requested_subject(&bad), None);
        }
    }
}
