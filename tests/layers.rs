//! Who may know whom, read from the text of `src/`. The core stays pure, each edge knows one thing
//! and not the others, and only the executor can come by the permit to write.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Time, randomness, disk and network reach these as arguments.
const CORE: &[&str] = &["error", "model", "ledger", "record", "roster", "plan", "render"];

/// What a module may use of this crate besides itself and the core.
const MAY_USE: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("model", &[]),
    ("ledger", &[]),
    ("record", &[]),
    ("roster", &[]),
    ("plan", &[]),
    ("render", &[]),
    ("interrupt", &[]),
    ("init", &[]),
    ("cluster", &["interrupt", "pki"]),
    ("pki", &[]),
    ("seal", &[]),
    ("repo", &[]),
    ("kubeconfig", &["pki"]),
    ("clock", &[]),
    ("ci", &[]),
    ("cli", &["init"]),
    ("exit_code", &[]),
    ("apply", &["interrupt", "cluster", "pki", "seal", "repo", "kubeconfig"]),
    ("console", &["interrupt", "ci", "cli", "seal", "apply"]),
    ("planning", &["cli", "clock", "console", "cluster", "pki", "seal", "repo", "apply"]),
    ("person", &["cli", "console", "planning", "pki", "seal", "kubeconfig"]),
    ("report", &["cli", "console", "exit_code", "apply", "repo"]),
    ("demo", &["cli", "clock", "cluster", "person", "seal"]),
    (
        "commands",
        &[
            "interrupt",
            "init",
            "cluster",
            "pki",
            "seal",
            "repo",
            "kubeconfig",
            "apply",
            "cli",
            "clock",
            "exit_code",
            "ci",
            "console",
            "planning",
            "person",
            "report",
            "demo",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// What only these modules may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("kube::", &["cluster"]),
    ("k8s_openapi::", &["cluster"]),
    ("git2::", &["repo"]),
    ("age::", &["seal"]),
    ("rcgen::", &["pki"]),
    ("clap::", &["cli", "main"]),
    ("tokio::", &["interrupt", "cluster", "apply", "console", "demo", "commands"]),
    ("certctl_sandbox::", &["demo"]),
    ("getrandom::", &["cluster", "repo", "apply", "planning"]),
    ("WritePermit::new", &["apply"]),
    // A lease is kept against the clocks of other machines, not against the one that CERTCTL_NOW sets.
    ("Timestamp::now", &["clock", "cluster"]),
];

/// What the core may not name. Addresses are data; sockets are not.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::env",
    "std::io",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "tempfile::",
];

/// `needle` where no longer name ends in it: `kube::` is not in `mykube::`.
fn names<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = &'a str> {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle)
        .filter(move |(at, _)| !line[..*at].ends_with(part_of_name))
        .map(move |(at, _)| &line[at + needle.len()..])
}

/// What a file of `module` does that it may not, a line for each. Its tests may do anything.
fn violations(module: &str, file: &str, text: &str) -> Vec<String> {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let Some(may_use) = may_use.get(module) else {
        return vec![format!("{file}: module `{module}` is in no layer; give it one in tests/layers.rs")];
    };
    let core = CORE.contains(&module);
    let mut wrong = Vec::new();
    let lines = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let mut no =
            |what: &str| wrong.push(format!("{file}:{}: `{module}` may not name {what}", number + 1));
        for (name, only_in) in ONLY_IN {
            if names(line, name).next().is_some() && !only_in.contains(&module) {
                no(name);
            }
        }
        for used in names(line, "crate::") {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if used != module && !CORE.contains(&used) && !may_use.contains(&used) {
                no(&format!("crate::{used}"));
            }
        }
        // Not the house's style, and these rules could not read it.
        if line.contains("use crate::{") || line.contains("use std::{") {
            no("several modules in one `use`");
        }
        for name in IMPURE.iter().filter(|name| core && names(line, name).next().is_some()) {
            no(name);
        }
    }
    wrong
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("src can be read").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

#[test]
fn every_module_keeps_to_its_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let file = path.strip_prefix(&src).expect("it is in src").display().to_string();
        let module = file.split(['/', '.']).next().unwrap_or_default();
        wrong.extend(violations(module, &file, &fs::read_to_string(&path).expect("UTF-8")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_bite() {
    for (module, line) in [
        ("plan", "    let now = Timestamp::now();"),
        ("roster", "use std::fs;"),
        ("render", "use tokio::sync::Mutex;"),
        ("model", "use crate::cluster::Connection;"),
        ("seal", "use crate::pki::PrivateKey;"),
        ("repo", "fn f(error: kube::Error) {}"),
        ("cluster", "let permit = WritePermit::new();"),
        ("commands", "let permit = &cluster::WritePermit::new();"),
        ("commands", "use git2::Repository;"),
        ("apply", "use crate::cli::Global;"),
        ("plan", "use crate::{cluster, repo};"),
        ("unheard_of", ""),
    ] {
        assert_eq!(violations(module, "file.rs", line).len().min(1), 1, "{module}: {line}");
    }
    for (module, line) in [
        ("roster", "use std::net::Ipv6Addr;"),
        ("kubeconfig", "use crate::pki::Certificate;"),
        ("plan", "// as Timestamp::now() would"),
        ("plan", "let package::name = storage::x;"),
        ("plan", "#[cfg(test)]\nuse std::fs;"),
    ] {
        assert_eq!(violations(module, "file.rs", line), [""; 0], "{module}: {line}");
    }
}
