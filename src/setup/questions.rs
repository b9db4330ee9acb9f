//! The questions of `certctl init`, and what answers them where nobody can be asked: flags, and what the
//! checkout and the kubeconfig suggest.

use std::fmt::Display;
use std::str::FromStr;

use crate::cli::{CiHost, Global, InitArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::init::{ActionSource, Answers, Branch, Ci, Host, Owner, RosterPath, Wanted};
use crate::kubeconfig::file::{self as kubeconfig, KubeconfigFiles};
use crate::kubeconfig::merge::KubeconfigText;
use crate::model::{ClusterName, NAME_LIMIT, RosterName};
use crate::person::home;
use crate::render::noun;
use crate::repo::Checkout;

/// What is asked, and what answers it where nobody can be.
pub struct Questions<'a> {
    /// Of every command.
    pub global: &'a Global,
    /// What was answered by flags.
    pub args: &'a InitArgs,
    /// Where the roster is to be.
    pub checkout: &'a Checkout,
    /// Where the questions go.
    pub terminal: &'a Terminal,
    /// Whether anybody can answer.
    pub asks: bool,
}

impl Questions<'_> {
    /// Everything that the files are made from. `there` says whether a path of the checkout exists.
    ///
    /// # Errors
    /// An answer is missing and nobody can be asked, or the questions were not answered.
    pub fn wanted(&self, roster: RosterPath, there: &dyn Fn(&str) -> bool) -> Result<Wanted> {
        let mut missing = Vec::new();
        if self.global.clusters.len() > 1 {
            return Err(Error::usage("init begins with one --cluster; nothing was written")
                .hint("list the others in the roster afterwards"));
        }
        let fresh = !there(roster.as_str());
        if self.asks {
            self.terminal.say(&format!(
                "A roster in {}. Enter takes what is in brackets.",
                home::shown(&self.checkout.workdir)
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
        Ok(Wanted { roster, answers, owners, parts: Vec::new(), codeowners, ci })
    }

    /// `None` where something is missing.
    fn answers(&self, missing: &mut Vec<&'static str>) -> Result<Option<Answers>> {
        let name: Option<RosterName> = self.ask_or(
            self.args.name.clone(),
            "--name",
            missing,
            "Name of the roster, the owner written on every object that certctl makes; keep it for good",
            "the name of the folder",
            || self.checkout.workdir.file_name().and_then(|name| roster_name(&name.to_string_lossy())),
        )?;
        let context = match &self.args.context {
            Some(context) => Some(context.parse::<ContextName>().map_err(|why| {
                Error::usage(format!("--context {} {why}; nothing was written", visible_line(context)))
            })?),
            None => self.context(missing)?,
        };
        // Where there is no context yet, the name stands for itself in the error.
        let named = self.global.clusters.first().cloned();
        let cluster = match &context {
            None => named,
            Some(context) => {
                let suggested = || cluster_name(&context.0);
                match named {
                    Some(name) => Some(name),
                    None if self.asks => {
                        Some(self.ask("Name of the cluster in the roster and in access/", suggested())?)
                    }
                    None => self.guess("--cluster", missing, suggested(), "after the context"),
                }
            }
        };
        let user = self.ask_or(
            self.args.user.clone(),
            "--user",
            missing,
            "Name of the first person on it, you for example",
            "your name here",
            || std::env::var("USER").ok().filter(|name| name != "root").and_then(|name| name.parse().ok()),
        )?;
        Ok(match (name, context, cluster, user) {
            (Some(name), Some(context), Some(cluster), Some(user)) => {
                let context = own_context(context.0, &cluster, &contexts(self.global).0);
                Some(Answers { name, cluster, context, user })
            }
            _ => None,
        })
    }

    /// Of the kubeconfig's contexts, one; by name or by number.
    fn context(&self, missing: &mut Vec<&'static str>) -> Result<Option<ContextName>> {
        let (contexts, current) = contexts(self.global);
        if !self.asks {
            let only = contexts.first().filter(|_| contexts.len() == 1);
            let only = only.and_then(|name| name.parse::<ContextName>().ok());
            return Ok(self.guess("--context", missing, only, "the only one of the kubeconfig"));
        }
        for (index, name) in contexts.iter().enumerate() {
            self.terminal.say(&format!("  {:2}  {}", index + 1, visible_line(name)));
        }
        let question = if contexts.is_empty() {
            "certctl's own context in the kubeconfig, which has none yet"
        } else {
            "certctl's own context, by name or by number"
        };
        let chosen: ContextName = self.ask(question, current.and_then(|name| name.parse().ok()))?;
        let numbered = chosen.0.parse::<usize>().ok().and_then(|number| contexts.get(number.checked_sub(1)?));
        let named = contexts.contains(&chosen.0);
        Ok(Some(match numbered {
            Some(name) if !named => ContextName(name.clone()),
            _ => chosen,
        }))
    }

    /// Whose CI; `None` is none.
    fn host(&self, there: &dyn Fn(&str) -> bool, missing: &mut Vec<&'static str>) -> Result<Option<Host>> {
        let likely = || {
            let origin = self.checkout.origin_host.as_deref().unwrap_or_default();
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
                self.ask::<CiChoice>(
                    "CI: github, gitlab or none",
                    Some(CiChoice(likely().unwrap_or(CiHost::None))),
                )?
                .0,
            ),
            None => self
                .guess("--ci", missing, likely().map(CiChoice), "by `origin` or the files here")
                .map(|host| host.0),
        };
        match chosen {
            Some(CiHost::GitHub) => Ok(Some(Host::GitHub)),
            Some(CiHost::GitLab) => Ok(Some(Host::GitLab)),
            Some(CiHost::None) => Ok(None),
            None => Ok(None),
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
            Some(text) => ActionSource::parse(host, text).map_err(|why| refused(text, &why))?,
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
                match ActionSource::parse(host, &text) {
                    Ok(source) => break source,
                    Err(why) => self.terminal.say(&format!("That {why}.")),
                }
            },
            // Nobody said that there has to be CI now.
            None if self.args.ci.is_none() => {
                self.terminal.say("no CI yet  --source says where CI gets certctl from");
                return Ok(None);
            }
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
        because: &str,
        suggested: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>> {
        match flag {
            Some(value) => Ok(Some(value)),
            None if self.asks => self.ask(question, suggested()).map(Some),
            None => Ok(self.guess(name, missing, suggested(), because)),
        }
    }

    /// Where nobody can be asked, what is obvious is taken, and said; else the flag is missing.
    fn guess<T: Display>(
        &self,
        name: &'static str,
        missing: &mut Vec<&'static str>,
        suggested: Option<T>,
        because: &str,
    ) -> Option<T> {
        match &suggested {
            Some(value) => {
                self.terminal
                    .say(&format!("guessed   {name} {} ({because})", visible_line(&value.to_string())));
            }
            None => missing.push(name),
        }
        suggested
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
struct ContextName(String);

impl FromStr for ContextName {
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

impl Display for ContextName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `--ci` as it is typed.
struct CiChoice(CiHost);

impl FromStr for CiChoice {
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

impl Display for CiChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            CiHost::GitHub => "github",
            CiHost::GitLab => "gitlab",
            CiHost::None => "none",
        })
    }
}

/// What certctl's own context is to be called: `login` gives people's the name of the cluster, on this machine
/// too.
fn own_context(chosen: String, cluster: &ClusterName, taken: &[String]) -> String {
    if chosen != cluster.as_str() {
        return chosen;
    }
    let mut own = format!("{cluster}-admin");
    while taken.contains(&own) {
        own.push_str("-2");
    }
    own
}

/// The contexts of the kubeconfig that certctl would use, and the current one. What cannot be read is
/// no reason to stop: it is only a suggestion.
pub fn contexts(global: &Global) -> (Vec<String>, Option<String>) {
    let mut names: Vec<String> = Vec::new();
    let mut current = None;
    for path in
        KubeconfigFiles::find(global.kubeconfig.as_deref()).map(|files| files.read).unwrap_or_default()
    {
        let Ok(Some(text)) = kubeconfig::read(&path) else { continue };
        let Ok(document) = KubeconfigText::parse(&text) else { continue };
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

/// What a roster in a folder of this name may be called.
pub fn roster_name(folder: &str) -> Option<RosterName> {
    slug(folder, "-")
}

/// What the cluster that a context leads to may be called.
pub fn cluster_name(context: &str) -> Option<ClusterName> {
    slug(last_part(context), "-._@")
}

/// A name made of any text, or none.
fn slug<T: FromStr>(text: &str, inner: &str) -> Option<T> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || inner.contains(c);
    let text: String =
        text.to_lowercase().chars().map(|c| if plain(c) { c } else { '-' }).take(NAME_LIMIT).collect();
    text.trim_matches(|c: char| inner.contains(c) || c == '-').parse().ok()
}
