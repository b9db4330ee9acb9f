//! How often each fault was injected, and with which outcome.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Runs by row and column.
#[derive(Default)]
pub struct Table {
    cells: BTreeMap<(usize, usize), Cell>,
    rows: Vec<&'static str>,
    columns: Vec<&'static str>,
}

#[derive(Default)]
struct Cell {
    runs: usize,
    failed: usize,
}

fn place(names: &mut Vec<&'static str>, name: &'static str) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

impl Table {
    /// An empty one, its rows and columns in this order.
    pub fn with_rows(
        rows: impl Iterator<Item = &'static str>,
        columns: impl Iterator<Item = &'static str>,
    ) -> Self {
        let mut table = Self::default();
        rows.for_each(|row| {
            place(&mut table.rows, row);
        });
        columns.for_each(|column| {
            place(&mut table.columns, column);
        });
        table
    }

    /// Rows without a run.
    pub fn empty_rows(&self) -> impl Iterator<Item = &'static str> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(y, _)| !self.cells.keys().any(|(row, _)| row == y)).map(|(_, row)| *row)
    }

    pub fn count(&mut self, row: &'static str, column: &'static str, converged: bool) {
        let at = (place(&mut self.rows, row), place(&mut self.columns, column));
        let cell = self.cells.entry(at).or_default();
        cell.runs += 1;
        cell.failed += usize::from(!converged);
    }

    /// Shows it, and leaves it in `target/tmp/<name>.txt`.
    pub fn close(&self, name: &str, title: &str, note: &str) {
        let text = format!("{}{note}\n", self.text(title));
        eprintln!("\n{text}");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("txt");
        fs::write(file, text).expect("the table is written");
    }

    fn text(&self, title: &str) -> String {
        let mut text = format!("{title}\n\n{:<22}", "");
        for column in &self.columns {
            let _ = write!(text, "{column:>9}");
        }
        let _ = writeln!(text, "{:>9}", "all");
        for (y, row) in self.rows.iter().enumerate() {
            let _ = write!(text, "{row:<22}");
            let mut all = 0;
            for x in 0..self.columns.len() {
                let shown = match self.cells.get(&(y, x)) {
                    None => "-".to_owned(),
                    Some(cell) if cell.failed > 0 => format!("{}!{}", cell.runs, cell.failed),
                    Some(cell) => cell.runs.to_string(),
                };
                all += self.cells.get(&(y, x)).map_or(0, |cell| cell.runs);
                let _ = write!(text, "{shown:>9}");
            }
            let _ = writeln!(text, "{all:>9}");
        }
        let (runs, failed) =
            self.cells.values().fold((0, 0), |(runs, failed), cell| (runs + cell.runs, failed + cell.failed));
        let verdict =
            if failed == 0 { "all converged".to_owned() } else { format!("{failed} did NOT converge") };
        let _ = writeln!(text, "\n{runs} runs, {verdict}.");
        text
    }
}
