//! `certctl request`: a private key that stays on this machine, and the CSR for the roster.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::atomic_file::folder_of;
use crate::cli::{Global, RequestArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::{RepoPath, UserName};
use crate::person::checkout_file;
use crate::person::home;
use crate::person::identities;
use crate::person::own_kubeconfigs;
use crate::person::private_file;
use crate::pki::{self, PrivateKey, RequestSubject};
use crate::plan::credentials;
use crate::planning::source::{self, Source};

pub fn run(global: &Global, args: &RequestArgs, terminal: &Terminal) -> Result<u8> {
    let source = match source::roster(global) {
        Ok(source) => Some(source),
        // Outside a clone, or before one's entry is complete: a key and a request can be made all the same.
        Err(error) if args.user.is_some() => {
            if global.roster.exists() {
                terminal.error(&error);
                terminal.say(
                    "The request is made without the roster: it does not know the groups of a certificate.",
                );
            }
            None
        }
        Err(error) => return Err(error.hint("without a roster, say who you are: `certctl request USER`")),
    };
    let user = match (&args.user, &source) {
        (Some(user), _) => user.clone(),
        (None, Some(source)) => me(source, args, terminal)?,
        (None, None) => return Err(Error::usage("say who you are: `certctl request USER`")),
    };
    let entry = source.as_ref().and_then(|source| source.roster.users.get(&user));
    let (file, named) = match &source {
        Some(source) => place(&source.folder, &source.file, args, &user)?,
        None if global.roster.exists() => place(&folder_of(&global.roster), "the roster", args, &user)?,
        None => outside_a_clone(args, &user)?,
    };
    if file.symlink_metadata().is_ok() {
        return Err(taken(&file));
    }
    // One key and one request serve all clusters: the groups are the same there, or the roster is refused.
    let cluster = entry.and_then(|entry| Some((entry, entry.clusters.first()?)));
    let there = source.as_ref().zip(cluster);
    let kind = there.map(|(source, (entry, cluster))| source.roster.key_of(entry, cluster));
    let kind = args.key.or(kind).unwrap_or_default();
    let groups = there.map_or_else(BTreeSet::new, |(source, (entry, cluster))| {
        credentials::in_certificate_groups(&source.roster, cluster, entry, clock::now())
    });
    let key = PrivateKey::generate(kind)?;
    let id = key.credential_id();
    let request = pki::signing_request(&key, &RequestSubject::new(&user, &id, &groups))?;
    // As `plan` will look at it.
    pki::check_brought_request(request.as_bytes(), &user, &groups)?;

    let key_file = identities::key_file(&id).ok_or_else(identities::homeless)?;
    private_file::make_folder_of(&key_file)?;
    private_file::write(&key_file, &key.to_pem(), false)?;
    if let Err(error) = write(&file, &request) {
        // A key without its request is good for nothing.
        let _ = fs::remove_file(&key_file);
        return Err(error);
    }
    terminal
        .say(&format!("Your private key is in {}. It never leaves this machine.", home::shown(&key_file)));
    let Some(source) = &source else {
        terminal.say(&format!(
            "Commit {}, or send it to an administrator; it is public. It belongs beside the roster as {named}, with this \
             line in your entry:",
            file.display()
        ));
        terminal.print(format!("csr: {named}\n").as_bytes())?;
        return Ok(DONE);
    };
    let what = if entry.is_some() { "your entry" } else { "a new entry with your name and recipients" };
    terminal.say(&format!(
        "Put this line into {what} in {}, and commit it with {}:",
        source.file,
        file.display()
    ));
    terminal.print(format!("csr: {named}\n").as_bytes())?;
    if entry.is_none() && source.roster.groups.values().any(|group| group.in_certificate) {
        terminal.say(&format!(
            "`{user}` is not in {} yet: once you are in a group with `inCertificate`, make the request again.",
            source.file
        ));
    }
    Ok(DONE)
}

/// The request's file here, and the path that a roster will name.
fn outside_a_clone(args: &RequestArgs, user: &UserName) -> Result<(PathBuf, RepoPath)> {
    let file = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{user}.csr")));
    let named = format!("csrs/{user}.csr");
    let named = named.parse().map_err(|why| Error::usage(format!("{named}: {why}; nothing was made")))?;
    Ok((file, named))
}

/// Who one is, from one's keys.
fn me(source: &Source, args: &RequestArgs, terminal: &Terminal) -> Result<UserName> {
    let say_so = |error: Error| error.hint("say who you are: `certctl request USER`");
    let mut users = identities::load(&args.identity, terminal)
        .and_then(|identities| own_kubeconfigs::who(source, &identities))
        .map_err(say_so)?;
    match (users.pop(), users.is_empty()) {
        (Some(user), true) => Ok(user),
        _ => Err(say_so(Error::usage("your keys belong to several users of the roster; nothing was made"))),
    }
}

/// The CSR's file, and its path as the roster names it.
fn place(root: &Path, roster: &str, args: &RequestArgs, user: &UserName) -> Result<(PathBuf, RepoPath)> {
    let outside = |file: &Path| {
        Error::usage(format!(
            "{} is not in the folder of {}, so the roster could not name it; nothing was made",
            file.display(),
            roster
        ))
        .hint(format!("leave out -o; the request is then csrs/{user}.csr beside the roster"))
    };
    let Some(file) = &args.output else {
        let named = format!("csrs/{user}.csr");
        checkout_file::refuse_links(root, Path::new(&named))?;
        let here = root == Path::new(".");
        let file = if here { PathBuf::from(&named) } else { root.join(&named) };
        let named = named.parse().map_err(|_| outside(&file))?;
        return Ok((file, named));
    };
    let name = file.file_name().ok_or_else(|| outside(file))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let relative = || -> Option<RepoPath> {
        let folder = folder.canonicalize().ok()?;
        let inside = folder.strip_prefix(root.canonicalize().ok()?).ok()?;
        inside.join(name).to_str()?.parse().ok()
    };
    Ok((file.clone(), relative().ok_or_else(|| outside(file))?))
}

fn write(file: &Path, request: &str) -> Result<()> {
    let create = || -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::File::create_new(file)?.write_all(request.as_bytes())
    };
    create().map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => taken(file),
        _ => Error::new(format!("{} could not be written; nothing was made", file.display())).caused_by(why),
    })
}

fn taken(file: &Path) -> Error {
    private_file::exists(file)
        .hint(format!("to replace your key, delete the old request first: `rm {}`", file.display()))
}
