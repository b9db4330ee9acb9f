//! What an apply has done, as it says it: a line for each person, then the sum.

use std::time::Duration;

use super::terminal::Terminal;
use crate::apply::{ClusterOutcome, Outcome, Published};
use crate::plan::people::CLOCKS_DIFFER;
use crate::plan::{ClusterPlan, CredentialAction, Plan, Verb};
use crate::render::text::date;
use crate::render::{colour, count};

pub fn print(plan: &Plan, outcome: &Outcome, terminal: &Terminal, took: Duration) {
    for (cluster, done) in plan.clusters.iter().zip(&outcome.clusters) {
        people(cluster, done, outcome.published.is_ok(), terminal);
    }
    let failed = outcome.clusters.iter().any(|cluster| !cluster.errors.is_empty());
    let seconds = took.as_secs_f64();
    if plan.is_empty() && !failed && matches!(outcome.published, Ok(Published::Nothing)) {
        terminal.say(&format!("Nothing to do: the clusters are as the roster says ({seconds:.1} s)."));
        return;
    }
    let mut sums: Vec<String> = plan
        .clusters
        .iter()
        .zip(&outcome.clusters)
        .map(|(cluster, done)| (&cluster.name, sum(cluster, done, terminal)))
        .map(|(name, sum)| if plan.clusters.len() > 1 { format!("{name}: {sum}") } else { sum })
        .collect();
    let records = records(outcome, terminal);
    if sums.len() > 1 {
        for line in sums.drain(..) {
            terminal.say(&format!("  {line}"));
        }
    }
    sums.push(records);
    terminal.say(&format!("Done in {seconds:.1} s: {}.", sums.join(", ")));
}

fn people(cluster: &ClusterPlan, done: &ClusterOutcome, bound: bool, terminal: &Terminal) {
    let style = terminal.talk_style();
    let name = &cluster.name;
    let mut cut_off = false;
    for action in &cluster.people {
        let user = &action.user;
        if matches!(action.verb, Verb::Revoke | Verb::Rotate) {
            cut_off = true;
            let line = format!("- {user} on {name}: {}", what_is_left(action, done));
            terminal.say(&style.paint(colour::REMOVE, &line));
        }
        let Some(new) = done.issued.get(user).map(|issued| &issued.credential) else { continue };
        let unbound = if bound { "" } else { " (not bound, because it is not recorded)" };
        let line = format!("+ {user} on {name}: {} until {}{unbound}", new.id, date(new.not_after));
        terminal.say(&style.paint(colour::ADD, &line));
        if new.not_after > action.not_after + CLOCKS_DIFFER {
            let line = format!(
                "! {user} on {name}: the signer gave more time than was asked for (until {}); set `until`, or ask who signs there",
                date(action.not_after)
            );
            terminal.say(&style.paint(colour::WARN, &line));
        }
    }
    if cut_off {
        terminal.say(&format!(
            "  On {name}, watches, logs, execs and port-forwards that were open go on until the API server ends them \
             (a watch after 30 to 60 minutes by default)."
        ));
    }
}

/// What a credential that was cut off may still do, and until when.
fn what_is_left(action: &CredentialAction, done: &ClusterOutcome) -> String {
    let id = action.credential.as_ref().map_or("", |id| id.as_str());
    if done.not_cut_off.contains(&action.user) {
        return format!(
            "{id} is NOT CUT OFF yet, because a binding could not be written; run `certctl apply` again"
        );
    }
    let until = date(action.old_until());
    match action.remains {
        0 => format!(
            "{id} authenticates until {until}, with nothing left but what system:authenticated may do"
        ),
        remains => format!(
            "{id} authenticates until {until}, and KEEPS ACCESS through {} of others",
            count(remains, "binding")
        ),
    }
}

/// `3 credentials issued, 1 credential revoked, 2 bindings written`.
fn sum(cluster: &ClusterPlan, done: &ClusterOutcome, terminal: &Terminal) -> String {
    let revoked =
        cluster.people.iter().filter(|a| a.verb == Verb::Revoke && !done.not_cut_off.contains(&a.user));
    let parts = [
        (done.issued.len(), "credential", "issued"),
        (revoked.count(), "credential", "revoked"),
        (done.bindings.len(), "binding", "written"),
    ];
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, noun, what)| format!("{} {what}", count(*number, noun)))
        .collect();
    if !done.errors.is_empty() {
        parts.push(terminal.talk_style().paint(colour::REMOVE, &format!("{} FAILED", done.errors.len())));
    }
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

fn records(outcome: &Outcome, terminal: &Terminal) -> String {
    match &outcome.published {
        Ok(Published::Nothing) => "the records stay as they are".to_owned(),
        Ok(Published::Kept(Some(commit))) => format!("records committed as {commit:.12}, not pushed"),
        Ok(Published::Kept(None)) => "nothing to commit".to_owned(),
        Ok(Published::Pushed(pushed)) => {
            if let Some(note) = &pushed.note {
                terminal.say(note);
            }
            format!("records pushed as {:.12}", pushed.commit.to_string())
        }
        Err(_) => "the records were NOT published, so nothing new was bound".to_owned(),
    }
}
