//! docs/demo.svg: `certctl demo` as it shows on a terminal of 80 columns, from its first plan on. It is a picture that
//! moves without scripts, and that stands still, at its end, where the reader wants no motion. Only ids, times and
//! sizes are replaced. `UPDATE_EXPECT=1 cargo test --test docs` draws it anew.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::screen::{Cell, painted_on};
use super::steady::Steady;
use super::svg::{self, BACKGROUND, HEIGHT, text};
use super::team::Team;

const ROWS: usize = 30;

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
    let rows: Vec<Vec<Cell>> = lines.flat_map(|line| svg::wrapped(&line)).collect();
    let end = rows.iter().rposition(|row| !row.is_empty()).expect("an end");
    expect_file!["../../docs/demo.svg"].assert_eq(&picture(&rows[..=end]));
}

/// The line without what chance or the clock decides.
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
    svg::retold(line, &text)
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
    // Two things move: the paper, so that the last row that is to be seen stands at the bottom, and the blind that
    // covers the rows below it.
    let (mut paper, mut blind) = (String::new(), String::new());
    for (at, seen) in moments {
        let share = at / whole * 100.0;
        let _ = write!(paper, "{share:.2}%{{transform:translateY(-{}px)}}", scrolled(seen));
        let _ = write!(blind, "{share:.2}%{{transform:translateY({}px)}}", seen * HEIGHT);
    }
    let (length, covered) = (scrolled(rows.len()), rows.len() * HEIGHT);
    let style = format!(
        "#paper{{transform:translateY(-{length}px);animation:paper {whole:.1}s step-end infinite}}\n\
         #blind{{transform:translateY({covered}px);animation:blind {whole:.1}s step-end infinite}}\n\
         @keyframes paper{{{paper}}}\n@keyframes blind{{{blind}}}\n\
         @media (prefers-reduced-motion:reduce){{#paper,#blind{{animation:none}}}}\n"
    );
    let inside = format!(
        "<g id=\"paper\">\n{}<rect id=\"blind\" width=\"100%\" height=\"{covered}\" fill=\"{BACKGROUND}\"/>\n</g>\n",
        svg::drawn(rows)
    );
    svg::picture("certctl demo, as a terminal shows it", ROWS, &style, &inside)
}

/// How far the paper has moved up when so many rows are to be seen.
fn scrolled(seen: usize) -> usize {
    seen.saturating_sub(ROWS) * HEIGHT
}
