//! Setting certctl up on a repository and its clusters, and taking it out again: `init`, `import`, `bootstrap`,
//! `doctor` and `uninstall`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Format;
use super::durations::duration;
use crate::init::{Branch, Owner};
use crate::model::{Author, Namespace, RepoPath, RosterName, UserName};

/// `init`. The cluster's name is `--cluster`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The roster's name: the owner label on every object that certctl creates
    #[arg(long, value_name = "NAME")]
    pub name: Option<RosterName>,
    /// certctl's own context in the kubeconfig; the cluster's name is --cluster [default: the context's]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The first user on the roster
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// The CI system to set up: `github`, `gitlab` or `none` [default: from the URL of `origin`]
    #[arg(long, value_name = "HOST", hide_possible_values = true)]
    pub ci: Option<CiHost>,
    /// The branch that CI applies [default: that of `origin`, else the one checked out]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<Branch>,
    /// A code owner who must review changes, e.g. `@acme/platform`; may be repeated
    #[arg(long = "owner", value_name = "OWNER")]
    pub owners: Vec<Owner>,
    /// A code owner of a part of the roster, e.g. `teams/web.yaml=@acme/web`; may be repeated
    ///
    /// A part without one, and without a line in CODEOWNERS, gets those of --owner.
    #[arg(long = "part-owner", value_name = "FILE=OWNER", value_parser = part_owner)]
    pub part_owners: Vec<(RepoPath, Owner)>,
    /// The repository and full commit from which CI gets certctl; a tag could be moved
    ///
    /// For GitHub OWNER/REPOSITORY@COMMIT, which CI runs as an action; for GitLab
    /// https://HOST/PATH@COMMIT. It may be your own repository with certctl's source.
    #[arg(long, value_name = "REPOSITORY@COMMIT")]
    pub source: Option<String>,
}

/// `--ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CiHost {
    /// GitHub Actions.
    #[value(name = "github")]
    GitHub,
    /// GitLab CI.
    #[value(name = "gitlab")]
    GitLab,
    /// No CI.
    None,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Whose rights to check on the clusters: those of `plan`, or of `apply` as well
    #[arg(long = "as", value_name = "COMMAND", default_value = "apply")]
    pub duty: DutyChoice,
    /// Request a certificate that is valid for ten minutes and bound to nothing, and try it
    #[arg(long)]
    pub sign: bool,
    /// How long to wait for it to be signed, e.g. `90s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, requires = "sign")]
    pub timeout: Duration,
    /// Output format; the schema of `json` is schemas/checks.schema.json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `doctor --as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DutyChoice {
    /// Only reads.
    Plan,
    /// Reads and writes.
    Apply,
}

/// `bootstrap`.
#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// Compare with what the cluster has, and print nothing to apply; exits 1 if it differs
    #[arg(long, conflicts_with = "in_cluster")]
    pub check: bool,
    /// The user that plan authenticates as [default: a service account]
    #[arg(long, value_name = "NAME", value_parser = subject)]
    pub plan_user: Option<String>,
    /// The group that plan authenticates with
    #[arg(long, value_name = "NAME", value_parser = subject)]
    pub plan_group: Option<String>,
    /// The user that apply authenticates as [default: a service account]
    #[arg(long, value_name = "NAME", value_parser = subject, conflicts_with = "in_cluster")]
    pub apply_user: Option<String>,
    /// The group that apply authenticates with
    #[arg(long, value_name = "NAME", value_parser = subject, conflicts_with = "in_cluster")]
    pub apply_group: Option<String>,
    /// The namespace of the service accounts and the CronJob
    #[arg(long, value_name = "NAME", default_value = "certctl")]
    pub namespace: Namespace,
    /// Output format: `text` is YAML, or one line a check with `--check`
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Also print a CronJob that pulls the repository and applies it, so that CI needs no rights there
    #[arg(long, requires_all = ["image", "repository", "author"])]
    pub in_cluster: bool,
    /// The CronJob's image, with certctl, git and ssh
    #[arg(long, value_name = "IMAGE", requires = "in_cluster")]
    pub image: Option<String>,
    /// The repository that it pulls from and pushes records to, e.g. `git@git.example.com:acme/access.git`
    #[arg(long, value_name = "URL", requires = "in_cluster")]
    pub repository: Option<String>,
    /// The author of its commits, e.g. `certctl <certctl@example.com>`
    #[arg(long, value_name = "NAME <EMAIL>", requires = "in_cluster")]
    pub author: Option<Author>,
    /// When it runs, as in cron
    #[arg(long, value_name = "CRON", default_value = "*/15 * * * *", requires = "in_cluster")]
    pub schedule: String,
    /// The Secret with the deploy key: `ssh-privatekey` and `known_hosts`
    #[arg(long, value_name = "NAME", default_value = "certctl-deploy-key", requires = "in_cluster")]
    pub deploy_key_secret: String,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The context that the access is read from
    #[arg(long, value_name = "NAME", required_unless_present = "finish", conflicts_with = "finish")]
    pub context: Option<String>,
    /// Write the draft to this file, which must not exist yet [default: standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with = "finish")]
    pub output: Option<PathBuf>,
    /// What the roster is called [default: the folder's name]
    #[arg(long, value_name = "NAME", conflicts_with = "finish")]
    pub name: Option<RosterName>,
    /// Print the kubectl commands that remove what the roster has replaced
    #[arg(long)]
    pub finish: bool,
    /// Output format; the schemas of `json` are schemas/import.schema.json and schemas/import-finish.schema.json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    /// Only show it; certctl itself removes nothing
    #[arg(long, required = true)]
    pub plan: bool,
}

/// A user or group that certctl's own rights may be given to: not one that others are, too.
fn subject(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("it is empty, or has control characters".to_owned());
    }
    if text.starts_with("system:") && !text.starts_with("system:serviceaccount:") {
        return Err("names that begin with `system:` belong to Kubernetes, and many have them".to_owned());
    }
    Ok(text.to_owned())
}

fn part_owner(text: &str) -> Result<(RepoPath, Owner), String> {
    let (path, owner) = text.split_once('=').ok_or_else(|| "write `teams/web.yaml=@acme/web`".to_owned())?;
    let path = path.parse().map_err(|why| format!("{path} {why}"))?;
    Ok((path, owner.parse().map_err(|why| format!("{owner} {why}"))?))
}
