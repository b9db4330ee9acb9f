//! What stands above the plan: errors, dangers, warnings, and what is not known or not shown. All of it
//! is short, however much there is to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::value::{code, prose};
use super::{PlanStatus, grouped, noun};
use crate::error::Error;
use crate::plan::access_transfer::AccessTransfer;
use crate::plan::residual_access::GivenRole;
use crate::plan::{ClusterChanges, Held, Plan, Unknown, Warning};
use crate::render::full_control::{self, Gained};
use crate::render::words;

/// Names in one sentence.
const MOST_NAMES: usize = 20;
/// Lines of a box beside a plan, and their bytes.
const MOST_LINES: usize = 20;
pub(super) const LARGEST_BOX: usize = 12_000;
/// Bytes of one sentence: names in a cluster may have 253 characters and more.
const LONGEST_LINE: usize = 1_000;
/// Bytes of what [`cut`] says.
pub(super) const LONGEST_CUT: usize = 400;

/// What a reviewer must see: `> [!CAUTION]`; of it, what fits into `room` bytes.
pub(super) fn cautions(plan: &Plan, status: PlanStatus<'_>, room: usize) -> String {
    let mut lines = Vec::new();
    if let Some(error) = status.failed {
        lines.extend(error.each().take(MOST_LINES).map(error_line));
        lines.extend(more(error.each().count().saturating_sub(MOST_LINES), "error", "errors"));
    }
    lines.extend(status.withheld.map(error_line));
    // Who is withheld is named above, in one sentence.
    let is_said = |held: &Held| status.withheld.is_some() && held.is_withheld();
    let held: Vec<Error> = held(plan, |cluster| &cluster.held, |held| !is_said(held));
    lines.extend(held.iter().take(MOST_LINES).map(|error| format!("**Held back:** {}", error_line(error))));
    lines.extend(more(held.len().saturating_sub(MOST_LINES), "thing held back", "things held back"));
    let actions = || plan.clusters.iter().flat_map(|cluster| &cluster.people);
    let handed_over = |what: &str, is: &dyn Fn(AccessTransfer) -> bool| {
        let whose = actions().filter(|action| is(action.transfer()));
        let whose: BTreeSet<&str> = whose.map(|action| action.user().as_str()).collect();
        (!whose.is_empty()).then(|| {
            let whose = names(whose);
            format!("**{what}: {whose}.** Whoever holds the new key gets this access. Make sure that the person asked for it.")
        })
    };
    lines.extend(handed_over("Recipients change", &|transfer| transfer.recipients()));
    lines.extend(handed_over("Another key is brought", &|transfer| transfer.key));
    lines.extend(told_once(plan, Warning::is_danger, "Danger", ("such danger", "such dangers")));
    lines.extend(told_once(plan, Warning::is_takeover, "Edited", ("such edit", "such edits")));
    let gained = full_control::gained(plan);
    lines.extend(gained.iter().take(MOST_LINES).map(|(Gained { people, role, how }, places)| {
        let people = names(people.iter().map(String::as_str));
        let places = names(places.iter().map(String::as_str));
        let how = how.as_ref().map_or(String::new(), |how| format!(": {}", line(how)));
        format!("**Full control: {} for {people}** on {places}{how}.", code(role))
    }));
    lines.extend(more(gained.len().saturating_sub(MOST_LINES), "such gain", "such gains"));
    let groups = in_certificates(plan);
    for ((cluster, group), (members, gives)) in groups.iter().take(MOST_NAMES) {
        let on = if plan.clusters.len() > 1 { format!("on {}: ", code(cluster)) } else { String::new() };
        lines.push(format!(
            "**In the certificate: {on}group {} of {}.** It cannot be revoked before the certificate expires; {}.",
            code(group),
            names(members.iter().copied()),
            line(&words::group_gives(gives.as_ref()))
        ));
    }
    lines.extend(more(groups.len().saturating_sub(MOST_NAMES), "such group", "such groups"));
    boxed("CAUTION", lines, room)
}

/// By cluster and group: whose new certificates hold it, and what bindings of others give it.
type InCertificates<'p> = BTreeMap<(&'p str, &'p str), (BTreeSet<&'p str>, Option<BTreeSet<GivenRole>>)>;

fn in_certificates(plan: &Plan) -> InCertificates<'_> {
    let mut groups = InCertificates::new();
    for cluster in &plan.clusters {
        for warning in &cluster.warnings {
            if let Warning::InCertificate { user, group, not_after: _, gives } = warning {
                let key = (cluster.name.as_str(), group.as_str());
                groups.entry(key).or_insert((BTreeSet::new(), gives.clone())).0.insert(user.as_str());
            }
        }
    }
    groups
}

/// Warnings of one kind, each once with the clusters that it is about.
fn told_once(
    plan: &Plan,
    is: fn(&Warning) -> bool,
    title: &str,
    such: (&'static str, &'static str),
) -> Vec<String> {
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for cluster in &plan.clusters {
        for warning in cluster.warnings.iter().filter(|warning| is(warning)) {
            found.entry(words::warning(warning)).or_default().insert(cluster.name.as_str());
        }
    }
    let several = plan.clusters.len() > 1;
    let lines = found.iter().take(MOST_LINES).map(|(message, on)| {
        let on = if several { format!("on {}: ", names(on.iter().copied())) } else { String::new() };
        format!("**{title}:** {on}{}", line(message))
    });
    lines.chain(more(found.len().saturating_sub(MOST_LINES), such.0, such.1)).collect()
}

/// What else is worth a look, the worst first: `> [!WARNING]`.
pub(super) fn warnings(plan: &Plan) -> String {
    let several = plan.clusters.len() > 1;
    // Said above already, in fewer words.
    let is_said = |warning: &Warning| {
        let in_brief = matches!(
            warning,
            Warning::RecipientChanged { .. } | Warning::KeyChanged { .. } | Warning::InCertificate { .. }
        );
        in_brief || warning.is_takeover() || warning.is_danger()
    };
    let mut found = Vec::new();
    for cluster in &plan.clusters {
        let rest: Vec<Warning> = cluster.warnings.iter().filter(|of| !is_said(of)).cloned().collect();
        let told = words::warnings(&rest).into_iter();
        found.extend(told.map(|(code, message)| (&cluster.name, code, message)));
    }
    let is_mild = |code: &str| code == "until-soon";
    found.sort_by_key(|(_, code, _)| is_mild(code));
    let lines = found.iter().take(MOST_LINES).map(|(cluster, code, message)| {
        let on = if several { format!("on {}: ", self::code(cluster.as_str())) } else { String::new() };
        format!("{on}{} ({})", line(message), self::code(code))
    });
    let before = held(plan, |cluster| &cluster.held_before, |_| true);
    let lines = lines.chain(more(found.len().saturating_sub(MOST_LINES), "warning", "warnings"));
    let told = before.iter().take(MOST_LINES);
    let lines = lines.chain(told.map(|error| format!("held back before: {}", error_line(error))));
    let lines =
        lines.chain(more(before.len().saturating_sub(MOST_LINES), "thing held back", "things held back"));
    boxed("WARNING", lines.collect(), LARGEST_BOX)
}

/// What is held back, of the new or of what was so before.
fn held(
    plan: &Plan,
    which: fn(&ClusterChanges) -> &Vec<Held>,
    is_wanted: impl Fn(&Held) -> bool,
) -> Vec<Error> {
    let clusters = plan.clusters.iter();
    let all = clusters.flat_map(|cluster| which(cluster).iter().map(move |held| (&cluster.name, held)));
    let all = all.filter(|(_, held)| is_wanted(held));
    all.map(|(cluster, held)| words::held(&plan.roster_files, cluster, held)).collect()
}

/// What was not looked at: `> [!IMPORTANT]`.
pub(super) fn unseen(plan: &Plan) -> String {
    let mut clusters: BTreeMap<Unknown, BTreeSet<&str>> = BTreeMap::new();
    for cluster in &plan.clusters {
        for unknown in &cluster.unknown {
            clusters.entry(*unknown).or_default().insert(cluster.name.as_str());
        }
    }
    if clusters.is_empty() {
        return String::new();
    }
    let mut lines = vec!["No cluster was asked. Not known:".to_owned()];
    lines.extend(clusters.into_iter().map(|(unknown, on)| {
        let on = if on.len() == plan.clusters.len() { String::new() } else { format!(" (of {})", names(on)) };
        format!("- {}{on}", prose(words::unknown(unknown)))
    }));
    format!("\n> [!IMPORTANT]\n> {}\n", lines.join("\n> "))
}

/// The clusters where nothing is planned.
pub(super) fn unchanged(plan: &Plan) -> String {
    let unchanged: Vec<&str> = plan
        .clusters
        .iter()
        .filter(|cluster| cluster.is_empty())
        .map(|cluster| cluster.name.as_str())
        .collect();
    if unchanged.is_empty() || unchanged.len() == plan.clusters.len() {
        return String::new();
    }
    format!("\nNo changes on {}.\n", names(unchanged))
}

/// How much is not shown.
pub(super) fn cut(missing: &[String]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let note = format!(
        "Too long for one page: {} not shown. `certctl plan` shows everything.",
        match missing.split_last() {
            Some((last, [])) => format!("{last} {}", if last.starts_with("1 ") { "is" } else { "are" }),
            Some((last, others)) => format!("{} and {last} are", others.join(", ")),
            None => String::new(),
        }
    );
    boxed("NOTE", vec![note], LONGEST_CUT)
}

/// Every error that fits.
pub(super) fn errors(error: &Error, room: usize) -> String {
    boxed("CAUTION", error.each().map(error_line).collect(), room)
}

fn error_line(error: &Error) -> String {
    let causes = error.causes().into_iter().map(|cause| format!("<br>Caused by: {}", line(&cause)));
    let hints = error.hints().iter().map(|hint| format!("<br>Hint: {}", line(hint)));
    line(error.message()) + &causes.chain(hints).collect::<String>()
}

/// One sentence, cut where nobody would read on.
pub(super) fn line(sentence: &str) -> String {
    let mut text = prose(sentence);
    let mut end = sentence.len();
    while text.len() > LONGEST_LINE {
        end = sentence.floor_char_boundary(end.min(2 * LONGEST_LINE) / 2);
        text = format!("{} …", prose(&sentence[..end]));
    }
    text
}

fn more(number: usize, one: &'static str, several: &'static str) -> Option<String> {
    (number > 0).then(|| format!("… and {} more {}", grouped(number), noun(number, (one, several))))
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let mut shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| code(name)).collect();
    let rest = names.len().saturating_sub(MOST_NAMES);
    if rest > 0 {
        shown.push(format!("{} more", grouped(rest)));
    }
    match shown.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => shown.concat(),
    }
}

/// A box that hosts colour, and elsewhere a quotation; at most `room` bytes of it.
fn boxed(kind: &str, lines: Vec<String>, room: usize) -> String {
    if let [line] = &lines[..]
        && line.len() + 40 <= room
    {
        return format!("\n> [!{kind}]\n> {line}\n");
    }
    let mut text = String::new();
    let number = lines.len();
    for (shown, line) in lines.into_iter().enumerate() {
        if text.len() + line.len() + 100 > room {
            let _ = writeln!(text, "> - … and {} more", grouped(number - shown));
            break;
        }
        let _ = writeln!(text, "> - {line}");
    }
    if text.is_empty() { text } else { format!("\n> [!{kind}]\n{text}") }
}
