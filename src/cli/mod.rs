//! The command line: types and all help text. Only this module knows clap. The commands are in `command`, and
//! their arguments in one file a subject.

mod command;
pub mod completion;
mod durations;
mod installation;
pub mod man;
mod person;
mod plan_and_apply;
mod printed;
mod reports;
mod roster_edits;
#[cfg(feature = "sandbox")]
mod sandbox;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

pub use self::command::Command;
use self::durations::positive;
pub use self::installation::{
    BootstrapArgs, CiHost, DoctorArgs, DutyChoice, ImportArgs, InitArgs, UninstallArgs,
};
pub use self::person::{
    CredentialArgs, DecryptArgs, KeygenArgs, LoginArgs, LogoutArgs, RequestArgs, UnlockArgs, WhoamiArgs,
};
pub use self::plan_and_apply::{ApplyArgs, ApplyFormat, PlanArgs, PlanFormat, ProbeChoice, RevokeArgs};
pub use self::printed::{SchemaOf, Shell};
pub use self::reports::{
    AuditArgs, AuditFormat, ExplainArgs, HistoryArgs, NoticesArgs, NoticesFormat, ReportArgs, ReportFormat,
    StatusArgs, StatusFormat, WhoArgs,
};
pub use self::roster_edits::{
    AddUserArgs, EditArgs, GrantArgs, RemoveUserArgs, RevokeGrantArgs, RotateArgs, SuspendArgs,
};
#[cfg(feature = "sandbox")]
pub use self::sandbox::{DemoArgs, SandboxArgs};
use crate::model::ClusterName;

/// Reconcile people's access to Kubernetes with a roster in git
///
/// A `users.yaml` says who may do what. `certctl plan` shows what would change, and `certctl apply`
/// carries it out: it issues, renews and revokes client certificates through the Kubernetes CSR API,
/// binds roles, encrypts each kubeconfig to its owner's age public key and commits it to the
/// repository.
#[derive(Debug, Parser)]
#[command(
    name = "certctl",
    version,
    long_version = env!("CERTCTL_LONG_VERSION"),
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed or partly failed, 2 changes, findings or somebody needed (`--detailed-exitcode`), 64 wrong usage."
)]
pub struct Cli {
    #[command(flatten)]
    /// The global options.
    pub global: Global,
    #[command(subcommand)]
    /// The command to run.
    pub command: Command,
}

/// Whether kubectl runs this as its plugin, which then is called `kubectl certctl`.
pub fn is_kubectl_plugin() -> bool {
    let program = std::env::args_os().next().unwrap_or_default();
    Path::new(&program).file_name().is_some_and(|name| name == "kubectl-certctl")
}

/// Reads the command line.
///
/// # Errors
/// It cannot be meant, or asks for help or the version.
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if is_kubectl_plugin() {
        command = command.bin_name("kubectl certctl");
    }
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Options that every command accepts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The roster file; `access/` is in the same folder [default: users.yaml here or above, else CERTCTL_ROSTER]
    #[arg(long = "roster", global = true, value_name = "FILE")]
    pub named_roster: Option<PathBuf>,
    /// The roster file: the named one, or the one that was found.
    #[arg(skip)]
    pub roster: PathBuf,
    /// The kubeconfig with certctl's own contexts [default: KUBECONFIG, ~/.kube/config, like kubectl]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Limit to this cluster of the roster; may be repeated [default: all]
    #[arg(long = "cluster", global = true, value_name = "NAME")]
    pub clusters: Vec<ClusterName>,
    /// Timeout of a single request to a cluster, e.g. `10s`, `1m`
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = positive)]
    pub request_timeout: Duration,
    /// When to use colors: `always`, `never`, or `auto` (on a terminal, unless NO_COLOR is set)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: ColorChoice,
    /// Print more on standard error
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print only errors on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--format` of other commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}
