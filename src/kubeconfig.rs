//! The file that people get: one cluster, one user, one context.
//!
//! It is written here byte by byte, because it holds a private key: one buffer of sufficient size, no
//! copies, wiped when dropped. It is read back strictly: whatever certctl does not write is refused
//! by name, because a kubeconfig can run programs (`exec`) and send credentials elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::model::{ClusterName, UserName, hex, sha256};
use crate::pki::{self, Certificate, PrivateKey};

/// The largest kubeconfig that is read, in bytes.
const LARGEST: usize = 256 * 1024;

/// A kubeconfig to be written.
pub struct Kubeconfig<'a> {
    /// The roster's name of the cluster; also the context.
    pub cluster: &'a ClusterName,
    /// Whose it is.
    pub user: &'a UserName,
    /// What it connects to.
    pub server: &'a str,
    /// The CA of the server, PEM; `None` where the system's roots are trusted.
    pub certificate_authority: Option<&'a [u8]>,
    /// The client certificate.
    pub certificate: &'a Certificate,
    /// Its private key; `None` where its owner keeps it.
    pub key: Option<&'a PrivateKey>,
}

impl Kubeconfig<'_> {
    /// The file. Names and addresses are quoted as JSON strings, which are YAML too.
    pub fn to_yaml(&self) -> Zeroizing<Vec<u8>> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (cluster, server) = (quoted(self.cluster.as_str()), quoted(self.server));
        let user = quoted(&format!("{}@{}", self.user, self.cluster));
        let authority = self.certificate_authority.map(|pem| STANDARD.encode(pem));
        let authority =
            authority.map_or(String::new(), |data| format!("    certificate-authority-data: {data}\n"));
        let certificate = STANDARD.encode(self.certificate.pem());
        let head = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster:\n    server: {server}\n{authority}\
             contexts:\n- name: {cluster}\n  context:\n    cluster: {cluster}\n    user: {user}\ncurrent-context: {cluster}\n\
             users:\n- name: {user}\n  user:\n    client-certificate-data: {certificate}\n"
        );
        let Some(key) = self.key.map(PrivateKey::to_pem) else { return Zeroizing::new(head.into_bytes()) };
        const FIELD: &[u8] = b"    client-key-data: ";
        let mut base64 = Zeroizing::new(vec![0; key.len().div_ceil(3) * 4]);
        // The buffer has the length of the text, so this cannot fail.
        let written = STANDARD.encode_slice(&key, &mut base64).unwrap_or_default();
        let mut yaml = Zeroizing::new(Vec::with_capacity(head.len() + FIELD.len() + written + 1));
        yaml.extend_from_slice(head.as_bytes());
        yaml.extend_from_slice(FIELD);
        yaml.extend_from_slice(&base64[..written]);
        yaml.push(b'\n');
        yaml
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    clusters: Vec<Named<ClusterEntry>>,
    contexts: Vec<Named<ContextEntry>>,
    current_context: String,
    users: Vec<Named<UserEntry>>,
}

struct Named<T> {
    name: String,
    entry: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ClusterEntry {
    server: String,
    certificate_authority_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextEntry {
    cluster: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct UserEntry {
    client_certificate_data: String,
    client_key_data: Option<Secret>,
}

/// Text that is wiped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An entry of a list is `name` and one more field, whose name says what it is.
macro_rules! named {
    ($entry:ty, $field:ident) => {
        impl<'de> Deserialize<'de> for Named<$entry> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Raw {
                    name: String,
                    $field: $entry,
                }
                Raw::deserialize(deserializer).map(|raw| Self { name: raw.name, entry: raw.$field })
            }
        }
    };
}
named!(ClusterEntry, cluster);
named!(ContextEntry, context);
named!(UserEntry, user);

/// A kubeconfig as certctl writes it. It cannot be printed.
pub struct ParsedKubeconfig {
    server: String,
    certificate_authority_sha256: Option<String>,
    certificate: Certificate,
    key: Option<Zeroizing<Vec<u8>>>,
}

/// Reads a kubeconfig that certctl wrote.
///
/// # Errors
/// It is not one: what was found is named, never quoted where it could be secret.
pub fn parse(bytes: &[u8]) -> Result<ParsedKubeconfig> {
    let wrong = |what: String| Error::new(format!("it is not as certctl writes it: {what}"));
    if bytes.len() > LARGEST {
        return Err(wrong(format!("it is longer than {LARGEST} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    let mut file: File = serde_saphyr::from_str(text).map_err(|error| wrong(reason(&error)))?;
    if file.api_version != "v1" || file.kind != "Config" {
        return Err(wrong("it is not a `v1` `Config`".to_owned()));
    }
    let (Some(cluster), Some(context), Some(user)) =
        (file.clusters.pop(), file.contexts.pop(), file.users.pop())
    else {
        return Err(wrong("a cluster, context or user is missing".to_owned()));
    };
    if !(file.clusters.is_empty() && file.contexts.is_empty() && file.users.is_empty()) {
        return Err(wrong("it holds more than one cluster, context or user".to_owned()));
    }
    let joined = context.entry.cluster == cluster.name && context.entry.user == user.name;
    if !joined || file.current_context != context.name {
        return Err(wrong("its context does not join its cluster and its user".to_owned()));
    }
    let decoded =
        |what: &str, text: &str| STANDARD.decode(text).map_err(|_| wrong(format!("{what} is not base64")));
    let authority = cluster.entry.certificate_authority_data;
    let authority = authority.map(|text| decoded("certificate-authority-data", &text)).transpose()?;
    let certificate = decoded("client-certificate-data", &user.entry.client_certificate_data)?;
    let key = user.entry.client_key_data.map(|text| decoded("client-key-data", &text.0).map(Zeroizing::new));
    Ok(ParsedKubeconfig {
        server: cluster.entry.server,
        certificate_authority_sha256: authority.map(|pem| hex(&sha256(&pem))),
        certificate: Certificate::from_pem(&certificate)?,
        key: key.transpose()?,
    })
}

/// The message of the parser without its snippet, which would quote the file.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// Whether a kubeconfig leads where it should, and holds the recorded certificate with its key.
///
/// # Errors
/// What differs.
pub fn verify(
    found: &ParsedKubeconfig,
    server: &str,
    certificate_authority_sha256: Option<&str>,
    certificate_sha256: &str,
) -> Result<()> {
    if found.server != server {
        return Err(Error::new(format!("it leads to {}, not to {server}", found.server)));
    }
    if found.certificate_authority_sha256.as_deref() != certificate_authority_sha256 {
        return Err(Error::new("it trusts another certificate authority than the one recorded"));
    }
    if found.certificate.sha256() != certificate_sha256 {
        return Err(Error::new("it holds another certificate than the one recorded"));
    }
    if let Some(key) = &found.key
        && !pki::belongs_to(key, found.certificate.public_key_der())?
    {
        return Err(Error::new("its private key is not that of its certificate"));
    }
    Ok(())
}
