//! What the repository remembers of each credential: public data only.
//!
//! One file a person and cluster, `access/<cluster>/<user>.yaml`. A record is read as untrusted
//! input: bounded, typed, and refused with its place when it contains what certctl never writes.
//!
//! The last line of each file is the SHA-256 of all lines before it. What a record says of a
//! certificate is checked against the certificate; its other fields (`state`, `recipients`,
//! `sealedSHA256`, ...) contradict nothing when they are edited, so the checksum finds that. It is
//! no signature: it stops a hand edit, a bad merge and a script, not someone who recomputes it or
//! puts an older file of ours back. Those are for the review of what goes into the repository.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::route::{ProxyUrl, Route, TlsServerName};
use crate::model::{
    BranchName, ClusterName, CredentialId, FileNumber, GroupName, Invalid, KeySource, KeyType, Namespace,
    Position, Recipient, RosterId, RosterName, UserName, hex, sha256,
};

/// The `apiVersion` of everything certctl reads and writes.
pub const API_VERSION: &str = "certctl.dev/v1";

/// The trailer that every commit of certctl carries in its message, with the roster's name.
pub const TRAILER: &str = "Certctl-Roster";

/// The credentials of one person on one cluster that have not expired, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// [`API_VERSION`].
    pub api_version: String,
    /// `Record`.
    pub kind: String,
    /// On which cluster.
    pub cluster: ClusterName,
    pub user: UserName,
    /// Oldest first.
    pub credentials: Vec<Credential>,
}

/// What a credential may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialState {
    /// The newest: bound.
    Active,
    /// Renewed: still bound until it expires.
    Superseded,
    /// Never bound again.
    Revoked,
}

/// One certificate and what was decided when it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "CredentialInFile", try_from = "CredentialInFile")]
pub struct Credential {
    /// Digest of the public key; also in the certificate's O.
    pub id: CredentialId,
    /// Whether it is bound.
    pub state: CredentialState,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// SHA-256 of the certificate (DER), lower-case hex: what the audit log shows as
    /// `authentication.kubernetes.io/credential-id: X509SHA256=...`.
    pub x509_sha256: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The roster's `generation` when it was issued.
    pub generation: u32,
    /// Whether the roster protects its owner: a user who was removed from the roster cannot be looked up there.
    pub protected: bool,
    /// Where the key comes from; of one that its owner brought, SHA-256 of the roster's PKCS#10 file (DER).
    pub key: KeySource<String>,
    /// Groups written into the certificate besides the credential group.
    pub in_certificate_groups: Vec<GroupName>,
    /// The age recipients that the kubeconfig was sealed to.
    pub recipients: BTreeSet<Recipient>,
    /// What the kubeconfig connects to.
    pub server: String,
    /// SHA-256 of the CA bundle in the kubeconfig (PEM in its normal form); absent where it holds none.
    pub certificate_authority_sha256: Option<String>,
    /// How the kubeconfig reaches the server.
    pub route: Route,
    /// The default namespace of its context.
    pub namespace: Option<Namespace>,
    /// SHA-256 of the `.kubeconfig.age` file, lower-case hex.
    pub sealed_sha256: String,
    /// The commit of the roster that it was issued from.
    pub roster_commit: String,
    /// The certificate and any intermediates, PEM.
    pub certificate: String,
}

/// As it is written: which kind of key, or which request, but never both.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialInFile {
    id: CredentialId,
    state: CredentialState,
    serial: String,
    #[serde(rename = "x509SHA256")]
    x509_sha256: String,
    not_before: Timestamp,
    not_after: Timestamp,
    generation: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    protected: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyType>,
    #[serde(default, rename = "csrSHA256", skip_serializing_if = "Option::is_none")]
    csr_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    in_certificate_groups: Vec<GroupName>,
    recipients: BTreeSet<Recipient>,
    server: String,
    #[serde(default, rename = "certificateAuthoritySHA256", skip_serializing_if = "Option::is_none")]
    certificate_authority_sha256: Option<String>,
    #[serde(default, rename = "proxyURL", skip_serializing_if = "Option::is_none")]
    proxy_url: Option<ProxyUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<TlsServerName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    #[serde(rename = "sealedSHA256")]
    sealed_sha256: String,
    roster_commit: String,
    certificate: String,
}

impl From<Credential> for CredentialInFile {
    fn from(credential: Credential) -> Self {
        let Credential {
            key,
            id,
            state,
            serial,
            x509_sha256,
            not_before,
            not_after,
            generation,
            protected,
            in_certificate_groups,
            recipients,
            server,
            certificate_authority_sha256,
            route: Route { proxy, tls_server_name },
            namespace,
            sealed_sha256,
            roster_commit,
            certificate,
        } = credential;
        let (key, csr_sha256) = match key {
            KeySource::Made(key) => (Some(key), None),
            KeySource::Brought(csr_sha256) => (None, Some(csr_sha256)),
        };
        Self {
            key,
            csr_sha256,
            id,
            state,
            serial,
            x509_sha256,
            not_before,
            not_after,
            generation,
            protected,
            in_certificate_groups,
            recipients,
            server,
            certificate_authority_sha256,
            proxy_url: proxy,
            tls_server_name,
            namespace,
            sealed_sha256,
            roster_commit,
            certificate,
        }
    }
}

impl TryFrom<CredentialInFile> for Credential {
    type Error = Invalid;

    fn try_from(credential: CredentialInFile) -> std::result::Result<Self, Invalid> {
        let CredentialInFile {
            key,
            csr_sha256,
            id,
            state,
            serial,
            x509_sha256,
            not_before,
            not_after,
            generation,
            protected,
            in_certificate_groups,
            recipients,
            server,
            certificate_authority_sha256,
            proxy_url: proxy,
            tls_server_name,
            namespace,
            sealed_sha256,
            roster_commit,
            certificate,
        } = credential;
        let key = match (key, csr_sha256) {
            (Some(key), None) => KeySource::Made(key),
            (None, Some(csr_sha256)) => KeySource::Brought(csr_sha256),
            _ => {
                return Err(Invalid(format!(
                    "credential {id}: one of `key` and `csrSHA256` has to be there"
                )));
            }
        };
        Ok(Self {
            key,
            id,
            state,
            serial,
            x509_sha256,
            not_before,
            not_after,
            generation,
            protected,
            in_certificate_groups,
            recipients,
            server,
            certificate_authority_sha256,
            route: Route { proxy, tls_server_name },
            namespace,
            sealed_sha256,
            roster_commit,
            certificate,
        })
    }
}

/// `access/<cluster>/cluster.yaml`: which cluster the records are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterPin {
    /// [`API_VERSION`].
    pub api_version: String,
    /// `Cluster`.
    pub kind: String,
    /// The roster's name for it.
    pub name: ClusterName,
    /// UID of the namespace kube-system.
    pub uid: String,
    /// Whose records they are: another roster beside this one must not take them for its own.
    pub roster: RosterName,
    /// The branch that the roster is applied from; unknown to pins that older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// What ties the roster's name to this repository on the cluster; absent where no apply has written it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster_id: Option<RosterId>,
    /// Where its kubeconfigs lead; absent where no apply has written it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<PinnedEndpoint>,
}

/// What kubeconfigs of a cluster hold, as an apply published it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedEndpoint {
    /// What they connect to.
    pub server: String,
    /// The CA that they carry, PEM; absent where the system's roots are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
}

impl ClusterPin {
    /// The pin of a cluster.
    pub fn new(name: ClusterName, uid: String, roster: RosterName) -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), "Cluster".to_owned());
        Self { api_version, kind, name, uid, roster, branch: None, roster_id: None, endpoint: None }
    }
}

/// What the last line of a file begins with.
const CHECKSUM: &str = "checksum: sha256:";

/// A record or pin as the text of its file.
///
/// # Errors
/// It cannot be written as YAML, which would be a defect of certctl.
pub fn to_yaml<T: Serialize>(value: &T) -> Result<String> {
    let body = serde_saphyr::to_string(value).map_err(|cause| {
        Error::new("a record could not be written as YAML; nothing was recorded").caused_by(cause)
    })?;
    Ok(with_checksum(&format!(
        "# Written by certctl; changes by hand are found and refused.\n{}\n",
        body.trim_end()
    )))
}

/// A text, with its checksum as the last line.
pub fn with_checksum(body: &str) -> String {
    format!("{body}{CHECKSUM}{}\n", checksum(body))
}

/// Whether a text ends in its own checksum.
pub fn is_intact(text: &str) -> bool {
    let (body, sum) = split(text);
    sum == checksum(body)
}

/// The text above its checksum, and the checksum; empty where it has none.
fn split(text: &str) -> (&str, &str) {
    match text.rfind(CHECKSUM) {
        Some(at) => (&text[..at], text[at + CHECKSUM.len()..].trim_end()),
        None => (text, ""),
    }
}

/// Of the text, whichever way its lines end: a checkout on Windows may have changed that.
fn checksum(text: &str) -> String {
    if text.contains('\r') {
        return hex(&sha256(text.replace("\r\n", "\n").as_bytes()));
    }
    hex(&sha256(text.as_bytes()))
}

/// The largest record that is read, in bytes: some 40 credentials that have not expired.
pub const LARGEST: usize = 256 * 1024;

/// Reads a record or pin.
///
/// # Errors
/// It is too large, is not YAML, contains what certctl never writes, or does not match its checksum;
/// `file` and the place are named.
pub fn from_yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    if text.len() > LARGEST {
        return Err(Error::new(format!(
            "{file}: is {} bytes long; no record is longer than {LARGEST}",
            text.len()
        ))
        .hint(how_to_restore(file)));
    }
    if let Some(newer) = newer(file, text) {
        return Err(newer);
    }
    let (body, sum) = split(text);
    // The YAML first: its error says which line is wrong, and a checksum only that one is.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: 16 },
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        with_snippet: false,
    };
    let value = serde_saphyr::from_str_with_options(body, options).map_err(|error| {
        let text = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let not_ours = |why: &str| Error::new(format!("is not as certctl wrote it: {why}"));
        match error.location().map(|at| Position {
            file: FileNumber::FIRST,
            line: at.line(),
            column: at.column(),
        }) {
            // Of the place once is enough.
            Some(at) => {
                let suffix = format!(" at line {}, column {}", at.line, at.column);
                not_ours(text.strip_suffix(&suffix).unwrap_or(&text)).placed(file, at)
            }
            None => not_ours(&text).within(file),
        }
        .hint(how_to_restore(file))
    })?;
    if sum != checksum(body) {
        return Err(changed(file, "does not fit its checksum"));
    }
    Ok(value)
}

/// Whether an `apiVersion` is one of certctl, and newer than this program knows.
pub fn is_newer(api_version: &str) -> bool {
    let number = |version: &str| version.strip_prefix("certctl.dev/v")?.parse::<u32>().ok();
    number(api_version) > number(API_VERSION)
}

/// The error about a record or pin that a newer certctl has written; `None` where it is none.
pub fn newer(file: &str, text: &str) -> Option<Error> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("apiVersion:"));
    let version = lines.next()?.trim().trim_matches(['"', '\'']);
    is_newer(version).then(|| {
        Error::new(format!(
            "{file} was written by a newer certctl: it is {}, and this one reads {API_VERSION}; it was not read",
            crate::error::visible_line(version)
        ))
        .hint("use a newer version of certctl")
    })
}

/// The error about a file that certctl did not write like that.
pub fn changed(file: &str, what: impl std::fmt::Display) -> Error {
    Error::new(format!("{file}: {what}; it was changed outside certctl")).hint(how_to_restore(file))
}

/// How to get back what certctl wrote.
pub fn how_to_restore(file: &str) -> String {
    format!(
        "`git log -p -- {file}` shows who changed it; restore it with `git checkout COMMIT -- {file}` and the last \
         commit that certctl made of it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> ClusterPin {
        ClusterPin::new("prod".parse().expect("a name"), "3f2a91bc".into(), "acme".parse().expect("a name"))
    }

    fn read(text: &str) -> Result<ClusterPin> {
        from_yaml("access/prod/cluster.yaml", text)
    }

    #[test]
    fn records_are_read_with_either_line_ending() {
        let text = to_yaml(&pin()).expect("YAML");
        assert_eq!(read(&text).expect("ours"), pin());
        assert_eq!(read(&text.replace('\n', "\r\n")).expect("ours"), pin());
    }

    #[test]
    fn what_a_newer_certctl_wrote_is_refused_by_name() {
        let body = "apiVersion: certctl.dev/v2\nkind: Cluster\nnames: [prod]\n";
        let error = read(&format!("{body}{CHECKSUM}{}\n", checksum(body))).expect_err("newer");
        assert_eq!(
            error.message(),
            "access/prod/cluster.yaml was written by a newer certctl: it is certctl.dev/v2, and this one reads \
             certctl.dev/v1; it was not read"
        );
        for (version, newer) in [
            ("certctl.dev/v1", false),
            ("certctl.dev/v2", true),
            ("certctl.dev/v10", true),
            ("certctl.dev/v0", false),
            ("certctl.dev/v2beta1", false),
            ("v2", false),
        ] {
            assert_eq!(is_newer(version), newer, "{version}");
        }
    }

    #[test]
    fn a_credential_has_a_key_of_one_source() {
        let credential = |key: &str| {
            format!(
                "{{id: 0123456789abcdef, state: active, serial: '1', x509SHA256: '0', notBefore: 2026-01-01T00:00:00Z, \
                 notAfter: 2026-02-01T00:00:00Z, generation: 1, recipients: ['age1b', 'age1a'], server: 'https://x', \
                 sealedSHA256: '0', rosterCommit: '0', certificate: '', {key}}}"
            )
        };
        let read = |key: &str| serde_saphyr::from_str::<Credential>(&credential(key));
        for (text, key) in [
            ("key: ed25519", KeySource::Made(KeyType::Ed25519)),
            ("csrSHA256: 'a1'", KeySource::Brought("a1".to_owned())),
        ] {
            let credential = read(text).expect("a credential");
            assert_eq!(credential.key, key);
            let written = serde_saphyr::to_string(&credential).expect("YAML");
            assert!(written.contains(&text.replace('\'', "")), "{written}");
        }
        for wrong in ["key: ed25519, csrSHA256: 'a1'", "inCertificateGroups: []", "key: ed25519, more: 1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_changed_byte_a_missing_and_a_second_checksum_are_detected() {
        let text = to_yaml(&pin()).expect("YAML");
        let last = text.lines().next_back().expect("a line").to_owned();
        for wrong in [
            text.replace("3f2a91bc", "3f2a91bd"),
            text.replace(&last, ""),
            text.replace(&last, CHECKSUM),
            text.replace("# Written by certctl", "# Written"),
            format!("{text}{last}\n"),
            format!("{text}# more\n"),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
        let error = read(&text.replace("3f2a91bc", "3f2a91bd")).expect_err("edited");
        assert!(error.message().contains("cluster.yaml: does not fit its checksum"), "{error}");
    }
}
