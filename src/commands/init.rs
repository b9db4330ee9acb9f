//! `certctl init`: asks or is told what a repository's roster begins with, and writes it, with what git
//! and the git host need to know.
//!
//! Everything is asked and looked at before anything is written.

use crate::cli::{Global, InitArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::init::{self, Answers, Host, Owner, RosterPath, Wanted};
use crate::planning::source;
use crate::render::count;
use crate::repo::Checkout;
use crate::setup::files::{FileStep, look, write};
use crate::setup::questions::{Questions, contexts};

pub fn run(global: &Global, args: &InitArgs, terminal: &Terminal) -> Result<u8> {
    let checkout = Checkout::find(&global.roster)?;
    let roster = roster_path(global, &checkout)?;
    let there = |path: &str| checkout.workdir.join(path).symlink_metadata().is_ok();
    let mut wanted = Questions { global, args, checkout: &checkout, terminal, asks: terminal.can_ask() }
        .wanted(roster, &there)?;
    wanted.parts = parts(global, args, &checkout, &wanted)?;
    let files = init::files(&wanted);
    // All of them are looked at before the first is written.
    let steps = files.iter().map(|file| look(&checkout.workdir, file)).collect::<Result<Vec<_>>>()?;
    for (file, step) in files.iter().zip(&steps) {
        write(&checkout.workdir, file, step)?;
        match step {
            FileStep::Create(_) => terminal.say(&format!("wrote     {}", file.path)),
            FileStep::Extend(_, lines) => {
                terminal.say(&format!("added to  {} ({})", file.path, count(*lines, "line")));
            }
            FileStep::Same => terminal.detail(&format!("has it    {}", file.path)),
            FileStep::Leave(why) => terminal.say(&format!("left      {}: {why}", file.path)),
        }
    }
    if steps.iter().all(|step| matches!(step, FileStep::Same | FileStep::Leave(_))) {
        terminal.say("Nothing to do: everything is there already.");
    } else {
        next(global, &wanted, checkout.has_origin, terminal);
    }
    Ok(DONE)
}

/// The parts of a roster that is there, with their owners: those that are named, else the roster's own where
/// CODEOWNERS says nothing of the part yet.
fn parts(
    global: &Global,
    args: &InitArgs,
    checkout: &Checkout,
    wanted: &Wanted,
) -> Result<Vec<(RosterPath, Vec<Owner>)>> {
    if wanted.answers.is_some() {
        return Ok(Vec::new());
    }
    let source = match source::roster(global) {
        Ok(source) => source,
        // It need not be filled in yet.
        Err(_) if args.part_owners.is_empty() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let unknown = args.part_owners.iter().find(|(path, _)| !source.roster.parts.contains_key(path));
    if let Some((path, _)) = unknown {
        return Err(Error::usage(format!("--part-owner {path}: {} includes no such part", source.file)));
    }
    // What cannot be read is said when it is to be written.
    let codeowners = std::fs::read_to_string(checkout.workdir.join(wanted.codeowners)).unwrap_or_default();
    let mut parts = Vec::new();
    for path in source.roster.parts.keys() {
        let named = args.part_owners.iter().filter(|(part, _)| part == path);
        let named: Vec<Owner> = named.map(|(_, owner)| owner.clone()).collect();
        let line = format!("/{}{path} ", checkout.prefix);
        let owners = match named.is_empty() {
            true if codeowners.lines().any(|known| known.starts_with(&line)) => continue,
            true => wanted.owners.clone(),
            false => named,
        };
        let path = path.to_string();
        let path = path
            .parse()
            .map_err(|why| Error::usage(format!("the part {path} {why}; nothing was written")))?;
        parts.push((path, owners));
    }
    Ok(parts)
}

/// What comes now, in the order in which it is done.
fn next(global: &Global, wanted: &Wanted, has_origin: bool, terminal: &Terminal) {
    let roster = global.roster.display();
    let flag = if roster.to_string() == "users.yaml" { String::new() } else { format!(" --roster {roster}") };
    terminal.say("");
    terminal.say("Next:");
    if wanted.answers.is_some() {
        terminal.say(&format!("- fill in {roster}: `certctl validate{flag}` names each line that misses something; `certctl keygen` makes a key"));
    }
    if !has_origin {
        terminal.say(
            "- `git remote add origin URL`: apply grants what it has pushed (to try it without one, `--no-push`)",
        );
    }
    let (contexts, _) = contexts(global);
    let has = |name: &str| contexts.iter().any(|context| context == name);
    if let Some(Answers { cluster, context, .. }) = &wanted.answers
        && has(cluster.as_str())
        && !has(context)
    {
        terminal.say(&format!(
            "- `kubectl config rename-context {cluster} {context}`: certctl's own context; `{cluster}` will be the one of people, yours too once you log in"
        ));
    }
    terminal.say(&format!("- `certctl plan{flag}`, then commit, and `certctl apply{flag}`"));
    if let Some(ci) = &wanted.ci {
        let (secrets, where_) = match ci.host {
            Host::GitHub => (
                "the secret CERTCTL_PLAN_KUBECONFIG of the repository, and CERTCTL_APPLY_KUBECONFIG of the environment certctl-apply",
                "allow that environment to the default branch alone",
            ),
            Host::GitLab => (
                "the variables that .gitlab/certctl.yml begins with, and a daily pipeline schedule",
                "protect the ones for apply",
            ),
        };
        terminal.say(&format!("- for CI, set {secrets}; {where_} (the steps are in certctl's docs/ci.md)"));
    } else {
        terminal.say("- for CI, run `certctl init` again, with --ci and --source");
    }
    if wanted.owners.is_empty() {
        terminal.say(
            "- for CODEOWNERS, run `certctl init` again, with --owner; without, anyone who may merge may give themselves access",
        );
    }
}

fn roster_path(global: &Global, checkout: &Checkout) -> Result<RosterPath> {
    let file = global.roster.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let path = format!("{}{file}", checkout.prefix);
    path.parse().map_err(|why| Error::usage(format!("--roster {path} {why}; nothing was written")))
}
