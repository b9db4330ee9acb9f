//! Where everything stands in a roster's text: from which byte to which, in block or in flow style.
//!
//! It is only asked about text that was read as a roster already, and decides nothing: what an edit made of
//! the text is read again.

use std::borrow::Cow;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, StructureStyle};

use crate::roster::yaml::parser_options;

/// A value and its place.
#[derive(Debug)]
pub(super) struct Laid<'t> {
    /// In bytes, without the white space and the comments behind it.
    pub(super) span: Range<usize>,
    pub(super) shape: Form<'t>,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Form<'t> {
    Scalar(Cow<'t, str>),
    Mapping(Notation, Vec<LaidField<'t>>),
    List(Notation, Vec<Laid<'t>>),
}

/// One `key: value`.
#[derive(Debug)]
pub(super) struct LaidField<'t> {
    pub(super) key: Laid<'t>,
    pub(super) value: Laid<'t>,
}

/// How a mapping or a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// With a line for each.
    Block,
    /// In brackets.
    Flow,
}

impl<'t> Laid<'t> {
    /// The tree of the text's one document; `None` where there is none.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let mut open: Vec<(usize, Notation, bool, Vec<Laid<'t>>)> = Vec::new();
        for event in Parser::new_from_str_with_options(text, parser_options()) {
            let (event, span) = event.ok()?;
            let span = span.start.byte_offset()?..span.end.byte_offset()?;
            let node = match event {
                Event::Scalar(value, ..) => {
                    let end = span.start + text.get(span.clone())?.trim_end().len();
                    Laid { span: span.start..end, shape: Form::Scalar(value) }
                }
                Event::SequenceStart(style, ..) => {
                    open.push((span.start, style.into(), false, Vec::new()));
                    continue;
                }
                Event::MappingStart(style, ..) => {
                    open.push((span.start, style.into(), true, Vec::new()));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let (start, style, is_mapping, children) = open.pop()?;
                    // A block ends where the next thing begins, which may be far behind it.
                    let last = children.last().map_or(start, |last| last.span.end);
                    let end = if style == Notation::Flow { span.end } else { last };
                    let shape = if is_mapping {
                        Form::Mapping(style, fields(children))
                    } else {
                        Form::List(style, children)
                    };
                    Laid { span: start..end, shape }
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => return None,
                _ => continue,
            };
            match open.last_mut() {
                Some((.., children)) => children.push(node),
                None => return Some(node),
            }
        }
        None
    }

    /// The field of a mapping.
    pub(super) fn field(&self, name: &str) -> Option<&LaidField<'t>> {
        let Form::Mapping(_, fields) = &self.shape else { return None };
        fields.iter().find(|field| field.key.scalar() == Some(name))
    }

    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.shape {
            Form::Scalar(text) => Some(text),
            Form::Mapping(..) | Form::List(..) => None,
        }
    }

    /// The items of a list; none where it is something else.
    pub(super) fn items(&self) -> &[Laid<'t>] {
        match &self.shape {
            Form::List(_, items) => items,
            Form::Scalar(_) | Form::Mapping(..) => &[],
        }
    }

    /// What it is called: by itself, or by its `name`.
    pub(super) fn name(&self) -> Option<&str> {
        self.scalar().or_else(|| self.field("name")?.value.scalar())
    }
}

/// Keys and values by turns.
fn fields(children: Vec<Laid<'_>>) -> Vec<LaidField<'_>> {
    let mut children = children.into_iter();
    let mut fields = Vec::new();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        fields.push(LaidField { key, value });
    }
    fields
}

impl From<StructureStyle> for Notation {
    fn from(style: StructureStyle) -> Self {
        match style {
            StructureStyle::Block => Self::Block,
            StructureStyle::Flow => Self::Flow,
        }
    }
}
