//! Checks and what came of them, one line each: what `doctor` and `bootstrap --check` tell.
//!
//! Nothing is repaired here, and nothing is changed.

pub mod cluster;
pub mod rbac;
pub mod repository;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Format;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::{DONE, FAILED};
use crate::model::ClusterName;
use crate::render::json;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckArea {
    /// The repository: its commits and its remote.
    Git,
    /// The roster and the records.
    Roster,
    /// Keys and age plugins on this machine.
    Seal,
    /// A cluster.
    Cluster,
    /// What certctl's own identities are granted there.
    Rbac,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    Ok,
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Check {
    /// What it is about.
    pub area: CheckArea,
    /// The cluster that it was made on; null where there is none.
    pub cluster: Option<String>,
    /// Its name, the same in each run.
    pub check: String,
    /// What came of it.
    pub result: CheckResult,
    /// What was found.
    pub message: String,
    /// What fixes it; null where nothing has to be fixed.
    pub hint: Option<String>,
}

/// What `certctl doctor --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChecksDocument {
    /// 1. It rises when a field changes its meaning or goes; new fields may come at any time.
    pub format_version: u32,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

/// The JSON Schema of [`ChecksDocument`].
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(ChecksDocument)).unwrap_or_default() + "\n"
}

/// The checks so far.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    pub fn ok(
        &mut self,
        area: CheckArea,
        cluster: Option<&ClusterName>,
        check: &str,
        found: impl Into<String>,
    ) {
        self.add(area, cluster, check, CheckResult::Ok, found.into(), None);
    }

    /// Something that works less well than it could, or could not be found out.
    pub fn warn(&mut self, area: CheckArea, cluster: Option<&ClusterName>, check: &str, error: &Error) {
        self.tell(area, cluster, check, CheckResult::Warning, error);
    }

    pub fn fail(&mut self, area: CheckArea, cluster: Option<&ClusterName>, check: &str, error: &Error) {
        self.tell(area, cluster, check, CheckResult::Failed, error);
    }

    /// What was found, or why it failed.
    pub fn judge(
        &mut self,
        area: CheckArea,
        cluster: Option<&ClusterName>,
        check: &str,
        result: Result<impl Into<String>>,
    ) -> bool {
        match result {
            Ok(found) => self.ok(area, cluster, check, found),
            Err(error) => {
                self.fail(area, cluster, check, &error);
                return false;
            }
        }
        true
    }

    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Each error that was reported together is a check of its own.
    fn tell(
        &mut self,
        area: CheckArea,
        cluster: Option<&ClusterName>,
        check: &str,
        result: CheckResult,
        error: &Error,
    ) {
        for error in error.each() {
            let facts: Vec<String> = [error.message().to_owned()].into_iter().chain(error.causes()).collect();
            let hint = (!error.hints().is_empty()).then(|| error.hints().join("; "));
            self.add(area, cluster, check, result, facts.join(": "), hint);
        }
    }

    fn add(
        &mut self,
        area: CheckArea,
        cluster: Option<&ClusterName>,
        check: &str,
        result: CheckResult,
        message: String,
        hint: Option<String>,
    ) {
        let cluster = cluster.map(ToString::to_string);
        let (message, hint) = (visible_line(&message), hint.map(|hint| visible_line(&hint)));
        self.0.push(Check { area, cluster, check: check.to_owned(), result, message, hint });
    }

    fn count(&self, result: CheckResult) -> usize {
        self.0.iter().filter(|check| check.result == result).count()
    }

    /// Prints them; the exit code.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn finish(self, format: Format, terminal: &Terminal) -> Result<u8> {
        let failed = self.count(CheckResult::Failed);
        match format {
            Format::Text => terminal.show(&self.text(terminal.style().coloured))?,
            Format::Json => {
                terminal.show(&json::text(&ChecksDocument { format_version: 1, checks: self.0 }))?;
            }
        }
        Ok(if failed == 0 { DONE } else { FAILED })
    }

    fn text(&self, coloured: bool) -> String {
        let place = |check: &Check| match (&check.cluster, check.area) {
            (Some(cluster), _) => cluster.clone(),
            (None, CheckArea::Git) => "git".to_owned(),
            (None, CheckArea::Roster) => "roster".to_owned(),
            (None, _) => "this machine".to_owned(),
        };
        let width = self.0.iter().map(|check| place(check).chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for check in &self.0 {
            let (word, colour) = match check.result {
                CheckResult::Ok => ("ok", "\x1b[32m"),
                CheckResult::Warning => ("warning", "\x1b[1;33m"),
                CheckResult::Failed => ("failed", "\x1b[1;31m"),
            };
            let (colour, reset) = if coloured { (colour, "\x1b[0m") } else { ("", "") };
            let Check { check: name, message, hint, .. } = check;
            let said = if message.is_empty() { name.clone() } else { format!("{name}: {message}") };
            text += &format!("{colour}{word:<7}{reset}  {:<width$}  {said}\n", place(check));
            if let Some(hint) = hint {
                text += &format!("         {:<width$}  Hint: {hint}\n", "");
            }
        }
        let (failed, warnings) = (self.count(CheckResult::Failed), self.count(CheckResult::Warning));
        text + &match (failed, warnings) {
            (0, 0) => format!("\n{} checks, and nothing to fix.\n", self.0.len()),
            _ => format!("\n{} checks: {failed} failed, {warnings} to look at.\n", self.0.len()),
        }
    }
}
