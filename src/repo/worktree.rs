//! Brings working tree and index from one tree to another, for the paths that differ between the
//! two and for no other.
//!
//! A path is brought over only where its file and its index entry are each what the old tree or
//! the new tree says. Whatever else is there belongs to someone, and is left alone. The same code
//! finishes what an earlier run could not, because half done is also "old or new".

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use git2::{Delta, Diff, DiffOptions, FileMode, IndexEntryExtendedFlag, IndexEntryFlag, Tree};

use super::{Repo, TreeItem, git, internal};
use crate::error::{Error, Result};
use crate::os;

/// One path on its way from an old tree to a new one.
#[derive(Debug, Clone)]
pub(super) struct TreeChange {
    /// From the root of the working tree.
    pub(super) path: String,
    pub(super) old: Option<TreeItem>,
    pub(super) new: Option<TreeItem>,
}

/// What stands between a working tree and a new tree.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// File or index entry are still the old ones.
    open: Vec<TreeChange>,
    /// Somebody's: left alone. With the reason.
    pub(super) blocked: Vec<Blocked>,
}

/// A path that is left alone.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) path: String,
    pub(super) why: &'static str,
}

impl Repo {
    /// What differs between two trees, below a folder or everywhere.
    pub(super) fn steps(
        &self,
        old: &Tree<'_>,
        new: &Tree<'_>,
        below: Option<&str>,
    ) -> Result<Vec<TreeChange>> {
        let mut options = DiffOptions::new();
        options.include_typechange(true).disable_pathspec_match(true);
        if let Some(below) = below {
            options.pathspec(below);
        }
        let diff = (self.git.diff_tree_to_tree(Some(old), Some(new), Some(&mut options)))
            .map_err(|error| internal("compare", "two commits", error))?;
        let side = |file: git2::DiffFile<'_>| {
            (!file.id().is_zero()).then(|| TreeItem { id: file.id(), mode: file.mode() })
        };
        Ok((diff.deltas())
            .map(|delta| TreeChange {
                path: path_of(&delta),
                old: side(delta.old_file()),
                new: side(delta.new_file()),
            })
            .collect())
    }

    /// Which of these steps can be taken, and which must not.
    pub(super) fn way(&self, old: &Tree<'_>, new: &Tree<'_>, steps: Vec<TreeChange>) -> Result<Way> {
        let mut way = Way::default();
        if steps.is_empty() {
            return Ok(way);
        }
        let read = |error| internal("tell what is changed in", "the working tree", error);
        (self.git.index().and_then(|mut index| index.read(true))).map_err(read)?;
        let mut index_options = DiffOptions::new();
        index_options.include_typechange(true).disable_pathspec_match(true);
        let mut options = DiffOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(true)
            .recurse_ignored_dirs(true)
            .include_unreadable(true)
            .include_typechange(true)
            .disable_pathspec_match(true);
        for step in &steps {
            options.pathspec(step.path.as_str());
            index_options.pathspec(step.path.as_str());
        }
        type Paths = Result<HashSet<String>, git2::Error>;
        let mut index = |tree| -> Paths {
            Ok(differing(&self.git.diff_tree_to_index(Some(tree), None, Some(&mut index_options))?))
        };
        let index_not_new = index(new).map_err(read)?;
        let nameable = |step: &TreeChange| !step.path.contains(char::REPLACEMENT_CHARACTER);
        if index_not_new.is_empty() && steps.iter().all(nameable) {
            // Against the index git need not read the files.
            let unstaged = self.git.diff_index_to_workdir(None, Some(&mut options)).map_err(read)?;
            if unstaged.deltas().len() == 0 {
                return Ok(way);
            }
        }
        let mut file = |tree| -> Paths {
            Ok(differing(&self.git.diff_tree_to_workdir(Some(tree), Some(&mut options))?))
        };
        let (file_not_old, file_not_new) = (file(old).map_err(read)?, file(new).map_err(read)?);
        let index_not_old = index(old).map_err(read)?;
        // Of a file that the index knows as one of the two, git has the last word, unless it was told not to look.
        let in_both = |step: &TreeChange| {
            file_not_old.contains(&step.path) && file_not_new.contains(&step.path) && nameable(step)
        };
        let in_index = |step: &TreeChange| {
            (step.old.is_some() && !index_not_old.contains(&step.path))
                || (step.new.is_some() && !index_not_new.contains(&step.path))
        };
        let entries = self.git.index().map_err(read)?;
        let is_looked_at = |step: &TreeChange| {
            entries.get_path(Path::new(&step.path), 0).is_some_and(|entry| {
                entry.flags & IndexEntryFlag::VALID.bits() == 0
                    && entry.flags_extended & IndexEntryExtendedFlag::SKIP_WORKTREE.bits() == 0
            })
        };
        let suspects = steps.iter().filter(|step| in_both(step) && in_index(step) && is_looked_at(step));
        let suspects: Vec<&str> = suspects.map(|step| step.path.as_str()).collect();
        let changed = self.differs_from_index(&suspects)?;
        let unchanged: HashSet<String> =
            suspects.into_iter().filter(|path| !changed.contains(*path)).map(str::to_owned).collect();

        for step in steps {
            let path = step.path.as_str();
            let foreign = (in_both(&step) && !unchanged.contains(path))
                || (index_not_old.contains(path) && index_not_new.contains(path));
            let special = !step.old.iter().chain(&step.new).all(|entry| entry.is_regular());
            let obstacle = self.obstacle(path);
            let why = match obstacle {
                Some(why) => why,
                None if !nameable(&step) => "has a name that is not UTF-8",
                None if special => "is not a regular file in git",
                None if foreign => "is changed in the working tree or staged",
                None => {
                    if file_not_new.contains(path) || index_not_new.contains(path) {
                        way.open.push(step);
                    }
                    continue;
                }
            };
            way.blocked.push(Blocked { path: self.shown(path), why });
        }
        Ok(way)
    }

    /// Those of these files that are not as the index has them, by git: libgit2 knows neither filters nor what the
    /// environment configures.
    fn differs_from_index(&self, paths: &[&str]) -> Result<HashSet<String>> {
        if paths.is_empty() {
            return Ok(HashSet::new());
        }
        let compare = ["--literal-pathspecs", "diff", "--no-ext-diff", "--name-only", "-z", "--"];
        let arguments: Vec<&str> = compare.into_iter().chain(paths.iter().copied()).collect();
        let answer = git::run(self, &arguments)?;
        if !answer.success {
            return Err(Error::new(
                "git could not tell what is changed in the working tree; nothing was done",
            )
            .caused_by(answer.cause()));
        }
        Ok(answer.stdout.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Writes files, then the index. Paths that are blocked are not touched.
    ///
    /// # Errors
    /// Where a file or the index cannot be written. What was written stays: it can be finished.
    pub(super) fn walk(&self, way: &Way) -> Result<Vec<String>> {
        if way.open.is_empty() {
            return Ok(Vec::new());
        }
        for step in &way.open {
            match step.new {
                Some(new) => self.write(&step.path, new)?,
                None => self.remove(&step.path)?,
            }
        }
        self.update_index(&way.open)?;
        Ok(way.open.iter().map(|step| self.shown(&step.path)).collect())
    }

    /// What would make a write land elsewhere, or destroy something that is no file.
    fn obstacle(&self, path: &str) -> Option<&'static str> {
        let mut at = self.workdir.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let Ok(metadata) = at.symlink_metadata() else {
                return None;
            };
            let last = parts.peek().is_none();
            if last && !metadata.is_file() {
                return Some("is not a regular file in the working tree");
            }
            if !last && !metadata.is_dir() {
                return Some("lies behind a symbolic link, or behind a file");
            }
        }
        None
    }

    fn refuse_obstacle(&self, path: &str) -> Result<()> {
        match self.obstacle(path) {
            Some(why) => Err(Error::new(format!("{} {why}; it was not written", self.shown(path)))),
            None => Ok(()),
        }
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.refuse_obstacle(path)?;
        let file = self.workdir.join(path);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(Error::new(format!("{} could not be deleted", self.shown(path))).caused_by(error));
            }
        }
        // git keeps no empty folders. This ends at the first that is not empty.
        for folder in file.ancestors().skip(1).take_while(|folder| *folder != self.roster_dir) {
            if !folder.starts_with(&self.workdir) || folder == self.workdir || fs::remove_dir(folder).is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// The whole file or nothing of it.
    fn write(&self, path: &str, entry: TreeItem) -> Result<()> {
        self.refuse_obstacle(path)?;
        self.fetch_left_out(entry.id);
        let blob = self.git.find_blob(entry.id).map_err(|error| internal("read", path, error))?;
        let target = self.workdir.join(path);
        let folder = target.parent().unwrap_or(&self.workdir);
        let written = fs::create_dir_all(folder).and_then(|()| {
            // In git's own folder first: a kill leaves nothing in the working tree.
            match put(self.git.path(), &target, blob.content(), entry.mode) {
                Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                    put(folder, &target, blob.content(), entry.mode)
                }
                other => other,
            }
        });
        written.map_err(|error| {
            Error::new(format!("{} could not be written", self.shown(path))).caused_by(error)
        })
    }

    /// Through the git program: it takes the index's lock before it reads, and understands every
    /// kind of index.
    fn update_index(&self, steps: &[TreeChange]) -> Result<()> {
        let mut lines = Vec::new();
        for step in steps {
            let (mode, id) = match step.new {
                Some(entry) => (u32::from(entry.mode), entry.id),
                None => (0, git2::Oid::ZERO_SHA1),
            };
            // The format of `git update-index --index-info`, with -z.
            lines.extend_from_slice(format!("{mode:06o} {id}\t{}\0", step.path).as_bytes());
        }
        let mut answer = git::run_with(self, &["update-index", "-z", "--index-info"], &lines, &[])?;
        // An editor's `git status` holds the lock for a moment.
        for _ in 0..LOCK_TRIES {
            if answer.success || !answer.stderr.contains("index.lock") {
                break;
            }
            std::thread::sleep(LOCK_PAUSE);
            answer = git::run_with(self, &["update-index", "-z", "--index-info"], &lines, &[])?;
        }
        if !answer.success {
            return Err(Error::new("the git index could not be updated").caused_by(answer.cause()));
        }
        // Only spares the next `git status` from reading the files again.
        let _ = git::run(self, &["update-index", "-q", "--refresh"])?;
        Ok(())
    }
}

const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

fn put(folder: &Path, target: &Path, bytes: &[u8], mode: FileMode) -> std::io::Result<()> {
    let mode = if mode == FileMode::BlobExecutable { 0o755 } else { 0o644 };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".certctl-");
    if let Some(permissions) = os::permissions(mode) {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(target)?;
    Ok(())
}

fn path_of(delta: &git2::DiffDelta<'_>) -> String {
    let file = match delta.status() {
        Delta::Deleted => delta.old_file(),
        _ => delta.new_file(),
    };
    // A name that is not UTF-8 is recognised by what stands in for it, and never touched.
    String::from_utf8_lossy(file.path_bytes().unwrap_or_default()).into_owned()
}

/// Every path that differs, and every folder above it: where a folder stands in the place of a
/// file, git names what is in the folder.
fn differing(diff: &Diff<'_>) -> HashSet<String> {
    let mut paths = HashSet::new();
    for delta in diff.deltas().filter(|delta| delta.status() != Delta::Unmodified) {
        let path = path_of(&delta);
        let folders = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        paths.extend(folders);
        paths.insert(path);
    }
    paths
}
