//! Lines that fit a terminal of 80 columns.

use std::fmt::Write as _;

/// Columns that every terminal has.
const WIDTH: usize = 80;

/// Adds a text so many columns in, as lines of at most [`WIDTH`] where its words allow that; all but the first are two
/// columns further in.
pub fn wrapped(out: &mut String, indent: usize, text: &str) {
    let (mut column, mut first) = (indent, true);
    out.push_str(&" ".repeat(indent));
    for word in text.split(' ') {
        let width = word.chars().count();
        if !first && column + 1 + width > WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent + 2));
            column = indent + 2;
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        first = false;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_a_terminal_but_for_a_word_that_is() {
        let mut out = String::new();
        let long = "x".repeat(100);
        wrapped(&mut out, 4, &format!("{} {long} end", "word ".repeat(20).trim_end()));
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines.iter().all(|line| line.len() <= WIDTH || line.trim() == long), "{out}");
        assert!(lines[0].starts_with("    word") && lines[1].starts_with("      word"), "{out}");
    }
}
