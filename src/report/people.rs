//! A line for each person whom an apply was about, and for each cluster where there are several.

use super::{planned_and_done, sentence};
use crate::apply::{ClusterOutcome, Outcome, Published};
use crate::console::terminal::Terminal;
use crate::model::Holder;
use crate::plan::action::CutOff;
use crate::plan::credentials::CLOCKS_DIFFER;
use crate::plan::{ClusterChanges, Plan};
use crate::render::text::date;
use crate::render::{colour, count};

/// `proposes`: whether the records were to go to a branch of their own, so that no commit is kept here.
pub fn print(plan: &Plan, outcome: &Outcome, proposes: bool, terminal: &Terminal) {
    for (cluster, done) in planned_and_done(plan, outcome) {
        people(cluster, done, outcome, terminal);
    }
    if outcome.published.is_err() && outcome.clusters.iter().any(|cluster| !cluster.issued.is_empty()) {
        let next = if proposes {
            "The next apply issues anew"
        } else {
            "The next apply from this clone pushes the records and binds it; from another clone, as in CI, it issues anew"
        };
        terminal.say(&format!("  What was issued has no rights. {next}."));
    }
    if plan.clusters.len() > 1 && !plan.is_empty() {
        for (cluster, done) in planned_and_done(plan, outcome) {
            let sum = sentence::done([(cluster, done)].into_iter());
            let sum = if sum.is_empty() { "nothing to do".to_owned() } else { sum.join(", ") };
            terminal.say(&format!("  {}: {sum}", cluster.name));
        }
    }
    let note = match &outcome.published {
        Ok(Published::Kept(commit)) => commit.note.as_deref(),
        Ok(Published::Pushed(pushed)) => pushed.note.as_deref(),
        _ => None,
    };
    note.into_iter().for_each(|note| terminal.say(note));
}

fn people(cluster: &ClusterChanges, done: &ClusterOutcome, outcome: &Outcome, terminal: &Terminal) {
    let style = terminal.talk_style();
    let name = &cluster.name;
    let mut cut_off = false;
    for action in &cluster.people {
        let user = action.user();
        if let Some(gone) = action.cut_off() {
            cut_off = true;
            let failed = done.not_cut_off.contains(&Holder::of(user));
            let line = format!("- {user} on {name}: {}", what_is_left(gone, failed));
            terminal.say(&style.paint(colour::REMOVE, &line));
        }
        // Who is rotated may have a superseded one that is revoked besides.
        let Some(asked) = action.new_credential() else { continue };
        let Some(new) = done.issued.get(user).map(|issued| &issued.credential) else {
            if outcome.held_up {
                let line =
                    format!("~ {user} on {name}: not issued yet, because earlier records wait to be merged");
                terminal.say(&style.paint(colour::CHANGE, &line));
            }
            continue;
        };
        let unbound = match &outcome.published {
            Ok(Published::Proposed(_)) => " (bound once its record is merged)",
            Err(_) => " (not bound, because it is not recorded)",
            Ok(_) if done.not_bound.contains(&Holder::of(user)) => " (NOT BOUND everywhere yet)",
            Ok(_) => "",
        };
        let line = format!("+ {user} on {name}: {} until {}{unbound}", new.id, date(new.not_after));
        terminal.say(&style.paint(colour::ADD, &line));
        if new.not_after > asked.not_after + CLOCKS_DIFFER {
            let line = format!(
                "! {user} on {name}: the signer gave more time than was asked for (until {}); set `until`, or ask who signs there",
                date(asked.not_after)
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
fn what_is_left(gone: &CutOff, is_still_bound: bool) -> String {
    let id = &gone.credential;
    if is_still_bound {
        return format!(
            "{id} is NOT CUT OFF yet, because a binding still names it; run `certctl apply` again"
        );
    }
    let until = date(gone.not_after);
    match gone.residual_access {
        None | Some(0) => format!(
            "{id} authenticates until {until}, with nothing left but what system:authenticated may do"
        ),
        Some(bindings) => format!(
            "{id} authenticates until {until}, and KEEPS ACCESS through {} of others",
            count(bindings, "binding")
        ),
    }
}
