//! Distinguished names, read the way Kubernetes (Go's crypto/x509) reads them.
//!
//! Nothing is refused here: what is neither a CN nor an O, or cannot be decoded, is listed, so
//! that the caller can refuse it by name.

use x509_parser::asn1_rs::{Oid, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::error::visible_line;
use crate::model::hex;

/// The attributes of a name, in its own order.
#[derive(Default)]
pub(super) struct Names {
    /// Every CN.
    pub(super) common_names: Vec<String>,
    /// Every O; one relative name may contain several, as Go writes them.
    pub(super) organizations: Vec<String>,
    /// The rest as `OU=text`, or `CN=#hex` where the bytes are no text: to be shown, each on one line.
    pub(super) others: Vec<String>,
}

impl Names {
    pub(super) fn read(name: &X509Name<'_>) -> Self {
        let mut names = Self::default();
        for attribute in name.iter_attributes() {
            let short = short_name(attribute.attr_type());
            match (short.as_str(), text(attribute)) {
                ("CN", Some(text)) => names.common_names.push(text),
                ("O", Some(text)) => names.organizations.push(text),
                (_, Some(text)) => names.others.push(format!("{short}={}", visible_line(&text))),
                (_, None) => names.others.push(format!("{short}=#{}", hex(attribute.as_slice()))),
            }
        }
        names
    }
}

/// The value as text: the string types that Go's x509 reads, as it reads them.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let bytes = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        Tag::T61String => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units: Vec<u16> =
                bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// The usual short name of an attribute type, else the dotted OID.
fn short_name(oid: &Oid<'_>) -> String {
    let dotted = oid.to_id_string();
    match dotted.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.17" => "POSTALCODE",
        "0.9.2342.19200300.100.1.1" => "UID",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return dotted,
    }
    .to_owned()
}
