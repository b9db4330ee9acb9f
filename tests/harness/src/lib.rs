//! A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager) on loopback, without
//! Docker, in about five seconds. For tests and for the story script; it knows nothing of certctl.
//!
//! It has no nodes and no scheduler: nothing ever runs on it. The binaries come from
//! `tests/control-plane/build`. However the process that started one ends, the control plane ends
//! with it, and its folder is removed.

mod browser;
mod environment;
mod folder;
mod kubectl;
mod pki;
mod processes;
mod ran;
mod suite;
mod terminal;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

pub use crate::browser::Browser;
pub use crate::environment::{before_a_push_arrives, executable, scrubbed, with_author};
pub use crate::folder::TemporaryFolder;
pub use crate::kubectl::Kubectl;
use crate::pki::{Authority, Pair};
use crate::processes::Supervisor;
pub use crate::ran::{Ran, Said};
pub use crate::suite::{Need, Test, run};
pub use crate::terminal::Terminal;

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";
const COMPONENTS: [&str; 3] = [ETCD, API_SERVER, CONTROLLER_MANAGER];

/// Generous, because a busy CI machine takes many times the usual five seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
const PORT_ATTEMPTS: usize = 5;

const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// The folder of binaries named by `CERTCTL_CONTROL_PLANE`, or `None` when that is unset: then tests
/// that need a control plane are ignored ([`Need::ControlPlane`]).
///
/// # Panics
/// When it is set and a binary is missing there: a test run that asked for a control plane must not
/// quietly go without.
pub fn binaries() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("CERTCTL_CONTROL_PLANE")?);
    if let Err(message) = check(&folder) {
        panic!("CERTCTL_CONTROL_PLANE is set, but {message}");
    }
    Some(folder)
}

fn check(binaries: &Path) -> Result<(), String> {
    match COMPONENTS
        .into_iter()
        .chain(["kubectl"])
        .map(|name| binaries.join(name))
        .find(|path| !path.is_file())
    {
        None => Ok(()),
        Some(path) => Err(format!(
            "there is no {}; the folder that `tests/control-plane/build` prints has it",
            path.display()
        )),
    }
}

/// How a control plane is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lets kube-controller-manager sign some 300 certificates a second. Without it it signs about 20,
    /// as it does where nobody has raised its `--kube-api-qps`.
    pub fast_signer: bool,
    /// `--cluster-signing-duration`, such as `8760h`: the longest validity that gets signed. A year when
    /// unset, as Kubernetes has it.
    pub signing_duration: Option<String>,
    /// Writes an audit log, for [`ControlPlane::audit_events`].
    pub audit: bool,
    /// Signs approved CertificateSigningRequests. Without it they stay approved and never get a
    /// certificate, as on EKS.
    pub sign: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fast_signer: true, signing_duration: None, audit: true, sign: true }
    }
}

/// What a program said.
#[derive(Clone, Debug)]
pub struct Output {
    /// Whether it ended with exit code 0.
    pub ok: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A running control plane. It ends when this is dropped, and at the latest with the process.
pub struct ControlPlane {
    // Before the folder, because fields are dropped in order and its processes write there.
    supervisor: Mutex<Supervisor>,
    folder: TempDir,
    binaries: PathBuf,
    options: Options,
    ports: Ports,
    etcd_prefix: u64,
    server: String,
    kubeconfig: PathBuf,
    kubectl: Kubectl,
    contexts: Mutex<BTreeSet<String>>,
    serving_ca: String,
    clients: Mutex<Clients>,
}

/// Who issues client certificates that the API server trusts, and what it has issued to the administrator.
struct Clients {
    authority: Authority,
    admin: Pair,
}

/// Why a control plane did not start.
#[derive(Debug)]
enum Failure {
    PortTaken(String),
    Other(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.to_string())
    }
}

/// The ports of one control plane, on loopback.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Where etcd listens for clients.
    pub etcd: u16,
    /// Where etcd listens for peers, of which there are none.
    pub etcd_peers: u16,
    /// Where kube-apiserver listens.
    pub api_server: u16,
}

impl Ports {
    /// Below the range from which the kernel takes ports for outgoing connections: those are taken
    /// again before the component gets to bind them.
    #[must_use]
    pub fn choose() -> Self {
        let mut free = std::iter::repeat_with(|| 10_000 + (random() % 22_768) as u16)
            .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
        let mut next = || free.next().expect("the iterator has no end");
        Self { etcd: next(), etcd_peers: next(), api_server: next() }
    }
}

impl ControlPlane {
    /// Starts one out of the folder of `binaries`, and returns when it is ready: the API server says
    /// so, the aggregated ClusterRoles have their rules, and the namespaces are there.
    ///
    /// # Errors
    /// When a binary is missing; and with the ends of the components' logs, when it is not ready after
    /// two minutes or a component has ended before.
    pub fn start(binaries: &Path, options: Options) -> Result<Self, String> {
        Self::start_on(binaries, &options, Ports::choose)
    }

    /// Starts one on the ports of your choice; where they are taken, you are asked for others.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub fn start_on(
        binaries: &Path,
        options: &Options,
        mut choose: impl FnMut() -> Ports,
    ) -> Result<Self, String> {
        check(binaries)?;
        let mut said = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match Self::attempt(binaries, options, &choose()) {
                Ok(control_plane) => return Ok(control_plane),
                Err(Failure::PortTaken(message)) => said = message,
                Err(Failure::Other(message)) => return Err(message),
            }
        }
        Err(format!("the chosen ports were taken {PORT_ATTEMPTS} times over; the last time:\n{said}"))
    }

    fn attempt(binaries: &Path, options: &Options, ports: &Ports) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("control-plane-").tempdir()?;
        let dir = folder.path();
        // First of all: from here on the folder is removed even if we are killed.
        let supervisor = Supervisor::new(dir)?;
        let put = |name: &str, text: &str| fs::write(dir.join(name), text);

        let serving_authority = Authority::new("serving CA")?;
        let client_authority = Authority::new("client CA")?;
        let serving = serving_authority.issue_serving()?;
        let admin = client_authority.issue_client("test-admin", &["system:masters"])?;
        let service_account_key = pki::key()?;
        let server = format!("https://127.0.0.1:{}", ports.api_server);
        let serving_ca = serving_authority.pair.certificate;
        let contexts = BTreeSet::from([String::from("test")]);

        fs::create_dir(dir.join("home"))?;
        put("serving-ca.crt", &serving_ca)?;
        put("serving.crt", &serving.certificate)?;
        put("serving.key", &serving.key)?;
        put("client-ca.crt", &client_authority.pair.certificate)?;
        put("signing-ca.crt", &client_authority.pair.certificate)?;
        put("signing-ca.key", &client_authority.pair.key)?;
        put("service-account.key", &service_account_key.serialize_pem())?;
        put("service-account.pub", &service_account_key.public_key_pem())?;
        put("audit-policy.yaml", AUDIT_POLICY)?;

        let this = Self {
            supervisor: Mutex::new(supervisor),
            binaries: std::path::absolute(binaries)?,
            server,
            kubeconfig: dir.join("admin.kubeconfig"),
            kubectl: Kubectl::new(std::path::absolute(binaries)?.join("kubectl"), dir.join("home")),
            contexts: Mutex::new(contexts),
            serving_ca,
            clients: Mutex::new(Clients { authority: client_authority, admin }),
            options: options.clone(),
            ports: *ports,
            etcd_prefix: random(),
            folder,
        };
        this.write_kubeconfigs()?;
        let deadline = Instant::now() + READY_WITHIN;
        this.run(ETCD, this.etcd_flags())?;
        this.wait_for("etcd to listen", deadline, |_| listens(ports.etcd))?;
        this.run(API_SERVER, this.api_server_flags())?;
        this.wait_for("kube-apiserver to listen", deadline, |_| listens(ports.api_server))?;
        this.run(CONTROLLER_MANAGER, this.controller_manager_flags())?;
        this.wait_for("kube-apiserver to be ready", deadline, |this| this.get("/readyz").is_some())?;
        this.wait_for("the built-in ClusterRoles and namespaces", deadline, Self::is_populated)?;
        Ok(this)
    }

    /// Gives the API server another CA for client certificates. Those that the old one issued are dead, the
    /// administrator has a new one, and the signer stays with the old CA.
    ///
    /// # Panics
    /// When it does not work again after two minutes.
    pub fn replace_client_authority(&self) {
        let authority = Authority::new("client CA").expect("an authority");
        let admin = authority.issue_client("test-admin", &["system:masters"]).expect("a certificate");
        fs::write(self.file("client-ca.crt"), &authority.pair.certificate).expect("write the CA");
        *self.clients.lock().expect("no thread panicked here") = Clients { authority, admin };
        self.write_kubeconfigs().expect("write the kubeconfigs");
        self.restart(API_SERVER, self.api_server_flags());
        self.restart(CONTROLLER_MANAGER, self.controller_manager_flags());
    }

    /// Gives the signer the CA that the API server trusts.
    ///
    /// # Panics
    /// As [`Self::replace_client_authority`].
    pub fn let_the_signer_follow(&self) {
        let clients = self.clients.lock().expect("no thread panicked here");
        fs::write(self.file("signing-ca.crt"), &clients.authority.pair.certificate).expect("write the CA");
        fs::write(self.file("signing-ca.key"), &clients.authority.pair.key).expect("write its key");
        drop(clients);
        self.restart(CONTROLLER_MANAGER, self.controller_manager_flags());
    }

    fn restart(&self, component: &str, flags: Vec<String>) {
        let deadline = Instant::now() + READY_WITHIN;
        self.supervisor.lock().expect("no thread panicked here").stop(component).expect("it stops");
        self.run(component, flags).expect("it starts");
        let ready =
            self.wait_for("kube-apiserver to be ready", deadline, |this| this.get("/readyz").is_some());
        if let Err(Failure::PortTaken(why) | Failure::Other(why)) = ready {
            panic!("{why}");
        }
    }

    /// The kubeconfigs of the administrator and of kube-controller-manager, with certificates of the client CA.
    fn write_kubeconfigs(&self) -> Result<(), Failure> {
        let contexts = self.contexts.lock().expect("no thread panicked here");
        let clients = self.clients.lock().expect("no thread panicked here");
        let controller =
            clients.authority.issue_client("system:kube-controller-manager", &["system:masters"])?;
        let render = |pair| render_kubeconfig(&self.server, &self.serving_ca, &contexts, pair);
        fs::write(self.file("controller.kubeconfig"), render(&controller))?;
        fs::write(&self.kubeconfig, render(&clients.admin))?;
        Ok(())
    }

    fn run(&self, component: &str, flags: Vec<String>) -> std::io::Result<()> {
        let mut supervisor = self.supervisor.lock().expect("no thread panicked here");
        supervisor.start(component, &self.bin(component), &flags)
    }

    fn etcd_flags(&self) -> Vec<String> {
        let (clients, peers) = (self.ports.etcd, self.ports.etcd_peers);
        vec![
            format!("--data-dir={}", self.file("etcd")),
            format!("--listen-client-urls=http://127.0.0.1:{clients}"),
            format!("--advertise-client-urls=http://127.0.0.1:{clients}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
            format!("--initial-cluster=default=http://127.0.0.1:{peers}"),
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ]
    }

    fn api_server_flags(&self) -> Vec<String> {
        let mut flags = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            // Where another etcd has won the port, ours ends, and its data must not see us until then.
            format!("--etcd-prefix=/{:016x}", self.etcd_prefix),
            format!("--secure-port={}", self.ports.api_server),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            // Since 1.37 a loopback address is refused for the endpoints of the service `kubernetes`.
            "--endpoint-reconciler-type=none".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--authorization-mode=RBAC".into(),
            format!("--tls-cert-file={}", self.file("serving.crt")),
            format!("--tls-private-key-file={}", self.file("serving.key")),
            format!("--client-ca-file={}", self.file("client-ca.crt")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", self.file("service-account.pub")),
            format!("--service-account-signing-key-file={}", self.file("service-account.key")),
        ];
        if self.options.audit {
            flags.extend([
                format!("--audit-policy-file={}", self.file("audit-policy.yaml")),
                format!("--audit-log-path={}", self.file("audit.log")),
                "--audit-log-mode=blocking".into(),
                // Megabytes; a rotated log would move the positions of audit_events_since.
                "--audit-log-maxsize=100000".into(),
            ]);
        }
        flags
    }

    fn controller_manager_flags(&self) -> Vec<String> {
        let options = &self.options;
        let mut controllers = vec![
            "certificatesigningrequest-cleaner-controller",
            "clusterrole-aggregation-controller",
            "namespace-controller",
            "root-ca-certificate-publisher-controller",
            "serviceaccount-controller",
        ];
        if options.sign {
            controllers.push("certificatesigningrequest-signing-controller");
        }
        let mut flags = vec![
            format!("--kubeconfig={}", self.file("controller.kubeconfig")),
            format!("--controllers={}", controllers.join(",")),
            format!("--cluster-signing-cert-file={}", self.file("signing-ca.crt")),
            format!("--cluster-signing-key-file={}", self.file("signing-ca.key")),
            format!("--root-ca-file={}", self.file("serving-ca.crt")),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
        ];
        if let Some(duration) = &options.signing_duration {
            flags.push(format!("--cluster-signing-duration={duration}"));
        }
        if options.fast_signer {
            flags.extend(["--kube-api-qps=2000".into(), "--kube-api-burst=4000".into()]);
        }
        flags
    }

    fn wait_for(&self, what: &str, deadline: Instant, check: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        loop {
            if let Some(ended) = COMPONENTS.into_iter().find(|name| self.has_ended(name)) {
                let message = format!("{ended} has ended while waiting for {what}\n{}", self.log_tails());
                let taken = self.log(ended).contains("address already in use");
                return Err(if taken { Failure::PortTaken(message) } else { Failure::Other(message) });
            }
            if check(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let seconds = READY_WITHIN.as_secs();
                return Err(Failure::Other(format!("no {what} in {seconds} s\n{}", self.log_tails())));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn has_ended(&self, component: &str) -> bool {
        self.supervisor.lock().is_ok_and(|supervisor| supervisor.has_ended(component))
    }

    fn log(&self, component: &str) -> String {
        self.supervisor.lock().map(|supervisor| supervisor.log(component)).unwrap_or_default()
    }

    fn is_populated(&self) -> bool {
        let Some(roles) = self.get("/apis/rbac.authorization.k8s.io/v1/clusterroles") else {
            return false;
        };
        let has_rules = |name: &str| {
            let items = roles["items"].as_array().into_iter().flatten();
            items.filter(|role| role["metadata"]["name"] == name).any(|role| role["rules"].is_array())
        };
        ["view", "edit", "admin"].into_iter().all(has_rules)
            && ["default", "kube-system"]
                .iter()
                .all(|name| self.get(&format!("/api/v1/namespaces/{name}")).is_some())
    }

    /// The answer to a GET, `Null` where it is not JSON, `None` where it is an error.
    fn get(&self, path: &str) -> Option<Value> {
        let output = self.kubectl(&["get", "--raw", path, "--request-timeout=5s"]);
        output.ok.then(|| serde_json::from_str(&output.stdout).unwrap_or_default())
    }

    fn log_tails(&self) -> String {
        let tail = |name: &str| {
            let log = self.log(name);
            let lines: Vec<&str> = log.lines().collect();
            format!(
                "--- the end of the log of {name}\n{}\n",
                lines[lines.len().saturating_sub(15)..].join("\n")
            )
        };
        ["supervisor"].into_iter().chain(COMPONENTS).map(tail).collect()
    }

    fn file(&self, name: &str) -> String {
        self.dir().join(name).to_string_lossy().into_owned()
    }

    /// The administrator's kubeconfig: `test-admin` in `system:masters`, current context `test`.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The authority that the API server's own certificate comes from. It has issued no client
    /// certificate.
    pub fn serving_ca_pem(&self) -> &str {
        &self.serving_ca
    }

    /// The folder of logs, keys and data. It is removed when the control plane ends.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The path of one of the binaries, such as `kubectl` or `age`.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Runs kubectl as the administrator, in an empty environment and home.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl.run(&self.kubeconfig, arguments)
    }

    /// Runs kubectl as the administrator and returns its standard output.
    ///
    /// # Panics
    /// When it fails, with its standard error.
    #[track_caller]
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        self.kubectl.ok(&self.kubeconfig, arguments)
    }

    /// Runs kubectl with another kubeconfig, in an empty environment and home.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Output {
        self.kubectl.run(kubeconfig, arguments)
    }

    /// Gives `yaml` to `kubectl apply` as the administrator, and returns what it said.
    ///
    /// # Panics
    /// When it fails, with its standard error.
    #[track_caller]
    pub fn apply(&self, yaml: &str) -> String {
        self.kubectl.apply(&self.kubeconfig, yaml)
    }

    /// The version of Kubernetes, such as `v1.37.2`, as the API server reports it.
    ///
    /// # Panics
    /// When the API server does not answer.
    pub fn version(&self) -> String {
        let version = self.get("/version").expect("the API server answers /version");
        version["gitVersion"].as_str().expect("/version has a gitVersion").to_owned()
    }

    /// Every event of the audit log so far, oldest first; none without [`Options::audit`]. Metadata
    /// only, at the stages ResponseStarted, ResponseComplete and Panic.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn audit_events(&self) -> Vec<Value> {
        self.audit_events_since(0)
    }

    /// The end of the audit log, to be given to [`Self::audit_events_since`].
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn audit_position(&self) -> u64 {
        self.audit_log(0).len() as u64
    }

    /// The events that were written to the audit log after `position`.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn audit_events_since(&self, position: u64) -> Vec<Value> {
        let log = self.audit_log(position);
        let events = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        events.map(|line| serde_json::from_slice(line).expect("an audit event is JSON")).collect()
    }

    /// The whole lines of the audit log from `position` on.
    fn audit_log(&self, position: u64) -> Vec<u8> {
        let Ok(mut file) = fs::File::open(self.dir().join("audit.log")) else {
            return Vec::new();
        };
        let mut log = Vec::new();
        file.seek(SeekFrom::Start(position))
            .and_then(|_| file.read_to_end(&mut log))
            .expect("read the audit log");
        log.truncate(log.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
        log
    }

    /// Adds a context of this name, for the same cluster and administrator, to the kubeconfig.
    ///
    /// # Panics
    /// When the kubeconfig cannot be written.
    pub fn add_context(&self, name: &str) {
        let mut contexts = self.contexts.lock().expect("no thread panicked here");
        contexts.insert(name.to_owned());
        let clients = self.clients.lock().expect("no thread panicked here");
        let text = render_kubeconfig(&self.server, &self.serving_ca, &contexts, &clients.admin);
        let mut file = tempfile::NamedTempFile::new_in(self.dir()).expect("make a temporary file");
        file.write_all(text.as_bytes()).expect("write the kubeconfig");
        file.persist(&self.kubeconfig).expect("replace the kubeconfig");
    }

    /// Writes a kubeconfig for any identity, with a certificate out of the client CA, and returns its
    /// path. The identity has no rights but those that RBAC gives it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn client_kubeconfig(&self, user: &str, groups: &[&str]) -> PathBuf {
        let clients = self.clients.lock().expect("no thread panicked here");
        let pair = clients.authority.issue_client(user, groups).expect("issue a client certificate");
        let contexts = BTreeSet::from([String::from("test")]);
        let path = self.dir().join(format!("client-{:016x}.kubeconfig", random()));
        fs::write(&path, render_kubeconfig(&self.server, &self.serving_ca, &contexts, &pair))
            .expect("write a kubeconfig");
        path
    }

    /// A client certificate out of the client CA for a public key (DER SubjectPublicKeyInfo), PEM: what
    /// the cluster's signer would give, or, for a test, should not have given.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign_client(&self, public_key: &[u8], user: &str, groups: &[&str]) -> String {
        let clients = self.clients.lock().expect("no thread panicked here");
        clients.authority.sign_client(public_key, user, groups).expect("sign a client certificate")
    }

    /// Ends the control plane, and returns when all its processes and its folder are gone. Dropping it
    /// does the same.
    pub fn stop(self) {}
}

fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1)).is_ok()
}

/// Random enough for ports and file names: the standard library seeds its hash maps by it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn render_kubeconfig(server: &str, ca: &str, contexts: &BTreeSet<String>, user: &Pair) -> String {
    let contexts: String = contexts
        .iter()
        .map(|name| {
            format!("- name: {}\n  context: {{cluster: test, user: test}}\n", Value::from(name.as_str()))
        })
        .collect();
    let (ca, certificate, key) =
        (STANDARD.encode(ca), STANDARD.encode(&user.certificate), STANDARD.encode(&user.key));
    format!(
        "\
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {server}
    certificate-authority-data: {ca}
contexts:
{contexts}users:
- name: test
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}
