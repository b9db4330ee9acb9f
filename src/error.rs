//! What went wrong, why, and what to do next. One type and one printer for the whole program.
//!
//! An error begins with the place and the fact, says what was not done, carries the cause as a
//! source chain, and ends in hints: one command or edit that fixes it. It cannot hold a secret,
//! because no secret type here can be turned into text.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use crate::model::Position;

/// Which exit code an error ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The work failed, wholly or in part: exit 1.
    Failed,
    /// The command line cannot be meant like this: exit 64 (`EX_USAGE` of sysexits.h).
    Usage,
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure, or several that were found in one run.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
    // Boxed, because few errors have one and every result has room for it.
    place: Option<Box<(String, Position)>>,
    others: Vec<Error>,
}

impl Error {
    /// A failure that ends in exit code 1. The message names the place and the fact.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Failed,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            place: None,
            others: Vec::new(),
        }
    }

    /// A wrong command line: exit code 64.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, ..Self::new(message) }
    }

    /// Several failures reported together, in order. `None` where there are none.
    pub fn all(errors: impl IntoIterator<Item = Error>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.others.extend(errors);
        Some(first)
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds one thing to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds where it happened: `place: message`, for this error and those reported with it.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        // `cluster prod: prod: ...` names it twice.
        let name = place.rsplit(' ').next().unwrap_or(place);
        let rest = self.message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        self.message = format!("{place}: {}", rest.unwrap_or(&self.message));
        self.others = self.others.into_iter().map(|other| other.within(place)).collect();
        self
    }

    /// Says on which line of which file: `file:line:column: message`, for this error and those reported
    /// with it.
    #[must_use]
    pub fn placed(mut self, file: &str, position: Position) -> Self {
        self.message = format!("{file}:{position}: {}", self.message);
        self.place = Some(Box::new((file.to_owned(), position)));
        self.others = self.others.into_iter().map(|other| other.placed(file, position)).collect();
        self
    }

    /// The file and the line that it is about, if any.
    pub fn place(&self) -> Option<(&str, Position)> {
        self.place.as_ref().map(|place| (place.0.as_str(), place.1))
    }

    /// Which exit code it ends in.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The fact, without cause and hints.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Why, outermost first; each fact once, for many libraries repeat their source in their own message.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut cause = self.source.as_ref().map(|s| &**s as &dyn StdError);
        let mut said = self.message.clone();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                said.clone_from(&text);
                causes.push(text);
            }
            cause = error.source();
        }
        causes
    }

    /// This failure and those reported with it.
    pub fn each(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(self.others.iter().flat_map(|other| {
            // `all` flattens one level only, and errors are never nested deeper than that.
            std::iter::once(other).chain(other.others.iter())
        }))
    }

    /// The text for a terminal: `Error:`, causes, hints; with `styled`, in colour.
    pub fn render(&self, styled: bool) -> String {
        self.render_as(Severity::Error, styled)
    }

    /// The same, with what begins it.
    pub fn render_as(&self, severity: Severity, styled: bool) -> String {
        let (title, colour) = match severity {
            Severity::Error => ("Error", "\x1b[1;31m"),
            Severity::Warning => ("Warning", "\x1b[1;33m"),
        };
        let (colour, cyan, reset) = if styled { (colour, "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        let mut out = String::new();
        for error in self.each() {
            // Several lines stay together, and none of them can pass for another error.
            let lines = |text: &str| visible(text).replace('\n', "\n    ");
            let _ = writeln!(out, "{colour}{title}:{reset} {}", lines(&error.message));
            for cause in error.causes() {
                let _ = writeln!(out, "  Caused by: {}", lines(&cause));
            }
            for hint in &error.hints {
                let _ = writeln!(out, "  {cyan}Hint:{reset} {}", lines(hint));
            }
        }
        out
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|s| &**s as &dyn StdError)
    }
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something was not done.
    Error,
    /// Nothing has failed, and somebody has to look at it.
    Warning,
}

/// Text from the roster, the repository or the cluster, made safe for a terminal: control
/// characters (escape sequences among them) and bidirectional overrides are shown, not obeyed. Only
/// line breaks stay, for what other programs said in several lines.
pub fn visible(text: &str) -> String {
    shown(text, true)
}

/// As [`visible`], and on one line: for names, which must not forge lines of a plan.
pub fn visible_line(text: &str) -> String {
    shown(text, false)
}

/// Whether a terminal or a page obeys a character instead of showing it: controls, separators of lines and
/// paragraphs, bidirectional overrides (CVE-2021-42574), and what has no width. `quoted` in action/lib.sh leaves
/// out the same ones.
fn is_hidden(c: char) -> bool {
    let no_glyph =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || no_glyph
}

fn shown(text: &str, line_breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = is_hidden(c) && !(line_breaks && c == '\n');
        if hidden {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_fact_cause_and_hint_and_repeats_nothing() {
        let io = std::io::Error::other("disk on fire");
        let error =
            Error::new("users.yaml could not be read; nothing was done").caused_by(io).hint("put it out");
        assert_eq!(
            error.render(false),
            "Error: users.yaml could not be read; nothing was done\n  Caused by: disk on fire\n  Hint: put it out\n"
        );
    }

    #[test]
    fn a_place_is_named_once() {
        let said = |message: &str| Error::new(message).within("cluster stage").message().to_owned();
        assert_eq!(said("stage: it did not answer"), "cluster stage: it did not answer");
        assert_eq!(said("stages: it did not answer"), "cluster stage: stages: it did not answer");
        assert_eq!(said("it did not answer"), "cluster stage: it did not answer");
    }

    #[test]
    fn hostile_text_cannot_control_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(visible_line("a\nPlan: nothing"), "a\\u{a}Plan: nothing");
        let forged = Error::new("a\nError: b").hint("c\nError: d").render(false);
        assert_eq!(forged, "Error: a\n    Error: b\n  Hint: c\n    Error: d\n");
    }

    #[test]
    fn several_errors_are_all_printed() {
        let error = Error::all([Error::new("one"), Error::new("two").hint("three")]).expect("two errors");
        assert_eq!(error.render(false), "Error: one\nError: two\n  Hint: three\n");
    }
}
