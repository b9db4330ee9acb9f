//! `cargo bench --bench apply [USERS]`: how much longer an apply takes than the cluster's signer alone.
//!
//! Against a real control plane, with the signer's default rate (20 a second) and with a fast one, in
//! turns, three times each:
//! - a plain client, which knows nothing of certctl, has 200 requests ready, creates and approves them as
//!   fast as it can, and waits on one watch until all certificates are there;
//! - `certctl apply --auto-approve` issues to 200 new users, in a real repository with a bare origin.
//!
//! What is reported is the ratio of the medians. Nothing is asserted: a busy machine proves nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use certctl_testing::{ControlPlane, Options};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

const ROUNDS: usize = 3;

/// Calls of the plain client at once, as many as certctl makes unless it is told otherwise.
const AT_ONCE: usize = 32;

/// Long enough for the signer's client to save up its burst again: 30 calls at 20 a second.
const REFILL: Duration = Duration::from_secs(4);

/// Its identity was thrown away.
const RECIPIENT: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

/// The only label of the plain client's requests; its value is the round.
const LABEL: &str = "bench";

fn main() {
    // Cargo adds an argument of its own.
    let users: usize = std::env::args().skip(1).find_map(|n| n.parse().ok()).unwrap_or(200);
    if certctl_testing::binaries().is_none() {
        println!("CERTCTL_CONTROL_PLANE is not set, so nothing was measured; to measure:");
        println!("  CERTCTL_CONTROL_PLANE=$(tests/control-plane/build) cargo bench --bench apply");
        return;
    }
    println!("{users} new users; the target at the default rate: at most 1.15 times the signer alone");
    for (fast_signer, what) in [(false, "the default, 20 a second"), (true, "fast")] {
        compare(users, fast_signer, what);
    }
}

fn compare(users: usize, fast_signer: bool, what: &str) {
    let binaries = certctl_testing::binaries().expect("asked for before");
    let options = Options { fast_signer, audit: false, ..Options::default() };
    let plane = ControlPlane::start(&binaries, options).expect("the control plane starts");
    println!("Kubernetes {}, the signer's rate: {what}", plane.version());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(Cluster::new(&plane));
    let kubeconfig = plane.client_kubeconfig("certctl", &["system:masters"]);

    let (mut alone, mut applied, mut said) = (Vec::new(), Vec::new(), String::new());
    let plain = |round: &str, users| {
        let took = runtime.block_on(cluster.sign(round, users));
        runtime.block_on(cluster.clear());
        std::thread::sleep(REFILL);
        took
    };
    let mut certctl = |round: &str, users| {
        let (took, phases) = apply(&kubeconfig, round, users);
        runtime.block_on(cluster.clear());
        std::thread::sleep(REFILL);
        said = phases;
        took
    };
    // The first of everything is slower: caches, and the signer's own connection.
    plain("warm-up", 10);
    certctl("warm-up", 10);
    for round in 1..=ROUNDS {
        let name = format!("round-{round}");
        if round % 2 == 1 {
            alone.push(plain(&name, users));
            applied.push(certctl(&name, users));
        } else {
            applied.push(certctl(&name, users));
            alone.push(plain(&name, users));
        }
    }
    println!("  the signer alone: {}", list(&alone));
    println!("  certctl apply:    {}", list(&applied));
    println!("  ratio of the medians: {:.3}", median(&applied) / median(&alone));
    println!("  the last apply in its own words (-v):");
    for line in said.lines().filter(|line| line.ends_with(" s") || line.starts_with("Done")) {
        println!("    {line}");
    }
}

fn list(times: &[f64]) -> String {
    let all: Vec<String> = times.iter().map(|time| format!("{time:.2}")).collect();
    format!("{:.2} s (median of {})", median(times), all.join(", "))
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The plain client.
struct Cluster {
    requests: Api<CertificateSigningRequest>,
}

impl Cluster {
    async fn new(plane: &ControlPlane) -> Self {
        let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a configuration");
        Self { requests: Api::all(Client::try_from(config).expect("a client")) }
    }

    /// Seconds from the first request to the last certificate.
    async fn sign(&self, round: &str, count: usize) -> f64 {
        let prepared: Vec<_> = (0..count).map(|i| request(round, i)).collect();
        let version = self.requests.list_metadata(&ListParams::default().limit(1)).await.expect("a list");
        let version = version.metadata.resource_version.expect("a version");
        let only = WatchParams::default().labels(&format!("{LABEL}={round}"));
        let start = Instant::now();
        let watch = async {
            let mut events = self.requests.watch(&only, &version).await.expect("a watch").boxed();
            let mut issued = 0;
            while issued < count {
                let event = events.try_next().await.expect("an event").expect("the watch goes on");
                // A certificate is written once, and nothing else is after it.
                if let WatchEvent::Modified(object) = event
                    && object.status.is_some_and(|status| status.certificate.is_some())
                {
                    issued += 1;
                }
            }
        };
        let write = futures::stream::iter(prepared).for_each_concurrent(AT_ONCE, |request| async move {
            let post = PostParams::default();
            let mut request = self.requests.create(&post, &request).await.expect("it is created");
            let name = request.metadata.name.clone().expect("a name");
            let approved = CertificateSigningRequestCondition {
                type_: "Approved".into(),
                status: "True".into(),
                reason: Some("Bench".into()),
                ..CertificateSigningRequestCondition::default()
            };
            request.status.get_or_insert_default().conditions = Some(vec![approved]);
            self.requests
                .replace_subresource("approval", &name, &post, &request)
                .await
                .expect("it is approved");
        });
        futures::join!(watch, write);
        start.elapsed().as_secs_f64()
    }

    /// What is left over would make the next lists longer.
    async fn clear(&self) {
        let all = ListParams::default();
        self.requests.delete_collection(&DeleteParams::default(), &all).await.expect("requests are deleted");
    }
}

fn request(round: &str, i: usize) -> CertificateSigningRequest {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "bench");
    name.push(DnType::CommonName, format!("user-{i}"));
    params.distinguished_name = name;
    let pem = params.serialize_request(&key).and_then(|request| request.pem()).expect("a request");
    CertificateSigningRequest {
        metadata: ObjectMeta {
            name: Some(format!("{round}-{i}")),
            labels: Some([(LABEL.to_owned(), round.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(pem.into_bytes()),
            signer_name: "kubernetes.io/kube-apiserver-client".into(),
            usages: Some(vec!["client auth".into(), "digital signature".into()]),
            expiration_seconds: Some(86400),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    }
}

/// Seconds of `certctl apply`, from its start to its end, and what it said.
fn apply(kubeconfig: &Path, round: &str, users: usize) -> (f64, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path();
    let run = |folder: &Path, program: &str, arguments: &[&str]| {
        let mut command = certctl_testing::scrubbed(program, folder, home);
        certctl_testing::with_author(&mut command);
        let output = command
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        said
    };
    run(home, "git", &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    run(home, "git", &["clone", "-q", "origin.git", "repo"]);
    let repo = home.join("repo");
    let config = fs::read_to_string(kubeconfig).expect("the kubeconfig");
    let server = config.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server");
    let mut roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {round}}}\n\
         clusters: [{{name: prod, context: test, server: {server:?}}}]\n\
         groups: [{{name: {round}, grants: [{{clusterRole: view}}]}}]\nusers:\n"
    );
    for i in 0..users {
        let _ = writeln!(roster, "- {{name: user-{i}, recipients: [{RECIPIENT}], groups: [{round}]}}");
    }
    fs::write(repo.join("users.yaml"), roster).expect("the roster");
    run(&repo, "git", &["checkout", "-q", "-B", "main"]);
    run(&repo, "git", &["add", "-A"]);
    run(&repo, "git", &["commit", "-q", "-m", "roster"]);
    run(&repo, "git", &["push", "-q", "-u", "origin", "main"]);

    let start = Instant::now();
    let said = run(&repo, env!("CARGO_BIN_EXE_certctl"), &["apply", "--auto-approve", "-v"]);
    let took = start.elapsed().as_secs_f64();
    assert!(said.contains(&format!("{users} credentials issued")), "{said}");
    (took, said)
}
