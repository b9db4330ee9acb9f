//! `include:` of a roster: which files are parts of it, and how far each may go.
//!
//! A part lies beside the roster or below it, and is a file there. It refuses whatever leads elsewhere: paths
//! out of the repository, symbolic links, one file under two names.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use super::Cluster;
use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fence::{self, Fenced, FileScope, May};
use super::fields::list_or_empty;
use super::layout::{self, Piece, PieceKind};
use super::pattern;
use super::reader::{self, Fields};
use super::yaml::{self, Node, NodeBudget, SIZE_LIMIT, Value};
use crate::error::Error;
use crate::model::{ClusterName, FileNumber, Invalid, Position, RepoPath};

/// The most parts of one roster.
const MOST_PARTS: usize = 1_000;

/// Where the parts of a roster are read from. Paths are relative to the roster's folder.
pub trait RosterParts {
    /// The names of what lies in a folder; `None` where there is no such folder.
    ///
    /// # Errors
    /// It cannot be read, or it or a folder above it is a symbolic link.
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, Error>;

    /// The text of a file.
    ///
    /// # Errors
    /// It is not there, is no regular file, or cannot be read.
    fn read(&self, path: &RepoPath) -> Result<String, Error>;

    /// A file, as errors name it.
    fn shown(&self, path: &RepoPath) -> String;

    /// Whether this is the roster itself, on a file system that does not tell `A` from `a` too.
    fn is_roster(&self, path: &RepoPath) -> bool;
}

/// No parts are read: each that is included is an error.
pub struct NoParts;

impl RosterParts for NoParts {
    fn list(&self, _: &str) -> Result<Option<Vec<String>>, Error> {
        Err(Error::new("parts are not read here"))
    }

    fn read(&self, _: &RepoPath) -> Result<String, Error> {
        Err(Error::new("parts are not read here"))
    }

    fn shown(&self, path: &RepoPath) -> String {
        path.to_string()
    }

    fn is_roster(&self, _: &RepoPath) -> bool {
        false
    }
}

/// `teams/payments.yaml`, or `teams/*.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartPath(RepoPath);

impl PartPath {
    /// Whether this file is meant.
    pub fn is(&self, path: &RepoPath) -> bool {
        let (folder, file) = split(self.0.as_str());
        let (in_folder, name) = split(path.as_str());
        folder == in_folder && pattern::fits(file, name)
    }

    /// What has to be watched for a change of it: the file, or the folder that a new one may come into.
    pub fn watched(&self) -> &str {
        self.file().map_or_else(|| split(self.0.as_str()).0, RepoPath::as_str)
    }

    /// The one file that is meant, where it is one.
    pub fn file(&self) -> Option<&RepoPath> {
        (!self.0.as_str().contains('*')).then_some(&self.0)
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl FromStr for PartPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let path: RepoPath = text.parse()?;
        let (folder, _) = split(text);
        if folder.contains('*') || (folder.is_empty() && text.contains('*')) {
            return Err(Invalid(
                "has a `*` elsewhere than in the name of a file in a folder of its own".into(),
            ));
        }
        if text.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case("access")) {
            return Err(Invalid("lies in access/, which holds records only".into()));
        }
        Ok(Self(path))
    }
}

impl fmt::Display for PartPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a roster includes, as far as that can be told: for a text that need not be valid.
pub fn included(text: &str) -> Vec<PartPath> {
    // Most texts have none, and need not be read for it.
    if !text.contains("include") {
        return Vec::new();
    }
    included_by(text, layout::cut(text).as_deref())
}

/// As [`included`], where the text has been cut.
pub(super) fn included_by(text: &str, pieces: Option<&[Piece]>) -> Vec<PartPath> {
    // Nobody need be read for it.
    let rest = pieces.map(|pieces| {
        let rest = pieces.iter().filter(|piece| piece.kind == PieceKind::Rest);
        rest.map(|piece| &text[piece.range.clone()]).collect::<String>()
    });
    let text = rest.as_deref().unwrap_or(text);
    let mut errors = Errors::of("");
    let tree = yaml::parse(FileNumber::FIRST, text, &mut NodeBudget::default(), &mut errors);
    let Some(Node { value: Value::Mapping(entries), .. }) = tree else { return Vec::new() };
    let Some(entry) = entries.iter().find(|entry| entry.key == "include") else { return Vec::new() };
    let Value::List(items) = &entry.value.value else { return Vec::new() };
    let path = |node: &Node<'_>| {
        let Value::Mapping(fields) = &node.value else { return None };
        match &fields.iter().find(|field| field.key == "path")?.value.value {
            Value::Plain(text) | Value::Quoted(text) => text.parse().ok(),
            _ => None,
        }
    };
    items.iter().filter_map(path).take(MOST_PARTS).collect()
}

/// A part of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How far it may go.
    pub may: May,
    /// How the roster names it, among others perhaps.
    pub named: PartPath,
    /// Its number in positions.
    pub file: FileNumber,
}

/// A file that the roster includes, read.
#[derive(Debug)]
pub(super) struct Included {
    pub(super) path: RepoPath,
    pub(super) named: PartPath,
    pub(super) may: May,
    /// Where the roster says so.
    pub(super) at: Position,
    /// Its number in positions.
    pub(super) file: FileNumber,
    pub(super) text: String,
}

impl Included {
    /// What it is read against.
    pub(super) fn scope<'n>(
        &'n self,
        cluster_names: Option<&'n BTreeSet<&'n str>>,
        clusters: &BTreeMap<ClusterName, Cluster>,
        default_validity: SignedDuration,
    ) -> FileScope<'n> {
        let fenced = match &self.may {
            May::Everything => None,
            May::Only(fence) => {
                let here = clusters.iter().filter(|(name, _)| fence.clusters.includes(name));
                let validity =
                    here.map(|(_, cluster)| cluster.certificates.validity.unwrap_or(default_validity));
                let longest = fence.validity.or_else(|| validity.min()).unwrap_or(default_validity);
                Some(Fenced { fence, part: &self.path, at: self.at, longest_validity: longest })
            }
        };
        FileScope { cluster_names, part: Some(&self.path), fenced }
    }
}

/// Every file that the roster includes, in its order, and those of one pattern in that of their names. Second,
/// whether that is all of them.
pub(super) fn read(
    roster: &Fields<'_, '_>,
    size: usize,
    cluster_names: Option<&BTreeSet<&str>>,
    parts: &dyn RosterParts,
    errors: &mut Errors,
) -> (Vec<Included>, bool) {
    let Some(list) = list_or_empty(roster, "include", errors) else { return (Vec::new(), false) };
    let mut included = Vec::new();
    let mut all = true;
    let mut known: HashMap<String, (RepoPath, Position)> = HashMap::new();
    let mut size = size;
    for (index, node) in list.iter().enumerate() {
        let what = format!("include {}", index + 1);
        let Some(fields) = reader::fields(node, what, &shapes::INCLUDE, errors) else {
            all = false;
            continue;
        };
        let path_node = fields.need("path", errors);
        let path = path_node.and_then(|node| reader::word::<PartPath>(node, &fields.label("path"), errors));
        let may = fields.need("may", errors);
        let may = may.and_then(|node| fence::read(node, &fields.label("may"), cluster_names, errors));
        let (Some(path), Some(node), Some(may)) = (path, path_node, may) else {
            all = false;
            continue;
        };
        let files = match files(&path, parts) {
            Ok(files) => files,
            Err(why) => {
                errors.add(node.position, why);
                all = false;
                continue;
            }
        };
        for file in files {
            if parts.is_roster(&file) {
                errors.add(node.position, format!("{file} is the roster itself, and no part of it"));
                all = false;
                continue;
            }
            match known.entry(file.as_str().to_ascii_lowercase()) {
                Entry::Vacant(new) => drop(new.insert((file.clone(), node.position))),
                Entry::Occupied(known) => {
                    let (other, first) = known.get();
                    let first = errors.place(*first);
                    let fact = if *other == file {
                        format!("{file} is included twice, first at {first}")
                    } else {
                        format!("{file} and {other}, at {first}, differ only in case, and may be one file")
                    };
                    errors.add(node.position, fact);
                    continue;
                }
            }
            let text = parts.read(&file);
            let text = text.map_err(|error| {
                let facts: Vec<String> =
                    [error.message().to_owned()].into_iter().chain(error.causes()).collect();
                format!("{file}: {}", facts.join(": "))
            });
            let fits = |text: &str| size + text.len() <= SIZE_LIMIT && included.len() < MOST_PARTS;
            match text {
                Ok(text) if fits(&text) => {
                    size += text.len();
                    let number = errors.add_file(parts.shown(&file));
                    included.push(Included {
                        path: file,
                        named: path.clone(),
                        may: may.clone(),
                        at: node.position,
                        file: number,
                        text,
                    });
                }
                Ok(_) => {
                    let most = SIZE_LIMIT / 1024 / 1024;
                    errors.add(
                        node.position,
                        format!(
                            "{file} is one part too many: {MOST_PARTS} parts, and {most} MiB in all, are read"
                        ),
                    );
                    return (included, false);
                }
                Err(why) => {
                    errors.add(node.position, why);
                    all = false;
                }
            }
        }
    }
    (included, all)
}

fn files(path: &PartPath, parts: &dyn RosterParts) -> Result<Vec<RepoPath>, String> {
    if let Some(file) = path.file() {
        return Ok(vec![file.clone()]);
    }
    let (folder, file) = split(path.0.as_str());
    let names = parts.list(folder).map_err(|error| error.message().to_owned())?.unwrap_or_default();
    // As in a shell, a hidden file is not meant by a `*`.
    let is_meant =
        |name: &&String| (!name.starts_with('.') || file.starts_with('.')) && pattern::fits(file, name);
    let mut names: Vec<&String> = names.iter().filter(is_meant).collect();
    names.sort();
    if names.is_empty() {
        return Err(format!("{path} is the name of no file"));
    }
    let whole = |name: &&String| {
        let whole = format!("{folder}/{name}");
        whole.parse().map_err(|why| format!("a part of {path}: {} {why}", quoted(&whole)))
    };
    names.iter().map(whole).collect()
}
