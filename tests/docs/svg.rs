//! Rows of a terminal as a picture.

use std::fmt::Write as _;

use super::screen::{Cell, Style};
use super::steady::Steady;

pub const COLUMNS: usize = 80;
/// Of a row, in pixels.
pub const HEIGHT: usize = 17;
/// Of a character.
const WIDTH: f64 = 7.83;
const MARGIN: usize = 14;
pub const BACKGROUND: &str = "#1c2128";

/// A picture of so many rows: its style sheet, and what is inside of the margins.
pub fn picture(title: &str, rows: usize, style: &str, inside: &str) -> String {
    let width = (COLUMNS as f64 * WIDTH).ceil() as usize + 2 * MARGIN;
    let height = rows * HEIGHT + 2 * MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"13\" fill=\"#cdd9e5\">\n\
         <title>{title}</title>\n<style>\n{style}text{{white-space:pre}}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{}\">\n{inside}</svg>\n</svg>\n",
        width - 2 * MARGIN,
        rows * HEIGHT,
    )
}

/// The rows, from the top.
pub fn drawn(rows: &[Vec<Cell>]) -> String {
    let mut svg = String::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        let _ = write!(svg, "<text y=\"{}\">", index * HEIGHT + 13);
        for run in row.chunk_by(|one, next| one.style == next.style) {
            let column = row.element_offset(&run[0]).expect("a part of the row");
            let (x, attributes) = (column as f64 * WIDTH, attributes(run[0].style));
            let _ = write!(svg, "<tspan x=\"{x:.1}\"{attributes}>{}</tspan>", escaped(&text(run)));
        }
        svg.push_str("</text>\n");
    }
    svg
}

pub fn text(line: &[Cell]) -> String {
    line.iter().map(|cell| cell.shown).collect()
}

/// The line with another text, each character in the style of the one that stood there.
pub fn retold(line: &[Cell], text: &str) -> Vec<Cell> {
    let plain = Cell { shown: ' ', style: Style::default() };
    let cells = line.iter().copied().chain(std::iter::repeat(plain));
    text.trim_end().chars().zip(cells).map(|(shown, cell)| Cell { shown, ..cell }).collect()
}

/// The line without what chance or the clock decides.
pub fn steadied(steady: &mut Steady, line: &[Cell]) -> Vec<Cell> {
    retold(line, &steady.text(&text(line)))
}

/// The rows that a terminal breaks a line into.
pub fn wrapped(line: &[Cell]) -> Vec<Vec<Cell>> {
    if line.is_empty() { vec![Vec::new()] } else { line.chunks(COLUMNS).map(<[Cell]>::to_vec).collect() }
}

fn attributes(style: Style) -> String {
    let color = match style.color {
        Some(1) => " fill=\"#e5534b\"",
        Some(2) => " fill=\"#57ab5a\"",
        Some(3) => " fill=\"#c69026\"",
        Some(4) => " fill=\"#539bf5\"",
        Some(5) => " fill=\"#b083f0\"",
        Some(_) => " fill=\"#39c5cf\"",
        None if style.faint => " fill=\"#768390\"",
        None => "",
    };
    format!("{color}{}", if style.bold { " font-weight=\"bold\"" } else { "" })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
