//! Every command block of the README and of docs/ is run, in a repository that is applied already, against a cluster in
//! memory; those with kubectl against a control plane. A block that shows what a command prints is compared with it.
//! Pages that are made of real runs are held to them by the tests beside this one, and so is the tutorial, whose blocks
//! follow one another.

use std::fs;
use std::path::{Path, PathBuf};

use super::blocks::{Block, blocks};
use super::team::Team;

/// What has happened before a block that has this line, in the administrator's clone.
const BEFORE: &[(&str, &str)] = &[
    ("create secret generic certctl-deploy-key", "echo a key > deploy-key; echo a host > known_hosts"),
    // Another identity than the one that opens alice's file, which has no passphrase.
    ("$ certctl unlock", "unset CERTCTL_IDENTITY"),
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
    let elsewhere = ["walkthrough.md", "commands.md", "tutorial.md"];
    pages.retain(|page| !elsewhere.iter().any(|made| page.ends_with(made)));
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
    let blocks = command_blocks();
    run_all(blocks.iter().filter(|block| !needs_kubectl(block)), blocks.len());
}

pub fn every_command_block_with_kubectl_runs() {
    let blocks = command_blocks();
    run_all(blocks.iter().filter(|block| needs_kubectl(block)), blocks.len());
}

fn command_blocks() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |page: PathBuf| {
        let name = page.strip_prefix(root).expect("in the repository").display().to_string();
        blocks(&name, &fs::read_to_string(&page).expect("a page"))
    };
    let all: Vec<Block> = pages().into_iter().flat_map(read).collect();
    for block in &all {
        let shell = ["sh", "bash", "shell", "shell-session"].contains(&block.language.as_str());
        assert!(!shell, "{}:{}: a command block is called `console`, and run", block.page, block.line);
    }
    all.into_iter().filter(|block| block.language == "console").collect()
}

fn needs_kubectl(block: &Block) -> bool {
    commands(block).iter().any(|line| line.contains("kubectl "))
}

fn run_all<'a>(chosen: impl Iterator<Item = &'a Block>, all: usize) {
    let ran: Vec<Result<(), String>> = chosen
        .map(|block| run(block).map_err(|why| format!("{}:{}: {why}", block.page, block.line)))
        .collect();
    eprintln!("{} of {all} command blocks of the README and docs/ ran", ran.len());
    let failed: Vec<String> = ran.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is typed where a command asks.
const ANSWERS: &[(&str, &[(&str, &str)])] = &[
    (
        "certctl keygen --passphrase",
        &[("Passphrase of the new identity:", "correct horse"), ("The same again:", "correct horse")],
    ),
    ("certctl revoke alice", &[("`yes`", "yes")]),
    ("certctl unlock", &[("Passphrase of", "correct horse")]),
];

fn run(block: &Block) -> Result<(), String> {
    // What is made in the cluster itself takes more than one in memory has.
    let real = block.text.contains("certctl bootstrap ");
    let team =
        applied(if real { Team::with_control_plane("prod", "prod-admin") } else { Team::new(&["prod"]) });
    if needs_kubectl(block) {
        team.has_kubectl();
    }
    let script = commands(block).join("\n");
    let before = BEFORE.iter().filter(|(part, _)| block.text.contains(part));
    let before: String = before.map(|(_, before)| format!("{before}\n")).collect();
    let with_identity = format!("set -e; export CERTCTL_IDENTITY=$HOME/kept\n{before}{script}");
    let (code, shown) = if script.starts_with("certctl init") {
        // In a repository that has no roster yet, and without a terminal, where it would ask.
        team.runs(".", "ada", "git init --quiet new", 0);
        team.pipes("new", "ada", &with_identity)
    } else {
        if script.starts_with("certctl unlock") {
            let keygen = ANSWERS.iter().find(|(begin, _)| begin.starts_with("certctl keygen"));
            let (keygen, typed) = keygen.expect("what makes an identity with a passphrase");
            team.types("access", "ada", keygen, typed);
        }
        let answers = ANSWERS.iter().find(|(begin, _)| script.starts_with(begin));
        let answers = answers.map_or(&[][..], |(_, answers)| answers);
        team.types("access", "ada", &with_identity, answers)
    };
    if script.starts_with("certctl unlock") {
        team.runs("access", "ada", "certctl lock", 0);
    }
    if code != Some(0) {
        return Err(format!("`{script}` ends in {code:?}:\n{shown}"));
    }
    prints(block, &shown)
}

/// That a block's output is what was shown, but for what is different each time.
pub fn prints(block: &Block, shown: &str) -> Result<(), String> {
    let said = shape(shown);
    let prompted = block.text.lines().any(|line| line.starts_with("$ "));
    let mut printed = block.text.lines().filter(|line| prompted && !line.starts_with("$ ")).map(shape);
    match printed.find(|line| !said.contains(line.as_str())) {
        Some(line) => Err(format!("it does not print `{line}`, but:\n{shown}")),
        None => Ok(()),
    }
}

/// What has to be the same: the words, without ids, keys, times and homes, wherever lines are broken.
fn shape(text: &str) -> String {
    let varies = |part: &str| {
        let bare = part.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let hex = bare.len() >= 10 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        let time = bare.starts_with("20") && bare.as_bytes().get(4) == Some(&b'-')
            || bare.contains(':') && bare.ends_with('Z');
        let seconds = bare.len() == 3 && bare.parse::<f64>().is_ok();
        hex || time || seconds || bare.starts_with("age1") || part.contains("/keys/")
    };
    let word = |word: &str| {
        let home = word.rfind("/.config/").map_or(word, |at| &word[at..]);
        match word.rsplit_once(':') {
            _ if varies(word) => "*".to_owned(),
            Some((before, after)) if varies(after) => format!("{before}:*"),
            _ => home.to_owned(),
        }
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// A team whose roster is applied: alice, who types, bob and carol, on prod. What pages make anew is not there yet:
/// her identity lies elsewhere.
fn applied(team: Team) -> Team {
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
