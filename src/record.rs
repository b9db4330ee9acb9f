//! What the repository remembers of each credential: public data only.
//!
//! One file a person and cluster, `access/<cluster>/<user>.yaml`. A record is read as untrusted
//! input: bounded, typed, and refused with its place when it says what certctl never writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{ClusterName, CredentialId, GroupName, KeyType, UserName};

/// The `apiVersion` of everything certctl reads and writes.
pub const API_VERSION: &str = "certctl.dev/v1";

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
    /// Whose.
    pub user: UserName,
    /// Oldest first.
    pub credentials: Vec<Credential>,
}

/// What a credential may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The newest: bound.
    Active,
    /// Renewed: still bound until it expires.
    Superseded,
    /// Never bound again.
    Revoked,
}

/// One certificate and what was decided when it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// Digest of the public key; also in the certificate's O.
    pub id: CredentialId,
    /// Whether it is bound.
    pub state: State,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// SHA-256 of the certificate (DER), lower-case hex: what the audit log shows as
    /// `authentication.kubernetes.io/credential-id: X509SHA256=...`.
    #[serde(rename = "x509SHA256")]
    pub x509_sha256: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The roster's `generation` when it was issued.
    pub generation: u32,
    /// The kind of key; absent where the owner brought their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyType>,
    /// SHA-256 of the roster's PKCS#10 file (DER), where the owner brought their own key.
    #[serde(default, rename = "csrSHA256", skip_serializing_if = "Option::is_none")]
    pub csr_sha256: Option<String>,
    /// Groups written into the certificate besides the credential group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_certificate_groups: Vec<GroupName>,
    /// The age recipients that the kubeconfig was sealed to, sorted.
    pub recipients: Vec<String>,
    /// What the kubeconfig connects to.
    pub server: String,
    /// SHA-256 of the CA bundle in the kubeconfig (PEM); absent where it holds none.
    #[serde(default, rename = "certificateAuthoritySHA256", skip_serializing_if = "Option::is_none")]
    pub certificate_authority_sha256: Option<String>,
    /// SHA-256 of the `.kubeconfig.age` file, lower-case hex.
    #[serde(rename = "sealedSHA256")]
    pub sealed_sha256: String,
    /// The commit of the roster that it was issued from.
    pub roster_commit: String,
    /// The certificate and any intermediates, PEM.
    pub certificate: String,
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
}

impl ClusterPin {
    /// The pin of a cluster.
    pub fn new(name: ClusterName, uid: String) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "Cluster".to_owned(), name, uid }
    }
}

/// A record or pin as the text of its file.
///
/// # Errors
/// It cannot be written as YAML, which would be a defect of certctl.
pub fn to_yaml<T: Serialize>(value: &T) -> Result<String> {
    let body = serde_saphyr::to_string(value).map_err(|cause| {
        Error::new("a record could not be written as YAML; nothing was recorded").caused_by(cause)
    })?;
    Ok(format!("# Written by certctl; changes by hand are found and refused.\n{body}"))
}

/// The largest record that is read, in bytes: some 40 credentials that have not expired.
pub const LARGEST: usize = 256 * 1024;

/// Reads a record or pin.
///
/// # Errors
/// It is too large, is no YAML, or holds what certctl never writes; `file` and the place are named.
pub fn from_yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    let hint =
        format!("restore it with `git checkout -- {file}`; `git log -p -- {file}` shows who changed it");
    if text.len() > LARGEST {
        return Err(Error::new(format!(
            "{file}: is {} bytes long; no record is longer than {LARGEST}",
            text.len()
        ))
        .hint(hint));
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
        Error::new(format!("{file}{place}: is not as certctl wrote it: {}", error.without_snippet()))
            .hint(hint)
    })
}
