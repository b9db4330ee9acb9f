//! The text of a roster's file, cut where its long lists have entries, without reading it as YAML.
//!
//! It knows the layout of most rosters: a list begins below its name, and each of its entries with `- ` in the same
//! column. It refuses to cut a file that has another.

use std::ops::Range;

/// The lists that grow with the number of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LongList {
    Groups,
    Users,
    Memberships,
}

/// What a piece of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// The name of a list, and the comments before its first entry.
    Name(LongList),
    /// An entry, and the comments after it.
    Entry(LongList),
    /// What is in none of these lists.
    Rest,
}

/// A piece of a text, of whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: PieceKind,
    pub(super) range: Range<usize>,
}

/// All of a text, in its order; `None` where a list is laid out in another way.
pub(super) fn cut(text: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    // The list that goes on, and the column of its entries.
    let mut inside: Option<(LongList, Option<usize>)> = None;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let begin = end;
        end += line.len();
        let content = line.trim_start_matches(' ');
        let spaces = line.len() - content.len();
        let mut begins = None;
        if !(content.trim().is_empty() || content.starts_with('#')) {
            let is_key = spaces == 0 && key(line).is_some();
            match inside {
                Some((list, column)) if content.starts_with("- ") && column.is_none_or(|at| at == spaces) => {
                    inside = Some((list, Some(spaces)));
                    begins = Some(PieceKind::Entry(list));
                }
                Some((_, Some(column))) if spaces > column => {}
                Some((_, column)) if column.is_none() || !is_key => return None,
                _ => {
                    let named = list_named(line);
                    let was_inside = inside.is_some();
                    inside = named.map(|list| (list, None));
                    begins = named.map(PieceKind::Name).or(was_inside.then_some(PieceKind::Rest));
                }
            }
        }
        match (begins, pieces.last_mut()) {
            (None, Some(last)) => last.range.end = end,
            (kind, _) => {
                pieces.push(Piece { kind: kind.unwrap_or(PieceKind::Rest), range: begin..end });
            }
        }
    }
    // A list without entries is none.
    inside.is_none_or(|(_, column)| column.is_some()).then_some(pieces)
}

/// The list that begins below this line.
fn list_named(line: &str) -> Option<LongList> {
    let (key, value) = key(line)?;
    let list = match key {
        "groups" => LongList::Groups,
        "users" => LongList::Users,
        "memberships" => LongList::Memberships,
        _ => return None,
    };
    (value.is_empty() || value.starts_with('#')).then_some(list)
}

/// The field of the file itself that begins in this line, and what stands beside its name.
fn key(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let is_plain = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphabetic());
    is_plain.then_some((key, value.trim()))
}
