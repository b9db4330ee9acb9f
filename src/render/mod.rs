//! A plan for people and for machines.

mod access_changes;
pub mod audit;
pub mod binding;
pub mod cron_job;
pub mod difference;
pub mod explain;
pub mod fit;
pub mod full_control;
pub mod github_workflow_commands;
pub mod history;
pub mod import;
pub mod json;
pub mod kubectl;
pub mod markdown;
pub mod notices;
pub mod remains;
pub mod review;
pub mod sarif;
pub mod shell;
pub mod status;
pub mod table;
pub mod text;
pub mod who;
pub mod words;
pub mod yaml;

/// How to write for a reader, decided once at the edge.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Whether to write ANSI sequences.
    pub coloured: bool,
    /// Whether to show what follows from something shown.
    pub verbose: bool,
}

impl Style {
    /// `text` in a colour that repeats what a sign in front of it already says.
    pub fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The colours, each with one meaning.
pub mod colour {
    use anstyle::{AnsiColor, Style};

    const fn plain(colour: AnsiColor) -> Style {
        Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
    }
    /// Comes into being.
    pub const ADD: Style = plain(AnsiColor::Green);
    /// Changes.
    pub const CHANGE: Style = plain(AnsiColor::Yellow);
    /// Goes.
    pub const REMOVE: Style = plain(AnsiColor::Red);
    /// Wants a look.
    pub const WARN: Style = plain(AnsiColor::Yellow).bold();
    /// Headings.
    pub const HEADING: Style = Style::new().bold();
    /// Less important.
    pub const FAINT: Style = Style::new().dimmed();
}

/// `12,345`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 binding`, `2 bindings`.
pub fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", noun(number, ("", "s")))
}

/// The first of some names, and how many more there are.
pub fn first_of<S: AsRef<str>>(names: impl IntoIterator<Item = S>, most: usize) -> String {
    let mut names = names.into_iter();
    let first: Vec<S> = names.by_ref().take(most).collect();
    let first = first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// One, or several.
pub fn noun(number: usize, (one, several): (&'static str, &'static str)) -> &'static str {
    if number == 1 { one } else { several }
}
