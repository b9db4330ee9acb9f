//! What GitHub Actions reads in what a step prints, on standard output and standard error alike
//! (`ScriptHandler.cs` of actions/runner): `::command::` at the beginning of a line, spaces aside, and
//! the old `##[command]` anywhere in one (`ActionCommand.cs`).
//!
//! So text from outside must not hold either, or a roster could set a step's outputs.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::{Error, Severity, visible};
use crate::model::Position;

/// GitHub shows so many errors of a step, and drops the rest.
pub const MOST_ANNOTATIONS: usize = 10;

/// Text without anything that the runner would take for a command.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let text = without_old_commands(text);
    // Whatever .NET may take for a space, or not see at all when it compares.
    let begins = |line: &str| line.trim_start_matches(|c: char| !c.is_ascii_graphic()).starts_with("::");
    if !text.split(['\n', '\r']).any(begins) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive(['\n', '\r']) {
        match line.split_once("::").filter(|_| begins(line)) {
            Some((before, after)) => drop(write!(out, "{before}:\\u{{3a}}{after}")),
            None => out.push_str(line),
        }
    }
    Cow::Owned(out)
}

/// Text without `##[`, whose second sign is shown as its code point.
pub fn without_old_commands(text: &str) -> Cow<'_, str> {
    match text.contains("##[") {
        true => Cow::Owned(text.replace("##[", "#\\u{23}[")),
        false => Cow::Borrowed(text),
    }
}

/// The command that puts an error on a line of a file, `file` as the pull request shows it; one line.
pub fn annotation(error: &Error, severity: Severity, place: Option<(&str, Position)>) -> String {
    let mut message = error.message().to_owned();
    for cause in error.causes() {
        let _ = write!(message, "\nCaused by: {cause}");
    }
    for hint in error.hints() {
        let _ = write!(message, "\nHint: {hint}");
    }
    let mut properties = String::new();
    if let Some((file, Position { file: _, line, column })) = place {
        let _ = write!(properties, " file={},line={line},col={column}", property(file));
    }
    let level = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("::{level}{properties}::{}", data(&visible(&message)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
