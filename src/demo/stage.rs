//! The setting of the story: a folder with a repository, users' keys and an in-memory cluster, and the
//! commands that are shown and run there.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certctl_sandbox::Sandbox;

use super::cluster;
use super::request::Request;
use super::roster;
use crate::cli::{ColorChoice, Global};
use crate::clock;
use crate::cluster::Answer;
use crate::error::{Error, Result};
use crate::person::private_file;
use crate::render::shell;
use crate::render::{Style, colour, fit};
use crate::seal;

/// The roster of the story.
const ROSTER: &str = include_str!("../../examples/users.yaml");

/// The context that it names.
const CONTEXT: &str = "prod-admin";

/// The context of the kubeconfigs that people get.
const PEOPLES_CONTEXT: &str = "prod";

/// What git takes from the environment, and must not take from the one that the story is told in: a
/// hook, or another repository.
const GIT: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"];

/// The stage, set.
pub struct DemoStage {
    folder: PathBuf,
    sandbox: Sandbox,
    style: Style,
    /// How wide the terminal is, if it is one.
    columns: Option<usize>,
    /// This very program.
    certctl: PathBuf,
    /// Flags of every certctl command: what the user asked of this one.
    flags: Vec<&'static str>,
    /// Whether there is a kubectl that works.
    kubectl: bool,
}

impl DemoStage {
    /// Makes folder, keys, repository and cluster.
    ///
    /// # Errors
    /// One of them could not be created.
    pub fn set(global: &Global, style: Style, columns: Option<usize>) -> Result<Self> {
        let failed = |what: &str| {
            let what = format!("{what}; the story was not told");
            move |cause: std::io::Error| Error::new(what.clone()).caused_by(cause)
        };
        let folder = tempfile::Builder::new().prefix("certctl-demo-").tempdir();
        let folder = folder.map_err(failed("no folder could be made"))?;
        let certctl = std::env::current_exe().map_err(failed("certctl does not find itself"))?;
        let sandbox = cluster::start(CONTEXT, None)?;
        cluster::write_kubeconfig(&sandbox, &folder.path().join("kubeconfig"))?;
        let mut flags = Vec::new();
        match global.color {
            ColorChoice::Auto => {}
            ColorChoice::Always => flags.extend(["--color", "always"]),
            ColorChoice::Never => flags.extend(["--color", "never"]),
        }
        flags.extend(global.verbose.then_some("-v"));
        flags.extend(global.quiet.then_some("-q"));
        // It is removed by `strike`, and not when something is dropped: with `--keep` it stays.
        let stage =
            Self { folder: folder.keep(), sandbox, style, columns, certctl, flags, kubectl: has_kubectl() };
        // From here on nothing of it may stay behind.
        match stage.furnish() {
            Ok(()) => Ok(stage),
            Err(error) => {
                stage.strike();
                Err(error)
            }
        }
    }

    fn furnish(&self) -> Result<()> {
        let roster = self.with_fresh_keys()?;
        self.quietly(
            "git",
            &self.folder,
            &["init", "--quiet", "--template=", "--bare", "--initial-branch=main", "origin.git"],
        )?;
        self.quietly(
            "git",
            &self.folder,
            &["init", "--quiet", "--template=", "--initial-branch=main", "access-repo"],
        )?;
        let repository = self.repository();
        // The user's own signing key and hooks must not be used here.
        for (key, value) in [
            ("user.name", "Ada Admin"),
            ("user.email", "admin@example.com"),
            ("commit.gpgsign", "false"),
            ("core.hooksPath", ".git/hooks"),
        ] {
            self.quietly("git", &repository, &["config", key, value])?;
        }
        self.quietly("git", &self.folder.join("origin.git"), &["config", "core.hooksPath", "hooks"])?;
        fs::write(repository.join("users.yaml"), roster)
            .map_err(|cause| Error::new("the roster could not be written").caused_by(cause))?;
        for args in [
            &["remote", "add", "origin", "../origin.git"][..],
            &["add", "users.yaml"],
            &["commit", "--quiet", "-m", "a roster: three people"],
            &["push", "--quiet", "--set-upstream", "origin", "main"],
        ] {
            self.quietly("git", &repository, args)?;
        }
        Ok(())
    }

    /// The example's roster, with an age identity of the story's own for each of its people.
    fn with_fresh_keys(&self) -> Result<String> {
        let created = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        roster::with_recipients(&roster::leading_to(ROSTER, &self.sandbox.server()), |name| {
            let identity = seal::new_identity(&created, None)?;
            private_file::write(&self.folder.join(format!("{name}.key")), &identity.file, false)?;
            Ok(identity.recipient)
        })
    }

    /// Where the commands run.
    pub fn repository(&self) -> PathBuf {
        self.folder.join("access-repo")
    }

    /// Takes everything away.
    pub fn strike(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// A part of the story begins.
    pub fn say(&self, text: &str) -> Result<()> {
        let text = self.columns.map_or_else(|| text.to_owned(), |columns| fit::fitted(text, columns));
        print(&format!("\n{}\n", self.style.paint(colour::HEADING, &text)))
    }

    /// A command that the reader types, and that has happened already.
    pub fn note(&self, command: &str) -> Result<()> {
        print(&format!("{}\n", self.style.paint(colour::FAINT, &format!("$ {command}"))))
    }

    /// A command of certctl.
    pub fn certctl(&self, args: &[&str]) -> Result<()> {
        self.run("certctl", args)
    }

    /// Shows a command and runs it; it must succeed.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<()> {
        if self.ends(program, args)? { Ok(()) } else { Err(astray(program, args, "it failed")) }
    }

    /// Shows a command, runs it, and returns whether it succeeded.
    fn ends(&self, program: &str, args: &[&str]) -> Result<bool> {
        self.note(&shown(program, args))?;
        let status = self.command(program, &self.repository(), args).status();
        status.map(|status| status.success()).map_err(|cause| unstarted(program, cause))
    }

    /// Someone's request is answered.
    pub fn is_allowed(&self, kubeconfig: &str, request: Request) -> Result<()> {
        self.asks(kubeconfig, request, true)
    }

    /// A request that is refused, because the user may not make it.
    pub fn is_forbidden(&self, kubeconfig: &str, request: Request) -> Result<()> {
        self.asks(kubeconfig, request, false)
    }

    fn asks(&self, kubeconfig: &str, request: Request, expected: bool) -> Result<()> {
        let allowed = if self.kubectl {
            self.asks_with_kubectl(&request.kubectl(kubeconfig))?
        } else {
            self.asks_itself(kubeconfig, request)?
        };
        let instead = match allowed {
            Some(allowed) if allowed == expected => return Ok(()),
            Some(true) => "it was not refused",
            Some(false) => "it was refused",
            None => "it failed",
        };
        Err(astray("GET", &[&request.path()], instead))
    }

    /// Whether it is allowed; `None` if it failed for another reason.
    fn asks_with_kubectl(&self, args: &[&str]) -> Result<Option<bool>> {
        self.note(&shown("kubectl", args))?;
        let mut kubectl = self.command("kubectl", &self.repository(), args);
        let output = kubectl.stdout(Stdio::inherit()).stderr(Stdio::piped()).output();
        let output = output.map_err(|cause| unstarted("kubectl", cause))?;
        let said = String::from_utf8_lossy(&output.stderr);
        print(&said)?;
        if output.status.success() {
            return Ok(Some(true));
        }
        Ok(said.contains("(Forbidden)").then_some(false))
    }

    /// Whether it is allowed; `None` if it failed for another reason.
    fn asks_itself(&self, kubeconfig: &str, request: Request) -> Result<Option<bool>> {
        let path = self.repository().join(kubeconfig);
        let answer = tokio::runtime::Handle::current().block_on(request.ask(&path, PEOPLES_CONTEXT))?;
        let (allowed, said, paint) = match answer {
            Answer::Allowed { items } => (Some(true), format!("200 OK, {items} of them"), colour::ADD),
            Answer::Refused { code, message } => {
                ((code == 403).then_some(false), format!("{code}: {message}"), colour::REMOVE)
            }
        };
        // Not behind a `$`: it is no command. With kubectl on the PATH it would be one.
        print(&format!("GET {} with {kubeconfig}\n  {}\n", request.path(), self.style.paint(paint, &said)))?;
        Ok(allowed)
    }

    /// Edits users.yaml, as a person does in an editor.
    pub fn take_off_the_roster(&self, name: &str) -> Result<()> {
        let failed = |cause| Error::new("users.yaml could not be edited").caused_by(cause);
        let path = self.repository().join("users.yaml");
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, roster::without(&text, name)).map_err(failed)
    }

    /// How to continue.
    pub fn hand_over(&self) -> Result<()> {
        let folder = self.certctl.parent().unwrap_or(Path::new("")).display().to_string();
        print(&format!(
            "\nThe repository and the cluster ({}) are up. In another terminal:\n\
             \x20 cd {}\n\
             \x20 export KUBECONFIG={}\n\
             \x20 export PATH={}:$PATH\n\
             Edit users.yaml, commit it, and run `certctl plan`. Ctrl-C ends the cluster; the folder stays: {}\n",
            self.sandbox.server(),
            shell::word(&self.repository().display().to_string()),
            shell::word(&self.kubeconfig().display().to_string()),
            shell::word(&folder),
            self.folder.display()
        ))
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn command(&self, program: &str, folder: &Path, args: &[&str]) -> Command {
        let mut command = match program {
            "certctl" => {
                let mut command = Command::new(&self.certctl);
                command.args(&self.flags);
                command
            }
            program => Command::new(program),
        };
        command.current_dir(folder).args(args).stdin(Stdio::null());
        command.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.folder.join("cache"));
        // The clock of the cluster is the system's.
        for name in GIT.iter().chain(&["CERTCTL_NOW"]) {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command that the story does not show.
    fn quietly(&self, program: &str, folder: &Path, args: &[&str]) -> Result<()> {
        let output =
            self.command(program, folder, args).output().map_err(|cause| unstarted(program, cause))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(astray(program, args, "it failed").caused_by(said))
    }
}

fn has_kubectl() -> bool {
    let version = Command::new("kubectl")
        .args(["version", "--client"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    // A closed pipe is no reason to stop in the middle of an apply.
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new("standard output could not be written").caused_by(error))
        }
        _ => Ok(()),
    }
}

/// As a shell takes it.
fn shown(program: &str, args: &[&str]) -> String {
    shell::line(std::iter::once(program).chain(args.iter().copied()))
}

fn astray(program: &str, args: &[&str], what: &str) -> Error {
    Error::new(format!("`{}` did not end as the story has it: {what}", shown(program, args))).hint(
        "this is a defect of certctl, or of the git that it found: please report it with the lines above",
    )
}

fn unstarted(program: impl AsRef<OsStr>, cause: std::io::Error) -> Error {
    let program = program.as_ref().display();
    Error::new(format!("`{program}` could not be started; the story needs it"))
        .caused_by(cause)
        .hint(format!("install {program}, and make sure that it is on the PATH"))
}
