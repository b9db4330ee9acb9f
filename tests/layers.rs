//! Who may know whom, read from the text of `src/`. The core stays pure and is built in one order, each
//! edge knows one thing and not the others, no two files need each other, and only the executor can come by
//! the permit to write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Time, randomness, disk and network reach these as arguments. Each may use those before it, and no other.
const CORE: &[&str] = &[
    "model",
    "error",
    "ledger",
    "record_folder",
    "record",
    "roster",
    "rights",
    "rbac",
    "plan",
    "access",
    "import",
    "render",
];

/// What a module outside the core may use of this crate, besides itself and the core.
const MAY_USE: &[(&str, &[&str])] = &[
    ("interrupt", &[]),
    ("os", &[]),
    ("atomic_file", &["os"]),
    ("init", &[]),
    ("cluster", &["interrupt", "pki"]),
    ("pki", &[]),
    ("seal", &[]),
    ("repo", &["interrupt", "os"]),
    ("kubeconfig", &["atomic_file", "os", "pki"]),
    ("clock", &[]),
    ("ci", &[]),
    ("cli", &["init"]),
    ("exit_code", &[]),
    ("apply", &["interrupt", "os", "cluster", "pki", "seal", "repo", "kubeconfig"]),
    ("console", &["interrupt", "os", "ci", "cli", "exit_code", "seal", "apply"]),
    ("planning", &["cli", "clock", "console", "cluster", "pki", "seal", "repo", "apply"]),
    ("unlock", &["os", "seal"]),
    (
        "person",
        &["atomic_file", "os", "unlock", "clock", "cli", "console", "planning", "pki", "seal", "kubeconfig"],
    ),
    ("report", &["cli", "console", "exit_code", "apply", "repo"]),
    (
        "checks",
        &[
            "interrupt",
            "ci",
            "cli",
            "clock",
            "exit_code",
            "console",
            "cluster",
            "repo",
            "seal",
            "apply",
            "planning",
            "person",
        ],
    ),
    ("setup", &["atomic_file", "cli", "console", "init", "kubeconfig", "person", "repo"]),
    ("demo", &["cli", "clock", "cluster", "person", "seal"]),
    (
        "commands",
        &[
            "interrupt",
            "os",
            "atomic_file",
            "unlock",
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
            "checks",
            "setup",
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
    ("clap_complete::", &["cli"]),
    ("clap_mangen::", &["cli"]),
    ("terminal_size::", &["os"]),
    // What is of one system only.
    ("std::os::", &["os"]),
    ("rustix::", &["os"]),
    ("tokio::net::", &["os"]),
    ("tokio::signal::", &["os"]),
    ("PermissionsExt", &["os"]),
    ("tokio::", &["interrupt", "os", "cluster", "apply", "console", "unlock", "demo", "commands"]),
    ("certctl_sandbox::", &["demo"]),
    ("getrandom::", &["cluster", "repo", "apply", "planning"]),
    ("WritePermit::new", &["apply"]),
    // A lease is kept against the clocks of other machines, not against the one that CERTCTL_NOW sets.
    ("Timestamp::now", &["clock", "cluster"]),
];

/// Where the core names a command or a flag all the same, and why. The rest of the core returns codes and data;
/// `render` and the edges, which know what was typed, say what to type next.
const NAMES_COMMANDS: &[(&str, &str)] =
    &[("roster/users.rs", "a user without a recipient needs `certctl keygen`, whoever reads the roster")];

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

/// The lines of a file that are built into the program, numbered from 0.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a line has `--flag` in it: in Rust that is text, for no expression reads so.
fn names_a_flag(line: &str) -> bool {
    names(line, "--").any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// What a file of `module` does that it may not, a line for each. Its tests may do anything.
fn violations(module: &str, file: &str, text: &str) -> Vec<String> {
    let rank = CORE.iter().position(|name| *name == module);
    let (core_below, edges) = match (rank, MAY_USE.iter().find(|(name, _)| *name == module)) {
        (Some(rank), _) => (&CORE[..rank], &[][..]),
        (None, Some((_, edges))) => (CORE, *edges),
        (None, None) => {
            return vec![format!("{file}: module `{module}` is in no layer; give it one in tests/layers.rs")];
        }
    };
    let core = rank.is_some();
    let silent = core && module != "render" && !NAMES_COMMANDS.iter().any(|(path, _)| *path == file);
    let mut wrong = Vec::new();
    for (number, line) in code(text) {
        let mut no =
            |what: &str| wrong.push(format!("{file}:{}: `{module}` may not name {what}", number + 1));
        for (name, only_in) in ONLY_IN {
            if names(line, name).next().is_some() && !only_in.contains(&module) {
                no(name);
            }
        }
        for used in names(line, "crate::") {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if used != module && !core_below.contains(&used) && !edges.contains(&used) {
                no(&format!("crate::{used}"));
            }
        }
        // Not the house's style, and these rules could not read it.
        if line.contains("use crate::{") || line.contains("use std::{") {
            no("several modules in one `use`");
        }
        if silent && (line.contains("`certctl ") || names_a_flag(line)) {
            no("a command or a flag; return a code, and say it in `render` or at the edge");
        }
        for name in IMPURE.iter().filter(|name| core && names(line, name).next().is_some()) {
            no(name);
        }
    }
    wrong
}

/// `a/b` for `a/b.rs` and for `a/b/mod.rs`.
fn module_of(file: &str) -> String {
    let name = file.strip_suffix(".rs").unwrap_or(file);
    name.strip_suffix("/mod").unwrap_or(name).to_owned()
}

/// The paths that a line of `module` names in this crate, from its root, each as its parts: `super::{a, b::C}`
/// in `x/y` names `x/a` and `x/b/C`. A list that is broken into several lines is not read.
fn paths<'a>(module: &'a str, line: &'a str) -> Vec<Vec<&'a str>> {
    let mut paths = Vec::new();
    for start in ["crate", "super", "self"] {
        for rest in names(line, start).filter(|rest| rest.starts_with("::")) {
            // The `super` in the middle of `super::super::x` is part of the path that begins before it.
            if line[..line.len() - rest.len() - start.len()].ends_with("::") {
                continue;
            }
            let mut base: Vec<&str> = module.split('/').collect();
            match start {
                "crate" => base.clear(),
                "super" => drop(base.pop()),
                _ => {}
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).unwrap_or(rest.len());
            let (path, behind) = rest.split_at(end);
            for part in path.split("::").filter(|part| !part.is_empty()) {
                match part {
                    "super" => drop(base.pop()),
                    part => base.push(part),
                }
            }
            let list =
                behind.strip_prefix('{').and_then(|list| list.split_once('}')).map_or("", |(list, _)| list);
            for item in list.split(',') {
                let item = item.trim().split("::").filter(|part| !part.is_empty());
                paths.push(base.iter().copied().chain(item).collect());
            }
        }
    }
    paths
}

/// The modules that each module names. What a module re-exports counts as its own: `crate::plan::Plan` leads to
/// `plan`. A module and what lies in its folder are one unit, so they do not count against one another.
fn uses(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<String, &String> = files.iter().map(|(f, text)| (module_of(f), text)).collect();
    let known = |path: Vec<&str>| {
        let names = (1..=path.len()).rev().map(|length| path[..length].join("/"));
        names.into_iter().find(|name| modules.contains_key(name))
    };
    let inside = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
    modules
        .iter()
        .map(|(module, text)| {
            let named = code(text).flat_map(|(_, line)| paths(module, line)).filter_map(known);
            let others =
                named.filter(|used| used != module && !inside(used, module) && !inside(module, used));
            (module.clone(), others.collect())
        })
        .collect()
}

/// Modules that need each other, as `a -> b -> a`: at least one circle where there is any.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    for start in uses.keys() {
        walk(start, uses, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

/// Depth first: a module that is met again on its own path closes a circle.
fn walk<'a>(
    module: &'a str,
    uses: &'a BTreeMap<String, BTreeSet<String>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    if let Some(begin) = path.iter().position(|on_path| *on_path == module) {
        found.push([&path[begin..], &[module]].concat().join(" -> "));
        return;
    }
    if done.contains(module) {
        return;
    }
    path.push(module);
    for used in uses.get(module).into_iter().flatten() {
        walk(used, uses, path, done, found);
    }
    path.pop();
    done.insert(module);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("src can be read").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// The text of each file of `src`, by its path in there.
fn files() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = |path: &PathBuf| {
        let name = path.strip_prefix(&src).expect("it is in src").display().to_string();
        (name, fs::read_to_string(path).expect("UTF-8"))
    };
    sources(&src).iter().map(file).collect()
}

#[test]
fn every_module_keeps_to_its_layer() {
    let mut wrong = Vec::new();
    for (file, text) in files() {
        let module = file.split(['/', '.']).next().unwrap_or_default();
        wrong.extend(violations(module, &file, &text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_modules_need_each_other() {
    let circles = circles(&uses(&files()));
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn what_may_name_commands_does() {
    let files = files();
    for (file, _) in NAMES_COMMANDS {
        let names =
            files.get(*file).is_some_and(|text| code(text).any(|(_, line)| line.contains("`certctl ")));
        assert!(names, "{file} names no command any more: take it off the list");
    }
}

#[test]
fn a_circle_is_found_whichever_way_it_is_written() {
    for (one, other) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use crate::room::b::B;", "fn f(_: &crate::room::a::A) {}"),
        ("use super::{C, b};", "    let a = super::super::room::a::A;"),
    ] {
        let files = [("room/a.rs", one), ("room/b.rs", other), ("room/mod.rs", "mod a;\nmod b;")];
        let files = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
        assert_eq!(circles(&uses(&files)), ["room/a -> room/b -> room/a"], "{one} {other}");
    }
    let files = [
        ("room/a.rs", "use super::b::B;\nuse super::Shared;"),
        ("room/b.rs", "use super::Shared;\n// use super::a::A;\n#[cfg(test)]\nuse super::a::A;"),
        ("room/mod.rs", "use a::A;\npub use self::b::B;"),
    ];
    let files = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
    assert_eq!(circles(&uses(&files)), [""; 0]);
}

#[test]
fn the_rules_bite() {
    for (module, line) in [
        ("plan", "    let now = Timestamp::now();"),
        ("roster", "use std::fs;"),
        ("render", "use tokio::sync::Mutex;"),
        ("model", "use crate::cluster::Connection;"),
        ("model", "use crate::render::Style;"),
        ("roster", "use crate::plan::Plan;"),
        ("plan", "    hint(\"run `certctl apply` again\")"),
        ("plan", "    \"with --acknowledge 9\""),
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
        ("plan", "    // with --acknowledge, `certctl apply` does"),
        ("plan", "    \"the most that certctl asks for -- in days\""),
        ("render", "    \"run `certctl apply --acknowledge 9`\""),
        ("plan", "let package::name = storage::x;"),
        ("plan", "#[cfg(test)]\nuse std::fs;"),
    ] {
        assert_eq!(violations(module, "file.rs", line), [""; 0], "{module}: {line}");
    }
}
