//! The entries of a kubeconfig, as loosely read as kubectl reads them, and of them only those that one context
//! leads to as what they have to be. An entry of others may be broken: nobody is asked about it.
//!
//! Nothing that an entry holds is ever repeated in an error: kubeconfigs contain secrets.

use std::collections::BTreeMap;
use std::path::Path;

use kube::config::{AuthInfo, Cluster};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result, visible_line};
use crate::roster::nearest;

/// How many contexts are compared with the one that is not there.
const COMPARED: usize = 500;

/// How many contexts an error lists.
const LISTED: usize = 10;

/// The largest file that is read, in bytes: kubectl itself takes 3 MiB and no more.
pub(super) const LARGEST: u64 = 8 * 1024 * 1024;

/// What is in a kubeconfig, or in several.
#[derive(Default)]
pub(super) struct KubeconfigEntries {
    contexts: NamedEntries,
    clusters: NamedEntries,
    users: NamedEntries,
    current: Option<String>,
}

/// KubeconfigEntries by name; of several with one name in one file, the first, and whether there are more.
#[derive(Default)]
struct NamedEntries(BTreeMap<String, (Value, bool)>);

/// What a context leads to.
pub(super) struct Led {
    pub(super) cluster: Cluster,
    /// One without credentials where the context names nobody.
    pub(super) user: AuthInfo,
}

impl KubeconfigEntries {
    /// Reads one file. Relative paths in it are seen from its folder.
    ///
    /// # Errors
    /// It is no YAML, or no mapping; the place is named, and nothing that stands there.
    pub(super) fn parse(bytes: &[u8], folder: Option<&Path>) -> Result<Self, String> {
        let text = text(bytes)?;
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
            with_snippet: false,
        };
        let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options)
            // The parser's own message quotes the surrounding lines.
            .map_err(|error| match error.location() {
                Some(at) => {
                    format!("line {}, column {}: it is no YAML that can be read", at.line(), at.column())
                }
                None => "it is no YAML that can be read".to_owned(),
            })?;
        // As kubectl does, which reads no further than the first document.
        let root = match documents.into_iter().next() {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(root)) => root,
            Some(_) => return Err("it is no mapping".to_owned()),
        };
        let list = |name: &str, inner: &str, paths: &[&str]| {
            NamedEntries::read(root.get(name), inner, paths, folder)
        };
        Ok(Self {
            contexts: list("contexts", "context", &[]),
            clusters: list("clusters", "cluster", &["certificate-authority"]),
            users: list("users", "user", &["client-certificate", "client-key", "tokenFile"]),
            current: root.get("current-context").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// Adds those of the next file; what is there already stays.
    pub(super) fn merge(&mut self, next: Self) {
        let add = |ours: &mut NamedEntries, theirs: NamedEntries| {
            for (name, entry) in theirs.0 {
                ours.0.entry(name).or_insert(entry);
            }
        };
        add(&mut self.contexts, next.contexts);
        add(&mut self.clusters, next.clusters);
        add(&mut self.users, next.users);
        self.current = self.current.take().filter(|name| !name.is_empty()).or(next.current);
    }

    /// The context that kubectl uses where none is named.
    pub(super) fn current(&self) -> Option<&str> {
        self.current.as_deref().filter(|name| !name.is_empty())
    }

    /// The user that a context names, whoever that is.
    pub(super) fn user_of(&self, context: &str) -> Option<&str> {
        self.contexts.0.get(context)?.0.get("user")?.as_str()
    }

    /// What a context leads to.
    ///
    /// # Errors
    /// There is no such context, or an entry on the way is not there, there twice, or not what it should be.
    pub(super) fn lead(&self, context: &str) -> Result<Led> {
        let entry = self.contexts.one("context", context)?.ok_or_else(|| self.no_context(context))?;
        let name = |field: &str| match entry.get(field) {
            None => Ok(""),
            Some(Value::String(name)) => Ok(name.as_str()),
            Some(_) => Err(broken("context", context, &format!("`{field}` is no text"))),
        };
        let (cluster_name, user_name) = (name("cluster")?, name("user")?);
        let missing = |kind: &str, name: &str| {
            Error::new(format!(
                "context `{context}` names the {kind} `{name}`, which the kubeconfig does not have; nothing was changed"
            ))
            .hint("`kubectl config get-contexts` shows what each context names")
        };
        let cluster =
            self.clusters.one("cluster", cluster_name)?.ok_or_else(|| missing("cluster", cluster_name))?;
        let cluster = typed::<Cluster>("cluster", cluster_name, cluster)?;
        let user = match self.users.one("user", user_name)? {
            Some(user) => typed::<AuthInfo>("user", user_name, user)?,
            None if user_name.is_empty() => AuthInfo::default(),
            None => return Err(missing("user", user_name)),
        };
        Ok(Led { cluster, user })
    }

    fn no_context(&self, context: &str) -> Error {
        let names: Vec<&str> = self.contexts.0.keys().map(String::as_str).collect();
        let known = match names.len() {
            0 => "it has none".to_owned(),
            count if count > LISTED => {
                format!("it has {} and {} more", names[..LISTED].join(", "), count - LISTED)
            }
            _ => format!("it has {}", names.join(", ")),
        };
        let meant = nearest(context, names.iter().copied().take(COMPARED));
        let meant = meant.map(|name| format!("did you mean `{}`?", visible_line(name)));
        let error =
            Error::new(format!("no context `{context}` in the kubeconfig: {known}; nothing was changed"));
        meant.into_iter().fold(error, Error::hint).hint(
            "set `context:` of that cluster in the roster, or name another file with `--kubeconfig FILE`",
        )
    }
}

impl NamedEntries {
    fn read(list: Option<&Value>, inner: &str, paths: &[&str], folder: Option<&Path>) -> Self {
        let mut named = Self::default();
        for item in list.and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = item.get("name").and_then(Value::as_str) else { continue };
            let mut entry = item.get(inner).cloned().unwrap_or_default();
            if let Some(folder) = folder {
                paths.iter().for_each(|path| seen_from(folder, entry.get_mut(*path)));
                seen_from_where_it_is_a_path(
                    folder,
                    entry.get_mut("exec").and_then(|exec| exec.get_mut("command")),
                );
            }
            match named.0.get_mut(name) {
                Some((_, again)) => *again = true,
                None => drop(named.0.insert(name.to_owned(), (entry, false))),
            }
        }
        named
    }

    /// The one entry of that name, `None` where there is none.
    fn one(&self, kind: &str, name: &str) -> Result<Option<&Value>> {
        match self.0.get(name) {
            Some((_, true)) => Err(broken(kind, name, "it is there twice")),
            entry => Ok(entry.map(|(entry, _)| entry)),
        }
    }
}

/// UTF-8 or UTF-16, with a byte order mark or without one.
fn text(bytes: &[u8]) -> Result<String, String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| "it is no UTF-16".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => {
            String::from_utf8(rest.to_vec()).map_err(|_| "it is no UTF-8".to_owned())
        }
    }
}

fn seen_from(folder: &Path, value: Option<&mut Value>) {
    if let Some(Value::String(path)) = value
        && !path.is_empty()
        && let Some(absolute) = folder.join(&*path).to_str()
    {
        *path = absolute.to_owned();
    }
}

/// A bare name is looked for on PATH.
fn seen_from_where_it_is_a_path(folder: &Path, command: Option<&mut Value>) {
    if command.as_ref().and_then(|command| command.as_str()).is_some_and(|path| path.contains(['/', '\\'])) {
        seen_from(folder, command);
    }
}

/// An entry as what it has to be. Where it is not, the fields are tried one by one, to name the first.
fn typed<T: DeserializeOwned>(kind: &str, name: &str, entry: &Value) -> Result<T> {
    let entry = without_nulls(entry.clone());
    if entry.is_null() {
        return typed(kind, name, &Value::Object(Map::new()));
    }
    serde_json::from_value(entry.clone()).map_err(|_| {
        let alone = |field: &str, value: &Value| {
            Value::Object([(field.to_owned(), value.clone())].into_iter().collect())
        };
        let fields = entry.as_object().into_iter().flatten();
        let wrong = fields.map(|(field, value)| (field, alone(field, value)));
        let wrong = wrong.into_iter().find(|(_, alone)| serde_json::from_value::<T>(alone.clone()).is_err());
        let what = wrong.map_or("it is not what a kubeconfig holds there".to_owned(), |(field, _)| {
            format!("`{field}` is not what a kubeconfig holds there")
        });
        broken(kind, name, &what)
    })
}

/// kubectl takes a field without a value for one that is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        value => value,
    }
}

fn broken(kind: &str, name: &str, what: &str) -> Error {
    Error::new(format!("the kubeconfig's {kind} `{name}` cannot be used; nothing was changed"))
        .caused_by(what.to_owned())
        .hint("fix that entry, or name another kubeconfig with `--kubeconfig FILE`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
clusters: [{name: one, cluster: {server: 'https://one:6443', certificate-authority: ca.crt}}]
users: [{name: ann, user: {token: sup3rs3cret, tokenFile: null}}]
contexts: [{name: prod, context: {cluster: one, user: ann}}]
";

    fn entries(text: &str) -> KubeconfigEntries {
        KubeconfigEntries::parse(text.as_bytes(), Some(Path::new("/home/ann/.kube"))).expect("entries")
    }

    #[test]
    fn only_what_the_context_leads_to_has_to_be_right() {
        let others = "
- {name: broken, context: {user: ann}}
- {name: 7, context: {}}
- {context: {cluster: one}}
- 3
- {name: twice, context: {}}
- {name: twice, context: {}}
- {name: none}
";
        let text = GOOD
            .replace("contexts: [{", "contexts:\n- {")
            .replace("user: ann}}]", &format!("user: ann}}}}{others}"));
        let text = text.replace(
            "users: [",
            "users: [{name: old, user: {auth-provider: {name: gcp, config: null}}}, {name: odd, user: {exec: 3, exec: 4}}, ",
        );
        let led = entries(&text).lead("prod").unwrap_or_else(|error| panic!("{}", error.render(false)));
        assert_eq!(led.cluster.certificate_authority.as_deref(), Some("/home/ann/.kube/ca.crt"));
        for (context, why) in [
            ("broken", "names the cluster ``"),
            ("twice", "context `twice` cannot be used"),
            ("x", "no context `x`"),
        ] {
            let error = entries(&text).lead(context).err().expect(context);
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn a_context_that_is_not_there_is_told_with_the_nearest_and_with_those_that_are() {
        let text = |of: &str, context: &str| entries(of).lead(context).err().expect(context).render(false);
        let said = text(GOOD, "prodd");
        assert!(
            said.contains("no context `prodd` in the kubeconfig: it has prod; nothing was changed"),
            "{said}"
        );
        assert!(said.contains("Hint: did you mean `prod`?") && said.contains("set `context:`"), "{said}");
        let said = text(GOOD, "stage");
        assert!(said.contains("it has prod") && !said.contains("did you mean"), "{said}");
        // The name may be anybody's.
        let odd = GOOD.replace("name: prod", "name: \"prod\\e[2J\"");
        let said = text(&odd, "prod");
        assert!(said.contains("no context `prod`") && !said.contains('\u{1b}'), "{said:?}");
    }

    #[test]
    fn every_encoding_and_every_empty_file_is_read() {
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(GOOD.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let json =
            serde_json::to_string(&serde_saphyr::from_str::<Value>(GOOD).expect("YAML")).expect("JSON");
        for bytes in [
            GOOD.as_bytes().to_vec(),
            GOOD.replace('\n', "\r\n").into_bytes(),
            format!("\u{feff}{GOOD}").into_bytes(),
            format!("---{GOOD}---\ncontexts: 3\n").into_bytes(),
            json.into_bytes(),
            wide,
        ] {
            let read = KubeconfigEntries::parse(&bytes, None).expect("entries");
            assert!(read.lead("prod").is_ok(), "{}", String::from_utf8_lossy(&bytes));
        }
        for empty in ["", "---\n", "null", "{}", "# nothing\n", "contexts: null\n", "contexts: 3\n"] {
            let error = entries(empty).lead("prod").err().expect("no context");
            assert!(error.message().contains("no context `prod` in the kubeconfig: it has none"), "{error}");
        }
        for (wrong, why) in [("a: [", "line "), ("[]", "no mapping"), ("\u{1}", "line ")] {
            let error = KubeconfigEntries::parse(wrong.as_bytes(), None).err().expect(wrong);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_entry_that_is_wrong_is_named_and_not_quoted() {
        for (from, to, why) in [
            ("token: sup3rs3cret", "token: sup3rs3cret, exec: 3", "`exec` is not what"),
            ("token: sup3rs3cret", "token: [sup3rs3cret]", "`token` is not what"),
            ("user: ann}}", "user: [ann]}}", "`user` is no text"),
            ("name: ann, user: {", "name: ann, user: {token: x}}, {name: ann, user: {", "it is there twice"),
        ] {
            let text = entries(&GOOD.replace(from, to)).lead("prod").err().expect(to).render(false);
            assert!(text.contains(why) && !text.contains("sup3rs3cret"), "{text}");
        }
        let error = entries(&GOOD.replace("user: ann}", "user: bob}")).lead("prod").err().expect("nobody");
        assert!(error.message().contains("names the user `bob`"), "{error}");
    }

    #[test]
    fn the_first_file_that_has_a_name_wins() {
        let mut both = entries(GOOD);
        both.merge(entries(
            "users: [{name: ann, user: {exec: 3}}, {name: bob, user: {}}]\ncurrent-context: prod",
        ));
        assert!(both.lead("prod").is_ok());
        assert_eq!(both.current(), Some("prod"));
        // Entries of one context, each in a file of its own, in any order; and all of it again in the last.
        let lines: Vec<&str> = GOOD.trim().lines().collect();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut merged = entries("current-context: other");
            order.iter().for_each(|line| merged.merge(entries(lines[*line])));
            merged.merge(entries(
                &GOOD.replace("one:6443", "another:6443").replace("user: ann}", "user: bob}"),
            ));
            let led = merged.lead("prod").unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!(led.cluster.server.as_deref(), Some("https://one:6443"), "{order:?}");
            assert_eq!(merged.current(), Some("other"));
        }
    }

    /// As `aws eks update-kubeconfig`, `gcloud container clusters get-credentials`, `kubelogin convert-kubeconfig` and
    /// kubelogin's `oidc-login setup` write them, and by hand.
    #[test]
    fn the_users_that_providers_write_are_read() {
        let user = |text: &str| {
            let text = GOOD.replace("{token: sup3rs3cret, tokenFile: null}", text);
            entries(&text).lead("prod").unwrap_or_else(|error| panic!("{}", error.render(false))).user
        };
        for (form, command, arguments, environment) in [
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, \
                 args: [--region, eu-west-1, eks, get-token, --cluster-name, prod, --output, json], \
                 env: [{name: AWS_PROFILE, value: prod}]}}",
                "aws",
                8,
                1,
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: gke-gcloud-auth-plugin, \
                 installHint: Install it, provideClusterInfo: true}}",
                "gke-gcloud-auth-plugin",
                0,
                0,
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, env: null, \
                 args: [get-token, --login, azurecli, --server-id, '6dae42f8'], provideClusterInfo: false}}",
                "kubelogin",
                5,
                0,
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: kubectl, interactiveMode: IfAvailable, \
                 args: [oidc-login, get-token, '--oidc-issuer-url=https://id'], installHint: '', env: []}}",
                "kubectl",
                3,
                0,
            ),
        ] {
            let exec = user(form).exec.expect("a plugin");
            assert_eq!(exec.command.as_deref(), Some(command));
            assert_eq!(exec.args.unwrap_or_default().len(), arguments, "{command}");
            assert_eq!(exec.env.unwrap_or_default().len(), environment, "{command}");
            assert_eq!(exec.provide_cluster_info, command.starts_with("gke"), "{command}");
        }
        assert!(user("{token: sup3rs3cret}").token.is_some());
        let file = user("{tokenFile: token}").token_file;
        assert_eq!(file.as_deref(), Some("/home/ann/.kube/token"));
        assert_eq!(user("{username: admin, password: sup3rs3cret}").username.as_deref(), Some("admin"));
        assert_eq!(user("{as: ci, as-groups: [ops], token: x}").impersonate_groups, Some(vec!["ops".into()]));
    }

    #[test]
    fn a_plugin_is_looked_for_on_path_unless_its_place_is_named() {
        for (command, found) in
            [("aws", "aws"), ("./bin/plugin", "/home/ann/.kube/./bin/plugin"), ("/bin/x", "/bin/x")]
        {
            let text =
                GOOD.replace("token: sup3rs3cret", &format!("exec: {{command: {command}, env: null}}"));
            let exec = entries(&text).lead("prod").expect("a user").user.exec.expect("a plugin");
            assert_eq!(exec.command.as_deref(), Some(found));
        }
    }
}
