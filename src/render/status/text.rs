//! The credentials of a roster as a table: what needs somebody first, and of a long one nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::access::credentials::{CredentialStanding, CredentialStatus};
use crate::access::status::{ClusterStatus, KnownFrom, RosterStatus};
use crate::error::visible_line;
use crate::model::ClusterName;
use crate::render::table::Table;
use crate::render::words::access as words;
use crate::render::{count, grouped, noun};

/// The longest table that is printed as it is; of a longer one, what there is to note, and numbers.
pub const SHORT: usize = 40;

/// As text; with `all`, every row however many there are.
pub fn render(status: &RosterStatus, all: bool) -> String {
    let mut out = headline(status);
    let rows = status.standings.len();
    let short = all || rows <= SHORT;
    let noted = status.standings.iter().filter(|standing| !standing.notes.is_empty()).count();
    let shown = if short { rows } else { noted.min(SHORT) };
    if shown > 0 {
        let _ = writeln!(out);
        out += &credentials(&status.standings[..shown], status.now);
    }
    if !short {
        let _ = writeln!(out);
        out += &numbers(status);
        let left_out = noted - shown;
        if left_out > 0 {
            let _ = writeln!(
                out,
                "\n{} more with a note; `certctl status --all` shows every row.",
                grouped(left_out)
            );
        }
    }
    for ClusterStatus { name, source, held } in &status.clusters {
        if let KnownFrom::RecordsOnly { error } = source {
            let _ = writeln!(
                out,
                "\n! {name} was not read, so this is what the records know: {}",
                visible_line(error)
            );
        }
        if *held > 0 {
            let what = noun(*held, ("is", "are"));
            let _ = writeln!(out, "\n! {name}: {held} {what} held back; `certctl plan` says why.");
        }
    }
    out
}

/// `acme: 24 credentials of 12 users on 2 clusters; 2 need somebody.`
fn headline(status: &RosterStatus) -> String {
    let credentials = status.standings.iter().filter(|standing| standing.held.is_some()).count();
    let clusters: BTreeSet<&ClusterName> =
        status.standings.iter().map(|standing| &standing.cluster).collect();
    let need = status.standings.iter().filter(|standing| standing.needs_person()).count();
    let need = match need {
        0 => "none needs anybody".to_owned(),
        need => format!("{} {} somebody", grouped(need), noun(need, ("needs", "need"))),
    };
    let number = |number: usize, word: &str| format!("{} {word}{}", grouped(number), noun(number, ("", "s")));
    format!(
        "{}: {} of {} on {}; {need}.\n",
        status.roster,
        number(credentials, "credential"),
        number(status.users(), "user"),
        count(clusters.len(), "cluster"),
    )
}

fn credentials(standings: &[CredentialStanding], now: Timestamp) -> String {
    let mut table = Table::new(["USER", "CLUSTER", "CREDENTIAL", "VALID UNTIL", "RENEWED", "GROUPS"]);
    for standing in standings {
        table.push_with(cells(standing, now), remark(standing));
    }
    table.lines()
}

fn cells(standing: &CredentialStanding, now: Timestamp) -> [String; 6] {
    let held = standing.held.as_ref();
    [
        standing.user.to_string(),
        standing.cluster.to_string(),
        held.map_or_else(String::new, |held| held.id.to_string()),
        held.map_or_else(String::new, |held| until(held.not_after, now)),
        held.and_then(|held| held.renews_at).map_or_else(String::new, |at| day(at.max(now))),
        standing.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", "),
    ]
}

fn remark(standing: &CredentialStanding) -> Option<String> {
    let state = standing.held.as_ref().map(|held| held.state);
    let state = state.filter(|state| *state != CredentialStatus::Active).map(CredentialStatus::word);
    let said: Vec<&str> =
        state.into_iter().chain(standing.notes.iter().map(|note| words::note(*note))).collect();
    let mark = if standing.needs_person() { '!' } else { '-' };
    (!said.is_empty()).then(|| format!("{mark} {}", said.join("; ")))
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `2026-12-06 in 9 days`; to the minute where the day does not say it.
fn until(at: Timestamp, now: Timestamp) -> String {
    let near = now.duration_until(at).abs().as_hours() < 48;
    let shown = if near { at.strftime("%m-%d %H:%MZ").to_string() } else { day(at) };
    format!("{shown} {}", words::from_now(at, now))
}

/// How many there are of each state, by cluster.
fn numbers(status: &RosterStatus) -> String {
    let mut numbers: BTreeMap<&ClusterName, BTreeMap<CredentialStatus, usize>> = BTreeMap::new();
    let mut next: BTreeMap<&ClusterName, Timestamp> = BTreeMap::new();
    for standing in &status.standings {
        let of_cluster = numbers.entry(&standing.cluster).or_default();
        let Some(held) = &standing.held else { continue };
        *of_cluster.entry(held.state).or_default() += 1;
        if held.state == CredentialStatus::Active {
            let next = next.entry(&standing.cluster).or_insert(held.not_after);
            *next = held.not_after.min(*next);
        }
    }
    let mut table = Table::new(["CLUSTER", "ACTIVE", "SUPERSEDED", "REVOKED", "EXPIRED", "FIRST TO END"]);
    for (cluster, of_cluster) in &numbers {
        let number = |state| grouped(of_cluster.get(&state).copied().unwrap_or(0));
        let [active, superseded, revoked, expired] = CredentialStatus::ALL.map(number);
        let next = next.get(cluster).map_or(String::new(), |at| until(*at, status.now));
        table.push([cluster.to_string(), active, superseded, revoked, expired, next]);
    }
    table.lines()
}
