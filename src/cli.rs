//! The command line: types and all help text. Only this and what is below it know clap.

pub mod completion;
pub mod man;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::init::{Branch, Owner};
use crate::model::{
    Author, BranchName, ClusterName, CredentialId, GroupName, KeyType, Namespace, RepoPath, RosterName,
    UserName,
};

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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a roster in this repository, with CODEOWNERS and CI
    ///
    /// Asks questions on a terminal; every question also has a flag. Writes a roster to fill in, access/,
    /// .gitattributes, CODEOWNERS and the workflows for pull requests, merges and renewals. Existing files
    /// are not changed, except that missing lines are added to .gitattributes and CODEOWNERS. It is safe
    /// to run it again.
    #[command(
        after_help = "Example: certctl init --name acme --context prod-admin --cluster prod --user alice --ci none"
    )]
    Init(InitArgs),
    /// Check the roster and the records, without a cluster
    ///
    /// Reports all errors in users.yaml and access/ in one run, each with file, line and column.
    #[command(after_help = "Example: certctl validate --roster team/users.yaml")]
    Validate,
    /// Show what apply would change, without changing anything
    ///
    /// Reads the roster, the records and the clusters, with a fixed number of list requests regardless of
    /// the number of users. On GitHub Actions, errors are shown as annotations on the roster, and the plan
    /// is added to the step summary.
    #[command(after_help = "Examples:
  certctl plan --detailed-exitcode --format json > plan.json
  certctl plan --base origin/main --format markdown > comment.md
  certctl plan --offline --base origin/main   # for a pull request that must not see secrets")]
    Plan(PlanArgs),
    /// Apply the roster to the clusters and the records
    ///
    /// Revokes first, then issues and seals, commits and pushes the records, and only then binds the
    /// new credentials. On a terminal it shows the plan and asks for approval. After a failure, run it again.
    #[command(after_help = "Example: certctl apply --auto-approve")]
    Apply(ApplyArgs),
    /// Say what a user may do, and why or why not
    ///
    /// Without a question: every right of the user's credential, through which membership, grant, binding and role
    /// it comes, and until when; -v adds the rules of each role. With VERB and RESOURCE: yes or no, and why, or what
    /// would allow it; beside it the cluster's own answer (SubjectAccessReview). Without --namespace the question is
    /// about all namespaces.
    #[command(after_help = "Examples:
  certctl explain alice
  certctl explain alice get secrets -n shop
  certctl explain alice create pods/exec web-0 -n shop
  certctl explain alice patch deployments.apps --cluster prod
  certctl explain alice get /metrics")]
    Explain(ExplainArgs),
    /// Report what is behind the roster's back, the worst first
    ///
    /// Bindings of users and groups that the roster does not know and that write or more, certificates that others had
    /// approved, roles granted through the roster that come to full control, and revoked certificates that are still
    /// alive. What was looked at can be ignored in the roster for a time: `audit: {ignore: [...]}`.
    #[command(after_help = "Examples:
  certctl audit --detailed-exitcode
  certctl audit --format sarif > certctl.sarif   # for code scanning")]
    Audit(AuditArgs),
    /// Check everything that plan and apply need, one line a check
    ///
    /// Git, the roster, age plugins, and for each cluster: the connection, each right of certctl's identity, the
    /// clock, and the address and CA that kubeconfigs lead to. Changes nothing, unless `--sign` is given. Exits 1 if
    /// a check failed.
    #[command(after_help = "Examples:
  certctl doctor
  certctl doctor --as plan --cluster prod   # with the context of the plan identity
  certctl doctor --sign                     # does this cluster sign client certificates?")]
    Doctor(DoctorArgs),
    /// Print the RBAC that plan and apply need on a cluster
    ///
    /// Least privilege, made from the roster: `bind` for exactly the roles that it grants. Without options, for two
    /// service accounts; an administrator applies it with kubectl. Run it again when the roster grants another role.
    #[command(after_help = "Examples:
  certctl bootstrap --cluster prod | kubectl --context prod-admin apply -f -
  certctl bootstrap --plan-group ci-plan --apply-user ci-apply
  certctl bootstrap --check")]
    Bootstrap(BootstrapArgs),
    /// Make a roster of the access that a cluster has now
    ///
    /// For clusters where access was given by hand. Writes a draft from the bindings that are there and, for an hour
    /// after they were approved, the certificate requests: users, groups and their grants. What a roster cannot say is
    /// named with its reason. Then it prints the steps of the migration, in which nobody loses access before what
    /// replaces it works. In the last one, `--finish` prints the kubectl commands that remove the old bindings, of
    /// those alone whose new credential is bound. Changes nothing in a cluster.
    #[command(after_help = "Examples:
  certctl import --context prod-admin -o users.yaml
  certctl import --finish --cluster prod")]
    Import(ImportArgs),
    /// Show how to take certctl out of the clusters
    ///
    /// Prints the kubectl commands that remove what certctl has on each cluster of the roster: its bindings, what the
    /// cluster remembers, and what `bootstrap` made. What stays is named in comments: bindings of others, and
    /// certificates until they expire. Changes nothing.
    #[command(after_help = "Example: certctl uninstall --plan --cluster staging > leave.sh")]
    Uninstall(UninstallArgs),
    /// Create an age identity for yourself, and print the line for the roster
    ///
    /// The identity is written to certctl/identity.txt in $XDG_CONFIG_HOME (~/.config), readable only by
    /// you. An existing file is never overwritten.
    #[command(after_help = "Example: certctl keygen --passphrase")]
    Keygen(KeygenArgs),
    /// Create a private key that stays on this machine, and a CSR for the roster
    ///
    /// Use this instead of a key that certctl generates and seals to you. The key is written to
    /// certctl/keys/ in $XDG_CONFIG_HOME (~/.config); the request, which is public, to csrs/USER.csr beside
    /// the roster. Once the certificate is in the repository, `decrypt` combines it with the key.
    #[command(after_help = "Example: certctl request alice && git add csrs/alice.csr")]
    Request(RequestArgs),
    /// Decrypt a kubeconfig to standard output or a file
    ///
    /// Without USER it decrypts your own, which it finds by your identities. The contents are verified:
    /// server, CA, certificate and key must match the roster and the record.
    #[command(after_help = "Example: certctl decrypt --cluster prod -o ~/.kube/prod")]
    Decrypt(DecryptArgs),
    /// Add your clusters to the kubeconfig that kubectl uses
    ///
    /// Adds a context for each cluster whose kubeconfig one of your keys can decrypt, to the file that
    /// kubectl would write to (or --kubeconfig); everything else in it stays the same, byte for byte. kubectl
    /// then runs `certctl credential` to get the newest certificate in the repository, so no key is stored
    /// in plain text, and after a renewal `git pull` is enough.
    #[command(after_help = "Example: git pull && certctl login && kubectl --context prod get pods")]
    Login(LoginArgs),
    /// Remove the entries that login added to the kubeconfig
    ///
    /// Removes only the entries of this roster, from every file that kubectl reads. After login and
    /// logout the kubeconfig is the same as before, byte for byte.
    #[command(after_help = "Example: certctl logout --cluster prod")]
    Logout(LogoutArgs),
    /// Enter the passphrase of your identity once, for some hours
    ///
    /// A process of yours keeps the unlocked key in memory, and opens for `credential`, `decrypt`, `whoami` and `login`
    /// what is sealed to it, through a socket that nobody else can use. It ends when the time is over, at `certctl
    /// lock`, and at shutdown. The key leaves it for no one, and is on no disk.
    #[command(after_help = "Examples:
  certctl unlock
  certctl unlock --for 30m -i ~/.ssh/id_ed25519")]
    Unlock(UnlockArgs),
    /// Forget what `certctl unlock` has unlocked, at once
    Lock,
    /// Keep identities unlocked, for `unlock`
    #[command(hide = true)]
    KeepUnlocked {
        /// The folder of the socket
        #[arg(long)]
        folder: PathBuf,
        /// Until when
        #[arg(long)]
        until: jiff::Timestamp,
        /// The identity files
        files: Vec<PathBuf>,
    },
    /// Print the newest certificate and key, for kubectl
    ///
    /// The credential plugin (client.authentication.k8s.io/v1) that `certctl login` adds to the
    /// kubeconfig. It uses no network: it reads the repository as it was last pulled.
    #[command(
        after_help = "Example: certctl credential --roster /home/alice/access/users.yaml --cluster prod"
    )]
    Credential(CredentialArgs),
    /// Show who you are on each cluster, what you may do there, and until when
    ///
    /// Asks each cluster which user you are, with your own credential.
    #[command(after_help = "Example: certctl whoami --cluster prod --format json")]
    Whoami(WhoamiArgs),
    /// Show who holds which credential until when, and what needs somebody
    ///
    /// Reads the records, the roster and the clusters, with a fixed number of requests. Credentials that need
    /// somebody come first; of a long list only what there is to note is shown, and numbers. A cluster that
    /// cannot be read is shown as the records know it, and the exit code is 1.
    #[command(after_help = "Examples:
  certctl status
  certctl status alice bob
  certctl status --expiring 14d --format json
  certctl status --offline --detailed-exitcode   # in a daily job without access to clusters
  certctl status --format prometheus > /var/lib/node_exporter/certctl.prom")]
    Status(StatusArgs),
    /// List who must act soon, for a mailer, a chat hook or an issue
    ///
    /// Tells of access that ends, certificates that were to be renewed by now, recipients that are weak or
    /// cannot be used, and what the roster asks for and nobody has yet; by person, with what to do. It sends
    /// nothing. Clusters that cannot be read are told from the records alone.
    #[command(after_help = "Examples:
  certctl notices                                # as a page, e.g. for an issue
  certctl notices --within 30d --format json | jq -r '.people[] | .email // empty'")]
    Notices(NoticesArgs),
    /// Find whose certificate a fingerprint, a serial number or a line of a log shows
    ///
    /// Looks in the records, and for those that they no longer hold in the git history. What a certificate may do now,
    /// its cluster says; where that cannot be read, the roster does, and the exit code is 1.
    #[command(after_help = "Examples:
  certctl who X509SHA256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  certctl who 7f:00:ab:12
  certctl who certctl:alice:3f2a91bc4d5e6f70
  certctl who client.crt
  grep secrets audit.log | tail -n 1 | certctl who -")]
    Who(WhoArgs),
    /// Show what happened to a user or a group, from git
    ///
    /// Lists who joined and left, credentials issued, renewed, rotated and revoked, and memberships and
    /// grants that were gained (+), lost (-) or changed (~), each with its commit and that commit's author.
    /// Follows the roster when its file is renamed. Needs no cluster, and no valid roster.
    #[command(after_help = "Example: certctl history alice --format json")]
    History(HistoryArgs),
    /// Write the access review: who may do what, until when and since which commit
    ///
    /// One page that needs nothing but a browser and prints well, or a table for a spreadsheet: everybody's rights
    /// on each cluster with the commit that gave them and who let it in, the groups, what `audit` finds, and with
    /// `--since` what has changed. It is about the last commit, not about what is edited. A cluster that cannot be
    /// read is shown as the records know it, and the exit code is 1.
    #[command(after_help = "Examples:
  certctl report -o access.html
  certctl report -o access.html --since 2026-09-30
  certctl report -o access.csv --format csv --offline")]
    Report(ReportArgs),
    /// Put users into a group of the roster, until a time or for good
    ///
    /// Edits `groups` of each user; comments and formatting are kept. With `--cluster` the membership counts
    /// on those clusters only. A membership that ends already gets the new end.
    #[command(after_help = "Examples:
  certctl grant alice --group on-call --until 4h --branch on-call-alice
  certctl grant alice bob --group developers && git commit -m 'developers' users.yaml && certctl apply")]
    Grant(GrantArgs),
    /// Take users out of a group of the roster
    ///
    /// Edits `groups` of each user; comments and formatting are kept.
    #[command(
        after_help = "Example: certctl revoke-grant alice --group on-call && git commit -m 'on-call' users.yaml && certctl apply"
    )]
    RevokeGrant(RevokeGrantArgs),
    /// Add a user to the roster
    ///
    /// Adds an entry at the end of `users`; everything else stays the same, byte for byte. With `--cluster`
    /// the user gets access to those clusters only.
    #[command(
        after_help = "Example: certctl add-user carol --recipient age1... --group developers --branch add-carol"
    )]
    AddUser(AddUserArgs),
    /// Remove users from the roster
    ///
    /// Deletes their entries; comments above them are kept. The next apply cuts off their credentials.
    #[command(
        after_help = "Example: certctl remove-user bob && git commit -m 'bob has left' users.yaml && certctl apply"
    )]
    RemoveUser(RemoveUserArgs),
    /// Raise the generation of users, so that apply replaces their credentials
    ///
    /// Use this for a leaked key or a lost laptop. Changes only `generation` in the roster; review and
    /// commit it, then run `certctl apply`: it issues new credentials, and the old ones lose all rights at
    /// once.
    #[command(
        after_help = "Example: certctl rotate alice && git commit -m 'rotate alice' users.yaml && certctl apply"
    )]
    Rotate(RotateArgs),
    /// Pin the server and CA of certctl's own context for new kubeconfigs
    ///
    /// The first apply pins where the kubeconfigs of a cluster lead, in access/CLUSTER/cluster.yaml, and a
    /// context that leads elsewhere changes nothing. This edits the pin in the working tree and shows the old
    /// values and the new ones. What the roster says with `server:` or `certificateAuthority:` counts more.
    #[command(
        after_help = "Example: certctl repin --cluster prod && git commit -m 'prod has moved' access && certctl apply"
    )]
    Repin,
    /// Take all access of users away, and keep their entries in the roster
    ///
    /// Sets `suspended: true` in the roster; comments and formatting are kept. The next apply cuts off their
    /// credentials on all clusters and issues nothing until `certctl resume`.
    #[command(
        after_help = "Example: certctl suspend alice && git commit -m 'suspend alice' users.yaml && certctl apply"
    )]
    Suspend(SuspendArgs),
    /// Give suspended users their access back
    ///
    /// Sets `suspended: false` in the roster; comments and formatting are kept. The next apply issues new
    /// credentials; the old ones stay revoked.
    #[command(
        after_help = "Example: certctl resume alice && git commit -m 'resume alice' users.yaml && certctl apply"
    )]
    Resume(SuspendArgs),
    /// Cut one user off now, with only a kubeconfig
    ///
    /// Takes every credential of theirs out of every binding, and notes in the cluster that they are out, so
    /// that no apply lets them in again. Needs no valid roster, no repository and no CI. A valid roster says
    /// which clusters to ask; otherwise it is the current context, or the contexts named with `--cluster`.
    #[command(after_help = "Examples:
  certctl revoke bob
  certctl revoke alice --credential 3f2a91bc4d5e6f70   # only the leaked one
  certctl revoke --undo bob")]
    Revoke(RevokeArgs),
    /// Show the whole workflow in seconds, on an in-memory cluster
    ///
    /// Creates a team, a repository and a small Kubernetes API server, and removes them afterwards: plan,
    /// apply, decrypt, a request that is allowed and one that is denied, a user leaves, a key leaks. It
    /// needs git, but no network and no cluster. It makes the requests with kubectl if that is on the PATH.
    #[cfg(feature = "sandbox")]
    #[command(after_help = "Example: certctl demo --keep")]
    Demo(DemoArgs),
    /// Run a small in-memory Kubernetes API server to experiment with
    ///
    /// It has client certificates, RBAC and a certificate signer, for certctl and kubectl, but runs no
    /// workloads. Prints the path of an administrator's kubeconfig. Stop it with Ctrl-C; its data is
    /// discarded.
    #[cfg(feature = "sandbox")]
    #[command(after_help = "Example: certctl sandbox --port 6443")]
    Sandbox(SandboxArgs),
    /// Print the JSON Schema of the roster, or of the JSON output of a command
    ///
    /// To use it in an editor, put `# yaml-language-server: $schema=schemas/users.schema.json` in the first
    /// line of the roster.
    #[command(after_help = "Example: certctl schema > users.schema.json")]
    Schema {
        /// Which schema to print
        #[arg(value_name = "WHAT", default_value = "roster")]
        what: SchemaOf,
    },
    /// Print the completion script of a shell
    ///
    /// It completes commands, options and their values, and the users, groups and clusters of the roster at hand,
    /// for which the shell asks certctl at each Tab.
    #[command(after_help = "Examples:
  certctl completions bash > ~/.local/share/bash-completion/completions/certctl
  certctl completions zsh > ~/.zfunc/_certctl   # a folder of fpath
  certctl completions fish > ~/.config/fish/completions/certctl.fish
  certctl completions powershell >> $PROFILE
  certctl completions nushell > ~/.config/nushell/autoload/certctl.nu")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print what can come next on a command line, for the scripts of `completions`
    #[command(hide = true)]
    Complete {
        /// Complete a new word after these, not the last of them
        #[arg(long)]
        next: bool,
        /// The words behind `certctl`
        #[arg(last = true)]
        words: Vec<OsString>,
    },
    /// Print a manual page, or write all of them
    ///
    /// Without COMMAND it is that of certctl itself.
    #[command(after_help = "Examples:
  certctl man apply | man -l -
  certctl man --output ~/.local/share/man/man1")]
    Man {
        /// The command whose page to print
        command: Option<String>,
        /// Write every page to this folder
        #[arg(long, short, value_name = "FOLDER", conflicts_with = "command")]
        output: Option<PathBuf>,
    },
}

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

/// `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: AuditFormat,
    /// Exit with 2 if there are findings, 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `audit --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/audit.schema.json.
    Json,
    /// For a comment or a page.
    Markdown,
    /// SARIF 2.1, for code scanning.
    Sarif,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The user
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// What they would do, e.g. `get`, `list`, `create`
    #[arg(value_name = "VERB", requires = "resource")]
    pub verb: Option<String>,
    /// To what: `RESOURCE[.GROUP][/SUBRESOURCE]`, or a path such as `/metrics`
    #[arg(value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// To the object of this name [default: to no particular one]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// In this namespace [default: in all of them]
    #[arg(long, short, value_name = "NAMESPACE", requires = "verb")]
    pub namespace: Option<Namespace>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `--format` of other commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
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

/// `keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Protect it with a passphrase, which you enter twice
    #[arg(long)]
    pub passphrase: bool,
    /// Print the line for the roster again, of the identity that is there
    #[arg(long, conflicts_with = "passphrase")]
    pub show: bool,
    /// Where to write it [default: certctl/identity.txt in $XDG_CONFIG_HOME, else in ~/.config]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Your name on the roster [default: the user whose recipient is your identity]
    pub user: Option<UserName>,
    /// ecdsa-p256, ecdsa-p384, ed25519 or rsa-4096 [default: from the roster, else ecdsa-p256]
    #[arg(long, value_name = "KIND", value_parser = key)]
    pub key: Option<KeyType>,
    /// Where to write the request, in the roster's folder [default: csrs/USER.csr]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// An age identity file or an OpenSSH private key that identifies you, as for `decrypt`
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `decrypt`.
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// The kubeconfig's owner [default: the user whose kubeconfig the identity decrypts]
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    ///
    /// Default: $CERTCTL_IDENTITY, else all that exist of certctl/identity.txt in $XDG_CONFIG_HOME
    /// (~/.config), $SOPS_AGE_KEY_FILE, sops/age/keys.txt, ~/.ssh/id_ed25519 and ~/.ssh/id_rsa.
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Write to this file, readable only by you
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Your name on the roster; required if your key decrypts the kubeconfigs of several users
    pub user: Option<UserName>,
    /// Let kubectl run certctl to get the certificate for each call (the default)
    #[arg(long, conflicts_with = "embed")]
    pub exec: bool,
    /// Write the certificate and the private key into the kubeconfig, in plain text
    ///
    /// For programs that cannot run credential plugins. Log in again after each renewal.
    #[arg(long)]
    pub embed: bool,
    /// Replace contexts that certctl did not write, and accept another server or CA
    #[arg(long)]
    pub force: bool,
    /// An age identity file or an OpenSSH private key, remembered for kubectl; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// For how long, at most 24h
    #[arg(long = "for", value_name = "DURATION", default_value = "8h", value_parser = unlocked_for)]
    pub lasts: jiff::SignedDuration,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Remove the entries of all rosters; needs no roster
    #[arg(long, conflicts_with = "clusters")]
    pub all: bool,
}

/// `credential`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// The credential's owner
    pub user: Option<UserName>,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// `whoami`.
#[derive(Debug, Args)]
pub struct WhoamiArgs {
    /// Your name on the roster; required if your key decrypts the kubeconfigs of several users
    pub user: Option<UserName>,
    /// Do not contact any cluster
    #[arg(long)]
    pub offline: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// An age identity file or an OpenSSH private key; may be repeated
    #[arg(long, short, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
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

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these users, also those who have left and still hold a credential
    #[arg(value_name = "USER")]
    pub users: Vec<UserName>,
    /// Only credentials that let somebody in and end within this time, e.g. `14d`, `12h`
    #[arg(long, value_name = "DURATION", value_parser = crate::roster::duration)]
    pub expiring: Option<jiff::SignedDuration>,
    /// Show every row of a long list
    #[arg(long)]
    pub all: bool,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Exit with 2 if something that is shown needs somebody, 0 if nothing does
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: StatusFormat,
}

/// `status --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people.
    Text,
    /// For programs; its schema is schemas/status.schema.json.
    Json,
    /// For the textfile collector of Prometheus' node_exporter.
    Prometheus,
}

/// `notices`.
#[derive(Debug, Args)]
pub struct NoticesArgs {
    /// Tell of access that ends within this time, e.g. `14d`, `12h`
    #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = crate::roster::duration)]
    pub within: jiff::SignedDuration,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Exit with 2 if somebody must act, 0 if nobody must
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: NoticesFormat,
}

/// `notices --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NoticesFormat {
    /// A page without anybody's address.
    Markdown,
    /// For programs; its schema is schemas/notices.schema.json.
    Json,
}

/// `who`.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// A SHA-256 fingerprint, serial number, credential id, credential group or file; `-` for standard input
    ///
    /// Fingerprints and serial numbers may contain colons; a serial number may be hexadecimal or decimal. A
    /// file or standard input holds one of these, a certificate (PEM), or lines of an audit log (JSON).
    #[arg(value_name = "CLUE")]
    pub clue: String,
    /// Tell from roster and records what it may do, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The user or the group
    #[arg(value_name = "USER|GROUP")]
    pub name: String,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The file to write, readable only by you where it is new
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Output format: `html` or `csv`
    #[arg(long, value_name = "FORMAT", default_value = "html", hide_possible_values = true)]
    pub format: ReportFormat,
    /// Also tell what has changed in the roster since a day, a time (RFC 3339) or a revision (HTML only)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Read the records only, without contacting a cluster
    #[arg(long)]
    pub offline: bool,
}

/// `report --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page.
    Html,
    /// A table for spreadsheets.
    Csv,
}

/// `rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The users whose credentials to replace
    #[arg(value_name = "USER", required_unless_present = "all", conflicts_with = "all")]
    pub users: Vec<UserName>,
    /// All users
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// What all commands accept that edit the roster.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Commit the edit to this new branch and push it, instead of editing the working tree
    ///
    /// Starts from the last commit, changes nothing here, and prints where to open the pull request.
    #[arg(long, value_name = "NAME")]
    pub branch: Option<BranchName>,
}

/// `grant`.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub group: GroupName,
    /// When it ends: in `4h` or `2d`, through a date, or at an RFC 3339 time [default: never]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `revoke-grant`.
#[derive(Debug, Args)]
pub struct RevokeGrantArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub group: GroupName,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `add-user`.
#[derive(Debug, Args)]
pub struct AddUserArgs {
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// A public key of theirs: an age recipient, or an SSH key; may be repeated
    #[arg(long = "recipient", value_name = "KEY", required = true)]
    pub recipients: Vec<String>,
    /// A group that they are in; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<GroupName>,
    /// The part of the roster to add them to [default: the roster itself]
    #[arg(long, value_name = "FILE")]
    pub part: Option<RepoPath>,
    /// When all of their access ends: in `4h` or `2d`, through a date, or at an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `remove-user`.
#[derive(Debug, Args)]
pub struct RemoveUserArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `suspend` and `resume`.
#[derive(Debug, Args)]
pub struct SuspendArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    #[command(flatten)]
    pub edit: EditArgs,
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

/// `demo`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the repository and the cluster until Ctrl-C, and show how to use them
    #[arg(long)]
    pub keep: bool,
}

/// `sandbox`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port on 127.0.0.1 [default: a free port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The context name in the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    pub context: String,
    /// Where to write the kubeconfig [default: a new file in the temporary directory]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The shells that certctl has a completion script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 3.2 or later.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell, on Windows and elsewhere.
    #[value(name = "powershell")]
    PowerShell,
    /// Nushell.
    Nushell,
}

/// The schemas that certctl can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// That of users.yaml.
    Roster,
    /// That of a part of it.
    Part,
    /// That of `plan --format json`.
    Plan,
    /// That of `notices --format json`.
    Notices,
    /// That of `apply --format json`.
    Apply,
    /// That of `audit --format json`.
    Audit,
    /// That of `explain --format json`.
    Explain,
    /// That of `import --format json`.
    Import,
    /// That of `import --finish --format json`.
    ImportFinish,
    /// That of `doctor --format json` and `bootstrap --check --format json`.
    Checks,
    /// That of `status --format json`.
    Status,
    /// That of `who --format json`.
    Who,
    /// That of `history --format json`.
    History,
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

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it like `90s` or `5m`".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it cannot be negative".to_owned())
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be greater than zero".to_owned()),
        longer => Ok(longer),
    }
}

fn unlocked_for(text: &str) -> Result<jiff::SignedDuration, String> {
    let lasts = crate::roster::duration(text).map_err(|why| why.to_string())?;
    let day = jiff::SignedDuration::from_hours(24);
    if lasts.is_zero() || lasts > day { Err("it must be from 1m to 24h".to_owned()) } else { Ok(lasts) }
}

fn save(text: &str) -> Result<(PlanFormat, PathBuf), String> {
    let (format, file) = text.split_once('=').unwrap_or((text, ""));
    match PlanFormat::from_str(format, false) {
        Ok(format) if !file.is_empty() => Ok((format, file.into())),
        _ => Err("write `text=FILE`, `json=FILE` or `markdown=FILE`".to_owned()),
    }
}

fn part_owner(text: &str) -> Result<(RepoPath, Owner), String> {
    let (path, owner) = text.split_once('=').ok_or_else(|| "write `teams/web.yaml=@acme/web`".to_owned())?;
    let path = path.parse().map_err(|why| format!("{path} {why}"))?;
    Ok((path, owner.parse().map_err(|why| format!("{owner} {why}"))?))
}

fn parallelism(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err("it must be from 1 to 1000".to_owned()),
    }
}

fn key(text: &str) -> Result<KeyType, String> {
    let kinds = [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096];
    let kind = kinds.into_iter().find(|kind| kind.to_string() == text);
    kind.ok_or_else(|| format!("write one of {}", kinds.map(|kind| kind.to_string()).join(", ")))
}
