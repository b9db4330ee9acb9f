//! Rows under a heading; on a terminal that is too narrow for that, one block for each row.

/// The least room for the last column, which is continued under itself.
const NARROWEST: usize = 24;

/// A table. Every row has as many cells as the heading.
pub struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<Row<N>>,
}

struct Row<const N: usize> {
    cells: [String; N],
    /// Stands below the row.
    remark: Option<String>,
}

impl<const N: usize> Table<N> {
    /// One without rows.
    pub fn new(head: [&'static str; N]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row. An empty cell shows as `-`.
    pub fn push(&mut self, cells: [String; N]) {
        self.push_with(cells, None);
    }

    /// Adds a row, and a line below it.
    pub fn push_with(&mut self, cells: [String; N], remark: Option<String>) {
        let cells = cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell });
        self.rows.push(Row { cells, remark });
    }

    /// Its lines, however long they are: whoever shows them breaks them where they have to be.
    pub fn lines(&self) -> String {
        self.as_lines(&self.widths())
    }

    /// The text, for a terminal of so many columns; `None` is no terminal, where nothing is too wide.
    pub fn text(&self, columns: Option<usize>) -> String {
        let widths = self.widths();
        let all_but_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        let last = widths.last().map_or(0, |width| (*width).min(NARROWEST));
        match columns {
            Some(columns) if all_but_last + last > columns => self.blocks(),
            _ => self.as_lines(&widths),
        }
    }

    fn widths(&self) -> [usize; N] {
        std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row.cells[column].as_str()).chain([self.head[column]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
    }

    fn as_lines(&self, widths: &[usize; N]) -> String {
        let line = |cells: &[&str; N]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let remark = |row: &Row<N>| row.remark.as_ref().map(|remark| format!("  {remark}\n"));
        let rows = self.rows.iter().flat_map(|row| {
            let cells = line(&row.cells.each_ref().map(String::as_str));
            std::iter::once(cells).chain(remark(row))
        });
        std::iter::once(line(&self.head)).chain(rows).collect()
    }

    /// The first cell, and the others below it, each behind its heading.
    fn blocks(&self) -> String {
        let width = self.head.iter().skip(1).map(|head| head.len()).max().unwrap_or(0);
        let block = |row: &Row<N>| {
            let cells = self.head.iter().zip(&row.cells).skip(1);
            let below = cells.map(|(head, cell)| format!("  {:<width$}  {cell}\n", head.to_lowercase()));
            let remark = row.remark.as_ref().map(|remark| format!("  {remark}\n"));
            let first = row.cells.iter().take(1).map(|first| format!("{first}\n"));
            first.chain(below).chain(remark).collect::<String>()
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
    #[test]
    fn a_remark_stands_below_its_row() {
        let mut table = Table::new(["USER", "GROUPS"]);
        table.push_with(["alice".into(), "developers, on-call".into()], Some("! expires soon".into()));
        table.push(["bob".into(), String::new()]);
        assert_eq!(table.lines(), "USER   GROUPS\nalice  developers, on-call\n  ! expires soon\nbob    -\n");
    }
}
