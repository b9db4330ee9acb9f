//! Roster and records as earlier commits hold them, and what happened to somebody in between.
//!
//! An earlier version may break a rule that came later, or never have been valid. It is passed over and counted:
//! what it changed is told with the next version that can be read.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;

use super::records::parse_record;
use super::source::SHORT_ROSTER;
use crate::access::events::{self, LifeEvent, Records};
use crate::error::{Error, Result};
use crate::model::{ClusterName, RepoPath, UserName};
use crate::record;
use crate::repo::Repo;
use crate::repo::history::{BlobId, Changed, CommitInfo, Files, Followed, History};
use crate::roster::difference::Texts;
use crate::roster::{self, PartPath, Roster, RosterParts};
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
    let included = RefCell::new(HashMap::new());
    let parts_of = |blob: BlobId| parts_of(repo, blob, &mut included.borrow_mut());
    let rosters = repo.history_of(Followed::Roster(&parts_of))?;
    let parse = |files: &Files| {
        if files.is_empty() {
            return Ok(Some(None));
        }
        let past = PastFiles::read(repo, files)?;
        Ok(past.and_then(|past| past.roster_about(name)).map(Some))
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

/// The users and groups of HEAD's roster.
fn names(repo: &Repo, rosters: &History) -> Result<BTreeSet<String>> {
    let past = PastFiles::read(repo, &rosters.head)?;
    let Some(roster) = past.and_then(|past| past.parse()) else { return Ok(BTreeSet::new()) };
    let users = roster.users.keys().map(ToString::to_string);
    Ok(users.chain(roster.groups.keys().map(ToString::to_string)).collect())
}

/// What a version of the roster includes; each version is read once.
fn parts_of(repo: &Repo, blob: BlobId, known: &mut HashMap<BlobId, Vec<PartPath>>) -> Result<Vec<PartPath>> {
    if let Some(known) = known.get(&blob) {
        return Ok(known.clone());
    }
    let bytes = repo.content(blob, roster::SIZE_LIMIT)?.unwrap_or_default();
    let parts = roster::text(FILE, &bytes).map_or_else(|_| Vec::new(), roster::included);
    known.insert(blob, parts.clone());
    Ok(parts)
}

/// The files of a roster as some commit holds them.
pub(super) struct PastFiles(pub(super) Texts);

impl PastFiles {
    /// `None` where one of them is too long or no text.
    fn read(repo: &Repo, files: &Files) -> Result<Option<Self>> {
        let mut texts = Texts::new();
        let mut size = 0;
        for (path, blob) in files {
            let Some(text) = text_of(repo, *blob, &mut size)? else { return Ok(None) };
            texts.insert(path.clone(), text);
        }
        Ok(Some(Self(texts)))
    }

    /// What it says, whatever its layout.
    pub(super) fn parse(&self) -> Option<Roster> {
        let root = self.0.get("")?;
        let roster = roster::parse_with_parts(FILE, root, &seal::parse_recipient, self).ok()?;
        Some(roster.without_positions())
    }

    /// What it says; of a long one, what is about this name.
    fn roster_about(&self, name: &str) -> Option<Roster> {
        let is_long = self.0.values().map(String::len).sum::<usize>() > SHORT_ROSTER;
        let about = |(path, text): (&String, &String)| {
            let excerpt = roster::excerpt::about(text, name);
            (path.clone(), excerpt.unwrap_or_else(|| text.clone()))
        };
        let excerpt = is_long.then(|| Self(self.0.iter().map(about).collect()));
        excerpt.and_then(|excerpt| excerpt.parse()).or_else(|| self.parse())
    }
}

/// The text of a file; `None` where it is none, or too long together with the `size` of those before it.
fn text_of(repo: &Repo, blob: BlobId, size: &mut usize) -> Result<Option<String>> {
    let Some(bytes) = repo.content(blob, roster::SIZE_LIMIT.saturating_sub(*size))? else { return Ok(None) };
    *size += bytes.len();
    Ok(String::from_utf8(bytes).ok())
}

impl RosterParts for PastFiles {
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let name = |path: &String| {
            let (in_folder, name) = path.rsplit_once('/')?;
            (in_folder == folder).then(|| name.to_owned())
        };
        Ok(Some(self.0.keys().filter_map(name).collect()))
    }

    fn read(&self, path: &RepoPath) -> Result<String> {
        self.0.get(path.as_str()).cloned().ok_or_else(|| Error::new("the commit does not hold it"))
    }

    fn shown(&self, path: &RepoPath) -> String {
        path.to_string()
    }

    fn is_roster(&self, _: &RepoPath) -> bool {
        false
    }
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
