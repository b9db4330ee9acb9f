//! Rows under a heading; on a terminal that is too narrow for that, one block for each row.

/// The least room for the last column, which is continued under itself.
const NARROWEST: usize = 24;

/// A table. Every row has as many cells as the heading.
pub struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// One without rows.
    pub fn new(head: [&'static str; N]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row. An empty cell shows as `-`.
    pub fn push(&mut self, row: [String; N]) {
        self.rows.push(row.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }));
    }

    /// The text, for a terminal of so many columns; `None` is no terminal, where nothing is too wide.
    pub fn text(&self, columns: Option<usize>) -> String {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].as_str()).chain([self.head[column]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        });
        let all_but_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let last = widths.last().map_or(0, |width| (*width).min(NARROWEST));
        match columns {
            Some(columns) if all_but_last + last > columns => self.blocks(),
            _ => self.lines(&widths),
        }
    }

    fn lines(&self, widths: &[usize; N]) -> String {
        let line = |cells: &[&str; N]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let rows = self.rows.iter().map(|row| line(&row.each_ref().map(String::as_str)));
        std::iter::once(line(&self.head)).chain(rows).collect()
    }

    /// The first cell, and the others below it, each behind its heading.
    fn blocks(&self) -> String {
        let width = self.head.iter().skip(1).map(|head| head.len()).max().unwrap_or(0);
        let block = |row: &[String; N]| {
            let cells = self.head.iter().zip(row).skip(1);
            let below = cells.map(|(head, cell)| format!("  {:<width$}  {cell}\n", head.to_lowercase()));
            row.iter().take(1).map(|first| format!("{first}\n")).chain(below).collect::<String>()
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_lines_where_they_fit_and_blocks_where_not() {
        let mut table = Table::new(["CLUSTER", "USER", "VALID UNTIL"]);
        table.push(["prod".into(), "alice".into(), "2026-12-27 21:00Z".into()]);
        table.push(["stage".into(), "bob".into(), String::new()]);
        let lines = "CLUSTER  USER   VALID UNTIL\nprod     alice  2026-12-27 21:00Z\nstage    bob    -\n";
        assert_eq!(table.text(None), lines);
        assert_eq!(table.text(Some(33)), lines);
        assert_eq!(
            table.text(Some(32)),
            "prod\n  user         alice\n  valid until  2026-12-27 21:00Z\n\nstage\n  user         bob\n  valid until  -\n"
        );
    }
}
