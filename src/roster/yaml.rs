//! YAML text to a tree whose every node knows its place.
//!
//! A derived `Deserialize` stops at the first thing it does not expect; this tree is what lets
//! [`super::validate`] report everything in one run. It refuses what YAML can do and a roster has
//! no use for: anchors, aliases and merge keys (so there are no bombs), tags, directives, several
//! documents, repeated keys, deep nesting, and characters that make a reviewer see other text
//! than the parser does.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, options,
};

use super::errors::{Errors, quoted};
use crate::error::Error;
use crate::model::{FileNumber, Position};

/// The largest roster that is read, in bytes. 10,000 users take 2 to 5 MB.
pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;
/// The deepest nesting of lists and of mappings; a roster needs 6.
const DEPTH_LIMIT: usize = 32;
/// The largest number of mappings, lists and values; 10,000 users need about 300,000. It bounds
/// memory: each takes some 100 bytes, but as little as two bytes of text.
const NODE_LIMIT: usize = 750_000;

/// One value of the file.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// Where it begins.
    pub(super) position: Position,
    /// What it is.
    pub(super) value: Value<'t>,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value<'t> {
    /// Keys are unique; in the file's order.
    Mapping(Vec<MappingEntry<'t>>),
    /// In the file's order.
    List(Vec<Node<'t>>),
    /// Unquoted text, which may mean a number, a boolean or null.
    Plain(Cow<'t, str>),
    /// Text that is text: quoted, or a block.
    Quoted(Cow<'t, str>),
    /// Something that was reported already, such as an alias.
    Refused,
}

/// One `key: value`.
#[derive(Debug)]
pub(super) struct MappingEntry<'t> {
    /// The key's text.
    pub(super) key: Cow<'t, str>,
    /// Where the key begins.
    pub(super) position: Position,
    /// What it is set to.
    pub(super) value: Node<'t>,
}

/// The text of a file that was read whole, if it is small enough and UTF-8.
///
/// # Errors
/// If it is larger than [`SIZE_LIMIT`] or not UTF-8.
pub fn text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Error> {
    if bytes.len() > SIZE_LIMIT {
        return Err(Error::new(format!(
            "{file} is larger than {} MiB, so it was not read",
            SIZE_LIMIT / 1024 / 1024
        )));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let position = end_of(FileNumber::FIRST, &before);
        Error::new(format!("{file}:{position}: not UTF-8 text"))
            .hint("save the file as UTF-8; it needs nothing but ASCII")
    })
}

/// The place right after a text.
fn end_of(file: FileNumber, text: &str) -> Position {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    Position {
        file,
        line: text.bytes().filter(|&b| b == b'\n').count() as u64 + 1,
        column: last_line.chars().count() as u64 + 1,
    }
}

/// How much is read of all files of a roster.
pub(super) struct NodeBudget {
    nodes: usize,
}

impl Default for NodeBudget {
    fn default() -> Self {
        Self { nodes: NODE_LIMIT }
    }
}

/// The tree of the file's one document, without what was refused; `None` if there is none. `file` is its number
/// in positions.
pub(super) fn parse<'t>(
    file: FileNumber,
    text: &'t str,
    budget: &mut NodeBudget,
    errors: &mut Errors,
) -> Option<Node<'t>> {
    let start = Position { file, line: 1, column: 1 };
    if text.len() > SIZE_LIMIT {
        errors.add(start, format!("larger than {} MiB", SIZE_LIMIT / 1024 / 1024));
        return None;
    }
    if let Some((position, c)) = deceptive_character(file, text) {
        errors.add_with_hint(
            position,
            format!("the character U+{:04X} is refused: a reader would not see what is parsed", u32::from(c)),
            "delete it, or write it as an escape in double quotes",
        );
        return None;
    }
    let mut tree = Tree { open: Vec::new(), root: None, documents: 0, budget };
    for event in Parser::new_from_str_with_options(text, parser_options()) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                not_yaml(file, &error, errors);
                return None;
            }
        };
        let position = position_of(file, &span.start);
        if let Err(Stop) = tree.take(event, position, errors) {
            return None;
        }
    }
    if tree.documents == 0 {
        errors.add_with_hint(
            start,
            "the file is empty",
            "start with `apiVersion: certctl.dev/v1` and `kind: Roster`",
        );
    }
    tree.root
}

pub(super) fn parser_options() -> Options {
    options! {
        disallow_directives: true,
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_LIMIT,
        block_nesting_limit: DEPTH_LIMIT,
    }
}

fn not_yaml(file: FileNumber, error: &ScanError, errors: &mut Errors) {
    let why = match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            format!("lists and mappings lie more than {DEPTH_LIMIT} deep")
        }
        _ => error.info(),
    };
    errors.add(position_of(file, error.marker()), format!("this YAML cannot be read any further: {why}"));
}

fn position_of(file: FileNumber, mark: &Marker) -> Position {
    Position { file, line: mark.line() as u64, column: mark.col() as u64 + 1 }
}

/// The first character that a terminal or a diff view obeys instead of showing: controls, a
/// carriage return without its line feed, bidirectional overrides (CVE-2021-42574), and a byte order
/// mark that does not begin the file.
fn deceptive_character(file: FileNumber, text: &str) -> Option<(Position, char)> {
    let (at, c) = text.char_indices().find(|&(at, c)| match c {
        '\n' | '\t' => false,
        '\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{feff}' => at > 0,
        c => c.is_control(),
    })?;
    Some((end_of(file, &text[..at]), c))
}

/// Reading cannot continue.
struct Stop;

/// A mapping or list that is not complete yet.
enum Open<'t> {
    Mapping {
        position: Position,
        entries: Vec<MappingEntry<'t>>,
        /// The key whose value comes next; `Some(None)` where the key itself was refused.
        key: Option<Option<(Cow<'t, str>, Position)>>,
    },
    List {
        position: Position,
        items: Vec<Node<'t>>,
    },
}

/// Builds the tree from the parser's events, without recursion.
struct Tree<'t, 'b> {
    open: Vec<Open<'t>>,
    root: Option<Node<'t>>,
    documents: usize,
    budget: &'b mut NodeBudget,
}

impl<'t> Tree<'t, '_> {
    fn take(&mut self, event: Event<'t>, position: Position, errors: &mut Errors) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    errors.add(position, "a second YAML document begins here; a roster is one document");
                    return Err(Stop);
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                errors.add_with_hint(
                    position,
                    "YAML aliases (`*name`) are refused",
                    "write the value out; what people share belongs in a group",
                );
                self.add(position, Value::Refused, errors)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_properties(anchor, tag.is_some(), position, errors);
                let value = match style {
                    ScalarStyle::Plain => Value::Plain(text),
                    _ => Value::Quoted(text),
                };
                self.add(position, value, errors)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_properties(anchor, tag.is_some(), position, errors);
                self.open.push(Open::List { position, items: Vec::new() });
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_properties(anchor, tag.is_some(), position, errors);
                self.open.push(Open::Mapping { position, entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { position, items }) => self.add(position, Value::List(items), errors)?,
                Some(Open::Mapping { position, entries, .. }) => {
                    let entries = without_repeated_keys(entries, errors);
                    self.add(position, Value::Mapping(entries), errors)?;
                }
                // The parser pairs starts and ends.
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, position: Position, value: Value<'t>, errors: &mut Errors) -> Result<(), Stop> {
        if self.budget.nodes == 0 {
            errors.add(position, format!("more than {NODE_LIMIT} values; nothing after this place was read"));
            return Err(Stop);
        }
        self.budget.nodes -= 1;
        let node = Node { position, value };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                None => *key = Some(checked_key(node, errors)),
                Some(None) => {}
                Some(Some((key, position))) => entries.push(MappingEntry { key, position, value: node }),
            },
        }
        Ok(())
    }
}

fn refuse_properties(anchor: usize, tagged: bool, position: Position, errors: &mut Errors) {
    if anchor != 0 {
        errors.add_with_hint(
            position,
            "YAML anchors (`&name`) are refused",
            "write the value out; what people share belongs in a group",
        );
    }
    if tagged {
        errors.add_with_hint(
            position,
            "YAML tags (`!name`) are refused",
            "delete the tag; quote what is meant as text",
        );
    }
}

fn checked_key<'t>(node: Node<'t>, errors: &mut Errors) -> Option<(Cow<'t, str>, Position)> {
    match node.value {
        Value::Plain(text) if text == "<<" => {
            errors.add_with_hint(
                node.position,
                "YAML merge keys (`<<`) are refused",
                "write the fields out; what people share belongs in a group",
            );
            None
        }
        Value::Plain(text) | Value::Quoted(text) => Some((text, node.position)),
        Value::Refused => None,
        Value::Mapping(_) | Value::List(_) => {
            errors.add(node.position, "a field's name must be text");
            None
        }
    }
}

/// Reports every key after its first.
fn without_repeated_keys<'t>(
    mut entries: Vec<MappingEntry<'t>>,
    errors: &mut Errors,
) -> Vec<MappingEntry<'t>> {
    let mut first: HashMap<&str, Position> = HashMap::with_capacity(entries.len());
    let mut repeated = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(first) = first.get(&*entry.key) {
            let first = errors.place(*first);
            errors.add(
                entry.position,
                format!("the field {} is set twice, first at {first}", quoted(&entry.key)),
            );
            repeated.push(index);
        } else {
            first.insert(&entry.key, entry.position);
        }
    }
    if !repeated.is_empty() {
        let mut index = 0;
        entries.retain(|_| {
            index += 1;
            repeated.binary_search(&(index - 1)).is_err()
        });
    }
    entries
}
