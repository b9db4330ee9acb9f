//! What somebody has of a certificate: a fingerprint, a serial number, an id, a line of an audit log.
//!
//! It comes from logs and from strangers. What can be read in several ways, as `1234567890123456` can, is looked
//! for in each of them; what can be read in none is refused with what it looks like.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::model::{CredentialGroup, CredentialId, Holder, Invalid, UserName};
use crate::record::Credential;

/// The most different clues that are looked for at once.
pub const MOST: usize = 1_000;

/// Where an audit log names the credential of a request (KEP-4193; Kubernetes 1.32 and later for certificates).
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// One certificate, as somebody knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clue {
    /// As it was given, in its normal form.
    pub text: String,
    /// Where the clue names its owner too.
    owner: Option<Holder>,
    readings: BTreeSet<Reading>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reading {
    /// SHA-256 of the certificate.
    Fingerprint(String),
    Serial(String),
    Id(CredentialId),
}

impl Clue {
    /// The certificate with this SHA-256 (DER, lower-case hex).
    pub fn fingerprint(sha256: String) -> Self {
        let text = format!("X509SHA256={sha256}");
        Self { text, owner: None, readings: [Reading::Fingerprint(sha256)].into() }
    }

    /// Whether it is this one of this user.
    pub fn matches(&self, user: &UserName, credential: &Credential) -> bool {
        let owner = self.owner.as_ref().is_none_or(|owner| *owner == Holder::of(user));
        owner
            && self.readings.iter().any(|reading| match reading {
                Reading::Fingerprint(sha256) => *sha256 == credential.x509_sha256,
                Reading::Serial(serial) => *serial == credential.serial,
                Reading::Id(id) => *id == credential.id,
            })
    }

    /// The words of which a record has to contain one.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.readings.iter().map(|reading| match reading {
            Reading::Fingerprint(word) | Reading::Serial(word) => word.as_str(),
            Reading::Id(id) => id.as_str(),
        })
    }

    /// Whether it has the length of a SHA-1 fingerprint, which no record and no audit log contains.
    pub fn may_be_sha1(&self) -> bool {
        self.words().any(|word| word.len() == 40)
    }
}

/// The clues in a text: one, or lines of an audit log as JSON; each once.
///
/// # Errors
/// It is neither, or the request in the log was not made with a certificate.
pub fn read(text: &str) -> Result<BTreeSet<Clue>, Invalid> {
    let text = text.trim();
    if text.starts_with('{') { events(text) } else { word(text).map(|clue| [clue].into()) }
}

/// What is read of an event (audit.k8s.io/v1); everything else in it is passed over.
#[derive(Deserialize)]
struct AuditEvent {
    user: Option<AuditUser>,
}

#[derive(Deserialize)]
struct AuditUser {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

fn events(text: &str) -> Result<BTreeSet<Clue>, Invalid> {
    let mut clues = BTreeSet::new();
    let mut refused = None;
    for event in serde_json::Deserializer::from_str(text).into_iter::<AuditEvent>() {
        let event = event.map_err(|why| Invalid(format!("is no event of an audit log: {why}")))?;
        match event.clue() {
            Ok(clue) => {
                clues.insert(clue);
            }
            Err(why) => refused = refused.or(Some(why)),
        }
        if clues.len() > MOST {
            return Err(Invalid(format!("names more than {MOST} credentials; give it fewer lines")));
        }
    }
    match refused {
        Some(why) if clues.is_empty() => Err(why),
        _ => Ok(clues),
    }
}

impl AuditEvent {
    fn clue(self) -> Result<Clue, Invalid> {
        let user =
            self.user.ok_or_else(|| Invalid("is no event of an audit log: it has no `user`".into()))?;
        let ids = user.extra.get(CREDENTIAL_ID).map_or(&[][..], Vec::as_slice);
        if let Some(clue) = ids.iter().find_map(|id| word(id).ok()) {
            return Ok(clue);
        }
        // Kubernetes before 1.32 logs no fingerprint, but the groups say it too.
        if let Some(clue) = user.groups.iter().find_map(|group| group.parse().ok().map(Clue::group)) {
            return Ok(clue);
        }
        let name: String = user.username.chars().take(100).collect();
        let token = ids.iter().any(|id| id.starts_with("JTI="));
        Err(Invalid(format!(
            "is a request of `{}`, made {}",
            name.escape_debug(),
            if token { "with a token of a service account" } else { "without a certificate of certctl" }
        )))
    }
}

impl Clue {
    fn group(group: CredentialGroup) -> Self {
        let text = group.to_string();
        Self { text, owner: Some(group.holder), readings: [Reading::Id(group.id)].into() }
    }
}

/// What a fingerprint is printed after, in lower case: by the API server, by openssl and by others.
const FINGERPRINT: [&str; 5] =
    ["x509sha256=", "sha256 fingerprint=", "sha256 fingerprint:", "sha256:", "sha256="];
const SERIAL: [&str; 4] = ["serial=", "serial:", "serial number:", "serialnumber="];

fn word(text: &str) -> Result<Clue, Invalid> {
    let text = text.trim().trim_matches(['"', '\'']);
    if text.starts_with(CredentialGroup::PREFIX) {
        return text.parse().map(Clue::group);
    }
    let lower = text.to_ascii_lowercase();
    let after =
        |prefixes: &[&str]| prefixes.iter().find_map(|prefix| lower.strip_prefix(prefix).map(str::trim));
    let (fingerprint, serial) = (after(&FINGERPRINT), after(&SERIAL));
    let bare = fingerprint.or(serial).unwrap_or(&lower);
    let (hex_only, digits) = match bare.strip_prefix("0x") {
        Some(digits) => (true, digits),
        None => (bare.contains(':'), bare),
    };
    let digits: String = digits.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let is_hex = !digits.is_empty() && digits.len() <= 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let nothing = || {
        Invalid(
            "is neither a fingerprint (SHA-256, 64 hex digits), nor a serial number (hex or decimal), nor a credential \
             id (16 hex digits), nor a group `certctl:USER:ID`, nor a file"
                .into(),
        )
    };
    if !is_hex || (fingerprint.is_some() && digits.len() != 64) {
        return Err(nothing());
    }
    let mut readings = BTreeSet::new();
    if digits.len() == 64 {
        // Of a certificate, or of its public key, of which the id is the beginning.
        if fingerprint.is_none() {
            readings.extend(digits[..16].parse().map(Reading::Id));
        }
        readings.insert(Reading::Fingerprint(digits.clone()));
    } else {
        readings.insert(Reading::Serial(normal_serial(&digits)));
        if !hex_only && digits.bytes().all(|b| b.is_ascii_digit()) {
            readings.insert(Reading::Serial(normal_serial(&hex_of_decimal(&digits))));
        }
        if serial.is_none() && digits.len() == 16 {
            readings.extend(digits.parse().map(Reading::Id));
        }
    }
    Ok(Clue { text: text.to_owned(), owner: None, readings })
}

/// As certificates are recorded: two digits a byte, without leading zero bytes.
fn normal_serial(hex: &str) -> String {
    let digits = hex.trim_start_matches('0');
    match digits.len() {
        0 => "00".to_owned(),
        odd if odd % 2 == 1 => format!("0{digits}"),
        _ => digits.to_owned(),
    }
}

/// A number of at most 64 digits.
fn hex_of_decimal(digits: &str) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry > 0 {
            bytes.insert(0, carry as u8);
        }
    }
    crate::model::hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let clues = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        clues.iter().flat_map(|clue| clue.words().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn whatever_a_log_prints_is_read() {
        let sha256 = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [
            format!("X509SHA256={sha256}"),
            format!("SHA256 Fingerprint={colons}"),
            format!("sha256 Fingerprint={colons}\n"),
            format!("sha256:{sha256}"),
        ] {
            assert_eq!(words(&text), [sha256.as_str()], "{text}");
        }
        assert_eq!(words(&colons), [sha256.as_str(), &sha256[..16]], "or of the public key");
        for (text, expected) in [
            ("serial=7F00AB", &["7f00ab"][..]),
            ("00:7f:00:ab", &["7f00ab"]),
            ("0x7f00ab", &["7f00ab"]),
            ("f00ab", &["0f00ab"]),
            ("Serial Number: 10", &["0a", "10"]),
            ("10", &["0a", "10"]),
            ("0x10", &["10"]),
            ("0", &["00"]),
            (
                "340282366920938463463374607431768211455",
                &["0340282366920938463463374607431768211455", "ffffffffffffffffffffffffffffffff"],
            ),
            ("3f2a91bc4d5e6f70", &["3f2a91bc4d5e6f70", "3f2a91bc4d5e6f70"]),
            ("certctl:alice:3f2a91bc4d5e6f70", &["3f2a91bc4d5e6f70"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_clue_is_refused() {
        for text in ["", "alice", "X509SHA256=abc", "certctl:alice", "0x", "system:admin", &"1".repeat(65)] {
            read(text).expect_err(text);
        }
    }

    #[test]
    fn an_audit_log_names_the_certificate_and_not_what_it_impersonates() {
        let sha256 = "ab".repeat(32);
        let with_id = format!(
            r#"{{"kind":"Event","user":{{"username":"alice","groups":["certctl:alice:3f2a91bc4d5e6f70"],
            "extra":{{"{CREDENTIAL_ID}":["X509SHA256={sha256}"]}}}},
            "impersonatedUser":{{"username":"bob","groups":["certctl:bob:0000000000000000"]}}}}"#
        );
        assert_eq!(words(&with_id), [sha256.as_str()]);
        assert_eq!(words(&format!("{with_id}\n{with_id}")), [sha256.as_str()], "each once");
        let without = r#"{"user":{"username":"alice","groups":["system:authenticated","certctl:alice:3f2a91bc4d5e6f70"]}}"#;
        assert_eq!(words(without), ["3f2a91bc4d5e6f70"]);
        let token = format!(
            r#"{{"user":{{"username":"system:serviceaccount:a:b","extra":{{"{CREDENTIAL_ID}":["JTI=1"]}}}}}}"#
        );
        assert!(read(&token).expect_err("a token").0.contains("service account"));
        let other = r#"{"user":{"username":"zoe\u001b[2J"}}"#;
        assert!(read(other).expect_err("no certificate").0.contains(r"`zoe\u{1b}[2J`, made without"));
        assert_eq!(words(&format!("{other}{without}")).len(), 1, "one of several is enough");
    }

    #[test]
    fn hostile_lines_are_refused() {
        for text in
            ["{", "{}", "{\"user\":1}", "{\"user\":{\"extra\":{\"a\":1}}}", &"{\"a\":".repeat(100_000)]
        {
            read(text).expect_err(&text[..text.len().min(40)]);
        }
        let many: String = (0..=MOST)
            .map(|n| format!("{{\"user\":{{\"groups\":[\"certctl:alice:{n:016x}\"]}}}}\n"))
            .collect();
        assert!(read(&many).expect_err("too many").0.contains("fewer lines"));
    }
}
