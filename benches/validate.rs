//! `cargo bench --bench validate`: what reading and checking a roster of many teams costs.
//!
//! 1,000 people in 40 parts, each with a fence, on three clusters. Beside it, what only reading the same files and
//! hashing them costs, and the same people in one file, so that the numbers mean something on any machine.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use certctl::model::sha256;
use certctl::planning::source;

const TEAMS: usize = 40;
const PEOPLE: usize = 25;
/// The median of so many.
const ROUNDS: usize = 21;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (parts, one) = (folder.path().join("parts"), folder.path().join("one"));
    write(&parts, &one);
    println!("{} people in {TEAMS} parts with fences, 3 clusters; under 200 ms of CPU", TEAMS * PEOPLE);
    let hash = || {
        let teams =
            fs::read_dir(parts.join("teams")).expect("the parts").map(|entry| entry.expect("a part").path());
        for file in teams.chain([parts.join("users.yaml")]) {
            std::hint::black_box(sha256(&fs::read(file).expect("a file")));
        }
    };
    for (what, measured) in [
        ("for comparison: read and hash the same files", &hash as &dyn Fn()),
        ("for comparison: the same people in one file", &|| validate(&one)),
        ("parts and fences", &|| validate(&parts)),
    ] {
        println!("  {:>7.1} ms  {what}", median(measured) * 1e3);
    }
}

fn validate(folder: &Path) {
    let path = folder.join("users.yaml");
    let mut cli = <certctl::cli::Cli as clap::Parser>::parse_from(["certctl", "validate"]);
    cli.global.roster = path;
    let source = source::roster(&cli.global).unwrap_or_else(|e| panic!("{}", e.render(false)));
    assert_eq!(source.roster.users.len(), TEAMS * PEOPLE);
}

fn write(parts: &Path, one: &Path) {
    fs::create_dir_all(parts.join("teams")).expect("a folder");
    fs::create_dir_all(one).expect("a folder");
    let head = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters: [{name: a}, {name: b}, {name: c}]\n";
    let mut include = "include:\n".to_owned();
    let (mut all_groups, mut all_users) = (String::new(), String::new());
    for team in 0..TEAMS {
        let _ = writeln!(
            include,
            "- {{path: teams/t{team}.yaml, may: {{grant: [view, edit], namespaces: [\"t{team}-*\"], addUsers: [\"t{team}-*\"]}}}}"
        );
        let groups = format!(
            "- {{name: t{team}, grants: [{{clusterRole: edit, namespaces: [t{team}-a, t{team}-b]}}]}}\n"
        );
        let users: String = (0..PEOPLE).map(|person| entry(team, person)).collect();
        let part = format!("apiVersion: certctl.dev/v1\nkind: RosterPart\ngroups:\n{groups}users:\n{users}");
        fs::write(parts.join(format!("teams/t{team}.yaml")), part).expect("a part");
        all_groups += &groups;
        all_users += &users;
    }
    fs::write(parts.join("users.yaml"), format!("{head}{include}")).expect("a roster");
    fs::write(one.join("users.yaml"), format!("{head}groups:\n{all_groups}users:\n{all_users}"))
        .expect("a roster");
}

fn entry(team: usize, person: usize) -> String {
    let identity = age::x25519::Identity::generate();
    format!(
        "- name: t{team}-p{person}\n  fullName: Person {person}\n  recipients: [{}]\n  groups: [t{team}]\n",
        identity.to_public()
    )
}

fn median(measured: &dyn Fn()) -> f64 {
    let mut all: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = cpu_seconds();
            measured();
            cpu_seconds() - before
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[ROUNDS / 2]
}

/// On-CPU nanoseconds of the main thread, the only one here (`/proc/<pid>/schedstat`).
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}
