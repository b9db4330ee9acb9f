//! `certctl login` and `logout`: one's own clusters into the kubeconfig that kubectl uses, and out
//! of it again.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::{Global, LoginArgs, LogoutArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::DONE;
use crate::kubeconfig::file::{self, FileLock, KubeconfigFiles};
use crate::kubeconfig::merge::{KubeconfigText, LoginEntry, MADE};
use crate::model::route::Route;
use crate::model::{ClusterName, LOGIN_PREFIX, Namespace, RosterName, hex, sha256};
use crate::os;
use crate::person::checkout_file;
use crate::person::home;
use crate::person::identities;
use crate::person::own_kubeconfigs::{self, Own};
use crate::pki::pem::push_base64;
use crate::planning::source;
use crate::render::count;
use crate::roster::Roster;

/// The name of the cluster entry and the user entry of one cluster.
pub fn entry_name(roster: &RosterName, cluster: &ClusterName) -> String {
    format!("{LOGIN_PREFIX}{roster}:{cluster}")
}

pub fn login(global: &Global, args: &LoginArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let identities = identities::load(&args.identity, terminal)?;
    let opened = own_kubeconfigs::open_all(&source, global, args.user.as_ref(), &identities)?;
    one_of_each(&opened)?;
    let mut entries: Vec<LoginEntry> = opened
        .iter()
        .map(|own| {
            Ok(LoginEntry {
                context: context_name(&source.roster, &own.cluster),
                name: entry_name(&source.roster.name, &own.cluster),
                namespace: namespace(&source.roster, own).map(ToString::to_string),
                changed_context: None,
                cluster: cluster_entry(own),
                user: if args.embed { embedded(own)? } else { plugin(global, args, own)? },
            })
        })
        .collect::<Result<_>>()?;

    let files = KubeconfigFiles::find(global.kubeconfig.as_deref())?;
    let target = target(&files, &entries)?;
    checkout_file::refuse_planted(&global.roster, &target)?;
    let _lock = FileLock::take(&target)?;
    let mut current = entries.first().map(|entry| entry.context.clone());
    for path in files.read.iter().filter(|path| **path != target) {
        let Some(text) = file::read(path)? else { continue };
        let document = parse(path, &text)?;
        if !document.current_context().is_empty() {
            current = None;
        }
        not_taken(path, &document, &entries, &source.roster, None)?;
    }
    let old = file::read(&target)?;
    let text = match &old {
        Some(text) => Zeroizing::new(text.to_string()),
        None => Zeroizing::new(format!("{MADE}\n")),
    };
    let document = parse(&target, &text)?;
    not_taken(&target, &document, &entries, &source.roster, Some(args.force))?;
    let kept = keep_theirs(&target, &document, &mut entries, args.force)?;
    if !args.force {
        not_moved(&target, &document, &entries)?;
    }
    let current = current.filter(|_| document.current_context().is_empty());
    let edited =
        Zeroizing::new(document.with(&entries, current.as_deref()).map_err(|why| unsafely(&target, why))?);
    if old.as_ref() != Some(&edited) {
        file::write(&target, &edited)?;
    }

    kept.iter().for_each(|line| terminal.say(line));
    for own in &opened {
        let (user, cluster, until) = (&own.user, &own.cluster, own.credential.not_after);
        if until <= clock::now() {
            terminal.say(&format!(
                "{cluster}: the certificate of {user} expired at {until}; pull the latest one with `git pull`, or ask an admin to run `certctl apply`."
            ));
        } else {
            terminal.say(&format!("{cluster}: {user}, until {until}."));
        }
    }
    if args.embed && file::others_can_read(&target) {
        terminal.say(&format!(
            "{0}: others on this machine can read it, and it holds your private key now: `chmod 600 {0}`.",
            target.display()
        ));
    }
    let contexts: Vec<&str> = entries.iter().map(|entry| entry.context.as_str()).collect();
    terminal.say(&format!(
        "{}: logged in to {}. Try `kubectl --context {} get pods`.",
        home::shown(&target),
        contexts.join(", "),
        contexts.first().unwrap_or(&"NAME"),
    ));
    Ok(DONE)
}

pub fn logout(global: &Global, args: &LogoutArgs, terminal: &Terminal) -> Result<u8> {
    let roster = match args.all {
        true => None,
        false => Some(source::roster(global).map_err(|error| {
            error.hint("to log out of the clusters of every roster, run `certctl logout --all`")
        })?),
    };
    let names: Option<Vec<String>> = roster.as_ref().filter(|_| !global.clusters.is_empty()).map(|source| {
        global.clusters.iter().map(|cluster| entry_name(&source.roster.name, cluster)).collect()
    });
    let prefix =
        roster.map_or(LOGIN_PREFIX.to_owned(), |source| format!("{LOGIN_PREFIX}{}:", source.roster.name));
    let ours = |name: &str| match &names {
        Some(names) => names.iter().any(|ours| ours == name),
        None => name.starts_with(&prefix),
    };
    let mut gone = 0;
    for path in KubeconfigFiles::find(global.kubeconfig.as_deref())?.read {
        let Some(text) = file::read(&path)? else { continue };
        if !holds(&parse(&path, &text)?, &ours) {
            continue;
        }
        checkout_file::refuse_planted(&global.roster, &path)?;
        let _lock = FileLock::take(&path)?;
        let text = file::read(&path)?.unwrap_or_default();
        let document = parse(&path, &text)?;
        let users = document.names("users").into_iter().filter(|name| ours(name)).count();
        let edited = Zeroizing::new(document.without(&ours).map_err(|why| {
            Error::new(format!("{} could not be edited; nothing was changed", path.display()))
                .caused_by(why)
                .hint(format!("take the entries whose names begin `{prefix}` out by hand, and the contexts that name them"))
        })?);
        // Behind a link lies someone's own file: it is emptied, not left behind with the link gone.
        if edited.trim_end() == MADE && path.is_symlink() {
            file::write(&path, "")?;
        } else if edited.trim_end() == MADE {
            std::fs::remove_file(&path).map_err(|cause| {
                Error::new(format!("{} could not be removed; it is as it was", path.display()))
                    .caused_by(cause)
            })?;
        } else {
            file::write(&path, &edited)?;
        }
        gone += users;
        terminal.say(&format!("{}: logged out of {}.", path.display(), count(users, "cluster")));
    }
    if gone == 0 {
        terminal.say("Nothing to do: the kubeconfig holds nothing that login wrote.");
    }
    Ok(DONE)
}

/// What the roster calls people's context for a cluster.
fn context_name(roster: &Roster, cluster: &ClusterName) -> String {
    roster.clusters.get(cluster).map_or_else(|| cluster.to_string(), |there| there.context_name.clone())
}

/// Where the context begins, as the roster says it now; of somebody who is not on it, as it was sealed.
fn namespace<'a>(roster: &'a Roster, own: &'a Own) -> Option<&'a Namespace> {
    match roster.users.get(&own.user) {
        Some(user) => roster.namespace_of(user, &own.cluster),
        None => own.kubeconfig.namespace.as_ref(),
    }
}

/// A context leads to one user.
fn one_of_each(opened: &[Own]) -> Result<()> {
    for (index, own) in opened.iter().enumerate() {
        let same: Vec<String> = opened[index..]
            .iter()
            .filter(|other| other.cluster == own.cluster)
            .map(|other| format!("`{}`", other.user))
            .collect();
        if same.len() > 1 {
            return Err(Error::usage(format!(
                "your key opens the kubeconfigs of {} on {}; nothing was changed",
                same.join(" and "),
                own.cluster
            ))
            .hint(format!("say who you are: `certctl login {}`", own.user)));
        }
    }
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    push_base64(&mut out, bytes);
    String::from_utf8(out).unwrap_or_default()
}

fn cluster_entry(own: &Own) -> serde_json::Value {
    let mut entry = json!({"server": own.kubeconfig.server});
    if let Some(bundle) = &own.kubeconfig.certificate_authority {
        entry["certificate-authority-data"] = json!(base64(bundle));
    }
    let Route { proxy, tls_server_name } = &own.kubeconfig.route;
    if let Some(proxy) = proxy {
        entry["proxy-url"] = json!(proxy);
    }
    if let Some(name) = tls_server_name {
        entry["tls-server-name"] = json!(name);
    }
    entry
}

fn embedded(own: &Own) -> Result<serde_json::Value> {
    let key = own.kubeconfig.private_key.as_ref().ok_or_else(|| {
        Error::new(format!(
            "{}: there is no private key to embed, because {} keeps it; nothing was changed",
            own.cluster, own.user
        ))
        .hint("log in without `--embed`")
    })?;
    Ok(json!({
        "client-certificate-data": base64(own.kubeconfig.certificate.pem().as_bytes()),
        "client-key-data": base64(&key.to_pem()),
    }))
}

fn plugin(global: &Global, args: &LoginArgs, own: &Own) -> Result<serde_json::Value> {
    let mut words = vec!["credential".to_owned(), "--roster".to_owned(), absolute(&global.roster)?];
    words.extend(["--cluster".to_owned(), own.cluster.to_string(), own.user.to_string()]);
    // kubectl may be started where the variable is not set.
    let named =
        std::env::var_os("CERTCTL_IDENTITY").filter(|file| args.identity.is_empty() && !file.is_empty());
    for file in args.identity.iter().cloned().chain(named.map(PathBuf::from)).collect::<Vec<_>>().iter() {
        words.extend(["--identity".to_owned(), absolute(file)?]);
    }
    Ok(json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "args": words,
        "command": this_program()?,
        "installHint": "install certctl, or run `certctl login` again where it is installed",
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": true,
    }}))
}

/// Where kubectl finds certctl: the place on PATH, which outlives an upgrade, where that is this
/// program.
fn this_program() -> Result<String> {
    let running = std::env::current_exe().map_err(|cause| {
        Error::new("the path of certctl itself is not known; nothing was changed").caused_by(cause)
    })?;
    let same = |path: &PathBuf| {
        path.is_absolute()
            && matches!((path.canonicalize(), running.canonicalize()), (Ok(a), Ok(b)) if a == b)
    };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    // krew links only the name of the plugin, and moves the program with each upgrade.
    let names = ["certctl", "kubectl-certctl"].map(|name| format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let on_path =
        std::env::split_paths(&folders).flat_map(|f| names.each_ref().map(|name| f.join(name))).find(same);
    text(&on_path.unwrap_or(running))
}

fn absolute(path: &Path) -> Result<String> {
    let full = os::full_path(path).map_err(|cause| {
        Error::new(format!("the full path of {} is not known; nothing was changed", path.display()))
            .caused_by(cause)
    })?;
    text(&full)
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(format!(
            "{}: the path is not UTF-8, so a kubeconfig cannot hold it; nothing was changed",
            path.display()
        ))
        .hint("move it, or use `certctl login --embed`")
    })
}

pub fn parse<'t>(path: &Path, text: &'t str) -> Result<KubeconfigText<'t>> {
    KubeconfigText::parse(text).map_err(|why| {
        Error::new(format!("the kubeconfig {} could not be read; nothing was changed", path.display()))
            .caused_by(why)
            .hint("`kubectl config view` shows what kubectl makes of it; or keep yours apart: `certctl decrypt > FILE`")
    })
}

fn unsafely(path: &Path, why: Error) -> Error {
    Error::new(format!("{} could not be edited; nothing was changed", path.display()))
        .caused_by(why)
        .hint("keep yours apart, `certctl decrypt > FILE`, and name both files in KUBECONFIG")
}

fn holds(document: &KubeconfigText<'_>, ours: &dyn Fn(&str) -> bool) -> bool {
    ["clusters", "users"].iter().any(|list| document.names(list).iter().any(|name| ours(name)))
}

/// The file that holds ours already, or else the one that kubectl would write to.
fn target(files: &KubeconfigFiles, entries: &[LoginEntry]) -> Result<PathBuf> {
    for path in &files.read {
        let Some(text) = file::read(path)? else { continue };
        if holds(&parse(path, &text)?, &|name| entries.iter().any(|entry| entry.name == name)) {
            return Ok(path.clone());
        }
    }
    Ok(files.write.clone())
}

/// What people added to our entries stays, or goes with `force`; says so where it matters.
fn keep_theirs(
    path: &Path,
    document: &KubeconfigText<'_>,
    entries: &mut [LoginEntry],
    force: bool,
) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for entry in entries {
        let told = entry.keep_theirs(document, force).map_err(|why| unsafely(path, why))?.join(", ");
        let context = &entry.context;
        match (told.is_empty(), force) {
            (true, _) => {}
            (_, true) => said.push(format!("{context}: dropped what the roster does not say: {told}.")),
            (_, false) => said.push(format!(
                "{context}: kept what the roster does not say: {told}; `certctl login --force` drops it."
            )),
        }
    }
    Ok(said)
}

/// Entries that are there already lead where they did: a branch that is checked out by chance, or by
/// somebody else's wish, must not send kubectl elsewhere.
fn not_moved(path: &Path, document: &KubeconfigText<'_>, entries: &[LoginEntry]) -> Result<()> {
    let moved = entries.iter().filter_map(|entry| {
        if !document.names("clusters").contains(&entry.name) {
            return None;
        }
        let changed = |field: &str, shown: &dyn Fn(Option<&str>) -> String| {
            let old = document.field_of("clusters", &entry.name, field);
            let new = entry.cluster.get(field).and_then(serde_json::Value::as_str);
            (old != new).then(|| format!("{field} was {} and would be {}", shown(old), shown(new)))
        };
        let server =
            changed("server", &|server| server.map_or("none".to_owned(), |server| format!("`{server}`")));
        let authority = changed("certificate-authority-data", &fingerprint);
        // Through another proxy, or by another server's name, it is led elsewhere all the same.
        let way = ["proxy-url", "tls-server-name"].map(|field| {
            changed(field, &|value| {
                value.map_or("none".to_owned(), |value| format!("`{}`", visible_line(value)))
            })
        });
        let changes: Vec<String> =
            server.into_iter().chain(authority).chain(way.into_iter().flatten()).collect();
        (!changes.is_empty()).then(|| {
            Error::new(format!(
                "{}: context `{}` would lead to another cluster; nothing was changed",
                path.display(),
                entry.context
            ))
            .caused_by(changes.join("; "))
        })
    });
    Error::all(moved).map_or(Ok(()), |error| {
        Err(error
            .hint("check out the branch that the roster is applied from: `git status` shows where you are")
            .hint("if an administrator confirms the new cluster: `certctl login --force`"))
    })
}

/// A CA bundle as one line that two people can compare.
fn fingerprint(base64: Option<&str>) -> String {
    let Some(text) = base64 else { return "none".to_owned() };
    match STANDARD.decode(text.split_ascii_whitespace().collect::<String>()) {
        Ok(bundle) => format!("SHA-256 {}", hex(&sha256(&bundle))),
        Err(_) => "no base64".to_owned(),
    }
}

/// Contexts of these names that others made. `force` takes them over, in the file that is changed,
/// but never one that plan and apply use: that is the administrator's way in. Nor is `force` proposed for one that
/// certctl did not write, for it may be theirs all the same.
fn not_taken(
    path: &Path,
    document: &KubeconfigText<'_>,
    entries: &[LoginEntry],
    roster: &Roster,
    force: Option<bool>,
) -> Result<()> {
    let prefix = format!("{LOGIN_PREFIX}{}:", roster.name);
    let contexts = document.contexts();
    let theirs = contexts.iter().filter(|context| {
        let named = entries.iter().any(|entry| entry.context == context.name);
        named && !(context.cluster.starts_with(&prefix) && context.user.starts_with(&prefix))
    });
    for context in theirs {
        let name = &context.name;
        let place = path.display();
        let rename =
            |new: &str| format!("keep it under another name: `kubectl config rename-context {name} {new}`");
        if let Some((other, _)) =
            context.user.strip_prefix(LOGIN_PREFIX).and_then(|rest| rest.split_once(':'))
        {
            if force == Some(true) {
                continue;
            }
            let error = Error::new(format!(
                "{place} has a context `{name}` that `certctl login` wrote for roster `{other}`; nothing was changed"
            ))
            .hint(rename(&format!("{other}-{name}")));
            let replace = force.map(|_| "or replace it: `certctl login --force`");
            return Err(replace.into_iter().fold(error, Error::hint));
        }
        if roster.clusters.values().any(|cluster| cluster.context == *name) {
            return Err(Error::new(format!(
                "{place} has a context `{name}` that certctl did not write, and that `certctl plan` and `apply` use; nothing was changed"
            ))
            .hint(rename(&format!("{name}-admin")))
            .hint(format!("where you run `certctl plan`, name it in the roster too: `context: {name}-admin`")));
        }
        if force == Some(true) {
            continue;
        }
        // The administrator's, before it has the name that the roster has for it.
        let wanted = roster.clusters.values().find(|cluster| cluster.context_name == *name);
        let wanted = wanted.map(|cluster| cluster.context.as_str());
        let new = wanted.filter(|wanted| contexts.iter().all(|context| context.name != *wanted));
        return Err(Error::new(format!(
            "{place} has a context `{name}` that certctl did not write; nothing was changed"
        ))
        .hint(rename(new.unwrap_or("NAME"))));
    }
    Ok(())
}
