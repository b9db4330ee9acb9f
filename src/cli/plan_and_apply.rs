//! What changes clusters: `plan`, `apply` and `revoke`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::durations::duration;
use crate::model::{Author, BranchName, CredentialId, RosterName, UserName};

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PlanFormat,
    /// Also write the plan to a file, e.g. `json=plan.json`; may be repeated
    ///
    /// The formats are those of --format. If there is no plan, nothing is written.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = save)]
    pub save: Vec<(PlanFormat, PathBuf)>,
    /// Exit with 2 if there are changes, 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Compare the roster with the records only, without contacting a cluster
    ///
    /// Needs no secrets: reads no kubeconfig, sends nothing and runs no program. Lists what cannot be
    /// known offline, such as existing bindings.
    #[arg(long)]
    pub offline: bool,
    /// Show only what this branch changes since it left REV, e.g. `origin/main`
    ///
    /// Compares with the roster and the records of the last commit that REV and HEAD have in common.
    /// Changes that are already pending there (a renewal, drift) are only counted. The digest is that of
    /// the whole plan, which is what apply carries out.
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
}

/// `plan --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/plan.schema.json.
    Json,
    /// For a comment on a pull request, at most 65,536 characters long.
    Markdown,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Do not ask for approval; required without a terminal
    #[arg(long)]
    pub auto_approve: bool,
    /// Commit the records, but do not push them
    ///
    /// New credentials are bound anyway: push soon, or the next apply from another clone issues them again.
    #[arg(long)]
    pub no_push: bool,
    /// Push the records to this branch; for a detached HEAD in CI, or a protected branch
    ///
    /// On a branch other than the roster's, the records wait to be merged: the first apply after the
    /// merge binds the new credentials, and until then nothing more is issued.
    #[arg(long, value_name = "NAME", conflicts_with = "no_push")]
    pub push_branch: Option<String>,
    /// Only take access away: issue, record and bind nothing, and ask no remote
    ///
    /// Also cuts off credentials that are to be replaced. What the records here do not know stays as it is. The
    /// next apply without it brings the records up to date.
    #[arg(long, conflicts_with_all = ["no_push", "push_branch", "expect_digest", "expect_plan", "reviewed"])]
    pub only_revocations: bool,
    /// Apply from this branch, although the roster is applied from another
    ///
    /// The roster is applied from `apply.branch`, else from the branch of its first apply.
    #[arg(long, value_name = "NAME")]
    pub branch: Option<BranchName>,
    /// The commit's author, e.g. `certctl <certctl@example.com>` [default: from git, else from CI]
    #[arg(long, value_name = "NAME <EMAIL>")]
    pub author: Option<Author>,
    /// Add a `Signed-off-by` line of the committer to the commit
    #[arg(long)]
    pub signoff: bool,
    /// End the commit's subject line with `[skip ci]`, so that hosts run no CI for it
    #[arg(long)]
    pub skip_ci_marker: bool,
    /// Output format: `text` on standard error, `json` on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ApplyFormat,
    /// Cut off exactly this many users who are withheld, because of the limit or as protected users
    ///
    /// The number is printed by `plan` and `apply`. Any other number is refused, and nothing is done.
    #[arg(long, value_name = "N")]
    pub acknowledge: Option<usize>,
    /// Refuse if the plan does not have this digest, as printed by `plan`
    ///
    /// Renewals and cleanups are not part of the digest. If a recent commit had the expected plan, the
    /// error shows the differences.
    #[arg(long, value_name = "SHA256")]
    pub expect_digest: Option<String>,
    /// Refuse if the plan differs from this file, as written by `plan --format json`
    ///
    /// Like `--expect-digest`, but the error shows the exact differences.
    #[arg(long, value_name = "FILE", conflicts_with = "expect_digest")]
    pub expect_plan: Option<PathBuf>,
    /// Refuse whatever none of the plans in this file showed
    ///
    /// A JSON list of plans as `plan --format json` writes them: what was reviewed in several pull requests and
    /// is applied at once. Of a plan without `digested`, only the digest counts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["expect_digest", "expect_plan"])]
    pub reviewed: Option<PathBuf>,
    /// Which new certificates to try at the address that kubeconfigs lead to, before they are recorded
    ///
    /// `first` tries the first of each cluster. If it does not work, nothing new is recorded or bound there;
    /// if the address cannot be reached from here, a warning is printed.
    #[arg(long, value_name = "WHICH", default_value = "first")]
    pub probe: ProbeChoice,
    /// How long to wait for an approved request to be signed, e.g. `90s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How long to wait for another apply to finish, e.g. `10s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// How many credentials to issue concurrently on each cluster
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = parallelism)]
    pub parallelism: usize,
}

/// `apply --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApplyFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/apply.schema.json.
    Json,
}

/// `apply --probe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeChoice {
    /// The first one of each cluster.
    First,
    /// All of them.
    All,
    /// None.
    None,
}

fn save(text: &str) -> Result<(PlanFormat, PathBuf), String> {
    let (format, file) = text.split_once('=').unwrap_or((text, ""));
    match PlanFormat::from_str(format, false) {
        Ok(format) if !file.is_empty() => Ok((format, file.into())),
        _ => Err("write `text=FILE`, `json=FILE` or `markdown=FILE`".to_owned()),
    }
}

fn parallelism(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err("it must be from 1 to 1000".to_owned()),
    }
}

/// `revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The user to cut off
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// Only this credential; the user keeps the others, and gets a new one with the next apply
    #[arg(long, value_name = "ID", conflicts_with = "undo")]
    pub credential: Option<CredentialId>,
    /// Let the user in again with the next apply; what was revoked stays revoked
    #[arg(long)]
    pub undo: bool,
    /// The roster's `metadata.name` [default: that of the roster, or the only one that the cluster knows]
    #[arg(long, value_name = "NAME")]
    pub roster_name: Option<RosterName>,
    /// Do not ask; required without a terminal
    #[arg(long)]
    pub auto_approve: bool,
}
