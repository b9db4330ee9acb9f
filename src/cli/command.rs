//! The commands and their help, in the order in which `--help` lists them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::installation::{BootstrapArgs, DoctorArgs, ImportArgs, InitArgs, UninstallArgs};
use super::person::{
    CredentialArgs, DecryptArgs, KeygenArgs, LoginArgs, LogoutArgs, RequestArgs, UnlockArgs, WhoamiArgs,
};
use super::plan_and_apply::{ApplyArgs, PlanArgs, RevokeArgs};
use super::printed::{SchemaOf, Shell};
use super::reports::{AuditArgs, ExplainArgs, HistoryArgs, NoticesArgs, ReportArgs, StatusArgs, WhoArgs};
use super::roster_edits::{AddUserArgs, GrantArgs, RemoveUserArgs, RevokeGrantArgs, RotateArgs, SuspendArgs};
#[cfg(feature = "sandbox")]
use super::sandbox::{DemoArgs, SandboxArgs};

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
    /// Asks each cluster, with your own credential, which user you are and what it grants. The rights are those of
    /// the roster in this clone; what the cluster does not grant of them is marked. Says so when the clone is behind
    /// its branch.
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
