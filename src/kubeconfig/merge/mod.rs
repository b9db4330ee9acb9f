//! Someone's own kubeconfig as text: entries of ours put in and taken out, everything else kept byte
//! for byte, comments and anchors too.
//!
//! An edit adds, replaces or removes whole lines (or whole items, between `[` and `]`), and then the
//! result is read again: it is taken only where it says exactly what the old text said plus our
//! entries. What was in the way of ours, such as `users: null`, stays as a comment until it is put
//! back. A layout that cannot be edited like this is refused.

mod edit;
mod theirs;
mod tree;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::error::{Error, Result};
use edit::Edit;
use serde_json::Value;
use tree::{Node, NodeKind, tree};

/// The largest kubeconfig that is edited, in bytes.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// The first line of a file that was not there before.
pub const MADE: &str = "# Made by `certctl login`; `certctl logout` takes it away.";
/// Behind a key that was not there before.
const ADDED: &str = "# added by certctl login";
/// Before the line that ours stands in for.
const WAS: &str = "# before certctl login: ";
/// Behind the name of a context while one of ours has that name.
const ASIDE: &str = "-before-certctl-login";
/// A byte order mark.
const MARK: &str = "\u{feff}";
/// The three lists, and the field of their items.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// A context of ours, with the cluster and the user that it leads to.
pub struct LoginEntry {
    /// The name of the context.
    pub context: String,
    /// The name of the cluster entry and of the user entry.
    pub name: String,
    /// The context's default namespace, where it is new.
    pub namespace: Option<String>,
    /// What the context that is there becomes, where it changes.
    pub changed_context: Option<Value>,
    /// The cluster entry: `server` and such.
    pub cluster: Value,
    /// The user entry: `exec`, or certificate and key.
    pub user: Value,
}

/// A context that the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContext {
    /// Its name.
    pub name: String,
    /// The cluster entry that it names.
    pub cluster: String,
    /// The user entry that it names.
    pub user: String,
}

/// A kubeconfig, and where everything stands in it. It may hold secrets, so it has no Debug.
pub struct KubeconfigText<'t> {
    /// A byte order mark, which editors on Windows write and kubectl skips.
    mark: &'static str,
    text: &'t str,
    root: Option<Node>,
}

impl<'t> KubeconfigText<'t> {
    /// Reads a kubeconfig.
    ///
    /// # Errors
    /// It is no YAML, several documents, or no mapping. Nothing of it is repeated.
    pub fn parse(text: &'t str) -> Result<Self> {
        if text.len() > LARGEST {
            return Err(Error::new("it is larger than 8 MiB"));
        }
        let (mark, text) = text.strip_prefix(MARK).map_or(("", text), |rest| (MARK, rest));
        let root = tree(text)?.filter(|root| !root.says_nothing());
        if let Some(root) = &root {
            let NodeKind::Mapping { pairs, .. } = &root.kind else {
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
        Ok(Self { mark, text, root })
    }

    /// Every context, in the file's order.
    pub fn contexts(&self) -> Vec<NamedContext> {
        let items = self.items("contexts").unwrap_or_default();
        let read = |item: &Node| {
            let inner = item.get("context");
            let field =
                |name| inner.and_then(|inner| inner.get(name)).and_then(Node::text).unwrap_or_default();
            Some(NamedContext {
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
        self.inner(list, name)?.get(field)?.text()
    }

    /// The arguments of an entry's credential plugin, where it has one.
    pub fn plugin_arguments(&self, name: &str) -> Vec<&str> {
        let user = self.items("users").and_then(|users| users.iter().find(|user| user.name() == Some(name)));
        let args = user.and_then(|user| user.get("user")?.get("exec")?.get("args"));
        match args.map(|args| &args.kind) {
            Some(NodeKind::List { items, .. }) => items.iter().filter_map(Node::text).collect(),
            _ => Vec::new(),
        }
    }

    /// The current context; empty where none is set.
    pub fn current_context(&self) -> &str {
        let value = self.field("current-context").filter(|value| !value.is_null());
        value.and_then(Node::text).unwrap_or_default()
    }

    /// The text with these entries in it, each in the place of the one of that name. A context that
    /// leads to its entries already stays as it is, and one of others that has the name of ours gets another
    /// until [`Self::without`].
    ///
    /// # Errors
    /// The layout cannot be edited safely, or that other name is taken too.
    pub fn with(&self, entries: &[LoginEntry], current: Option<&str>) -> Result<String> {
        let mut edit = Edit::of(self);
        if self.root.is_none() {
            edit.added("apiVersion", "v1");
            edit.added("kind", "Config");
        }
        let contexts = self.contexts();
        let taken_over = |entry: &&LoginEntry| {
            let has_name = |context: &&NamedContext| context.name == entry.context;
            contexts.iter().filter(has_name).any(|context| !leads_to(context, entry))
        };
        for entry in entries.iter().filter(taken_over) {
            let aside = format!("{}{ASIDE}", entry.context);
            if contexts.iter().any(|context| context.name == aside) {
                return Err(Error::new(format!(
                    "there are both a context `{}` and `{aside}`",
                    entry.context
                )));
            }
            edit.put_aside(&entry.context)?;
        }
        for (list, field) in LISTS {
            let mut items = Vec::new();
            for entry in entries {
                let (name, value) = match field {
                    "cluster" => (&entry.name, entry.cluster.clone()),
                    "user" => (&entry.name, entry.user.clone()),
                    _ => (&entry.context, entry.changed_context.clone().unwrap_or_else(|| context(entry))),
                };
                let stays = entry.changed_context.is_none();
                if field == "context" && stays && contexts.iter().any(|context| leads_to(context, entry)) {
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
        if self.root.is_none() {
            edit.comment_out();
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
        let back: Vec<&str> = contexts
            .iter()
            .filter_map(|context| context.name.strip_suffix(ASIDE))
            .filter(|name| gone.contains(name))
            .collect();
        for name in &back {
            edit.put_in_place(name)?;
        }
        for (list, field) in LISTS {
            edit.take(list, &|name| if field == "context" { gone.contains(&name) } else { ours(name) })?;
        }
        edit.take_current(&gone, &back)?;
        edit.take_head();
        edit.finish()
    }

    /// What an entry holds beside its name: the mapping `cluster`, `context` or `user`.
    fn inner(&self, list: &str, name: &str) -> Option<&Node> {
        let (_, inner) = LISTS.iter().find(|(known, _)| *known == list)?;
        self.items(list)?.iter().find(|item| item.name() == Some(name))?.get(inner)
    }

    fn field(&self, name: &str) -> Option<&Node> {
        self.root.as_ref()?.get(name)
    }

    fn items(&self, list: &str) -> Option<&[Node]> {
        match &self.field(list)?.kind {
            NodeKind::List { items, .. } => Some(items),
            _ => None,
        }
    }

    fn key(&self, name: &str) -> Option<&Node> {
        match &self.root.as_ref()?.kind {
            NodeKind::Mapping { pairs, .. } => {
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

fn leads_to(context: &NamedContext, entry: &LoginEntry) -> bool {
    context.name == entry.context && context.cluster == entry.name && context.user == entry.name
}

fn context(entry: &LoginEntry) -> Value {
    let mut context = serde_json::json!({"cluster": entry.name, "user": entry.name});
    if let Some(namespace) = &entry.namespace {
        context["namespace"] = Value::from(namespace.as_str());
    }
    context
}

impl KubeconfigText<'_> {
    /// The line of the first key of the file.
    fn wanted_start(&self) -> Option<usize> {
        match &self.root.as_ref()?.kind {
            NodeKind::Mapping { pairs, .. } => pairs.first().map(|(key, _)| self.line_start(key.bytes.start)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(context: &str, server: &str) -> LoginEntry {
        LoginEntry {
            context: context.to_owned(),
            name: format!("certctl:acme:{context}"),
            namespace: None,
            changed_context: None,
            cluster: serde_json::json!({"server": server}),
            user: serde_json::json!({"exec": {"apiVersion": "v1", "args": ["credential", "a b"], "command": "/c"}}),
        }
    }

    fn ours(name: &str) -> bool {
        name.starts_with("certctl:acme:")
    }

    #[track_caller]
    fn there_and_back(text: &str) -> String {
        let document = KubeconfigText::parse(text).expect("a kubeconfig");
        let current = document.current_context().is_empty().then_some("prod");
        let with = document.with(&[entry("prod", "https://p"), entry("dev", "https://d")], current);
        let with = with.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let merged = KubeconfigText::parse(&with).expect("a kubeconfig");
        assert!(merged.names("users").iter().any(|name| name == "certctl:acme:dev"), "{with}");
        assert_eq!(merged.contexts().iter().filter(|context| ours(&context.user)).count(), 2, "{with}");
        // Again changes nothing; another server changes its line only.
        let again = merged.with(&[entry("prod", "https://p"), entry("dev", "https://d")], None);
        assert_eq!(again.expect("edited"), with);
        let moved = merged.with(&[entry("prod", "https://q")], None).expect("edited");
        assert_eq!(moved, with.replace("https://p", "https://q"));
        let without = KubeconfigText::parse(&moved).expect("a kubeconfig").without(&ours).expect("edited");
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
            format!("\u{feff}{full}"),
            "\u{feff}kind: Config\r\n".to_owned(),
            String::new(),
            "{}".to_owned(),
            "{}\n".to_owned(),
            "--- {}\n".to_owned(),
            "---\n".to_owned(),
            "---\r\n# none\r\nnull\r\n...\r\n".to_owned(),
            "null\n".to_owned(),
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
    fn a_context_that_is_taken_over_comes_back_byte_for_byte() {
        for text in [
            "contexts:\n- name: prod # mine\n  context: {cluster: a, user: a}\n- {name: b}\ncurrent-context: prod\nusers: []\nclusters: []\n",
            "contexts:\r\n- context:\r\n    cluster: a\r\n  name: \"prod\"\r\nusers: []\r\nclusters: []\r\n",
            "{\"contexts\": [{\"name\": \"prod\", \"context\": {}}], \"users\": [], \"clusters\": []}",
        ] {
            let with =
                KubeconfigText::parse(text).and_then(|text| text.with(&[entry("prod", "https://p")], None));
            let with = with.unwrap_or_else(|error| panic!("{error}\n{text}"));
            let merged = KubeconfigText::parse(&with).expect("a kubeconfig");
            let names = merged.names("contexts");
            assert!(
                names.contains(&"prod".into()) && names.contains(&"prod-before-certctl-login".into()),
                "{with}"
            );
            assert_eq!(merged.with(&[entry("prod", "https://p")], None).expect("edited"), with, "again");
            assert_eq!(merged.without(&ours).expect("edited"), text);
        }
        let both = "contexts: [{name: prod}, {name: prod-before-certctl-login}]\nusers: []\nclusters: []\n";
        let refused =
            KubeconfigText::parse(both).and_then(|text| text.with(&[entry("prod", "https://p")], None));
        assert!(refused.is_err());
    }

    #[test]
    fn a_new_context_begins_in_the_rosters_namespace_and_an_old_one_stays_where_it_is() {
        let shop = LoginEntry { namespace: Some("shop".to_owned()), ..entry("prod", "https://p") };
        let with = KubeconfigText::parse("").and_then(|text| text.with(&[shop], None)).expect("edited");
        assert!(with.contains("    namespace: \"shop\"\n"), "{with}");
        let theirs = with.replace("shop", "mine");
        let other = LoginEntry { namespace: Some("other".to_owned()), ..entry("prod", "https://p") };
        let again = KubeconfigText::parse(&theirs).and_then(|text| text.with(&[other], None));
        assert_eq!(again.expect("edited"), theirs);
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        for text in [
            "clusters: &c\n- {name: a}\nx: *c\n",
            "{\"apiVersion\": \"v1\"}",
            "clusters: 3\n",
            "x: &a []\nclusters: *a\n",
            "clusters:\n-\n  name: a\n",
        ] {
            let refused = KubeconfigText::parse(text)
                .and_then(|document| document.with(&[entry("prod", "https://p")], None));
            assert!(refused.is_err(), "{text}\n{}", refused.unwrap_or_default());
        }
        for text in ["a: 1\na: 2\n", "x: &x {}\n<<: *x\n", "a\n---\nb\n", "[]", "a: [", "a: *b\n"] {
            assert!(KubeconfigText::parse(text).is_err(), "{text}");
        }
    }
}
