//! `certctl whoami`: on each cluster, who one is, what one may do, and until when.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::login::{entry_name, parse};
use super::runtime;
use crate::access::granted;
use crate::cli::{Format, Global, WhoamiArgs};
use crate::clock;
use crate::cluster::{self, Connection, Granted};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::kubeconfig::file::{self, KubeconfigFiles};
use crate::person::identities;
use crate::person::own_kubeconfigs::{self, Own};
use crate::pki::Certificate;
use crate::pki::pem::from_base64;
use crate::planning::source::{self, Source};
use crate::render::json;
use crate::roster::Grant;

/// What the kubeconfig of kubectl holds of a cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    None,
    Exec,
    Newest,
    Outdated,
}

impl Login {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Exec => "exec",
            Self::Newest => "newest",
            Self::Outdated => "outdated",
        }
    }
}

pub fn run(global: &Global, args: &WhoamiArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let identities = identities::load(&args.identity, terminal)?;
    let opened = own_kubeconfigs::open_all(&source, global, args.user.as_ref(), &identities)?;
    let now = clock::now();
    let answers: Vec<Option<Result<ClusterSays>>> = if args.offline {
        opened.iter().map(|_| None).collect()
    } else {
        let asked = futures::future::join_all(opened.iter().map(|own| {
            let namespaces = namespaces(&source, own, now);
            ask(own, namespaces, global.request_timeout)
        }));
        runtime()?.block_on(asked).into_iter().map(Some).collect()
    };
    let logins: Vec<Login> = opened.iter().map(|own| login(&source, global, own)).collect::<Result<_>>()?;

    let out = match args.format {
        Format::Text => table(&source, &opened, &logins, &answers, now),
        Format::Json => {
            let clusters = opened.iter().zip(&logins).zip(&answers).map(|((own, login), answer)| {
                let mut entry = json!({
                    "name": own.cluster.as_str(),
                    "user": own.user.as_str(),
                    "credential": own.credential.id.as_str(),
                    "groups": groups(&source, own, now),
                    "rights": grants(&source, own, now).map(right).collect::<Vec<_>>(),
                    "notAfter": own.credential.not_after.to_string(),
                    "expired": own.credential.not_after <= now,
                    "login": login.word(),
                });
                match answer {
                    None => {}
                    Some(Ok(says)) => {
                        entry["clusterSays"] = Value::from(says.user.as_str());
                        entry["clusterGrants"] = Value::from(says.grants_word());
                    }
                    Some(Err(error)) => entry["error"] = Value::from(error.message()),
                }
                entry
            });
            let document = json!({"formatVersion": 1, "clusters": clusters.collect::<Vec<_>>()});
            json::text(&document)
        }
    };
    terminal.show(&out)?;
    for (own, answer) in opened.iter().zip(&answers) {
        let nothing = matches!(answer, Some(Ok(says)) if says.granted == Granted::Nothing);
        if nothing && grants(&source, own, now).next().is_some() {
            terminal.say(&format!(
                "{}: the cluster grants this credential nothing: it was cut off, or is not bound yet. The rights above are those of {} in this clone; run `git pull`, and ask an admin if nothing newer comes.",
                own.cluster, source.file
            ));
        }
    }
    for (own, login) in opened.iter().zip(&logins) {
        if *login == Login::Outdated {
            terminal.say(&format!(
                "{}: the kubeconfig holds an older certificate, server or CA than the repository: run `certctl login` as before.",
                own.cluster
            ));
        }
        if own.credential.not_after <= now {
            terminal.say(&format!(
                "{}: the certificate expired; run `git pull`, and ask an admin to run `certctl apply` if there is no newer one.",
                own.cluster
            ));
        }
    }
    let failed: Vec<Error> = answers.into_iter().flatten().filter_map(Result::err).collect();
    for error in &failed {
        terminal.error(error);
    }
    Ok(if failed.is_empty() { DONE } else { FAILED })
}

/// What a cluster answers.
struct ClusterSays {
    /// Whom it takes one for.
    user: String,
    granted: Granted,
}

impl ClusterSays {
    fn grants_word(&self) -> &'static str {
        match self.granted {
            Granted::Nothing => "nothing",
            Granted::Unknown => "unknown",
            Granted::Something => "something",
        }
    }
}

/// In how many namespaces a cluster is asked for rights; one of them is enough to know that there are some.
const MOST_NAMESPACES: usize = 5;

/// Where one has rights by the roster; what holds in all namespaces holds in `default` too.
fn namespaces(source: &Source, own: &Own, now: Timestamp) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for grant in grants(source, own, now) {
        match &grant.namespaces {
            None => drop(names.insert("default".to_owned())),
            Some(namespaces) => names.extend(namespaces.iter().map(|(name, _)| name.to_string())),
        }
    }
    if names.is_empty() {
        names.insert("default".to_owned());
    }
    names.into_iter().take(MOST_NAMESPACES).collect()
}

/// Whom the cluster takes one for, and whether it grants that credential anything.
async fn ask(own: &Own, namespaces: BTreeSet<String>, limit: Duration) -> Result<ClusterSays> {
    if own.kubeconfig.private_key.is_none() {
        return Err(Error::new(format!(
            "{}: the cluster was not asked, because the private key is not in the repository",
            own.cluster
        ))
        .hint("`certctl whoami --offline` needs no key"));
    }
    let text = std::str::from_utf8(&own.plaintext).unwrap_or_default();
    let connection = Connection::from_kubeconfig(text, &own.kubeconfig.context, limit).await?;
    let rules = futures::future::try_join_all(
        namespaces.iter().map(|namespace| cluster::granted(&connection, namespace)),
    );
    let (user, granted) = futures::future::try_join(cluster::whoami(&connection), rules).await?;
    Ok(ClusterSays { user, granted: granted.into_iter().max().unwrap_or(Granted::Unknown) })
}

fn login(source: &Source, global: &Global, own: &Own) -> Result<Login> {
    let name = entry_name(&source.roster.name, &own.cluster);
    for path in KubeconfigFiles::find(global.kubeconfig.as_deref())?.read {
        let Some(text) = file::read(&path)? else { continue };
        let document = parse(&path, &text)?;
        if !document.names("users").contains(&name) {
            continue;
        }
        let bytes =
            |list, field| document.field_of(list, &name, field).map(|text| from_base64(text.as_bytes()));
        let authority = bytes("clusters", "certificate-authority-data");
        let authority = authority.map(|bundle| bundle.map(|bundle| bundle.to_vec()).unwrap_or_default());
        let moved = document.field_of("clusters", &name, "server") != Some(own.kubeconfig.server.as_str())
            || authority != own.kubeconfig.certificate_authority;
        let held = bytes("users", "client-certificate-data");
        let certificate =
            held.as_ref().map(|pem| pem.as_ref().and_then(|pem| Certificate::from_pem(pem).ok()));
        return Ok(match certificate {
            _ if moved => Login::Outdated,
            None => Login::Exec,
            Some(Some(held)) if held.sha256 == own.credential.x509_sha256 => Login::Newest,
            Some(_) => Login::Outdated,
        });
    }
    Ok(Login::None)
}

/// The groups that count now.
fn groups(source: &Source, own: &Own, now: Timestamp) -> Vec<String> {
    let user = source.roster.users.get(&own.user);
    let groups = user.map(|user| granted::groups(user, &own.cluster, now));
    groups.into_iter().flatten().map(ToString::to_string).collect()
}

/// The grants that count now, of groups and of one's own.
fn grants<'s>(source: &'s Source, own: &'s Own, now: Timestamp) -> impl Iterator<Item = &'s Grant> {
    granted::granted(&source.roster, &own.user, &own.cluster, now).into_iter().map(|granted| granted.grant)
}

fn right(grant: &Grant) -> Value {
    let mut right = json!({"kind": grant.role.kind(), "role": grant.role.name().as_str()});
    if let Some(namespaces) = &grant.namespaces {
        right["namespaces"] = namespaces.iter().map(|(name, _)| Value::from(name.as_str())).collect();
    }
    right
}

/// `view everywhere`, `edit in shop, staging`.
fn short(grant: &Grant) -> String {
    let role = grant.role.name();
    match &grant.namespaces {
        None => format!("{role} everywhere"),
        Some(namespaces) => {
            let names: Vec<&str> = namespaces.iter().map(|(name, _)| name.as_str()).collect();
            format!("{role} in {}", names.join(", "))
        }
    }
}

fn table(
    source: &Source,
    opened: &[Own],
    logins: &[Login],
    answers: &[Option<Result<ClusterSays>>],
    now: Timestamp,
) -> String {
    let head = ["CLUSTER", "USER", "CREDENTIAL", "VALID UNTIL", "LOGIN", "CLUSTER SAYS", "GROUPS", "RIGHTS"];
    let mut rows = vec![head.map(str::to_owned)];
    for ((own, login), answer) in opened.iter().zip(logins).zip(answers) {
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let expired = if own.credential.not_after <= now { " (expired)" } else { "" };
        rows.push([
            own.cluster.to_string(),
            own.user.to_string(),
            own.credential.id.to_string(),
            format!("{}{expired}", own.credential.not_after),
            login.word().to_owned(),
            match answer {
                None => "not asked".to_owned(),
                Some(Ok(says)) => says.user.clone(),
                Some(Err(_)) => "an error".to_owned(),
            },
            or_dash(groups(source, own, now).join(", ")),
            or_dash(grants(source, own, now).map(short).collect::<Vec<_>>().join("; ")),
        ]);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
