//! A plan as a comment on a pull request: understood in ten seconds, never too long, and whatever the
//! roster holds, it stays text.
//!
//! What endangers people comes first: errors, changed recipients, groups in certificates, warnings.
//! Then, by cluster, who gets or loses access; bindings, renewals and left-overs are folded away. What
//! does not fit is cut from that end, and counted.

mod cut;
mod notes;
mod value;

use std::fmt::Write as _;

use jiff::Timestamp;

use super::access_changes::{self, AccessChange};
use super::text::{self, date, span};
use super::{count, grouped, noun, words};
use crate::error::Error;
use crate::model::ClusterName;
use crate::plan::action::CutOff;
use crate::plan::binding_diff::{BindingDiff, BindingVerb};
use crate::plan::{ClusterChanges, CredentialAction, Plan, Verb};
use crate::record_folder::RecordFolder;
use cut::{Rank, Section};
pub use value::{code, prose};

/// The longest comment in bytes. GitHub takes 65,536 characters; the rest is for whoever posts it, such
/// as a mark that finds the comment again.
pub const LONGEST_COMMENT: usize = 64_000;

/// What stands around what is said of missing lines of a list.
const LINE: (&str, &str) = ("- ", "\n");

/// Rows of a cluster's table that stand open.
const MOST_PEOPLE: usize = 50;

/// Lines of one binding's diff.
const MOST_CHANGES: usize = 50;

/// What is said of a plan besides the plan itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanStatus<'a> {
    /// Its digest: that of the whole plan, where it is compared with a base.
    pub digest: &'a str,
    /// What failed; then the plan does not hold everything.
    pub failed: Option<&'a Error>,
    /// What apply would not do until it is acknowledged.
    pub withheld: Option<&'a Error>,
    /// What the path of a record is put behind to get the page of its history, where the git host has one.
    pub history: Option<&'a str>,
}

/// The plan, at most `limit` bytes long.
pub fn render(plan: &Plan, status: PlanStatus<'_>, limit: usize) -> String {
    let online = !plan.is_offline();
    let mut top = format!("### certctl: {}\n", title(plan, status.failed));
    let calm = plan.is_as_wished() && status.failed.is_none() && status.withheld.is_none();
    if calm && online && plan.base.is_none() && plan.summary().warnings == 0 {
        return format!("certctl: {}\n", lower(&text::nothing(plan)));
    }
    if let Some(base) = &plan.base {
        let lines: Vec<String> = text::about(base).iter().map(|line| notes::line(line)).collect();
        let _ = writeln!(top, "\n{}", lines.join("\\\n"));
    }
    top.push_str(&notes::cautions(plan, status, notes::LARGEST_BOX));
    top.push_str(&notes::unseen(plan));
    top.push_str(&notes::warnings(plan));
    let bottom = notes::unchanged(plan) + &bottom(plan, status.digest);

    let mut headings: Vec<String> = plan
        .clusters
        .iter()
        .map(|cluster| format!("\n#### Cluster {}\n", code(cluster.name.as_str())))
        .collect();
    let clusters = plan.clusters.iter().enumerate();
    let mut sections: Vec<Section> =
        clusters.flat_map(|(index, cluster)| sections(index, cluster, status.history, plan.now)).collect();
    sections.extend(edits(headings.len(), plan));
    headings.push(format!("\n#### {}\n", text::ALSO_EDITED));
    let taken = top.len() + bottom.len() + notes::LONGEST_CUT;
    if taken > limit {
        return shortest(plan, status, limit);
    }
    let room = limit - taken;
    let (body, missing) = cut::fit(&headings, &sections, room);
    top + &notes::cut(&missing) + &body + &bottom
}

/// Where not even the notes fit: what a reviewer must see, and what an apply can be held to.
fn shortest(plan: &Plan, status: PlanStatus<'_>, limit: usize) -> String {
    let top = format!("### certctl: {}\n", title(plan, status.failed));
    let bottom = bottom(plan, status.digest);
    let room = limit.saturating_sub(top.len() + bottom.len());
    let text = format!("{top}{}{bottom}", notes::cautions(plan, status, room));
    if text.len() > limit { format!("certctl: {}\n", title(plan, status.failed)) } else { text }
}

/// That there is no plan, and why; at most `limit` bytes long.
pub fn failure(error: &Error, limit: usize) -> String {
    let title = format!(
        "### certctl: no plan, {}\n\nNothing is known of what this would do, and it cannot be applied like this.\n",
        count(error.each().count(), "error")
    );
    let room = limit.saturating_sub(title.len());
    title + &notes::errors(error, room)
}

fn title(plan: &Plan, failed: Option<&Error>) -> String {
    let mut parts: Vec<String> = failed.iter().map(|error| count(error.each().count(), "error")).collect();
    if text::has_no_counts(plan) && failed.is_none() {
        parts.push(lower(&text::nothing(plan)).trim_end_matches('.').to_owned());
    } else {
        parts.extend(text::counts(&plan.summary()));
    }
    let withdrawn: usize = plan.clusters.iter().map(|cluster| cluster.withdrawn.len()).sum();
    if withdrawn > 0 {
        parts.push(format!("{withdrawn} not planned any more"));
    }
    if plan.is_offline() && !plan.is_empty() {
        parts.push("no cluster asked".to_owned());
    }
    parts.join(", ")
}

fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// The digest, and what it is good for.
fn bottom(plan: &Plan, digest: &str) -> String {
    if plan.is_offline() {
        return "\nNo digest: an apply can only be held to a plan that saw the clusters.\n".to_owned();
    }
    let whole = if plan.base.is_some() { " of the whole plan" } else { "" };
    format!("\nDigest{whole}: {}\n", code(digest))
}

fn sections(index: usize, cluster: &ClusterChanges, history: Option<&str>, now: Timestamp) -> Vec<Section> {
    // What the clock renews changes nobody's rights; what else is renewed, someone asked for.
    let (renewals, mut people): (Vec<_>, Vec<_>) = cluster
        .people
        .iter()
        .partition(|action| action.verb() == Verb::Renew && !action.reason().is_roster_driven());
    people.sort_by_key(|action| weight(action));
    let table = |actions: &[&CredentialAction]| {
        actions.iter().map(|action| row(action, &cluster.name, history, now)).collect()
    };
    let section = |rank, head: String, items: Vec<String>, noun, more, tail| {
        (!items.is_empty()).then_some(Section { rank, cluster: index, head, items, noun, more, tail })
    };
    let folded = |what: String| format!("\n<details><summary>{what}</summary>\n");
    const TABLE: &str = "\n| | who | why | valid until |\n|---|---|---|---|\n";
    const ROW: (&str, &str) = ("| | ", " | | |\n");
    const UNFOLD: &str = "\n</details>\n";
    let bindings = cluster.bindings.iter().map(binding).collect();
    let access = access_changes::of(cluster);
    let line = |change: &AccessChange| prose(&format!("{} {}", change.sign(), change.said()));
    let access = access.iter().map(|change| format!("- {}: {}\n", prose(&change.who), line(change)));
    let left_overs =
        cluster.cleanups.iter().map(|cleanup| format!("- {}\n", prose(&words::cleanup(cleanup))));
    let withdrawn =
        cluster.withdrawn.iter().map(words::withdrawn).map(|said| format!("- {}\n", prose(&said)));
    let renewed = format!("{}; who has one keeps it until it expires", count(renewals.len(), "renewal"));
    let (first, others) = people.split_at(people.len().min(MOST_PEOPLE));
    [
        section(Rank::People, TABLE.to_owned(), table(first), ("person", "people"), ROW, left(cluster)),
        section(
            Rank::OtherPeople,
            folded(others_summary(others)) + TABLE,
            table(others),
            ("person", "people"),
            ROW,
            UNFOLD,
        ),
        section(
            Rank::Access,
            "\n".to_owned(),
            access.collect(),
            ("change of access", "changes of access"),
            LINE,
            "",
        ),
        section(
            Rank::Withdrawn,
            "\nNot planned any more:\n\n".to_owned(),
            withdrawn.collect(),
            ("action that is not planned any more", "actions that are not planned any more"),
            LINE,
            "",
        ),
        section(
            Rank::Bindings,
            folded(bindings_summary(cluster)),
            bindings,
            ("binding", "bindings"),
            ("\n", "\n"),
            UNFOLD,
        ),
        section(
            Rank::Renewals,
            folded(renewed) + TABLE,
            table(&renewals),
            ("renewal", "renewals"),
            ROW,
            UNFOLD,
        ),
        section(
            Rank::CleanUp,
            folded(format!("{} to clean up", count(cluster.cleanups.len(), "left-over"))) + "\n",
            left_overs.collect(),
            ("left-over", "left-overs"),
            LINE,
            UNFOLD,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What else a branch changes in the roster.
fn edits(index: usize, plan: &Plan) -> Option<Section> {
    let edits = &plan.base.as_ref()?.roster_changes;
    (!edits.is_empty()).then(|| Section {
        rank: Rank::Edits,
        cluster: index,
        head: "\n".to_owned(),
        items: edits.iter().map(words::roster_change).map(|edit| format!("- {}\n", prose(&edit))).collect(),
        noun: ("edit", "edits"),
        more: LINE,
        tail: "",
    })
}

/// What is left to credentials that are cut off, where there are any.
fn left(cluster: &ClusterChanges) -> &'static str {
    match cluster.people.iter().any(|action| action.cut_off().is_some()) {
        true if cluster.unknown.is_empty() => {
            "\nRevoke and rotate cut off the old credential at once; until it expires it can do what `system:authenticated` may.\n"
        }
        true => {
            "\nRevoke and rotate cut off the old credential at once, where no binding of others gives it access: that is not known.\n"
        }
        false => "",
    }
}

/// `450 more people: 117 to revoke, ...`: nobody is cut off behind a fold without a word.
fn others_summary(others: &[&CredentialAction]) -> String {
    let number = |verb| others.iter().filter(|action| action.verb() == verb).count();
    let verbs = [Verb::Revoke, Verb::Rotate, Verb::Issue, Verb::Renew].map(|verb| (number(verb), verb));
    let counts = verbs.iter().filter(|(number, _)| *number > 0);
    let counts: Vec<String> =
        counts.map(|(number, verb)| format!("{} to {verb}", grouped(*number))).collect();
    let people = noun(others.len(), ("person", "people"));
    format!("{} more {people}: {}", grouped(others.len()), counts.join(", "))
}

/// What a reader must not miss comes first.
fn weight(action: &CredentialAction) -> (u8, &str) {
    let weight = match action.verb() {
        _ if action.transfer().to_others() => 0,
        Verb::Revoke => 1,
        Verb::Rotate => 2,
        Verb::Issue => 3,
        Verb::Renew => 4,
    };
    (weight, action.user().as_str())
}

fn row(action: &CredentialAction, cluster: &ClusterName, history: Option<&str>, now: Timestamp) -> String {
    let (sign, user, new, cut_off) = match action {
        CredentialAction::Issue { user, reason: _, new } => ("🟢", user, Some(new), None),
        CredentialAction::Renew { user, reason: _, new, replaced: _ } => ("⚪", user, Some(new), None),
        CredentialAction::Rotate { user, reason: _, new, cut_off } => ("🟡", user, Some(new), Some(cut_off)),
        CredentialAction::Revoke { user, reason: _, cut_off, protected: _ } => {
            ("🔴", user, None, Some(cut_off))
        }
    };
    let mut why = prose(&words::why(action));
    if action.transfer().to_others() {
        why = format!("**{why}**");
    }
    if let Some(CutOff { credential: _, not_after: _, residual_access: Some(bindings @ 1..) }) = cut_off {
        let _ = write!(why, "; **keeps access through {} of others**", count(*bindings, "binding"));
    }
    for group in new.into_iter().flat_map(|new| &new.issuance.in_certificate_groups) {
        let _ = write!(why, "; **in the certificate: {}**", code(&format!("O={group}")));
    }
    let (verb, until) = (action.verb(), action.not_after());
    let valid = span(now.duration_until(until));
    let mut who = code(user.as_str());
    // Who gets a first credential has no history yet.
    if let (Some(pages), Some(_)) = (history, action.previous()) {
        who = format!("[{who}]({pages}{})", RecordFolder(cluster).record(user));
    }
    format!("| {sign}\u{a0}{verb} | {who} | {why} | {} ({valid}) |\n", date(until))
}

/// `3 bindings to write: 1 new, 2 changed`.
fn bindings_summary(cluster: &ClusterChanges) -> String {
    let of = |verb| cluster.bindings.iter().filter(|binding| binding.verb == verb).count();
    let parts = [
        (of(BindingVerb::Bind), "new"),
        (of(BindingVerb::Update), "changed"),
        (of(BindingVerb::Unbind), "removed"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))).collect();
    format!("{} to write: {}", count(cluster.bindings.len(), "binding"), parts.join(", "))
}

fn binding(action: &BindingDiff) -> String {
    let sign = |joins| if joins { '+' } else { '-' };
    let changes = action.changes.iter().take(MOST_CHANGES);
    let width = changes.clone().map(|change| change.subject.chars().count()).max().unwrap_or(0).min(80);
    let mut lines: Vec<String> = changes
        .map(|change| {
            format!("{} {:<width$}  {}", sign(change.joins), change.subject, words::change(&change.why))
        })
        .collect();
    let more = action.changes.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        lines.push(format!("  and {} more", grouped(more)));
    }
    let at = &action.at;
    let place = at.namespace.as_ref().map_or(String::new(), |namespace| format!(" in {}", code(namespace)));
    format!(
        "\n**{}** {} {}{place} to {}\n\n{}",
        action.verb,
        at.kind(),
        code(&at.name),
        code(&action.role),
        value::diff(&lines)
    )
}
