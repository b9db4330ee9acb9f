//! A person's own kubeconfigs: found by their keys, opened in memory, and believed only after a look.
//!
//! Nothing in the repository is believed: a kubeconfig must be one that certctl writes, lead to the
//! server of the roster, and hold the certificate of the record and its key.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::identities;
use crate::cli::Global;
use crate::error::{Error, Result};
use crate::kubeconfig::{self, Expected, Kubeconfig, ParsedKubeconfig};
use crate::model::{ClusterName, Recipient, UserName};
use crate::pki::{self, PrivateKey};
use crate::planning::connect;
use crate::planning::source::Source;
use crate::record::{Credential, CredentialState};
use crate::record_folder::RecordFolder;
use crate::roster::User;
use crate::seal::{self, Identities, OpenError};

/// One kubeconfig of one's own. It holds a private key, so it cannot be printed by accident.
pub struct Own {
    /// On which cluster.
    pub cluster: ClusterName,
    pub user: UserName,
    /// The credential that the record says is active.
    pub credential: Credential,
    /// The file: as it was sealed, or joined with the key that stays on this machine.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// What it says; without a private key only where the owner keeps it, and not here.
    pub kubeconfig: ParsedKubeconfig,
}

/// Who one is: the users of the roster that have one of these keys as a recipient.
///
/// The passphrase of an age identity file is asked for only where no other key is on the roster.
/// Plugins do not tell their recipients: of the people with one of that plugin, one is whoever's
/// files open.
///
/// # Errors
/// Nobody has, or a key that might could not be used.
pub fn who(source: &Source, identities: &Identities) -> Result<Vec<UserName>> {
    let users = having(source, |recipient| identities.recipients().contains(recipient));
    if !users.is_empty() {
        return Ok(users);
    }
    let (recipients, mut errors) = identities.unlock();
    let users = having(source, |recipient| recipients.contains(recipient));
    if !users.is_empty() {
        return Ok(users);
    }
    let plugins = identities.plugins();
    // `age1tag1...` is the one form that several plugins share.
    let of_plugin = |plugin: &str| plugins.contains(plugin) || (plugin == "tag" && !plugins.is_empty());
    let mut users = having(source, |recipient| seal::plugin_of(recipient).is_some_and(of_plugin));
    let mut locked = Vec::new();
    if users.len() > 1 {
        let mut opens = |user: &UserName| -> Result<bool> {
            for cluster in source.roster.clusters.keys() {
                let file = RecordFolder(cluster).kubeconfig(user);
                match source.read(&file)?.map(|bytes| identities.open(&bytes)) {
                    Some(Ok(_)) => return Ok(true),
                    Some(Err(OpenError::Locked(why))) => locked.push(why),
                    _ => {}
                }
            }
            Ok(false)
        };
        let mut mine = Vec::new();
        for user in users {
            if opens(&user)? {
                mine.push(user);
            }
        }
        users = mine;
    }
    if !users.is_empty() {
        return Ok(users);
    }
    if errors.is_empty() {
        errors = &locked;
    }
    if let Some(why) = errors.first() {
        return Err(Error::new(format!("{why}; nothing was decrypted")));
    }
    Err(Error::new(format!("none of your keys is a recipient in {}", source.file))
        .caused_by(identities::tried(identities))
        .hint("pull the latest roster with `git pull`, or name your private key with `-i FILE`")
        .hint("if your key changed, ask an admin to put the new recipient on the roster and apply"))
}

fn having(source: &Source, one: impl Fn(&Recipient) -> bool) -> Vec<UserName> {
    let users = source.roster.users.iter().filter(|(_, user)| user.recipients.keys().any(&one));
    users.map(|(name, _)| name.clone()).collect()
}

/// Every kubeconfig of one's own on the clusters that the command is about.
///
/// # Errors
/// There is none, or one of them is not to be trusted.
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
            let file = RecordFolder(cluster).kubeconfig(name);
            let Some(bytes) = source.read(&file)? else { continue };
            match identities.open(&bytes) {
                Ok(plaintext) => opened.push((cluster, name.clone(), plaintext)),
                Err(OpenError::NotForUs) => locked += 1,
                Err(OpenError::Locked(why)) => {
                    return Err(Error::new(format!("{file} was not opened: {why}; nothing was decrypted"))
                        .hint("run it in a terminal, or name an identity without a passphrase: `-i FILE`"));
                }
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
    if let Some((user, entry)) = suspended(source, &users) {
        return Err(Error::new(format!("user `{user}` is suspended; nothing was decrypted"))
            .placed(source.roster.files.name(entry.position.file), entry.position)
            .hint("ask an admin; once they ran `certctl resume` and applied it, `git pull` brings a new kubeconfig"));
    }
    let names = users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ");
    if locked > 0 {
        let sealed_to = sealed_to(source, global, &users);
        let sealed_to = sealed_to.map_or(String::new(), |sealed_to| format!(", {sealed_to}"));
        return Err(Error::new(format!(
            "none of your identities opens the sealed kubeconfigs of {names} ({locked} tried); nothing was decrypted"
        ))
        .caused_by(format!("{}{sealed_to}", identities::tried(identities)))
        .hint("use the private key that belongs to a recipient on the roster: `-i FILE`")
        .hint("if your key changed, an admin has to put the new recipient on the roster and apply"));
    }
    Err(Error::new(format!("there is no sealed kubeconfig for {names} under access/; nothing was decrypted"))
        .hint("pull the latest records with `git pull`; if there still is none, ask an admin to run `certctl apply`"))
}

/// Which keys the records of these people name, of the newest credentials, as far as they can be read.
fn sealed_to(source: &Source, global: &Global, users: &[UserName]) -> Option<String> {
    let mut keys = BTreeSet::new();
    for (cluster, _) in source.clusters(global) {
        for user in users {
            let record = source.record(cluster, user).ok().flatten();
            let newest = record.and_then(|record| record.credentials.into_iter().next_back());
            keys.extend(newest.into_iter().flat_map(|newest| newest.recipients));
        }
    }
    let keys: Vec<String> = keys.iter().map(seal::fingerprint).collect();
    (!keys.is_empty()).then(|| format!("sealed to {}", identities::listed(&keys)))
}

/// The first of these users whose access is taken away for now.
fn suspended<'a>(source: &'a Source, users: &[UserName]) -> Option<(&'a UserName, &'a User)> {
    let entries = users.iter().filter_map(|user| source.roster.users.get_key_value(user));
    entries.into_iter().find(|(_, entry)| entry.suspended)
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
        let file = RecordFolder(cluster).kubeconfig(&user);
        why.within(&format!("{file} is not to be trusted, and was not used"))
            .hint("ask an admin; do not use what is in it")
    };
    let kubeconfig = kubeconfig::parse(&plaintext).map_err(refused)?;
    let record = source.record(cluster, &user)?;
    let active = record
        .into_iter()
        .flat_map(|record| record.credentials)
        .rfind(|c| c.state == CredentialState::Active);
    let credential = active.ok_or_else(|| {
        refused(Error::new(format!("{} holds no active credential", RecordFolder(cluster).record(&user))))
    })?;
    // The roster's server and CA, where it names them, are what was reviewed; the record is what was
    // issued.
    let wanted = source.roster.clusters.get(cluster);
    let server = wanted.and_then(|wanted| wanted.server.as_deref());
    let route = wanted.map_or(&credential.route, |wanted| &wanted.route);
    let named = match wanted.and_then(|wanted| Some((wanted, wanted.certificate_authority.as_ref()?))) {
        Some((wanted, path)) => {
            let named = connect::certificate_authority(source, wanted, path.as_str())?;
            // The same certificates may be written otherwise there.
            let recorded = credential.certificate_authority_sha256.clone();
            Some(recorded.filter(|sha256| named.is_spelled(sha256)).unwrap_or_else(|| named.sha256()))
        }
        None => credential.certificate_authority_sha256.clone(),
    };
    let expected = Expected {
        server: server.unwrap_or(&credential.server),
        route,
        certificate_authority_sha256: named.as_deref(),
        certificate_sha256: &credential.x509_sha256,
        namespace: credential.namespace.as_ref(),
    };
    kubeconfig::verify(&kubeconfig, &expected).map_err(refused)?;
    if kubeconfig.cluster != cluster.as_str() || kubeconfig.user != format!("{user}@{cluster}") {
        return Err(refused(Error::new(format!(
            "it is named `{}` and `{}`, expected `{cluster}` and `{user}@{cluster}`",
            kubeconfig.cluster, kubeconfig.user
        ))));
    }
    let own = Own { cluster: cluster.clone(), user, credential, plaintext, kubeconfig };
    own.joined()
}

impl Own {
    /// With the key that stays on this machine, where it is here.
    fn joined(mut self) -> Result<Self> {
        if self.kubeconfig.private_key.is_some() {
            return Ok(self);
        }
        let Some(file) = identities::key_file(&self.credential.id) else { return Ok(self) };
        let Some(key) = read_key(&file)? else { return Ok(self) };
        if key.public_key_der() != self.kubeconfig.certificate.public_key_der {
            return Err(Error::new(format!(
                "{} is not the key of credential {} of `{}`; nothing was decrypted",
                file.display(),
                self.credential.id,
                self.user
            ))
            .hint("put the right key there, or make a new one with `certctl request`"));
        }
        self.plaintext = Kubeconfig {
            cluster: &self.cluster,
            context: &self.kubeconfig.context,
            namespace: self.kubeconfig.namespace.as_ref(),
            user: &self.user,
            server: &self.kubeconfig.server,
            route: &self.kubeconfig.route,
            certificate_authority: self.kubeconfig.certificate_authority.as_deref(),
            certificate: self.kubeconfig.certificate.pem(),
            private_key: Some(&key),
        }
        .to_yaml();
        self.kubeconfig.private_key = Some(key);
        Ok(self)
    }
}

/// A private key on this machine; `None` where there is none.
fn read_key(file: &Path) -> Result<Option<PrivateKey>> {
    let unreadable =
        |why: std::io::Error| Error::new(format!("{} could not be read", file.display())).caused_by(why);
    let opened = match fs::File::open(file) {
        Ok(opened) => opened,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(unreadable(why)),
    };
    // Room for all of it from the start, so that no copy is left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(pki::SIZE_LIMIT + 64));
    opened.take(pki::SIZE_LIMIT as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    PrivateKey::from_pem(&text).map(Some).map_err(|error| error.within(&file.display().to_string()))
}
