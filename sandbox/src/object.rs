//! The metadata that every object has.

use serde_json::Value;

/// A string from an object's metadata; empty if it is not set.
pub fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// A new UID: a random UUID (version 4).
pub fn new_uid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        number >> 80 & 0xffff,
        number >> 64 & 0xffff,
        number >> 48 & 0xffff,
        number & 0xffff_ffff_ffff
    )
}

/// The suffix of a generated name: five characters that spell no words (k8s.io/apiserver
/// pkg/storage/names/generate.go).
pub fn generated_name(prefix: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut end = 58.min(prefix.len());
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let letters = random::<5>().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    format!("{}{}", &prefix[..end], String::from_iter(letters))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_uuids_and_differ() {
        let (a, b) = (new_uid(), new_uid());
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(a.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    }

    #[test]
    fn a_generated_name_is_short_enough_and_keeps_its_prefix() {
        let name = generated_name("web-");
        assert!(name.starts_with("web-") && name.len() == 9, "{name}");
        assert_eq!(generated_name(&"\u{e4}".repeat(60)).chars().count(), 29 + 5);
    }
}
