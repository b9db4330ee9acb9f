//! How far an apply is: bars on a terminal, elsewhere a line for each phase and how long it took. A
//! phase that takes minutes prints a line now and then, because CI hosts end silent jobs.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::Terminal;
use crate::apply::{Phase, Progress};
use crate::render::count;

pub struct Reporter<'a> {
    terminal: &'a Terminal,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// On a terminal.
    bar: Option<ProgressBar>,
    steps: usize,
    done: usize,
    failed: usize,
    /// When something was last said of this phase.
    said: Option<Instant>,
}

/// How often a bar is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// How long a phase may be silent.
const SILENCE: Duration = Duration::from_secs(30);

impl<'a> Reporter<'a> {
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, state: Mutex::default() }
    }

    fn ended(&self, phase: Phase, what: &str, failed: bool) {
        let mut state = self.state();
        *(if failed { &mut state.failed } else { &mut state.done }) += 1;
        let failed = if state.failed > 0 { format!(", {} failed", state.failed) } else { String::new() };
        if let Some(bar) = &state.bar {
            bar.set_message(format!("{}{failed}", crate::error::visible_line(what)));
            bar.inc(1);
        } else if state.said.is_some_and(|said| said.elapsed() > SILENCE) {
            state.said = Some(Instant::now());
            self.terminal.say(&format!("{}: {} so far{failed}", work(phase, state.steps), state.done));
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves it as it was: nothing depends on it.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `Issuing 14 credentials`.
fn work(phase: Phase, steps: usize) -> String {
    match phase {
        Phase::Record => "Recording".to_owned(),
        Phase::Issue => format!("Issuing {}", count(steps, "credential")),
        Phase::Revoke | Phase::Grant => format!("{} {}", name(phase), count(steps, "binding")),
    }
}

/// What a phase waits for before its first step.
fn waiting(phase: Phase) -> &'static str {
    match phase {
        Phase::Issue => "waiting for the signer",
        Phase::Revoke | Phase::Record | Phase::Grant => "",
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
        let bar = self.terminal.draws().then(|| {
            let new = ProgressBar::new(steps as u64).with_prefix(name(phase));
            match ProgressStyle::with_template("{prefix:>10} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}") {
                Ok(style) => new.with_style(style.progress_chars("=> ")),
                Err(_) => new,
            }
        });
        if let Some(bar) = &bar {
            // Drawn at once and again and again: the first step may take as long as the signer does.
            bar.set_message(waiting(phase));
            bar.tick();
            bar.enable_steady_tick(TICK);
        }
        *self.state() = State { bar, steps, said: Some(Instant::now()), ..State::default() };
    }

    fn step(&self, phase: Phase, what: &str) {
        self.ended(phase, what, false);
    }

    fn failed(&self, phase: Phase, what: &str) {
        self.ended(phase, what, true);
    }

    fn end(&self, phase: Phase, took: Duration) {
        let state = std::mem::take(&mut *self.state());
        let line = format!("{}: {:.2} s", work(phase, state.steps), took.as_secs_f64());
        match state.bar {
            Some(bar) => {
                bar.finish_and_clear();
                self.terminal.detail(&line);
            }
            None => self.terminal.say(&line),
        }
    }
}
