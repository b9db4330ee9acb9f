//! The command line: types and all help text. The only file that knows clap.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::init::{Branch, Owner};
use crate::model::{Author, ClusterName, KeyType, RosterName, UserName};

/// Reconcile people's access to Kubernetes with a roster in git
///
/// A `users.yaml` says who may do what. `certctl plan` shows what would change, `certctl apply` makes
/// it so: it issues, renews and revokes client certificates through the Kubernetes CSR API, binds
/// roles, encrypts each kubeconfig to its owner's age public key and commits it to the repository.
#[derive(Debug, Parser)]
#[command(
    name = "certctl",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed or partly failed, 2 changes pending (`plan --detailed-exitcode`), 64 wrong usage."
)]
pub struct Cli {
    #[command(flatten)]
    /// What every command takes.
    pub global: Global,
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The roster; its folder also holds `access/`
    #[arg(long, global = true, value_name = "FILE", default_value = "users.yaml")]
    pub roster: PathBuf,
    /// The kubeconfig with certctl's own contexts [default: as kubectl: KUBECONFIG, ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Only this cluster of the roster; may be repeated [default: all]
    #[arg(long = "cluster", global = true, value_name = "NAME")]
    pub clusters: Vec<ClusterName>,
    /// The longest that a single call to a cluster may take, e.g. `10s`, `1m`
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = positive)]
    pub request_timeout: Duration,
    /// When to colour: `always`, `never`, or `auto`, which is on a terminal unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: ColorChoice,
    /// Say more on standard error
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing on standard error but errors
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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a roster in this repository, with CODEOWNERS and CI
    ///
    /// Asks on a terminal; elsewhere every question has its flag. Writes a roster to fill in, access/,
    /// .gitattributes, CODEOWNERS and the workflows for pull requests, merges and renewals. Files that
    /// are there already stay as they are, but for the lines that are added to the two that others
    /// write, too; to run it again is safe.
    #[command(
        after_help = "Example: certctl init --name acme --context prod-admin --cluster prod --user alice --ci none"
    )]
    Init(InitArgs),
    /// Check the roster and the records, without a cluster
    ///
    /// Reports every error of users.yaml and of access/ in one run, each with file, line and column.
    #[command(after_help = "Example: certctl validate --roster team/users.yaml")]
    Validate,
    /// Show what apply would change, and change nothing
    ///
    /// Reads the roster, the records and the clusters, in a fixed number of list calls however many
    /// users there are. On GitHub Actions, errors are annotated on the roster's line, and the plan is
    /// added to the step summary.
    #[command(after_help = "Examples:
  certctl plan --detailed-exitcode --format json > plan.json
  certctl plan --base origin/main --format markdown > comment.md
  certctl plan --offline --base origin/main   # for a pull request that must get no secret")]
    Plan(PlanArgs),
    /// Make the clusters and the records as the roster says
    ///
    /// Revokes first, then issues and seals, commits and pushes the records, and only then binds the
    /// new credentials. On a terminal it shows the plan and asks. Run it again after any failure.
    #[command(after_help = "Example: certctl apply --auto-approve")]
    Apply(ApplyArgs),
    /// Make an age identity for yourself, and print the line for the roster
    ///
    /// The identity goes to certctl/identity.txt in $XDG_CONFIG_HOME (~/.config), for your eyes only.
    /// A file that is there is never overwritten.
    #[command(after_help = "Example: certctl keygen --passphrase")]
    Keygen(KeygenArgs),
    /// Make a private key that stays on this machine, and the request for the roster
    ///
    /// Instead of a key that certctl makes and seals to you. The key goes to certctl/keys/ in
    /// $XDG_CONFIG_HOME (~/.config); the request, which is public, to csrs/USER.csr beside the roster.
    /// Once the certificate is in the repository, `decrypt` joins it with the key.
    #[command(after_help = "Example: certctl request alice && git add csrs/alice.csr")]
    Request(RequestArgs),
    /// Decrypt a kubeconfig to standard output or a file
    ///
    /// Without USER, your own: whose is found out from your identities. Nothing in the repository is
    /// believed: server, CA, certificate and key must be those of the roster and the record.
    #[command(after_help = "Example: certctl decrypt --cluster prod -o ~/.kube/prod")]
    Decrypt(DecryptArgs),
    /// Put your clusters into the kubeconfig, so that kubectl just works
    ///
    /// Adds a context for each cluster that one of your keys opens, to the file that kubectl itself
    /// would write to (or --kubeconfig); everything else in it stays, byte for byte. kubectl then asks `certctl
    /// credential` for the newest certificate in the repository, so no key is stored in plain text,
    /// and after a renewal `git pull` is all it takes.
    #[command(after_help = "Example: git pull && certctl login && kubectl --context prod get pods")]
    Login(LoginArgs),
    /// Take out of the kubeconfig what login put in
    ///
    /// Only the entries of this roster go, from every file that kubectl reads; after login and logout
    /// the kubeconfig is as it was, byte for byte.
    #[command(after_help = "Example: certctl logout --cluster prod")]
    Logout(LogoutArgs),
    /// Print the newest certificate and key, for kubectl
    ///
    /// The credential plugin (client.authentication.k8s.io/v1) that `certctl login` writes into the
    /// kubeconfig. It asks no cluster and no network: what it knows is what was last pulled.
    #[command(
        after_help = "Example: certctl credential --roster /home/alice/access/users.yaml --cluster prod"
    )]
    Credential(CredentialArgs),
    /// Show who you are on each cluster, what you may do there, and until when
    ///
    /// Asks each cluster whom it takes you for, with your own credential.
    #[command(after_help = "Example: certctl whoami --cluster prod --format json")]
    Whoami(WhoamiArgs),
    /// Raise the generation of users in the roster, so that apply reissues and cuts off
    ///
    /// For a leaked key or a lost laptop. Changes nothing but `generation` in the roster; review and
    /// commit it, then run `certctl apply`: it issues new credentials, and what they had loses its rights
    /// at once.
    #[command(
        after_help = "Example: certctl rotate alice && git commit -m 'rotate alice' users.yaml && certctl apply"
    )]
    Rotate(RotateArgs),
    /// Tell the whole story in seconds, on a cluster in memory
    ///
    /// A team, a repository and a small Kubernetes API server, all of them made for this and gone
    /// afterwards: plan, apply, decrypt, a request that is allowed and one that is not, someone leaves,
    /// a key leaks. It needs git, and neither network nor cluster; with kubectl on the PATH, that makes the
    /// requests.
    #[command(after_help = "Example: certctl demo --keep")]
    Demo(DemoArgs),
    /// Run a small Kubernetes API server in memory, to play with
    ///
    /// With client certificates, RBAC and a certificate signer, for certctl and kubectl; nothing runs on
    /// it. Prints the path of its administrator's kubeconfig, and is gone with everything in it at Ctrl-C.
    #[command(after_help = "Example: certctl sandbox --port 6443")]
    Sandbox(SandboxArgs),
    /// Print the JSON Schema of the roster, or of a plan or an apply as JSON
    ///
    /// For editors: `# yaml-language-server: $schema=schemas/users.schema.json` in the first line of
    /// the roster.
    #[command(after_help = "Example: certctl schema > users.schema.json")]
    Schema {
        /// What the schema describes
        #[arg(value_name = "WHAT", default_value = "roster")]
        what: SchemaOf,
    },
}

/// `init`. The cluster's name is `--cluster`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The roster's name: the owner written on every object that certctl makes
    #[arg(long, value_name = "NAME")]
    pub name: Option<RosterName>,
    /// certctl's own context in the kubeconfig; --cluster names the cluster [default: as the context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The first person on the roster
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Whose CI to set up: `github`, `gitlab` or `none` [default: by the address of `origin`]
    #[arg(long, value_name = "HOST", hide_possible_values = true)]
    pub ci: Option<CiHost>,
    /// The branch that CI applies [default: the one of `origin`, else the one checked out]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<Branch>,
    /// Who has to review changes, e.g. `@acme/platform`, for CODEOWNERS; may be repeated
    #[arg(long = "owner", value_name = "OWNER")]
    pub owners: Vec<Owner>,
    /// Where CI gets certctl from, with the whole commit: a tag can be moved
    ///
    /// For GitHub OWNER/REPOSITORY@COMMIT, which CI runs as an action; for GitLab
    /// https://HOST/PATH@COMMIT. A repository of your own that holds certctl's source will do.
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
    /// No CI yet.
    None,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PlanFormat,
    /// Also write the plan to a file, e.g. `json=plan.json`; may be repeated
    ///
    /// The forms are those of --format. Where there is no plan, nothing is written.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = save)]
    pub save: Vec<(PlanFormat, PathBuf)>,
    /// Exit with 2 when there is something to do, 0 when there is nothing
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Ask no cluster: compare the roster with the records alone
    ///
    /// Needs no secret: no kubeconfig is read, nothing is sent, no program is run. What cannot be known
    /// like this, such as what is bound, it names.
    #[arg(long)]
    pub offline: bool,
    /// Show only what this branch changes since it left REV, e.g. `origin/main`
    ///
    /// Compares with the roster and the records of the last commit that REV and HEAD have in common.
    /// What is pending there already (a renewal, drift) is only counted. The digest is that of the whole
    /// plan, which is what apply does.
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
}

/// `plan --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For machines; its schema is schemas/plan.schema.json.
    Json,
    /// For a comment on a pull request, at most 65,536 characters long.
    Markdown,
}

/// `--format` of other commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub auto_approve: bool,
    /// Commit the records, but do not push them
    ///
    /// New credentials are bound all the same: push soon, or others will issue them again.
    #[arg(long)]
    pub no_push: bool,
    /// Push the records to this branch; needed where CI leaves HEAD detached, or the branch is protected
    ///
    /// On another branch than the roster's they wait for someone to merge them: what is new is bound by
    /// the first apply after that, and until then nothing more is issued.
    #[arg(long, value_name = "NAME", conflicts_with = "no_push")]
    pub push_branch: Option<String>,
    /// Who the commit is by, e.g. `certctl <certctl@example.com>` [default: as git is set, else as CI says]
    #[arg(long, value_name = "NAME <MAIL>")]
    pub author: Option<Author>,
    /// End the commit's headline in `[skip ci]`, so that hosts run no CI for it
    #[arg(long)]
    pub skip_ci_marker: bool,
    /// How to print what was done: `text` for people on standard error, `json` on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: ApplyFormat,
    /// Revoke exactly this many credentials, though that is over the limit or someone is protected
    #[arg(long, value_name = "N")]
    pub acknowledge: Option<usize>,
    /// Refuse when the plan is not the one with this digest, as `plan` printed it
    ///
    /// Renewals and clean-ups are not part of it. Says what is different, where a recent commit had the
    /// expected plan.
    #[arg(long, value_name = "SHA256")]
    pub expect_digest: Option<String>,
    /// Refuse when the plan is not the one in this file, from `plan --format json`
    ///
    /// As `--expect-digest`, and what is different is known exactly.
    #[arg(long, value_name = "FILE", conflicts_with = "expect_digest")]
    pub expect_plan: Option<PathBuf>,
    /// How long an approved request may stay unsigned, e.g. `90s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How long to wait for another apply to finish, e.g. `10s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// How many credentials to have in the making at once on each cluster
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = parallelism)]
    pub parallelism: usize,
}

/// `apply --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApplyFormat {
    /// For people.
    Text,
    /// For machines too; the schema is schemas/apply.schema.json.
    Json,
}

/// `keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Protect it with a passphrase, which is asked for twice
    #[arg(long)]
    pub passphrase: bool,
    /// Where to write it [default: certctl/identity.txt in $XDG_CONFIG_HOME, else in ~/.config]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Who you are on the roster [default: whose recipient your identity is]
    pub user: Option<UserName>,
    /// ecdsa-p256, ecdsa-p384, ed25519 or rsa-4096 [default: as the roster says, else ecdsa-p256]
    #[arg(long, value_name = "KIND", value_parser = key)]
    pub key: Option<KeyType>,
    /// Where to write the request, in the roster's folder [default: csrs/USER.csr]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// An age identity file or an OpenSSH private key that says who you are; as for `decrypt`
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `decrypt`.
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// Whose kubeconfig [default: the one that the identity opens]
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    ///
    /// Without it: $CERTCTL_IDENTITY, else all that exist of certctl/identity.txt in $XDG_CONFIG_HOME
    /// (~/.config), $SOPS_AGE_KEY_FILE, sops/age/keys.txt, ~/.ssh/id_ed25519 and ~/.ssh/id_rsa.
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Write it to a file that only you can read
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file, if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Who you are; needed where your key opens the kubeconfigs of several
    pub user: Option<UserName>,
    /// Let kubectl ask certctl for the certificate at each call; the default
    #[arg(long, conflicts_with = "embed")]
    pub exec: bool,
    /// Write the certificate and the key themselves, in plain text
    ///
    /// For programs that can run no credential plugin; log in again after each renewal.
    #[arg(long)]
    pub embed: bool,
    /// Take over contexts of the same name that certctl did not write
    #[arg(long)]
    pub force: bool,
    /// An age identity file or an OpenSSH private key, remembered for kubectl; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The entries of every roster; needs none
    #[arg(long, conflicts_with = "clusters")]
    pub all: bool,
}

/// `credential`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// Whose credential
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `whoami`.
#[derive(Debug, Args)]
pub struct WhoamiArgs {
    /// Who you are; needed where your key opens the kubeconfigs of several
    pub user: Option<UserName>,
    /// Ask no cluster
    #[arg(long)]
    pub offline: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Whose credentials; may be repeated
    #[arg(value_name = "USER", required_unless_present = "all", conflicts_with = "all")]
    pub users: Vec<UserName>,
    /// Everyone's
    #[arg(long)]
    pub all: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave the repository and the cluster up until Ctrl-C, and say how to go on
    #[arg(long)]
    pub keep: bool,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port, on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The name of the context in its kubeconfig
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    pub context: String,
    /// Where to write the kubeconfig [default: a new file in the folder for temporary files]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// users.yaml.
    Roster,
    /// What `plan --format json` prints.
    Plan,
    /// What `apply --format json` prints.
    Apply,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it like `90s` or `5m`".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it cannot be negative".to_owned())
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        longer => Ok(longer),
    }
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
        _ => Err("from 1 to 1000".to_owned()),
    }
}

fn key(text: &str) -> Result<KeyType, String> {
    let kinds = [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096];
    let kind = kinds.into_iter().find(|kind| kind.to_string() == text);
    kind.ok_or_else(|| format!("write one of {}", kinds.map(|kind| kind.to_string()).join(", ")))
}
