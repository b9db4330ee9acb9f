//! A person's own kubeconfigs: found by their keys, opened in memory, and believed only after a look.
//!
//! Nothing in the repository is believed: a kubeconfig must be one that certctl writes, lead to the
//! server of the roster, and hold the certificate of the record and its key.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::load::Source;
use crate::cli::Global;
use crate::error::{Error, Result};
use crate::kubeconfig::{self, ParsedKubeconfig};
use crate::model::{ClusterName, UserName};
use crate::record::{Credential, State};
use crate::seal::{Identities, OpenError};

/// One kubeconfig of one's own. It holds a private key, so it cannot be printed by accident.
pub struct Own {
    /// On which cluster.
    pub cluster: ClusterName,
    /// Whose.
    pub user: UserName,
    /// The credential that the record says is active.
    pub credential: Credential,
    /// The file, as it was sealed.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// What it says.
    pub kubeconfig: ParsedKubeconfig,
}

/// `-i`, `CERTCTL_IDENTITY`, then the SSH keys where they usually are.
///
/// # Errors
/// There is none of them.
pub fn identity_files(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    if let Some(file) = std::env::var_os("CERTCTL_IDENTITY").filter(|file| !file.is_empty()) {
        return Ok(vec![file.into()]);
    }
    let ssh = std::env::home_dir().map(|home| home.join(".ssh")).unwrap_or_default();
    let files: Vec<PathBuf> =
        ["id_ed25519", "id_rsa"].iter().map(|name| ssh.join(name)).filter(|file| file.is_file()).collect();
    if files.is_empty() {
        return Err(Error::new("no identity to decrypt with: there is no ~/.ssh/id_ed25519 or ~/.ssh/id_rsa")
            .hint("name the file of your age or SSH private key: `certctl decrypt -i FILE`, or set CERTCTL_IDENTITY"));
    }
    Ok(files)
}

/// Who one is: the users of the roster that have one of these keys as a recipient.
///
/// # Errors
/// Nobody has.
pub fn who(source: &Source, identities: &Identities) -> Result<Vec<UserName>> {
    let mine = |user: &crate::roster::User| !user.recipients.is_disjoint(identities.recipients());
    let users: Vec<UserName> =
        source.roster.users.iter().filter(|(_, user)| mine(user)).map(|(name, _)| name.clone()).collect();
    if users.is_empty() {
        return Err(Error::new(format!("none of your keys is a recipient in {}", source.file))
            .hint("pull the latest roster with `git pull`, or name your private key with `-i FILE`")
            .hint("if your key changed, ask an admin to put the new recipient on the roster and apply"));
    }
    Ok(users)
}

/// Every kubeconfig of one's own on the clusters that the command is about.
///
/// # Errors
/// There is none, or one of them is not to be trusted.
#[expect(dead_code, reason = "for login and whoami")]
pub fn open_all(
    source: &Source,
    global: &Global,
    user: Option<&UserName>,
    identities: &Identities,
) -> Result<Vec<Own>> {
    let opened = open(source, global, user, identities)?;
    opened.into_iter().map(|(cluster, user, plaintext)| check(source, cluster, user, plaintext)).collect()
}

type Opened<'a> = (&'a ClusterName, UserName, Zeroizing<Vec<u8>>);

/// What the identities open; none of it is believed yet.
fn open<'a>(
    source: &'a Source,
    global: &'a Global,
    user: Option<&UserName>,
    identities: &Identities,
) -> Result<Vec<Opened<'a>>> {
    let users = match user {
        Some(user) => vec![user.clone()],
        None => who(source, identities)?,
    };
    let mut opened = Vec::new();
    let mut locked = 0;
    for (cluster, _) in source.clusters(global) {
        for name in &users {
            let file = format!("access/{cluster}/{name}.kubeconfig.age");
            let Some(bytes) = source.read(&file)? else { continue };
            match identities.open(&bytes) {
                Ok(plaintext) => opened.push((cluster, name.clone(), plaintext)),
                Err(OpenError::NotForUs) => locked += 1,
                Err(OpenError::Malformed(why)) => {
                    return Err(Error::new(format!("{file} is no sealed kubeconfig: {why}; nothing was decrypted"))
                        .hint(format!("restore it with `git checkout -- {file}`, or ask an admin to run `certctl rotate {name}`")));
                }
            }
        }
    }
    if !opened.is_empty() {
        return Ok(opened);
    }
    let names = users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ");
    if locked > 0 {
        return Err(Error::new(format!(
            "the identity opens none of the sealed kubeconfigs of {names} ({locked} tried); nothing was decrypted"
        ))
        .hint("use the private key that belongs to a recipient on the roster: `-i FILE`")
        .hint("if your key changed, an admin has to put the new recipient on the roster and apply"));
    }
    Err(Error::new(format!("there is no sealed kubeconfig for {names} under access/; nothing was decrypted"))
        .hint("pull the latest records with `git pull`; if there still is none, ask an admin to run `certctl apply`"))
}

/// The only one, or an error that says how to choose.
///
/// # Errors
/// As [`open_all`], and where there are several.
pub fn open_one(
    source: &Source,
    global: &Global,
    user: Option<&UserName>,
    identities: &Identities,
) -> Result<Own> {
    let mut opened = open(source, global, user, identities)?;
    if opened.len() > 1 {
        let all: Vec<String> =
            opened.iter().map(|(cluster, user, _)| format!("{user} on {cluster}")).collect();
        return Err(Error::usage(format!(
            "the identity opens several kubeconfigs: {}; none was used",
            all.join(", ")
        ))
        .hint("say which one: `certctl decrypt USER --cluster NAME`"));
    }
    let (cluster, user, plaintext) =
        opened.pop().ok_or_else(|| Error::new("there is no sealed kubeconfig; nothing was decrypted"))?;
    check(source, cluster, user, plaintext)
}

fn check(
    source: &Source,
    cluster: &ClusterName,
    user: UserName,
    plaintext: Zeroizing<Vec<u8>>,
) -> Result<Own> {
    let refused = |why: Error| {
        why.within(&format!("access/{cluster}/{user}.kubeconfig.age is not to be trusted, and was not used"))
            .hint("ask an admin; do not use what is in it")
    };
    let kubeconfig = kubeconfig::parse(&plaintext).map_err(refused)?;
    let record = source.record(cluster, &user)?;
    let active = record.into_iter().flat_map(|record| record.credentials).rfind(|c| c.state == State::Active);
    let credential = active.ok_or_else(|| {
        refused(Error::new(format!("access/{cluster}/{user}.yaml holds no active credential")))
    })?;
    // The roster's server, where it names one, is what was reviewed; the record is what was issued.
    let server = source.roster.clusters.get(cluster).and_then(|cluster| cluster.server.as_deref());
    kubeconfig::verify(
        &kubeconfig,
        server.unwrap_or(&credential.server),
        credential.certificate_authority_sha256.as_deref(),
        &credential.x509_sha256,
    )
    .map_err(refused)?;
    Ok(Own { cluster: cluster.clone(), user, credential, plaintext, kubeconfig })
}
