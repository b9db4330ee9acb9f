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
use crate::render::{first_of, json};
use crate::rights::Right;

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
    /// The right that it is about. There are many: in text, those of which the same is to be said are one line.
    #[serde(skip)]
    right: Option<String>,
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

/// How many rights are named in one line.
const RIGHTS_NAMED: usize = 3;

/// What came of a check, or of several of which the same is to be said, as a person reads it.
struct Line<'c> {
    check: &'c Check,
    /// The rights that it is about.
    rights: Vec<&'c str>,
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

    /// Whether certctl has a right that it needs; `error` says what is the matter.
    pub fn right(
        &mut self,
        cluster: &ClusterName,
        right: &Right,
        result: CheckResult,
        error: Option<&Error>,
    ) {
        let first = self.0.len();
        let check = format!("right to {right}");
        match error {
            None => self.add(CheckArea::Cluster, Some(cluster), &check, result, String::new(), None),
            Some(error) => self.tell(CheckArea::Cluster, Some(cluster), &check, result, error),
        }
        self.0[first..].iter_mut().for_each(|check| check.right = Some(right.to_string()));
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
        self.0.push(Check { area, cluster, check: check.to_owned(), result, message, hint, right: None });
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
        let lines = self.lines();
        let mut text = String::new();
        for (index, Line { check, rights }) in lines.iter().enumerate() {
            let (word, colour) = match check.result {
                CheckResult::Ok => ("ok", "\x1b[32m"),
                CheckResult::Warning => ("warning", "\x1b[1;33m"),
                CheckResult::Failed => ("failed", "\x1b[1;31m"),
            };
            let (colour, reset) = if coloured { (colour, "\x1b[0m") } else { ("", "") };
            let Check { check: name, message, hint, .. } = check;
            let name = if rights.is_empty() { name.clone() } else { self.rights(check, rights) };
            let said = if message.is_empty() { name } else { format!("{name}: {message}") };
            text += &format!("{colour}{word:<7}{reset}  {:<width$}  {said}\n", place(check));
            // What fixes several is said once, after the last.
            let is_said_below = lines.get(index + 1).is_some_and(|next| next.check.hint == *hint);
            if let Some(hint) = hint.as_ref().filter(|_| !is_said_below) {
                text += &format!("         {:<width$}  Hint: {hint}\n", "");
            }
        }
        let (failed, warnings) = (self.count(CheckResult::Failed), self.count(CheckResult::Warning));
        text + &match (failed, warnings) {
            (0, 0) => format!("\n{} checks, and nothing to fix.\n", self.0.len()),
            _ => format!("\n{} checks: {failed} failed, {warnings} to look at.\n", self.0.len()),
        }
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        let same = |a: &Check, b: &Check| {
            a.cluster == b.cluster && a.result == b.result && a.message == b.message && a.hint == b.hint
        };
        for check in &self.0 {
            let Some(right) = check.right.as_deref() else {
                lines.push(Line { check, rights: Vec::new() });
                continue;
            };
            match lines.iter_mut().find(|line| line.check.right.is_some() && same(line.check, check)) {
                Some(line) => line.rights.push(right),
                None => lines.push(Line { check, rights: vec![right] }),
            }
        }
        lines
    }

    /// `rights: 30 of 31`, or which ones where something is the matter with them.
    fn rights(&self, of: &Check, rights: &[&str]) -> String {
        if of.result != CheckResult::Ok {
            return format!("right to {}", first_of(rights, RIGHTS_NAMED));
        }
        let all = self.0.iter().filter(|check| check.right.is_some() && check.cluster == of.cluster).count();
        match rights.len() {
            number if number == all => format!("rights: all {all} that are needed"),
            number => format!("rights: {number} of {all} that are needed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::needed;

    #[test]
    fn rights_of_which_the_same_is_to_be_said_are_one_line() {
        let cluster = "prod".parse().expect("a name");
        let roster = "acme".parse().expect("a name");
        let needed = needed::to_plan(&roster);
        let mut checks = Checks::default();
        checks.ok(CheckArea::Cluster, Some(&cluster), "clock", "");
        for needed in &needed {
            checks.right(&cluster, &needed.right, CheckResult::Ok, None);
        }
        assert_eq!(
            checks.text(false),
            "ok       prod  clock\nok       prod  rights: all 8 that are needed\n\n9 checks, and nothing to fix.\n"
        );
        let mut checks = Checks::default();
        let missing =
            Error::new("missing: nothing can be planned without it").hint("see `certctl bootstrap`");
        let other = Error::new("missing: two applies are kept apart by it").hint("see `certctl bootstrap`");
        for (index, needed) in needed.iter().enumerate() {
            let (result, error) = match index {
                0 => (CheckResult::Ok, None),
                7 => (CheckResult::Warning, Some(&other)),
                _ => (CheckResult::Failed, Some(&missing)),
            };
            checks.right(&cluster, &needed.right, result, error);
        }
        let text = checks.text(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok       prod  rights: 1 of 8 that are needed");
        assert!(lines[1].starts_with("failed   prod  right to list clusterroles"), "{text}");
        assert!(lines[1].ends_with(" and 3 more: missing: nothing can be planned without it"), "{text}");
        assert!(lines[2].starts_with("warning  prod  right to get configmaps"), "{text}");
        assert_eq!(lines[3], "               Hint: see `certctl bootstrap`");
        assert_eq!(lines[5..], ["8 checks: 6 failed, 1 to look at."]);
    }
}
