//! Reading a kubeconfig that certctl may have written.
//!
//! The private key is cut out of the text before the YAML parser sees it, so that neither the
//! parser's own buffers nor its error messages ever hold it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{KEY_LINE, ParsedKubeconfig, SIZE_LIMIT};
use crate::error::{Error, Result};
use crate::model::Invalid;
use crate::model::route::Route;
use crate::pki::pem::from_base64;
use crate::pki::{Certificate, PrivateKey};

/// What a field does that certctl never writes; it is how a person would be tricked.
const HOSTILE: [(&[&str], &str); 8] = [
    (&["exec"], "runs a program on this machine"),
    (&["auth-provider"], "gets other credentials through a plugin"),
    (&["tokenFile"], "reads a file of this machine and sends it to the server"),
    (&["token", "username", "password"], "logs in as someone else than the certificate"),
    (&["as", "as-uid", "as-groups", "as-user-extra"], "acts as someone else"),
    (&["insecure-skip-tls-verify"], "turns off the check that the server is the right one"),
    (&["client-certificate", "client-key"], "reads a file of this machine"),
    (&["certificate-authority"], "reads a file of this machine"),
];

/// Reads a kubeconfig, and refuses whatever [`super::Kubeconfig::to_yaml`] does not write.
///
/// # Errors
/// Names the first thing that is not ours, and what it would do. Values are repeated only for
/// names, never for anything that may be secret.
pub fn parse(bytes: &[u8]) -> Result<ParsedKubeconfig> {
    read(bytes).map_err(|error| {
        error.hint(
            "certctl did not write this: show `git log` of the .kubeconfig.age file to an administrator, and do not \
             decrypt it by other means",
        )
    })
}

fn read(bytes: &[u8]) -> Result<ParsedKubeconfig> {
    if bytes.len() > SIZE_LIMIT {
        return Err(Error::new("the kubeconfig is larger than 256 KiB; it was not used"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::new("the kubeconfig cannot be read: it is not text; it was not used"))?;
    let (text, key) = without_key(text);
    let root = yaml(&text)?;
    let root = Map::of(&root, String::new())?;
    root.only(&["apiVersion", "clusters", "contexts", "current-context", "kind", "users"])?;
    root.is("apiVersion", "v1")?;
    root.is("kind", "Config")?;

    let (cluster_name, cluster) = root.entry("clusters", "cluster")?;
    cluster.only(&["certificate-authority-data", "proxy-url", "server", "tls-server-name"])?;
    let (user_name, user) = root.entry("users", "user")?;
    user.only(&["client-certificate-data", "client-key-data"])?;
    let (context_name, context) = root.entry("contexts", "context")?;
    context.only(&["cluster", "namespace", "user"])?;
    context.is("cluster", cluster_name)?;
    context.is("user", user_name)?;
    root.is("current-context", context_name)?;

    // The key was cut out of this field, and of nowhere else: only then was it ours.
    match (user.get("client-key-data"), &key) {
        (None, None) => {}
        (Some(YamlNode::Text(rest)), Some(_)) if rest.is_empty() => {}
        _ => return Err(user.refuse("client-key-data", "is not written as certctl writes it")),
    }
    let private_key = match &key {
        None => None,
        Some(pem) => Some(PrivateKey::from_pem(pem)?),
    };
    let certificate_authority = match cluster.get("certificate-authority-data") {
        None => None,
        Some(_) => Some(cluster.base64("certificate-authority-data")?),
    };
    Ok(ParsedKubeconfig {
        cluster: cluster_name.to_owned(),
        context: context_name.to_owned(),
        namespace: context.checked("namespace")?,
        user: user_name.to_owned(),
        server: cluster.text("server")?.to_owned(),
        route: Route {
            proxy: cluster.checked("proxy-url")?,
            tls_server_name: cluster.checked("tls-server-name")?,
        },
        certificate_authority: certificate_authority.map(|bundle| bundle.to_vec()),
        certificate: Certificate::from_pem(&user.base64("client-certificate-data")?)?,
        private_key,
    })
}

/// The text with an empty key in place of the one that it holds, and that key as PEM. A key that
/// is not written exactly as certctl writes it stays, and the field is refused later.
fn without_key(text: &str) -> (Zeroizing<String>, Option<Zeroizing<Vec<u8>>>) {
    let mut rest = Zeroizing::new(String::with_capacity(text.len()));
    let cut = text.split_once(KEY_LINE).and_then(|(before, after)| {
        let (base64, after) = after.split_once('"')?;
        let alone = before.ends_with('\n') && after.starts_with('\n') && !after.contains(KEY_LINE);
        let key = from_base64(base64.as_bytes()).filter(|_| alone)?;
        Some((before, after, key))
    });
    match cut {
        None => {
            rest.push_str(text);
            (rest, None)
        }
        Some((before, after, key)) => {
            for part in [before, KEY_LINE, "\"", after] {
                rest.push_str(part);
            }
            (rest, Some(key))
        }
    }
}

/// One value of the file. No Debug: it may hold a key that was not recognised as one.
enum YamlNode {
    Text(String),
    /// A number, a boolean, nothing.
    Other,
    List(Vec<YamlNode>),
    Mapping(Vec<(String, YamlNode)>),
}

fn yaml(text: &str) -> Result<YamlNode> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: 16, max_nodes: 1000 },
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|why| {
        // Only the place: the parser's own words may repeat what it found there.
        let place = why.location().map(|at| format!(" at {}:{}", at.line(), at.column())).unwrap_or_default();
        Error::new(format!(
            "the kubeconfig cannot be read{place}: it is no YAML of certctl's; it was not used"
        ))
    })
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;
        impl<'de> Visitor<'de> for AnyNode {
            type Value = YamlNode;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<YamlNode, E> {
                Ok(YamlNode::Text(text.to_owned()))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_unit<E: de::Error>(self) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_none<E: de::Error>(self) -> Result<YamlNode, E> {
                Ok(YamlNode::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<YamlNode, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(YamlNode::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<YamlNode, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(YamlNode::Mapping(fields))
            }
        }
        deserializer.deserialize_any(AnyNode)
    }
}

/// A mapping and where it is, e.g. `users[0].user`; empty for the file itself.
struct Map<'n> {
    place: String,
    fields: &'n [(String, YamlNode)],
}

impl<'n> Map<'n> {
    fn of(node: &'n YamlNode, place: String) -> Result<Self> {
        match node {
            YamlNode::Mapping(fields) => Ok(Self { place, fields }),
            _ => {
                let place = if place.is_empty() { "it" } else { &place };
                Err(Error::new(format!("the kubeconfig is refused: {place} is no mapping; it was not used")))
            }
        }
    }

    fn path(&self, name: &str) -> String {
        let dot = if self.place.is_empty() { "" } else { "." };
        let mut name = name.to_owned();
        if let Some((end, _)) = name.char_indices().nth(60) {
            name.truncate(end);
        }
        format!("{}{dot}{name}", self.place)
    }

    fn refuse(&self, name: &str, what: &str) -> Error {
        Error::new(format!("the kubeconfig is refused: `{}` {what}; it was not used", self.path(name)))
    }

    /// Refuses the first field that is not in this list.
    fn only(&self, names: &[&str]) -> Result<()> {
        let Some((name, _)) = self.fields.iter().find(|(name, _)| !names.contains(&name.as_str())) else {
            return Ok(());
        };
        let does = HOSTILE.iter().find(|(fields, _)| fields.contains(&name.as_str()));
        let does = does.map_or("certctl never writes", |(_, does)| does);
        Err(Error::new(format!("the kubeconfig holds `{}`, which {does}; it was not used", self.path(name))))
    }

    fn get(&self, name: &str) -> Option<&'n YamlNode> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, node)| node)
    }

    fn required(&self, name: &str) -> Result<&'n YamlNode> {
        self.get(name).ok_or_else(|| self.refuse(name, "is missing"))
    }

    fn text(&self, name: &str) -> Result<&'n str> {
        match self.required(name)? {
            YamlNode::Text(text) => Ok(text),
            _ => Err(self.refuse(name, "is no text")),
        }
    }

    /// A field that may be missing, as its type.
    fn checked<T: FromStr<Err = Invalid>>(&self, name: &str) -> Result<Option<T>> {
        if self.get(name).is_none() {
            return Ok(None);
        }
        self.text(name)?.parse().map(Some).map_err(|why: Invalid| self.refuse(name, &why.to_string()))
    }

    fn is(&self, name: &str, expected: &str) -> Result<()> {
        let found = self.text(name)?;
        if found == expected {
            return Ok(());
        }
        let found: String = found.chars().take(60).collect();
        Err(self.refuse(name, &format!("is `{found}`, expected `{expected}`")))
    }

    fn base64(&self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        from_base64(self.text(name)?.as_bytes()).ok_or_else(|| self.refuse(name, "is no base64"))
    }

    /// The one entry of a list such as `users`: its name, and the mapping beside it.
    fn entry(&self, list: &str, kind: &str) -> Result<(&'n str, Map<'n>)> {
        let YamlNode::List(entries) = self.required(list)? else {
            return Err(self.refuse(list, "is no list"));
        };
        let [entry] = entries.as_slice() else {
            return Err(Error::new(format!(
                "the kubeconfig has {} entries under `{list}`, expected 1; it was not used",
                entries.len()
            )));
        };
        let entry = Map::of(entry, format!("{list}[0]"))?;
        entry.only(&["name", kind])?;
        let inner = Map::of(entry.required(kind)?, entry.path(kind))?;
        Ok((entry.text("name")?, inner))
    }
}
