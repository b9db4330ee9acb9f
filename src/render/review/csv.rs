//! An access review for spreadsheets: a row for each right on each cluster.
//!
//! A spreadsheet runs what looks like a formula. Whatever may begin a cell that it would run, also where it splits
//! cells at another character than the comma, gets a `'` before it, which makes it text.

use std::borrow::Cow;

use super::words::{self, day};
use crate::access::review::{AccessReview, FullControlOf, PastCommit, ReviewedPerson, ReviewedRight};
use crate::error::visible_line;
use crate::model::{ClusterName, UserName};
use crate::roster::Details;

const COLUMNS: [&str; 19] = [
    "person",
    "cluster",
    "role kind",
    "role",
    "namespaces",
    "through",
    "full control",
    "basis",
    "until",
    "since",
    "commit",
    "author",
    "let in",
    "certificate",
    "certificate until",
    "notes",
    "full name",
    "email",
    "labels",
];

/// With a byte order mark, without which some spreadsheets take UTF-8 for something else.
pub fn csv(review: &AccessReview<'_>) -> String {
    let mut out = "\u{feff}".to_owned();
    row(&mut out, COLUMNS.map(Cow::Borrowed));
    for (name, person) in &review.people {
        let clusters = review.clusters.iter().map(|cluster| cluster.name);
        for cluster in clusters {
            let rights: Vec<&ReviewedRight> =
                person.rights.iter().filter(|(_, on)| on.contains(cluster)).map(|(right, _)| right).collect();
            let holds_any = person.credentials.iter().any(|standing| standing.cluster == *cluster);
            for right in &rights {
                row(&mut out, cells(review, name, person, cluster, Some(right)));
            }
            if rights.is_empty() && holds_any {
                row(&mut out, cells(review, name, person, cluster, None));
            }
        }
    }
    out
}

fn cells<'a>(
    review: &'a AccessReview<'_>,
    name: &'a UserName,
    person: &'a ReviewedPerson,
    cluster: &'a ClusterName,
    right: Option<&'a ReviewedRight>,
) -> [Cow<'a, str>; 19] {
    let here = || person.credentials.iter().filter(|standing| standing.cluster == *cluster);
    let live = here().find(|standing| standing.is_live()).or_else(|| here().next());
    let held = live.and_then(|standing| standing.held.as_ref());
    let notes: Vec<&str> = here().flat_map(|standing| &standing.notes).map(|note| note.code()).collect();
    let commit = review.commit(right.and_then(|right| right.since));
    let of_commit = |text: fn(&PastCommit) -> &str| commit.map_or("", text).into();
    let of_right = |text: fn(&ReviewedRight) -> Cow<'_, str>| right.map_or("".into(), text);
    let details = review.roster.users.get(name).map(|user| &user.details);
    let of_roster = |text: fn(&Details) -> String| details.map_or("".into(), |details| text(details).into());
    [
        name.as_str().into(),
        cluster.as_str().into(),
        of_right(|right| right.role_kind.as_str().into()),
        of_right(|right| right.role_name.as_str().into()),
        of_right(|right| match &right.namespaces {
            None => "(everywhere)".into(),
            Some(names) => names.iter().map(String::as_str).collect::<Vec<_>>().join(" ").into(),
        }),
        of_right(|right| words::through(right).into()),
        of_right(|right| match right.full_control {
            None => "".into(),
            Some(FullControlOf::Cluster) => "cluster".into(),
            Some(FullControlOf::Namespace) => "namespace".into(),
        }),
        of_right(|right| words::basis(right.basis).into()),
        right.and_then(|right| right.until).map_or("".into(), |until| until.to_string().into()),
        commit.map_or("".into(), |commit| day(commit.at).into()),
        of_commit(|commit| &commit.id),
        of_commit(|commit| &commit.author),
        commit.map_or("".into(), |commit| words::who(commit).into()),
        held.map_or("".into(), |held| format!("{} {}", held.state.word(), held.id).into()),
        held.map_or("".into(), |held| held.not_after.to_string().into()),
        notes.join(" ").into(),
        of_roster(|details| details.full_name.as_ref().map(ToString::to_string).unwrap_or_default()),
        of_roster(|details| details.email.as_ref().map(ToString::to_string).unwrap_or_default()),
        of_roster(|details| words::labels(details).collect::<Vec<_>>().join("; ")),
    ]
}

fn row(out: &mut String, cells: [Cow<'_, str>; 19]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(&harmless(cell).replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
}

/// What a cell holds, as text that nothing runs. Controls, among them tabs and line breaks, are shown.
fn harmless(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut may_begin = true;
    for c in visible_line(cell).chars() {
        if may_begin && matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') {
            out.push('\'');
        }
        may_begin = match c {
            ' ' => may_begin,
            ',' | ';' | '"' => true,
            _ => false,
        };
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_is_a_formula() {
        for (cell, text) in [
            ("alice", "alice"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "  '=1"),
            ("\t=1", "\\u{9}=1"),
            ("\r\n=1", "\\u{d}\\u{a}=1"),
            ("x;=1", "x;'=1"),
            ("x\";=1", "x\";'=1"),
            ("x\",\"=cmd|' /C calc'!A0", "x\",\"'=cmd|' /C calc'!A0"),
            ("＝1", "'＝1"),
            ("2026-12-24", "2026-12-24"),
        ] {
            assert_eq!(harmless(cell), text);
        }
        let mut out = String::new();
        row(&mut out, [""; 19].map(|_| Cow::Borrowed("a\"b")));
        assert!(out.starts_with("\"a\"\"b\",") && out.ends_with("\"\r\n"), "{out}");
    }
}
