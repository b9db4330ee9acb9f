//! Runs the `git` program: never through a shell, never asking, without hooks, and in the repository that was
//! opened, whatever git would find by itself.
//!
//! What it prints reaches people only through [`said`], which takes credentials out.

use std::io::{ErrorKind, Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use git2::Repository;

use super::{Repo, child};
use crate::error::{Error, Result};
use crate::interrupt::{GRACE, Interrupt};

/// Set by git for its own hooks; they would point us at another repository or index.
/// The list is `git rev-parse --local-env-vars`, without those that carry configuration.
const OF_ANOTHER_REPOSITORY: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What git answered.
pub(super) struct GitOutput {
    pub(super) success: bool,
    /// It was ended by a signal, as when Ctrl-C reaches every process of the terminal.
    pub(super) interrupted: bool,
    /// It hung after certctl was told to stop, and was ended.
    pub(super) cut_short: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl GitOutput {
    /// The cause of a failure, fit for a person to read.
    pub(super) fn cause(&self) -> String {
        let text = said(&format!("{}\n{}", self.stderr, self.stdout));
        match (text.is_empty(), self.interrupted) {
            _ if self.cut_short => format!(
                "git did not end within {} s of the signal that ended this apply, and was ended",
                GRACE.as_secs()
            ),
            (false, _) => text,
            (true, true) => "git was interrupted".into(),
            (true, false) => "git gave no reason".into(),
        }
    }
}

/// Runs git in a repository and waits for it. A git that fails is an answer, not an error.
pub(super) fn run(repo: &Repo, arguments: &[&str]) -> Result<GitOutput> {
    run_with(repo, arguments, b"", &[])
}

/// As [`run`], with standard input and environment variables.
pub(super) fn run_with(
    repo: &Repo,
    arguments: &[&str],
    input: &[u8],
    environment: &[(&str, String)],
) -> Result<GitOutput> {
    if !repo.configuration_is_checked.replace(true) {
        repo.refuse_tracked_configuration().inspect_err(|_| repo.configuration_is_checked.set(false))?;
    }
    run_unchecked(repo, arguments, input, environment)
}

/// As [`run_with`], whatever configuration git reads: only for what runs no other program.
pub(super) fn run_unchecked(
    repo: &Repo,
    arguments: &[&str],
    input: &[u8],
    environment: &[(&str, String)],
) -> Result<GitOutput> {
    let mut command = command(&repo.git, &repo.workdir, arguments);
    for (name, value) in environment {
        command.env(name, value);
    }
    answer(&mut command, input, repo.interrupt.as_ref())
}

/// As [`run`], in a repository that may have no commit yet.
pub(super) fn run_in(git: &Repository, workdir: &Path, arguments: &[&str]) -> Result<GitOutput> {
    answer(&mut command(git, workdir, arguments), b"", None)
}

/// What every git is told. A bare repository in a folder may have been committed there, with its configuration;
/// a hook may be a committed file (`core.hooksPath = .husky`), or run what one says (pre-commit).
const SETTINGS: [&str; 4] = ["-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null"];

fn command(git: &Repository, workdir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(SETTINGS).arg("-C").arg(workdir).args(arguments);
    for name in OF_ANOTHER_REPOSITORY {
        command.env_remove(name);
    }
    command.env("GIT_DIR", git.path()).env("GIT_WORK_TREE", workdir);
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command
}

fn answer(command: &mut Command, input: &[u8], interrupt: Option<&Interrupt>) -> Result<GitOutput> {
    let ran = stdin(input).and_then(|stdin| child::run(command.stdin(stdin), interrupt));
    let ended = ran.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::new("the `git` program was not found").hint("install git"),
        _ => Error::new("the `git` program could not be run").caused_by(error),
    })?;
    Ok(GitOutput {
        success: ended.status.success(),
        interrupted: ended.status.code().is_none(),
        cut_short: ended.cut_short,
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

/// A nameless file rather than a pipe: it cannot block, however much git prints before it reads.
fn stdin(input: &[u8]) -> std::io::Result<Stdio> {
    if input.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

/// How many lines of git's output an error shows.
const LINES: usize = 20;

/// What git printed, without credentials, blank lines, and all but the last lines.
pub(super) fn said(output: &str) -> String {
    let lines: Vec<String> = (output.lines())
        .map(|line| without_credentials(line.trim_end()))
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(LINES);
    lines[from..].join("\n")
}

/// Takes `user:password@` out of every URL in a line, and the value out of an HTTP header that
/// authenticates (which git prints where tracing is on).
pub(super) fn without_credentials(line: &str) -> String {
    if let Some(at) = line.to_ascii_lowercase().find("authorization:") {
        return format!("{}authorization: (not shown)", &line[..at]);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#'\"<>".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        let userinfo = authority.rfind('@').map_or(0, |at| at + 1);
        rest = &after[userinfo..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_not_shown() {
        for (line, shown) in [
            (
                "fatal: unable to access 'https://bot:s3cret@git.example.com/a.git/': no",
                "fatal: unable to access 'https://git.example.com/a.git/': no",
            ),
            ("https://s3cret@h/x and http://a:b@c@h:80/y", "https://h/x and http://h:80/y"),
            ("ssh://git@h/x", "ssh://h/x"),
            ("git@h:x.git, https://h/user@1.2", "git@h:x.git, https://h/user@1.2"),
            ("=> Send header: AUTHORIZATION: basic czNjcmV0", "=> Send header: authorization: (not shown)"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(line), shown);
        }
    }

    #[test]
    fn long_output_is_cut_to_its_end() {
        let text = said(&(0..1000).map(|n| format!("{n}\n\n")).collect::<String>());
        assert_eq!(text.lines().count(), LINES);
        assert!(text.ends_with("999"));
    }
}
