//! The DER values (X.690) that a certificate consists of. Only writes; x509-parser reads.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One value: tag, length, and the parts of its content.
pub(crate) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut value = vec![tag];
    match content.len() {
        length @ ..0x80 => value.push(length as u8),
        length => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[length.leading_zeros() as usize / 8..];
            value.push(0x80 | bytes.len() as u8);
            value.extend_from_slice(bytes);
        }
    }
    value.extend(content);
    value
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(SEQUENCE, parts)
}

/// The tag of `[number]`: constructed if it has parts, else primitive.
pub(crate) fn context(number: u8, constructed: bool) -> u8 {
    0x80 | number | if constructed { 0x20 } else { 0 }
}

/// A non-negative integer.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    // The first bit is the sign.
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    value(INTEGER, &[sign, digits])
}

/// Bits of which none is unused.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], bytes])
}

/// A time in whole seconds, in the form that RFC 5280 requires for its year.
pub(crate) fn time(time: Timestamp) -> Vec<u8> {
    let utc = time.to_zoned(TimeZone::UTC);
    let (tag, format) = match utc.year() {
        1950..2050 => (UTC_TIME, "%y%m%d%H%M%SZ"),
        _ => (GENERALIZED_TIME, "%Y%m%d%H%M%SZ"),
    };
    value(tag, &[utc.strftime(format).to_string().as_bytes()])
}

/// A string as Go writes it: a PrintableString if possible (encoding/asn1, makeBody).
pub(crate) fn text(text: &str) -> Vec<u8> {
    let printable = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'\''..=b')' | b'+'..=b'/' | b' ' | b':' | b'=' | b'?')
    };
    let tag = if text.bytes().all(printable) { PRINTABLE_STRING } else { UTF8_STRING };
    value(tag, &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_fewest_bytes() {
        assert_eq!(value(OID, &[&[1], &[2, 3]]), [6, 3, 1, 2, 3]);
        assert_eq!(sequence(&[&[0; 127]])[..2], [0x30, 127]);
        assert_eq!(sequence(&[&[0; 128]])[..3], [0x30, 0x81, 128]);
        assert_eq!(sequence(&[&[0; 256]])[..4], [0x30, 0x82, 1, 0]);
        for (bytes, der) in
            [(&[0, 0, 5][..], &[2, 1, 5][..]), (&[0x80], &[2, 2, 0, 0x80]), (&[0, 0], &[2, 1, 0])]
        {
            assert_eq!(integer(bytes), der);
        }
    }

    #[test]
    fn times_and_strings_have_the_right_form() {
        let at = |text: &str| time(text.parse().expect("a time"));
        assert_eq!(at("2049-12-31T23:59:59.9Z")[2..], *b"491231235959Z");
        assert_eq!(at("2050-01-01T00:00:00Z")[2..], *b"20500101000000Z");
        assert_eq!(text("team:a (1)")[0], PRINTABLE_STRING);
        assert_eq!(text("alice@example.com")[0], UTF8_STRING);
    }
}
