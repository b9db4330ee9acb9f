//! One edit of a kubeconfig: lines that come and go, and what the result has to say.

use std::ops::Range;

use serde_json::Value;

use super::tree::{Node, NodeKind, tree};
use super::{ADDED, ASIDE, KubeconfigText, MADE, WAS};
use crate::error::{Error, Result};

/// Changes to the text, and what the result has to say.
pub(super) struct Edit<'d, 't> {
    document: &'d KubeconfigText<'t>,
    newline: &'static str,
    flow: bool,
    changes: Vec<(Range<usize>, String)>,
    wanted: Vec<(Node, Node)>,
    /// How many keys were put before the others.
    ahead: usize,
}

impl<'d, 't> Edit<'d, 't> {
    pub(super) fn of(document: &'d KubeconfigText<'t>) -> Self {
        let (flow, wanted) = match document.root.as_ref().map(|root| &root.kind) {
            Some(NodeKind::Mapping { flow, pairs }) => (*flow, pairs.clone()),
            _ => (false, Vec::new()),
        };
        let crlf = document.text.find('\n').is_some_and(|at| document.text[..at].ends_with('\r'));
        let newline = if crlf { "\r\n" } else { "\n" };
        Self { document, newline, flow, changes: Vec::new(), wanted, ahead: 0 }
    }

    /// A new line before the first key.
    pub(super) fn added(&mut self, key: &str, value: &str) {
        let at = match (self.document.wanted_start(), self.document.text.starts_with(MADE)) {
            (Some(at), _) => at,
            (None, true) => self.document.line_end(0),
            (None, false) => 0,
        };
        let space = if value.is_empty() { "" } else { " " };
        self.changes.push((at..at, format!("{key}:{space}{value} {ADDED}{}", self.newline)));
        self.wanted.insert(self.ahead, (Node::plain(key), Node::plain(value.trim_matches('"'))));
        self.ahead += 1;
    }

    pub(super) fn want(&mut self, key: &str, value: Node) {
        match self.wanted.iter_mut().find(|(name, _)| name.text() == Some(key)) {
            Some((_, old)) => *old = value,
            None => self.wanted.push((Node::plain(key), value)),
        }
    }

    pub(super) fn refuse(&self, key: &str) -> Error {
        let place = self.document.key(key).map_or(String::new(), |key| format!("line {}: ", key.lines.start));
        Error::new(format!("{place}`{key}` is laid out in a way that cannot be edited safely"))
    }

    pub(super) fn put(&mut self, list: &str, items: &[(&str, Value)]) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let document = self.document;
        // Whoever repeats an anchored list elsewhere must not get our entries.
        let (old, flow) =
            match document.field(list).filter(|value| value.anchor == 0).map(|value| &value.kind) {
                _ if document.field(list).is_some_and(|value| value.anchor != 0) => {
                    return Err(self.refuse(list));
                }
                None if self.flow => return Err(self.refuse(list)),
                None => (None, false),
                Some(NodeKind::List { items, flow }) => (Some(items), *flow),
                Some(NodeKind::Scalar(_))
                    if document.field(list).is_some_and(Node::is_null) && !self.flow =>
                {
                    (None, false)
                }
                Some(_) => return Err(self.refuse(list)),
            };
        let mut wanted = self.renamed(list).or(old).cloned().unwrap_or_default();
        // Block items stand where those that are there do.
        let first = old.and_then(|items| items.first()).filter(|_| !flow);
        let indent = match first {
            Some(first) => self.dash(list, first)?,
            None => String::new(),
        };
        let text = |item: &Value| {
            if flow { Ok(written(item)) } else { Ok::<_, Error>(block(item, &indent, self.newline)) }
        };
        let mut fresh = Vec::new();
        for (name, item) in items {
            let new = text(item)?;
            let node = if flow {
                tree(&new)?
            } else {
                tree(&new)?.and_then(|list| match list.kind {
                    NodeKind::List { items, .. } => items.into_iter().next(),
                    _ => None,
                })
            };
            let node =
                node.filter(|node| node.value().as_ref() == Some(item)).ok_or_else(|| self.refuse(list))?;
            match wanted.iter_mut().find(|item| item.name() == Some(name)) {
                Some(old) if old.value().as_ref() == Some(item) => {}
                Some(old) => {
                    let range = if flow { old.bytes.clone() } else { self.lines(list, old)? };
                    let new = if !flow && !document.text[range.clone()].ends_with('\n') {
                        new.trim_end_matches(['\r', '\n']).to_owned()
                    } else {
                        new
                    };
                    self.changes.push((range, new));
                    *old = node;
                }
                None => fresh.push((new, node)),
            }
        }
        let (fresh, nodes): (Vec<String>, Vec<Node>) = fresh.into_iter().unzip();
        let had = wanted.len();
        wanted.splice(0..0, nodes);
        if fresh.is_empty() {
            // Only those that were there.
        } else if flow {
            let at = document.field(list).map_or(0, |value| value.bytes.start) + 1;
            let behind = if had > 0 { ", " } else { "" };
            self.changes.push((at..at, fresh.join(", ") + behind));
        } else if let Some(key) = document.key(list) {
            if old.is_some() {
                let at = document.line_end(key.bytes.end);
                self.changes.push((at..at, fresh.concat()));
            } else {
                self.stand_in(key, &format!("{list}:{}{}", self.newline, fresh.concat()));
            }
        } else {
            self.added(list, "");
            if let Some((_, line)) = self.changes.last_mut() {
                line.push_str(&fresh.concat());
            }
        }
        let list_node = Node {
            kind: NodeKind::List { items: wanted, flow },
            ..document.field(list).cloned().unwrap_or_default()
        };
        self.want(list, list_node);
        Ok(())
    }

    /// The items of a list as they will be, where that was decided already.
    fn renamed(&self, list: &str) -> Option<&Vec<Node>> {
        let (_, value) = self.wanted.iter().find(|(key, _)| key.text() == Some(list))?;
        match &value.kind {
            NodeKind::List { items, .. } => Some(items),
            _ => None,
        }
    }

    /// Gives a context another name, which tells what it was.
    pub(super) fn put_aside(&mut self, context: &str) -> Result<()> {
        let aside = format!("{context}{ASIDE}");
        self.rename(context, &aside, |end| (end..end, ASIDE.to_owned()))
    }

    /// Gives a context that was put aside its own name back.
    pub(super) fn put_in_place(&mut self, context: &str) -> Result<()> {
        let aside = format!("{context}{ASIDE}");
        self.rename(&aside, context, |end| (end - ASIDE.len()..end, String::new()))
    }

    /// Changes the end of a context's name: `change` says how, given where the name ends.
    fn rename(
        &mut self,
        from: &str,
        to: &str,
        change: impl FnOnce(usize) -> (Range<usize>, String),
    ) -> Result<()> {
        let refused = self.refuse("contexts");
        let list = self.wanted.iter_mut().find(|(key, _)| key.text() == Some("contexts"));
        let Some(NodeKind::List { items, .. }) = list.map(|(_, value)| &mut value.kind) else {
            return Err(refused);
        };
        let name =
            items.iter_mut().filter(|item| item.name() == Some(from)).find_map(|item| item.get_mut("name"));
        let Some(name) = name else { return Err(refused) };
        let end = match &name.kind {
            NodeKind::Quoted(_) => name.bytes.end.saturating_sub(1),
            _ => name.bytes.end,
        };
        let (range, text) = change(end);
        if !self.document.text.is_char_boundary(range.start) || range.start < name.bytes.start {
            return Err(refused);
        }
        name.kind = NodeKind::Quoted(to.to_owned());
        self.changes.push((range, text));
        Ok(())
    }

    /// Puts lines in the place of a line, which stays as a comment.
    pub(super) fn stand_in(&mut self, key: &Node, lines: &str) {
        let (range, line) = self.document.line(key.bytes.start);
        let lines = lines.trim_end_matches(['\r', '\n']);
        self.changes.push((range, format!("{WAS}{line}{}{lines}", self.newline)));
    }

    pub(super) fn put_current(&mut self, context: &str) {
        let quoted = Value::from(context).to_string();
        match (self.document.key("current-context"), self.document.field("current-context")) {
            (None, _) if self.flow => return,
            (None, _) => return self.added("current-context", &quoted),
            (Some(_), Some(value)) if self.flow => self.changes.push((value.bytes.clone(), quoted)),
            (Some(key), _) => self.stand_in(key, &format!("current-context: {quoted}")),
        }
        self.want("current-context", Node::plain(context));
    }

    pub(super) fn take(&mut self, list: &str, ours: &dyn Fn(&str) -> bool) -> Result<()> {
        let document = self.document;
        let Some(NodeKind::List { items, flow }) = document.field(list).map(|value| &value.kind) else {
            return Ok(());
        };
        let goes = |item: &Node| item.name().is_some_and(ours);
        if !items.iter().any(goes) {
            return Ok(());
        }
        // Those that stay have the names by now that they will have.
        let names = self.renamed(list).unwrap_or(items);
        let kept: Vec<Node> =
            items.iter().zip(names).filter(|(item, _)| !goes(item)).map(|(_, item)| item.clone()).collect();
        for (index, item) in items.iter().enumerate().filter(|(_, item)| goes(item)) {
            let range = if *flow {
                let before = items[..index].iter().rfind(|item| !goes(item));
                match (items.get(index + 1), before) {
                    (Some(next), _) => item.bytes.start..next.bytes.start,
                    (None, Some(before)) => before.bytes.end..item.bytes.end,
                    (None, None) => item.bytes.clone(),
                }
            } else {
                self.lines(list, item)?
            };
            self.changes.push((range, String::new()));
        }
        let key = document.key(list).ok_or_else(|| self.refuse(list))?;
        if kept.is_empty() && !*flow {
            let line = document.line_start(key.bytes.start)..document.line_end(key.bytes.start);
            if document.text[line.clone()].trim_end().ends_with(ADDED) {
                self.changes.push((line, String::new()));
                self.wanted.retain(|(key, _)| key.text() != Some(list));
                return Ok(());
            }
            if let Some(old) = self.put_back(key, &line) {
                self.want(list, old?);
                return Ok(());
            }
            let colon = document.text[key.bytes.end..].find(':').ok_or_else(|| self.refuse(list))?
                + key.bytes.end
                + 1;
            self.changes.push((colon..colon, " []".to_owned()));
        }
        let value = document.field(list).cloned().unwrap_or_default();
        self.want(list, Node { kind: NodeKind::List { items: kept, flow: *flow }, ..value });
        Ok(())
    }

    /// Takes our line away and uncovers the one that it stood in for.
    pub(super) fn put_back(&mut self, key: &Node, line: &Range<usize>) -> Option<Result<Node>> {
        let (range, old) = self.document.remembered(key)?;
        self.changes.push((range.start..range.start + WAS.len(), String::new()));
        self.changes.push((line.clone(), String::new()));
        let value = tree(old).map(|root| {
            let value = root.and_then(|root| match root.kind {
                NodeKind::Mapping { pairs, .. } => pairs.into_iter().next().map(|(_, value)| value),
                _ => None,
            });
            value.unwrap_or_default()
        });
        Some(value)
    }

    /// Leaves no current context that is gone, unless one of that name is back.
    pub(super) fn take_current(&mut self, gone: &[&str], back: &[&str]) -> Result<()> {
        let document = self.document;
        let Some(key) = document.key("current-context") else { return Ok(()) };
        let Some(value) = document.field("current-context") else { return Ok(()) };
        let line = document.line_start(key.bytes.start)..document.line_end(key.bytes.start);
        if !value.text().is_some_and(|current| gone.contains(&current)) {
            return Ok(());
        }
        if document.text[line.clone()].trim_end().ends_with(ADDED) {
            self.changes.push((line, String::new()));
            self.wanted.retain(|(key, _)| key.text() != Some("current-context"));
        } else if let Some(old) = self.put_back(key, &line) {
            self.want("current-context", old?);
        } else if !value.text().is_some_and(|current| back.contains(&current)) {
            self.changes.push((value.bytes.clone(), "\"\"".to_owned()));
            self.want("current-context", Node::plain(""));
        }
        Ok(())
    }

    /// Takes `apiVersion` and `kind` away where they are ours and nothing else is left.
    pub(super) fn take_head(&mut self) {
        let head = ["apiVersion", "kind"];
        let document = self.document;
        let lines: Vec<Range<usize>> = head
            .iter()
            .filter_map(|name| document.key(name))
            .map(|key| document.line_start(key.bytes.start)..document.line_end(key.bytes.start))
            .filter(|line| document.text[line.clone()].trim_end().ends_with(ADDED))
            .collect();
        if lines.len() == 2 && self.wanted.len() == 2 {
            self.wanted.clear();
            self.changes.extend(lines.into_iter().map(|line| (line, String::new())));
            let starts = line_starts(document.text);
            let commented = starts.filter(|(_, line)| line.starts_with(WAS));
            self.changes.extend(commented.map(|(at, _)| (at..at + WAS.len(), String::new())));
        }
    }

    /// Makes comments of the lines of a file that says nothing, such as `{}` or `---`.
    pub(super) fn comment_out(&mut self) {
        let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let lines = line_starts(self.document.text).filter(|(_, line)| says(line));
        self.changes.extend(lines.map(|(at, _)| (at..at, WAS.to_owned())));
    }

    /// The white space before the dash of a block item, which must stand on the line of its first field.
    pub(super) fn dash(&self, list: &str, item: &Node) -> Result<String> {
        let (_, line) = self.document.line(item.bytes.start);
        let rest = line.trim_start_matches(' ');
        let own_line = self.document.key(list).is_none_or(|key| key.lines.start < item.lines.start);
        if !rest.starts_with("- ") || !own_line {
            return Err(self.refuse(list));
        }
        Ok(" ".repeat(line.len() - rest.len()))
    }

    /// The whole lines of a block item.
    pub(super) fn lines(&self, list: &str, item: &Node) -> Result<Range<usize>> {
        self.dash(list, item)?;
        let end = item.bytes.end.max(item.bytes.start + 1);
        Ok(self.document.line_start(item.bytes.start)..self.document.line_end(end - 1))
    }

    /// Makes the changes, and reads the result again.
    pub(super) fn finish(mut self) -> Result<String> {
        let text = self.document.text;
        let unsafely = || Error::new("it is laid out in a way that cannot be edited safely");
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, new) in &self.changes {
            if range.start < at {
                return Err(unsafely());
            }
            out.push_str(&text[at..range.start]);
            out.push_str(new);
            at = range.end;
        }
        out.push_str(&text[at..]);
        // A last line that had no line feed leaves none behind.
        let cut = at == text.len() && self.changes.last().is_some_and(|(_, new)| new.is_empty());
        if cut && !text.is_empty() && !text.ends_with('\n') {
            out.truncate(out.trim_end_matches('\n').len().max(out.len().saturating_sub(1)));
            if out.ends_with('\r') {
                out.pop();
            }
        }
        let read = tree(&out).map_err(|_| unsafely())?.filter(|root| !root.says_nothing());
        let same = match (&read, &self.document.root) {
            (None, _) => self.wanted.is_empty(),
            (Some(read), old) => {
                let wanted = Node {
                    kind: NodeKind::Mapping { pairs: self.wanted, flow: false },
                    ..old.clone().unwrap_or_default()
                };
                read.same(&wanted)
            }
        };
        if same { Ok(format!("{}{out}", self.document.mark)) } else { Err(unsafely()) }
    }
}

/// Every line, with where it begins.
fn line_starts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// A value as the item of a block list, each line ended.
fn block(item: &Value, indent: &str, newline: &str) -> String {
    let mut out = String::new();
    nested(item, &format!("{indent}- "), &format!("{indent}  "), newline, &mut out);
    out
}

/// As JSON, with what YAML does not take as it is escaped.
fn written(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// A name as the key of a mapping, quoted where it could be taken for something else.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let text = Value::from(name);
    if plain && Node::plain(name).value().as_ref() == Some(&text) { name.to_owned() } else { written(&text) }
}

fn nested(value: &Value, first: &str, rest: &str, newline: &str, out: &mut String) {
    let mut lead = first;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                out.push_str(&format!("{lead}{}:", key(name)));
                lead = rest;
                match value {
                    Value::Object(fields) if !fields.is_empty() => {
                        out.push_str(newline);
                        let deeper = format!("{rest}  ");
                        nested(value, &deeper, &deeper, newline, out);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        out.push_str(newline);
                        for item in items {
                            nested(item, &format!("{rest}- "), &format!("{rest}  "), newline, out);
                        }
                    }
                    value => out.push_str(&format!(" {}{newline}", written(value))),
                }
            }
        }
        value => out.push_str(&format!("{lead}{}{newline}", written(value))),
    }
}
