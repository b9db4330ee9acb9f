//! Two versions of a roster without what they have in common, so that a long history is read as fast as it changed.
//!
//! What is left out stands in both, and nothing that is kept refers to it: people by their names, in any file, and
//! groups by theirs. So where the first version is valid, the second is if what is kept of it is, and they differ in
//! what is kept. It refuses to say anything where more than entries of lists has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::errors::Errors;
use super::include::{self, PartPath};
use super::layout::{self, LongList, Piece, PieceKind};
use super::yaml::{self, NodeBudget, Value};
use crate::model::FileNumber;

/// The files of a roster as some commit holds them, by their paths beside it; the roster itself is `""`.
pub type Version = BTreeMap<String, Rc<FileText>>;

/// Texts by their paths, likewise.
pub type Texts = BTreeMap<String, String>;

/// So many characters of a name are looked for: credential groups tell longer ones apart by their hash.
const TOLD_BY: usize = 30;

/// The most names that are looked for. With more of them, it is faster to read everything.
const MOST_NAMES: usize = 50;

/// The text of a file, and what is known of it without reading it as YAML.
#[derive(Debug)]
pub struct FileText {
    text: String,
    /// Names of users are unique without regard to case.
    lower: String,
    /// `None` where it is laid out in another way than most.
    pieces: Option<Vec<Piece>>,
    /// By its pieces, which of them hold escapes: what is written with those may be any name.
    escaped: Vec<bool>,
}

impl FileText {
    pub fn new(text: String) -> Self {
        let pieces = layout::cut(&text);
        let is_escaped = |piece: &Piece| text[piece.range.clone()].contains('\\');
        let escaped = pieces.iter().flatten().map(is_escaped).collect();
        Self { lower: text.to_ascii_lowercase(), pieces, escaped, text }
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it includes, as [`include::included`] says.
    pub fn included(&self) -> Vec<PartPath> {
        include::included_by(&self.text, self.pieces.as_deref())
    }

    fn pieces(&self) -> &[Piece] {
        self.pieces.as_deref().unwrap_or_default()
    }

    fn piece(&self, piece: &Piece) -> &str {
        &self.text[piece.range.clone()]
    }

    fn has(&self, list: LongList) -> bool {
        self.pieces().iter().any(|piece| piece.kind == PieceKind::Name(list))
    }

    /// By its pieces, which of them may name one of these.
    fn naming(&self, names: &BTreeSet<String>) -> Vec<bool> {
        let pieces = self.pieces();
        let mut naming = self.escaped.clone();
        for name in names {
            let mut from = 0;
            while let Some(at) = self.lower[from..].find(name.as_str()) {
                let range = from + at..from + at + name.len();
                from = range.end;
                if self.is_part_of_a_name(&range) {
                    continue;
                }
                let index = pieces.partition_point(|piece| piece.range.end <= range.start);
                let Some(piece) = pieces.get(index) else { break };
                naming[index] = true;
                from = piece.range.end.max(from);
            }
        }
        naming
    }

    /// Whether it is a part of another name.
    fn is_part_of_a_name(&self, range: &Range<usize>) -> bool {
        let goes_on = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_alphanumeric() || b"-._@+".contains(c));
        let bytes = self.lower.as_bytes();
        let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
        goes_on(before) || (range.len() < TOLD_BY && goes_on(bytes.get(range.end)))
    }

    /// Without the entries that are not kept. A list without entries has no value, so its name goes too.
    fn without(&self, is_kept: impl Fn(usize, LongList) -> bool) -> String {
        let Some(pieces) = &self.pieces else { return self.text.clone() };
        let all = || pieces.iter().enumerate();
        let entries = all().filter_map(|(index, piece)| match piece.kind {
            PieceKind::Entry(list) if is_kept(index, list) => Some(list),
            _ => None,
        });
        let lists: BTreeSet<LongList> = entries.collect();
        let kept = all().filter(|(index, piece)| match piece.kind {
            PieceKind::Rest => true,
            PieceKind::Name(list) => lists.contains(&list),
            PieceKind::Entry(list) => is_kept(*index, list),
        });
        kept.map(|(_, piece)| self.piece(piece)).collect()
    }
}

/// What is kept of each; `None` where all has to be read.
pub fn difference(before: &Version, after: &Version) -> Option<(Texts, Texts)> {
    if !before.keys().eq(after.keys()) {
        return None;
    }
    let mut names = BTreeSet::new();
    for (old, new) in before.values().zip(after.values()) {
        if Rc::ptr_eq(old, new) {
            continue;
        }
        for (list, entry) in changed(old, new)? {
            names.insert(name_of(list, entry)?);
            if names.len() > MOST_NAMES {
                return None;
            }
        }
    }
    // A membership that is kept needs its user, and every version the same ones.
    let mut users = names.clone();
    for file in before.values().chain(after.values()).filter(|file| file.has(LongList::Memberships)) {
        for (piece, is_named) in file.pieces().iter().zip(file.naming(&names)) {
            if is_named && piece.kind == PieceKind::Entry(LongList::Memberships) {
                users.insert(name_of(LongList::Memberships, file.piece(piece))?);
                if users.len() > MOST_NAMES {
                    return None;
                }
            }
        }
    }
    let kept = |version: &Version| -> Texts {
        let of_file = |(path, file): (&String, &Rc<FileText>)| {
            let meant = file.naming(&users);
            let named = if file.has(LongList::Memberships) { file.naming(&names) } else { Vec::new() };
            let text = file.without(|index, list| match list {
                LongList::Groups => true,
                LongList::Memberships => named[index],
                LongList::Users => meant[index],
            });
            (path.clone(), text)
        };
        version.iter().map(of_file).collect()
    };
    Some((kept(before), kept(after)))
}

/// The entries that only one of two versions of a file has; `None` where more has changed.
fn changed<'t>(old: &'t FileText, new: &'t FileText) -> Option<Vec<(LongList, &'t str)>> {
    let (was, is) = (old.pieces.as_ref()?, new.pieces.as_ref()?);
    let same = |(a, b): &(&Piece, &Piece)| a.kind == b.kind && old.piece(a) == new.piece(b);
    let first = was.iter().zip(is).take_while(same).count();
    let shorter = was.len().min(is.len()) - first;
    let last = was.iter().rev().zip(is.iter().rev()).take(shorter).take_while(same).count();
    let between = |all: &[Piece]| -> Range<usize> { first..all.len() - last };
    let (was, is) = (&was[between(was)], &is[between(is)]);
    fn rest(file: &FileText, pieces: &[Piece]) -> String {
        let rest = pieces.iter().filter(|piece| !matches!(piece.kind, PieceKind::Entry(_)));
        rest.map(|piece| file.piece(piece)).collect::<String>()
    }
    if rest(old, was) != rest(new, is) {
        return None;
    }
    let mut numbers: BTreeMap<(LongList, &str), i64> = BTreeMap::new();
    for (file, pieces, one) in [(old, was, -1), (new, is, 1)] {
        for piece in pieces {
            if let PieceKind::Entry(list) = piece.kind {
                *numbers.entry((list, file.piece(piece))).or_default() += one;
            }
        }
    }
    Some(numbers.into_iter().filter(|(_, number)| *number != 0).map(|(entry, _)| entry).collect())
}

/// Whom or what an entry is about, as it is looked for.
fn name_of(list: LongList, entry: &str) -> Option<String> {
    let mut errors = Errors::of("");
    let tree = yaml::parse(FileNumber::FIRST, entry, &mut NodeBudget::default(), &mut errors)?;
    let Value::List(items) = tree.value else { return None };
    let [item] = items.as_slice() else { return None };
    let Value::Mapping(fields) = &item.value else { return None };
    let wanted = if list == LongList::Memberships { "user" } else { "name" };
    match &fields.iter().find(|field| field.key == wanted)?.value.value {
        Value::Plain(name) | Value::Quoted(name) if !name.is_empty() => {
            Some(name.chars().take(TOLD_BY).collect::<String>().to_ascii_lowercase())
        }
        _ => None,
    }
}
