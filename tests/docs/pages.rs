//! Every command block of the README and of docs/ is run, in a repository that is applied already, against a cluster in
//! memory. A block that shows what a command prints is compared with it. What cannot run here is listed, with the
//! reason, and a reason that no block needs any more is an error.

use std::fs;
use std::path::{Path, PathBuf};

use super::blocks::{Block, blocks};
use super::team::Team;

/// Blocks that are not run: a line of each, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo ", "builds certctl itself, which CI does in other jobs"),
    ("kubectl ", "kubectl; tests/e2e runs it on both clusters"),
    ("certctl unlock", "it needs an identity with a passphrase; tests/person types that"),
];

/// What stands for something of the reader's own in a command, and what it is here.
fn filled_in(command: &str) -> String {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    command.replace("OWNER/certctl@COMMIT", &format!("some/certctl@{commit}")).replace("COMMIT", commit)
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<PathBuf> =
        docs.filter(|path| path.extension().is_some_and(|ext| ext == "md")).collect();
    pages.sort();
    pages.insert(0, root.join("README.md"));
    // Made from real runs already, by the tests beside this one.
    pages.retain(|page| !["walkthrough.md", "commands.md"].iter().any(|made| page.ends_with(made)));
    pages
}

/// The commands of a block: the lines behind `$ `, or all of them where none has it.
fn commands(block: &Block) -> Vec<String> {
    let prompted: Vec<&str> = block.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let lines: Vec<&str> = if prompted.is_empty() { block.text.lines().collect() } else { prompted };
    let mut commands: Vec<String> = Vec::new();
    for line in lines.into_iter().map(str::trim).filter(|line| !line.is_empty()).map(filled_in) {
        match commands.last_mut() {
            Some(begun) if begun.ends_with('\\') => begun.extend(["\n", &line]),
            _ => commands.push(line),
        }
    }
    commands
}

pub fn every_command_block_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut ran, mut left_out, mut failed) = (0, Vec::new(), Vec::new());
    let mut needed = vec![false; NOT_RUN.len()];
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let name = page.strip_prefix(root).expect("in the repository").display().to_string();
        for block in blocks(&name, &text).iter().filter(|block| block.language == "console") {
            let commands = commands(block);
            let (excepted, commands): (Vec<_>, Vec<_>) =
                commands.into_iter().partition(|line| NOT_RUN.iter().any(|(part, _)| line.contains(part)));
            for line in excepted {
                let index = NOT_RUN.iter().position(|(part, _)| line.contains(part)).expect("it is excepted");
                needed[index] = true;
                left_out.push(format!("{}:{}: {line} ({})", block.page, block.line, NOT_RUN[index].1));
            }
            if commands.is_empty() {
                continue;
            }
            ran += 1;
            if let Err(why) = run(block, &commands) {
                failed.push(format!("{}:{}: {why}", block.page, block.line));
            }
        }
    }
    eprintln!("{ran} command blocks ran; {} lines did not:\n  {}", left_out.len(), left_out.join("\n  "));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    for ((part, reason), needed) in NOT_RUN.iter().zip(needed) {
        assert!(needed, "no block has `{part}` ({reason}): take it off the list");
    }
    assert!(ran > 0);
}

/// What is typed where a command asks.
const ANSWERS: &[(&str, &[(&str, &str)])] = &[
    (
        "certctl keygen --passphrase",
        &[("Passphrase of the new identity:", "correct horse"), ("The same again:", "correct horse")],
    ),
    ("certctl revoke alice", &[("`yes`", "yes")]),
];

fn run(block: &Block, commands: &[String]) -> Result<(), String> {
    let team = applied();
    let script = commands.join("\n");
    let with_identity = format!("set -e; export CERTCTL_IDENTITY=$HOME/kept\n{script}");
    let (code, shown) = if commands.iter().any(|line| line.starts_with("certctl init")) {
        // In a repository that has no roster yet, and without a terminal, where it would ask.
        team.runs(".", "ada", "git init --quiet new", 0);
        team.pipes("new", "ada", &with_identity)
    } else {
        let answers = ANSWERS.iter().find(|(begin, _)| script.starts_with(begin));
        let answers = answers.map_or(&[][..], |(_, answers)| answers);
        team.types("access", "ada", &with_identity, answers)
    };
    if code != Some(0) {
        return Err(format!("`{script}` ends in {code:?}:\n{shown}"));
    }
    let said = shape(&shown);
    let prompted = block.text.lines().any(|line| line.starts_with("$ "));
    let mut printed = block.text.lines().filter(|line| prompted && !line.starts_with("$ ")).map(shape);
    match printed.find(|line| !said.contains(line.as_str())) {
        Some(line) => Err(format!("it does not print `{line}`, but:\n{shown}")),
        None => Ok(()),
    }
}

/// What has to be the same: the words, without ids and keys, wherever lines are broken.
fn shape(text: &str) -> String {
    let random = |word: &str| word.starts_with("age1") || word.contains("/keys/");
    let words = text.split_whitespace().map(|word| if random(word) { "*" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A team whose roster is applied: alice, who types, bob and carol, on prod. What pages make anew is not there yet:
/// her identity lies elsewhere.
fn applied() -> Team {
    let team = Team::new(&["prod"]);
    let origin = team.path("access.git").display().to_string();
    team.runs(".", "ada", &format!("git clone --quiet {origin} access 2>/dev/null"), 0);
    let entry = |(name, file): (&str, &str)| {
        let recipient = team.runs(".", "ada", &format!("certctl keygen -o {file} 2>/dev/null"), 0);
        format!("- name: {name}\n  recipients:\n  {}\n  groups: [developers]\n", recipient.trim())
    };
    let users = [("alice", "kept"), ("bob", "bobs"), ("carol", "carols")].map(entry).concat();
    let server = team.server("prod");
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters:\n\
         - {{name: prod, context: prod-admin, server: \"{server}\"}}\ngroups:\n- name: developers\n  grants:\n  \
         - {{clusterRole: view}}\nusers:\n{users}"
    );
    fs::write(team.path("ada/access/users.yaml"), roster).expect("a roster");
    team.runs(
        "access",
        "ada",
        "git add -A && git commit --quiet -m roster && certctl apply --auto-approve",
        0,
    );
    team
}
