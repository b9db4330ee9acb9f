//! What `certctl --version` says besides the version: the commit, and its date or that of SOURCE_DATE_EPOCH.
//!
//! The commit is git's where this folder is the root of a clone, else the one that `git archive` wrote into
//! `packaging/commit.txt`; a clone around an unpacked archive is another project's. A debug build names none: each
//! commit would compile it anew.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/commit.txt");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = match env::var("PROFILE").as_deref() {
        Ok("debug") => None,
        _ => of_clone().or_else(of_archive),
    };
    let long = match commit {
        Some((commit, date)) => format!("{version} ({commit:.12} {})", epoch().unwrap_or(date)),
        None => epoch().map_or_else(|| version.clone(), |date| format!("{version} ({date})")),
    };
    println!("cargo::rustc-env=CERTCTL_LONG_VERSION={long}");
}

/// The commit that is checked out, and its date.
fn of_clone() -> Option<(String, String)> {
    let root = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&root).canonicalize().ok()? != env::current_dir().ok()?.canonicalize().ok()? {
        return None;
    }
    // It is written with each commit and each checkout.
    println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    pair(&git(&["log", "-1", "--no-show-signature", "--format=%H %cs"])?)
}

/// What `git archive` wrote, and git itself leaves as a pattern.
fn of_archive() -> Option<(String, String)> {
    pair(fs::read_to_string("packaging/commit.txt").ok()?.trim())
}

fn pair(text: &str) -> Option<(String, String)> {
    let (commit, date) = text.split_once(' ')?;
    let is_commit = commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    is_commit.then(|| (commit.to_owned(), date.to_owned()))
}

fn git(args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A hook that builds has them set, and they may name another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    let output = git.args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The day of SOURCE_DATE_EPOCH, in UTC.
fn epoch() -> Option<String> {
    let seconds: u64 = env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()?;
    // Howard Hinnant's `civil_from_days`: years begin in March, so that a leap day is the last.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(format!("{:04}-{month:02}-{day:02}", era * 400 + year + later))
}
