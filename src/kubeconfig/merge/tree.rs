//! A YAML text as values that know where they stand, so that an edit can be told from a rewrite.

use std::ops::Range;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle, options};

use crate::error::{Error, Result};

/// One value of the file.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) anchor: usize,
    pub(super) tag: Option<String>,
    pub(super) bytes: Range<usize>,
    pub(super) lines: Range<usize>,
}

#[derive(Clone)]
pub(super) enum NodeKind {
    Scalar(String),
    Quoted(String),
    Alias(usize),
    List { items: Vec<Node>, flow: bool },
    Mapping { pairs: Vec<(Node, Node)>, flow: bool },
}

impl Default for Node {
    fn default() -> Self {
        Self::plain("")
    }
}

impl Node {
    pub(super) fn plain(text: &str) -> Self {
        Self { kind: NodeKind::Scalar(text.to_owned()), anchor: 0, tag: None, bytes: 0..0, lines: 0..0 }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(text) | NodeKind::Quoted(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether a file of this alone says nothing: `null` or `{}`.
    pub(super) fn says_nothing(&self) -> bool {
        self.is_null() || matches!(&self.kind, NodeKind::Mapping { pairs, .. } if pairs.is_empty())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Mapping { pairs, .. } => {
                pairs.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match &mut self.kind {
            NodeKind::Mapping { pairs, .. } => {
                pairs.iter_mut().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.get("name")?.text()
    }

    /// As JSON; `None` where that would not say the same: an anchor, an alias, a tag, a key that is repeated or merged, a
    /// number that JSON does not know, such as `0x1f`.
    pub(super) fn value(&self) -> Option<Value> {
        if self.anchor != 0 || self.tag.is_some() {
            return None;
        }
        match &self.kind {
            NodeKind::Scalar(_) if self.is_null() => Some(Value::Null),
            NodeKind::Scalar(text) => plain_value(text),
            NodeKind::Quoted(text) => Some(Value::from(text.as_str())),
            NodeKind::Alias(_) => None,
            NodeKind::List { items, .. } => items.iter().map(Self::value).collect(),
            NodeKind::Mapping { pairs, .. } => {
                let mut fields = Map::new();
                for (key, value) in pairs {
                    let name = key.text().filter(|name| *name != "<<")?;
                    if fields.insert(name.to_owned(), value.value()?).is_some() {
                        return None;
                    }
                }
                Some(Value::Object(fields))
            }
        }
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.tag == other.tag && self.kind.same(&other.kind)
    }
}

impl NodeKind {
    /// Whether two values say the same, wherever they stand.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(a) | Self::Quoted(a), Self::Scalar(b) | Self::Quoted(b)) => a == b,
            (Self::Alias(a), Self::Alias(b)) => a == b,
            (Self::List { items: a, .. }, Self::List { items: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Self::Mapping { pairs: a, .. }, Self::Mapping { pairs: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|((k, v), (l, w))| k.same(l) && v.same(w))
            }
            _ => false,
        }
    }
}

/// A scalar without quotes, as kubectl reads it: to YAML 1.1, `yes` and `on` are no text.
fn plain_value(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            Some(Value::from(true))
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Some(Value::from(false))
        }
        text => match text.parse() {
            Ok(number) => Some(Value::Number(number)),
            Err(_) => (!is_yaml_number(text)).then(|| Value::from(text)),
        },
    }
}

/// Whether YAML takes it for a number: `0644`, `0x1f`, `+5`, `1_000`, `.inf`.
fn is_yaml_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let radix = ["0x", "0o", "0b"].iter().any(|radix| digits.starts_with(radix));
    let word = [".inf", ".nan"].contains(&digits.to_ascii_lowercase().as_str());
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    radix || word || (begins && digits.parse::<f64>().is_ok())
}

fn parser_options() -> Options {
    options! { emit_comments: false, flow_nesting_limit: 64, block_nesting_limit: 64 }
}

/// The one document of a text; `None` where it is empty.
pub(super) fn tree(text: &str) -> Result<Option<Node>> {
    enum Open {
        List(Node, Vec<Node>, bool),
        Mapping(Node, Vec<(Node, Node)>, Option<Node>, bool),
    }
    let unreadable = |line: usize| Error::new(format!("line {line}: it is no YAML that can be read"));
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, parser_options()) {
        let (event, span) = event.map_err(|error| unreadable(error.marker().line()))?;
        let node = |kind, anchor, tag: Option<String>, span: &Span| {
            let bytes = span.start.byte_offset().zip(span.end.byte_offset());
            let (start, end) = bytes.ok_or_else(|| unreadable(span.start.line()))?;
            Ok::<_, Error>(Node {
                kind,
                anchor,
                tag,
                bytes: start..end,
                lines: span.start.line()..span.end.line(),
            })
        };
        let mut done = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(Error::new(format!("line {}: a second document begins", span.start.line())));
                }
                continue;
            }
            Event::UnresolvedAlias(_) => return Err(unreadable(span.start.line())),
            Event::Alias(id) => node(NodeKind::Alias(id), 0, None, &span)?,
            Event::Scalar(value, style, anchor, tag) => {
                let value = value.into_owned();
                let kind = if style == ScalarStyle::Plain {
                    NodeKind::Scalar(value)
                } else {
                    NodeKind::Quoted(value)
                };
                node(kind, anchor, tag.map(|tag| format!("{tag:?}")), &span)?
            }
            Event::SequenceStart(style, anchor, tag) => {
                let start = node(NodeKind::Alias(0), anchor, tag.map(|tag| format!("{tag:?}")), &span)?;
                open.push(Open::List(start, Vec::new(), style == StructureStyle::Flow));
                continue;
            }
            Event::MappingStart(style, anchor, tag) => {
                let start = node(NodeKind::Alias(0), anchor, tag.map(|tag| format!("{tag:?}")), &span)?;
                open.push(Open::Mapping(start, Vec::new(), None, style == StructureStyle::Flow));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let end = span.end.byte_offset().ok_or_else(|| unreadable(span.end.line()))?;
                let (mut start, kind, last, flow) = match open.pop() {
                    Some(Open::List(start, items, flow)) => {
                        let last = items.last().map(|item| item.bytes.end);
                        (start, NodeKind::List { items, flow }, last, flow)
                    }
                    Some(Open::Mapping(start, pairs, _, flow)) => {
                        let last = pairs.last().map(|(key, value)| key.bytes.end.max(value.bytes.end));
                        (start, NodeKind::Mapping { pairs, flow }, last, flow)
                    }
                    None => return Err(unreadable(span.start.line())),
                };
                // The end of a block is found only where the next thing begins.
                start.bytes.end = if flow { end } else { last.unwrap_or(start.bytes.start) };
                start.kind = kind;
                start
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::List(_, items, _)) => items.push(done),
            Some(Open::Mapping(_, pairs, key, _)) => match key.take() {
                None => *key = Some(done),
                Some(name) => {
                    // A value that is not there has no place of its own.
                    if matches!(&done.kind, NodeKind::Scalar(text) if text.is_empty()) {
                        done.bytes = name.bytes.end..name.bytes.end;
                    }
                    pairs.push((name, done));
                }
            },
        }
    }
    Ok(root)
}
