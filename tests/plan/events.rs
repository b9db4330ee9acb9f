//! What happened between two versions of roster and records, in words.

use certctl::access::events::{LifeEvent, Records, of_records, of_roster};
use certctl::render::history::{Happened, text};
use certctl::render::words::access as words;
use jiff::Timestamp;

use crate::story::{Story, TEAM};

fn said(events: &[LifeEvent]) -> Vec<String> {
    let of = |event: &LifeEvent| {
        let user = event.user().map_or("-", |user| user.as_str());
        format!("{} {user} {}", event.code(), words::event(event))
    };
    events.iter().map(of).collect()
}

fn edited(edits: &[(&str, &str)], name: &str) -> Vec<String> {
    let before = Story::of(TEAM);
    let mut after = before.clone();
    for (from, to) in edits {
        after.edit(from, to);
    }
    let (before, after) = (before.roster().without_positions(), after.roster().without_positions());
    said(&of_roster(Some(&before), Some(&after), name))
}

#[test]
fn each_edit_of_the_roster_is_an_event() {
    let alice = "{name: alice, recipients: [age1alice], groups: [developers]}";
    for (edits, name, expected) in [
        (&[][..], "alice", &[][..]),
        (&[("[age1alice]", "[age1alice, age1new]")], "alice", &["recipients alice + age1new"]),
        (&[("[age1alice]", "[age1new]")], "alice", &["recipients alice + age1new; - age1alice"]),
        (
            &[("[developers]}\n- {name: bob", "[{name: developers, until: 2026-03-31}]}\n- {name: bob")],
            "alice",
            &["membership alice ~ developers on every cluster, until 2026-04-01"],
        ),
        (
            &[(
                alice,
                "{name: alice, recipients: [age1alice], grants: [{clusterRole: edit, namespaces: [shop, web]}]}",
            )],
            "alice",
            &["membership alice - developers", "grant alice + edit in shop, web"],
        ),
        (
            &[(
                alice,
                "{name: alice, recipients: [age1alice], groups: [developers], suspended: true, until: 2026-03-31}",
            )],
            "alice",
            &["until alice access ends 2026-04-01", "suspended alice all access suspended"],
        ),
        (
            &[("namespaces: [shop]", "namespaces: [shop, web]")],
            "alice",
            &["grant alice + edit in web through developers"],
        ),
        (&[("namespaces: [shop]", "namespaces: [shop, web]")], "developers", &["grant - + edit in web"]),
        (
            &[("namespaces: [shop]", "namespaces: [shop, \"pr-*\"]")],
            "developers",
            &["grant - + edit in pr-*"],
        ),
        (
            &[("namespaces: [shop]", "namespaceSelector: {matchLabels: {team: shop}}")],
            "developers",
            &["grant - - edit in shop", "grant - + edit in team=shop"],
        ),
        (
            &[("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "")],
            "developers",
            &["membership bob - developers"],
        ),
        (
            &[("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "")],
            "bob",
            &["left bob taken off the roster", "membership bob - developers"],
        ),
        (
            &[("- {clusterRole: view}", "- {clusterRole: view, clusters: [prod]}")],
            "developers",
            &["grant - ~ view everywhere on prod, without end"],
        ),
    ] {
        assert_eq!(edited(edits, name), expected, "{edits:?} {name}");
    }
    let roster = Story::of(TEAM).roster().without_positions();
    assert_eq!(
        said(&of_roster(None, Some(&roster), "bob")),
        ["joined bob put on the roster", "membership bob + developers",]
    );
}

fn records(story: &Story) -> Records {
    match story.record("alice") {
        [] => Records::new(),
        credentials => [("prod".parse().expect("a name"), credentials.to_vec())].into(),
    }
}

#[test]
fn each_apply_is_an_event_and_so_is_a_squash_of_all() {
    let user = "alice".parse().expect("a name");
    let mut story = Story::of(TEAM);
    let mut last = records(&story);
    let nothing = last.clone();
    let mut happened = |story: &Story| {
        let now = records(story);
        let events = of_records(&user, &last, &now);
        last = now;
        said(&events)
    };
    let codes = |events: &[String]| -> Vec<String> {
        events.iter().filter_map(|event| event.split(' ').next()).map(str::to_owned).collect()
    };
    story.apply();
    assert_eq!(codes(&happened(&story)), ["issued"]);
    story.wait("21d").apply();
    assert_eq!(codes(&happened(&story)), ["renewed"]);
    story.edit("recipients: [age1alice]", "recipients: [age1alice], generation: 2").apply();
    let (superseded, active) =
        (story.record("alice")[0].id.to_string(), story.record("alice")[1].id.to_string());
    let rotated = happened(&story);
    assert_eq!(codes(&rotated), ["rotated", "revoked"]);
    assert!(
        rotated[0].ends_with(&format!("{active} cut off")) && rotated[1].contains(&superseded),
        "{rotated:?}"
    );
    story.edit(
        "recipients: [age1alice], generation: 2",
        "recipients: [age1alice], generation: 2, suspended: true",
    );
    story.apply();
    assert_eq!(codes(&happened(&story)), ["revoked"]);
    story.edit(", suspended: true", "").apply();
    assert_eq!(codes(&happened(&story)), ["issued"]);

    // One commit says of each what came of it, not that it was renewed or suspended in between.
    let squashed = of_records(&user, &nothing, &records(&story));
    let squashed: Vec<&str> = squashed.iter().map(LifeEvent::code).collect();
    assert_eq!(squashed, ["issued", "rotated", "rotated", "rotated"]);

    // What expires and is forgotten is no event.
    story.wait("40d").apply();
    assert_eq!(codes(&happened(&story)), ["renewed"]);
}

#[test]
fn what_one_commit_did_to_a_thousand_is_a_screen() {
    let joined =
        |number: usize| LifeEvent::Joined { user: format!("user-{number}").parse().expect("a name") };
    let events: Vec<LifeEvent> = (0..1_000).map(joined).collect();
    let happened = |(index, event)| Happened {
        event,
        at: Timestamp::UNIX_EPOCH,
        commit: if index < 999 { "0123456789abcdef" } else { "fedcba9876543210" },
        author: "Ann <ann@example.com>",
    };
    let happened: Vec<Happened<'_>> = events.iter().enumerate().map(happened).collect();
    let text = text(&happened, "developers");
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.contains("and 991 more like these"), "{text}");
    assert!(text.contains("user-999: "), "{text}");
}
