//! The commits that made roster and records what they are, back to the first one.
//!
//! As with `git log -- FILE`, a merge that brought nothing is passed over, and so is the side of a merge that
//! came to nothing. The roster is followed when its file is renamed or moved, and the records beside it with it.
//! Everything in a repository is somebody's text: what is read is bounded, and names are made harmless.
//!
//! A shallow clone ends before the beginning. What its oldest commits hold is not told as if they had made it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use git2::{Commit, DiffFindOptions, DiffOptions, ErrorCode, ObjectType, Oid, Sort, Tree, TreeEntry};
use jiff::Timestamp;

use super::{CommitId, Repo, TreeItem, entry, head_of, internal};
use crate::error::{Error, Result, visible_line};
use crate::model::{ClusterName, UserName};
use crate::record_folder::RECORDS;
use crate::roster::PartPath;

/// The most commits that are looked at.
const COMMITS: usize = 200_000;

/// The most files that a commit which moves the roster is searched for where it came from.
const RENAMES: usize = 1_000;

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

/// What the commits of the branch itself changed.
#[derive(Debug, Clone, Default)]
pub struct Mainline {
    /// What the roster's files were before all of them: something only where a shallow clone ends.
    pub beginning: Files,
    /// Oldest first.
    pub commits: Vec<BranchCommit>,
    /// Where it ends before the beginning: the time of the oldest commit that is here.
    pub ends_at: Option<Timestamp>,
}

/// A commit of the branch itself.
#[derive(Debug, Clone)]
pub struct BranchCommit {
    pub commit: CommitInfo,
    /// The roster's files, where it changed any.
    pub roster: Option<Files>,
    /// The records that it changed, where that was asked for.
    pub records: Vec<ChangedRecord>,
}

/// A record that a commit made, changed or deleted.
#[derive(Debug, Clone)]
pub struct ChangedRecord {
    pub cluster: ClusterName,
    pub user: UserName,
    pub before: Option<BlobId>,
    pub after: Option<BlobId>,
}

/// A record as some commit holds it.
pub struct PastRecord<'a> {
    /// Whether HEAD does.
    pub is_current: bool,
    pub cluster: &'a ClusterName,
    pub user: &'a UserName,
    pub bytes: &'a [u8],
}

impl Repo {
    /// The commits that changed what is followed.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn history_of(&self, followed: Followed<'_>) -> Result<History> {
        let mut history = History::default();
        self.look_back(&mut |step| {
            let after = self.files(&step.tree, &step.roster, followed)?;
            if step.order == 0 {
                history.head.clone_from(&after);
            }
            let mut before = Vec::new();
            for (parent, roster) in &step.parents {
                let files = self.files(&tree(parent)?, roster, followed)?;
                if files == after {
                    // As in `git log`: the others brought nothing that lasted.
                    return Ok(Onward::Only(parent.id()));
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

    /// The commits of the branch itself that changed the roster or its parts, or records where `tells_records` says so. Of a
    /// merge that is the merge, since it let the change in: what came before it on the other side is not looked at.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn mainline(
        &self,
        parts_of: PartsOf<'_>,
        tells_records: &dyn Fn(&CommitInfo) -> bool,
    ) -> Result<Mainline> {
        let followed = Followed::Roster(parts_of);
        let mut mainline = Mainline::default();
        self.look_back(&mut |step| {
            let (parent, next) = match step.parents.first() {
                Some((parent, roster)) => (Some((tree(parent)?, roster)), Onward::Only(parent.id())),
                None if step.is_cut_off => {
                    mainline.ends_at = Some(time(&step.commit));
                    return Ok(Onward::None);
                }
                None => (None, Onward::None),
            };
            let after = self.files(&step.tree, &step.roster, followed)?;
            let before = match &parent {
                Some((tree, roster)) => self.files(tree, roster, followed)?,
                None => Files::new(),
            };
            let roster = (before != after).then_some(after);
            if roster.is_some() {
                mainline.beginning = before;
            }
            let old = parent.map(|(tree, roster)| self.folder(&tree, &records_beside(roster)));
            let old = old.transpose()?.flatten();
            let new = self.folder(&step.tree, &records_beside(&step.roster))?;
            let id = |folder: &Option<Tree<'_>>| folder.as_ref().map(Tree::id);
            let commit = info(&step.commit);
            let mut records = Vec::new();
            if id(&old) != id(&new) && tells_records(&commit) {
                records = self.changed_records(old.as_ref(), new.as_ref())?;
            }
            if roster.is_some() || !records.is_empty() {
                mainline.commits.push(BranchCommit { commit, roster, records });
            }
            Ok(next)
        })?;
        mainline.commits.reverse();
        Ok(mainline)
    }

    /// By cluster and user.
    fn changed_records(&self, old: Option<&Tree<'_>>, new: Option<&Tree<'_>>) -> Result<Vec<ChangedRecord>> {
        let clusters = |folder: Option<&Tree<'_>>| -> BTreeMap<ClusterName, Oid> {
            let entries = folder.into_iter().flat_map(Tree::iter);
            let folders = entries.filter(|found| found.kind() == Some(ObjectType::Tree));
            folders.filter_map(|found| Some((name(&found)?.parse().ok()?, found.id()))).collect()
        };
        let records = |folder: Option<&Oid>| -> Result<BTreeMap<UserName, BlobId>> {
            let folder = folder.map(|id| self.git.find_tree(*id)).transpose();
            let folder = folder.map_err(|error| internal("read", RECORDS, error))?;
            let entries = folder.iter().flat_map(Tree::iter);
            let regular = entries.filter(|found| TreeItem::of(found).is_regular());
            Ok(regular.filter_map(|found| Some((record_of(name(&found)?)?, BlobId(found.id())))).collect())
        };
        let (old, new) = (clusters(old), clusters(new));
        let mut all = Vec::new();
        for cluster in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (old, new) = (old.get(cluster), new.get(cluster));
            if old == new {
                continue;
            }
            let (old, new) = (records(old)?, records(new)?);
            for user in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let (before, after) = (old.get(user).copied(), new.get(user).copied());
                if before != after {
                    let (cluster, user) = (cluster.clone(), user.clone());
                    all.push(ChangedRecord { cluster, user, before, after });
                }
            }
        }
        Ok(all)
    }

    /// Each version of each record that HEAD or a commit before it holds, the latest first, until `look` has
    /// seen enough: it is told when all that HEAD holds has been shown. Returns where the history ends before
    /// the beginning.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn past_records(&self, look: &mut dyn FnMut(Past<'_>) -> Look) -> Result<Option<Timestamp>> {
        let mut seen = HashSet::new();
        let mut ends_at = None;
        let mut is_current = true;
        let mut done = false;
        self.look_back(&mut |step| {
            if done {
                return Ok(Onward::None);
            }
            let mut show = |cluster: &ClusterName, user: &UserName, bytes: &[u8]| {
                done |=
                    matches!(look(Past::Record(PastRecord { is_current, cluster, user, bytes })), Look::Done);
            };
            self.show_records(&step.tree, &step.roster, &mut seen, &mut show)?;
            if is_current {
                is_current = false;
                done |= matches!(look(Past::EndOfHead), Look::Done);
            }
            if step.is_cut_off {
                ends_at = Some(time(&step.commit));
            }
            Ok(Onward::All)
        })?;
        Ok(ends_at)
    }

    /// When records were last changed; `None` where there are none, or a shallow clone does not tell.
    ///
    /// # Errors
    /// git cannot tell.
    pub fn last_recorded(&self) -> Result<Option<Timestamp>> {
        let mut last = None;
        self.look_back(&mut |step| {
            let records = |tree: &Tree<'_>, roster: &str| -> Result<Option<Oid>> {
                Ok(self.folder(tree, &records_beside(roster))?.map(|folder| folder.id()))
            };
            let here = records(&step.tree, &step.roster)?;
            for (parent, roster) in &step.parents {
                if records(&tree(parent)?, roster)? == here {
                    return Ok(Onward::Only(parent.id()));
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

    fn show_records(
        &self,
        tree: &Tree<'_>,
        roster: &str,
        seen: &mut HashSet<Oid>,
        show: &mut dyn FnMut(&ClusterName, &UserName, &[u8]),
    ) -> Result<()> {
        for (cluster, folder) in self.record_folders(tree, roster, seen)? {
            for found in &folder {
                let Some(user) = name(&found).and_then(record_of) else { continue };
                if !TreeItem::of(&found).is_regular() || !seen.insert(found.id()) {
                    continue;
                }
                if let Some(bytes) = self.content(BlobId(found.id()), crate::record::LARGEST)? {
                    show(&cluster, &user, &bytes);
                }
            }
        }
        Ok(())
    }

    /// The folders of the clusters under `access/` that were not seen yet.
    fn record_folders(
        &self,
        tree: &Tree<'_>,
        roster: &str,
        seen: &mut HashSet<Oid>,
    ) -> Result<Vec<(ClusterName, Tree<'_>)>> {
        let Some(records) = self.folder(tree, &records_beside(roster))? else { return Ok(Vec::new()) };
        let mut folders = Vec::new();
        if !seen.insert(records.id()) {
            return Ok(folders);
        }
        for found in &records {
            let Some(cluster) = name(&found).and_then(|name| name.parse().ok()) else { continue };
            if found.kind() == Some(ObjectType::Tree) && seen.insert(found.id()) {
                let folder = self.git.find_tree(found.id());
                folders.push((cluster, folder.map_err(|e| internal("read", RECORDS, e))?));
            }
        }
        Ok(folders)
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

    fn files(&self, tree: &Tree<'_>, roster: &str, followed: Followed<'_>) -> Result<Files> {
        let regular = |tree: &Tree<'_>, path: &str| -> Result<Option<BlobId>> {
            Ok(entry(tree, path)?.filter(|entry| entry.is_regular()).map(|entry| BlobId(entry.id)))
        };
        let user = match followed {
            Followed::Roster(parts_of) => {
                let Some(id) = regular(tree, roster)? else { return Ok(Files::new()) };
                let mut files = Files::from([(String::new(), id)]);
                for part in parts_of(id)? {
                    files.extend(self.part_files(tree, roster, &part)?);
                }
                return Ok(files);
            }
            Followed::RecordsOf(user) => user,
        };
        let Some(records) = self.folder(tree, &records_beside(roster))? else { return Ok(Files::new()) };
        let mut files = Files::new();
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

    /// What a commit holds of an include, by the path beside the roster.
    fn part_files(&self, tree: &Tree<'_>, roster: &str, part: &PartPath) -> Result<Files> {
        let beside = |path: &str| {
            let folder = roster.rsplit_once('/').map_or("", |(folder, _)| folder);
            if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
        };
        let mut files = Files::new();
        let mut add = |path: String| -> Result<()> {
            let found = entry(tree, &beside(&path))?.filter(|entry| entry.is_regular());
            files.extend(found.map(|entry| (path, BlobId(entry.id))));
            Ok(())
        };
        if let Some(file) = part.file() {
            add(file.to_string())?;
        } else if let Some(folder) = self.folder(tree, &beside(part.watched()))? {
            for name in folder.iter().filter_map(|found| name(&found).map(str::to_owned)) {
                let path = format!("{}/{name}", part.watched());
                if path.parse().is_ok_and(|path| part.is(&path)) {
                    add(path)?;
                }
            }
        }
        Ok(files)
    }

    /// Shows `visit` HEAD and the commits before it, children before their parents, and goes on where it says.
    fn look_back<'r>(&'r self, visit: &mut dyn FnMut(Step<'r>) -> Result<Onward>) -> Result<()> {
        let read = |error| internal("read the history of", "HEAD", error);
        let mut walk = self.git.revwalk().map_err(read)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(read)?;
        let head = head_of(&self.git)?.id;
        walk.push(head).map_err(read)?;
        let (shallow, is_partial) = (self.shallow(), self.is_partial());
        // Where the roster is in each commit that is to be visited.
        let mut rosters = HashMap::from([(head, format!("{}{}", self.prefix, self.roster))]);
        for (order, id) in walk.enumerate() {
            let id = id.map_err(read)?;
            let Some(roster) = rosters.remove(&id) else { continue };
            if order >= COMMITS {
                return Err(Error::new(format!(
                    "the history of HEAD is longer than the {COMMITS} commits that are looked at"
                )));
            }
            let commit = self.git.find_commit(id).map_err(read)?;
            let is_cut_off = shallow.contains(&id);
            if is_partial {
                // libgit2 takes a tree that was left out for one without files.
                let parents = commit.parent_ids().filter(|_| !is_cut_off);
                [id].into_iter().chain(parents).try_for_each(|id| self.fill_missing(id))?;
            }
            let tree = commit.tree().map_err(read)?;
            let mut parents = Vec::new();
            for parent in commit.parents().filter(|_| !is_cut_off) {
                let roster = self.roster_before(&parent, &tree, &roster)?;
                parents.push((parent, roster));
            }
            let known: Vec<(Oid, String)> =
                parents.iter().map(|(p, roster)| (p.id(), roster.clone())).collect();
            let next = visit(Step { commit, order, tree, roster, parents, is_cut_off })?;
            for (parent, roster) in known {
                let follows = match next {
                    Onward::All => true,
                    Onward::Only(only) => only == parent,
                    Onward::None => return Ok(()),
                };
                if follows {
                    rosters.entry(parent).or_insert(roster);
                }
            }
            if rosters.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Where a parent has the roster that its child has at `roster`.
    fn roster_before(&self, parent: &Commit<'_>, child: &Tree<'_>, roster: &str) -> Result<String> {
        let before = tree(parent)?;
        if entry(&before, roster)?.is_some() || entry(child, roster)?.is_none() {
            return Ok(roster.to_owned());
        }
        let read = |error| internal("compare commit", &parent.id().to_string(), error);
        let mut options = DiffOptions::new();
        options.context_lines(0);
        let mut diff =
            self.git.diff_tree_to_tree(Some(&before), Some(child), Some(&mut options)).map_err(read)?;
        diff.find_similar(Some(DiffFindOptions::new().renames(true).rename_limit(RENAMES))).map_err(read)?;
        let from = diff.deltas().find_map(|delta| {
            let is_it = delta.new_file().path() == Some(Path::new(roster));
            let from = delta.old_file().path().filter(|_| is_it && delta.status() == git2::Delta::Renamed)?;
            from.to_str().map(str::to_owned)
        });
        Ok(from.unwrap_or_else(|| roster.to_owned()))
    }

    /// The commits whose parents a shallow clone left behind.
    fn shallow(&self) -> BTreeSet<Oid> {
        if !self.git.is_shallow() {
            return BTreeSet::new();
        }
        let text = std::fs::read_to_string(self.git.commondir().join("shallow")).unwrap_or_default();
        text.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
    }
}

/// What `past_records` shows.
pub enum Past<'a> {
    Record(PastRecord<'a>),
    /// All that HEAD holds has been shown.
    EndOfHead,
}

/// Whether more is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    On,
    Done,
}

struct Step<'r> {
    commit: Commit<'r>,
    order: usize,
    tree: Tree<'r>,
    /// Where the roster is.
    roster: String,
    /// With where the roster is there; none where a shallow clone ends.
    parents: Vec<(Commit<'r>, String)>,
    is_cut_off: bool,
}

/// Which parents are visited.
enum Onward {
    All,
    Only(Oid),
    None,
}

fn tree<'r>(commit: &Commit<'r>) -> Result<Tree<'r>> {
    commit.tree().map_err(|error| internal("read commit", &commit.id().to_string(), error))
}

fn records_beside(roster: &str) -> String {
    let folder = roster.rsplit_once('/').map(|(folder, _)| folder);
    folder.map_or_else(|| RECORDS.to_owned(), |folder| format!("{folder}/{RECORDS}"))
}

fn name<'e>(entry: &'e TreeEntry<'_>) -> Option<&'e str> {
    std::str::from_utf8(entry.name_bytes()).ok()
}

/// Whose record a file under `access/<cluster>/` is.
fn record_of(file: &str) -> Option<UserName> {
    file.strip_suffix(".yaml")?.parse().ok()
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
