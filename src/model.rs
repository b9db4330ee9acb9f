//! The vocabulary of the domain, parsed once and valid from then on.
//!
//! Every value from outside (roster, records, cluster, command line) becomes one of these types
//! before anything is decided on it. They refuse what Kubernetes, a file system or a reader could
//! misunderstand: reserved prefixes, path characters, look-alike letters.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a cluster, a roster, or a group that bindings are named after.
pub const NAME_LIMIT: usize = 39;

/// The longest name of a user, which is the limit of a CN (RFC 5280, ub-common-name).
pub const USER_NAME_LIMIT: usize = 64;

/// The label that says which program an object belongs to; its value is [`MANAGED_BY`].
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`LABEL_MANAGED_BY`], and the field manager of every write.
pub const MANAGED_BY: &str = "certctl";

/// The label that says which roster an object was created for.
pub const LABEL_ROSTER: &str = "certctl.dev/roster";

/// The label that says which run created a CertificateSigningRequest: that run's watch selects it.
pub const LABEL_RUN: &str = "certctl.dev/run";

/// How the names of all entries begin that `certctl login` writes into a kubeconfig.
pub const LOGIN_PREFIX: &str = "certctl:";

/// Prefixes that Kubernetes or certctl keep for themselves.
const RESERVED: [&str; 3] = ["system:", "certctl:", "kubeadm:cluster-admins"];

/// Why a text is not the value it should be; a half-sentence that follows the value's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// What no name may be: reserved, empty, not ASCII or too long.
fn check_any_name(text: &str, longest: usize) -> Result<(), Invalid> {
    let invalid = |why: String| Err(Invalid(why));
    let begins =
        |reserved: &str| text.get(..reserved.len()).is_some_and(|start| start.eq_ignore_ascii_case(reserved));
    if let Some(reserved) = RESERVED.iter().find(|reserved| begins(reserved)) {
        return invalid(format!("begins with `{reserved}`, which is reserved"));
    }
    if text.is_empty() {
        return invalid("is empty".into());
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii()) {
        return invalid(format!(
            "holds `{}` (U+{:04X}), which is not ASCII and could be taken for another letter",
            c.escape_default(),
            u32::from(c)
        ));
    }
    if text.len() > longest {
        return invalid(format!("is {} characters long; {longest} is the limit", text.len()));
    }
    Ok(())
}

fn check_name(text: &str) -> Result<(), Invalid> {
    check_any_name(text, NAME_LIMIT)?;
    let invalid = |why: String| Err(Invalid(why));
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = |b: u8| edge(b) || b"-._@".contains(&b);
    let bytes = text.as_bytes();
    if !bytes.iter().copied().all(inner) || !edge(bytes[0]) || !edge(bytes[bytes.len() - 1]) {
        return invalid("must match [a-z0-9]([-a-z0-9._@]*[a-z0-9])?".into());
    }
    Ok(())
}

fn check_user_name(text: &str, longest: usize) -> Result<(), Invalid> {
    // `access/<cluster>/cluster.yaml` pins the cluster, so no person may own that file name.
    if text.eq_ignore_ascii_case("cluster") {
        return Err(Invalid("is reserved: access/<cluster>/cluster.yaml pins the cluster".into()));
    }
    check_any_name(text, longest)?;
    let edge = |b: &u8| b.is_ascii_alphanumeric();
    let inner = |b: u8| edge(&b) || b"-._@+".contains(&b);
    let bytes = text.as_bytes();
    if bytes.iter().copied().all(inner) && bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge) {
        return Ok(());
    }
    Err(Invalid("must match [A-Za-z0-9]([-A-Za-z0-9._@+]*[A-Za-z0-9])?".into()))
}

/// Text that was checked on the way in: `FromStr`, `Display`, serde as a string.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let check: fn(&str) -> Result<(), Invalid> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse()
                    .map_err(|why| serde::de::Error::custom(format!("`{}` {why}", text.escape_default())))
            }
        }
    };
}

mod credential_group;
pub mod route;

pub use credential_group::{CredentialGroup, Holder};

checked_text!(
    /// A person: the CN of their certificates and the name of their files under `access/`.
    UserName,
    |text| check_user_name(text, USER_NAME_LIMIT)
);
checked_text!(
    /// A group of the roster; with `inCertificate`, also an O of its members' certificates. One that
    /// [is not plain](GroupName::is_plain) can be nothing else: it is no part of the name of a binding.
    GroupName,
    |text| {
        check_any_name(text, 64)?;
        let edge = |b: &u8| b.is_ascii_alphanumeric();
        let inner = |b: u8| edge(&b) || b"-._@+:/".contains(&b);
        // Keycloak's groups begin with a slash.
        let bytes = text.strip_prefix('/').unwrap_or(text).as_bytes();
        if bytes.iter().copied().all(inner) && bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge) {
            return Ok(());
        }
        Err(Invalid("must match /?[A-Za-z0-9]([-A-Za-z0-9._@+:/]*[A-Za-z0-9])?".into()))
    }
);
checked_text!(
    /// A cluster of the roster, and its folder under `access/`.
    ClusterName,
    check_name
);
checked_text!(
    /// The roster's own name: the owner label of every object that is created for it. It is part
    /// of the names of CertificateSigningRequests and of the Lease, and a label's value, so it holds
    /// only what Kubernetes takes in all three: no `.`, `_` or `@`.
    RosterName,
    |text| {
        check_name(text)?;
        if text.contains(['.', '_', '@']) {
            return Err(Invalid(
                "holds `.`, `_` or `@`; a roster's name must match [a-z0-9]([-a-z0-9]*[a-z0-9])?, since it becomes a label and part of object names".into(),
            ));
        }
        Ok(())
    }
);
checked_text!(
    /// A namespace: an RFC 1123 label, as Kubernetes validates it.
    Namespace,
    |text| {
        let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = !bytes.is_empty()
            && bytes.len() <= 63
            && bytes.iter().all(|&b| edge(b) || b == b'-')
            && edge(bytes[0])
            && edge(bytes[bytes.len() - 1]);
        if valid {
            Ok(())
        } else {
            Err(Invalid("is no namespace name: at most 63 of [a-z0-9-], beginning and ending in [a-z0-9]".into()))
        }
    }
);
checked_text!(
    /// The name of a Role or ClusterRole: a path segment, as Kubernetes validates RBAC names.
    RoleName,
    |text| {
        // This prefix in a binding's name distinguishes a Role's binding from a ClusterRole's.
        if text.starts_with("role=") {
            return Err(Invalid("begins with `role=`, which certctl uses in the names of its bindings".into()));
        }
        let valid = !text.is_empty()
            && text.len() <= 150
            && text != "."
            && text != ".."
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'%');
        if valid {
            Ok(())
        } else {
            Err(Invalid("is no role name: at most 150 visible ASCII characters without `/` and `%`".into()))
        }
    }
);
/// The signer whose certificates the API server takes for users.
pub const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

checked_text!(
    /// The signer of client certificates, e.g. [`CLIENT_SIGNER`].
    SignerName,
    |text| {
        let valid = text.len() <= 571
            && text.split_once('/').is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./_:".contains(&b));
        if valid {
            Ok(())
        } else {
            Err(Invalid("is no signer name of the form `domain/path`".into()))
        }
    }
);
checked_text!(
    /// A path inside the repository, relative to the roster's folder, with `/` between its parts.
    RepoPath,
    |text| {
        let invalid = |why: &str| Err(Invalid(why.into()));
        if text.is_empty() || text.len() > 255 {
            return invalid("must be 1 to 255 characters long");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b':') {
            return invalid("may hold only visible ASCII characters without `\\` and `:`");
        }
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return invalid("leaves the repository");
        }
        if text.split('/').any(|part| part.is_empty() || part == "." || part.eq_ignore_ascii_case(".git")) {
            return invalid("has an empty, `.` or `.git` part");
        }
        Ok(())
    }
);
checked_text!(
    /// The short name of a branch, `main` of `refs/heads/main`.
    BranchName,
    |text| {
        let invalid = |why: &str| Err(Invalid(why.into()));
        if text.is_empty() || text.len() > 255 {
            return invalid("must be 1 to 255 characters long");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"~^:?*[\\".contains(&b)) {
            return invalid("may hold only visible ASCII characters without `~^:?*[\\`");
        }
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        if text.starts_with('-') || text.ends_with('.') || text.contains("..") || text.contains("@{") {
            return invalid("is no name of a branch");
        }
        if text.starts_with("refs/") || !text.split('/').all(part) {
            return invalid("is no short name of a branch, such as `main`");
        }
        Ok(())
    }
);
checked_text!(
    /// The first 16 hex digits of SHA-256 over the public key (DER SubjectPublicKeyInfo).
    CredentialId,
    |text| {
        if text.len() == 16 && is_lower_hex(text) {
            Ok(())
        } else {
            Err(Invalid("is no credential id: 16 lower-case hex digits".into()))
        }
    }
);

checked_text!(
    /// What ties a roster's name to its repository on a cluster: 32 random hex digits.
    RosterId,
    |text| {
        if text.len() == 32 && is_lower_hex(text) {
            Ok(())
        } else {
            Err(Invalid("is no roster id: 32 lower-case hex digits".into()))
        }
    }
);
checked_text!(
    /// The full hash of a commit, of a SHA-1 or a SHA-256 repository.
    CommitHash,
    |text| {
        if [40, 64].contains(&text.len()) && is_lower_hex(text) {
            Ok(())
        } else {
            Err(Invalid("is no commit: 40 or 64 lower-case hex digits".into()))
        }
    }
);

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl GroupName {
    /// Whether bindings can be named after it.
    ///
    /// # Errors
    /// Why not.
    pub fn is_plain(&self) -> Result<(), Invalid> {
        check_name(&self.0)
    }
}

impl CredentialId {
    /// The id of a public key, given as DER SubjectPublicKeyInfo.
    pub fn of_public_key(spki: &[u8]) -> Self {
        Self(hex(&sha256(spki)[..8]))
    }
}

/// The kind of key that is generated for a user.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// NIST P-256, the default: small, fast, known to every client.
    #[default]
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// NIST P-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// RSA with 4096 bits; takes a second or more to generate.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa4096 => "rsa-4096",
        })
    }
}

/// Where the key of a credential comes from; `B` is what is known of one that its owner brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource<B> {
    /// Made by certctl, sealed, wiped.
    Made(KeyType),
    /// Its private half stays with its owner.
    Brought(B),
}

impl<B> KeySource<B> {
    /// The kind of key that certctl generates; `None` if its owner brings one.
    pub fn made(&self) -> Option<KeyType> {
        match self {
            Self::Made(key) => Some(*key),
            Self::Brought(_) => None,
        }
    }
}

/// CA certificates in their one normal form: PEM without comments, each certificate once, in one order. Two
/// bundles with the same certificates are equal, however they were written. Only `pki` creates one.
#[derive(Debug, Clone)]
pub struct CaBundle {
    pem: String,
    spellings: BTreeSet<String>,
}

impl CaBundle {
    /// Takes the normal form, and the text that it was read from.
    pub fn in_normal_form(pem: String, written: &[u8]) -> Self {
        let spellings = BTreeSet::from([hex(&sha256(pem.as_bytes())), hex(&sha256(written))]);
        Self { pem, spellings }
    }

    /// PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the normal form, lower-case hex.
    pub fn sha256(&self) -> String {
        hex(&sha256(self.pem.as_bytes()))
    }

    /// Whether a text with this SHA-256 is known to hold the same certificates.
    pub fn is_spelled(&self, sha256: &str) -> bool {
        self.spellings.contains(sha256)
    }

    /// With what is known of how another bundle with the same certificates is written.
    #[must_use]
    pub fn also_spelled_as(mut self, other: &Self) -> Self {
        if self == *other {
            self.spellings.extend(other.spellings.iter().cloned());
        }
        self
    }
}

impl PartialEq for CaBundle {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for CaBundle {}

/// What the certificate of an API server is verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// The roots that the system trusts.
    System,
    /// These certificates, and no others.
    Bundle(CaBundle),
}

impl Authority {
    /// The certificates, where they are named.
    pub fn bundle(&self) -> Option<&CaBundle> {
        match self {
            Self::System => None,
            Self::Bundle(bundle) => Some(bundle),
        }
    }
}

/// An age public key that a kubeconfig is sealed to, in its one normal form: no comment, single
/// spaces. Only `seal` creates one from other text, because only age can tell whether it is a key. What is read
/// back from a record was accepted when it was sealed to; nothing is ever sealed to it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Recipient(String);

impl Recipient {
    /// Takes text that age has accepted as a recipient.
    pub fn accepted_by_age(normal_form: String) -> Self {
        Self(normal_form)
    }

    /// The normal form, as it is written into records.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
        if !text.split(' ').all(is_word) {
            let shown = text.escape_default();
            return Err(serde::de::Error::custom(format!("`{shown}` is no recipient in its normal form")));
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who a commit is by, as git writes it: `Name <mail>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    name: String,
    email: String,
}

impl Author {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The e-mail address.
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl FromStr for Author {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid("is not of the form `Name <mail@example.com>`".into());
        let (name, rest) = text.trim().split_once('<').ok_or_else(wrong)?;
        let (name, email) = (name.trim(), rest.strip_suffix('>').ok_or_else(wrong)?);
        // What git would silently leave out, or take for the end of a line.
        let clean = |text: &str| !text.contains(|c: char| c.is_control() || c == '<' || c == '>');
        let says_something = |text: &str| text.contains(char::is_alphanumeric);
        let mail = clean(email) && says_something(email) && !email.contains(char::is_whitespace);
        if !(mail && clean(name) && says_something(name)) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), email: email.to_owned() })
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// A file, of those that are read together: a roster comes before its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileNumber(u32);

impl FileNumber {
    /// The roster itself, or a file that is read alone.
    pub const FIRST: Self = Self(0);

    /// The one after so many others.
    pub fn after(others: usize) -> Self {
        Self(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// How many come before it.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A place in a file: line and column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// In which file.
    pub file: FileNumber,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Which role a grant gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RoleRef {
    /// A ClusterRole.
    ClusterRole(RoleName),
    /// A Role of the namespace that it is granted in.
    Role(RoleName),
}

impl RoleRef {
    /// `ClusterRole` or `Role`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ClusterRole(_) => "ClusterRole",
            Self::Role(_) => "Role",
        }
    }

    /// The role's name.
    pub fn name(&self) -> &RoleName {
        match self {
            Self::ClusterRole(name) | Self::Role(name) => name,
        }
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_ascii_and_not_reserved() {
        // The last ones as Google, QQ and a directory give them.
        for good in [
            "alice",
            "a",
            "prabesh-thapa",
            "a.b@c-1",
            "0",
            "Ann.Lee+k8s@Example.com",
            "a_b",
            &"a".repeat(64),
            "j.doe+ci-bot_2@team.example.co.uk",
            "1234567890@example.com",
            "ALEE",
        ] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("System:admin", "reserved"),
            ("Cluster", "reserved"),
            ("+a", "must match"),
            ("-a", "must match"),
            ("a-", "must match"),
            ("a b", "must match"),
            ("a/b", "must match"),
            ("..", "must match"),
            ("system:admin", "reserved"),
            ("certctl:x", "reserved"),
            ("kubeadm:cluster-admins", "reserved"),
            ("аlice", "U+0430"),
            ("cluster", "reserved"),
            ("ann_example.com#EXT#@tenant.example.com", "must match"),
            ("o'neil@example.com", "must match"),
            ("CORP\\ann", "must match"),
            ("System:Masters", "reserved"),
            ("KUBEADM:cluster-admins", "reserved"),
            ("Certctl:ann", "reserved"),
            (&"a".repeat(65), "64 is the limit"),
        ] {
            let error = bad.parse::<UserName>().expect_err(bad);
            assert!(error.0.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn a_group_may_be_called_as_clusters_bind_it_but_not_all_of_them_can_be_bound_by_name() {
        // The last four as Google, Entra and Keycloak give them, with the API server's prefix and without.
        for good in [
            "developers",
            "oidc:Developers",
            "team/payments",
            "dev@example.com",
            "6dae42f8-4368-4678-94ff-3960e28e3630",
            "oidc:/team/payments",
            "/payments",
            &"G".repeat(64),
        ] {
            let group: GroupName = good.parse().expect(good);
            let plain = good.chars().all(|c| !"/:G".contains(c));
            assert_eq!(group.is_plain().is_ok(), plain, "{good}");
        }
        for bad in [
            "system:masters",
            "System:masters",
            "certctl:a:b",
            "kubeadm:cluster-admins",
            ":a",
            "a/",
            "a b",
            "a%2f",
            "/",
            "//a",
            "CN=dev,OU=Groups",
            "Domain Users",
            "SYSTEM:MASTERS",
            &"G".repeat(65),
        ] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_roster_name_is_valid_in_labels_and_object_names() {
        assert!("acme-1".parse::<RosterName>().is_ok());
        for bad in ["a.b", "a_b", "a@b", "Acme", ""] {
            assert!(bad.parse::<RosterName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_author_is_a_name_and_an_email_address() {
        let author: Author = " Ada  Lovelace <ada@example.com>".parse().expect("an author");
        assert_eq!((author.name(), author.email()), ("Ada  Lovelace", "ada@example.com"));
        let bot = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>";
        assert_eq!(bot.parse::<Author>().expect("an author").to_string(), bot);
        for bad in [
            "",
            "Ada",
            "ada@example.com",
            "<ada@example.com>",
            "... <ada@example.com>",
            "Ada <>",
            "Ada <a b@example.com>",
            "Ada <ada@example.com> x",
            "Ada <<ada@example.com>>",
            "Ada\nparent 0 <ada@example.com>",
            "Ada <ada@example.com\n>",
        ] {
            assert!(bad.parse::<Author>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_stay_in_the_repository() {
        for good in ["clusters/prod.crt", "a", "a/b.c/d"] {
            assert!(good.parse::<RepoPath>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a//b",
            "./a",
            ".git/config",
            "a/.GIT/x",
            "a\\b",
            "a\nb",
            "c:x",
        ] {
            assert!(bad.parse::<RepoPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn branches_are_named_as_git_allows_it() {
        for good in ["main", "release/1.2", "users/ann@acme", "@"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-f",
            "a..b",
            "a b",
            "a\u{202e}",
            "refs/heads/main",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a.lock",
            "a@{0}",
            "a~1",
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
    }
}
