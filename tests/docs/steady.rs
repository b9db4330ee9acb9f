//! Output that is different each time, made the same: ids, hashes, keys, times. What replaces a text is as long as it,
//! so that columns and line ends stay where they were.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// When the page plays.
const DAY: &str = "2026-11-02T09:00:00Z";

/// Remembers what was replaced by what.
pub struct Steady {
    began: Timestamp,
    seen: BTreeMap<String, String>,
}

impl Steady {
    pub fn new() -> Self {
        Self { began: Timestamp::now(), seen: BTreeMap::new() }
    }

    /// The text with everything replaced that chance or the clock decides.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((length, time)) = self.time(rest) {
                out.push_str(&time);
                rest = &rest[length..];
                continue;
            }
            if let Some(length) = seconds(rest) {
                out.push_str(&"0.4 s"[..length]);
                rest = &rest[length..];
                continue;
            }
            if !c.is_ascii_alphanumeric() {
                out.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/');
            let word_end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            let (word, base64) =
                (&rest[..word_end.unwrap_or(rest.len())], &rest[..end.unwrap_or(rest.len())]);
            if base64.starts_with("AAAAC3NzaC1lZDI1NTE5") {
                out.push_str(&self.stand_in(
                    base64,
                    "AAAAC3NzaC1lZDI1NTE5",
                    b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz",
                ));
                rest = &rest[base64.len()..];
            } else if word.starts_with("age1") && word.len() == 62 {
                out.push_str(&self.stand_in(word, "age1", b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"));
                rest = &rest[word.len()..];
            } else if is_id(word) {
                out.push_str(&self.stand_in(word, "", b"0123456789abcdef"));
                rest = &rest[word.len()..];
            } else {
                out.push_str(word);
                rest = &rest[word.len()..];
            }
        }
        out
    }

    /// The same text for the same word; a shorter form of a commit begins like the longer.
    fn stand_in(&mut self, word: &str, begin: &str, alphabet: &[u8]) -> String {
        let longer =
            self.seen.iter().find(|(seen, _)| seen.starts_with(word) || word.starts_with(seen.as_str()));
        if let Some((seen, stand_in)) = longer
            && seen.len() >= word.len()
        {
            return stand_in[..word.len()].to_owned();
        }
        let number = self.seen.len() as u64 + 1;
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut stand_in = begin.to_owned();
        while stand_in.len() < word.len() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            stand_in.push(char::from(alphabet[usize::try_from(state >> 40).unwrap_or(0) % alphabet.len()]));
        }
        self.seen.insert(word.to_owned(), stand_in.clone());
        stand_in
    }

    /// A time at the start of the text, as long as it was: moved to the day of the page, and rounded to the hour, for
    /// a run takes seconds.
    fn time(&self, text: &str) -> Option<(usize, String)> {
        for (length, format) in [(20, "%Y-%m-%dT%H:%M:%SZ"), (17, "%Y-%m-%d %H:%MZ")] {
            let Some(written) = text.get(..length) else { continue };
            if !written.starts_with("20") || !written.ends_with('Z') {
                continue;
            }
            let full = if length == 17 {
                format!("{}:00Z", written[..16].replace(' ', "T"))
            } else {
                written.to_owned()
            };
            let Ok(at) = full.parse::<Timestamp>() else { continue };
            let hours = (at.duration_since(self.began).as_secs() as f64 / 3600.0).round() as i64;
            let day: Timestamp = DAY.parse().expect("a time");
            let moved = day + SignedDuration::from_hours(hours);
            return Some((length, moved.strftime(format).to_string()));
        }
        None
    }
}

/// How long `3.2 s` at the start of the text is.
fn seconds(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is = |at: usize, check: fn(&u8) -> bool| bytes.get(at).is_some_and(check);
    let found = is(0, u8::is_ascii_digit) && is(1, |b| *b == b'.') && is(2, u8::is_ascii_digit);
    (found && text[3..].starts_with(" s")).then_some(5)
}

/// The lengths of what certctl and git show: short and long commits, credentials, digests.
fn is_id(word: &str) -> bool {
    if word == "ed25519" {
        return false;
    }
    let lengths = [7, 10, 12, 16, 32, 40, 64];
    let hex = word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex && lengths.contains(&word.len()) && word.bytes().any(|b| b.is_ascii_digit())
}
