//! Collects what is wrong with a file, each fact with its place, to be reported in one run.

use super::RosterFileNames;
use crate::error::Error;
use crate::model::{FileNumber, Position};

/// The most errors that one run reports. A file with more was not written by hand, and the rest
/// would bury the first.
const LIMIT: usize = 1_000;
/// How many names one is compared with for a "did you mean", and how many comparisons there are in
/// all: enough for a person, bounded for a bomb.
const CANDIDATES: usize = 200;
const COMPARISONS: usize = 5_000;

/// What was found wrong so far.
#[derive(Debug)]
pub(super) struct Errors {
    files: RosterFileNames,
    found: Vec<(Position, Error)>,
    left_out: usize,
    comparisons: usize,
}

impl Errors {
    /// Nothing wrong yet in this file, named as the user knows it.
    pub(super) fn of(file: &str) -> Self {
        Self { files: RosterFileNames::new(file), found: Vec::new(), left_out: 0, comparisons: 0 }
    }

    /// One more file; returns its number in positions.
    pub(super) fn add_file(&mut self, part: String) -> FileNumber {
        self.files.add(part)
    }

    /// All files.
    pub(super) fn files(&self) -> &RosterFileNames {
        &self.files
    }

    /// A place in one of the files, as editors and terminals open it.
    pub(super) fn place(&self, position: Position) -> String {
        self.files.place(position)
    }

    /// Adds one fact.
    pub(super) fn add(&mut self, position: Position, fact: impl AsRef<str>) {
        self.push(position, fact.as_ref(), None);
    }

    /// Adds one fact and how to fix it.
    pub(super) fn add_with_hint(&mut self, position: Position, fact: impl AsRef<str>, hint: impl AsRef<str>) {
        self.push(position, fact.as_ref(), Some(hint.as_ref()));
    }

    /// Adds one fact about a name that is not known, and the known name nearest to it.
    pub(super) fn add_unknown<'n>(
        &mut self,
        position: Position,
        fact: impl AsRef<str>,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        if self.found.len() >= LIMIT {
            self.left_out += 1;
            return;
        }
        let candidates = CANDIDATES.min(COMPARISONS - self.comparisons);
        let compared = known.clone().take(candidates).inspect(|_| self.comparisons += 1);
        let hint = match nearest(name, compared) {
            Some(nearest) => Some(format!("did you mean `{nearest}`?")),
            None if candidates == 0 => None,
            None => {
                let mut listed: Vec<&str> = known.take(12).collect();
                let more = listed.len() == 12;
                listed.truncate(11);
                let names = listed.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", ");
                (!listed.is_empty())
                    .then(|| format!("known here: {names}{}", if more { ", ..." } else { "" }))
            }
        };
        self.push(position, fact.as_ref(), hint.as_deref());
    }

    fn push(&mut self, position: Position, fact: &str, hint: Option<&str>) {
        if self.found.len() >= LIMIT {
            self.left_out += 1;
            return;
        }
        let mut error = Error::new(fact).placed(self.files.name(position.file), position);
        if let Some(hint) = hint {
            error = error.hint(hint);
        }
        self.found.push((position, error));
    }

    /// All of them, in the order of the files and of the lines.
    pub(super) fn into_error(mut self) -> Option<Error> {
        self.found.sort_by_key(|(position, _)| *position);
        let left_out = (self.left_out > 0).then(|| {
            Error::new(format!("{}: {} more errors are not shown", self.files.root(), self.left_out))
        });
        Error::all(self.found.into_iter().map(|(_, error)| error).chain(left_out))
    }
}

/// Text from the file between backticks, shortened to what helps to find it. Errors end up in CI
/// logs, so a secret that was pasted into the roster by mistake is not repeated.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let shown: String = text.chars().take(SHOWN).collect();
    let upper = shown.to_ascii_uppercase();
    if upper.contains("SECRET-KEY") || upper.contains("PRIVATE KEY") {
        return "`[a secret key]`".into();
    }
    if let Some((scheme, rest)) = text.split_once("://")
        && rest.contains('@')
    {
        return format!("`{}://[user and password]@...`", scheme.escape_debug());
    }
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

/// The known name that a mistyped one was probably meant to be.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const LONGEST: usize = 64;
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    // One slip in a short name, two or three in a longer one.
    let allowed = (length / 3).clamp(1, 3);
    known
        .filter(|candidate| candidate.len() <= LONGEST && candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be added, removed or changed (Levenshtein), letter case aside.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_gets_a_suggestion_and_another_word_does_not() {
        let known = ["recipients", "groups", "grants", "name"];
        let nearest = |name| nearest(name, known.into_iter());
        assert_eq!(nearest("recipient"), Some("recipients"));
        assert_eq!(nearest("reciepients"), Some("recipients"));
        assert_eq!(nearest("Name"), Some("name"));
        assert_eq!(nearest("email"), None);
        assert_eq!(nearest(&"x".repeat(1000)), None);
    }

    #[test]
    fn a_pasted_secret_is_not_repeated() {
        for (text, shown) in [
            ("AGE-SECRET-KEY-1QQQQ", "`[a secret key]`"),
            ("age-secret-key-1qqqq", "`[a secret key]`"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "`[a secret key]`"),
            ("https://bob:hunter2@example.com", "`https://[user and password]@...`"),
            ("age1qqqq", "`age1qqqq`"),
        ] {
            assert_eq!(quoted(text), shown);
        }
        assert_eq!(quoted(&"x".repeat(100)), format!("`{}...`", "x".repeat(60)));
    }

    #[test]
    fn many_typos_cost_a_bounded_number_of_comparisons() {
        let known: Vec<String> = (0..CANDIDATES).map(|n| format!("group-{n}")).collect();
        let mut errors = Errors::of("users.yaml");
        for line in 1..=LIMIT as u64 {
            let known = known.iter().map(String::as_str);
            errors.add_unknown(
                Position { file: FileNumber::FIRST, line, column: 1 },
                "no such group",
                "groop-1",
                known,
            );
        }
        let error = errors.into_error().expect("errors were added");
        let hints = error.each().filter(|error| !error.hints().is_empty()).count();
        assert_eq!(hints, COMPARISONS / CANDIDATES);
    }

    #[test]
    fn the_number_of_reported_errors_is_bounded() {
        let mut errors = Errors::of("users.yaml");
        for line in 1..=LIMIT as u64 + 2 {
            errors.add(Position { file: FileNumber::FIRST, line, column: 1 }, "wrong");
        }
        let error = errors.into_error().expect("errors were added");
        let last = error.each().last().expect("at least one");
        assert_eq!(last.message(), "users.yaml: 2 more errors are not shown");
    }
}
