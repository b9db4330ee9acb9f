//! What a program said and how it ended.

use std::process::{Command, Output};

/// A program that has ended. Nothing is known of it until [`Ran::expect`] has looked at its exit code.
#[derive(Clone, Debug)]
#[must_use = "a program that failed goes unnoticed"]
pub struct Ran {
    /// Its exit code, `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// What a program said that ended as expected.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs it to its end.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap_or_else(|why| panic!("{command:?} does not start: {why}")))
    }

    /// # Panics
    /// It has ended in another way.
    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        Said { stdout: self.stdout, stderr: self.stderr }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// # Panics
    /// The text is on neither output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "`{text}` was not said\nstdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}
