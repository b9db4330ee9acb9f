//! `cargo bench --bench report [COMMITS]`: what an access review of a large team with a long past costs.
//!
//! 1,000 people on 5 clusters, each with a record whose certificate is real; every commit edits the roster as people do.
//! Each measurement is one run of the program, without clusters. Beside it, `git log -p` of the same file, which reads
//! the same versions and compares them line by line.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use certctl::model::hex;
use certctl::record::{self, ClusterPin};
use jiff::{SignedDuration, Timestamp};
use records::{Authority, RECIPIENT};

mod records;

const PEOPLE: usize = 1_000;
const GROUPS: usize = 20;
const CLUSTERS: [&str; 5] = ["dev", "prod-eu", "prod-us", "stage", "tools"];
/// The median of so many.
const ROUNDS: usize = 5;

fn main() {
    // Cargo adds an argument of its own.
    let commits: usize = std::env::args().skip(1).find_map(|n| n.parse().ok()).unwrap_or(1_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_past(folder.path(), commits);
    println!(
        "{PEOPLE} people, {} clusters, {commits} commits of the roster; under 2 s and 5 MB",
        CLUSTERS.len()
    );
    let quarter =
        Timestamp::now().checked_sub(SignedDuration::from_hours(90 * 24)).expect("a time").to_string();
    let report = ["report", "--offline", "-o", "access.html"];
    for (what, program, arguments) in [
        ("for comparison: git log -p users.yaml", "git", &["log", "-p", "--", "users.yaml"][..]),
        ("the page", env!("CARGO_BIN_EXE_certctl"), &report),
        (
            "the page, with the changes of 90 days",
            env!("CARGO_BIN_EXE_certctl"),
            &[&report[..], &["--since", &quarter]].concat(),
        ),
    ] {
        let seconds = median(&|| run(folder.path(), program, arguments));
        println!("  {seconds:>7.2} s  {what}");
        if let Ok(page) = fs::metadata(folder.path().join("access.html")) {
            println!("  {:>7.1} MB", page.len() as f64 / 1e6);
        }
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("it starts").success(), "{program} {arguments:?}");
}

fn median(measured: &dyn Fn()) -> f64 {
    let mut all: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            measured();
            began.elapsed().as_secs_f64()
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[ROUNDS / 2]
}

/// A repository with so many commits, three a day.
fn write_past(folder: &Path, commits: usize) {
    run(folder, "git", &["init", "-q", "-b", "main"]);
    let mut import = Command::new("git")
        .current_dir(folder)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git starts");
    let mut stream = import.stdin.take().expect("its input");
    let mut add = |number: usize, files: &[(String, String)]| {
        let at = Timestamp::now().as_second() - (commits - number) as i64 * 8 * 3600;
        let mut commit =
            format!("commit refs/heads/main\ncommitter Ada <ada@example.com> {at} +0000\ndata 4\nedit\n");
        for (path, text) in files {
            let _ = write!(commit, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
        stream.write_all(commit.as_bytes()).expect("git reads");
    };
    let mut edits = vec![0; PEOPLE];
    let mut of_groups = vec![0; GROUPS];
    let mut files = records();
    files.push(("users.yaml".to_owned(), roster(&edits, &of_groups)));
    add(0, &files);
    for number in 1..commits {
        // One in ten is about a group.
        if number % 10 == 0 {
            of_groups[number / 10 % GROUPS] += 1;
        } else {
            edits[number * 7 % PEOPLE] += 1;
        }
        add(number, &[("users.yaml".to_owned(), roster(&edits, &of_groups))]);
    }
    drop(stream);
    assert!(import.wait().expect("git ends").success(), "git fast-import");
    run(folder, "git", &["reset", "-q", "--hard"]);
}

fn roster(edits: &[usize], of_groups: &[usize]) -> String {
    let mut text = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters:\n".to_owned();
    for cluster in CLUSTERS {
        let _ = writeln!(text, "- {{name: {cluster}}}");
    }
    text += "groups:\n";
    for (group, edited) in of_groups.iter().enumerate() {
        let also = if edited % 2 == 1 { ", extra" } else { "" };
        let _ = writeln!(
            text,
            "- name: team-{group}\n  grants:\n  - {{clusterRole: view}}\n  - {{clusterRole: edit, namespaces: [t{group}, shop{also}]}}"
        );
    }
    text += "users:\n";
    for (person, edited) in edits.iter().enumerate() {
        let groups =
            (0..3).map(|n| format!("team-{}", (person + n * 7 + edited) % GROUPS)).collect::<Vec<_>>();
        let _ = writeln!(
            text,
            "- name: person-{person:04}\n  fullName: Person {person}\n  email: person-{person:04}@example.com\n  labels: {{team: t{}}}\n  recipients: [{RECIPIENT}]\n  groups: [{}]",
            person % GROUPS,
            groups.join(", ")
        );
    }
    text
}

fn records() -> Vec<(String, String)> {
    let authority = Authority::new();
    let mut files = Vec::new();
    for cluster in CLUSTERS {
        let folder = format!("access/{cluster}");
        let uid = hex(cluster.as_bytes());
        let pin = ClusterPin::new(cluster.parse().expect("a name"), uid, "acme".parse().expect("a name"));
        files.push((format!("{folder}/cluster.yaml"), record::to_yaml(&pin).expect("YAML")));
        for person in 0..PEOPLE {
            let user = format!("person-{person:04}");
            let (record, sealed) = authority.record(cluster, &user, "https://prod.example.com:6443");
            files.push((format!("{folder}/{user}.yaml"), record::to_yaml(&record).expect("YAML")));
            files.push((format!("{folder}/{user}.kubeconfig.age"), sealed));
        }
    }
    files
}
