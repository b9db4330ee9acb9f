//! Roster and records as earlier commits hold them, and what happened to somebody in between.
//!
//! An earlier version may break a rule that came later, or never have been valid. It is passed over and counted:
//! what it changed is told with the next version that can be read.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::records::parse_record;
use super::source::SHORT_ROSTER;
use crate::access::beginnings::CommitIndex;
use crate::access::events::{self, LifeEvent, Records};
use crate::access::review::{PastCommit, ReviewStart, RosterPast};
use crate::error::{Error, Result};
use crate::model::{ClusterName, UserName};
use crate::record;
use crate::repo::Repo;
use crate::repo::history::{Changed, CommitInfo, Files, Followed, History};
use crate::roster::{self, Roster};
use crate::seal;

/// What happened, and by which commit.
#[derive(Debug, Clone)]
pub struct Told {
    pub event: LifeEvent,
    pub commit: CommitInfo,
}

/// What the repository tells of a user or a group.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Oldest first.
    pub told: Vec<Told>,
    /// Where a shallow clone ends before the beginning.
    pub ends_at: Option<Timestamp>,
    /// The commits whose roster or record cannot be read.
    pub unreadable: Vec<CommitInfo>,
}

/// What happened to the user or the group of this name, in HEAD and the commits before it.
///
/// # Errors
/// git cannot tell, or nobody and nothing has this name.
pub fn life(repo: &Repo, name: &str) -> Result<Life> {
    let mut life = Life::default();
    let mut told = Vec::new();
    let rosters = repo.history_of(Followed::Roster)?;
    let parse = |files: &Files| match files.values().next() {
        None => Ok(Some(None)),
        Some(blob) => {
            let bytes = repo.content(*blob, roster::SIZE_LIMIT)?;
            Ok(bytes.and_then(|bytes| roster_about(&bytes, name)).map(Some))
        }
    };
    let diff = |before: &Option<Roster>, after: &Option<Roster>| {
        events::of_roster(before.as_ref(), after.as_ref(), name)
    };
    told.extend(life.tell(&rosters, parse, diff)?);
    if let Ok(user) = name.parse::<UserName>() {
        let records = repo.history_of(Followed::RecordsOf(&user))?;
        let parse = |files: &Files| records_of(repo, &user, files);
        let diff = |before: &Records, after: &Records| events::of_records(&user, before, after);
        told.extend(life.tell(&records, parse, diff)?);
    }
    // The roster comes first in a commit that changes both.
    told.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
    life.told = told.into_iter().map(|(_, told)| told).collect();
    let known = names(repo, &rosters)?;
    if life.told.is_empty() && !known.contains(name) {
        return Err(unknown_name(repo, name, &known));
    }
    Ok(life)
}

/// What the commits of the branch changed in the roster, of everybody and every group.
///
/// # Errors
/// git cannot tell.
pub fn of_everyone(repo: &Repo) -> Result<RosterPast> {
    let History { changed, head: _, ends_at } = repo.roster_mainline()?;
    let roster = |files: &Files| -> Result<Option<Option<Roster>>> {
        let Some(blob) = files.values().next() else { return Ok(Some(None)) };
        let bytes = repo.content(*blob, roster::SIZE_LIMIT)?;
        Ok(bytes.and_then(|bytes| parse(&bytes)).map(|roster| Some(roster.without_positions())))
    };
    let mut past = RosterPast { ends_at, ..RosterPast::default() };
    // Only where a shallow clone ends is there anything before the first.
    let first = changed.first().and_then(|first| first.before.first());
    let mut before = first.map(roster).transpose()?.flatten().flatten();
    for Changed { commit, order: _, before: _, after } in changed {
        let index = CommitIndex(past.commits.len());
        if let Some(now) = roster(&after)? {
            let events = events::of_everyone(before.as_ref(), now.as_ref());
            past.events.extend(events.into_iter().map(|event| (event, index)));
            before = now;
        }
        let CommitInfo { id, at, author, committer, is_merge } = commit;
        past.commits.push(PastCommit { id: id.to_string(), at, author, committer, is_merge });
    }
    Ok(past)
}

/// Of these commits, those after a day, a time or a revision.
///
/// # Errors
/// It is none of them, or a shallow clone does not hold it.
pub fn since(repo: &Repo, past: &RosterPast, asked: &str) -> Result<ReviewStart> {
    let all = past.commits.iter().enumerate();
    let commits = match day_or_time(asked) {
        Some(begin) => all.filter(|(_, commit)| commit.at >= begin).map(|(at, _)| CommitIndex(at)).collect(),
        None => {
            let after = repo.commits_since(asked)?;
            all.filter(|(_, commit)| after.contains(&commit.id)).map(|(at, _)| CommitIndex(at)).collect()
        }
    };
    Ok(ReviewStart { asked: asked.to_owned(), commits })
}

/// A day begins at midnight, UTC.
fn day_or_time(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse::<Timestamp>().ok().or_else(day)
}

/// The users and groups of HEAD's roster.
fn names(repo: &Repo, rosters: &History) -> Result<BTreeSet<String>> {
    let Some(blob) = rosters.head.values().next() else { return Ok(BTreeSet::new()) };
    let bytes = repo.content(*blob, roster::SIZE_LIMIT)?.unwrap_or_default();
    let Some(roster) = parse(&bytes) else { return Ok(BTreeSet::new()) };
    let users = roster.users.keys().map(ToString::to_string);
    Ok(users.chain(roster.groups.keys().map(ToString::to_string)).collect())
}

fn parse(bytes: &[u8]) -> Option<Roster> {
    roster::parse(FILE, roster::text(FILE, bytes).ok()?, &seal::parse_recipient).ok()
}

/// Nobody sees the errors that it is named in.
const FILE: &str = "users.yaml";

impl Life {
    /// The events of a history, each with the order of its commit.
    fn tell<T: Default>(
        &mut self,
        history: &History,
        parse: impl Fn(&Files) -> Result<Option<T>>,
        diff: impl Fn(&T, &T) -> Vec<LifeEvent>,
    ) -> Result<Vec<(usize, Told)>> {
        self.ends_at = self.ends_at.max(history.ends_at);
        let mut versions: HashMap<Files, Rc<T>> = HashMap::from([(Files::new(), Rc::default())]);
        let mut told = Vec::new();
        for Changed { commit, order, before, after } in &history.changed {
            let mut known = Vec::new();
            for files in before {
                if !versions.contains_key(files) {
                    // Only where a shallow clone ends.
                    versions.insert(files.clone(), Rc::new(parse(files)?.unwrap_or_default()));
                }
                known.extend(versions.get(files).cloned());
            }
            if known.is_empty() {
                known.push(Rc::default());
            }
            let now = match versions.get(after) {
                Some(now) => Rc::clone(now),
                None => {
                    let now = match parse(after)? {
                        Some(now) => Rc::new(now),
                        None => {
                            self.unreadable.push(commit.clone());
                            Rc::clone(&known[0])
                        }
                    };
                    versions.insert(after.clone(), Rc::clone(&now));
                    now
                }
            };
            // Of a merge, what no parent brought.
            let mut of_parents = known.iter().map(|before| diff(before, &now));
            let mut events = of_parents.next().unwrap_or_default();
            for other in of_parents {
                events.retain(|event| other.contains(event));
            }
            let tell = |event| (*order, Told { event, commit: commit.clone() });
            told.extend(events.into_iter().map(tell));
        }
        Ok(told)
    }
}

/// A roster, whatever its layout, or the part of a long one that is about this name.
fn roster_about(bytes: &[u8], name: &str) -> Option<Roster> {
    let part = || {
        let text = roster::text(FILE, bytes).ok().filter(|text| text.len() > SHORT_ROSTER)?;
        parse(roster::excerpt::about(text, name)?.as_bytes())
    };
    part().or_else(|| parse(bytes)).map(Roster::without_positions)
}

fn records_of(repo: &Repo, user: &UserName, files: &Files) -> Result<Option<Records>> {
    let mut records = Records::new();
    for (cluster, blob) in files {
        let Ok(cluster) = cluster.parse::<ClusterName>() else { continue };
        let Some(bytes) = repo.content(*blob, record::LARGEST)? else { return Ok(None) };
        let Ok(record) = parse_record("", &bytes, &cluster, user) else { return Ok(None) };
        records.insert(cluster, record.credentials);
    }
    Ok(Some(records))
}

/// The error about a name that no commit knows.
fn unknown_name(repo: &Repo, name: &str, known: &BTreeSet<String>) -> Error {
    let error = Error::new(format!("`{name}` is no user and no group, at HEAD or before it"));
    let near = roster::nearest(name, known.iter().map(String::as_str));
    let error = match near {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`certctl status` lists the users"),
    };
    match repo.is_shallow() {
        true => error.hint(UNSHALLOW),
        false => error,
    }
}

/// How to get what a shallow clone lacks.
pub const UNSHALLOW: &str = "this clone is shallow: `git fetch --unshallow` brings the commits before (in CI `fetch-depth: 0`, in GitLab `GIT_DEPTH: 0`)";
