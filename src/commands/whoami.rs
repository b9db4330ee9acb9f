//! `certctl whoami`: on each cluster, who one is, what one may do, and until when.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::login::{entry_name, parse};
use super::runtime;
use crate::access::delivered::ListedRights;
use crate::cli::{Format, Global, WhoamiArgs};
use crate::clock;
use crate::cluster::{self, Connection};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::kubeconfig::file::{self, KubeconfigFiles};
use crate::model::{ClusterName, UserName};
use crate::person::identities;
use crate::person::own_kubeconfigs::{self, Own};
use crate::person::rights::{self, Standing};
use crate::pki::Certificate;
use crate::pki::pem::from_base64;
use crate::planning::source::{self, Source};
use crate::rbac::Listed;
use crate::record::{Credential, CredentialState};
use crate::render::json;
use crate::render::table::Table;
use crate::render::words;
use crate::repo::Repo;
use crate::roster::Grant;
use crate::seal::Identities;

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
    let now = clock::now();
    let identities = identities::load(&args.identity, terminal);
    let own = match &identities {
        Ok(identities) => own_kubeconfigs::open_all(&source, global, args.user.as_ref(), identities),
        Err(_) => Ok(Vec::new()),
    };
    if let Some(user) = args.user.as_ref().filter(|_| own.as_ref().map_or(true, Vec::is_empty))
        && let Some(found) = of_someone_else(&source, global, user, &identities)?
    {
        let rows = found.iter().map(|(cluster, credential)| WhoamiRow {
            standing: Standing { roster: &source.roster, user, cluster, now },
            credential,
            login: Login::None,
            answer: None,
        });
        show(&rows.collect::<Vec<_>>(), None, args.format, terminal)?;
        return Ok(DONE);
    }
    identities?;
    let opened = own?;
    let (answers, clone): (Vec<Option<Result<ClusterSays>>>, Option<CloneState>) = match args.offline {
        true => (opened.iter().map(|_| None).collect(), None),
        false => {
            let asked = futures::future::join_all(
                opened.iter().map(|own| ask(own, standing(&source, own, now), global.request_timeout)),
            );
            let (answers, clone) =
                runtime()?.block_on(async { futures::join!(asked, clone_of(&global.roster)) });
            (answers.into_iter().map(Some).collect(), clone)
        }
    };
    let logins: Vec<Login> = opened.iter().map(|own| login(&source, global, own)).collect::<Result<_>>()?;
    let rows = opened.iter().zip(&logins).zip(&answers).map(|((own, login), answer)| WhoamiRow {
        standing: standing(&source, own, now),
        credential: &own.credential,
        login: *login,
        answer: answer.as_ref(),
    });
    show(&rows.collect::<Vec<_>>(), clone.as_ref(), args.format, terminal)?;
    for (own, answer) in opened.iter().zip(&answers) {
        let Some(Ok(says)) = answer else { continue };
        let grants = || standing(&source, own, now).grants();
        let lost: Vec<String> =
            grants().filter_map(|grant| rights::not_granted(grant, &says.rights)).collect();
        let what = match says.rights.anything() {
            Listed::No if grants().next().is_some() => {
                "grants this credential nothing: it was cut off, or is not bound yet".to_owned()
            }
            _ if !lost.is_empty() => {
                format!("does not grant {}: it was taken away, or is not bound yet", lost.join("; "))
            }
            _ => continue,
        };
        let next = match &clone {
            Some(CloneState::Current) => "it is what its branch holds, so ask an admin",
            _ => "run `git pull`, and ask an admin if nothing newer comes",
        };
        terminal.say(&format!(
            "{}: the cluster {what}. The rights above are those of {} in this clone; {next}.",
            own.cluster, source.file
        ));
    }
    if let Some(CloneState::Behind(branch)) = &clone {
        terminal.say(&format!("This clone is behind {branch}: run `git pull`."));
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
    rights: ListedRights,
}

impl ClusterSays {
    fn grants_word(&self) -> &'static str {
        match self.rights.anything() {
            Listed::No => "nothing",
            Listed::Unclear => "unknown",
            Listed::Yes => "something",
        }
    }
}

/// How far a clone is.
enum CloneState {
    /// It holds all of its branch.
    Current,
    /// It lacks something that this branch has at the remote.
    Behind(String),
}

/// Asks the remote; `None` where it does not answer, or none is followed.
async fn clone_of(roster: &Path) -> Option<CloneState> {
    let roster = roster.to_owned();
    let asked = tokio::task::spawn_blocking(move || Repo::discover(&roster)?.behind());
    let behind = asked.await.ok()?.ok()?;
    Some(behind.map_or(CloneState::Current, |branch| CloneState::Behind(branch.to_string())))
}

/// Whom the cluster takes one for, and what it grants that credential.
async fn ask(own: &Own, standing: Standing<'_>, limit: Duration) -> Result<ClusterSays> {
    if own.kubeconfig.private_key.is_none() {
        return Err(Error::new(format!(
            "{}: the cluster was not asked, because the private key is not in the repository",
            own.cluster
        ))
        .hint("`certctl whoami --offline` needs no key"));
    }
    let text = std::str::from_utf8(&own.plaintext).unwrap_or_default();
    let connection = Connection::from_kubeconfig(text, &own.kubeconfig.context, limit).await?;
    let namespaces = standing.namespaces();
    let (user, rights) = futures::future::try_join(
        cluster::whoami(&connection),
        cluster::listed_rights(&connection, &namespaces),
    )
    .await?;
    Ok(ClusterSays { user, rights })
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

fn standing<'a>(source: &'a Source, own: &'a Own, now: Timestamp) -> Standing<'a> {
    Standing { roster: &source.roster, user: &own.user, cluster: &own.cluster, now }
}

/// One row: a credential, and what is known of it.
struct WhoamiRow<'a> {
    standing: Standing<'a>,
    credential: &'a Credential,
    login: Login,
    answer: Option<&'a Result<ClusterSays>>,
}

impl WhoamiRow<'_> {
    fn is_expired(&self) -> bool {
        self.credential.not_after <= self.standing.now
    }

    /// What the cluster lists of the credential's rights, where it was asked.
    fn listed(&self) -> Option<&ListedRights> {
        self.answer?.as_ref().ok().map(|says| &says.rights)
    }

    fn right(&self, grant: &Grant) -> String {
        self.listed().map_or_else(|| words::access::grant(grant), |listed| rights::marked(grant, listed))
    }

    fn cells(&self) -> [String; 8] {
        let expired = if self.is_expired() { " (expired)" } else { "" };
        [
            self.standing.cluster.to_string(),
            self.standing.user.to_string(),
            self.credential.id.to_string(),
            format!("{}{expired}", self.credential.not_after),
            self.login.word().to_owned(),
            match self.answer {
                None => "not asked".to_owned(),
                Some(Ok(says)) => says.user.clone(),
                Some(Err(_)) => "an error".to_owned(),
            },
            self.standing.groups().join(", "),
            self.standing.grants().map(|grant| self.right(grant)).collect::<Vec<_>>().join("; "),
        ]
    }

    fn json(&self) -> Value {
        let mut entry = json!({
            "name": self.standing.cluster.as_str(),
            "user": self.standing.user.as_str(),
            "credential": self.credential.id.as_str(),
            "groups": self.standing.groups(),
            "rights": self.standing.grants().map(|grant| rights::right(grant, self.listed())).collect::<Vec<_>>(),
            "notAfter": self.credential.not_after.to_string(),
            "expired": self.is_expired(),
            "login": self.login.word(),
        });
        match self.answer {
            None => {}
            Some(Ok(says)) => {
                entry["clusterSays"] = Value::from(says.user.as_str());
                entry["clusterGrants"] = Value::from(says.grants_word());
            }
            Some(Err(error)) => entry["error"] = Value::from(error.message()),
        }
        entry
    }
}

fn show(
    rows: &[WhoamiRow<'_>],
    clone: Option<&CloneState>,
    format: Format,
    terminal: &Terminal,
) -> Result<()> {
    match format {
        Format::Text => {
            let mut table = Table::new([
                "CLUSTER",
                "USER",
                "CREDENTIAL",
                "VALID UNTIL",
                "LOGIN",
                "CLUSTER SAYS",
                "GROUPS",
                "RIGHTS BY THE ROSTER",
            ]);
            rows.iter().for_each(|row| table.push(row.cells()));
            terminal.show(&table.text(terminal.columns()))
        }
        Format::Json => {
            let clusters: Vec<Value> = rows.iter().map(WhoamiRow::json).collect();
            let behind = clone.map(|clone| matches!(clone, CloneState::Behind(_)));
            terminal.show_document(&json::text(&json!({
                "formatVersion": 1, "clusters": clusters, "cloneIsBehind": behind,
            })))
        }
    }
}

/// Somebody else, by the public records: no private key is needed for that, and no cluster is asked. `None` where
/// one of these keys is theirs, or where nothing is recorded of them.
fn of_someone_else(
    source: &Source,
    global: &Global,
    user: &UserName,
    identities: &Result<Identities>,
) -> Result<Option<Vec<(ClusterName, Credential)>>> {
    let entry = source.roster.users.get(user);
    let is_mine = |recipient| identities.as_ref().is_ok_and(|mine| mine.recipients().contains(recipient));
    if entry.is_some_and(|entry| entry.recipients.keys().any(is_mine)) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for (cluster, _) in source.clusters(global) {
        let mut credentials = source.record(cluster, user)?.into_iter().flat_map(|record| record.credentials);
        let active = credentials.rfind(|credential| credential.state == CredentialState::Active);
        found.extend(active.map(|credential| (cluster.clone(), credential)));
    }
    Ok((!found.is_empty()).then_some(found))
}
