//! Tries many cases, several at once, and closes with a table of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::table::Table;

/// The outcome of one case.
pub enum End {
    Converged,
    /// The moment never came, so the case proves nothing: the run's output.
    NeverCame(String),
}

/// One case: its place in the table, and how it is run.
pub trait Case: Send {
    fn row(&self) -> &'static str;
    fn column(&self) -> &'static str;
    /// For the report of a failure.
    fn name(&self) -> String;
    /// Whether its moment may not come: it cannot be predicted.
    fn may_not_come(&self) -> bool;
    /// # Errors
    /// A check failed.
    fn try_it(&self) -> Result<End, String>;
}

/// Tries all, `at_once` of them at a time, shows the table with a note and leaves it in
/// `target/tmp/<file>.txt`. Three of four workers begin with the first case, the others with the last, so
/// that the processors have something to do where the first ones mostly wait. `FAULTS_ONLY` names some of
/// them by a part of their names.
pub fn try_all<C: Case>(
    cases: impl IntoIterator<Item = C>,
    at_once: usize,
    file: &str,
    title: &str,
    note: &str,
) {
    let only = std::env::var("FAULTS_ONLY").unwrap_or_default();
    let cases: VecDeque<C> = cases.into_iter().filter(|case| case.name().contains(&only)).collect();
    let table = Table::with_rows(cases.iter().map(Case::row), cases.iter().map(Case::column));
    let cases = Mutex::new(cases);
    let (table, failures) = (Mutex::new(table), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for worker in 0..at_once {
            let (cases, table, failures) = (&cases, &table, &failures);
            scope.spawn(move || {
                loop {
                    let next = if worker % 4 == 3 { lock(cases).pop_back() } else { lock(cases).pop_front() };
                    let Some(case) = next else { return };
                    let tried = match case.try_it() {
                        Ok(End::NeverCame(said)) if !case.may_not_come() => {
                            Err(format!("its moment never came:\n{said}"))
                        }
                        tried => tried,
                    };
                    match tried {
                        Ok(End::NeverCame(_)) => {}
                        Ok(End::Converged) => lock(table).count(case.row(), case.column(), true),
                        Err(why) => {
                            lock(table).count(case.row(), case.column(), false);
                            // Also printed at once: the whole takes minutes.
                            eprintln!("{} did not converge", case.name());
                            lock(failures).push(format!("{}: {why}", case.name()));
                        }
                    }
                }
            });
        }
    });
    lock(&table).close(file, title, note);
    let mut failures = lock(&failures);
    if only.is_empty() {
        failures.extend(lock(&table).empty_rows().map(|row| format!("{row}: its moment came in no run")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
