//! The files of one commit, from git's objects: neither the working tree nor the index is looked at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use git2::FileMode;

use super::revision::oid;
use super::{CommitId, Repo, TreeItem, internal};
use crate::error::{Error, Result};

/// What one commit holds. Paths are relative to the roster's folder.
pub struct Snapshot {
    repo: Rc<Repo>,
    commit: CommitId,
    /// By path from the root. A folder of 10,000 records is read once, not once a record.
    folders: RefCell<BTreeMap<String, Option<Folder>>>,
}

/// Name to what is there.
type Folder = Rc<BTreeMap<String, TreeItem>>;

impl Snapshot {
    /// Of a commit of this repository.
    pub fn new(repo: Rc<Repo>, commit: CommitId) -> Self {
        Self { repo, commit, folders: RefCell::default() }
    }

    /// The commit.
    pub fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// The content of a file; `None` where there is no such file.
    ///
    /// # Errors
    /// It is no regular file, is longer than `limit` bytes, or cannot be read.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let full = self.repo.inside(path)?;
        let (folder, name) = full.rsplit_once('/').unwrap_or(("", &full));
        let Some(folder) = self.folder(folder)? else { return Ok(None) };
        let Some(entry) = folder.get(name) else { return Ok(None) };
        if !entry.is_regular() {
            return Err(Error::new(format!("{} is not a regular file", self.place(path))));
        }
        let read = |error| internal("read", &self.place(path), error);
        self.repo.fetch_left_out(entry.id);
        let odb = self.repo.git.odb().map_err(read)?;
        let (length, _) = odb.read_header(entry.id).map_err(read)?;
        if length as u64 > limit {
            return Err(Error::new(format!("{} is longer than {limit} bytes", self.place(path))));
        }
        let blob = self.repo.git.find_blob(entry.id).map_err(read)?;
        Ok(Some(blob.content().to_vec()))
    }

    /// The names of what lies in a folder; `None` where there is no such folder.
    ///
    /// # Errors
    /// It is no folder, or cannot be read.
    pub fn list(&self, path: &str) -> Result<Option<Vec<String>>> {
        let folder = self.folder(&self.repo.inside(path)?)?;
        Ok(folder.map(|folder| folder.keys().cloned().collect()))
    }

    fn place(&self, path: &str) -> String {
        format!("{path} in {}", self.commit.short())
    }

    fn folder(&self, path: &str) -> Result<Option<Folder>> {
        if let Some(known) = self.folders.borrow().get(path) {
            return Ok(known.clone());
        }
        let folder = self.load(path)?.map(Rc::new);
        self.folders.borrow_mut().insert(path.to_owned(), folder.clone());
        Ok(folder)
    }

    /// A symbolic link or a file is no folder: what decides must not lie elsewhere.
    fn load(&self, path: &str) -> Result<Option<BTreeMap<String, TreeItem>>> {
        let place = || self.place(&self.repo.shown(path));
        let tree = if path.is_empty() {
            self.repo.tree_of(oid(&self.commit)?)?
        } else {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Some(parent) = self.folder(parent)? else { return Ok(None) };
            let Some(entry) = parent.get(name) else { return Ok(None) };
            if entry.mode != FileMode::Tree {
                return Err(Error::new(format!("{} is not a folder; nothing was done", place()))
                    .hint("replace the file or the symbolic link there by a folder, and commit that"));
            }
            self.repo.git.find_tree(entry.id).map_err(|error| internal("read", &place(), error))?
        };
        let name = |entry: &git2::TreeEntry<'_>| String::from_utf8_lossy(entry.name_bytes()).into_owned();
        Ok(Some(tree.iter().map(|found| (name(&found), TreeItem::of(&found))).collect()))
    }
}
