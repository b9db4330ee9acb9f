//! How far an apply is: bars on a terminal, nothing elsewhere, durations with `--verbose`.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::Terminal;
use crate::apply::{Phase, Progress};

pub struct Reporter<'a> {
    terminal: &'a Terminal,
    bar: Mutex<Option<ProgressBar>>,
}

impl<'a> Reporter<'a> {
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, bar: Mutex::new(None) }
    }

    fn with_bar(&self, f: impl FnOnce(&mut Option<ProgressBar>)) {
        // A panic elsewhere leaves the bar as it was: nothing depends on it.
        f(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Revoke => "Revoking",
        Phase::Issue => "Issuing",
        Phase::Record => "Recording",
        Phase::Grant => "Granting",
    }
}

impl Progress for Reporter<'_> {
    fn begin(&self, phase: Phase, steps: usize) {
        if !self.terminal.draws() {
            return;
        }
        let style = ProgressStyle::with_template("{prefix:>10} [{bar:30}] {pos}/{len} {wide_msg}");
        self.with_bar(|bar| {
            let new = ProgressBar::new(steps as u64).with_prefix(name(phase));
            *bar = Some(match style {
                Ok(style) => new.with_style(style.progress_chars("=> ")),
                Err(_) => new,
            });
        });
    }

    fn step(&self, _phase: Phase, what: &str) {
        let what = crate::error::visible_line(what);
        self.with_bar(|bar| {
            if let Some(bar) = bar {
                bar.set_message(what);
                bar.inc(1);
            }
        });
    }

    fn end(&self, phase: Phase, took: Duration) {
        self.with_bar(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
        self.terminal.detail(&format!("{}: {:.2} s", name(phase), took.as_secs_f64()));
    }
}
