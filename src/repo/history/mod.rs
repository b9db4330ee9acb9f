//! The commits that made roster and records what they are, back to the first one.
//!
//! As with `git log -- FILE`, a merge that brought nothing is passed over, and so is the side of a merge that
//! came to nothing. The roster is followed when its file is renamed or moved, and the records beside it with it.
//! Everything in a repository is somebody's text: what is read is bounded, and names are made harmless.
//!
//! A shallow clone ends before the beginning. What its oldest commits hold is not told as if they had made it.

mod mainline;
mod records;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Commit, ErrorCode, ObjectType, Oid, Tree, TreeEntry};
use jiff::Timestamp;

use self::walk::Onward;
use super::{CommitId, Repo, entry, internal};
use crate::error::{Result, visible_line};
use crate::model::{ClusterName, UserName};
use crate::record_folder::RECORDS;
use crate::roster::PartPath;

pub use mainline::{BranchCommit, Mainline};
pub use records::{ChangedRecord, Look, Past, PastRecord};

/// The most of an author's name and address that is shown.
const AUTHOR: usize = 100;

/// What is followed.
#[derive(Clone, Copy)]
pub enum Followed<'a> {
    /// The roster, `""`, and its parts, each by its path beside it. The function says which those are, by what
    /// the roster is.
    Roster(PartsOf<'a>),
    /// Somebody's records: a file for each cluster, by its name.
    RecordsOf(&'a UserName),
}

/// What a version of the roster includes.
pub type PartsOf<'a> = &'a dyn Fn(BlobId) -> Result<Vec<PartPath>>;

/// Files by name.
pub type Files = BTreeMap<String, BlobId>;

/// The id of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(Oid);

/// What a commit holds, and where the roster is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTree {
    tree: Oid,
    /// From the root.
    roster: String,
}

/// Who committed what, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    pub id: CommitId,
    /// When it was committed.
    pub at: Timestamp,
    /// Its author, `Name <mail>`, fit to be shown.
    pub author: String,
    /// Who committed it, likewise: for a change that a host merged, the host or whoever pressed its button.
    pub committer: String,
    /// Whether it merges other commits.
    pub is_merge: bool,
}

/// A commit that changed what is followed.
#[derive(Debug, Clone)]
pub struct Changed {
    pub commit: CommitInfo,
    /// Its place among all commits: a larger one is older.
    pub order: usize,
    /// What each of its parents holds; nothing where it is the first commit.
    pub before: Vec<Files>,
    pub after: Files,
}

/// What is known of the past.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Oldest first.
    pub changed: Vec<Changed>,
    /// What HEAD holds.
    pub head: Files,
    /// Where it ends before the beginning: the time of the oldest commit that is here.
    pub ends_at: Option<Timestamp>,
}

impl Repo {
    /// The commits that changed what is followed.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn history_of(&self, followed: Followed<'_>) -> Result<History> {
        let mut history = History::default();
        self.look_back(&mut |step| {
            let after = self.files(&step.at, followed)?;
            if step.order == 0 {
                history.head.clone_from(&after);
            }
            let mut before = Vec::new();
            for (parent, at) in &step.parents {
                let files = self.files(at, followed)?;
                if files == after {
                    // As in `git log`: the others brought nothing that lasted.
                    return Ok(Onward::Only(*parent));
                }
                before.push(files);
            }
            if step.is_cut_off {
                history.ends_at = Some(time(&step.commit));
            } else if !(before.is_empty() && after.is_empty()) {
                let (commit, order) = (info(&step.commit), step.order);
                history.changed.push(Changed { commit, order, before, after });
            }
            Ok(Onward::All)
        })?;
        history.changed.reverse();
        Ok(history)
    }

    /// When records were last changed; `None` where there are none, or a shallow clone does not tell.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn last_recorded(&self) -> Result<Option<Timestamp>> {
        let mut last = None;
        self.look_back(&mut |step| {
            let records = |at: &CommitTree| -> Result<Option<Oid>> {
                Ok(self.folder(&self.tree_at(at)?, &at.records())?.map(|folder| folder.id()))
            };
            let here = records(&step.at)?;
            for (parent, at) in &step.parents {
                if records(at)? == here {
                    return Ok(Onward::Only(*parent));
                }
            }
            last = (here.is_some() && !step.is_cut_off).then(|| time(&step.commit));
            Ok(Onward::None)
        })?;
        Ok(last)
    }

    /// The content of a file; `None` where it is longer than `limit` bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn content(&self, blob: BlobId, limit: usize) -> Result<Option<Vec<u8>>> {
        let read = |error| internal("read object", &blob.0.to_string(), error);
        self.fetch_left_out(blob.0);
        let (length, kind) = self.git.odb().and_then(|odb| odb.read_header(blob.0)).map_err(read)?;
        if length > limit || kind != ObjectType::Blob {
            return Ok(None);
        }
        Ok(Some(self.git.find_blob(blob.0).map_err(read)?.content().to_vec()))
    }

    fn folder(&self, tree: &Tree<'_>, path: &str) -> Result<Option<Tree<'_>>> {
        match tree.get_path(Path::new(path)) {
            Ok(found) if found.kind() == Some(ObjectType::Tree) => {
                self.git.find_tree(found.id()).map(Some).map_err(|error| internal("read", path, error))
            }
            Ok(_) => Ok(None),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(internal("look up", path, error)),
        }
    }

    fn tree_at(&self, at: &CommitTree) -> Result<Tree<'_>> {
        self.git.find_tree(at.tree).map_err(|error| internal("read object", &at.tree.to_string(), error))
    }

    fn files(&self, at: &CommitTree, followed: Followed<'_>) -> Result<Files> {
        match followed {
            Followed::Roster(parts_of) => match self.roster_at(at)? {
                Some(roster) => self.roster_files(at, roster, &parts_of(roster)?),
                None => Ok(Files::new()),
            },
            Followed::RecordsOf(user) => self.records_of(at, user),
        }
    }

    /// The roster itself, as a commit holds it.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn roster_at(&self, at: &CommitTree) -> Result<Option<BlobId>> {
        regular(&self.tree_at(at)?, &at.roster)
    }

    /// With the parts that it includes.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn roster_files(&self, at: &CommitTree, roster: BlobId, parts: &[PartPath]) -> Result<Files> {
        let mut files = Files::from([(String::new(), roster)]);
        if parts.is_empty() {
            return Ok(files);
        }
        let tree = self.tree_at(at)?;
        for part in parts {
            let mut add = |path: String| -> Result<()> {
                files.extend(regular(&tree, &at.beside(&path))?.map(|id| (path, id)));
                Ok(())
            };
            if let Some(file) = part.file() {
                add(file.to_string())?;
            } else if let Some(folder) = self.folder(&tree, &at.beside(part.watched()))? {
                for name in folder.iter().filter_map(|found| name(&found).map(str::to_owned)) {
                    let path = format!("{}/{name}", part.watched());
                    if path.parse().is_ok_and(|path| part.is(&path)) {
                        add(path)?;
                    }
                }
            }
        }
        Ok(files)
    }

    fn records_of(&self, at: &CommitTree, user: &UserName) -> Result<Files> {
        let mut files = Files::new();
        let Some(records) = self.folder(&self.tree_at(at)?, &at.records())? else { return Ok(files) };
        for found in &records {
            let Some(cluster) = name(&found).filter(|name| name.parse::<ClusterName>().is_ok()) else {
                continue;
            };
            if let Some(id) = regular(&records, &format!("{cluster}/{user}.yaml"))? {
                files.insert(cluster.to_owned(), id);
            }
        }
        Ok(files)
    }
}

impl CommitTree {
    fn of(commit: &Commit<'_>, roster: String) -> Self {
        Self { tree: commit.tree_id(), roster }
    }

    /// A path beside the roster, from the root.
    fn beside(&self, path: &str) -> String {
        let folder = self.roster.rsplit_once('/').map(|(folder, _)| folder);
        folder.map_or_else(|| path.to_owned(), |folder| format!("{folder}/{path}"))
    }

    fn records(&self) -> String {
        self.beside(RECORDS)
    }
}

fn regular(tree: &Tree<'_>, path: &str) -> Result<Option<BlobId>> {
    Ok(entry(tree, path)?.filter(|entry| entry.is_regular()).map(|entry| BlobId(entry.id)))
}

fn name<'e>(entry: &'e TreeEntry<'_>) -> Option<&'e str> {
    std::str::from_utf8(entry.name_bytes()).ok()
}

fn time(commit: &Commit<'_>) -> Timestamp {
    Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn info(commit: &Commit<'_>) -> CommitInfo {
    let shown = |who: git2::Signature<'_>| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let who = format!("{} <{}>", text(who.name_bytes()), text(who.email_bytes()));
        visible_line(&who.chars().take(AUTHOR).collect::<String>())
    };
    CommitInfo {
        id: commit.id().into(),
        at: time(commit),
        author: shown(commit.author()),
        committer: shown(commit.committer()),
        is_merge: commit.parent_count() > 1,
    }
}
