//! Who must act soon.

use std::collections::BTreeMap;

use certctl::access::notices::{Notices, RecipientProblem, notices};
use certctl::model::Recipient;
use certctl::render::notices::{document, markdown, schema};
use expect_test::expect;
use jiff::SignedDuration;
use serde_json::Value;

use crate::status::status;
use crate::story::{Story, TEAM};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn of(story: &Story) -> Notices {
    let weak = Recipient::accepted_by_age("age1weak".to_owned());
    let gone = Recipient::accepted_by_age("age1gone".to_owned());
    let problems = BTreeMap::from([
        (weak, RecipientProblem::Weak { bits: 2048 }),
        (gone, RecipientProblem::NoPlugin("yubikey".to_owned())),
    ]);
    notices(&story.roster(), &status(story), &problems, DAY * 14)
}

/// `alice: certificate-unrenewed user: WHAT`, a line for each.
fn said(story: &Story) -> Vec<String> {
    let document = document(&of(story));
    let lines = document.people.iter().flat_map(|person| {
        person.notices.iter().map(|notice| format!("{}: {}: {}", person.user, notice.code, notice.message))
    });
    lines.collect()
}

const ALICE: &str = "recipients: [age1alice], groups: [developers]}";

#[test]
fn whoever_has_what_the_roster_says_has_nothing_to_do() {
    let story = Story::applied(TEAM);
    assert_eq!(said(&story), [""; 0]);
    assert_eq!(markdown(&of(&story)), "### certctl: nobody must act soon in roster `acme`\n");
}

#[test]
fn each_matter_is_told_once_with_its_day() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            ALICE,
            "recipients: [age1alice], groups: [developers], until: 2026-01-09}",
            &["alice: access-ends: access ends 2026-01-10, on prod"],
        ),
        // With all access end its memberships and grants: that is told once.
        (
            ALICE,
            "recipients: [age1alice], groups: [{name: developers, until: 2026-01-09}], until: 2026-01-09}",
            &["alice: access-ends: access ends 2026-01-10, on prod"],
        ),
        (
            ALICE,
            "recipients: [age1alice], groups: [{name: developers, until: 2026-01-05}], until: 2026-01-09}",
            &[
                "alice: access-ends: membership in group `developers` ends 2026-01-06, on prod",
                "alice: access-ends: access ends 2026-01-10, on prod",
            ],
        ),
        (
            ALICE,
            "recipients: [age1alice], groups: [developers], grants: [{clusterRole: admin, until: 2026-01-08}]}",
            &["alice: access-ends: the grant of ClusterRole admin ends 2026-01-09, on prod"],
        ),
        (
            "- {clusterRole: view}",
            "- {clusterRole: view, until: 2026-01-08}",
            &[
                "alice: access-ends: the grant of ClusterRole view to group `developers` ends 2026-01-09, on prod",
                "bob: access-ends: the grant of ClusterRole view to group `developers` ends 2026-01-09, on prod",
            ],
        ),
        // Later than is asked for, and over.
        (ALICE, "recipients: [age1alice], groups: [developers], until: 2026-02-28}", &[]),
        (ALICE, "recipients: [age1alice], groups: [{name: developers, until: 2025-12-24}]}", &[]),
        (ALICE, "recipients: [age1alice], groups: [developers], until: 2026-01-09, suspended: true}", &[]),
        (
            ALICE,
            "recipients: [age1alice, age1weak, age1gone], groups: [developers]}",
            &[
                "alice: recipient-weak: recipient `age1weak` is an RSA key of 2048 bits, which is weak, on prod",
                "alice: recipient-unusable: nothing can be sealed to recipient `age1gone`: `age-plugin-yubikey` is not installed here, on prod",
            ],
        ),
        (
            "{name: alice,",
            "{name: alicia,",
            &["alicia: request-waiting: waits for a first credential, on prod"],
        ),
    ];
    for (from, to, expected) in cases {
        let mut story = Story::applied(TEAM);
        story.edit(from, to);
        assert_eq!(&said(&story), expected, "{to}");
    }
}

#[test]
fn a_certificate_that_nobody_renewed_has_a_day() {
    let mut story = Story::applied(TEAM);
    story.now += DAY * 27;
    let said = said(&story);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("alice: certificate-unrenewed: certificate of `"), "{said:?}");
    let document = document(&of(&story));
    let notice = &document.people[0].notices[0];
    assert_eq!((notice.must_act, notice.due.is_some()), ("administrators", true));
}

#[test]
fn the_page_names_people_and_no_address_and_stays_text() {
    let mut story = Story::applied(TEAM);
    story.edit(
        "{name: alice, recipients: [age1alice],",
        "{name: alice, fullName: \"@acme/all <img src=x> `x`\", email: alice@example.com, labels: {team: \"#1\"}, until: 2026-01-09, recipients: [age1alice],",
    );
    story.edit(
        "{name: bob, recipients: [age1bob],",
        "{name: bob, fullName: Bob, recipients: [age1bob, age1weak],",
    );
    let page = markdown(&of(&story));
    expect![[r#"
        ### certctl: who must act soon in roster `acme`: 2 people

        **`alice`** (`@acme/all <img src=x> x`)

        - access ends `2026-01-10`, on prod; who needs it longer asks for a later `until` of user `alice`

        **`bob`** (Bob)

        - recipient `age1weak` is an RSA key of 2048 bits, which is weak, on prod; make an `ed25519` key, or run `certctl keygen`, and have it take the place of this one on the roster
    "#]].assert_eq(&page);
    let outside: String = page.split('`').step_by(2).collect();
    for hostile in ["@acme", "<img", "example.com"] {
        assert!(!outside.contains(hostile), "{hostile}: {page}");
    }
    let document = serde_json::to_value(document(&of(&story))).expect("JSON");
    let alice = &document["people"][0];
    assert_eq!(
        (&alice["email"], &alice["labels"]["team"]),
        (&Value::from("alice@example.com"), &Value::from("#1"))
    );
    let schema = serde_json::from_str(&schema()).expect("JSON");
    assert!(jsonschema::draft202012::new(&schema).expect("a schema").is_valid(&document));
}

#[test]
fn a_long_page_is_cut_and_says_so() {
    let users: String = (0..2_000)
        .map(|n| {
            format!(
                "- {{name: user-{n:04}, recipients: [age1u{n}], groups: [developers], until: 2026-01-09}}\n"
            )
        })
        .collect();
    let mut story = Story::of(TEAM);
    story.yaml = story.yaml.replace("users:\n", &format!("users:\n{users}"));
    let page = markdown(&of(&story));
    assert!(page.len() <= 64_100, "{}", page.len());
    assert!(page.ends_with(" more: `certctl notices` lists them.\n"), "{}", &page[page.len() - 100..]);
}
