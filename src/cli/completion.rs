//! What can come next on a command line. The shells' scripts are in `shells/`; each of them asks
//! `certctl complete`, and shows what that prints.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};

use super::{Cli, Shell};

/// What is named in a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletedNames {
    /// Its users.
    Users,
    /// Its groups.
    Groups,
    /// Its clusters.
    Clusters,
}

/// What can stand in the place of the last word, with a word on each. `words` come behind `certctl`; `names`
/// is asked for what the roster names where such a name can come.
pub fn candidates(
    words: &[OsString],
    names: impl Fn(CompletedNames) -> Vec<String> + Clone + Send + Sync + 'static,
) -> Vec<(String, Option<String>)> {
    let mut command = with_names(Cli::command(), &names);
    let line = [OsString::from("certctl")].into_iter().chain(words.iter().cloned()).collect();
    let found = complete(&mut command, line, words.len(), None).unwrap_or_default();
    let shown = found.into_iter().filter(|candidate| !candidate.is_hide_set());
    shown
        .map(|candidate| {
            let text = candidate.get_help().map(ToString::to_string);
            let line = text.as_deref().and_then(|text| text.lines().next()).map(str::to_owned);
            (candidate.get_value().to_string_lossy().into_owned(), line)
        })
        .collect()
}

fn with_names(
    command: Command,
    names: &(impl Fn(CompletedNames) -> Vec<String> + Clone + Send + Sync + 'static),
) -> Command {
    let add = |arg: Arg| {
        let Some(named) = names_of(arg.get_id().as_str()) else { return arg };
        let names = names.clone();
        arg.add(ArgValueCandidates::new(move || {
            names(named).into_iter().map(CompletionCandidate::new).collect()
        }))
    };
    command.mut_args(add).mut_subcommands(|command| with_names(command, names))
}

/// What an argument's values are named after.
fn names_of(argument: &str) -> Option<CompletedNames> {
    match argument {
        "user" | "users" => Some(CompletedNames::Users),
        "group" | "groups" => Some(CompletedNames::Groups),
        "cluster" | "clusters" => Some(CompletedNames::Clusters),
        _ => None,
    }
}

/// The script of a shell.
pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("shells/certctl.bash"),
        Shell::Zsh => include_str!("shells/_certctl"),
        Shell::Fish => include_str!("shells/certctl.fish"),
        Shell::PowerShell => include_str!("shells/certctl.ps1"),
        Shell::Nushell => include_str!("shells/certctl.nu"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let names = |named| match named {
            CompletedNames::Users => vec!["alice".to_owned(), "bob".to_owned()],
            CompletedNames::Groups => vec!["developers".to_owned()],
            CompletedNames::Clusters => vec!["prod".to_owned(), "stage".to_owned()],
        };
        candidates(&words, names).into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn commands_options_values_and_names_are_completed() {
        assert_eq!(after(&["rot"]), ["rotate"]);
        assert_eq!(after(&["plan", "--detailed"]), ["--detailed-exitcode"]);
        assert_eq!(after(&["plan", "--format", "j"]), ["json"]);
        assert_eq!(after(&["plan", "--format=j"]), ["--format=json"]);
        assert_eq!(after(&["rotate", "a"]), ["alice"]);
        assert_eq!(after(&["rotate", "alice", "b"]), ["bob"]);
        // Global options come before and after the command.
        assert_eq!(after(&["--cluster", "p"]), ["prod"]);
        assert_eq!(after(&["plan", "--cluster", ""]), ["prod", "stage"]);
    }

    #[test]
    fn what_is_hidden_stays_hidden() {
        assert_eq!(after(&["complet"]), ["completions"]);
    }
}
