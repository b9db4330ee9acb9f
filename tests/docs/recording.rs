//! docs/demo.svg: `certctl demo` as it shows on a terminal of 80 columns, from its first plan on. It is a picture that
//! moves without scripts, and that stands still, at its end, where the reader wants no motion. Only ids, times and
//! sizes are replaced. `UPDATE_EXPECT=1 cargo test --test docs` draws it anew.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::screen::{Cell, Style, painted_on};
use super::steady::Steady;
use super::team::Team;

const COLUMNS: usize = 80;
const ROWS: usize = 30;
/// Of a character, in pixels.
const WIDTH: f64 = 7.83;
const HEIGHT: usize = 17;
const MARGIN: usize = 14;
const BACKGROUND: &str = "#1c2128";

/// How long a reader looks, in seconds: at a command before it answers, at each line of an answer, and at the end.
const COMMAND: f64 = 0.9;
const LINE: f64 = 0.07;
const END: f64 = 4.0;

pub fn the_demo_is_shown_as_it_runs() {
    let team = Team::new(&[]);
    let (code, shown) = team.shows(".", "ada", "env -u NO_COLOR certctl demo", &[]);
    assert_eq!(code, Some(0), "{shown}");
    let lines = painted_on(&shown);
    let first = lines.iter().position(|line| text(line).starts_with("1. ")).expect("its first part");
    let mut steady = Steady::new();
    let lines = lines[first..].iter().map(|line| replaced(&mut steady, line));
    let rows: Vec<Vec<Cell>> = lines.flat_map(|line| wrapped(&line)).collect();
    let end = rows.iter().rposition(|row| !row.is_empty()).expect("an end");
    expect_file!["../../docs/demo.svg"].assert_eq(&picture(&rows[..=end]));
}

fn text(line: &[Cell]) -> String {
    line.iter().map(|cell| cell.shown).collect()
}

/// The line without what chance or the clock decides; each character keeps its style.
fn replaced(steady: &mut Steady, line: &[Cell]) -> Vec<Cell> {
    let text = steady.text(&text(line));
    let text = if let Some((file, _)) = text.split_once(" | ") {
        format!("{file} | 55 {}", "+".repeat(10))
    } else if text.contains("insertions(+)") || text.starts_with("The end") {
        text.chars().map(|c| if c.is_ascii_digit() { '5' } else { c }).collect()
    } else if let Some(pod) = text.strip_suffix('s').filter(|text| text.contains("   Pending   ")) {
        format!("{}2s", pod.trim_end_matches(|c: char| c.is_ascii_digit()))
    } else {
        // alice's and carol's fall due within a second of each other.
        text.replace("next renewal, carol's", "next renewal, alice's")
    };
    let plain = Cell { shown: ' ', style: Style::default() };
    let cells = line.iter().copied().chain(std::iter::repeat(plain));
    text.trim_end().chars().zip(cells).map(|(shown, cell)| Cell { shown, ..cell }).collect()
}

/// The rows that a terminal breaks a line into.
fn wrapped(line: &[Cell]) -> Vec<Vec<Cell>> {
    if line.is_empty() { vec![Vec::new()] } else { line.chunks(COLUMNS).map(<[Cell]>::to_vec).collect() }
}

/// When how many rows are to be seen, in seconds from the start; the last is the whole time.
fn moments(rows: &[Vec<Cell>]) -> (Vec<(f64, usize)>, f64) {
    let (mut at, mut moments) = (0.0, Vec::new());
    for (index, row) in rows.iter().enumerate() {
        moments.push((at, index + 1));
        at += if text(row).starts_with("$ ") { COMMAND } else { LINE };
    }
    (moments, at + END)
}

fn picture(rows: &[Vec<Cell>]) -> String {
    let (moments, whole) = moments(rows);
    let width = (COLUMNS as f64 * WIDTH).ceil() as usize + 2 * MARGIN;
    let height = ROWS * HEIGHT + 2 * MARGIN;
    // Two things move: the paper, so that the last row that is to be seen stands at the bottom, and the blind that
    // covers the rows below it.
    let (mut paper, mut blind) = (String::new(), String::new());
    for (at, seen) in moments {
        let share = at / whole * 100.0;
        let _ = write!(paper, "{share:.2}%{{transform:translateY(-{}px)}}", scrolled(seen));
        let _ = write!(blind, "{share:.2}%{{transform:translateY({}px)}}", seen * HEIGHT);
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"13\" fill=\"#cdd9e5\">\n\
         <title>certctl demo, as a terminal shows it</title>\n<style>\n\
         #paper{{transform:translateY(-{}px);animation:paper {whole:.1}s step-end infinite}}\n\
         #blind{{transform:translateY({}px);animation:blind {whole:.1}s step-end infinite}}\n\
         @keyframes paper{{{paper}}}\n@keyframes blind{{{blind}}}\n\
         @media (prefers-reduced-motion:reduce){{#paper,#blind{{animation:none}}}}\n\
         text{{white-space:pre}}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{}\"><g id=\"paper\">\n",
        scrolled(rows.len()),
        rows.len() * HEIGHT,
        width - 2 * MARGIN,
        ROWS * HEIGHT,
    );
    for (index, row) in rows.iter().enumerate() {
        if row.is_empty() {
            continue;
        }
        let _ = write!(svg, "<text y=\"{}\">", index * HEIGHT + 13);
        for run in row.chunk_by(|one, next| one.style == next.style) {
            let column = index_of(row, run);
            let _ = write!(
                svg,
                "<tspan x=\"{:.1}\"{}>{}</tspan>",
                column as f64 * WIDTH,
                attributes(run[0].style),
                escaped(&text(run))
            );
        }
        svg.push_str("</text>\n");
    }
    let _ = writeln!(
        svg,
        "<rect id=\"blind\" width=\"100%\" height=\"{}\" fill=\"{BACKGROUND}\"/>\n</g></svg>\n</svg>",
        rows.len() * HEIGHT
    );
    svg
}

/// How far the paper has moved up when so many rows are to be seen.
fn scrolled(seen: usize) -> usize {
    seen.saturating_sub(ROWS) * HEIGHT
}

/// The column that a run of a row begins at.
fn index_of(row: &[Cell], run: &[Cell]) -> usize {
    row.element_offset(&run[0]).expect("a part of the row")
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
