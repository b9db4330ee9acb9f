//! What is left on a terminal after a program has shown and overdrawn things: its lines, without colour.

/// The lines, as somebody would copy them.
pub fn left_on(bytes: &str) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
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
                let number = sequence.trim_start_matches('[').trim_end_matches(char::is_alphabetic);
                let number = number.parse().unwrap_or(1);
                match sequence.chars().next_back() {
                    Some('A') => row = row.saturating_sub(number),
                    Some('K') if sequence == "[2K" => lines[row].clear(),
                    Some('K') => lines[row].truncate(column),
                    _ => {}
                }
            }
            c => {
                let line = &mut lines[row];
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = c;
                column += 1;
            }
        }
    }
    let text = lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned());
    text.collect::<Vec<_>>().join("\n")
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
