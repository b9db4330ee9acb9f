//! Reads the roster, and files beside it: those in the folder, or those of a commit.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::cli::Global;
use crate::error::{Error, Result};
use crate::model::{ClusterName, FileNumber, RepoPath, UserName};
use crate::repo::{CommitId, Repo, Snapshot};
use crate::roster::{self, Cluster, Part, Roster, RosterParts};
use crate::seal;

/// The largest CA bundle, PKCS#10 file or sealed kubeconfig, in bytes.
pub(super) const LARGEST_FILE: u64 = 256 * 1024;

/// The longest roster, in bytes, that is always read whole: some 500 people.
pub(super) const SHORT_ROSTER: usize = 64 * 1024;

/// The roster and where it lies.
pub struct Source {
    /// As the user named it, for messages; with the commit, where that is another one.
    pub file: String,
    /// What the names of its parts end in then.
    of_commit: String,
    /// What it is called in its folder.
    name: String,
    /// The folder that `access/` and the roster's own paths are relative to.
    pub folder: PathBuf,
    /// The text.
    pub text: String,
    /// What it says.
    pub roster: Roster,
    /// Where the files beside it come from.
    pub files: RosterFiles,
}

/// Where files are read from; paths are relative to the roster's folder.
pub enum RosterFiles {
    /// The folder itself.
    Folder(PathBuf),
    /// That folder as a commit holds it.
    Commit(Snapshot),
}

impl RosterFiles {
    /// A file of at most `limit` bytes.
    ///
    /// # Errors
    /// It is not there, is longer, is no regular file or cannot be read. A symbolic link anywhere on the
    /// way is an error: whoever can write to a repository could make an error message quote a file of
    /// the machine that reads it.
    pub fn read(&self, file: &str, limit: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::Folder(folder) => read_beside(folder, Path::new(file), limit),
            Self::Commit(snapshot) => snapshot
                .read(file, limit)
                .map_err(io::Error::other)?
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    /// The commit that they are read from; `None` for a folder.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Folder(_) => None,
            Self::Commit(snapshot) => Some(snapshot.commit()),
        }
    }

    /// The names of what lies in a folder; `None` where there is no such folder.
    ///
    /// # Errors
    /// It cannot be read, or it or a folder above it is a symbolic link.
    pub fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let unreadable =
            |cause| Error::new(format!("{folder} could not be read; nothing was done")).caused_by(cause);
        let path = match self {
            Self::Commit(snapshot) => return snapshot.list(folder),
            Self::Folder(root) => {
                let mut path = root.clone();
                for part in Path::new(folder) {
                    path.push(part);
                    if path.is_symlink() {
                        return Err(Error::new(format!(
                            "{} is a symbolic link; nothing was done",
                            path.display()
                        ))
                        .hint("records lie in the repository itself: put a folder there"));
                    }
                }
                path
            }
        };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<_>>().map(Some).map_err(unreadable)
    }
}

/// The roster in its folder, committed or not.
///
/// # Errors
/// The roster cannot be read, or is not valid.
pub fn roster(global: &Global) -> Result<Source> {
    let file = global.roster.display().to_string();
    let bytes = read_roster(global).map_err(|cause| {
        let absent = cause.kind() == io::ErrorKind::NotFound;
        let error = unreadable(&file).caused_by(cause);
        if absent { error.hint("to start one here, run `certctl init`") } else { error }
    })?;
    let folder = folder_of(&global.roster);
    let source =
        Source::parse((file, String::new()), folder.clone(), RosterFiles::Folder(folder), &bytes, None)?;
    source.refuse_unknown_clusters(global)?;
    Ok(source)
}

/// The roster as a commit holds it, for a command that works from what is committed: neither it nor a
/// file beside it is read from the working tree.
///
/// # Errors
/// The commit does not hold it, or it is not valid.
pub fn committed_roster(global: &Global, repo: Rc<Repo>, commit: CommitId) -> Result<Source> {
    let file = global.roster.display().to_string();
    let missing = unreadable(&file).caused_by(format!("commit {} does not hold it", commit.short()));
    let source = at((file, String::new()), folder_of(&global.roster), repo, commit)?.ok_or(missing)?;
    source.refuse_unknown_clusters(global)?;
    Ok(source)
}

/// The same roster as another commit holds it; `None` where it does not.
///
/// # Errors
/// It cannot be read, or is not valid.
pub fn roster_at(source: &Source, repo: Rc<Repo>, commit: CommitId) -> Result<Option<Source>> {
    let of_commit = format!(" in {}", commit.short());
    at((source.file.clone(), of_commit), source.folder.clone(), repo, commit)
}

/// `named`: as the user named it, and what the names of its files end in.
fn at(named: (String, String), folder: PathBuf, repo: Rc<Repo>, commit: CommitId) -> Result<Option<Source>> {
    let name = repo.roster().to_owned();
    let snapshot = Snapshot::new(repo, commit);
    let Some(bytes) = snapshot.read(&name, roster::SIZE_LIMIT as u64)? else { return Ok(None) };
    Source::parse(named, folder, RosterFiles::Commit(snapshot), &bytes, None).map(Some)
}

fn unreadable(file: &str) -> Error {
    Error::new(format!("{file} could not be read; nothing was done"))
        .hint("run certctl in the folder of the roster, or name it with `--roster FILE`")
}

fn read_roster(global: &Global) -> io::Result<Vec<u8>> {
    let name = global.roster.file_name().unwrap_or_default();
    read_beside(&folder_of(&global.roster), Path::new(name), roster::SIZE_LIMIT as u64)
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// As [`roster()`], where one person is enough: of a long roster only what is about them is read, so
/// that a credential plugin costs milliseconds. What is wrong elsewhere in it is not found.
///
/// # Errors
/// As [`roster()`], for the whole of it, where the part cannot be read.
pub fn roster_about(global: &Global, user: &UserName) -> Result<Source> {
    let part = || {
        let bytes = read_roster(global).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        if text.len() <= SHORT_ROSTER && roster::included(text).is_empty() {
            return None;
        }
        let text = roster::excerpt::about(text, user.as_str())?;
        let (file, folder) = (global.roster.display().to_string(), folder_of(&global.roster));
        let files = RosterFiles::Folder(folder.clone());
        let source = Source::parse((file, String::new()), folder, files, text.as_bytes(), Some(user)).ok()?;
        let whole = source.roster.users.contains_key(user)
            && global.clusters.iter().all(|cluster| source.roster.clusters.contains_key(cluster));
        whole.then_some(source)
    };
    part().map_or_else(|| self::roster(global), Ok)
}

impl Source {
    fn parse(
        (file, of_commit): (String, String),
        folder: PathBuf,
        files: RosterFiles,
        bytes: &[u8],
        about: Option<&UserName>,
    ) -> Result<Self> {
        let name = name_of(Path::new(&file));
        let file = format!("{file}{of_commit}");
        let text = roster::text(&file, bytes)?.to_owned();
        let instead = &BTreeMap::new();
        let parts =
            PartFiles { folder: &folder, name: &name, of_commit: &of_commit, files: &files, instead, about };
        let roster = roster::parse_with_parts(&file, &text, &seal::parse_recipient, &parts)?;
        Ok(Self { file, of_commit, name, folder, text, roster, files })
    }

    fn part_files<'a>(&'a self, instead: &'a BTreeMap<RepoPath, String>) -> PartFiles<'a> {
        let Self { folder, name, of_commit, files, .. } = self;
        PartFiles { folder, name, of_commit, files, instead, about: None }
    }

    /// What the roster would say with these texts, by the number of the file.
    ///
    /// # Errors
    /// It is not valid.
    pub fn with_texts(&self, texts: &BTreeMap<FileNumber, String>) -> Result<Roster> {
        let of_part = |(path, part): (&RepoPath, &Part)| Some((path.clone(), texts.get(&part.file)?.clone()));
        let instead = self.roster.parts.iter().filter_map(of_part).collect();
        let parts = self.part_files(&instead);
        let text = texts.get(&FileNumber::FIRST).unwrap_or(&self.text);
        roster::parse_with_parts(&self.file, text, &seal::parse_recipient, &parts)
    }

    /// One of the roster's files, by its number: its path, relative to the roster's folder, and its text.
    /// `None` for the roster itself, whose name is not relative.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn part(&self, file: FileNumber) -> Result<Option<(RepoPath, String)>> {
        let Some((path, _)) = self.roster.parts.iter().find(|(_, part)| part.file == file) else {
            return Ok(None);
        };
        Ok(Some((path.clone(), self.part_files(&BTreeMap::new()).read(path)?)))
    }

    /// The files and folders that the parts of the roster are in, relative to its folder.
    pub fn parts(&self) -> Vec<String> {
        self.roster.parts.values().map(|part| part.named.watched().to_owned()).collect()
    }

    fn refuse_unknown_clusters(&self, global: &Global) -> Result<()> {
        let known = &self.roster.clusters;
        let Some(name) = global.clusters.iter().find(|name| !known.contains_key(*name)) else {
            return Ok(());
        };
        let known: Vec<&str> = known.keys().map(ClusterName::as_str).collect();
        Err(Error::usage(format!("--cluster {name}: {} has no such cluster", self.file))
            .hint(format!("it has {}", known.join(", "))))
    }

    /// The clusters that the command is about.
    pub fn clusters<'a>(
        &'a self,
        global: &'a Global,
    ) -> impl Iterator<Item = (&'a ClusterName, &'a Cluster)> {
        let wanted = |name: &ClusterName| global.clusters.is_empty() || global.clusters.contains(name);
        self.roster.clusters.iter().filter(move |(name, _)| wanted(name))
    }

    /// A file beside the roster, such as a sealed kubeconfig; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>> {
        match self.files.read(file, LARGEST_FILE) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(format!("{file} could not be read")).caused_by(error)),
        }
    }
}

/// The parts of a roster, from where the roster is from.
struct PartFiles<'a> {
    /// That of the roster.
    folder: &'a Path,
    /// What the roster is called there.
    name: &'a str,
    /// What the names of files end in.
    of_commit: &'a str,
    files: &'a RosterFiles,
    /// Texts that are read instead of what is there.
    instead: &'a BTreeMap<RepoPath, String>,
    /// Whom it is read for, where one person is enough.
    about: Option<&'a UserName>,
}

impl RosterParts for PartFiles<'_> {
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        self.files.list(folder)
    }

    fn read(&self, path: &RepoPath) -> Result<String> {
        if let Some(text) = self.instead.get(path) {
            return Ok(text.clone());
        }
        let bytes = self.files.read(path.as_str(), roster::SIZE_LIMIT as u64);
        let bytes = bytes.map_err(|cause| Error::new("it could not be read").caused_by(cause))?;
        let shown = self.shown(path);
        let text = roster::text(&shown, &bytes)?;
        let excerpt = self.about.and_then(|user| roster::excerpt::about(text, user.as_str()));
        Ok(excerpt.unwrap_or_else(|| text.to_owned()))
    }

    fn shown(&self, path: &RepoPath) -> String {
        let path = Path::new(path.as_str());
        let shown = if self.folder == Path::new(".") { path.to_owned() } else { self.folder.join(path) };
        format!("{}{}", shown.display(), self.of_commit)
    }

    fn is_roster(&self, path: &RepoPath) -> bool {
        path.as_str().eq_ignore_ascii_case(self.name)
    }
}

fn read_beside(folder: &Path, file: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut path = folder.to_owned();
    for part in file {
        path.push(part);
        if fs::symlink_metadata(&path)?.is_symlink() {
            return Err(io::Error::other(format!("{} is a symbolic link", path.display())));
        }
    }
    read_file(&path, limit)
}

/// Reads a file of at most `limit` bytes; something that is no file is an error.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for someone to write into it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}
