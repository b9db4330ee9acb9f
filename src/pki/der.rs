//! The few DER values (X.690) that a signing request is made of. Writes only; reading is left to
//! x509-parser, which also checks what is written here before it is sent.

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
/// `[0]`, constructed: the attributes of a request.
pub(super) const ATTRIBUTES: u8 = 0xa0;

/// One value: its tag, its length, and the parts of its content.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 10);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.push(0x80 | bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_fewest_bytes() {
        assert_eq!(value(OID, &[&[1], &[2, 3]]), [6, 3, 1, 2, 3]);
        assert_eq!(value(SEQUENCE, &[&[0; 127]])[..2], [0x30, 127]);
        assert_eq!(value(SEQUENCE, &[&[0; 128]])[..3], [0x30, 0x81, 128]);
        assert_eq!(value(SEQUENCE, &[&[0; 256]])[..4], [0x30, 0x82, 1, 0]);
    }
}
