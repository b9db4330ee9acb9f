//! Recipients: the public keys that people put into the roster.
//!
//! Takes `age1...` (X25519), `ssh-ed25519`, `ssh-rsa` of 2048 to 4096 bits, and `age1<name>1...` of
//! age plugins, which are needed only where something is sealed. Refuses every other kind by name, secret keys before all, and keys of small order: to such an X25519 key age would
//! panic, and what is sealed to such an ssh key can be opened by everyone.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use age::ssh::ParseRecipientKeyError;

use crate::error::Error;
use crate::model::{Invalid, Recipient, sha256};

/// The longest recipient, comment included, in bytes. RSA 4096 takes 720.
const LENGTH_LIMIT: usize = 2000;

/// `age1tag1...`: a hardware key that several plugins can open, and age itself can seal to.
pub(super) const TAG: &str = "tag";

/// Reads one recipient as people paste it, with or without an ssh comment.
///
/// # Errors
/// A half-sentence that says what the text is. It never repeats more than the name of a key type,
/// and neither should the caller: the text may be a secret key.
pub fn parse_recipient(text: &str) -> Result<Recipient, Invalid> {
    let invalid = |why: &str| Err(Invalid(why.to_owned()));
    let text = text.trim();
    let upper = text.get(..20.min(text.len())).unwrap_or_default().to_ascii_uppercase();
    if upper.starts_with("AGE-SECRET-KEY-") || upper.starts_with("AGE-PLUGIN-") {
        return invalid(
            "is a SECRET key, which must now be considered leaked: delete it everywhere, run `certctl keygen`, \
             and put the public line, `age1...`, here",
        );
    }
    if text.contains("-----BEGIN") {
        return invalid(
            "is a PEM block; if it is a private key, it must now be considered leaked. \
             Put the one line of the `.pub` file here",
        );
    }
    if text.len() > LENGTH_LIMIT {
        return invalid("is longer than 2,000 characters, which no public key is");
    }
    if text.chars().any(char::is_control) {
        return invalid("holds a line break or another control character; a recipient is one line");
    }
    if text.starts_with("age1") {
        return age_key(text);
    }
    let mut words = text.split_whitespace();
    match (words.next().unwrap_or_default(), words.next()) {
        ("", _) => invalid("is empty"),
        (kind @ ("ssh-ed25519" | "ssh-rsa"), Some(key)) => ssh_key(kind, key),
        ("ssh-ed25519" | "ssh-rsa", None) => invalid("is cut off: the key itself is missing"),
        (kind, _) if kind.starts_with("sk-ssh-") || kind.starts_with("sk-ecdsa-") => invalid(
            "is an ssh key on a security token (`sk-`), which cannot decrypt; use ssh-ed25519 or `certctl keygen`",
        ),
        (kind, _) if kind.starts_with("ecdsa-sha2-") => invalid(
            "is an ssh key of type ecdsa, which age cannot encrypt to; use ssh-ed25519 or `certctl keygen`",
        ),
        ("ssh-dss", _) => invalid(
            "is an ssh key of type dsa, which age cannot encrypt to; use ssh-ed25519 or `certctl keygen`",
        ),
        (kind, _) if kind.contains("-cert-v01@") => {
            invalid("is an ssh certificate; put the public key that it was made from here")
        }
        _ => invalid("is no recipient: expected `age1...`, `ssh-ed25519 AAAA...` or `ssh-rsa AAAA...`"),
    }
}

/// The plugin that this recipient belongs to, e.g. `yubikey`; `tag` where it may be any.
pub fn plugin_of(recipient: &Recipient) -> Option<&str> {
    let (kind, _) = recipient.as_str().rsplit_once('1')?;
    kind.strip_prefix("age1")
}

/// What people compare: of an ssh key what `ssh-keygen -l` shows, of an age key the key, which is as short.
pub fn fingerprint(recipient: &Recipient) -> String {
    let blob = recipient.as_str().split(' ').nth(1).and_then(|blob| STANDARD.decode(blob).ok());
    match blob {
        Some(blob) => format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256(&blob))),
        None => recipient.to_string(),
    }
}

/// Checks that every plugin is installed that sealing to these recipients needs.
///
/// # Errors
/// Each that is not on PATH.
pub fn check_plugins(recipients: &BTreeSet<Recipient>) -> Result<(), Error> {
    for_age(recipients).map(drop)
}

/// The recipients as age uses them: one key each, and one for all recipients of a plugin.
///
/// Sealing asks nobody: a plugin that wants an answer fails.
pub(super) fn for_age(recipients: &BTreeSet<Recipient>) -> Result<Vec<Box<dyn age::Recipient>>, Error> {
    let mut keys = Vec::<Box<dyn age::Recipient>>::new();
    let mut plugins = BTreeMap::<&str, Vec<age::plugin::Recipient>>::new();
    for recipient in recipients {
        let text = recipient.as_str();
        let broken = || Error::new(format!("`{text}` is no recipient; nothing was sealed"));
        if plugin_of(recipient) == Some(TAG) {
            keys.push(Box::new(text.parse::<age::tag::Recipient>().map_err(|_| broken())?));
        } else if let Some(plugin) = plugin_of(recipient) {
            plugins.entry(plugin).or_default().push(text.parse().map_err(|_| broken())?);
        } else if text.starts_with("age1") {
            keys.push(Box::new(text.parse::<age::x25519::Recipient>().map_err(|_| broken())?));
        } else {
            keys.push(Box::new(text.parse::<age::ssh::Recipient>().map_err(|_| broken())?));
        }
    }
    let mut missing = Vec::new();
    for (name, recipients) in plugins {
        match age::plugin::RecipientPluginV1::new(name, &recipients, &[], age::NoCallbacks) {
            Ok(plugin) => keys.push(Box::new(plugin)),
            Err(_) => missing.push(
                Error::new(format!(
                    "a recipient `age1{name}1...` needs `age-plugin-{name}`, which is not on PATH; nothing was sealed"
                ))
                .hint(format!("install `age-plugin-{name}` where `certctl apply` runs")),
            ),
        }
    }
    Error::all(missing).map_or(Ok(keys), Err)
}

fn age_key(text: &str) -> Result<Recipient, Invalid> {
    // Bech32: a human-readable part, the last `1`, then data in which there is no `1`.
    let (kind, data) = text.rsplit_once('1').unwrap_or_default();
    match kind.strip_prefix("age1") {
        None => {}
        Some("pq") => {
            return Err(Invalid(
                "is a post-quantum recipient (`age1pq1`), which age 0.12 cannot seal to; use `age1...` of X25519".into(),
            ));
        }
        Some("tagpq") => {
            return Err(Invalid(
                "is a post-quantum recipient (`age1tagpq1`), which cannot be mixed with others; use `age1...` of X25519".into(),
            ));
        }
        Some(TAG) => {
            let key: age::tag::Recipient =
                text.parse().map_err(|why| Invalid(format!("is no recipient of a hardware key: {why}")))?;
            return Ok(Recipient::accepted_by_age(key.to_string()));
        }
        Some(_) => {
            let key: age::plugin::Recipient =
                text.parse().map_err(|why| Invalid(format!("is no recipient of an age plugin: {why}")))?;
            return Ok(Recipient::accepted_by_age(key.to_string()));
        }
    }
    let key: age::x25519::Recipient =
        text.parse().map_err(|why| Invalid(format!("is no age recipient: {why}")))?;
    if bech32_bytes(data).is_none_or(|key| of_small_order(&key)) {
        return Err(Invalid("is a key of small order, to which nothing can be sealed".into()));
    }
    Ok(Recipient::accepted_by_age(key.to_string()))
}

fn ssh_key(kind: &str, base64: &str) -> Result<Recipient, Invalid> {
    let broken = || Invalid(format!("is no {kind} key: it was cut off or changed"));
    let blob = STANDARD.decode(base64).map_err(|_| broken())?;
    // The digest of these bytes is how age finds the identity, so they must be the one encoding
    // that ssh itself writes.
    let fields = wire_fields(&blob).ok_or_else(broken)?;
    let normal_form = format!("{kind} {base64}");
    let accepted = normal_form.parse::<age::ssh::Recipient>().map_err(|why| match why {
        ParseRecipientKeyError::RsaModulusTooSmall => Invalid("is an RSA key of less than 2048 bits".into()),
        ParseRecipientKeyError::RsaModulusTooLarge => Invalid("is an RSA key of more than 4096 bits".into()),
        _ => broken(),
    })?;
    match (kind, fields.as_slice()) {
        ("ssh-ed25519", [_, key]) if of_small_order(key) => {
            return Err(Invalid("is a key of small order: what is sealed to it, everyone can open".into()));
        }
        ("ssh-ed25519", [_, _]) => {}
        ("ssh-rsa", [_, exponent, modulus]) if is_shortest(exponent) && is_shortest(modulus) => {}
        _ => return Err(broken()),
    }
    if accepted.to_string() != normal_form {
        return Err(broken());
    }
    Ok(Recipient::accepted_by_age(normal_form))
}

/// The fields of an ssh key: each a length of four bytes and its content, and nothing after them.
pub(super) fn wire_fields(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        blob = rest;
    }
    Some(fields)
}

/// Whether a positive number of the ssh wire format has no needless leading zero (RFC 4251).
fn is_shortest(number: &[u8]) -> bool {
    match number {
        [0, next, ..] => *next >= 0x80,
        [first, ..] => *first < 0x80,
        [] => false,
    }
}

/// The bytes of Bech32 data whose checksum was verified before; the last six characters are it.
fn bech32_bytes(data: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = data.get(..data.len().checked_sub(6)?)?;
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::with_capacity(32));
    for character in data.bytes() {
        let five = ALPHABET.iter().position(|c| *c == character.to_ascii_lowercase())?;
        bits = (bits << 5 | five as u32) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// Whether a public key of Curve25519 lies in the subgroup of order 8, where every shared secret
/// is zero: u-coordinates for X25519, y-coordinates for Ed25519, in any encoding. The highest bit
/// does not count (RFC 7748, section 5: masked; RFC 8032, section 5.1.2: the sign of x).
fn of_small_order(key: &[u8]) -> bool {
    const SMALL: [[u8; 32]; 9] = [
        // 0 and 1, p - 1, and p and p + 1, which stand for 0 and 1 again.
        last(0x00, 0x00, 0x00),
        last(0x01, 0x00, 0x00),
        last(0xec, 0xff, 0x7f),
        last(0xed, 0xff, 0x7f),
        last(0xee, 0xff, 0x7f),
        // The points of order 8: u of Curve25519, then y of Ed25519.
        *b"\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00",
        *b"\x5f\x9c\x95\xbc\xa3\x50\x8c\x24\xb1\xd0\xb1\x55\x9c\x83\xef\x5b\x04\x44\x5c\xc4\x58\x1c\x8e\x86\xd8\x22\x4e\xdd\xd0\x9f\x11\x57",
        *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
        *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    ];
    const fn last(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    let Ok(mut key) = <[u8; 32]>::try_from(key) else {
        return false;
    };
    key[31] &= 0x7f;
    SMALL.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn ssh(kind: &str, fields: &[&[u8]]) -> String {
        let mut blob = Vec::new();
        for field in std::iter::once(&kind.as_bytes()).chain(fields) {
            blob.extend((field.len() as u32).to_be_bytes());
            blob.extend(*field);
        }
        format!("{kind} {}", STANDARD.encode(blob))
    }

    fn modulus(bytes: usize) -> Vec<u8> {
        let mut modulus = vec![0xc1; bytes + 1];
        modulus[0] = 0;
        modulus
    }

    #[test]
    fn what_people_paste_becomes_one_normal_form() {
        let identity = age::x25519::Identity::generate().to_public().to_string();
        let ed25519 = ssh("ssh-ed25519", &[&base_point()]);
        for key in [
            AGE.to_owned(),
            identity,
            ed25519,
            ssh("ssh-rsa", &[&[1, 0, 1], &modulus(256)]),
            ssh("ssh-rsa", &[&[1, 0, 1], &modulus(512)]),
            // The base point of P-256, as a hardware key.
            "age1tag1qd43050juykyy3lchnnw2caygre8wqmasyk7kvaq7jsnj3wcnrpfvt5hxye".to_owned(),
        ] {
            for text in [key.clone(), format!("  {key}\n")] {
                assert_eq!(parse_recipient(&text).expect(&key).as_str(), key);
            }
            if key.starts_with("ssh") {
                for text in [format!("{key} alice@laptop"), format!("{}  a b  c", key.replace(' ', "   "))] {
                    assert_eq!(parse_recipient(&text).expect(&key).as_str(), key);
                }
            }
            assert_eq!(for_age(&[parse_recipient(&key).expect("accepted")].into()).expect(&key).len(), 1);
        }
    }

    fn base_point() -> [u8; 32] {
        let mut point = [0x66; 32];
        point[0] = 0x58;
        point
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let good = ssh("ssh-ed25519", &[&base_point()]);
        let long = format!("{good} {}", "x".repeat(LENGTH_LIMIT));
        let rsa = |fields: &[&[u8]]| ssh("ssh-rsa", fields);
        let mut padded = modulus(256);
        padded.insert(0, 0);
        for (text, why) in [
            (String::new(), "is empty"),
            (
                "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33".into(),
                "SECRET key",
            ),
            ("age-secret-key-1gq9778vqxmmjve8sk7j6vt8uj4".into(), "SECRET key"),
            ("AGE-SECRET-KEY-PQ-1GQ9778V".into(), "SECRET key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA".into(), "private key"),
            ("age1pq1qqqqqqqq".into(), "post-quantum"),
            ("age1yubikey1qqqqqqqq".into(), "no recipient of an age plugin: invalid Bech32"),
            ("age1tagpq1qqqqqqqq".into(), "post-quantum"),
            ("age1\u{1b}[2J1qqqqqqqq".into(), "control character"),
            ("age1É1qqqqqqqq".into(), "no recipient of an age plugin"),
            (AGE.replace("t7rx", "t7ry"), "is no age recipient: invalid Bech32"),
            ("age1".into(), "is no age recipient"),
            (long, "longer than 2,000"),
            (format!("{good}\n{good}"), "line break"),
            ("ssh-ed25519".into(), "cut off"),
            (good[..good.len() - 4].to_owned(), "cut off or changed"),
            (good.replace("ssh-ed25519", "ssh-rsa"), "no ssh-rsa key"),
            (ssh("ssh-ed25519", &[&base_point(), b"more"]), "cut off or changed"),
            (rsa(&[&[1, 0, 1], &modulus(128)]), "less than 2048"),
            (rsa(&[&[1, 0, 1], &modulus(513)]), "more than 4096"),
            (rsa(&[&[1, 0, 1], &modulus(256), b"more"]), "cut off or changed"),
            (rsa(&[&[0, 1, 0, 1], &modulus(256)]), "cut off or changed"),
            (rsa(&[&[1, 0, 1], &padded]), "cut off or changed"),
            ("ecdsa-sha2-nistp256 AAAAE2VjZHNh".into(), "type ecdsa"),
            ("sk-ssh-ed25519@openssh.com AAAA".into(), "security token"),
            ("sk-ecdsa-sha2-nistp256@openssh.com AAAA".into(), "security token"),
            ("ssh-ed25519-cert-v01@openssh.com AAAA".into(), "ssh certificate"),
            ("ssh-dss AAAA".into(), "type dsa"),
            (format!("restrict {good}"), "is no recipient"),
            ("hello".into(), "is no recipient"),
            (AGE.to_uppercase(), "is no recipient"),
        ] {
            let error = parse_recipient(&text).expect_err(&text);
            assert!(error.0.contains(why), "{text}: {error}");
            let tail: String = text.chars().skip(20).take(12).collect();
            assert!(tail.len() < 12 || !error.0.contains(&tail), "{error} repeats the text");
        }
    }

    #[test]
    fn a_plugins_recipient_is_taken_without_the_plugin_and_needs_it_to_seal() {
        let key = "age1nosuchplugin1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnuftgk4";
        let recipient = parse_recipient(key).expect("accepted");
        assert_eq!((recipient.as_str(), plugin_of(&recipient)), (key, Some("nosuchplugin")));
        assert_eq!(plugin_of(&parse_recipient(AGE).expect("accepted")), None);
        let error = check_plugins(&[recipient].into()).expect_err("not installed");
        assert!(error.message().contains("needs `age-plugin-nosuchplugin`, which is not on PATH"), "{error}");
    }

    #[test]
    fn keys_of_small_order_are_refused_in_every_encoding() {
        for key in [
            "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
            "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
            "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
            "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
            "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
            "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
            // p + 1 with the highest bit set.
            "age1amlllllllllllllllllllllllllllllllllllllllllllllllllsam3fc4",
        ] {
            assert!(key.parse::<age::x25519::Recipient>().is_ok(), "age itself takes {key}");
            let error = parse_recipient(key).expect_err(key);
            assert!(error.0.contains("small order"), "{error}");
        }
        let order_8 = b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05";
        let mut with_sign = *order_8;
        with_sign[31] |= 0x80;
        let one: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
        for key in [*order_8, with_sign, one, [0; 32]] {
            let text = ssh("ssh-ed25519", &[&key]);
            assert!(text.parse::<age::ssh::Recipient>().is_ok(), "age itself takes {text}");
            let error = parse_recipient(&text).expect_err(&text);
            assert!(error.0.contains("small order"), "{error}");
        }
    }
}
