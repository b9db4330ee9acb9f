//! Pieces of text that come, go or change: a field of a mapping, an item of a list. Nothing is laid out
//! anew, and every byte elsewhere stays.

use std::ops::Range;

use super::layout::{Form, Laid, LaidField, Notation};

/// One piece of the text, and what takes its place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Splice {
    /// From where, and to where.
    pub(super) at: (usize, usize),
    pub(super) new: String,
}

/// The text with all of them; `None` where two are about one place.
pub(super) fn apply(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort();
    let mut edited = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for Splice { at: (start, end), new } in splices {
        edited.push_str(text.get(done..start)?);
        edited.push_str(&new);
        done = end;
    }
    edited.push_str(text.get(done..)?);
    Some(edited)
}

/// The text that is edited.
#[derive(Debug, Clone, Copy)]
pub(super) struct EditedText<'t>(pub(super) &'t str);

/// A value to be written.
#[derive(Debug, Clone)]
pub(super) enum NewValue {
    /// A number or a boolean.
    Literal(String),
    Word(String),
    Fields(Vec<(&'static str, NewValue)>),
    List(Vec<NewValue>),
}

impl EditedText<'_> {
    /// Another value for a scalar.
    pub(super) fn replace(self, node: &Laid<'_>, new: &NewValue) -> Vec<Splice> {
        let quoted = self.0[node.span.clone()].starts_with('"');
        vec![Splice { at: (node.span.start, node.span.end), new: flow(new, quoted) }]
    }

    /// A field behind another one of a mapping.
    pub(super) fn add_field(
        self,
        mapping: &Laid<'_>,
        after: &LaidField<'_>,
        key: &str,
        value: &NewValue,
    ) -> Vec<Splice> {
        let Form::Mapping(style, fields) = &mapping.shape else { return Vec::new() };
        let quoted = self.is_quoted(&after.key);
        let key = if quoted { format!("\"{key}\"") } else { key.to_owned() };
        let field = format!("{key}: {}", flow(value, quoted));
        match style {
            Notation::Flow => vec![insertion(after.value.span.end, format!(", {field}"))],
            Notation::Block => {
                let column = fields.first().map_or(0, |first| self.column(first.key.span.start));
                vec![self.line_after(after.value.span.end, &format!("{}{field}", " ".repeat(column)))]
            }
        }
    }

    /// An item at the end of a list, which is the value of a field.
    pub(super) fn add_item(self, list: &LaidField<'_>, value: &NewValue) -> Vec<Splice> {
        let Form::List(style, items) = &list.value.shape else { return Vec::new() };
        let quoted = self.is_quoted(&list.key);
        match (style, items.last()) {
            (Notation::Flow, None) => vec![insertion(list.value.span.start + 1, flow(value, quoted))],
            (Notation::Flow, Some(last)) if self.begins_line(last.span.start) => {
                // One on each line, with or without a comma behind the last.
                let indent = " ".repeat(self.column(last.span.start));
                let comma = self.comma_after(last.span.end);
                let item = flow(value, quoted);
                let end = comma.unwrap_or(last.span.end);
                match comma {
                    Some(_) => vec![self.line_after(end, &format!("{indent}{item},"))],
                    None => vec![
                        insertion(last.span.end, ",".to_owned()),
                        self.line_after(end, &format!("{indent}{item}")),
                    ],
                }
            }
            (Notation::Flow, Some(last)) => {
                vec![insertion(last.span.end, format!(", {}", flow(value, quoted)))]
            }
            (Notation::Block, _) => {
                let Some(last) = items.last() else { return Vec::new() };
                let line = self.line_start(last.span.start);
                let dash = self.0[line..last.span.start].rfind('-').map_or(line, |at| line + at);
                let dash = " ".repeat(self.column(dash));
                let item = block(value, &dash, self.newline());
                vec![self.line_after(last.span.end, &format!("{dash}- {item}"))]
            }
        }
    }

    /// Without one item of a list, which is the value of a field.
    pub(super) fn remove_item(self, list: &LaidField<'_>, index: usize) -> Vec<Splice> {
        let Form::List(style, items) = &list.value.shape else { return Vec::new() };
        let Some(item) = items.get(index) else { return Vec::new() };
        match style {
            Notation::Block => {
                let mut splices = vec![deletion(self.lines(&item.span))];
                if items.len() == 1 {
                    let key = list.key.span.end;
                    let colon = self.0[key..].find(':').map_or(key, |at| key + at + 1);
                    splices.push(insertion(colon, " []".to_owned()));
                }
                splices
            }
            Notation::Flow => {
                let comma = self.comma_after(item.span.end);
                let end = comma.unwrap_or(item.span.end);
                let alone = self.begins_line(item.span.start) && self.ends_line(end);
                let next = items.get(index + 1).map(|next| next.span.start);
                let before = index.checked_sub(1).and_then(|before| items.get(before));
                if alone {
                    // Without a comma behind it, the one before it goes too: JSON takes none at the end.
                    let last = before.filter(|_| comma.is_none());
                    let comma = last.and_then(|before| self.comma_after(before.span.end));
                    let gone = comma.map(|comma| comma - 1..comma);
                    return gone
                        .into_iter()
                        .chain([self.lines(&(item.span.start..end))])
                        .map(deletion)
                        .collect();
                }
                vec![deletion(match (next, before) {
                    (Some(next), _) => item.span.start..next,
                    (None, Some(before)) => before.span.end..item.span.end,
                    (None, None) => item.span.start..end,
                })]
            }
        }
    }

    /// A whole field at the end of the roster itself.
    pub(super) fn append(self, root: &Laid<'_>, key: &str, value: &NewValue) -> Vec<Splice> {
        let Form::Mapping(style, fields) = &root.shape else { return Vec::new() };
        let Some(last) = fields.last() else { return Vec::new() };
        match style {
            Notation::Flow => self.add_field(root, last, key, value),
            Notation::Block => {
                let newline = self.newline();
                let NewValue::List(items) = value else { return Vec::new() };
                let items: String =
                    items.iter().map(|item| format!("{newline}- {}", block(item, "", newline))).collect();
                vec![self.line_after(last.value.span.end, &format!("{key}:{items}"))]
            }
        }
    }

    fn newline(self) -> &'static str {
        if self.0.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn is_quoted(self, key: &Laid<'_>) -> bool {
        self.0[key.span.clone()].starts_with('"')
    }

    fn line_start(self, at: usize) -> usize {
        self.0[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// In characters, from 0.
    fn column(self, at: usize) -> usize {
        self.0[self.line_start(at)..at].chars().count()
    }

    fn begins_line(self, at: usize) -> bool {
        self.0[self.line_start(at)..at].trim().is_empty()
    }

    /// Whether there is nothing more on the line, besides a comment.
    fn ends_line(self, at: usize) -> bool {
        let rest = self.0[at..].split('\n').next().unwrap_or_default().trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    /// Behind the comma that follows directly.
    fn comma_after(self, at: usize) -> Option<usize> {
        let rest = self.0[at..].trim_start();
        rest.starts_with(',').then(|| self.0.len() - rest.len() + 1)
    }

    /// The lines that it stands on, with their ends.
    fn lines(self, span: &Range<usize>) -> Range<usize> {
        let end = self.0[span.end..].find('\n').map_or(self.0.len(), |newline| span.end + newline + 1);
        self.line_start(span.start)..end
    }

    /// A new line under the one on which something ends.
    fn line_after(self, end: usize, line: &str) -> Splice {
        let newline = self.newline();
        let rest = &self.0[end..];
        match rest.find('\n') {
            Some(at) => insertion(end + at + 1, format!("{line}{newline}")),
            None => insertion(self.0.len(), format!("{newline}{line}")),
        }
    }
}

fn insertion(at: usize, new: String) -> Splice {
    Splice { at: (at, at), new }
}

fn deletion(range: Range<usize>) -> Splice {
    Splice { at: (range.start, range.end), new: String::new() }
}

/// In brackets, on one line.
fn flow(value: &NewValue, quoted: bool) -> String {
    match value {
        NewValue::Literal(text) => text.clone(),
        NewValue::Word(text) => word(text, quoted),
        NewValue::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, quoted)).collect();
            format!("[{}]", items.join(", "))
        }
        NewValue::Fields(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                format!(
                    "{}: {}",
                    if quoted { format!("\"{key}\"") } else { (*key).to_owned() },
                    flow(value, quoted)
                )
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// With a line for each field, behind a dash at this indentation.
fn block(value: &NewValue, dash: &str, newline: &str) -> String {
    let NewValue::Fields(fields) = value else { return flow(value, false) };
    let fields = fields.iter().map(|(key, value)| format!("{key}: {}", flow(value, false)));
    fields.collect::<Vec<_>>().join(&format!("{newline}{dash}  "))
}

/// Plain where every reader takes it for text, else in quotes.
fn word(text: &str, quoted: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._@+/:".contains(c);
    let safe = !quoted
        && crate::roster::reader::is_plain_text(text)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with(':')
        && text.chars().all(plain);
    // In JSON's quotes, which are YAML's too.
    if safe { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A value as one would write it on one line.
pub(super) fn line(value: &NewValue) -> String {
    flow(value, false)
}
