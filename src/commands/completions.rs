//! `certctl completions` and what its scripts call: what can come next on a command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::completion::{self, CompletedNames};
use crate::cli::{Global, Shell};
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::exit_code::DONE;
use crate::person::noted_roster;
use crate::planning::roster_file;
use crate::planning::source;

pub fn script(shell: Shell, terminal: &Terminal) -> Result<u8> {
    terminal.print(completion::script(shell).as_bytes())?;
    Ok(DONE)
}

pub fn complete(global: &Global, words: &[OsString], next: bool, terminal: &Terminal) -> Result<u8> {
    let mut words = words.to_vec();
    if next || words.is_empty() {
        words.push(OsString::new());
    }
    // What is being typed may name a roster.
    let global = Global {
        roster: roster_file::find(named_roster(&words).as_deref(), || {
            noted_roster::find(global.kubeconfig.as_deref())
        }),
        ..global.clone()
    };
    let names = move |named| names(&global, named);
    let candidates = completion::candidates(&words, names);
    let lines: String = candidates
        .into_iter()
        .map(|(value, text)| text.map_or_else(|| format!("{value}\n"), |text| format!("{value}\t{text}\n")))
        .collect();
    terminal.print(lines.as_bytes())?;
    Ok(DONE)
}

/// The roster that the words in front of the last one name.
fn named_roster(words: &[OsString]) -> Option<PathBuf> {
    let words = words.split_last().map_or(words, |(_, before)| before);
    let joined = words.iter().filter_map(|word| word.to_str()?.strip_prefix("--roster=").map(PathBuf::from));
    let apart = words.windows(2).filter(|pair| pair[0] == "--roster").map(|pair| PathBuf::from(&pair[1]));
    apart.chain(joined).last()
}

/// What a roster names; nothing where there is none that can be read. A name has no character that a shell
/// would take for something else.
fn names(global: &Global, named: CompletedNames) -> Vec<String> {
    let Ok(source) = source::roster(global) else { return Vec::new() };
    let roster = source.roster;
    match named {
        CompletedNames::Users => roster.users.keys().map(ToString::to_string).collect(),
        CompletedNames::Groups => roster.groups.keys().map(ToString::to_string).collect(),
        CompletedNames::Clusters => roster.clusters.keys().map(ToString::to_string).collect(),
    }
}
