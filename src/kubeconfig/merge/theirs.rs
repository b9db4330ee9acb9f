//! What people add to the entries of ours, such as a proxy or an `env` of the plugin: it stays when they log in again.
//!
//! Only what says which cluster it is, how that is verified, and who one is there, is ours alone. Whatever else is in an
//! entry is theirs, also what Kubernetes adds in a later version.

use serde_json::{Map, Value};

use super::{KubeconfigText, LoginEntry};
use crate::error::{Error, Result};

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

/// Something that is theirs although the roster says otherwise.
pub struct Kept {
    /// The field of the cluster entry.
    pub field: String,
    /// What stays.
    pub theirs: Value,
    /// What the roster says.
    pub rosters: Value,
}

impl LoginEntry {
    /// Takes over what is theirs in the entries that are there. Where the roster has another way to the cluster, theirs
    /// stays, which is told, or gives way to `force`.
    ///
    /// # Errors
    /// An entry of ours has anchors, aliases, tags or a key twice: a copy would not say the same.
    pub fn keep_theirs(&mut self, document: &KubeconfigText<'_>, force: bool) -> Result<Vec<Kept>> {
        let mut kept = Vec::new();
        if let (Some(theirs), Value::Object(ours)) =
            (entry(document, "clusters", &self.name)?, &mut self.cluster)
        {
            for (field, theirs) in but(theirs, &CLUSTER) {
                match ours.get(&field).filter(|rosters| **rosters != theirs) {
                    Some(_) if force => continue,
                    Some(rosters) => kept.push(Kept {
                        field: field.clone(),
                        theirs: theirs.clone(),
                        rosters: rosters.clone(),
                    }),
                    None => {}
                }
                ours.insert(field, theirs);
            }
        }
        if let (Some(mut theirs), Value::Object(ours)) =
            (entry(document, "users", &self.name)?, &mut self.user)
        {
            if let (Some(Value::Object(theirs)), Some(Value::Object(ours))) =
                (theirs.remove("exec"), ours.get_mut("exec"))
            {
                ours.extend(but(theirs, &PLUGIN));
            }
            ours.extend(but(theirs, &USER));
        }
        Ok(kept)
    }
}

fn but(entry: Map<String, Value>, ours: &[&str]) -> impl Iterator<Item = (String, Value)> {
    entry.into_iter().filter(move |(field, _)| !ours.contains(&field.as_str()))
}

/// What an entry of this name holds, where it is there.
fn entry(document: &KubeconfigText<'_>, list: &str, name: &str) -> Result<Option<Map<String, Value>>> {
    let Some(inner) = document.inner(list, name) else { return Ok(None) };
    match inner.value() {
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Ok(None),
        None => Err(Error::new(format!(
            "line {}: an anchor, an alias, a tag or a repeated key in an entry that `certctl login` wrote",
            inner.lines.start
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> LoginEntry {
        LoginEntry {
            context: "prod".to_owned(),
            name: "certctl:acme:prod".to_owned(),
            namespace: None,
            cluster: json!({"server": "https://p", "proxy-url": "http://roster:1"}),
            user: json!({"exec": {
                "apiVersion": "v1", "args": ["credential"], "command": "/c", "installHint": "ours",
                "interactiveMode": "IfAvailable", "provideClusterInfo": true,
            }}),
        }
    }

    /// What login makes of a file with these entries of ours.
    fn login(cluster: &str, user: &str, force: bool) -> Result<(String, Vec<Kept>)> {
        let text = format!(
            "clusters:\n- name: certctl:acme:prod\n  cluster:{cluster}\nusers:\n- name: certctl:acme:prod\n  user:{user}\n"
        );
        let document = KubeconfigText::parse(&text)?;
        let mut entry = ours();
        let kept = entry.keep_theirs(&document, force)?;
        let edited = document.with(&[entry], None)?;
        let read: Value = serde_saphyr::from_str(&edited).expect("YAML");
        assert_eq!(read["clusters"].as_array().map(Vec::len), Some(1), "{edited}");
        // Again changes nothing.
        let again = KubeconfigText::parse(&edited)?;
        let mut entry = ours();
        entry.keep_theirs(&again, force)?;
        assert_eq!(again.with(&[entry], None)?, edited);
        Ok((edited, kept))
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
            let (edited, kept) =
                login(&here(cluster), &user, false).unwrap_or_else(|why| panic!("{field}: {why}"));
            assert_eq!(found(&edited, &format!("{place}/{field}")), theirs, "{edited}");
            assert_eq!(found(&edited, "/users/0/user/exec/command"), "/c", "{edited}");
            assert!(kept.is_empty());
        }
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

    #[test]
    fn another_way_than_the_rosters_is_told_or_gives_way_to_force() {
        let (edited, kept) = login(" {proxy-url: 'socks5://me:1'}", " {}", false).expect("edited");
        assert_eq!(found(&edited, "/clusters/0/cluster/proxy-url"), "socks5://me:1");
        assert_eq!((kept[0].field.as_str(), &kept[0].rosters), ("proxy-url", &json!("http://roster:1")));
        let (edited, kept) =
            login(" {proxy-url: 'socks5://me:1', tls-server-name: a}", " {as: ops}", true).expect("edited");
        assert!(kept.is_empty());
        assert_eq!(found(&edited, "/clusters/0/cluster/proxy-url"), "http://roster:1");
        assert_eq!(found(&edited, "/clusters/0/cluster/tls-server-name"), "a");
        assert_eq!(found(&edited, "/users/0/user/as"), "ops");
    }

    #[test]
    fn comments_and_order_stay_where_nothing_changes() {
        let mut entry = ours();
        entry.cluster = json!({"server": "https://p"});
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
        ] {
            assert!(login(cluster, " {}", false).is_err(), "{cluster}");
        }
    }
}
