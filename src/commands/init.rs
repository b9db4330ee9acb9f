//! `certctl init`: asks or is told what a repository's roster begins with, and writes it, with what git
//! and the git host need to know.
//!
//! Everything is asked and looked at before anything is written.

use crate::cli::{Global, InitArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::init::{self, Answers, Host, RosterPath, Wanted};
use crate::render::count;
use crate::repo::Checkout;
use crate::setup::files::{Step, look, write};
use crate::setup::questions::{Questions, contexts};

pub fn run(global: &Global, args: &InitArgs, terminal: &Terminal) -> Result<u8> {
    let checkout = Checkout::find(&global.roster)?;
    let roster = roster_path(global, &checkout)?;
    let there = |path: &str| checkout.workdir.join(path).symlink_metadata().is_ok();
    let wanted = Questions { global, args, checkout: &checkout, terminal, asks: terminal.can_ask() }
        .wanted(roster, &there)?;
    let files = init::files(&wanted);
    // All of them are looked at before the first is written.
    let steps = files.iter().map(|file| look(&checkout.workdir, file)).collect::<Result<Vec<_>>>()?;
    for (file, step) in files.iter().zip(&steps) {
        write(&checkout.workdir, file, step)?;
        match step {
            Step::Create(_) => terminal.say(&format!("wrote     {}", file.path)),
            Step::Extend(_, lines) => {
                terminal.say(&format!("added to  {} ({})", file.path, count(*lines, "line")));
            }
            Step::Same => terminal.detail(&format!("has it    {}", file.path)),
            Step::Leave(why) => terminal.say(&format!("left      {}: {why}", file.path)),
        }
    }
    if steps.iter().all(|step| matches!(step, Step::Same | Step::Leave(_))) {
        terminal.say("Nothing to do: everything is there already.");
    } else {
        next(global, &wanted, checkout.has_origin, terminal);
    }
    Ok(DONE)
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
