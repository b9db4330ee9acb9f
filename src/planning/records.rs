//! What the repository knows of the clusters: records, sealed files, pins and brought keys, each
//! checked before anything is decided on it.

use super::source::{LARGEST_FILE, Source};
use crate::clock;
use crate::error::{Error, Result, visible_line};
use crate::model::{Authority, ClusterName, CredentialGroup, Invalid, Position, UserName, hex, sha256};
use crate::pki::{self, Certificate};
use crate::plan::endpoint::Endpoint;
use crate::plan::observed::{FileKind, RefusedFile};
use crate::plan::{BroughtKey, RepositoryState, credentials};
use crate::record::{self, API_VERSION, ClusterPin, Credential, CredentialState, PinnedEndpoint, Record};
use crate::record_folder::{PIN_FILE, RECORDS, RecordFolder, SEALED_SUFFIX};
use crate::render::{count, words};
use crate::roster::{self, Roster};

impl Source {
    /// Everything that the repository knows of one cluster, with the keys that users brought.
    ///
    /// # Errors
    /// It cannot tell which cluster its records are about.
    pub fn known(&self, name: &ClusterName) -> Result<RepositoryState> {
        let mut repository = self.repository(name)?;
        self.brought_keys(name, &mut repository);
        Ok(repository)
    }

    /// What the repository remembers of one cluster. A file about one person that cannot be believed holds
    /// up that person only.
    ///
    /// # Errors
    /// It cannot tell which cluster its records are about.
    pub fn repository(&self, name: &ClusterName) -> Result<RepositoryState> {
        let mut repository = RepositoryState::default();
        // Without that folder no credential was ever issued there.
        let folder = RecordFolder(name);
        let Some(files) = self.files.list(&folder.to_string())? else { return Ok(repository) };
        for file in files {
            let path = format!("{folder}/{file}");
            let bytes = || (self.files.read(&path, LARGEST_FILE)).map_err(|cause| unreadable(&path, cause));
            let user = |stem: &str| stem.parse::<UserName>().map_err(|why| misnamed(folder, &file, why));
            let read_one = || -> Result<Option<(UserName, FolderEntry)>> {
                if file == PIN_FILE {
                    return Ok(None);
                } else if let Some(stem) = file.strip_suffix(SEALED_SUFFIX) {
                    return Ok(Some((user(stem)?, FolderEntry::Sealed(hex(&sha256(&bytes()?))))));
                } else if let Some(stem) = file.strip_suffix(".yaml") {
                    let user = user(stem)?;
                    let record = parse_record(&path, &bytes()?, name, &user)?;
                    return Ok(Some((user, FolderEntry::Record(record))));
                }
                Ok(None)
            };
            match read_one() {
                Ok(Some((user, FolderEntry::Record(record)))) => {
                    drop(repository.records.insert(user, record))
                }
                Ok(Some((user, FolderEntry::Sealed(digest)))) => drop(repository.sealed.insert(user, digest)),
                Ok(None) => {}
                Err(error) => {
                    // Not of one person alone: what is not understood must cut nobody off.
                    let text = bytes().ok().and_then(|bytes| String::from_utf8(bytes).ok());
                    if let Some(newer) = text.and_then(|text| record::newer(&path, &text)) {
                        return Err(newer);
                    }
                    let (kind, stem) = match file.strip_suffix(SEALED_SUFFIX) {
                        Some(stem) => (FileKind::Sealed, stem),
                        None => (FileKind::Record, file.trim_end_matches(".yaml")),
                    };
                    repository.refused_files.push(refused(kind, stem.parse().ok(), None, &error));
                }
            }
        }
        repository.refused_files.sort_by(|a, b| a.message.cmp(&b.message));
        match self.pin(name)? {
            None if !repository.records.is_empty() => Err(
                Error::new(format!(
                    "{folder} holds records but no {PIN_FILE}, so nobody can tell which cluster they are about; nothing was done"
                ))
                .hint(format!("`git log -- {}` shows who removed it; restore it from there", folder.pin()))
                .hint(format!("to begin anew there, `git rm -r {folder}` and commit: everyone gets new credentials")),
            ),
            None => Ok(repository),
            Some(ClusterPin { uid, branch, roster_id, endpoint, .. }) => {
                let pinned_endpoint = endpoint.map(|endpoint| pinned_endpoint(name, endpoint)).transpose()?;
                let pinned_uid = Some(uid);
                Ok(RepositoryState { pinned_uid, pinned_endpoint, branch, roster_id, ..repository })
            }
        }
    }

    /// One person's record on one cluster; `None` where there is none.
    ///
    /// # Errors
    /// It is not as certctl wrote it.
    pub fn record(&self, cluster: &ClusterName, user: &UserName) -> Result<Option<Record>> {
        let file = RecordFolder(cluster).record(user);
        self.read(&file)?.map(|bytes| parse_record(&file, &bytes, cluster, user)).transpose()
    }

    /// Refuses records of clusters that the roster does not list (any more): nobody would take that
    /// access away, and nobody would be told.
    ///
    /// # Errors
    /// Each folder under `access/` that holds credentials which still are bound somewhere.
    pub fn refuse_forgotten_clusters(&self) -> Result<()> {
        let mut errors = Vec::new();
        for name in self.files.list(RECORDS)?.unwrap_or_default() {
            let Ok(name) = name.parse::<ClusterName>() else { continue };
            if self.roster.clusters.contains_key(&name) {
                continue;
            }
            let RepositoryState { records, refused_files, .. } = self.repository(&name)?;
            errors.extend(words::refused_files(&self.roster.files, &name, &refused_files));
            let credentials = records.values().flat_map(|record| &record.credentials);
            let bound = credentials
                .filter(|c| c.state != CredentialState::Revoked && c.not_after > clock::now())
                .count();
            if bound > 0 {
                let folder = RecordFolder(&name);
                errors.push(
                    Error::new(format!(
                        "{folder} holds {}, and {} lists no cluster `{name}`, so their access would remain; nothing was done",
                        count(bound, "credential"),
                        self.file
                    ))
                    .hint(format!("list `{name}` again, leave it out of everyone's `clusters:`, apply, and remove it then"))
                    .hint(format!("if the cluster does not exist any more: `git rm -r {folder}`, and commit")),
                );
            }
        }
        Error::all(errors).map_or(Ok(()), Err)
    }

    /// Which cluster the records are about, and where its kubeconfigs lead; `None` before the first apply.
    ///
    /// # Errors
    /// It is not as certctl wrote it, or of another roster.
    pub fn pin(&self, name: &ClusterName) -> Result<Option<ClusterPin>> {
        let file = RecordFolder(name).pin();
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

    /// Adds the keys that users of this cluster brought: who brings a wrong one gets nothing new, and holds
    /// up nobody else.
    fn brought_keys(&self, name: &ClusterName, repository: &mut RepositoryState) {
        for (user_name, user) in self.roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
            let Some(path) = &user.csr else { continue };
            let brought = (self.files.read(path.as_str(), LARGEST_FILE))
                .map_err(|cause| {
                    Error::new(format!("{path}, user `{user_name}`'s csr, could not be read"))
                        .caused_by(cause)
                })
                .and_then(|bytes| brought_key(name, user_name, &self.roster, user, &bytes));
            match brought {
                Ok(brought) => drop(repository.brought_keys.insert(user_name.clone(), brought)),
                Err(error) => {
                    let position = Some(user.position);
                    let file = refused(FileKind::Request, Some(user_name.clone()), position, &error);
                    repository.refused_files.push(file);
                }
            }
        }
    }
}

/// # Errors
/// What it pins as a CA is none.
fn pinned_endpoint(name: &ClusterName, pinned: PinnedEndpoint) -> Result<Endpoint> {
    let PinnedEndpoint { server, certificate_authority } = pinned;
    let bundle =
        certificate_authority.map(|pem| pki::ca_bundle(pem.as_bytes())).transpose().map_err(|error| {
            record::changed(&RecordFolder(name).pin(), format!("certificateAuthority {error}"))
        })?;
    Ok(Endpoint { server, authority: bundle.map_or(Authority::System, Authority::Bundle) })
}

enum FolderEntry {
    Record(Record),
    Sealed(String),
}

/// What is wrong with a file, without the error's type: a plan holds data only.
fn refused(kind: FileKind, user: Option<UserName>, position: Option<Position>, error: &Error) -> RefusedFile {
    let facts: Vec<String> = [error.message().to_owned()].into_iter().chain(error.causes()).collect();
    RefusedFile { kind, user, position, message: facts.join(": "), hints: error.hints().to_vec() }
}

fn unreadable(file: &str, cause: std::io::Error) -> Error {
    Error::new(format!("{file} could not be read")).caused_by(cause).hint(record::how_to_restore(file))
}

/// What has no user's name cannot be certctl's. The hint leaves that name out: a command is copied into
/// a shell, and the name is whatever somebody chose.
fn misnamed(folder: RecordFolder<'_>, file: &str, why: Invalid) -> Error {
    Error::new(format!("{folder}/{}: the file's name {why}", visible_line(file))).hint(format!(
        "certctl wrote no such file: `git log --stat -- {folder}` shows who added it; remove it"
    ))
}

fn utf8(file: &str, bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|cause| record::changed(file, "is not UTF-8 text").caused_by(cause))
}

/// A record, checked against the certificates that it holds.
///
/// # Errors
/// It is not as certctl wrote it.
pub(super) fn parse_record(
    file: &str,
    bytes: &[u8],
    cluster: &ClusterName,
    user: &UserName,
) -> Result<Record> {
    let record: Record = record::from_yaml(file, &utf8(file, bytes)?)?;
    let wrong = |what: String| record::changed(file, what);
    if record.api_version != API_VERSION || record.kind != "Record" {
        return Err(wrong(format!("is no {API_VERSION} Record")));
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
    let group = CredentialGroup::new(user, id.clone());
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
            return Err(format!("credential {id}: `{what}` is not what its certificate says"));
        }
    }
    Ok(())
}

fn brought_key(
    cluster: &ClusterName,
    name: &UserName,
    roster: &Roster,
    user: &roster::User,
    bytes: &[u8],
) -> Result<BroughtKey> {
    let path = user.csr.as_ref().map_or("", |path| path.as_str());
    let groups = credentials::in_certificate_groups(roster, cluster, user, clock::now());
    let checked = pki::check_brought_request(bytes, name, &groups).map_err(|error| error.within(path))?;
    Ok(BroughtKey { id: checked.id, csr_sha256: checked.sha256, request: checked.pem })
}
