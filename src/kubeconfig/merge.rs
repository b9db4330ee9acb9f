//! Someone's own kubeconfig as text: entries of ours put in and taken out, everything else kept byte
//! for byte, comments and anchors too.
//!
//! An edit adds, replaces or removes whole lines (or whole items, between `[` and `]`), and then the
//! result is read again: it is taken only where it says exactly what the old text said plus our
//! entries. What was in the way of ours, such as `users: null`, stays as a comment until it is put
//! back. A layout that cannot be edited like this is refused.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle, options};

use crate::error::{Error, Result};

/// The largest kubeconfig that is edited, in bytes.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// The first line of a file that was not there before.
pub const MADE: &str = "# Made by `certctl login`; `certctl logout` takes it away.";
/// Behind a key that was not there before.
const ADDED: &str = "# added by certctl login";
/// Before the line that ours stands in for.
const WAS: &str = "# before certctl login: ";
/// The three lists, and the field of their items.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// A context of ours, with the cluster and the user that it leads to.
pub struct Entry {
    /// The name of the context.
    pub context: String,
    /// The name of the cluster entry and of the user entry.
    pub name: String,
    /// The cluster entry: `server` and such.
    pub cluster: Value,
    /// The user entry: `exec`, or certificate and key.
    pub user: Value,
}

/// A context that the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The cluster entry that it names.
    pub cluster: String,
    /// The user entry that it names.
    pub user: String,
}

/// A kubeconfig, and where everything stands in it. It may hold secrets, so it has no Debug.
pub struct Document<'t> {
    text: &'t str,
    root: Option<Node>,
}

impl<'t> Document<'t> {
    /// Reads a kubeconfig.
    ///
    /// # Errors
    /// It is no YAML, several documents, or no mapping. Nothing of it is repeated.
    pub fn parse(text: &'t str) -> Result<Self> {
        if text.len() > LARGEST {
            return Err(Error::new("it is larger than 8 MiB"));
        }
        let root = tree(text)?.filter(|root| !root.is_null());
        if let Some(root) = &root {
            let Kind::Mapping { pairs, .. } = &root.kind else {
                return Err(Error::new("it is no mapping"));
            };
            let mut names = BTreeSet::new();
            for (key, _) in pairs {
                match key.text() {
                    Some(name) if name != "<<" && names.insert(name) => {}
                    _ => {
                        return Err(Error::new(format!(
                            "line {}: a key that is repeated or merged",
                            key.lines.start
                        )));
                    }
                }
            }
        }
        Ok(Self { text, root })
    }

    /// Every context, in the file's order.
    pub fn contexts(&self) -> Vec<Context> {
        let items = self.items("contexts").unwrap_or_default();
        let read = |item: &Node| {
            let inner = item.get("context");
            let field =
                |name| inner.and_then(|inner| inner.get(name)).and_then(Node::text).unwrap_or_default();
            Some(Context {
                name: item.get("name")?.text()?.to_owned(),
                cluster: field("cluster").to_owned(),
                user: field("user").to_owned(),
            })
        };
        items.iter().filter_map(read).collect()
    }

    /// The names of the entries of a list: `clusters`, `contexts` or `users`.
    pub fn names(&self, list: &str) -> Vec<String> {
        let items = self.items(list).unwrap_or_default();
        items.iter().filter_map(Node::name).map(str::to_owned).collect()
    }

    /// A field of an entry's `cluster` or `user`, such as `server`, where it is text.
    pub fn field_of(&self, list: &str, name: &str, field: &str) -> Option<&str> {
        let (_, inner) = LISTS.iter().find(|(known, _)| *known == list)?;
        self.items(list)?.iter().find(|item| item.name() == Some(name))?.get(inner)?.get(field)?.text()
    }

    /// The current context; empty where none is set.
    pub fn current_context(&self) -> &str {
        let value = self.field("current-context").filter(|value| !value.is_null());
        value.and_then(Node::text).unwrap_or_default()
    }

    /// The text with these entries in it, each in the place of the one of that name. A context that
    /// leads to its entries already stays as it is.
    ///
    /// # Errors
    /// The layout cannot be edited safely.
    pub fn with(&self, entries: &[Entry], current: Option<&str>) -> Result<String> {
        let mut edit = Edit::of(self);
        if self.root.is_none() {
            edit.added("apiVersion", "v1");
            edit.added("kind", "Config");
        }
        let contexts = self.contexts();
        for (list, field) in LISTS {
            let mut items = Vec::new();
            for entry in entries {
                let (name, value) = match field {
                    "cluster" => (&entry.name, entry.cluster.clone()),
                    "user" => (&entry.name, entry.user.clone()),
                    _ => (&entry.context, serde_json::json!({"cluster": entry.name, "user": entry.name})),
                };
                let leads = |context: &Context| {
                    context.name == *name && context.cluster == entry.name && context.user == entry.name
                };
                if field == "context" && contexts.iter().any(leads) {
                    continue;
                }
                let mut item = serde_json::Map::new();
                item.insert("name".to_owned(), Value::from(name.as_str()));
                item.insert(field.to_owned(), value);
                items.push((name.as_str(), Value::Object(item)));
            }
            edit.put(list, &items)?;
            if let (Some(current), "contexts") = (current, list) {
                edit.put_current(current);
            }
        }
        edit.finish()
    }

    /// The text without the clusters and users of these names, the contexts that lead to them, and
    /// what was written for their sake.
    ///
    /// # Errors
    /// The layout cannot be edited safely.
    pub fn without(&self, ours: &dyn Fn(&str) -> bool) -> Result<String> {
        let mut edit = Edit::of(self);
        let contexts = self.contexts();
        let gone: Vec<&str> = contexts
            .iter()
            .filter(|context| ours(&context.cluster) && ours(&context.user))
            .map(|context| context.name.as_str())
            .collect();
        for (list, field) in LISTS {
            edit.take(list, &|name| if field == "context" { gone.contains(&name) } else { ours(name) })?;
        }
        edit.take_current(&gone)?;
        edit.take_head();
        edit.finish()
    }

    fn field(&self, name: &str) -> Option<&Node> {
        self.root.as_ref()?.get(name)
    }

    fn items(&self, list: &str) -> Option<&[Node]> {
        match &self.field(list)?.kind {
            Kind::List { items, .. } => Some(items),
            _ => None,
        }
    }

    fn key(&self, name: &str) -> Option<&Node> {
        match &self.root.as_ref()?.kind {
            Kind::Mapping { pairs, .. } => {
                pairs.iter().find(|(key, _)| key.text() == Some(name)).map(|(key, _)| key)
            }
            _ => None,
        }
    }

    /// Where the line begins that holds this offset.
    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Behind the line feed of the line that holds this offset.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// The line that holds this offset, without its line feed.
    fn line(&self, at: usize) -> (Range<usize>, &'t str) {
        let start = self.line_start(at);
        let line = self.text[start..self.line_end(at)].trim_end_matches(['\r', '\n']);
        (start..start + line.len(), line)
    }

    /// The line before that of the key, where it remembers what stood there.
    fn remembered(&self, key: &Node) -> Option<(Range<usize>, &'t str)> {
        let (range, line) = self.line(self.line_start(key.bytes.start).checked_sub(1)?);
        Some((range, line.strip_prefix(WAS)?))
    }
}

/// Changes to the text, and what the result has to say.
struct Edit<'d, 't> {
    document: &'d Document<'t>,
    newline: &'static str,
    flow: bool,
    changes: Vec<(Range<usize>, String)>,
    wanted: Vec<(Node, Node)>,
    /// How many keys were put before the others.
    ahead: usize,
}

impl<'d, 't> Edit<'d, 't> {
    fn of(document: &'d Document<'t>) -> Self {
        let (flow, wanted) = match document.root.as_ref().map(|root| &root.kind) {
            Some(Kind::Mapping { flow, pairs }) => (*flow, pairs.clone()),
            _ => (false, Vec::new()),
        };
        let crlf = document.text.find('\n').is_some_and(|at| document.text[..at].ends_with('\r'));
        let newline = if crlf { "\r\n" } else { "\n" };
        Self { document, newline, flow, changes: Vec::new(), wanted, ahead: 0 }
    }

    /// A new line before the first key.
    fn added(&mut self, key: &str, value: &str) {
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

    fn want(&mut self, key: &str, value: Node) {
        match self.wanted.iter_mut().find(|(name, _)| name.text() == Some(key)) {
            Some((_, old)) => *old = value,
            None => self.wanted.push((Node::plain(key), value)),
        }
    }

    fn refuse(&self, key: &str) -> Error {
        let place = self.document.key(key).map_or(String::new(), |key| format!("line {}: ", key.lines.start));
        Error::new(format!("{place}`{key}` is laid out in a way that cannot be edited safely"))
    }

    fn put(&mut self, list: &str, items: &[(&str, Value)]) -> Result<()> {
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
                Some(Kind::List { items, flow }) => (Some(items), *flow),
                Some(Kind::Scalar(_)) if document.field(list).is_some_and(Node::is_null) && !self.flow => {
                    (None, false)
                }
                Some(_) => return Err(self.refuse(list)),
            };
        let mut wanted = old.cloned().unwrap_or_default();
        // Block items stand where those that are there do.
        let first = old.and_then(|items| items.first()).filter(|_| !flow);
        let indent = match first {
            Some(first) => self.dash(list, first)?,
            None => String::new(),
        };
        let text = |item: &Value| {
            if flow { Ok(item.to_string()) } else { Ok::<_, Error>(block(item, &indent, self.newline)) }
        };
        let mut fresh = Vec::new();
        for (name, item) in items {
            let new = text(item)?;
            let node = if flow {
                tree(&new)?
            } else {
                tree(&new)?.and_then(|list| match list.kind {
                    Kind::List { items, .. } => items.into_iter().next(),
                    _ => None,
                })
            };
            let node = node.ok_or_else(|| self.refuse(list))?;
            match wanted.iter_mut().find(|item| item.name() == Some(name)) {
                Some(old) if old.kind.same(&node.kind) => {}
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
            kind: Kind::List { items: wanted, flow },
            ..document.field(list).cloned().unwrap_or_default()
        };
        self.want(list, list_node);
        Ok(())
    }

    /// Puts lines in the place of a line, which stays as a comment.
    fn stand_in(&mut self, key: &Node, lines: &str) {
        let (range, line) = self.document.line(key.bytes.start);
        let lines = lines.trim_end_matches(['\r', '\n']);
        self.changes.push((range, format!("{WAS}{line}{}{lines}", self.newline)));
    }

    fn put_current(&mut self, context: &str) {
        let quoted = Value::from(context).to_string();
        match (self.document.key("current-context"), self.document.field("current-context")) {
            (None, _) if self.flow => return,
            (None, _) => return self.added("current-context", &quoted),
            (Some(_), Some(value)) if self.flow => self.changes.push((value.bytes.clone(), quoted)),
            (Some(key), _) => self.stand_in(key, &format!("current-context: {quoted}")),
        }
        self.want("current-context", Node::plain(context));
    }

    fn take(&mut self, list: &str, ours: &dyn Fn(&str) -> bool) -> Result<()> {
        let document = self.document;
        let Some(Kind::List { items, flow }) = document.field(list).map(|value| &value.kind) else {
            return Ok(());
        };
        let goes = |item: &Node| item.name().is_some_and(ours);
        if !items.iter().any(goes) {
            return Ok(());
        }
        let kept: Vec<Node> = items.iter().filter(|item| !goes(item)).cloned().collect();
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
        self.want(list, Node { kind: Kind::List { items: kept, flow: *flow }, ..value });
        Ok(())
    }

    /// Takes our line away and uncovers the one that it stood in for.
    fn put_back(&mut self, key: &Node, line: &Range<usize>) -> Option<Result<Node>> {
        let (range, old) = self.document.remembered(key)?;
        self.changes.push((range.start..range.start + WAS.len(), String::new()));
        self.changes.push((line.clone(), String::new()));
        let value = tree(old).map(|root| {
            let value = root.and_then(|root| match root.kind {
                Kind::Mapping { pairs, .. } => pairs.into_iter().next().map(|(_, value)| value),
                _ => None,
            });
            value.unwrap_or_default()
        });
        Some(value)
    }

    fn take_current(&mut self, gone: &[&str]) -> Result<()> {
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
        } else {
            self.changes.push((value.bytes.clone(), "\"\"".to_owned()));
            self.want("current-context", Node::plain(""));
        }
        Ok(())
    }

    /// Takes `apiVersion` and `kind` away where they are ours and nothing else is left.
    fn take_head(&mut self) {
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
        }
    }

    /// The white space before the dash of a block item, which must stand on the line of its first field.
    fn dash(&self, list: &str, item: &Node) -> Result<String> {
        let (_, line) = self.document.line(item.bytes.start);
        let rest = line.trim_start_matches(' ');
        let own_line = self.document.key(list).is_none_or(|key| key.lines.start < item.lines.start);
        if !rest.starts_with("- ") || !own_line {
            return Err(self.refuse(list));
        }
        Ok(" ".repeat(line.len() - rest.len()))
    }

    /// The whole lines of a block item.
    fn lines(&self, list: &str, item: &Node) -> Result<Range<usize>> {
        self.dash(list, item)?;
        let end = item.bytes.end.max(item.bytes.start + 1);
        Ok(self.document.line_start(item.bytes.start)..self.document.line_end(end - 1))
    }

    /// Makes the changes, and reads the result again.
    fn finish(mut self) -> Result<String> {
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
        let read = tree(&out).map_err(|_| unsafely())?.filter(|root| !root.is_null());
        let same = match (&read, &self.document.root) {
            (None, _) => self.wanted.is_empty(),
            (Some(read), old) => {
                let wanted = Node {
                    kind: Kind::Mapping { pairs: self.wanted, flow: false },
                    ..old.clone().unwrap_or_default()
                };
                read.same(&wanted)
            }
        };
        if same { Ok(out) } else { Err(unsafely()) }
    }
}

impl Document<'_> {
    /// The line of the first key of the file.
    fn wanted_start(&self) -> Option<usize> {
        match &self.root.as_ref()?.kind {
            Kind::Mapping { pairs, .. } => pairs.first().map(|(key, _)| self.line_start(key.bytes.start)),
            _ => None,
        }
    }
}

/// A value as the item of a block list, each line ended.
fn block(item: &Value, indent: &str, newline: &str) -> String {
    let mut out = String::new();
    nested(item, &format!("{indent}- "), &format!("{indent}  "), newline, &mut out);
    out
}

fn nested(value: &Value, first: &str, rest: &str, newline: &str, out: &mut String) {
    let mut lead = first;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                out.push_str(&format!("{lead}{name}:"));
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
                    value => out.push_str(&format!(" {value}{newline}")),
                }
            }
        }
        value => out.push_str(&format!("{lead}{value}{newline}")),
    }
}

/// One value of the file.
#[derive(Clone)]
struct Node {
    kind: Kind,
    anchor: usize,
    tag: Option<String>,
    bytes: Range<usize>,
    lines: Range<usize>,
}

#[derive(Clone)]
enum Kind {
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
    fn plain(text: &str) -> Self {
        Self { kind: Kind::Scalar(text.to_owned()), anchor: 0, tag: None, bytes: 0..0, lines: 0..0 }
    }

    fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) | Kind::Quoted(text) => Some(text),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn get(&self, name: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Mapping { pairs, .. } => {
                pairs.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn name(&self) -> Option<&str> {
        self.get("name")?.text()
    }

    fn same(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.tag == other.tag && self.kind.same(&other.kind)
    }
}

impl Kind {
    /// Whether two values say the same, wherever they stand.
    fn same(&self, other: &Self) -> bool {
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

fn parser_options() -> Options {
    options! { emit_comments: false, flow_nesting_limit: 64, block_nesting_limit: 64 }
}

/// The one document of a text; `None` where it is empty.
fn tree(text: &str) -> Result<Option<Node>> {
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
            Event::Alias(id) => node(Kind::Alias(id), 0, None, &span)?,
            Event::Scalar(value, style, anchor, tag) => {
                let value = value.into_owned();
                let kind =
                    if style == ScalarStyle::Plain { Kind::Scalar(value) } else { Kind::Quoted(value) };
                node(kind, anchor, tag.map(|tag| format!("{tag:?}")), &span)?
            }
            Event::SequenceStart(style, anchor, tag) => {
                let start = node(Kind::Alias(0), anchor, tag.map(|tag| format!("{tag:?}")), &span)?;
                open.push(Open::List(start, Vec::new(), style == StructureStyle::Flow));
                continue;
            }
            Event::MappingStart(style, anchor, tag) => {
                let start = node(Kind::Alias(0), anchor, tag.map(|tag| format!("{tag:?}")), &span)?;
                open.push(Open::Mapping(start, Vec::new(), None, style == StructureStyle::Flow));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let end = span.end.byte_offset().ok_or_else(|| unreadable(span.end.line()))?;
                let (mut start, kind, last, flow) = match open.pop() {
                    Some(Open::List(start, items, flow)) => {
                        let last = items.last().map(|item| item.bytes.end);
                        (start, Kind::List { items, flow }, last, flow)
                    }
                    Some(Open::Mapping(start, pairs, _, flow)) => {
                        let last = pairs.last().map(|(key, value)| key.bytes.end.max(value.bytes.end));
                        (start, Kind::Mapping { pairs, flow }, last, flow)
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
                    if matches!(&done.kind, Kind::Scalar(text) if text.is_empty()) {
                        done.bytes = name.bytes.end..name.bytes.end;
                    }
                    pairs.push((name, done));
                }
            },
        }
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(context: &str, server: &str) -> Entry {
        Entry {
            context: context.to_owned(),
            name: format!("certctl:acme:{context}"),
            cluster: serde_json::json!({"server": server}),
            user: serde_json::json!({"exec": {"apiVersion": "v1", "args": ["credential", "a b"], "command": "/c"}}),
        }
    }

    fn ours(name: &str) -> bool {
        name.starts_with("certctl:acme:")
    }

    #[track_caller]
    fn there_and_back(text: &str) -> String {
        let document = Document::parse(text).expect("a kubeconfig");
        let current = document.current_context().is_empty().then_some("prod");
        let with = document.with(&[entry("prod", "https://p"), entry("dev", "https://d")], current);
        let with = with.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let merged = Document::parse(&with).expect("a kubeconfig");
        assert!(merged.names("users").iter().any(|name| name == "certctl:acme:dev"), "{with}");
        assert_eq!(merged.contexts().iter().filter(|context| ours(&context.user)).count(), 2, "{with}");
        // Again changes nothing; another server changes its line only.
        let again = merged.with(&[entry("prod", "https://p"), entry("dev", "https://d")], None);
        assert_eq!(again.expect("edited"), with);
        let moved = merged.with(&[entry("prod", "https://q")], None).expect("edited");
        assert_eq!(moved, with.replace("https://p", "https://q"));
        let without = Document::parse(&moved).expect("a kubeconfig").without(&ours).expect("edited");
        assert_eq!(without, text, "after login it was:\n{with}");
        with
    }

    #[test]
    fn login_and_logout_leave_every_layout_as_it_was() {
        let full = "# mine\napiVersion: v1\nclusters:\n# at home\n- cluster: &c {server: https://a}\n  name: a\n- name: b\n  cluster: *c\n\ncontexts:\n  - name: a\n    context: {cluster: a, user: a} # x\n\ncurrent-context: a\nkind: Config\nusers:\n- name: a\n  user:\n    token: |\n      x\n\n\n# end";
        for text in [
            full.to_owned(),
            full.replace('\n', "\r\n"),
            format!("{full}\n"),
            format!("---\n{full}\n...\n"),
            String::new(),
            "# nothing\n".to_owned(),
            "# nothing".to_owned(),
            "apiVersion: v1\nkind: Config".to_owned(),
            "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\npreferences: {}\nusers: null\n".to_owned(),
            "apiVersion: v1\r\nclusters: # none\r\ncontexts: []\r\nusers: ~".to_owned(),
            "clusters: [ ]\ncontexts: [{name: a, context: {}}]\nusers: [{name: a, user: {}}, ]\ncurrent-context:".to_owned(),
            "{\"apiVersion\": \"v1\", \"clusters\": [], \"contexts\": [{\"name\": \"x\"}],\n \"users\": [], \"current-context\": \"\"}".to_owned(),
        ] {
            there_and_back(&text);
        }
    }

    #[test]
    fn what_is_written_reads_like_kubectls_own() {
        let with = there_and_back("contexts:\n- {name: a}\nusers: null\n");
        assert_eq!(
            with,
            "clusters: # added by certctl login\n- cluster:\n    server: \"https://p\"\n  name: \"certctl:acme:prod\"\n\
             - cluster:\n    server: \"https://d\"\n  name: \"certctl:acme:dev\"\n\
             current-context: \"prod\" # added by certctl login\n\
             contexts:\n- context:\n    cluster: \"certctl:acme:prod\"\n    user: \"certctl:acme:prod\"\n  name: \"prod\"\n\
             - context:\n    cluster: \"certctl:acme:dev\"\n    user: \"certctl:acme:dev\"\n  name: \"dev\"\n- {name: a}\n\
             # before certctl login: users: null\nusers:\n\
             - name: \"certctl:acme:prod\"\n  user:\n    exec:\n      apiVersion: \"v1\"\n      args:\n      - \"credential\"\n      - \"a b\"\n      command: \"/c\"\n\
             - name: \"certctl:acme:dev\"\n  user:\n    exec:\n      apiVersion: \"v1\"\n      args:\n      - \"credential\"\n      - \"a b\"\n      command: \"/c\"\n"
        );
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        for text in [
            "clusters: &c\n- {name: a}\nx: *c\n",
            "{\"apiVersion\": \"v1\"}",
            "clusters: 3\n",
            "x: &a []\nclusters: *a\n",
            "clusters:\n-\n  name: a\n",
            "--- {}\n",
            "\u{feff}kind: Config\n",
        ] {
            let refused =
                Document::parse(text).and_then(|document| document.with(&[entry("prod", "https://p")], None));
            assert!(refused.is_err(), "{text}\n{}", refused.unwrap_or_default());
        }
        for text in ["a: 1\na: 2\n", "x: &x {}\n<<: *x\n", "a\n---\nb\n", "[]", "a: [", "a: *b\n"] {
            assert!(Document::parse(text).is_err(), "{text}");
        }
    }
}
