//! The report of an apply: a line for each person, then the failures, then the total in
//! one sentence; and the same as JSON. It holds no secret: none of the types it is made of can.

pub mod document;
mod people;
mod sentence;

use std::time::Duration;

use crate::apply::{ClusterOutcome, Outcome, Published};
use crate::cli::ApplyFormat;
use crate::console::terminal::Terminal;
use crate::error::{Error, ErrorKind, Result};
use crate::exit_code::{DONE, FAILED, USAGE};
use crate::plan::{ClusterChanges, Plan};
use crate::repo::PushTarget;

/// All that is known of an apply, however far it came.
#[derive(Default)]
pub struct Report {
    /// What was to be done, and its digest; `None` where it ended before that was known.
    pub plan: Option<(Plan, String)>,
    /// What was done; `None` where nothing was.
    pub outcome: Option<Outcome>,
    /// Where the records were to go; `None` with `--no-push`.
    pub push: Option<PushTarget>,
    /// What failed outside of what was done.
    pub errors: Vec<Error>,
    /// What was held back, and why.
    pub held: Vec<Error>,
    /// Whose revocation waits to be acknowledged.
    pub withheld: Option<Error>,
    /// Whether the answer was no.
    declined: bool,
    /// Whether a signal came, whatever was done by then.
    pub interrupted: bool,
    /// From the start of the program.
    pub took: Duration,
}

/// How an apply ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The clusters and the records were as the roster says.
    NothingToDo,
    /// All of it was done, or waits for a pull request to be merged.
    Done,
    /// Some of it was done; the next apply does the rest.
    PartlyFailed,
    /// Nothing was changed.
    Failed,
    /// A signal ended it early; what had begun was finished.
    Interrupted,
    /// The answer to the question was no; nothing was changed.
    Declined,
}

/// What was planned on each cluster, with what was done there.
fn planned_and_done<'a>(
    plan: &'a Plan,
    outcome: &'a Outcome,
) -> impl Iterator<Item = (&'a ClusterChanges, &'a ClusterOutcome)> {
    plan.clusters.iter().filter_map(|cluster| Some((cluster, done_on(cluster, outcome)?)))
}

fn done_on<'a>(cluster: &ClusterChanges, outcome: &'a Outcome) -> Option<&'a ClusterOutcome> {
    outcome.clusters.iter().find(|done| done.name == cluster.name)
}

impl Report {
    /// Says and prints all of it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn finish(self, format: ApplyFormat, terminal: &Terminal) -> Result<u8> {
        if let (Some((plan, _)), Some(outcome)) = (&self.plan, &self.outcome) {
            let proposes = self.push.as_ref().is_some_and(PushTarget::proposes);
            people::print(plan, outcome, proposes, terminal);
        }
        let clusters = self.outcome.iter().flat_map(|outcome| &outcome.clusters);
        for (name, warning) in
            clusters.flat_map(|done| done.warnings.iter().map(move |one| (&done.name, one)))
        {
            terminal.say(&format!("Warning: cluster {name}: {}", document::in_one_line(warning)));
        }
        self.all_errors().for_each(|error| terminal.error(error));
        // A usage error is complete as it is.
        if self.code() != USAGE {
            terminal.say(&sentence::styled(&self, terminal.talk_style()));
        }
        if format == ApplyFormat::Json {
            terminal.print(document::text(&self).as_bytes())?;
        }
        Ok(self.code())
    }

    /// The answer was no: what would not have been done either is no failure then.
    pub fn decline(&mut self) {
        self.declined = true;
        self.held.clear();
        self.withheld = None;
    }

    fn all_errors(&self) -> impl Iterator<Item = &Error> {
        self.errors
            .iter()
            .chain(&self.held)
            .chain(&self.withheld)
            .chain(self.outcome.iter().flat_map(Outcome::errors))
    }

    fn code(&self) -> u8 {
        match self.ending() {
            Ending::NothingToDo | Ending::Done | Ending::Declined => DONE,
            _ if self.all_errors().any(|error| error.kind() == ErrorKind::Usage) => USAGE,
            Ending::PartlyFailed | Ending::Failed | Ending::Interrupted => FAILED,
        }
    }

    fn ending(&self) -> Ending {
        let failed = self.all_errors().next().is_some();
        if self.interrupted || self.outcome.as_ref().is_some_and(|outcome| outcome.interrupted) {
            Ending::Interrupted
        } else if self.declined && !failed {
            Ending::Declined
        } else if failed && self.changed_something() {
            Ending::PartlyFailed
        } else if failed {
            Ending::Failed
        } else if self.changed_something() || self.waits() {
            Ending::Done
        } else {
            Ending::NothingToDo
        }
    }

    /// Whether all was done but for what is held back.
    fn only_held(&self) -> bool {
        self.errors.is_empty()
            && self.outcome.as_ref().is_none_or(|outcome| outcome.errors().next().is_none())
    }

    /// Whether anything is other than it was, on a cluster or in the records.
    fn changed_something(&self) -> bool {
        let Some(outcome) = &self.outcome else { return false };
        let recorded = !matches!(outcome.published, Ok(Published::Nothing | Published::Waits(_)) | Err(_));
        recorded || outcome.clusters.iter().any(|c| !c.issued.is_empty() || !c.bindings.is_empty())
    }

    /// Whether an earlier proposal blocks something.
    fn waits(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| matches!(outcome.published, Ok(Published::Waits(_))))
    }
}
