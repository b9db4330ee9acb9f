//! Certificates and signing requests, parsed as Kubernetes (Go's crypto/x509) parses them.
//!
//! All input is untrusted: nothing panics, and what cannot be parsed is refused
//! with Go's message if it is short.

use std::collections::BTreeMap;

use jiff::Timestamp;
use x509_parser::asn1_rs::Tag;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::{der, go};

/// The arcs below 2.5.4 of the name attributes that Go keeps, in the order in which it writes
/// them: C, O, OU, L, ST, STREET, postal code, CN, serial number.
const KEPT: [u8; 9] = [6, 10, 11, 7, 8, 9, 17, COMMON_NAME, SERIAL_NUMBER];
const COMMON_NAME: u8 = 3;
const SERIAL_NUMBER: u8 = 5;
const ORGANIZATION: u8 = 10;

/// The attribute that Kubernetes uses as a user's uid (k8s.io/apimachinery/pkg/util/asn1, X509UID).
const UID: &str = "1.3.6.1.4.1.57683.2";

/// The parts of a subject that Go keeps, and that its signer writes into a certificate
/// (crypto/x509/pkix, Name). Everything else is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Subject {
    names: BTreeMap<u8, Vec<String>>,
    /// Not written by the signer.
    pub(crate) uids: Vec<String>,
}

impl Subject {
    pub(crate) fn new(common_name: &str, organizations: &[&str]) -> Self {
        let organizations = organizations.iter().map(|name| (*name).to_owned()).collect();
        let names =
            BTreeMap::from([(COMMON_NAME, vec![common_name.to_owned()]), (ORGANIZATION, organizations)]);
        Self { names, uids: Vec::new() }
    }

    fn read(name: &X509Name<'_>) -> Result<Self, String> {
        let mut subject = Self::default();
        for attribute in name.iter_attributes() {
            let Some(text) = text(attribute)? else { continue };
            let oid = attribute.attr_type().to_id_string();
            let arc = oid.strip_prefix("2.5.4.").and_then(|arc| arc.parse().ok());
            match arc.filter(|arc| KEPT.contains(arc)) {
                // Of these the last one wins.
                Some(arc @ (COMMON_NAME | SERIAL_NUMBER)) => drop(subject.names.insert(arc, vec![text])),
                Some(arc) => subject.names.entry(arc).or_default().push(text),
                None if oid == UID => subject.uids.push(text),
                None => {}
            }
        }
        Ok(subject)
    }

    /// Kubernetes uses it as the user's name. Empty if there is none.
    pub(crate) fn common_name(&self) -> &str {
        self.names.get(&COMMON_NAME).and_then(|names| names.first()).map_or("", String::as_str)
    }

    /// Kubernetes uses each as a group.
    pub(crate) fn organizations(&self) -> &[String] {
        self.names.get(&ORGANIZATION).map_or(&[], Vec::as_slice)
    }

    /// The name as DER: one relative name for each kind of attribute, whose values are sorted as DER
    /// sorts a SET (crypto/x509/pkix, Name.ToRDNSequence).
    pub(crate) fn to_der(&self) -> Vec<u8> {
        let mut relative_names = Vec::new();
        for arc in KEPT {
            let mut attributes: Vec<Vec<u8>> = self
                .names
                .get(&arc)
                .into_iter()
                .flatten()
                .filter(|text| arc == ORGANIZATION || !text.is_empty())
                .map(|text| der::sequence(&[&der::value(der::OID, &[&[0x55, 4, arc]]), &der::text(text)]))
                .collect();
            attributes.sort();
            if !attributes.is_empty() {
                relative_names.push(der::value(der::SET, &[&attributes.concat()]));
            }
        }
        der::sequence(&[&relative_names.concat()])
    }
}

/// The value as text, `None` if it has no string type (encoding/asn1, parseField of an interface).
fn text(attribute: &AttributeTypeAndValue<'_>) -> Result<Option<String>, String> {
    let bytes = attribute.as_slice();
    let text = match attribute.attr_value().tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(bytes.to_vec()).ok().filter(|text| text.is_ascii())
        }
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units: Vec<u16> =
                bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        Tag::BmpString => None,
        _ => return Ok(None),
    };
    text.map(Some).ok_or_else(|| "asn1: syntax error: invalid string".to_owned())
}

/// The subject and the expiry of a certificate (DER).
pub(crate) fn read_certificate(der: &[u8]) -> Result<(Subject, Timestamp), String> {
    let (rest, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|_| malformed("certificate"))?;
    if !rest.is_empty() {
        return Err("x509: trailing data".to_owned());
    }
    let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|_| malformed("certificate"))?;
    Ok((Subject::read(certificate.subject())?, not_after))
}

/// A parsed signing request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) subject: Subject,
    /// DER SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
    /// The value of the extension subjectAltName, if the request has one.
    pub(crate) alternative_names: Option<Vec<u8>>,
    signature: Result<(), String>,
}

impl Request {
    /// Reads the first PEM block, which must be a request; what follows it is ignored
    /// (pkg/apis/certificates/helpers.go, ParseCSR).
    pub(crate) fn read(pem: &[u8]) -> Result<Self, String> {
        let block = parse_x509_pem(pem).ok().map(|(_, block)| block);
        let Some(block) = block.filter(|block| block.label == "CERTIFICATE REQUEST") else {
            return Err("PEM block type must be CERTIFICATE REQUEST".to_owned());
        };
        let (rest, request) = X509CertificationRequest::from_der(&block.contents)
            .map_err(|_| malformed("certificate request"))?;
        if !rest.is_empty() {
            return Err("asn1: syntax error: trailing data".to_owned());
        }
        let info = &request.certification_request_info;
        let mut alternative_names = None;
        for attribute in info.iter_attributes() {
            let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() else { continue };
            for extension in &asked.extensions {
                if let ParsedExtension::SubjectAlternativeName(_) = extension.parsed_extension() {
                    alternative_names = Some(extension.value.to_vec());
                }
            }
        }
        Ok(Self {
            subject: Subject::read(&info.subject)?,
            public_key: info.subject_pki.raw.to_vec(),
            alternative_names,
            signature: request.verify_signature().map_err(|error| match error {
                X509Error::SignatureUnsupportedAlgorithm => {
                    "x509: cannot verify signature: algorithm unimplemented".to_owned()
                }
                _ => bad_signature(&request),
            }),
        })
    }

    /// Whether the request is signed with its own key.
    pub(crate) fn check_signature(&self) -> Result<(), String> {
        self.signature.clone()
    }
}

/// The message of crypto/x509 for an invalid signature.
fn bad_signature(request: &X509CertificationRequest<'_>) -> String {
    match request.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.3.101.112" => "x509: Ed25519 verification failure",
        algorithm if algorithm.starts_with("1.2.840.10045.4.") => "x509: ECDSA verification failure",
        _ => "crypto/rsa: verification error",
    }
    .to_owned()
}

fn malformed(what: &str) -> String {
    format!("x509: malformed {what}")
}

/// The certificates in PEM: one or more, and nothing else
/// (pkg/apis/certificates/validation/validation.go, validateCertificate).
pub(crate) fn read_certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut rest = pem;
    let mut found = Vec::new();
    while let Ok((after, block)) = parse_x509_pem(rest) {
        if block.label != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {}",
                go::quote(&block.label)
            ));
        }
        read_certificate(&block.contents)?;
        found.push(block.contents);
        rest = after;
    }
    if found.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
