//! What is left on a terminal after a program has shown and overdrawn things.

/// One character, and how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub shown: char,
    pub style: Style,
}

/// What a program asks for with `ESC [ ... m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub bold: bool,
    pub faint: bool,
    /// 1 red, 2 green, 3 yellow, 4 blue, 5 magenta, 6 cyan.
    pub color: Option<u8>,
}

impl Style {
    /// After one sequence, its numbers between semicolons.
    fn then(self, sequence: &str) -> Self {
        sequence.split(';').fold(self, |style, code| match code.parse().unwrap_or(0) {
            1_u8 => Self { bold: true, ..style },
            2 => Self { faint: true, ..style },
            22 => Self { bold: false, faint: false, ..style },
            color @ (31..=36 | 91..=96) => Self { color: Some(color % 10), ..style },
            39 => Self { color: None, ..style },
            _ => Self::default(),
        })
    }
}

/// The lines, as somebody would copy them.
pub fn left_on(bytes: &str) -> String {
    let text = painted_on(bytes);
    let text = text.iter().map(|line| line.iter().map(|cell| cell.shown).collect::<String>());
    text.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The lines, as somebody sees them.
pub fn painted_on(bytes: &str) -> Vec<Vec<Cell>> {
    let mut lines: Vec<Vec<Cell>> = vec![Vec::new()];
    let (mut row, mut column, mut style) = (0, 0, Style::default());
    let mut chars = bytes.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
                column = 0;
            }
            '\r' => column = 0,
            '\u{1b}' => {
                let sequence: String = take_sequence(&mut chars);
                let argument = sequence.trim_start_matches('[').trim_end_matches(char::is_alphabetic);
                match sequence.chars().next_back() {
                    Some('A') => row = row.saturating_sub(argument.parse().unwrap_or(1)),
                    Some('K') if sequence == "[2K" => lines[row].clear(),
                    Some('K') => lines[row].truncate(column),
                    Some('m') => style = style.then(argument),
                    _ => {}
                }
            }
            shown => {
                let line = &mut lines[row];
                while line.len() <= column {
                    line.push(Cell { shown: ' ', style: Style::default() });
                }
                line[column] = Cell { shown, style };
                column += 1;
            }
        }
    }
    lines
}

/// What follows an escape character, through its last letter.
fn take_sequence(chars: &mut std::str::Chars<'_>) -> String {
    let mut sequence = String::new();
    for c in chars.by_ref() {
        sequence.push(c);
        if c.is_ascii_alphabetic() {
            break;
        }
    }
    sequence
}
