//! `certctl who`: whose certificate it is, from whatever a log or a colleague shows of it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use crate::access::clue::{self, Clue};
use crate::access::credentials::CredentialStatus;
use crate::access::granted::granted;
use crate::cli::{Format, Global, WhoArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::pki::Certificate;
use crate::planning::lookup::{self, Found};
use crate::planning::past::UNSHALLOW;
use crate::planning::source;
use crate::render::json;
use crate::render::who::{self, WhoMatch};
use crate::repo::Repo;

/// The most that is read, in bytes: an audit log's line holds a request and its answer, of up to 1.5 MiB each.
const LIMIT: u64 = 4 * 1024 * 1024;

pub fn run(global: &Global, args: &WhoArgs, terminal: &Terminal) -> Result<u8> {
    let clues = clues(&args.clue)?;
    let repo = Repo::discover(&global.roster)?;
    let lookup = lookup::find(&repo, &clues)?;
    // Whose it is can be told without a roster that is valid now.
    let roster = source::roster(global).map(|source| source.roster);
    let now = clock::now();
    let wanted = |found: &&Found| global.clusters.is_empty() || global.clusters.contains(&found.cluster);
    let mut matches = Vec::new();
    for found in lookup.found.iter().filter(wanted) {
        let state = CredentialStatus::of(&found.credential, now);
        let roster = roster.as_ref().ok().filter(|_| state.is_live() && found.is_recorded);
        let may_do = roster.map(|roster| granted(roster, &found.user, &found.cluster, now));
        let Found { user, cluster, credential, is_recorded } = found;
        let (is_recorded, may_do) = (*is_recorded, may_do.unwrap_or_default());
        matches.push(WhoMatch { user, cluster, credential, state, is_recorded, may_do });
    }
    let unknown = lookup.missed.iter().map(|(clue, _)| clue.text.clone()).collect();
    match args.format {
        Format::Text => terminal.show(&who::text(&matches, now))?,
        Format::Json => terminal.show_document(&json::text(&who::document(&matches, unknown)))?,
    }
    if let Err(error) = &roster {
        terminal.warning(error);
    }
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
    let found_all = lookup.missed.is_empty() && !matches.is_empty();
    Ok(if found_all { DONE } else { FAILED })
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
