//! Columns that line up. The last one wraps with a hanging indent, so that no line is longer than a terminal
//! that is 80 columns wide, as long as the others leave room for it.

/// How wide a terminal is taken to be.
pub const WIDTH: usize = 80;

/// The least that the last column gets, however wide the others are.
const LEAST: usize = 20;

/// A row: its cells, and lines that follow it, indented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<const N: usize> {
    pub cells: [String; N],
    pub remarks: Vec<String>,
}

impl<const N: usize> Row<N> {
    /// Without remarks.
    pub fn new(cells: [String; N]) -> Self {
        Self { cells, remarks: Vec::new() }
    }
}

/// The head and the rows as text, each line ended.
pub fn render<const N: usize>(head: [&str; N], rows: &[Row<N>]) -> String {
    let cells = |row: usize| match row.checked_sub(1) {
        None => head.map(str::to_owned),
        Some(row) => rows[row].cells.clone(),
    };
    let all: Vec<[String; N]> = (0..=rows.len()).map(cells).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N.saturating_sub(1)).map(width).collect();
    let indent: usize = widths.iter().map(|width| width + 2).sum();
    let mut out = String::new();
    for (index, row) in all.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            out.push_str(&format!("{cell:<width$}  "));
        }
        let last = row.last().map_or("", String::as_str);
        out.push_str(
            &wrap(last, WIDTH.saturating_sub(indent).max(LEAST)).join(&format!("\n{}", " ".repeat(indent))),
        );
        out.truncate(out.trim_end().len());
        out.push('\n');
        for remark in index.checked_sub(1).into_iter().flat_map(|index| &rows[index].remarks) {
            out.push_str("  ");
            out.push_str(&wrap(remark, WIDTH - 4).join("\n    "));
            out.push('\n');
        }
    }
    out
}

/// Lines of at most so many characters, broken at spaces; a longer word stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_wraps_below_itself_and_remarks_below_the_row() {
        let names = |names: &[&str]| names.join(", ");
        let mut row =
            Row::new(["alice".to_owned(), "x".repeat(45), names(&["developers", "on-call", "operators"])]);
        row.remarks.push("! ".to_owned() + "word ".repeat(20).trim_end());
        let table = render(["USER", "WIDE", "GROUPS"], &[row, Row::new(["bob", "y", ""].map(str::to_owned))]);
        assert!(
            table.lines().all(|line| line.chars().count() <= WIDTH && line == line.trim_end()),
            "{table}"
        );
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].ends_with("  developers, on-call,"), "{table}");
        assert_eq!(lines[2], format!("{}operators", " ".repeat(5 + 2 + 45 + 2)));
        assert!(lines[3].starts_with("  ! word") && lines[4].starts_with("    word"), "{table}");
        assert!(lines[5].starts_with("bob    y"), "{table}");
    }

    #[test]
    fn a_long_word_is_not_broken() {
        assert_eq!(wrap(&"x".repeat(30), 20), ["x".repeat(30)]);
        assert_eq!(wrap("", 20), [""]);
    }
}
