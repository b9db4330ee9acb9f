//! Tries many cases, several at once, and closes with a table of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::table::Table;

/// What came of one case.
pub enum End {
    Converged,
    /// The moment never came, so the case says nothing.
    NeverCame,
}

/// One case: where it stands in the table, and how it is tried.
pub trait Case: Send {
    fn row(&self) -> &'static str;
    fn column(&self) -> &'static str;
    /// For the report of a failure.
    fn name(&self) -> String;
    /// # Errors
    /// Something did not hold.
    fn try_it(&self) -> Result<End, String>;
}

/// Tries all, `at_once` of them at a time, shows the table and leaves it in `target/tmp/<file>.txt`.
pub fn try_all<C: Case>(cases: impl IntoIterator<Item = C>, at_once: usize, file: &str, title: &str) {
    let cases: Mutex<VecDeque<C>> = Mutex::new(cases.into_iter().collect());
    let (table, failures) = (Mutex::new(Table::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = lock(&cases).pop_front();
                    let Some(case) = next else { return };
                    match case.try_it() {
                        Ok(End::NeverCame) => {}
                        Ok(End::Converged) => lock(&table).count(case.row(), case.column(), true),
                        Err(why) => {
                            lock(&table).count(case.row(), case.column(), false);
                            // Told at once too: the whole takes minutes.
                            eprintln!("{} did not converge", case.name());
                            lock(&failures).push(format!("{}: {why}", case.name()));
                        }
                    }
                }
            });
        }
    });
    lock(&table).close(file, title);
    let failures = lock(&failures);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
