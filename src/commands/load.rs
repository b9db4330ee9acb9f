//! Reads what commands work on: the roster, the records, the clusters.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::clock;
use crate::cli::Global;
use crate::cluster::{self, Connection};
use crate::error::{Error, Result};
use crate::model::{ClusterName, CredentialGroup, RosterName, UserName, hex, sha256};
use crate::pki::{self, Certificate};
use crate::plan::observed::is_ours;
use crate::plan::{BroughtKey, Observed, people};
use crate::record::{self, API_VERSION, ClusterPin, Credential, Record, State};
use crate::render::count;
use crate::roster::{self, Cluster, Roster};
use crate::seal;

/// The largest CA bundle, PKCS#10 file or sealed kubeconfig, in bytes.
const LARGEST_FILE: u64 = 256 * 1024;

/// The longest roster, in bytes, that is always read whole: some 500 people.
const SHORT_ROSTER: usize = 64 * 1024;

/// The roster and where it lies.
pub struct Source {
    /// As the user named it, for messages.
    pub file: String,
    /// The folder that `access/` and the roster's own paths are relative to.
    pub folder: PathBuf,
    /// The text.
    pub text: String,
    /// What it says.
    pub roster: Roster,
}

/// # Errors
/// The roster cannot be read, or is not valid.
pub fn roster(global: &Global) -> Result<Source> {
    let file = global.roster.display().to_string();
    let bytes = read(&global.roster, roster::SIZE_LIMIT as u64).map_err(|cause| {
        Error::new(format!("{file} could not be read; nothing was done"))
            .caused_by(cause)
            .hint("run certctl in the folder of the roster, or name it with `--roster FILE`")
    })?;
    let text = roster::text(&file, &bytes)?.to_owned();
    let roster = roster::parse(&file, &text, &seal::parse_recipient)?;
    for name in &global.clusters {
        if !roster.clusters.contains_key(name) {
            let known: Vec<&str> = roster.clusters.keys().map(ClusterName::as_str).collect();
            return Err(Error::usage(format!("--cluster {name}: {file} has no such cluster"))
                .hint(format!("it has {}", known.join(", "))));
        }
    }
    Ok(Source { file, folder: folder_of(&global.roster), text, roster })
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// As [`roster()`], where one person is enough: of a long roster only what is about them is read, so
/// that a credential plugin costs milliseconds. What is wrong elsewhere in it is not found.
///
/// # Errors
/// As [`roster()`], for the whole of it, where the part cannot be read.
pub fn roster_about(global: &Global, user: &UserName) -> Result<Source> {
    let part = || {
        let bytes = read(&global.roster, roster::SIZE_LIMIT as u64).ok()?;
        let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() > SHORT_ROSTER)?;
        let file = global.roster.display().to_string();
        let text = roster::excerpt::about(text, user.as_str())?;
        let roster = roster::parse(&file, &text, &seal::parse_recipient).ok()?;
        let whole = roster.users.contains_key(user)
            && global.clusters.iter().all(|cluster| roster.clusters.contains_key(cluster));
        whole.then(|| Source { file, folder: folder_of(&global.roster), text, roster })
    };
    part().map_or_else(|| self::roster(global), Ok)
}

impl Source {
    /// The clusters that the command is about.
    pub fn clusters<'a>(
        &'a self,
        global: &'a Global,
    ) -> impl Iterator<Item = (&'a ClusterName, &'a Cluster)> {
        let wanted = |name: &ClusterName| global.clusters.is_empty() || global.clusters.contains(name);
        self.roster.clusters.iter().filter(move |(name, _)| wanted(name))
    }

    /// Everything that the repository knows of one cluster.
    ///
    /// # Errors
    /// Every record that is not as certctl wrote it.
    pub fn repository(&self, name: &ClusterName) -> Result<Observed> {
        let mut observed = Observed::default();
        let mut errors = Vec::new();
        let folder = self.folder.join("access").join(name.as_str());
        let shown = |file: &str| format!("access/{name}/{file}");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // No credential was ever issued there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.brought_keys(name, observed);
            }
            Err(error) => {
                return Err(Error::new(format!("access/{name} could not be read; nothing was planned"))
                    .caused_by(error));
            }
        };
        for entry in entries {
            let entry = entry.map_err(|e| {
                Error::new(format!("access/{name} could not be read; nothing was planned")).caused_by(e)
            })?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let bytes = || {
                read(&entry.path(), LARGEST_FILE)
                    .map_err(|e| Error::new(format!("{} could not be read", shown(&file))).caused_by(e))
            };
            let user = |stem: &str| {
                stem.parse::<UserName>()
                    .map_err(|why| Error::new(format!("{}: the file's name {why}", shown(&file))))
            };
            let read_one = || -> Result<Option<(UserName, Entry)>> {
                if file == "cluster.yaml" {
                    return Ok(None);
                } else if let Some(stem) = file.strip_suffix(".kubeconfig.age") {
                    return Ok(Some((user(stem)?, Entry::Sealed(hex(&sha256(&bytes()?))))));
                } else if let Some(stem) = file.strip_suffix(".yaml") {
                    let user = user(stem)?;
                    let record = parse_record(&shown(&file), &bytes()?, name, &user)?;
                    return Ok(Some((user, Entry::Record(record))));
                }
                Ok(None)
            };
            match read_one() {
                Ok(Some((user, Entry::Record(record)))) => drop(observed.records.insert(user, record)),
                Ok(Some((user, Entry::Sealed(digest)))) => drop(observed.sealed.insert(user, digest)),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        errors.sort_by(|a, b| a.message().cmp(b.message()));
        match self.pin(name) {
            Ok(pin) => observed.pinned_uid = pin.map(|pin| pin.uid),
            Err(error) => errors.push(error),
        }
        match Error::all(errors) {
            Some(error) => Err(error),
            None => self.brought_keys(name, observed),
        }
    }

    /// One person's record on one cluster; `None` where there is none.
    ///
    /// # Errors
    /// It is not as certctl wrote it.
    pub fn record(&self, cluster: &ClusterName, user: &UserName) -> Result<Option<Record>> {
        let file = format!("access/{cluster}/{user}.yaml");
        self.read(&file)?.map(|bytes| parse_record(&file, &bytes, cluster, user)).transpose()
    }

    /// A file beside the roster, such as a sealed kubeconfig; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>> {
        match read(&self.folder.join(file), LARGEST_FILE) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(format!("{file} could not be read")).caused_by(error)),
        }
    }

    /// Refuses records of clusters that the roster does not list (any more): nobody would take that
    /// access away, and nobody would be told.
    ///
    /// # Errors
    /// Each folder under `access/` that holds credentials which still are bound somewhere.
    pub fn refuse_forgotten_clusters(&self) -> Result<()> {
        let unreadable = |error| Error::new("access/ could not be read; nothing was done").caused_by(error);
        let folders = match fs::read_dir(self.folder.join("access")) {
            Ok(folders) => folders,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut errors = Vec::new();
        for folder in folders {
            let name = folder.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
            let Ok(name) = name.parse::<ClusterName>() else { continue };
            if self.roster.clusters.contains_key(&name) {
                continue;
            }
            let records = self.repository(&name)?.records;
            let credentials = records.values().flat_map(|record| &record.credentials);
            let bound =
                credentials.filter(|c| c.state != State::Revoked && c.not_after > clock::now()).count();
            if bound > 0 {
                errors.push(
                    Error::new(format!(
                        "access/{name} holds {}, and {} lists no cluster `{name}`, so their access would remain; nothing was done",
                        count(bound, "credential"),
                        self.file
                    ))
                    .hint(format!("list `{name}` again, leave it out of everyone's `clusters:`, apply, and remove it then"))
                    .hint(format!("if the cluster does not exist any more: `git rm -r access/{name}`, and commit")),
                );
            }
        }
        Error::all(errors).map_or(Ok(()), Err)
    }

    fn pin(&self, name: &ClusterName) -> Result<Option<ClusterPin>> {
        let file = format!("access/{name}/cluster.yaml");
        let Some(bytes) = self.read(&file)? else { return Ok(None) };
        let pin: ClusterPin = record::from_yaml(&file, &utf8(&file, &bytes)?)?;
        if pin.api_version != API_VERSION || pin.kind != "Cluster" || pin.name != *name {
            return Err(record::changed(&file, format!("is not about cluster `{name}`")));
        }
        if pin.roster != self.roster.name {
            return Err(Error::new(format!(
                "{file}: these are the records of roster `{}`, not of `{}`; nothing was done",
                pin.roster, self.roster.name
            ))
            .hint("give each roster a folder of its own, with its own access/ beside it")
            .hint(format!(
                "if `metadata.name` was changed, change it back to `{}`: what was made under that name belongs to it",
                pin.roster
            )));
        }
        Ok(Some(pin))
    }

    fn brought_keys(&self, name: &ClusterName, mut observed: Observed) -> Result<Observed> {
        let mut errors = Vec::new();
        for (user_name, user) in self.roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
            let Some(path) = &user.csr else { continue };
            let place = format!("{}:{}", self.file, user.position);
            let brought = read(&self.folder.join(path.as_str()), LARGEST_FILE)
                .map_err(|cause| {
                    Error::new(format!("{place}: {path}, user `{user_name}`'s csr, could not be read"))
                        .caused_by(cause)
                })
                .and_then(|bytes| brought_key(&place, user_name, &self.roster, user, &bytes));
            match brought {
                Ok(brought) => drop(observed.brought_keys.insert(user_name.clone(), brought)),
                Err(error) => errors.push(error),
            }
        }
        Error::all(errors).map_or(Ok(observed), Err)
    }
}

enum Entry {
    Record(Record),
    Sealed(String),
}

fn utf8(file: &str, bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|cause| Error::new(format!("{file}: is not UTF-8 text")).caused_by(cause))
}

/// Reads at most `limit` bytes; a longer file, or one that is no file, is an error.
fn read(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for someone to write into it.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// A record, checked against the certificates that it holds.
fn parse_record(file: &str, bytes: &[u8], cluster: &ClusterName, user: &UserName) -> Result<Record> {
    let record: Record = record::from_yaml(file, &utf8(file, bytes)?)?;
    let wrong = |what: String| record::changed(file, what);
    if record.api_version != API_VERSION || record.kind != "Record" {
        return Err(wrong(format!("is {} {}, not {API_VERSION} Record", record.api_version, record.kind)));
    }
    if record.cluster != *cluster || record.user != *user {
        return Err(wrong(format!("is about {} on {}", record.user, record.cluster)));
    }
    for (index, credential) in record.credentials.iter().enumerate() {
        if record.credentials[..index].iter().any(|earlier| earlier.id == credential.id) {
            return Err(wrong(format!("holds credential {} twice", credential.id)));
        }
        check_credential(user, credential).map_err(wrong)?;
    }
    Ok(record)
}

/// What the record says of a certificate must be what the certificate says.
fn check_credential(user: &UserName, credential: &Credential) -> Result<(), String> {
    let id = &credential.id;
    let certificate = Certificate::from_pem(credential.certificate.as_bytes())
        .map_err(|error| format!("credential {id}: {}", error.message()))?;
    let group = CredentialGroup { user: user.clone(), id: id.clone() };
    let mut organizations: Vec<String> = vec![group.to_string()];
    organizations.extend(credential.in_certificate_groups.iter().map(ToString::to_string));
    let mut held = certificate.organizations.clone();
    organizations.sort();
    held.sort();
    for (what, same) in [
        ("id", certificate.credential_id == *id),
        ("serial", certificate.serial == credential.serial),
        ("x509SHA256", certificate.sha256 == credential.x509_sha256),
        ("notBefore", certificate.not_before == credential.not_before),
        ("notAfter", certificate.not_after == credential.not_after),
        ("user", certificate.common_name.as_deref() == Some(user.as_str())),
        ("groups", held == organizations),
    ] {
        if !same {
            return Err(format!("credential {id}: its {what} is not that of its certificate"));
        }
    }
    Ok(())
}

fn brought_key(
    place: &str,
    name: &UserName,
    roster: &Roster,
    user: &roster::User,
    bytes: &[u8],
) -> Result<BroughtKey> {
    let path = user.csr.as_ref().map_or("", |path| path.as_str());
    let groups = people::in_certificate_groups(roster, user, clock::now());
    let checked = pki::check_brought_request(bytes, name, &groups)
        .map_err(|error| error.within(&format!("{place}: {path}")))?;
    Ok(BroughtKey { id: checked.id, csr_sha256: checked.sha256, request: checked.pem })
}

/// A cluster that was reached and, once [`Reached::read`] has run, read.
pub struct Reached {
    /// The way there.
    pub connection: Connection,
    /// What is known of it.
    pub observed: Observed,
    /// The CA for kubeconfigs.
    pub certificate_authority: Option<Vec<u8>>,
}

impl Reached {
    /// Reads the cluster.
    ///
    /// # Errors
    /// A list that failed.
    pub async fn read(mut self, roster: &RosterName) -> Result<Self> {
        self.observed.state = cluster::observe(&self.connection).await?;
        let requests = &self.observed.state.requests;
        if requests.iter().any(|request| is_ours(&request.labels, roster)) {
            self.observed.identity = Some(cluster::whoami(&self.connection).await?);
        }
        Ok(self)
    }
}

/// Reads what the repository knows of a cluster, and connects to it.
///
/// # Errors
/// There is no way there, or its records are not as certctl wrote them.
pub async fn reach(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    wanted: &Cluster,
) -> Result<Reached> {
    let mut observed = source.repository(name)?;
    let connection = Connection::open(global.kubeconfig.as_deref(), &wanted.context).await?;
    let certificate_authority = match &wanted.certificate_authority {
        Some(path) => Some(certificate_authority(source, wanted, path.as_str())?),
        None => connection.certificate_authority().map(<[u8]>::to_vec),
    };
    if certificate_authority.is_none() && connection.insecure() {
        return Err(Error::new(format!(
            "cluster `{name}`: context `{}` skips the verification of the server, so its kubeconfigs would have no CA; nothing was planned",
            wanted.context
        ))
        .hint(format!("name the server's CA with `certificateAuthority:` of cluster `{name}` in {}", source.file)));
    }
    observed.server = wanted.server.clone().unwrap_or_else(|| connection.server().to_owned());
    observed.certificate_authority_sha256 = certificate_authority.as_ref().map(|ca| hex(&sha256(ca)));
    Ok(Reached { connection, observed, certificate_authority })
}

/// The CA that the roster names.
pub fn certificate_authority(source: &Source, cluster: &Cluster, path: &str) -> Result<Vec<u8>> {
    let place = format!("{}:{}", source.file, cluster.position);
    let pem = read(&source.folder.join(path), LARGEST_FILE).map_err(|cause| {
        Error::new(format!("{place}: certificateAuthority {path} could not be read")).caused_by(cause)
    })?;
    pki::check_authority(&pem)
        .map_err(|error| error.within(&format!("{place}: certificateAuthority {path}")))?;
    Ok(pem)
}
