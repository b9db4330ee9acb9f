//! `certctl who`: whose certificate it is, from whatever a log or a colleague shows of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use super::runtime;
use crate::access::clue::{self, Clue};
use crate::access::credentials::CredentialStatus;
use crate::access::granted::granted;
use crate::access::rights::ClusterRoster;
use crate::cli::{Format, Global, WhoArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::model::ClusterName;
use crate::pki::Certificate;
use crate::plan::observed::ClusterState;
use crate::planning::connect;
use crate::planning::lookup::{self, FoundCredential};
use crate::planning::past::UNSHALLOW;
use crate::planning::source::{self, Source};
use crate::rbac::Authorizer;
use crate::render::json;
use crate::render::who::{self, MayDo, WhoMatch};
use crate::repo::Repo;

/// The most that is read, in bytes: an audit log's line holds a request and its answer, of up to 1.5 MiB each.
const LIMIT: u64 = 4 * 1024 * 1024;

pub fn run(global: &Global, args: &WhoArgs, terminal: &Terminal) -> Result<u8> {
    let clues = clues(&args.clue)?;
    let repo = Repo::discover(&global.roster)?;
    let lookup = lookup::find(&repo, &clues)?;
    // Whose it is can be told without a roster that is valid now.
    let source = source::roster(global);
    let now = clock::now();
    let wanted =
        |found: &&FoundCredential| global.clusters.is_empty() || global.clusters.contains(&found.cluster);
    let found: Vec<&FoundCredential> = lookup.found.iter().filter(wanted).collect();
    let alive = found.iter().filter(|found| found.credential.not_after > now);
    let asked: BTreeSet<&ClusterName> = alive.map(|found| &found.cluster).filter(|_| !args.offline).collect();
    let (states, errors) = match &source {
        Ok(source) if !asked.is_empty() => runtime()?.block_on(look(source, global, &asked)),
        _ => (BTreeMap::new(), Vec::new()),
    };
    let seen = states.iter().map(|(name, state)| (*name, Authorizer::new(&state.roles, &state.bindings)));
    let seen: BTreeMap<&ClusterName, Authorizer<'_>> = seen.collect();
    let mut matches = Vec::new();
    for FoundCredential { user, cluster, credential, is_recorded } in found {
        let state = CredentialStatus::of(credential, now);
        let roster = source.as_ref().ok().map(|source| &source.roster);
        let may_do = match (roster, seen.get(cluster)) {
            (Some(roster), Some(authorizer)) if credential.not_after > now => {
                let here = ClusterRoster { roster, cluster, now };
                MayDo::Bound(here.rights_besides_everyones(user, credential, authorizer))
            }
            (Some(roster), _) if state.is_live() && *is_recorded => {
                MayDo::Granted(granted(roster, user, cluster, now))
            }
            _ => MayDo::Granted(Vec::new()),
        };
        let is_recorded = *is_recorded;
        matches.push(WhoMatch { user, cluster, credential, state, is_recorded, may_do });
    }
    let unknown = lookup.missed.iter().map(|(clue, _)| clue.text.clone()).collect();
    match args.format {
        Format::Text => terminal.show(&who::text(&matches, now))?,
        Format::Json => terminal.show_document(&json::text(&who::document(&matches, unknown)))?,
    }
    if let Err(error) = &source {
        terminal.warning(error);
    }
    errors.iter().for_each(|error| terminal.error(error));
    for (clue, near) in &lookup.missed {
        let mut error = Error::new(format!("`{}` is in no record, at HEAD or before it", clue.text));
        if let Some(near) = near {
            error = error.hint(format!("did you mean {near}?"));
        }
        if clue.may_be_sha1() {
            error = error.hint("a SHA-1 fingerprint is in no record: give the SHA-256 or the serial number");
        }
        if lookup.ends_at.is_some() {
            error = error.hint(UNSHALLOW);
        }
        terminal.error(&error);
    }
    let found_all = lookup.missed.is_empty() && !matches.is_empty() && errors.is_empty();
    Ok(if found_all { DONE } else { FAILED })
}

/// What is in the clusters that can be read, and why the others cannot.
async fn look<'f>(
    source: &Source,
    global: &Global,
    clusters: &BTreeSet<&'f ClusterName>,
) -> (BTreeMap<&'f ClusterName, ClusterState>, Vec<Error>) {
    // One that the roster has no more cannot be found.
    let known = clusters.iter().filter_map(|name| Some((*name, source.roster.clusters.get(*name)?)));
    let read = known.map(|(name, wanted)| async move {
        let read = async { connect::reach(source, global, name, wanted).await?.observe(name).await };
        (name, read.await)
    });
    let (mut states, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, read) in futures::future::join_all(read).await {
        match read {
            Ok(state) => drop(states.insert(name, state)),
            Err(error) => errors.push(error.within(&format!("cluster {name}"))),
        }
    }
    (states, errors)
}

/// What was given: a word, a file of that name, or standard input.
fn clues(given: &str) -> Result<BTreeSet<Clue>> {
    if given == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes).map_err(|cause| {
            Error::new("standard input could not be read; nothing was looked for").caused_by(cause)
        })?;
        return content("standard input", &bytes);
    }
    match clue::read(given) {
        Ok(clues) => Ok(clues),
        Err(_) if Path::new(given).is_file() => {
            let bytes = source::read_file(Path::new(given), LIMIT).map_err(|cause| {
                Error::new(format!("{given} could not be read; nothing was looked for")).caused_by(cause)
            })?;
            content(given, &bytes)
        }
        Err(why) => Err(no_clue(&format!("`{given}`"), &why.0)),
    }
}

fn content(what: &str, bytes: &[u8]) -> Result<BTreeSet<Clue>> {
    if bytes.len() as u64 > LIMIT {
        return Err(
            no_clue(what, &format!("is longer than {LIMIT} bytes")).hint("give it fewer lines: `head -n 1`")
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|_| no_clue(what, "is not UTF-8 text"))?;
    // An event of the audit log may hold a certificate in the object that it is about.
    if !text.trim_start().starts_with('{') && text.contains("-----BEGIN ") {
        let certificate = Certificate::from_pem(bytes).map_err(|error| error.within(what))?;
        return Ok([Clue::fingerprint(certificate.sha256)].into());
    }
    clue::read(text).map_err(|why| no_clue(what, &why.0))
}

fn no_clue(what: &str, why: &str) -> Error {
    Error::new(format!("{what} {why}; nothing was looked for"))
}
