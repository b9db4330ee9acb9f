//! The last line of an apply: what happened, in one sentence, however it ended.

use super::{Ending, Report, planned_and_done};
use crate::apply::{ClusterOutcome, Published};
use crate::model::Holder;
use crate::plan::{ClusterChanges, Verb};
use crate::render::{Style, colour, count, text};

/// For a terminal: a result that needs attention is highlighted.
pub fn styled(report: &Report, style: Style) -> String {
    let text = sentence(report);
    match report.ending() {
        Ending::NothingToDo | Ending::Done | Ending::Declined => text,
        Ending::PartlyFailed | Ending::Failed | Ending::Interrupted => style.paint(colour::REMOVE, &text),
    }
}

/// `Done in 3.2 s: 3 credentials issued, 2 bindings written, pushed as 0123456789ab.`
pub fn sentence(report: &Report) -> String {
    let seconds = report.took.as_secs_f64();
    let ending = report.ending();
    let began = match ending {
        Ending::NothingToDo => {
            let nothing = report.plan.as_ref().map(|(plan, _)| text::nothing(plan));
            let nothing = nothing.unwrap_or_else(|| "Nothing to do.".to_owned());
            return format!("{} ({seconds:.1} s).", nothing.trim_end_matches('.'));
        }
        Ending::Declined => return "Not applied; nothing was changed.".to_owned(),
        Ending::Done => "Done in",
        Ending::PartlyFailed => "Partly failed after",
        Ending::Failed => "Failed after",
        Ending::Interrupted => "Interrupted after",
    };
    let mut parts = Vec::new();
    if let (Some((plan, _)), Some(outcome)) = (&report.plan, &report.outcome) {
        parts = done(planned_and_done(plan, outcome));
    }
    if report.outcome.is_some() && !report.errors.is_empty() {
        parts.push(format!("{} failed earlier", report.errors.len()));
    }
    let unpublished = report.outcome.as_ref().is_some_and(|outcome| outcome.published.is_err());
    let held = report.plan.as_ref().map_or(0, |(plan, _)| plan.summary().held);
    if held > 0 {
        parts.push(format!("{held} held back"));
    }
    if ending != Ending::Done && !report.changed_something() && !unpublished {
        parts.push("nothing was changed".to_owned());
    } else {
        parts.push(records(report));
    }
    let again = match (&report.outcome, ending) {
        (Some(_), Ending::PartlyFailed | Ending::Failed) if unpublished => {
            "; run `certctl apply` again once they can be"
        }
        (Some(_), Ending::PartlyFailed) if report.only_held() => "; the rest once that is fixed",
        (Some(_), Ending::PartlyFailed | Ending::Interrupted) => "; run `certctl apply` again for the rest",
        _ => "",
    };
    format!("{began} {seconds:.1} s: {}{again}.", parts.join(", "))
}

/// `3 credentials issued, 1 credential revoked, 2 bindings written, 1 FAILED`; nothing for nothing.
pub fn done<'a>(clusters: impl Iterator<Item = (&'a ClusterChanges, &'a ClusterOutcome)>) -> Vec<String> {
    let (mut issued, mut revoked, mut written, mut failed) = (0, 0, 0, 0);
    for (plan, done) in clusters {
        let gone = |a: &&crate::plan::CredentialAction| {
            a.verb() == Verb::Revoke && !done.not_cut_off.contains(&Holder::of(a.user()))
        };
        issued += done.issued.len();
        revoked += plan.people.iter().filter(gone).count();
        written += done.bindings.len();
        failed += done.failures.len();
    }
    let parts = [
        (issued, count(issued, "credential") + " issued"),
        (revoked, count(revoked, "credential") + " revoked"),
        (written, count(written, "binding") + " written"),
        (failed, format!("{failed} FAILED")),
    ];
    parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect()
}

/// What became of the records, and with them of what was issued.
fn records(report: &Report) -> String {
    let Some(outcome) = &report.outcome else { return "nothing was changed".to_owned() };
    let branch = report.push.as_ref().map_or("", |target| target.branch());
    let page = |page: &Option<String>| page.as_ref().map_or(String::new(), |page| format!(" ({page})"));
    match &outcome.published {
        Ok(Published::Nothing) => "the records stay as they are".to_owned(),
        Ok(Published::Kept(commit)) => {
            format!("records committed as {:.12}, not pushed", commit.id.to_string())
        }
        Ok(Published::Pushed(pushed)) => format!("pushed as {:.12}", pushed.commit.to_string()),
        Ok(Published::Proposed(pushed)) => format!(
            "pushed to {branch} as {:.12}, to be merged before the next apply binds what is new{}",
            pushed.commit.to_string(),
            page(&pushed.page)
        ),
        Ok(Published::Waits(merge)) => {
            format!("nothing was issued, because {branch} waits to be merged{}", page(merge))
        }
        Err(_) => "nothing was published, so nothing new was bound".to_owned(),
    }
}
