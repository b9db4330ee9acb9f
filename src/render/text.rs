//! A plan as people read it in a terminal: what happens to whom, then what changes, then the sum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::access_changes::{self, AccessChange};
use super::full_control::{self, Gained};
use super::{Style, colour, count, words};
use crate::error::visible_line;
use crate::plan::binding_diff::{BindingDiff, BindingVerb};
use crate::plan::binding_key::Grantee;
use crate::plan::change::{Cause, ChangeReason};
use crate::plan::roster_changes::RosterChange;
use crate::plan::{Approval, Base, ClusterChanges, CredentialAction, Plan, Summary, Verb, Warning};

/// Names up to here make a column of what people gain and lose.
const WIDEST_NAMES: usize = 24;

/// The whole plan.
pub fn render(plan: &Plan, digest: &str, style: Style) -> String {
    let mut out = String::new();
    for cluster in &plan.clusters {
        let title = style.paint(colour::HEADING, &format!("Cluster {}", cluster.name));
        let _ = writeln!(out, "{title}");
        render_cluster(&mut out, cluster, plan, style);
        out.push('\n');
    }
    for unread in &plan.unread {
        let title = style.paint(colour::HEADING, &format!("Cluster {}", unread.name));
        let sign = style.paint(colour::REMOVE, "! not planned");
        let _ = writeln!(out, "{title}\n  {sign}  {}\n", visible_line(&unread.error));
    }
    for (Gained { people, role, how }, places) in full_control::gained(plan) {
        let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        let how = how.map_or(String::new(), |how| format!(": {how}"));
        let line =
            visible_line(&format!("! FULL CONTROL of {} for {}  ({role}{how})", list(places), list(people)));
        let _ = writeln!(out, "{}", style.paint(colour::REMOVE, &line));
    }
    let _ = writeln!(out, "{}", if has_no_counts(plan) { nothing(plan) } else { headline(plan) });
    if let Some(base) = &plan.base {
        let mut lines = about(base);
        if !base.roster_changes.is_empty() {
            lines.push(format!("{ALSO_EDITED}:"));
            lines.extend(
                base.roster_changes.iter().map(|change| format!("  {}", words::roster_change(change))),
            );
        }
        for line in lines {
            let _ = writeln!(out, "{}", visible_line(&line));
        }
    }
    // With a base, the digest is that of the whole plan, which may do more than this one.
    if (!plan.is_empty() || plan.withholds() || plan.base.is_some()) && !plan.is_offline() {
        let _ = writeln!(out, "{}", style.paint(colour::FAINT, &format!("Digest: {digest}")));
    }
    out
}

/// Whether nothing is to do or held back where it was looked.
pub fn has_no_counts(plan: &Plan) -> bool {
    plan.is_empty() && plan.summary().held == 0
}

/// That there is nothing to do, as far as was looked.
pub fn nothing(plan: &Plan) -> String {
    if !plan.unread.is_empty() {
        let names = |names: Vec<&str>| names.join(", ");
        let read = names(plan.clusters.iter().map(|cluster| cluster.name.as_str()).collect());
        let unread = names(plan.unread.iter().map(|cluster| cluster.name.as_str()).collect());
        return match read.is_empty() {
            true => format!("Nothing is known of {unread}."),
            false => format!("Nothing to do on {read}; nothing is known of {unread}."),
        };
    }
    let kept_out = plan.kept_out();
    if !kept_out.is_empty() && plan.base.is_none() {
        return format!("Nothing to do, and not as the roster says: {} stays out.", words::some(&kept_out));
    }
    let edits = plan.base.iter().flat_map(|base| &base.roster_changes);
    let fitting = edits.filter(|edit| matches!(edit, RosterChange::Fitting { .. })).count() > 0;
    match (plan.is_offline(), plan.base.is_some()) {
        (true, true) if fitting => {
            "This branch changes nobody's credential, and grants in namespaces that only the clusters know; they were not looked at."
        }
        (false, false) => "Nothing to do: the clusters are as the roster says.",
        (false, true) => "This branch changes nothing on the clusters.",
        (true, false) => {
            "Nobody's credential changes, by roster and records; the clusters were not looked at."
        }
        (true, true) => {
            "This branch changes nobody's credential and no grant, by roster and records; the clusters were not looked at."
        }
    }
    .to_owned()
}

/// What stands above what else a branch changes.
pub const ALSO_EDITED: &str = "Also changed in the roster";

/// Files of a roster that a branch changes.
const MOST_FILES: usize = 20;

/// What a plan is compared with, and what is pending there.
pub fn about(base: &Base) -> Vec<String> {
    let commit = base.commit.get(..10).unwrap_or(&base.commit);
    let mut lines =
        vec![format!("Only what this branch changes since it left {} at {commit}.", base.revision)];
    let pending = counts(&base.pending);
    if !pending.is_empty() {
        lines.push(format!("Pending there already: {}.", pending.join(", ")));
    }
    let files =
        base.approvals.iter().take(MOST_FILES).map(|Approval { file, owners }| match owners.is_empty() {
            true => format!("{} is changed, and has no code owner.", visible_line(file)),
            false => format!(
                "{} is changed, and needs approval by {}.",
                visible_line(file),
                visible_line(&owners.join(" "))
            ),
        });
    lines.extend(files);
    if let Some(more @ 1..) = base.approvals.len().checked_sub(MOST_FILES) {
        lines.push(format!("And {} of the roster are changed.", count(more, "other file")));
    }
    lines.extend(base.notes.iter().map(|note| format!("Not compared: {note}.")));
    lines
}

/// `Plan: 2 to issue, 1 to revoke; 3 bindings to write.`
pub fn headline(plan: &Plan) -> String {
    let mut parts = counts(&plan.summary());
    let withdrawn: usize = plan.clusters.iter().map(|cluster| cluster.withdrawn.len()).sum();
    if withdrawn > 0 {
        parts.push(format!("{withdrawn} not planned any more"));
    }
    parts.extend(
        (!plan.unread.is_empty()).then(|| format!("{} not planned", count(plan.unread.len(), "cluster"))),
    );
    format!("Plan{}: {}.", if plan.is_offline() { " (offline)" } else { "" }, parts.join(", "))
}

/// `2 to issue`, `1 to revoke`, `3 bindings to write`.
pub fn counts(summary: &Summary) -> Vec<String> {
    let people = [
        (summary.issue, "to issue"),
        (summary.renew, "to renew"),
        (summary.rotate, "to rotate"),
        (summary.revoke, "to revoke"),
    ];
    let mut parts: Vec<String> =
        people.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if summary.bindings > 0 {
        parts.push(format!("{} to write", count(summary.bindings, "binding")));
    }
    if summary.cleanup > 0 {
        parts.push(format!("{} to clean up", count(summary.cleanup, "left-over")));
    }
    if summary.held > 0 {
        parts.push(format!("{} held back", summary.held));
    }
    if summary.warnings > 0 {
        parts.push(count(summary.warnings, "warning"));
    }
    parts
}

fn render_cluster(out: &mut String, cluster: &ClusterChanges, plan: &Plan, style: Style) {
    let now = plan.now;
    for (title, held) in [("Held back", &cluster.held), ("Held back before", &cluster.held_before)] {
        if held.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {}", style.paint(colour::HEADING, title));
        for held in held.iter().take(MOST_HELD) {
            let error = words::held(&plan.roster_files, &cluster.name, held);
            let sign = style.paint(colour::WARN, "!");
            let _ = writeln!(out, "    {sign} {}  [{}]", visible_line(error.message()), held.code());
            for hint in error.hints() {
                let _ = writeln!(out, "      Hint: {}", visible_line(hint));
            }
        }
        if let Some(more) = held.len().checked_sub(MOST_HELD).filter(|more| *more > 0) {
            let _ = writeln!(out, "    and {more} more; `certctl plan --format json` has them all");
        }
    }
    let (dangers, rest): (Vec<Warning>, Vec<Warning>) =
        cluster.warnings.iter().cloned().partition(Warning::is_danger);
    for (code, message) in words::warnings(&dangers) {
        let line = visible_line(&format!("! DANGER  {message}  [{code}]"));
        let _ = writeln!(out, "  {}", style.paint(colour::REMOVE, &line));
    }
    for (code, message) in words::warnings(&rest) {
        let sign = style.paint(colour::WARN, "! warning");
        let _ = writeln!(out, "  {sign}  {}  [{}]", visible_line(&message), code);
    }
    let (renewals, changes): (Vec<_>, Vec<_>) =
        cluster.people.iter().partition(|action| action.verb() == Verb::Renew);
    let online = cluster.unknown.is_empty();
    people(out, "People", &changes, now, style);
    people(out, "Renewals", &renewals, now, style);
    let access = access_changes::of(cluster);
    if !access.is_empty() {
        let _ = writeln!(out, "  {}", style.paint(colour::HEADING, "Access"));
        let length = |change: &AccessChange| visible_line(&change.who).chars().count();
        let width = access.iter().map(length).filter(|length| *length <= WIDEST_NAMES).max().unwrap_or(0);
        for change in &access {
            let color = if change.gained { colour::ADD } else { colour::REMOVE };
            let sign = style.paint(color, &change.sign().to_string());
            let (who, said) = (visible_line(&change.who), visible_line(&change.said()));
            let _ = writeln!(out, "    {who:<width$}  {sign} {said}");
        }
    }
    if !cluster.bindings.is_empty() {
        let _ = writeln!(out, "  {}", style.paint(colour::HEADING, "Bindings"));
        if cluster.bindings.len() > MOST_BINDINGS && !style.verbose {
            let _ = writeln!(out, "    {} to write; -v shows them", count(cluster.bindings.len(), "binding"));
        } else {
            cluster.bindings.iter().for_each(|binding| render_binding(out, binding, style));
        }
    }
    if !cluster.cleanups.is_empty() {
        let _ = writeln!(out, "  {}", style.paint(colour::HEADING, "Clean-up"));
        for cleanup in &cluster.cleanups {
            let _ = writeln!(
                out,
                "    {} {}",
                style.paint(colour::REMOVE, "-"),
                visible_line(&words::cleanup(cleanup))
            );
        }
    }
    if !cluster.withdrawn.is_empty() {
        let _ = writeln!(out, "  {}", style.paint(colour::HEADING, "Not planned any more"));
        for withdrawn in &cluster.withdrawn {
            let _ = writeln!(
                out,
                "    {} {}",
                style.paint(colour::REMOVE, "-"),
                visible_line(&words::withdrawn(withdrawn))
            );
        }
    }
    if cluster.is_empty() {
        let _ = writeln!(out, "  no changes{}", if online { "" } else { " to credentials" });
    }
    if !online {
        let _ = writeln!(out, "  {}", style.paint(colour::WARN, "Not seen:"));
        for unknown in &cluster.unknown {
            let _ = writeln!(out, "    {}", words::unknown(*unknown));
        }
    }
    if let Some((at, user)) = &cluster.next_renewal {
        let when = if *at <= now {
            "is due now".to_owned()
        } else {
            format!("falls due {}, in {}", date(*at), span(now.duration_until(*at)))
        };
        let _ = writeln!(
            out,
            "  {}",
            style.paint(colour::FAINT, &format!("The next renewal, {user}'s, {when}."))
        );
    }
}

fn people(out: &mut String, title: &str, actions: &[&CredentialAction], now: Timestamp, style: Style) {
    if actions.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {}", style.paint(colour::HEADING, title));
    let width = actions.iter().map(|action| action.user().as_str().len()).max().unwrap_or(0);
    for action in actions {
        let (sign, paint) = match action.verb() {
            Verb::Issue => ("+", colour::ADD),
            Verb::Renew => ("~", colour::CHANGE),
            Verb::Rotate => ("*", colour::CHANGE),
            Verb::Revoke => ("-", colour::REMOVE),
        };
        let verb = style.paint(paint, &format!("{sign} {:<6}", action.verb()));
        let valid =
            format!("until {} ({})", date(action.not_after()), span(now.duration_until(action.not_after())));
        let _ = writeln!(out, "    {verb}  {:<width$}  {valid:<28}  {}", action.user(), reason(action));
    }
}

/// Why, and what becomes of the credential that is there.
fn reason(action: &CredentialAction) -> String {
    let why = words::why(action);
    match action {
        CredentialAction::Issue { user: _, reason: _, new: _ }
        | CredentialAction::Renew { user: _, reason: _, new: _, replaced: None } => why,
        CredentialAction::Renew { user: _, reason: _, new: _, replaced: Some(id) } => {
            format!("{why}; {id} stays bound until it expires")
        }
        CredentialAction::Rotate { user: _, reason: _, new: _, cut_off } => {
            format!("{why}; {} is cut off{}", cut_off.credential, words::but_for(cut_off))
        }
        CredentialAction::Revoke { user: _, reason: _, cut_off, protected: _ } => {
            let id = &cut_off.credential;
            match cut_off.residual_access {
                Some(0) => format!("{why}; {id} keeps only what system:authenticated may do"),
                None | Some(_) => format!("{why}; {id} is cut off{}", words::but_for(cut_off)),
            }
        }
    }
}

fn render_binding(out: &mut String, binding: &BindingDiff, style: Style) {
    let (sign, paint) = match binding.verb {
        BindingVerb::Bind => ("+", colour::ADD),
        BindingVerb::Update => ("~", colour::CHANGE),
        BindingVerb::Unbind => ("-", colour::REMOVE),
    };
    let verb = style.paint(paint, &format!("{sign} {:<6}", binding.verb));
    let role = format!("to {}", visible_line(&binding.role));
    let _ = writeln!(out, "    {verb}  {}  {role}", visible_line(&binding.at.to_string()));
    let lines = binding_lines(binding, style.verbose);
    let width = lines.iter().map(|line| line.subject.chars().count()).max().unwrap_or(0).min(80);
    for line in lines.iter().take(MOST_CHANGES) {
        let (sign, paint) = if line.joins { ("+", colour::ADD) } else { ("-", colour::REMOVE) };
        let subject = format!("{sign} {:<width$}", line.subject);
        let _ = writeln!(
            out,
            "              {}  {}",
            style.paint(paint, &subject),
            style.paint(colour::FAINT, &words::change(line.why))
        );
    }
    if let Some(more) = lines.len().checked_sub(MOST_CHANGES).filter(|more| *more > 0) {
        let _ = writeln!(out, "              and {more} more; `certctl plan --format json` has them all");
    }
}

/// A line of a binding's diff, or many that say the same of other people.
struct BindingLine<'a> {
    subject: String,
    joins: bool,
    why: &'a ChangeReason,
}

/// So many people of a group, of whom a binding says the same, are one line; `Access` has their names.
const MANY_ALIKE: usize = 4;

fn binding_lines(binding: &BindingDiff, verbose: bool) -> Vec<BindingLine<'_>> {
    let group = match Grantee::of_binding(&binding.at.name) {
        Some(Grantee::Group(group)) if binding.is_ours && !verbose => Some(group),
        _ => None,
    };
    let mut alike: BTreeMap<(bool, &ChangeReason), usize> = BTreeMap::new();
    let mut lines = Vec::new();
    if let Some(group) = group {
        // What somebody did to the object by hand is named, however often they did it.
        for change in binding.changes.iter().filter(|change| change.why.cause() != Cause::Drift) {
            *alike.entry((change.joins, &change.why)).or_default() += 1;
        }
        alike.retain(|_, people| *people >= MANY_ALIKE);
        lines.extend(alike.iter().map(|(&(joins, why), people)| BindingLine {
            subject: format!("{people} of group {group}"),
            joins,
            why,
        }));
    }
    let single = binding.changes.iter().filter(|change| !alike.contains_key(&(change.joins, &change.why)));
    lines.extend(single.map(|change| BindingLine {
        subject: visible_line(&change.subject),
        joins: change.joins,
        why: &change.why,
    }));
    lines
}

/// What is held back on one cluster that a terminal shows.
const MOST_HELD: usize = 100;

/// Bindings that a terminal shows unasked.
const MOST_BINDINGS: usize = 10;

/// Lines of one binding's diff that a terminal shows.
const MOST_CHANGES: usize = 50;

/// `2026-12-24 10:00Z`: to the minute, in UTC.
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// `30d`, `12h`, `9m`: the largest unit that is not zero, rounded to the nearest.
pub fn span(duration: SignedDuration) -> String {
    let minutes = (duration.as_secs().max(0) + 30) / 60;
    match minutes {
        0..=119 => format!("{minutes}m"),
        120..=2879 => format!("{}h", (minutes + 30) / 60),
        _ => format!("{}d", (minutes + 720) / 1440),
    }
}
