//! The git repository that holds the roster and, beside it in `access/`, the records.
//!
//! git2 reads and writes objects and refs; the `git` program makes commits (identity and signing
//! as the user has set them), updates the index under git's own lock, and fetches and pushes:
//! libgit2 knows neither `http.extraheader` nor credential helpers as git runs them.
//!
//! It refuses to write anything outside `access/`, to write through a symbolic link, to overwrite
//! a file that someone has changed, and to move a branch that someone else has moved meanwhile.
//! Everything here blocks: an asynchronous caller wraps it in `spawn_blocking`.

mod author;
mod behind;
mod child;
mod commit;
mod configuration;
mod containment;
mod crash_recovery;
mod declined;
mod discovery;
mod fast_forward;
mod git;
pub mod history;
mod host_pages;
mod left_out;
mod own_commit;
mod preflight;
mod propose;
mod propose_edit;
mod push;
mod remote;
mod remote_error;
mod revision;
mod snapshot;
mod stale_lock;
mod status;
mod url;
mod worktree;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use git2::{ErrorCode, FileMode, ObjectType, Oid, Repository, RepositoryOpenFlags, Tree, TreeEntry};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::os;
use crate::record_folder::RECORDS;

pub use crate::record::TRAILER;
pub use commit::Committed;
pub use discovery::Checkout;
pub use fast_forward::Newer;
pub use propose::{Proposal, ProposalState};
pub use push::Pushed;
pub use remote::PushTarget;
pub use snapshot::Snapshot;

/// The id of a commit, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// All of its hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for a person to recognise.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

impl From<Oid> for CommitId {
    fn from(id: Oid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one commit changes: paths relative to the roster's folder, all of them under `access/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes(BTreeMap<String, Option<Vec<u8>>>);

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file will hold exactly these bytes.
    pub fn write(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.0.insert(path.into(), Some(bytes.into()));
        self
    }

    /// The file will be gone. One that does not exist stays so.
    pub fn delete(&mut self, path: impl Into<String>) -> &mut Self {
        self.0.insert(path.into(), None);
        self
    }

    /// Whether there is nothing to write and nothing to delete.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each path with its new content, or `None` where it is deleted; sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_deref()))
    }
}

/// Where HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    /// `refs/heads/...`, or `None` where HEAD is detached.
    branch: Option<String>,
    id: Oid,
}

/// An open repository.
pub struct Repo {
    git: Repository,
    workdir: PathBuf,
    roster_dir: PathBuf,
    roster: String,
    /// The roster's folder as seen from the root of the working tree: empty, or ends in `/`.
    prefix: String,
    /// What this run's decisions were made from: HEAD when the repository was opened, then the
    /// last commit that certctl itself moved HEAD to.
    base: RefCell<Head>,
    identity: author::CommitIdentity,
    /// Whether it is known that no configuration of git's is a committed file.
    configuration_is_checked: Cell<bool>,
    /// Where a signal is heard that no git may outlive for long.
    interrupt: Option<Interrupt>,
    /// Where the roster's branch was over there when [`Repo::refuse_stale`] asked; the commit is here.
    seen: RefCell<Option<Option<Oid>>>,
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("workdir", &self.workdir).finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the repository that holds this roster. The roster itself need not exist.
    ///
    /// # Errors
    /// Where there is no repository, it is bare, has no commit yet, belongs to another user, or the
    /// roster is a symbolic link.
    pub fn discover(roster_file: &Path) -> Result<Self> {
        let shown = roster_file.display();
        let roster = (roster_file.file_name().and_then(|name| name.to_str()))
            .ok_or_else(|| Error::new(format!("{shown} is not the name of a file")))?;
        let roster_dir = folder_of(roster_file)?;
        if roster_dir.join(roster).is_symlink() {
            return Err(Error::new(format!(
                "{shown} is a symbolic link, so what it says is not what is committed; nothing was done"
            ))
            .hint("name the file that it points to with --roster"));
        }

        let git = opened(&roster_dir)?;
        readable_index(&git)?;
        let workdir = workdir_of(&git)?;
        let workdir = os::full_path(workdir).map_err(|error| {
            Error::new(format!("{} could not be opened; nothing was done", workdir.display()))
                .caused_by(error)
        })?;
        let prefix = prefix(&workdir, &roster_dir)?;
        let base = head_of(&git)?;
        let head = base.id;
        let repo = Self {
            git,
            workdir,
            roster_dir,
            roster: roster.to_owned(),
            prefix,
            base: RefCell::new(base),
            identity: author::CommitIdentity::default(),
            configuration_is_checked: Cell::new(false),
            interrupt: None,
            seen: RefCell::new(None),
        };
        repo.fill(head)?;
        Ok(repo)
    }

    /// Says of a repository in which no apply could work what every apply would say. Where there is none, or
    /// none with a commit, there is nothing to say yet.
    ///
    /// # Errors
    /// It is bare, of a format that is not supported, of another user, or cannot be read.
    pub fn refuse_unsupported(roster_file: &Path) -> Result<()> {
        match open(&folder_of(roster_file)?)? {
            Some(git) => workdir_of(&git).and_then(|_| readable_index(&git)),
            None => Ok(()),
        }
    }

    /// Once it is set, a git that hangs is ended.
    pub fn heed(&mut self, interrupt: Interrupt) {
        self.interrupt = Some(interrupt);
    }

    /// The folder that holds the roster and `access/`, absolute.
    pub fn roster_dir(&self) -> &Path {
        &self.roster_dir
    }

    /// The name of the roster's file, in its folder.
    pub fn roster(&self) -> &str {
        &self.roster
    }

    /// The root of the working tree, absolute.
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// The commit that HEAD is at now.
    ///
    /// # Errors
    /// Where HEAD cannot be read.
    pub fn head(&self) -> Result<CommitId> {
        Ok(head_of(&self.git)?.id.into())
    }

    /// The short name of the branch that is checked out; `None` where HEAD is detached.
    ///
    /// # Errors
    /// Where HEAD cannot be read.
    pub fn branch(&self) -> Result<Option<String>> {
        Ok(head_of(&self.git)?.branch.map(|name| short(&name).to_owned()))
    }

    /// Whether it lacks the beginning of its history.
    pub fn is_shallow(&self) -> bool {
        self.git.is_shallow()
    }

    /// A path from the root of the working tree, as one relative to the roster's folder.
    pub fn beside_roster(&self, path: &str) -> String {
        self.shown(path)
    }

    /// A path relative to the roster's folder, as one from the root of the working tree.
    ///
    /// # Errors
    /// It leads out of the repository.
    pub fn whole_path(&self, path: &str) -> Result<String> {
        self.inside(path)
    }

    /// A path relative to the roster's folder as a path from the root of the working tree.
    fn inside(&self, path: &str) -> Result<String> {
        let outside =
            || Error::new(format!("{path} is not a path inside the repository {}", self.workdir.display()));
        let mut parts: Vec<&str> = self.prefix.split('/').filter(|part| !part.is_empty()).collect();
        for component in Path::new(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => drop(parts.pop().ok_or_else(outside)?),
                Component::Normal(part) => parts.push(part.to_str().ok_or_else(outside)?),
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        let inside_git = parts.iter().any(|part| part.eq_ignore_ascii_case(".git"));
        if parts.is_empty() || inside_git || path.contains('\0') {
            return Err(outside());
        }
        Ok(parts.join("/"))
    }

    /// A path from the root of the working tree, as seen from the roster's folder.
    fn shown(&self, path: &str) -> String {
        if let Some(rest) = path.strip_prefix(&self.prefix) {
            return rest.to_owned();
        }
        format!("{}{path}", "../".repeat(self.prefix.matches('/').count()))
    }

    /// What the path of a file beside the roster is put behind to get the page of its history, as `origin` suggests.
    pub fn history_pages(&self) -> Option<String> {
        let origin = self.git.find_remote("origin").ok()?;
        host_pages::history(origin.url().ok()?, &self.prefix)
    }

    /// `access`, from the root of the working tree.
    fn records(&self) -> String {
        format!("{}{RECORDS}", self.prefix)
    }

    fn tree_of(&self, commit: Oid) -> Result<Tree<'_>> {
        (self.git.find_commit(commit))
            .and_then(|commit| commit.tree())
            .map_err(|error| internal("read commit", &commit.to_string(), error))
    }

    /// Moves HEAD, or the branch it is on, from one commit to another.
    ///
    /// # Errors
    /// Where it is not at `from` any more.
    fn move_head(&self, from: &Head, to: Oid, why: &str) -> Result<()> {
        let name = from.branch.as_deref().unwrap_or("HEAD");
        let log = format!("{REFLOG}{why}");
        let _moving = self.moving(name);
        (self.git.reference_matching(name, to, true, from.id, &log)).map_err(|error| {
            let (fact, hint) = match error.code() {
                ErrorCode::Modified | ErrorCode::NotFound => {
                    ("was moved by something else just now", "run the command again".to_owned())
                }
                ErrorCode::Locked => (
                    "is locked by another git",
                    format!("where none is at work, remove {}", self.lock_of(name).display()),
                ),
                _ => ("could not be moved", "run the command again".to_owned()),
            };
            Error::new(format!("{} {fact}; it was left where it is", short(name))).caused_by(error).hint(hint)
        })?;
        *self.base.borrow_mut() = Head { branch: from.branch.clone(), id: to };
        Ok(())
    }
}

/// How our entries in the reflog begin.
const REFLOG: &str = "certctl: ";

/// A file in a tree, or a folder where folders are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TreeItem {
    id: Oid,
    mode: FileMode,
}

impl TreeItem {
    fn of(found: &TreeEntry<'_>) -> Self {
        let mode = match found.filemode() {
            0o040000 => FileMode::Tree,
            0o100755 => FileMode::BlobExecutable,
            0o120000 => FileMode::Link,
            0o160000 => FileMode::Commit,
            _ => FileMode::Blob,
        };
        Self { id: found.id(), mode }
    }

    fn is_regular(self) -> bool {
        matches!(self.mode, FileMode::Blob | FileMode::BlobExecutable | FileMode::BlobGroupWritable)
    }
}

/// What a tree holds at a path, folders aside.
fn entry(tree: &Tree<'_>, path: &str) -> Result<Option<TreeItem>> {
    match tree.get_path(Path::new(path)) {
        Ok(found) if found.kind() == Some(ObjectType::Tree) => Ok(None),
        Ok(found) => Ok(Some(TreeItem::of(&found))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(internal("look up", path, error)),
    }
}

/// `main` of `refs/heads/main`.
fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or(name)
}

/// A failure of git that no one has a better word for.
fn internal(what: &str, object: &str, error: git2::Error) -> Error {
    Error::new(format!("git could not {what} {object}")).caused_by(error)
}

/// The folder of a roster, which need not exist itself.
fn folder_of(roster_file: &Path) -> Result<PathBuf> {
    let folder = match roster_file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    os::full_path(folder).map_err(|error| {
        Error::new(format!("{} could not be opened; nothing was done", folder.display())).caused_by(error)
    })
}

fn workdir_of(git: &Repository) -> Result<&Path> {
    git.workdir().ok_or_else(|| {
        Error::new(format!(
            "{} is a bare git repository: it has no working tree; nothing was done",
            git.path().display()
        ))
        .hint("run certctl in a clone of it")
    })
}

/// [`open`], where there has to be one.
fn opened(folder: &Path) -> Result<Repository> {
    open(folder)?.ok_or_else(|| {
        Error::new(format!("{} is not inside a git repository; nothing was done", folder.display()))
            .hint("run `git init`, then commit the roster")
    })
}

/// Opens the repository around a folder: the nearest `.git`, or what a gitfile of that name leads to.
///
/// No other folder is tried: git never checks out a path named `.git`, but a commit can bring every
/// file of a bare repository, and its configuration would name programs to run.
fn open(folder: &Path) -> Result<Option<Repository>> {
    let shown = folder.display();
    for root in folder.ancestors() {
        if root.join(".git").symlink_metadata().is_err() {
            continue;
        }
        match Repository::open_ext(root, RepositoryOpenFlags::NO_SEARCH, &[] as &[&OsStr]) {
            Ok(git) => {
                refuse_checked_out(root, git.path())?;
                refuse_checked_out(root, git.commondir())?;
                return Ok(Some(git));
            }
            // As git does, a folder `.git` that is no repository is passed over.
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(error) if error.code() == ErrorCode::Owner => {
                return Err(Error::new(format!(
                    "the git repository around {shown} belongs to another user; nothing was done"
                ))
                .hint("if you trust it: git config --global --add safe.directory THE_REPOSITORY")
                .hint("in the environment, as GIT_CONFIG_COUNT, safe.directory counts for the `git` program alone"));
            }
            Err(error) => {
                return Err(unsupported(root, &error).unwrap_or_else(|| {
                    Error::new(format!(
                        "the git repository around {shown} could not be opened; nothing was done"
                    ))
                    .caused_by(error)
                }));
            }
        }
    }
    Ok(None)
}

/// The formats of repositories that git reads and libgit2 does not, each in a sentence.
fn unsupported(root: &Path, error: &git2::Error) -> Option<Error> {
    let message = error.message();
    let says = |text: &str| message.contains(text);
    let (what, hint) = if says("object format") {
        (
            "names its objects with SHA-256, and certctl reads SHA-1 repositories only",
            "keep the roster in a repository of git's default format: `git init --object-format=sha1`",
        )
    } else if says("refstorage") || says("reftable") {
        (
            "keeps its branches in a reftable, which certctl does not read",
            "`git refs migrate --ref-format=files` converts it",
        )
    } else if says("unsupported extension") {
        (
            "uses an extension that certctl does not know",
            "keep the roster in a clone without it: `git config --list --local` shows `extensions.`",
        )
    } else {
        return None;
    };
    let root = root.display();
    Some(
        Error::new(format!("the git repository {root} {what}; nothing was done"))
            .caused_by(message.to_owned())
            .hint(hint),
    )
}

/// Refuses the formats of an index that git reads and libgit2 does not.
fn readable_index(git: &Repository) -> Result<()> {
    let Err(error) = git.index() else { return Ok(()) };
    let place = git.path().display();
    let says = |extension: &str| error.message().contains(&format!("'{extension}'"));
    Err(if says("sdir") {
        Error::new(format!("{place} has a sparse index, which certctl does not read; nothing was done"))
            .hint("`git sparse-checkout reapply --no-sparse-index` keeps the sparse checkout without it")
    } else if says("link") {
        Error::new(format!("{place} has a split index, which certctl does not read; nothing was done"))
            .hint("`git update-index --no-split-index` makes it one again")
    } else {
        Error::new(format!("the index of {place} could not be read; nothing was done")).caused_by(error)
    })
}

/// Refuses a git directory among the files of the working tree.
fn refuse_checked_out(root: &Path, git_dir: &Path) -> Result<()> {
    let unreadable = |error| {
        Error::new(format!("{} could not be opened; nothing was done", git_dir.display())).caused_by(error)
    };
    let real = git_dir.canonicalize().map_err(unreadable)?;
    let root = root.canonicalize().map_err(unreadable)?;
    let Ok(inside) = real.strip_prefix(&root) else { return Ok(()) };
    if inside.components().any(|part| part.as_os_str() == ".git") {
        return Ok(());
    }
    Err(Error::new(format!(
        "{} lies among the files of the working tree, so a commit could have brought it: it is not used as a \
         git directory; nothing was done",
        git_dir.display()
    ))
    .hint(format!("move it to {}", root.join(".git").display())))
}

fn prefix(workdir: &Path, folder: &Path) -> Result<String> {
    let outside = || {
        Error::new(format!(
            "{} is not a folder of the working tree {}; nothing was done",
            folder.display(),
            workdir.display()
        ))
    };
    let mut prefix = String::new();
    for part in folder.strip_prefix(workdir).map_err(|_| outside())? {
        prefix.push_str(part.to_str().ok_or_else(outside)?);
        prefix.push('/');
    }
    Ok(prefix)
}

fn head_of(git: &Repository) -> Result<Head> {
    let unreadable = |error: git2::Error| match error.code() {
        ErrorCode::UnbornBranch => Error::new("the git repository has no commit yet; nothing was done")
            .hint("commit users.yaml first: git add users.yaml && git commit"),
        _ => Error::new("HEAD of the git repository could not be read; nothing was done").caused_by(error),
    };
    let head = git.head().map_err(unreadable)?;
    let id = head.peel_to_commit().map_err(unreadable)?.id();
    let branch = if git.head_detached().map_err(unreadable)? {
        None
    } else {
        let name = head.name().map_err(unreadable)?;
        Some(name.to_owned())
    };
    Ok(Head { branch, id })
}
