//! `cargo bench --bench plan [USERS]`: what a plan costs without the network, and where the time goes.
//!
//! 10,000 users, each with a record whose certificate is real. The API server's part is plain data
//! here; in practice it is six lists. It is measured twice: with bindings that are as they should be,
//! and with bindings that are all split another way, so that every subject of each is in the diff.
//!
//! Each measurement is a process of its own, so that what it cost to make the world is not in it.
//! Prints CPU time for each step and the peak memory; beside it, what only reading the same files and
//! hashing them costs, so that the numbers mean something on any machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use certctl::model::{self, CredentialGroup, sha256};
use certctl::plan::endpoint::{Endpoint, PublishedEndpoint};
use certctl::plan::observed::{
    Binding, BindingAt, ClusterState, LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, Roles, SeenCluster,
    SeenLedger, Subject, UnknownCertificates,
};
use certctl::plan::{self, ClusterPlan, Plan, RepositoryState, digest};
use certctl::planning::source;
use certctl::record::{self, ClusterPin};
use certctl::render::{Style, text};
use jiff::Timestamp;
use records::{Authority, RECIPIENT};

mod records;

/// The folder of the world: set for the processes that measure.
const WORLD: &str = "CERTCTL_BENCH_WORLD";

/// The files that hold the subjects of the cluster's bindings, and what that case is.
const CASES: [(&str, &str); 2] =
    [("as-planned", "all bindings as they should be"), ("moved", "every binding split another way")];

const SERVER: &str = "https://prod.example.com:6443";
const UID: &str = "5f0e7c7e-1f0e-4b43-8f4f-1d4c8f2d6f5a";

fn main() {
    if let Some(folder) = std::env::var_os(WORLD) {
        let case = std::env::args().nth(1).expect("a case");
        return measure(Path::new(&folder), &case);
    }
    // Cargo adds an argument of its own.
    let users: usize = std::env::args().skip(1).find_map(|n| n.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_world(folder.path(), users);
    println!("a plan with {users} users and {users} records, network aside; 10,000: under 2 s and 200 MB");
    for (case, what) in CASES {
        println!("{what}:");
        let program = std::env::current_exe().expect("this program");
        let status = Command::new(program).arg(case).env(WORLD, folder.path()).status();
        assert!(status.expect("it starts").success(), "the measurement failed");
    }
}

fn measure(folder: &Path, case: &str) {
    let bindings = read_bindings(&folder.join(case));
    let idle = memory();
    let mut clock = Clock::new();
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder.join("access/prod")).expect("records") {
        let text = fs::read(entry.expect("an entry").path()).expect("a file");
        files += 1;
        bytes += text.len();
        std::hint::black_box(sha256(&text));
    }
    clock.lap(&format!("for comparison: read and hash {:.1} MB in {files} files", bytes as f64 / 1e6));
    let compared = clock.total;
    clock.total = 0.0;

    let source = roster(folder);
    clock.lap("parse and validate the roster");
    let repository = repository(&source);
    clock.lap("read the records, check them against their certificates");
    let (_, plan) = plan(&source, &repository, &cluster(bindings));
    clock.lap("the diff");
    let digest = digest::digest(&plan);
    let text = text::render(&plan, &digest, Style::default());
    clock.lap("digest and text");
    println!("  {:>7.3} s CPU in all, {:.1} times the comparison", clock.total, clock.total / compared);
    println!(
        "  {:>7.1} MB at the peak, {:.1} MB of it before the plan",
        memory() as f64 / 1e3,
        idle as f64 / 1e3
    );
    println!("  {} bindings to change, {} lines of text", plan.summary().bindings, text.lines().count());
}

fn roster(folder: &Path) -> source::Source {
    let path = folder.join("users.yaml");
    let mut cli = <certctl::cli::Cli as clap::Parser>::parse_from(["certctl", "plan"]);
    cli.global.roster = path;
    source::roster(&cli.global).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

fn repository(source: &source::Source) -> RepositoryState {
    let name = "prod".parse().expect("a name");
    source.repository(&name).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

fn cluster(bindings: Vec<Binding>) -> SeenCluster {
    let state = ClusterState {
        uid: UID.into(),
        namespaces: BTreeSet::new(),
        namespace_labels: BTreeMap::new(),
        terminating: BTreeSet::new(),
        roles: Roles { cluster_roles: [("view".to_owned(), Vec::new())].into(), ..Roles::default() },
        bindings,
        requests: Vec::new(),
    };
    let endpoint = Endpoint { server: SERVER.into(), authority: model::Authority::System };
    let published = PublishedEndpoint { endpoint, refused: None, passed_over: None };
    SeenCluster {
        state,
        identity: None,
        published,
        unknown: UnknownCertificates::Known(BTreeSet::new()),
        clock: None,
        ledger: SeenLedger::Missing,
    }
}

fn plan(source: &source::Source, repository: &RepositoryState, cluster: &SeenCluster) -> (ClusterPlan, Plan) {
    let (name, now) = ("prod".parse().expect("a name"), Timestamp::now());
    let planned = plan::plan(&source.roster, &name, repository, cluster, now).expect("it can be planned");
    let roster = source.roster.name.clone();
    let clusters = vec![(&planned).into()];
    let (roster_files, unread) = (source.roster.files.clone(), Vec::new());
    (planned, Plan { roster, roster_files, roster_commit: None, now, clusters, unread, base: None })
}

struct Clock {
    last: f64,
    total: f64,
}

impl Clock {
    fn new() -> Self {
        Self { last: cpu_seconds(), total: 0.0 }
    }

    fn lap(&mut self, what: &str) {
        let now = cpu_seconds();
        println!("  {:>7.3} s CPU  {what}", now - self.last);
        self.total += now - self.last;
        self.last = now;
    }
}

/// On-CPU nanoseconds of the main thread, the only one here (`/proc/<pid>/schedstat`).
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux");
    text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

/// Peak resident memory, in kB.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("kB")
}

fn write_world(folder: &Path, users: usize) {
    let access = folder.join("access/prod");
    fs::create_dir_all(&access).expect("folders");
    let authority = Authority::new();
    let recipient = RECIPIENT;
    let mut roster = String::from(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters: [{name: prod}]\n\
         groups: [{name: all, grants: [{clusterRole: view}]}]\nusers:\n",
    );
    let mut moved: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for i in 0..users {
        let user = format!("user-{i}");
        let _ =
            writeln!(roster, "- name: {user}\n  recipients: [{recipient}]\n  groups: [all]\n  generation: 1");
        let (record, sealed) = authority.record("prod", &user, SERVER);
        let group = CredentialGroup::new(&record.user, record.credentials[0].id.clone());
        fs::write(access.join(format!("{user}.yaml")), record::to_yaml(&record).expect("YAML"))
            .expect("a record");
        fs::write(access.join(format!("{user}.kubeconfig.age")), sealed).expect("a sealed file");
        let part = format!("certctl:all:view~{}of{}", i / 500 + 1, users.div_ceil(500));
        moved.entry(part).or_default().push(group.to_string());
    }
    fs::write(folder.join("users.yaml"), roster).expect("the roster");
    let (cluster, roster_name) = ("prod".parse().expect("a name"), "acme".parse().expect("a name"));
    let pin = ClusterPin::new(cluster, UID.into(), roster_name);
    fs::write(access.join("cluster.yaml"), record::to_yaml(&pin).expect("YAML")).expect("the pin");

    let source = self::roster(folder);
    let (plan, _) = plan(&source, &self::repository(&source), &self::cluster(Vec::new()));
    let planned = plan
        .bindings
        .iter()
        .map(|action| (action.at.name.clone(), action.desired.iter().map(ToString::to_string).collect()));
    for ((case, _), bindings) in CASES.iter().zip([planned.collect(), moved]) {
        fs::write(folder.join(case), serde_json::to_vec(&bindings).expect("JSON")).expect("the bindings");
    }
}

/// What the cluster holds.
fn read_bindings(file: &Path) -> Vec<Binding> {
    let bytes = fs::read(file).expect("the bindings");
    let bindings: BTreeMap<String, Vec<String>> = serde_json::from_slice(&bytes).expect("JSON");
    let subject = |name| Subject { kind: "Group".into(), name, namespace: None };
    let bindings = bindings.into_iter().map(|(name, subjects)| Binding {
        uid: format!("uid of {name}"),
        at: BindingAt { namespace: None, name },
        role_kind: "ClusterRole".into(),
        role_name: "view".into(),
        subjects: subjects.into_iter().map(subject).collect(),
        labels: [
            (LABEL_MANAGED_BY.to_owned(), MANAGED_BY.to_owned()),
            (LABEL_ROSTER.to_owned(), "acme".to_owned()),
        ]
        .into(),
        resource_version: "1".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    });
    bindings.collect()
}
