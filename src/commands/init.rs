//! `certctl init`: asks or is told what a repository's roster begins with, and writes it, with what git
//! and the git host need to know.
//!
//! Everything is asked and looked at before anything is written. A file that says something else than
//! certctl would write is someone's own: it is left as it is, and named. Nothing is written through a
//! symbolic link.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

use crate::atomic_file::{self, Mode};
use crate::cli::{CiHost, Global, InitArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::DONE;
use crate::init::{self, Answers, Branch, Ci, Content, File, Host, Owner, RosterPath, Source, Wanted};
use crate::kubeconfig::file::{self as kubeconfig, Files};
use crate::kubeconfig::merge::Document;
use crate::model::{ClusterName, NAME_LIMIT, RosterName};
use crate::person::checkout_file;
use crate::render::{count, noun};
use crate::repo::Checkout;

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
        next(global, &wanted, checkout.origin.is_some(), terminal);
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

/// What is asked, and what answers it where nobody can be.
struct Questions<'a> {
    global: &'a Global,
    args: &'a InitArgs,
    checkout: &'a Checkout,
    terminal: &'a Terminal,
    asks: bool,
}

impl Questions<'_> {
    fn wanted(&self, roster: RosterPath, there: &dyn Fn(&str) -> bool) -> Result<Wanted> {
        let mut missing = Vec::new();
        if self.global.clusters.len() > 1 {
            return Err(Error::usage("init begins with one --cluster; nothing was written")
                .hint("list the others in the roster afterwards"));
        }
        let fresh = !there(roster.as_str());
        if self.asks {
            self.terminal.say(&format!(
                "A roster in {}. Enter takes what is in brackets.",
                self.checkout.workdir.display()
            ));
        }
        let answers = if fresh { self.answers(&mut missing)? } else { None };
        let host = self.host(there, &mut missing)?;
        let ci = match host {
            Some(host) => self.ci(host, &mut missing)?,
            None => None,
        };
        if !missing.is_empty() {
            let flags = missing.join(", ");
            return Err(Error::usage(format!(
                "there is no terminal to ask on, and {flags} {} missing; nothing was written",
                noun(missing.len(), ("is", "are"))
            ))
            .hint("name what is missing, as `certctl init --help` shows; without CI for now, that is `--ci none`"));
        }
        let owners = self.owners()?;
        let places = Host::codeowners(host);
        let codeowners =
            places.iter().find(|path| there(path)).or(places.first()).copied().unwrap_or("CODEOWNERS");
        Ok(Wanted { roster, answers, owners, codeowners, ci })
    }

    /// `None` where something is missing.
    fn answers(&self, missing: &mut Vec<&'static str>) -> Result<Option<Answers>> {
        let name: Option<RosterName> = self.ask_or(
            self.args.name.clone(),
            "--name",
            missing,
            "Name of the roster, the owner written on every object that certctl makes; keep it for good",
            || {
                self.checkout
                    .workdir
                    .file_name()
                    .and_then(|name| slug::<RosterName>(&name.to_string_lossy(), "-"))
            },
        )?;
        let context = match &self.args.context {
            Some(context) => Some(context.parse::<Context>().map_err(|why| {
                Error::usage(format!("--context {} {why}; nothing was written", visible_line(context)))
            })?),
            None => self.context(missing)?,
        };
        // Where there is no context yet, the name stands for itself in the error.
        let named = self.global.clusters.first().cloned();
        let cluster = match &context {
            None => named,
            Some(context) => {
                let suggested = || slug::<ClusterName>(last_part(&context.0), "-._@");
                match named {
                    Some(name) => Some(name),
                    None if self.asks => Some(self.ask(
                        "Name of the cluster in the roster, and of its folder in access/",
                        suggested(),
                    )?),
                    None => {
                        let name = suggested();
                        if name.is_none() {
                            missing.push("--cluster");
                        }
                        name
                    }
                }
            }
        };
        let user = self.ask_or(
            self.args.user.clone(),
            "--user",
            missing,
            "Name of the first person on it, you for example",
            || std::env::var("USER").ok().filter(|name| name != "root").and_then(|name| name.parse().ok()),
        )?;
        Ok(match (name, context, cluster, user) {
            (Some(name), Some(context), Some(cluster), Some(user)) => {
                Some(Answers { name, cluster, context: context.0, user })
            }
            _ => None,
        })
    }

    /// Of the kubeconfig's contexts, one; by name or by number.
    fn context(&self, missing: &mut Vec<&'static str>) -> Result<Option<Context>> {
        if !self.asks {
            missing.push("--context");
            return Ok(None);
        }
        let (contexts, current) = contexts(self.global);
        for (index, name) in contexts.iter().enumerate() {
            self.terminal.say(&format!("  {:2}  {}", index + 1, visible_line(name)));
        }
        let question = if contexts.is_empty() {
            "certctl's own context in the kubeconfig, which has none yet"
        } else {
            "certctl's own context, by name or by number"
        };
        let chosen: Context = self.ask(question, current.and_then(|name| name.parse().ok()))?;
        let numbered = chosen.0.parse::<usize>().ok().and_then(|number| contexts.get(number.checked_sub(1)?));
        let named = contexts.contains(&chosen.0);
        Ok(Some(match numbered {
            Some(name) if !named => Context(name.clone()),
            _ => chosen,
        }))
    }

    /// Whose CI; `None` is none.
    fn host(&self, there: &dyn Fn(&str) -> bool, missing: &mut Vec<&'static str>) -> Result<Option<Host>> {
        let likely = || {
            let origin = self.checkout.origin.as_deref().unwrap_or_default();
            if origin.contains("github") || there(".github/workflows") {
                Some(CiHost::GitHub)
            } else if origin.contains("gitlab") || there(".gitlab-ci.yml") {
                Some(CiHost::GitLab)
            } else {
                None
            }
        };
        let chosen = match self.args.ci {
            Some(host) => Some(host),
            None if self.asks => Some(
                self.ask::<Named>(
                    "CI: github, gitlab or none",
                    Some(Named(likely().unwrap_or(CiHost::None))),
                )?
                .0,
            ),
            None => likely(),
        };
        match chosen {
            Some(CiHost::GitHub) => Ok(Some(Host::GitHub)),
            Some(CiHost::GitLab) => Ok(Some(Host::GitLab)),
            Some(CiHost::None) => Ok(None),
            None => {
                missing.push("--ci");
                Ok(None)
            }
        }
    }

    fn ci(&self, host: Host, missing: &mut Vec<&'static str>) -> Result<Option<Ci>> {
        let usual = || {
            let branch = self.checkout.branch.as_deref().unwrap_or("main");
            branch.parse::<Branch>().map_err(|why| {
                Error::usage(format!("the branch {} {why}; nothing was written", visible_line(branch)))
                    .hint("name the one that CI applies: `--branch main`")
            })
        };
        let branch = match &self.args.branch {
            Some(branch) => branch.clone(),
            None if self.asks => self.ask("The branch that CI applies", usual().ok())?,
            None => usual()?,
        };
        let refused = |text: &str, why: &dyn Display| {
            Error::usage(format!("--source {} {why}; nothing was written", visible_line(text)))
                .hint("`git ls-remote URL` shows the commits of a repository")
        };
        let source = match &self.args.source {
            Some(text) => Source::parse(host, text).map_err(|why| refused(text, &why))?,
            None if self.asks => loop {
                let form = match host {
                    Host::GitHub => "OWNER/REPOSITORY@COMMIT",
                    Host::GitLab => "https://HOST/PATH@COMMIT",
                };
                let text =
                    self.answer(&format!("Where CI gets certctl from, as {form}; nothing, for no CI yet:"))?;
                if text.is_empty() {
                    return Ok(None);
                }
                match Source::parse(host, &text) {
                    Ok(source) => break source,
                    Err(why) => self.terminal.say(&format!("That {why}.")),
                }
            },
            None => {
                missing.push("--source");
                return Ok(None);
            }
        };
        Ok(Some(Ci { host, branch, source }))
    }

    /// May be nobody: CODEOWNERS is then left for later.
    fn owners(&self) -> Result<Vec<Owner>> {
        if !self.asks || !self.args.owners.is_empty() {
            return Ok(self.args.owners.clone());
        }
        loop {
            let text =
                self.answer("Who has to review changes, e.g. @acme/platform; nothing, for nobody yet:")?;
            match text.split_whitespace().map(str::parse).collect::<Result<_, _>>() {
                Ok(owners) => return Ok(owners),
                Err(why) => self.terminal.say(&format!("That {why}.")),
            }
        }
    }

    /// The flag's value, else what is answered, else the flag is missing.
    fn ask_or<T: FromStr<Err: Display> + Display>(
        &self,
        flag: Option<T>,
        name: &'static str,
        missing: &mut Vec<&'static str>,
        question: &str,
        suggested: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>> {
        match flag {
            Some(value) => Ok(Some(value)),
            None if self.asks => self.ask(question, suggested()).map(Some),
            None => {
                missing.push(name);
                Ok(None)
            }
        }
    }

    /// Asks until the answer is one.
    fn ask<T: FromStr<Err: Display> + Display>(&self, question: &str, suggested: Option<T>) -> Result<T> {
        let shown = suggested.as_ref().map_or(String::new(), |value| format!(" [{value}]"));
        let mut suggested = suggested;
        loop {
            let text = self.answer(&format!("{question}{shown}:"))?;
            if text.is_empty()
                && let Some(value) = suggested.take()
            {
                return Ok(value);
            }
            match text.parse() {
                Ok(value) => return Ok(value),
                Err(why) => self.terminal.say(&format!("That {why}.")),
            }
        }
    }

    fn answer(&self, question: &str) -> Result<String> {
        self.terminal
            .line(question)
            .ok_or_else(|| Error::new("the questions were not answered; nothing was written"))
    }
}

/// A context, where a roster can name it.
struct Context(String);

impl FromStr for Context {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 255 {
            return Err("must be 1 to 255 bytes long");
        }
        if visible_line(text) != text {
            return Err("holds a character that cannot be shown");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `--ci` as it is typed.
struct Named(CiHost);

impl FromStr for Named {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "github" => Ok(Self(CiHost::GitHub)),
            "gitlab" => Ok(Self(CiHost::GitLab)),
            "none" => Ok(Self(CiHost::None)),
            _ => Err("is none of github, gitlab and none"),
        }
    }
}

impl Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            CiHost::GitHub => "github",
            CiHost::GitLab => "gitlab",
            CiHost::None => "none",
        })
    }
}

/// The contexts of the kubeconfig that certctl would use, and the current one. What cannot be read is
/// no reason to stop: it is only a suggestion.
fn contexts(global: &Global) -> (Vec<String>, Option<String>) {
    let mut names: Vec<String> = Vec::new();
    let mut current = None;
    for path in Files::find(global.kubeconfig.as_deref()).map(|files| files.read).unwrap_or_default() {
        let Ok(Some(text)) = kubeconfig::read(&path) else { continue };
        let Ok(document) = Document::parse(&text) else { continue };
        names.extend(document.contexts().into_iter().map(|context| context.name));
        if current.is_none() && !document.current_context().is_empty() {
            current = Some(document.current_context().to_owned());
        }
    }
    names.sort();
    names.dedup();
    (names, current)
}

/// Of `arn:aws:eks:eu-west-1:123:cluster/prod`, `prod`.
fn last_part(context: &str) -> &str {
    context.rsplit('/').find(|part| !part.is_empty()).unwrap_or(context)
}

/// A name made of any text, or none.
fn slug<T: FromStr>(text: &str, inner: &str) -> Option<T> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || inner.contains(c);
    let text: String =
        text.to_lowercase().chars().map(|c| if plain(c) { c } else { '-' }).take(NAME_LIMIT).collect();
    text.trim_matches(|c: char| inner.contains(c) || c == '-').parse().ok()
}

/// What to do with one file.
enum Step {
    /// It is not there.
    Create(String),
    /// Its new text, and how many lines are new.
    Extend(String, usize),
    /// It says what it should.
    Same,
    /// It says something else; what to do about it.
    Leave(String),
}

/// Looks at a file, and decides.
fn look(workdir: &Path, file: &File) -> Result<Step> {
    checkout_file::refuse_links(workdir, Path::new(&file.path))?;
    let path = workdir.join(&file.path);
    let old = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(why) if why.kind() == io::ErrorKind::NotFound => None,
        Err(why) => {
            return Err(Error::new(format!("{} could not be read; nothing was written", path.display()))
                .caused_by(why));
        }
    };
    Ok(match (&file.content, old) {
        (Content::Lines(heading, lines), old) => {
            let old = old.unwrap_or_default();
            match init::with_lines(&old, heading, lines) {
                None => Step::Same,
                Some(text) if old.is_empty() => Step::Create(text),
                Some(text) => {
                    let new = lines.iter().filter(|line| !old.lines().any(|there| there.trim_end() == *line));
                    Step::Extend(text, new.count())
                }
            }
        }
        (Content::Whole(text) | Content::Mentioning(text, _), None) => Step::Create(text.clone()),
        (Content::Whole(text) | Content::Mentioning(text, _), Some(old)) if *text == old => Step::Same,
        (Content::Mentioning(_, named), Some(old)) if old.contains(named) => Step::Same,
        (Content::Mentioning(text, _), Some(_)) => {
            Step::Leave(format!("it is your own; add to it:\n{}", text.trim_end()))
        }
        (Content::Whole(_), Some(_)) => {
            Step::Leave("it says something else; to have it written anew, remove it first".to_owned())
        }
    })
}

fn write(workdir: &Path, file: &File, step: &Step) -> Result<()> {
    let path = workdir.join(&file.path);
    let done = match step {
        Step::Same | Step::Leave(_) => return Ok(()),
        Step::Create(text) => create(&path, text),
        Step::Extend(text, _) => atomic_file::replace(&path, text.as_bytes(), Mode::Kept),
    };
    done.map_err(|why| {
        Error::new(format!("{} could not be written; it is as it was", path.display()))
            .caused_by(why)
            .hint("fix that and run `certctl init` again: it continues where it stopped")
    })
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
