//! What people add to the entries of ours, such as a proxy or an `env` of the plugin: it stays when they log in again.
//!
//! Only what says which cluster it is, how that is verified, and who one is there, is ours alone. Whatever else is in an
//! entry is theirs, also what Kubernetes adds in a later version. What the roster says of the way to a cluster is noted in
//! the entry, so that it does not pass for theirs when the roster no longer says it.

use serde_json::{Map, Value, json};

use super::{KubeconfigText, LoginEntry, leads_to};
use crate::error::{Error, Result, visible_line};

type Fields = Map<String, Value>;

/// Of a cluster: which one it is, and how that is verified.
const CLUSTER: [&str; 4] =
    ["certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify", "server"];

/// Of a user: every kind of credential.
const USER: [&str; 10] = [
    "auth-provider",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "exec",
    "password",
    "token",
    "tokenFile",
    "username",
];

/// Of the credential plugin: which program it is, and what that is told.
const PLUGIN: [&str; 4] = ["apiVersion", "args", "command", "provideClusterInfo"];

/// The way to a cluster, which the roster may say too.
const WAY: [&str; 2] = ["proxy-url", "tls-server-name"];

/// What makes requests those of somebody else.
const SOMEBODY_ELSE: [&str; 4] = ["as", "as-groups", "as-uid", "as-user-extra"];

/// The extension of the cluster entry in which login notes the way that the roster said.
const NOTE: &str = "certctl.dev/login";

impl LoginEntry {
    /// Takes over what is theirs in the entries that are there. Names what of it matters for where requests go, as whom,
    /// and what the plugin is told. With `force` that is left out, and the context begins where the roster says.
    ///
    /// # Errors
    /// An entry of ours cannot be copied: a copy would not say the same.
    pub fn keep_theirs(&mut self, document: &KubeconfigText<'_>, force: bool) -> Result<Vec<String>> {
        let mut told = Vec::new();
        if let Value::Object(ours) = &mut self.cluster {
            let theirs = entry(document, "clusters", &self.name)?.unwrap_or_default();
            told.extend(of_cluster(theirs, ours, force));
        }
        if let Value::Object(ours) = &mut self.user {
            let theirs = entry(document, "users", &self.name)?.unwrap_or_default();
            told.extend(of_user(theirs, ours, force));
        }
        if force {
            self.begin_as_the_roster_says(document)?;
        }
        Ok(told)
    }

    fn begin_as_the_roster_says(&mut self, document: &KubeconfigText<'_>) -> Result<()> {
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let contexts = document.contexts();
        if !contexts.iter().filter(|there| there.name == self.context).all(|there| leads_to(there, self)) {
            return Ok(());
        }
        if let Some(mut context) = entry(document, "contexts", &self.context)? {
            context.insert("namespace".to_owned(), Value::from(namespace.as_str()));
            self.changed_context = Some(Value::Object(context));
        }
        Ok(())
    }
}

fn of_cluster(mut theirs: Fields, ours: &mut Fields, force: bool) -> Vec<String> {
    let rosters: Fields = ours
        .iter()
        .filter(|(field, _)| WAY.contains(&field.as_str()))
        .map(|(f, v)| (f.clone(), v.clone()))
        .collect();
    let extensions = theirs.remove("extensions");
    let noted = |field: &str| note(extensions.as_ref()?)?.get("extension")?.get(field);
    let mut told = Vec::new();
    for field in WAY {
        let Some(value) = theirs.remove(field) else { continue };
        let said = rosters.get(field);
        if said == Some(&value) || noted(field) == Some(&value) {
            continue;
        }
        told.push(match said.and_then(Value::as_str) {
            Some(said) => format!("`{field}` (the roster says `{}`)", visible_line(said)),
            None => format!("`{field}`"),
        });
        if !force {
            ours.insert(field.to_owned(), value);
        }
    }
    ours.extend(but(theirs, &CLUSTER));
    if let Some(extensions) = with_note(extensions, rosters) {
        ours.insert("extensions".to_owned(), extensions);
    }
    told
}

fn of_user(mut theirs: Fields, ours: &mut Fields, force: bool) -> Vec<String> {
    let plugin = match (theirs.remove("exec"), ours.get_mut("exec")) {
        (Some(Value::Object(theirs)), Some(Value::Object(ours))) => {
            keep(but(theirs, &PLUGIN), ours, &["env"], force)
        }
        _ => Vec::new(),
    };
    let mut told = keep(but(theirs, &USER), ours, &SOMEBODY_ELSE, force);
    told.extend(plugin);
    told
}

/// Keeps the fields, and names those that matter, which `force` leaves out.
fn keep(
    theirs: impl Iterator<Item = (String, Value)>,
    ours: &mut Fields,
    matter: &[&str],
    force: bool,
) -> Vec<String> {
    let mut told = Vec::new();
    for (field, value) in theirs {
        let matters = matter.contains(&field.as_str()) && !value.is_null();
        if matters {
            told.push(format!("`{field}`"));
        }
        if !(matters && force) {
            ours.insert(field, value);
        }
    }
    told
}

fn is_note(extension: &Value) -> bool {
    extension.get("name").and_then(Value::as_str) == Some(NOTE)
}

fn note(extensions: &Value) -> Option<&Value> {
    extensions.as_array()?.iter().find(|extension| is_note(extension))
}

/// The extensions, in which the way that the roster says is noted.
fn with_note(extensions: Option<Value>, rosters: Fields) -> Option<Value> {
    let noted = extensions.as_ref().and_then(note).is_some();
    if rosters.is_empty() && !noted {
        return extensions;
    }
    let mut list = match extensions {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        other => return other,
    };
    let note = (!rosters.is_empty()).then(|| json!({"name": NOTE, "extension": rosters}));
    let at = list.iter().position(is_note).unwrap_or(list.len());
    list.splice(at..list.len().min(at + 1), note);
    (!list.is_empty()).then_some(Value::Array(list))
}

fn but(entry: Fields, ours: &[&str]) -> impl Iterator<Item = (String, Value)> {
    entry.into_iter().filter(move |(field, _)| !ours.contains(&field.as_str()))
}

/// What an entry of this name holds, where it is there.
fn entry(document: &KubeconfigText<'_>, list: &str, name: &str) -> Result<Option<Fields>> {
    let Some(inner) = document.inner(list, name) else { return Ok(None) };
    match inner.value() {
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Ok(None),
        None => Err(Error::new(format!(
            "line {}: an anchor, an alias, a tag, a repeated key or a number that JSON does not know in an entry that `certctl login` wrote",
            inner.lines.start
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> LoginEntry {
        ours_with(json!({}))
    }

    /// Ours, where the roster says this of the way to the cluster.
    fn ours_with(way: Value) -> LoginEntry {
        let mut cluster = json!({"server": "https://p"});
        cluster.as_object_mut().expect("fields").extend(way.as_object().expect("fields").clone());
        LoginEntry {
            context: "prod".to_owned(),
            name: "certctl:acme:prod".to_owned(),
            namespace: None,
            changed_context: None,
            cluster,
            user: json!({"exec": {
                "apiVersion": "v1", "args": ["credential"], "command": "/c", "installHint": "ours",
                "interactiveMode": "IfAvailable", "provideClusterInfo": true,
            }}),
        }
    }

    /// What login makes of a file with these entries of ours.
    fn login(cluster: &str, user: &str, force: bool) -> Result<(String, Vec<String>)> {
        let text = format!(
            "clusters:\n- name: certctl:acme:prod\n  cluster:{cluster}\nusers:\n- name: certctl:acme:prod\n  user:{user}\n"
        );
        let document = KubeconfigText::parse(&text)?;
        let mut entry = ours();
        let told = entry.keep_theirs(&document, force)?;
        let edited = document.with(&[entry], None)?;
        let read: Value = serde_saphyr::from_str(&edited).expect("YAML");
        assert_eq!(read["clusters"].as_array().map(Vec::len), Some(1), "{edited}");
        // Again changes nothing.
        let again = KubeconfigText::parse(&edited)?;
        let mut entry = ours();
        entry.keep_theirs(&again, force)?;
        assert_eq!(again.with(&[entry], None)?, edited);
        Ok((edited, told))
    }

    fn found(edited: &str, pointer: &str) -> Value {
        let read: Value = serde_saphyr::from_str(edited).expect("YAML");
        read.pointer(pointer).cloned().unwrap_or_default()
    }

    #[test]
    fn what_is_no_part_of_cluster_and_credential_stays() {
        let cluster = "/clusters/0/cluster";
        let user = "/users/0/user";
        for (place, field, theirs) in [
            (cluster, "tls-server-name", json!("inside")),
            (cluster, "disable-compression", json!(true)),
            (
                cluster,
                "extensions",
                json!([{"name": "minikube", "extension": {"version": "v1.32.0", "on": 1}}]),
            ),
            (cluster, "what-kubernetes-adds-next", json!({"a": [1, "2", null, {}, []]})),
            (user, "as", json!("ops")),
            (user, "as-uid", json!("7")),
            (user, "as-groups", json!(["on-call", "yes"])),
            (user, "as-user-extra", json!({"example.com/why: #": ["a \"b\""], "no": ["x"]})),
            (user, "extensions", json!([{"name": "a", "extension": {}}])),
            (
                "/users/0/user/exec",
                "env",
                json!([{"name": "CERTCTL_IDENTITY", "value": "/k"}, {"name": "A", "value": "1"}]),
            ),
            ("/users/0/user/exec", "env", json!(null)),
            ("/users/0/user/exec", "installHint", json!("ask Ann: room 3")),
            ("/users/0/user/exec", "interactiveMode", json!("Never")),
        ] {
            let here = |of: &str| {
                if of == place { format!(" {}", json!({ field: theirs })) } else { " {}".to_owned() }
            };
            let exec = format!(" {}", json!({"exec": {field: theirs, "command": "old", "args": []}}));
            let user = if place.ends_with("exec") { exec } else { here(user) };
            let (edited, told) =
                login(&here(cluster), &user, false).unwrap_or_else(|why| panic!("{field}: {why}"));
            assert_eq!(found(&edited, &format!("{place}/{field}")), theirs, "{edited}");
            assert_eq!(found(&edited, "/users/0/user/exec/command"), "/c", "{edited}");
            let matters = !theirs.is_null()
                && (field == "env" || WAY.contains(&field) || SOMEBODY_ELSE.contains(&field));
            assert_eq!(told, if matters { vec![format!("`{field}`")] } else { Vec::new() });
        }
    }

    #[test]
    fn what_yaml_does_not_take_as_it_is_is_escaped() {
        let theirs = "a\u{7f}\u{85}\u{2028}\u{feff}\u{e9}\u{1f600}";
        let escaped = r#" {x: "a\x7f\u0085\u2028\ufeff\u00e9\U0001f600", y: 10.0.0.1}"#;
        let (edited, _) = login(escaped, " {}", false).expect("edited");
        assert!(edited.contains("\"a\\u007f\\u0085\\u2028\\ufeff\u{e9}\u{1f600}\""), "{edited}");
        assert_eq!(found(&edited, "/clusters/0/cluster/x"), theirs);
        assert_eq!(found(&edited, "/clusters/0/cluster/y"), "10.0.0.1");
    }

    #[test]
    fn another_cluster_and_other_credentials_do_not_stay() {
        let ours = ours();
        for field in CLUSTER {
            let (edited, _) = login(&format!(" {}", json!({ field: true })), " {}", false).expect("edited");
            assert_eq!(found(&edited, "/clusters/0/cluster"), ours.cluster, "{edited}");
        }
        for field in USER {
            let (edited, _) = login(" {}", &format!(" {}", json!({ field: "x" })), false).expect("edited");
            assert_eq!(found(&edited, "/users/0/user"), ours.user, "{edited}");
        }
        for field in PLUGIN {
            let user = format!(" {}", json!({"exec": {field: "x"}}));
            let (edited, _) = login(" {}", &user, false).expect("edited");
            assert_eq!(found(&edited, "/users/0/user"), ours.user, "{edited}");
        }
    }

    /// What the next login makes of the text, with the way that the roster says then.
    fn next(text: &str, way: Value, force: bool) -> (String, Vec<String>) {
        let document = KubeconfigText::parse(text).expect("a kubeconfig");
        let mut entry = ours_with(way);
        let told = entry.keep_theirs(&document, force).expect("kept");
        (document.with(&[entry], None).expect("edited"), told)
    }

    #[test]
    fn another_way_than_the_rosters_is_told_or_gives_way_to_force() {
        let theirs = "clusters:\n- name: certctl:acme:prod\n  cluster: {proxy-url: 'socks5://me:1', tls-server-name: a}\nusers: []\ncontexts: []\n";
        let proxy = json!({"proxy-url": "http://roster:1"});
        for (way, told) in [
            (proxy.clone(), ["`proxy-url` (the roster says `http://roster:1`)", "`tls-server-name`"]),
            (json!({}), ["`proxy-url`", "`tls-server-name`"]),
        ] {
            let (edited, kept) = next(theirs, way.clone(), false);
            assert_eq!(found(&edited, "/clusters/0/cluster/proxy-url"), "socks5://me:1");
            assert_eq!(kept, told);
            // It is not taken for the roster's later.
            assert_eq!(next(&edited, way.clone(), false), (edited, kept));
            let (edited, dropped) = next(theirs, way.clone(), true);
            assert_eq!(dropped, told);
            let rosters = way.get("proxy-url").cloned().unwrap_or_default();
            assert_eq!(found(&edited, "/clusters/0/cluster/proxy-url"), rosters);
            assert_eq!(found(&edited, "/clusters/0/cluster/tls-server-name"), Value::Null);
        }
    }

    #[test]
    fn what_login_wrote_of_the_rosters_way_is_not_theirs() {
        let was = json!({"proxy-url": "http://old:1", "tls-server-name": "old"});
        let theirs = "clusters:\n- name: certctl:acme:prod\n  cluster: {extensions: [{name: z, extension: {}}]}\nusers: []\ncontexts: []\n";
        for before in ["clusters: []\nusers: []\ncontexts: []\n", theirs] {
            let (written, _) = next(before, was.clone(), false);
            assert_eq!(next(&written, was.clone(), false), (written.clone(), Vec::new()));
            for way in [json!({}), json!({"proxy-url": "http://new:1"})] {
                let (edited, told) = next(&written, way.clone(), false);
                assert!(told.is_empty());
                for field in WAY {
                    let there = found(&edited, &format!("/clusters/0/cluster/{field}"));
                    assert_eq!(there, way.get(field).cloned().unwrap_or_default(), "{edited}");
                }
            }
            // And with no way to note, nothing is left of the note.
            let gone = found(&next(&written, json!({}), false).0, "/clusters/0/cluster");
            let first = found(&next(before, json!({}), false).0, "/clusters/0/cluster");
            assert_eq!(gone, first);
        }
    }

    #[test]
    fn somebody_else_and_what_the_plugin_is_told_goes_with_force() {
        let user = " {as: ops, as-groups: [a], x: 1, exec: {env: [{name: A, value: secret}], interactiveMode: Never}}";
        let (edited, told) = login(" {}", user, false).expect("edited");
        assert_eq!(told, ["`as`", "`as-groups`", "`env`"]);
        assert_eq!(found(&edited, "/users/0/user/as"), "ops");
        let (edited, told) = login(" {}", user, true).expect("edited");
        assert_eq!(told, ["`as`", "`as-groups`", "`env`"]);
        let mut rest = ours().user;
        rest["x"] = json!(1);
        rest["exec"]["interactiveMode"] = json!("Never");
        assert_eq!(found(&edited, "/users/0/user"), rest);
    }

    #[test]
    fn the_rosters_namespace_is_taken_with_force() {
        let text = "contexts:\n- context: {cluster: 'certctl:acme:prod', user: 'certctl:acme:prod', namespace: mine, x: 1}\n  name: prod\nclusters: []\nusers: []\n";
        let document = KubeconfigText::parse(text).expect("a kubeconfig");
        for (roster, force, becomes) in
            [(Some("shop"), false, "mine"), (Some("shop"), true, "shop"), (None, true, "mine")]
        {
            let mut entry = LoginEntry { namespace: roster.map(str::to_owned), ..ours() };
            entry.keep_theirs(&document, force).expect("kept");
            let edited = document.with(&[entry], None).expect("edited");
            assert_eq!(found(&edited, "/contexts/0/context/namespace"), becomes, "{edited}");
            assert_eq!(found(&edited, "/contexts/0/context/x"), 1);
        }
    }

    #[test]
    fn comments_and_order_stay_where_nothing_changes() {
        let mut entry = ours();
        let text = "clusters:\n- cluster:\n    server: https://p\n    # for the VPN\n    proxy-url: http://v:1 # mine\n    disable-compression: yes\n  name: certctl:acme:prod\n\
                    contexts:\n- {name: prod, context: {user: 'certctl:acme:prod', cluster: 'certctl:acme:prod'}}\n\
                    users:\n- name: certctl:acme:prod\n  user:\n    as: ops\n    exec: {command: /c, args: [credential], provideClusterInfo: true, apiVersion: v1, interactiveMode: Never, installHint: x}\n";
        let document = KubeconfigText::parse(text).expect("a kubeconfig");
        entry.keep_theirs(&document, false).expect("kept");
        assert_eq!(document.with(&[entry], None).expect("edited"), text);
    }

    #[test]
    fn what_cannot_be_copied_is_refused() {
        for cluster in [
            " &a {proxy-url: x}",
            " {proxy-url: !!str x}",
            " {proxy-url: a, proxy-url: b}",
            " {extensions: &e [], x: *e}",
            " {x: 0644}",
            " {x: 0x1f}",
            " {x: +5}",
            " {x: 1_000}",
            " {x: .inf}",
        ] {
            assert!(login(cluster, " {}", false).is_err(), "{cluster}");
        }
    }
}
