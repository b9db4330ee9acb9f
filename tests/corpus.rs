//! The fuzz targets without a fuzzer: every file of `fuzz/corpus/`, and random mutations of it, through
//! the very same functions.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// One mutation of a file.
#[derive(Debug, Clone)]
enum Change {
    /// A byte is replaced.
    Byte(Index, u8),
    /// Bytes are removed.
    Cut(Index, Index),
    /// Bytes are duplicated elsewhere.
    Copy(Index, Index, Index),
    /// A line is duplicated elsewhere.
    Line(Index, Index),
    /// A meaningful token is inserted.
    Word(Index, &'static str),
}

const WORDS: &[&str] = &[
    "\n",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "|\n",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "---\n",
    "...\n",
    "? ",
    "~",
    "null",
    "true",
    "no",
    "-1",
    "0x1",
    "1e9",
    "99999999999999999999",
    ".nan",
    "\\x00",
    "\\u202e",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "\r",
    "\t",
    "../",
    "system:",
    "certctl:",
    "name: ann\n",
    "    exec: {command: sh}\n",
    "    token: x\n",
    "    insecure-skip-tls-verify: true\n",
    "    client-key-data: \"\"\n",
    "checksum: sha256:",
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
];

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let index = any::<Index>;
        prop_oneof![
            (index(), any::<u8>()).prop_map(|(at, byte)| Self::Byte(at, byte)),
            (index(), index()).prop_map(|(from, to)| Self::Cut(from, to)),
            (index(), index(), index()).prop_map(|(from, to, at)| Self::Copy(from, to, at)),
            (index(), index()).prop_map(|(line, at)| Self::Line(line, at)),
            (index(), prop::sample::select(WORDS)).prop_map(|(at, word)| Self::Word(at, word)),
        ]
    }

    fn to(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let range = |a: &Index, b: &Index| place(a).min(place(b))..place(a).max(place(b));
        match self {
            Self::Byte(at, byte) => {
                let at = place(at);
                bytes.splice(at..bytes.len().min(at + 1), [*byte]);
            }
            Self::Cut(from, to) => drop(bytes.drain(range(from, to))),
            Self::Copy(from, to, at) => {
                let (part, at) = (bytes[range(from, to)].to_vec(), place(at));
                bytes.splice(at..at, part);
            }
            Self::Line(line, at) => {
                let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                if lines.is_empty() {
                    return;
                }
                let before: usize = lines[..at.index(lines.len())].iter().map(|line| line.len()).sum();
                let line = lines[line.index(lines.len())].to_vec();
                bytes.splice(before..before, line);
            }
            Self::Word(at, word) => {
                let at = place(at);
                bytes.splice(at..at, word.bytes());
            }
        }
    }
}

/// Replays the files of one target, and variants of each. Some must be accepted and some refused, or else
/// the target's promise about one of them was not tested.
fn replay(target: &str, read: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut taken = 0;
    for file in &files {
        let seed = fs::read(file).expect("a seed");
        taken += usize::from(read(&seed));
        let mut runner =
            TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        let variants = vec(Change::any(), 1..6).prop_map(|changes| {
            let mut bytes = seed.clone();
            for change in &changes {
                change.to(&mut bytes);
            }
            bytes
        });
        let held = runner.run(&variants, |bytes| {
            read(&bytes);
            Ok(())
        });
        held.unwrap_or_else(|why| panic!("a variant of {}: {why}", file.display()));
    }
    assert!(taken > 0 && taken < files.len(), "{taken} of {} were taken", files.len());
}

#[test]
fn rosters() {
    replay("roster", targets::roster);
}

#[test]
fn records() {
    replay("record", targets::record);
}

#[test]
fn kubeconfigs() {
    replay("kubeconfig", targets::kubeconfig);
}

#[test]
fn certificates() {
    replay("certificate", targets::certificate);
}

#[test]
fn requests() {
    replay("request", targets::request);
}
