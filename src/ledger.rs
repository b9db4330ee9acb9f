//! What a cluster remembers about a roster's credentials, whatever the repository says later.
//!
//! Records are kept in git, and anyone who can push to git can restore an old record. So the ids of
//! credentials that were revoked and have not expired are kept in the cluster as well, in one object
//! that only the apply identity may write: an id in it is never bound again. It also contains the ids
//! that were issued, the people who were removed by a commit that is not merged yet, and the id that
//! ties a roster's name to its repository.
//!
//! The object is read as untrusted input: every line is parsed into types, and one that does not parse
//! makes the whole unreadable, because a list of revocations that lost a line is worth less than an
//! error. Its size is bounded: a ConfigMap holds 1 MiB.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use jiff::Timestamp;

use crate::model::{CommitHash, CredentialId, RosterId, UserName};

/// The most that is written, in bytes: below the 1 MiB that Kubernetes takes as a ConfigMap's data
/// (`MaxSecretSize` in pkg/apis/core/validation, which bounds ConfigMaps too). A credential takes 28
/// bytes, so some 33,000 of them fit.
pub const CAPACITY: usize = 900 * 1024;

/// What a credential takes, in bytes.
const LINE: usize = 28;

/// The version of the format, in the key `formatVersion`.
const FORMAT_VERSION: &str = "1";

/// What is kept for one roster on one cluster; by default, what a first apply begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The repository that the roster's name belongs to here: the one whose published records have this id.
    /// `None` before there is one.
    pub roster_id: Option<RosterId>,
    /// Credentials that were revoked, and when each expires.
    pub revoked: BTreeMap<CredentialId, Timestamp>,
    /// Credentials that an apply issued, and when each expires.
    pub issued: BTreeMap<CredentialId, Timestamp>,
    /// People who were removed, as long as the roster's branch does not know of it.
    pub removed: BTreeMap<UserName, Removal>,
}

/// Why a user is kept out although the roster may still name them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removal {
    /// Since when.
    pub at: Timestamp,
    /// What removed them.
    pub by: RemovedBy,
}

/// What removed someone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemovedBy {
    /// A commit of the roster, which was applied before it was on the roster's branch.
    Commit(CommitHash),
    /// `revoke`, without a roster.
    Command,
}

/// Why the object in the cluster is no ledger that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerError {
    /// A newer certctl wrote it.
    NewerFormat(String),
    /// It lacks a key.
    Missing(&'static str),
    /// A line does not have the form that its key requires.
    Line {
        /// The key of `data`.
        key: &'static str,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerFormat(version) => {
                write!(
                    f,
                    "its formatVersion is `{}`, which this version does not know",
                    version.escape_default()
                )
            }
            Self::Missing(key) => write!(f, "it has no `{key}`"),
            Self::Line { key, line, why } => write!(f, "line {line} of `{key}`: {why}"),
        }
    }
}

const VERSION: &str = "formatVersion";
const ROSTER_ID: &str = "rosterId";
const REVOKED: &str = "revoked";
const ISSUED: &str = "issued";
const REMOVED: &str = "removed";

impl Ledger {
    /// Reads `data` of the object.
    ///
    /// # Errors
    /// The first thing in it that no version of certctl up to this one writes.
    pub fn parse(data: &BTreeMap<String, String>) -> Result<Self, LedgerError> {
        let text = |key: &'static str| data.get(key).map(String::as_str);
        match text(VERSION) {
            Some(FORMAT_VERSION) => {}
            Some(other) => return Err(LedgerError::NewerFormat(other.chars().take(20).collect())),
            None => return Err(LedgerError::Missing(VERSION)),
        }
        let roster_id = text(ROSTER_ID).ok_or(LedgerError::Missing(ROSTER_ID))?;
        Ok(Self {
            roster_id: match roster_id {
                NONE => None,
                id => Some(word(id).map_err(|why| LedgerError::Line { key: ROSTER_ID, line: 1, why })?),
            },
            revoked: lines(REVOKED, text(REVOKED), credential)?,
            issued: lines(ISSUED, text(ISSUED), credential)?,
            removed: lines(REMOVED, text(REMOVED), removal)?,
        })
    }

    /// `data` of the object.
    pub fn to_data(&self) -> BTreeMap<String, String> {
        let Self { roster_id, revoked, issued, removed } = self;
        let credentials = |all: &BTreeMap<CredentialId, Timestamp>| {
            let mut text = String::with_capacity(all.len() * LINE);
            for (id, not_after) in all {
                let _ = writeln!(text, "{id} {}", not_after.as_second());
            }
            text
        };
        let removals = removed.iter().fold(String::new(), |mut text, (user, Removal { at, by })| {
            let by = match by {
                RemovedBy::Commit(commit) => commit.as_str(),
                RemovedBy::Command => NONE,
            };
            let _ = writeln!(text, "{user} {} {by}", at.as_second());
            text
        });
        [
            (VERSION, FORMAT_VERSION.to_owned()),
            (ROSTER_ID, roster_id.as_ref().map_or(NONE, RosterId::as_str).to_owned()),
            (REVOKED, credentials(revoked)),
            (ISSUED, credentials(issued)),
            (REMOVED, removals),
        ]
        .map(|(key, text)| (key.to_owned(), text))
        .into()
    }

    /// Forgets what has expired.
    pub fn prune(&mut self, now: Timestamp) {
        self.revoked.retain(|_, not_after| *not_after > now);
        self.issued.retain(|_, not_after| *not_after > now);
    }

    /// Whether it can be written: past [`CAPACITY`], revocations continue and nothing is issued.
    pub fn fits(&self) -> bool {
        self.has_room_for(0)
    }

    /// Whether it can still be written with so many more credentials.
    pub fn has_room_for(&self, credentials: usize) -> bool {
        let written: usize = self.to_data().iter().map(|(key, text)| key.len() + text.len()).sum();
        written.saturating_add(credentials.saturating_mul(LINE)) <= CAPACITY
    }
}

/// Instead of an id, and instead of a commit when `revoke` removed someone.
const NONE: &str = "-";

fn lines<K: Ord, V>(
    key: &'static str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<(K, V), String>,
) -> Result<BTreeMap<K, V>, LedgerError> {
    let text = text.ok_or(LedgerError::Missing(key))?;
    let mut all = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |why| LedgerError::Line { key, line: index + 1, why };
        let (name, value) = parse(line).map_err(wrong)?;
        if all.insert(name, value).is_some() {
            return Err(wrong("it names what an earlier line names".to_owned()));
        }
    }
    Ok(all)
}

fn credential(line: &str) -> Result<(CredentialId, Timestamp), String> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        [id, not_after] => Ok((word(id)?, seconds(not_after)?)),
        _ => Err("it is not an id and a time".to_owned()),
    }
}

fn removal(line: &str) -> Result<(UserName, Removal), String> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        [user, at, by] => {
            let by = if by == NONE { RemovedBy::Command } else { RemovedBy::Commit(word(by)?) };
            Ok((word(user)?, Removal { at: seconds(at)?, by }))
        }
        _ => Err("it is not a user, a time and a commit".to_owned()),
    }
}

fn word<T: FromStr<Err = crate::model::Invalid>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why| {
        let shown: String = text.chars().take(64).collect();
        format!("`{}` {why}", shown.escape_default())
    })
}

fn seconds(text: &str) -> Result<Timestamp, String> {
    let parsed = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    parsed.ok_or_else(|| "its time is not in seconds since 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn id(number: u64) -> CredentialId {
        format!("{number:016x}").parse().expect("an id")
    }

    fn ledger() -> Ledger {
        let roster_id = Some("0123456789abcdef0123456789abcdef".parse().expect("a roster id"));
        let mut ledger = Ledger { roster_id, ..Ledger::default() };
        ledger.revoked.insert(id(1), at(1_800_000_000));
        ledger.issued.insert(id(1), at(1_800_000_000));
        ledger.issued.insert(id(2), at(1_900_000_000));
        let commit = "a".repeat(40).parse().expect("a commit");
        let user = |name: &str| name.parse::<UserName>().expect("a name");
        ledger.removed.insert(user("bob"), Removal { at: at(5), by: RemovedBy::Commit(commit) });
        ledger.removed.insert(user("alice"), Removal { at: at(6), by: RemovedBy::Command });
        ledger
    }

    #[test]
    fn what_is_written_is_read_back() {
        let data = ledger().to_data();
        assert_eq!(data["revoked"], "0000000000000001 1800000000\n");
        assert_eq!(data["removed"], format!("alice 6 -\nbob 5 {}\n", "a".repeat(40)));
        assert_eq!(Ledger::parse(&data), Ok(ledger()));
        let unclaimed = Ledger { roster_id: None, ..ledger() };
        assert_eq!(unclaimed.to_data()["rosterId"], "-");
        assert_eq!(Ledger::parse(&unclaimed.to_data()), Ok(unclaimed));
    }

    #[test]
    fn a_line_that_is_not_ours_makes_the_whole_unreadable() {
        for (key, line, said) in [
            ("revoked", "0000000000000001 1800000000\n0000000000000001 5\n", "line 2 of `revoked`: it names"),
            ("revoked", "0000000000000001\n", "line 1 of `revoked`: it is not an id and a time"),
            ("issued", "ZZ 5\n", "line 1 of `issued`: `ZZ`"),
            ("issued", "0000000000000001 tomorrow\n", "line 1 of `issued`: its time"),
            ("issued", "0000000000000001 99999999999999999\n", "line 1 of `issued`: its time"),
            ("removed", "system:admin 5 -\n", "line 1 of `removed`: `system:admin`"),
            ("removed", "bob 5 HEAD\n", "line 1 of `removed`: `HEAD`"),
            ("rosterId", "acme", "line 1 of `rosterId`: `acme`"),
            ("formatVersion", "2", "its formatVersion is `2`"),
        ] {
            let mut data = ledger().to_data();
            data.insert(key.to_owned(), line.to_owned());
            let error = Ledger::parse(&data).expect_err(key).to_string();
            assert!(error.starts_with(said), "{error}");
        }
        for key in ["formatVersion", "rosterId", "revoked", "issued", "removed"] {
            let mut data = ledger().to_data();
            data.remove(key);
            assert_eq!(Ledger::parse(&data).expect_err(key).to_string(), format!("it has no `{key}`"));
        }
    }

    #[test]
    fn what_has_expired_is_forgotten() {
        let mut ledger = ledger();
        ledger.prune(at(1_800_000_000));
        assert_eq!((ledger.revoked.len(), ledger.issued.len(), ledger.removed.len()), (0, 1, 2));
    }

    #[test]
    fn ten_thousand_revocations_fit_beside_as_many_issued() {
        let mut ledger = ledger();
        for number in 0..10_000 {
            ledger.revoked.insert(id(number), at(1_800_000_000));
            ledger.issued.insert(id(number), at(1_800_000_000));
        }
        assert!(ledger.fits());
        for number in 10_000..40_000 {
            ledger.revoked.insert(id(number), at(1_800_000_000));
        }
        assert!(!ledger.fits());
    }
}
