//! `certctl decrypt`: one kubeconfig to standard output, after a look at what it holds.
//!
//! Nothing in the repository is believed: the kubeconfig must be one that certctl writes, lead to
//! the server that the record names, and hold the certificate of the record and its key.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::DONE;
use super::load::{self, Source};
use super::terminal::Terminal;
use crate::cli::{DecryptArgs, Global};
use crate::error::{Error, Result};
use crate::kubeconfig;
use crate::model::{ClusterName, UserName};
use crate::plan::Observed;
use crate::record::State;
use crate::seal::{Identities, OpenError};

pub fn run(global: &Global, args: &DecryptArgs, terminal: &Terminal) -> Result<u8> {
    let source = load::roster(global)?;
    let identities = Identities::load(&identity_files(args)?)?;
    let found = find(&source, global, args.user.as_ref(), &identities)?;
    check(&source, &found)?;
    terminal.print(&found.kubeconfig)?;
    Ok(DONE)
}

struct Found {
    cluster: ClusterName,
    user: UserName,
    kubeconfig: Zeroizing<Vec<u8>>,
}

/// `-i`, `CERTCTL_IDENTITY`, then the SSH keys where they usually are.
fn identity_files(args: &DecryptArgs) -> Result<Vec<PathBuf>> {
    if !args.identity.is_empty() {
        return Ok(args.identity.clone());
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

/// The one sealed file that is meant and can be opened.
fn find(source: &Source, global: &Global, user: Option<&UserName>, identities: &Identities) -> Result<Found> {
    let mut opened: Vec<Found> = Vec::new();
    let (mut sealed_for_user, mut locked) = (0, 0);
    for (cluster, _) in source.clusters(global) {
        let folder = source.folder.join("access").join(cluster.as_str());
        for name in sealed_users(&folder)?.iter().filter(|name| user.is_none_or(|user| user == *name)) {
            sealed_for_user += 1;
            let file = format!("access/{cluster}/{name}.kubeconfig.age");
            let bytes = std::fs::read(source.folder.join(&file))
                .map_err(|cause| Error::new(format!("{file} could not be read")).caused_by(cause))?;
            match identities.open(&bytes) {
                Ok(kubeconfig) => {
                    opened.push(Found { cluster: cluster.clone(), user: name.clone(), kubeconfig })
                }
                Err(OpenError::NotForUs) => locked += 1,
                Err(OpenError::Malformed(why)) if user.is_some() => {
                    return Err(Error::new(format!("{file} is not a sealed kubeconfig: {why}; nothing was decrypted"))
                        .hint(format!("restore it with `git checkout -- {file}`, or ask an admin to run `certctl rotate {name}`")));
                }
                Err(OpenError::Malformed(_)) => {}
            }
        }
    }
    let several = opened.len() > 1;
    match (opened.pop(), user) {
        (Some(found), _) if !several => Ok(found),
        (Some(last), _) => {
            let mut all: Vec<String> =
                opened.iter().map(|f| format!("{} on {}", f.user, f.cluster)).collect();
            all.push(format!("{} on {}", last.user, last.cluster));
            Err(Error::usage(format!(
                "the identity opens several kubeconfigs: {}; none was printed",
                all.join(", ")
            ))
            .hint("say which one: `certctl decrypt USER --cluster NAME`"))
        }
        (None, user) if sealed_for_user == 0 => {
            let whose = user.map_or(String::new(), |user| format!(" for `{user}`"));
            Err(Error::new(format!("there is no sealed kubeconfig{whose} under access/; nothing was decrypted"))
                .hint("pull the latest records with `git pull`; if there still is none, ask an admin to run `certctl apply`"))
        }
        (None, _) => Err(Error::new(format!(
            "the identity opens none of the sealed kubeconfigs{} ({locked} tried); nothing was decrypted",
            user.map_or(String::new(), |user| format!(" of `{user}`"))
        ))
        .hint("use the private key that belongs to a recipient on the roster: `certctl decrypt -i FILE`")
        .hint("if your key changed, an admin has to put the new recipient on the roster and apply")),
    }
}

fn sealed_users(folder: &Path) -> Result<Vec<UserName>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Error::new(format!("{} could not be read", folder.display())).caused_by(error));
        }
    };
    let mut users: Vec<UserName> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".kubeconfig.age")?.parse().ok())
        .collect();
    users.sort();
    Ok(users)
}

fn check(source: &Source, found: &Found) -> Result<()> {
    let place = format!("access/{}/{}.kubeconfig.age", found.cluster, found.user);
    let refused = |why: Error| {
        why.within(&format!("{place} is not to be trusted, and was not printed"))
            .hint("ask an admin; do not use what is in it")
    };
    let parsed = kubeconfig::parse(&found.kubeconfig).map_err(refused)?;
    let Observed { records, .. } = source.repository(&found.cluster)?;
    let credential = records
        .get(&found.user)
        .and_then(|record| record.credentials.iter().rev().find(|c| c.state == State::Active))
        .ok_or_else(|| {
            refused(Error::new(format!(
                "access/{}/{}.yaml holds no active credential",
                found.cluster, found.user
            )))
        })?;
    // The roster's server, where it names one, is what was reviewed; the record is what was issued.
    let server = source.roster.clusters.get(&found.cluster).and_then(|cluster| cluster.server.as_deref());
    kubeconfig::verify(
        &parsed,
        server.unwrap_or(&credential.server),
        credential.certificate_authority_sha256.as_deref(),
        &credential.x509_sha256,
    )
    .map_err(refused)
}
