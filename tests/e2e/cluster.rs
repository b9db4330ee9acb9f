//! The two clusters that the suite runs against: a real control plane, and the sandbox. A test is
//! given one and cannot tell which.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use certctl_sandbox::signer::SignerOptions;
use certctl_sandbox::{Sandbox, State};
use certctl_testing::{ControlPlane, Kubectl, Output, TemporaryFolder};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What a cluster consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// etcd, kube-apiserver and kube-controller-manager.
    Kubernetes,
    /// certctl-sandbox.
    Sandbox,
}

/// How a cluster differs from the default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Approves and never signs, like EKS.
    pub unsigning: bool,
    /// Signs for no longer than this.
    pub hours: Option<u32>,
}

/// A cluster that tests may share.
#[expect(clippy::large_enum_variant, reason = "a test run holds two or three of them")]
pub enum Cluster {
    Kubernetes(ControlPlane),
    Sandbox(InMemory),
}

/// A sandbox with what kubectl needs.
pub struct InMemory {
    /// None only while another takes its place.
    sandbox: Mutex<Option<Sandbox>>,
    binaries: PathBuf,
    kubectl: Kubectl,
    kubeconfig: PathBuf,
    folder: TemporaryFolder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::Sandbox => "sandbox",
        })
    }
}

/// The cluster of a kind that all tests share. The client is a real kubectl on both.
pub fn shared(kind: Kind) -> &'static Cluster {
    static SHARED: [OnceLock<Cluster>; 2] = [const { OnceLock::new() }; 2];
    SHARED[kind as usize].get_or_init(|| {
        let cluster = Cluster::start(kind, Options::default());
        eprintln!("cluster: {kind} {}", cluster.version());
        cluster
    })
}

impl Cluster {
    /// A cluster that is not shared.
    fn start(kind: Kind, options: Options) -> Self {
        let binaries = certctl_testing::binaries().expect("needed");
        match kind {
            Kind::Kubernetes => {
                let options = certctl_testing::Options {
                    sign: !options.unsigning,
                    signing_duration: options.hours.map(|hours| format!("{hours}h")),
                    ..certctl_testing::Options::default()
                };
                Self::Kubernetes(ControlPlane::start(&binaries, options).expect("the control plane starts"))
            }
            Kind::Sandbox => {
                let mut signer = SignerOptions { enabled: !options.unsigning, ..SignerOptions::default() };
                if let Some(hours) = options.hours {
                    signer.longest = SignedDuration::from_hours(hours.into());
                }
                let options = certctl_sandbox::Options { signer, ..sandbox_options() };
                let sandbox = Sandbox::start(options).expect("the sandbox starts");
                // The shared clusters are never dropped, and their folders have to go all the same.
                let folder = TemporaryFolder::new("certctl-sandbox-").expect("a temporary folder");
                let kubeconfig = folder.path().join("admin.kubeconfig");
                fs::write(&kubeconfig, sandbox.kubeconfig()).expect("a kubeconfig");
                let kubectl = Kubectl::new(binaries.join("kubectl"), folder.path().to_owned());
                let sandbox = Mutex::new(Some(sandbox));
                Self::Sandbox(InMemory { sandbox, binaries, kubectl, kubeconfig, folder })
            }
        }
    }

    /// Another cluster of the same kind.
    pub fn another(&self, options: Options) -> Self {
        Self::start(self.kind(), options)
    }

    /// The cluster of the same kind that never signs, which tests share.
    pub fn unsigning(&self) -> &'static Self {
        static SHARED: [OnceLock<Cluster>; 2] = [const { OnceLock::new() }; 2];
        SHARED[self.kind() as usize]
            .get_or_init(|| self.another(Options { unsigning: true, ..Options::default() }))
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Kubernetes(_) => Kind::Kubernetes,
            Self::Sandbox(_) => Kind::Sandbox,
        }
    }

    /// A cluster of the same kind that tests do not share, for as long as the tests run.
    pub fn of_its_own(&self, options: Options) -> &'static Self {
        Box::leak(Box::new(self.another(options)))
    }

    /// Gives the API server another CA for client certificates; the signer stays with the old one.
    pub fn replace_client_authority(&self) {
        match self {
            Self::Kubernetes(plane) => plane.replace_client_authority(),
            Self::Sandbox(this) => this.replace(State::with_another_client_authority),
        }
    }

    /// Gives the signer the CA that the API server trusts.
    pub fn let_the_signer_follow(&self) {
        match self {
            Self::Kubernetes(plane) => plane.let_the_signer_follow(),
            Self::Sandbox(this) => this.replace(State::with_signer_that_followed),
        }
    }

    /// Stops it; nothing listens there any more.
    pub fn stop(self) {}

    /// The version that the API server reports.
    pub fn version(&self) -> String {
        let version = self.kubectl_ok(&["get", "--raw", "/version"]);
        let version: Value = serde_json::from_str(&version).expect("JSON");
        version["gitVersion"].as_str().expect("a gitVersion").to_owned()
    }

    /// The URL of the API server.
    pub fn server(&self) -> String {
        match self {
            Self::Kubernetes(plane) => plane.server().to_owned(),
            Self::Sandbox(this) => this.ask(Sandbox::server),
        }
    }

    /// One of the real programs that the tests use: kubectl, age, age-keygen.
    pub fn bin(&self, name: &str) -> PathBuf {
        match self {
            Self::Kubernetes(plane) => plane.bin(name),
            Self::Sandbox(this) => this.binaries.join(name),
        }
    }

    /// Runs kubectl as an administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        match self {
            Self::Kubernetes(plane) => plane.kubectl(arguments),
            Self::Sandbox(this) => this.kubectl.run(&this.kubeconfig, arguments),
        }
    }

    /// Runs kubectl as an administrator and returns its standard output.
    #[track_caller]
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        match self {
            Self::Kubernetes(plane) => plane.kubectl_ok(arguments),
            Self::Sandbox(this) => this.kubectl.ok(&this.kubeconfig, arguments),
        }
    }

    /// Gives `yaml` to `kubectl apply` as an administrator.
    #[track_caller]
    pub fn apply(&self, yaml: &str) -> String {
        match self {
            Self::Kubernetes(plane) => plane.apply(yaml),
            Self::Sandbox(this) => this.kubectl.apply(&this.kubeconfig, yaml),
        }
    }

    /// A kubeconfig for any identity, with the context `test`.
    pub fn client_kubeconfig(&self, user: &str, groups: &[&str]) -> PathBuf {
        match self {
            Self::Kubernetes(plane) => plane.client_kubeconfig(user, groups),
            Self::Sandbox(this) => {
                let file = tempfile::Builder::new().suffix(".kubeconfig").tempfile_in(this.folder.path());
                let (_, path) = file.and_then(|file| Ok(file.keep()?)).expect("a file");
                let kubeconfig =
                    this.ask(|sandbox| sandbox.client_kubeconfig(user, groups)).expect("a client");
                fs::write(&path, kubeconfig).expect("a kubeconfig");
                path
            }
        }
    }

    /// A client certificate that the cluster trusts, PEM: what its signer would issue, or should not.
    pub fn sign_client(&self, public_key: &[u8], user: &str, groups: &[&str]) -> String {
        match self {
            Self::Kubernetes(plane) => plane.sign_client(public_key, user, groups),
            Self::Sandbox(this) => this
                .ask(|sandbox| sandbox.sign_client(public_key, user, groups))
                .expect("a client certificate"),
        }
    }

    /// The current end of the audit log.
    pub fn audit_position(&self) -> u64 {
        match self {
            Self::Kubernetes(plane) => plane.audit_position(),
            Self::Sandbox(this) => this.ask(Sandbox::audit_position),
        }
    }

    /// The requests since then.
    pub fn audit_events_since(&self, position: u64) -> Vec<Value> {
        match self {
            Self::Kubernetes(plane) => plane.audit_events_since(position),
            Self::Sandbox(this) => this.ask(|sandbox| sandbox.audit_events_since(position)),
        }
    }

    /// The cluster's audit log of the requests, as it is written: a line for each.
    pub fn audit_log(&self) -> Vec<u8> {
        match self {
            Self::Kubernetes(plane) => fs::read(audit_log(plane.dir())).unwrap_or_default(),
            Self::Sandbox(this) => {
                let events = this.ask(Sandbox::audit_events).into_iter();
                events.flat_map(|event| format!("{event}\n").into_bytes()).collect()
            }
        }
    }
}

fn sandbox_options() -> certctl_sandbox::Options {
    certctl_sandbox::Options {
        context: "test".to_owned(),
        audit: true,
        ..certctl_sandbox::Options::default()
    }
}

impl InMemory {
    fn ask<T>(&self, question: impl FnOnce(&Sandbox) -> T) -> T {
        question(self.sandbox.lock().expect("no thread panicked here").as_ref().expect("it runs"))
    }

    /// Starts it again at the same address, with something changed.
    fn replace(&self, change: impl FnOnce(State, Timestamp) -> Result<State, certctl_sandbox::Error>) {
        let mut sandbox = self.sandbox.lock().expect("no thread panicked here");
        let old = sandbox.take().expect("it runs");
        let port = old.server().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let state = change(old.state(), Timestamp::now()).expect("another state");
        drop(old);
        let options = certctl_sandbox::Options { port, state: Some(state), ..sandbox_options() };
        let new = Sandbox::start(options).expect("the sandbox starts again");
        fs::write(&self.kubeconfig, new.kubeconfig()).expect("a kubeconfig");
        *sandbox = Some(new);
    }
}

fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}
