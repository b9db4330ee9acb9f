//! Lines for a terminal that is narrower than they are: broken at spaces, and what follows hangs under the
//! column that it belongs to. A word is never broken, and neither is what stands in backticks: a command that
//! somebody copies has to stay one line.

/// The least room that a column needs to be continued under itself.
const NARROWEST: usize = 32;

/// The text with each line broken that is longer than `columns`.
pub fn fitted(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                push_line(&mut out, line, columns);
                out.push('\n');
            }
            None => push_line(&mut out, line, columns),
        }
    }
    out
}

fn push_line(out: &mut String, line: &str, columns: usize) {
    if width(line) <= columns {
        out.push_str(line);
        return;
    }
    let indent = hanging_indent(&shown(line), columns);
    let (mut at, mut begun) = (0, false);
    for (gap, word) in words(line) {
        let length = width(word);
        if begun && at + gap + length > columns && at > indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            at = indent;
        } else {
            out.extend(std::iter::repeat_n(' ', gap));
            at += gap;
        }
        out.push_str(word);
        at += length;
        begun = true;
    }
}

/// Where a broken line goes on: under the start of its last column that has room, else behind its sign or
/// label, else two deeper than it began.
fn hanging_indent(line: &str, columns: usize) -> usize {
    let text = line.trim_start_matches(' ');
    let begin = line.len() - text.len();
    let label = ["Error: ", "Warning: "].iter().any(|label| text.starts_with(label));
    let least = begin + if label { 4 } else { 2 };
    let mut starts = Vec::new();
    let (mut at, mut gap) = (0, usize::MAX);
    for c in line.chars() {
        if c != ' ' && gap >= 2 && at > begin {
            starts.push(at);
        }
        gap = if c == ' ' { gap.saturating_add(1) } else { 0 };
        at += 1;
    }
    starts.into_iter().rfind(|start| start + NARROWEST <= columns).unwrap_or(least)
}

/// Each word with the spaces in front of it. What is in backticks is one.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let word = rest.trim_start_matches(' ');
        let gap = rest.len() - word.len();
        let mut quoted = false;
        let end = word.find(|c: char| {
            quoted ^= c == '`';
            c == ' ' && !quoted
        });
        // A single backtick quotes nothing.
        let end = match end {
            None if quoted => word.find(' '),
            end => end,
        };
        let (word, after) = word.split_at(end.unwrap_or(word.len()));
        rest = after;
        (!word.is_empty()).then_some((gap, word))
    })
}

/// How many columns it takes: what paints takes none.
fn width(text: &str) -> usize {
    shown(text).chars().count()
}

/// Without the ANSI sequences that paint.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut painting = false;
    for c in text.chars() {
        match (painting, c) {
            (false, '\u{1b}') => painting = true,
            (false, c) => out.push(c),
            (true, c) => painting = !c.is_ascii_alphabetic(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_as_it_is() {
        let text = "a line\n\n  another   one  \nand no end";
        assert_eq!(fitted(text, 20), text);
    }

    #[test]
    fn a_long_line_hangs_under_its_last_column_that_has_room() {
        let row = "    + issue   alice  until Monday  because the roster says so since this morning";
        assert_eq!(
            fitted(row, 70),
            "    + issue   alice  until Monday  because the roster says so since\n                                   this morning"
        );
        // The last column would be too narrow here.
        assert_eq!(
            fitted(row, 60),
            "    + issue   alice  until Monday  because the roster says\n                     so since this morning"
        );
        assert_eq!(fitted("- one two three four", 12), "- one two\n  three four");
        assert_eq!(fitted("Error: one two three", 12), "Error: one\n    two\n    three");
    }

    #[test]
    fn no_word_and_no_command_is_broken() {
        assert_eq!(fitted("see 0123456789abcdef now", 10), "see\n  0123456789abcdef\n  now");
        assert_eq!(fitted("run `git commit -m x` again", 14), "run\n  `git commit -m x`\n  again");
        assert_eq!(fitted("it`s one backtick only", 12), "it`s one\n  backtick\n  only");
    }

    #[test]
    fn colour_takes_no_room() {
        let painted = "\u{1b}[31m- alice is out\u{1b}[0m";
        assert_eq!(fitted(painted, 14), painted);
        assert_eq!(fitted(painted, 10), "\u{1b}[31m- alice is\n  out\u{1b}[0m");
    }
}
