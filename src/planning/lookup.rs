//! The credentials that clues lead to, in the records of HEAD and of the commits before it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::records::parse_record;
use crate::access::clue::Clue;
use crate::error::Result;
use crate::model::{ClusterName, UserName};
use crate::record::{Credential, Record};
use crate::repo::Repo;
use crate::repo::history::{Look, Past, PastRecord};
use crate::roster;

/// A credential, as the latest commit that holds it says it.
#[derive(Debug, Clone)]
pub struct FoundCredential {
    pub user: UserName,
    pub cluster: ClusterName,
    pub credential: Credential,
    /// Whether HEAD holds it.
    pub is_recorded: bool,
}

/// What clues lead to.
#[derive(Debug, Default)]
pub struct Lookup {
    pub found: Vec<FoundCredential>,
    /// Clues that lead to nothing, each with what it might have meant.
    pub missed: Vec<(Clue, Option<String>)>,
    /// Where a shallow clone ends before the beginning.
    pub ends_at: Option<Timestamp>,
}

/// Looks in HEAD first, and only then before it.
///
/// # Errors
/// git cannot tell.
pub fn find(repo: &Repo, clues: &BTreeSet<Clue>) -> Result<Lookup> {
    let words: HashSet<&str> = clues.iter().flat_map(Clue::words).collect();
    let mut found: BTreeMap<(ClusterName, UserName, String), FoundCredential> = BTreeMap::new();
    let mut missed: Vec<&Clue> = clues.iter().collect();
    let ends_at = repo.past_records(&mut |past| {
        if let Past::Record(record) = past {
            for credential in credentials(&record, |line| words.contains(line)) {
                if !clues.iter().any(|clue| clue.matches(record.user, &credential)) {
                    continue;
                }
                missed.retain(|clue| !clue.matches(record.user, &credential));
                let key = (record.cluster.clone(), record.user.clone(), credential.x509_sha256.clone());
                let (cluster, user) = (record.cluster.clone(), record.user.clone());
                let is_recorded = record.is_current;
                found.entry(key).or_insert(FoundCredential { user, cluster, credential, is_recorded });
            }
            return Look::On;
        }
        if missed.is_empty() { Look::Done } else { Look::On }
    })?;
    let missed: Vec<Clue> = missed.into_iter().cloned().collect();
    let near = if missed.is_empty() { Vec::new() } else { recorded(repo)? };
    let with_near = |clue: Clue| {
        let near = nearest(&clue, &near);
        (clue, near)
    };
    Ok(Lookup {
        found: found.into_values().collect(),
        missed: missed.into_iter().map(with_near).collect(),
        ends_at,
    })
}

/// The credentials of a record that holds a word of a clue; of any other, none, and it costs little to tell.
fn credentials(record: &PastRecord<'_>, is_wanted: impl Fn(&str) -> bool) -> Vec<Credential> {
    let Ok(text) = std::str::from_utf8(record.bytes) else { return Vec::new() };
    // Each value that a clue can name is the last word of a line of its own.
    let values = text.lines().filter_map(|line| line.trim_end().rsplit(' ').next());
    if !values.map(|value| value.trim_matches(['"', '\''])).any(is_wanted) {
        return Vec::new();
    }
    // Whoever can push can write anything: only what fits its certificate counts.
    let parsed = parse_record("", record.bytes, record.cluster, record.user);
    parsed.map(|Record { credentials, .. }| credentials).unwrap_or_default()
}

/// What HEAD's records can be asked for, and whose it is.
fn recorded(repo: &Repo) -> Result<Vec<(String, String)>> {
    let mut known = Vec::new();
    repo.past_records(&mut |past| {
        let Past::Record(record) = past else { return Look::Done };
        for Credential { id, serial, x509_sha256, .. } in credentials(&record, |_| true) {
            let of = format!("of {} on {}", record.user, record.cluster);
            known.push((id.to_string(), format!("credential {id} {of}")));
            known.push((serial.clone(), format!("serial {serial} {of}")));
            known.push((x509_sha256.clone(), format!("X509SHA256={x509_sha256} {of}")));
        }
        Look::On
    })?;
    Ok(known)
}

/// The least of a word that tells what it is the beginning of.
const BEGINNING: usize = 6;

fn nearest(clue: &Clue, known: &[(String, String)]) -> Option<String> {
    clue.words().find_map(|word| {
        let begins = known.iter().find(|(whole, _)| word.len() >= BEGINNING && whole.starts_with(word));
        let near = || {
            let near = roster::nearest(word, known.iter().map(|(whole, _)| whole.as_str()))?;
            known.iter().find(|(whole, _)| whole == near)
        };
        begins.or_else(near).map(|(_, said)| said.clone())
    })
}
