//! What `status` says of each credential, and how it is shown.

use certctl::access::credentials::{CredentialStanding, PlannedCluster, standings};
use certctl::access::status::{ClusterStatus, KnownFrom, RosterStatus};
use certctl::plan::observed::{Binding, BindingAt, FileKind, SeenLedger};
use certctl::render::status::{document, prometheus, text};
use expect_test::expect;
use jiff::SignedDuration;

use crate::story::{Story, TEAM, subject};

fn of(story: &Story) -> Vec<CredentialStanding> {
    let changes = &story.whole().clusters[0];
    standings(&story.roster(), PlannedCluster { observed: story.observed(), changes }, story.now)
}

pub fn status(story: &Story) -> RosterStatus {
    let held = story.whole().clusters[0].held.len();
    let source = if story.unseen.is_some() { KnownFrom::Records } else { KnownFrom::Cluster };
    let roster = story.roster();
    let clusters = vec![ClusterStatus { name: "prod".parse().expect("a name"), source, held }];
    let mut status = RosterStatus {
        roster: roster.name,
        now: story.now,
        clusters,
        standings: of(story),
        last_recorded: None,
    };
    status.sort();
    status
}

/// A line for each credential of somebody: its state and its notes.
fn said(story: &Story, user: &str) -> Vec<String> {
    let standings = of(story).into_iter().filter(|standing| standing.user.as_str() == user);
    standings
        .map(|standing| {
            let state = standing.held.map_or("none", |held| held.state.word());
            let notes: Vec<&str> = standing.notes.iter().map(|note| note.code()).collect();
            format!("{state}: {}", notes.join(" ")).trim_end_matches([':', ' ']).to_owned()
        })
        .collect()
}

/// Names a credential in a binding of somebody else.
fn bind_elsewhere(story: &mut Story, group: String) {
    story.cluster.state.bindings.push(Binding {
        at: BindingAt { namespace: Some("shop".into()), name: "theirs".into() },
        role_kind: "ClusterRole".into(),
        role_name: "edit".into(),
        subjects: vec![subject("Group", &group)],
        labels: Default::default(),
        uid: "theirs".into(),
        resource_version: "1".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    });
}

fn group_of(story: &Story, index: usize) -> String {
    format!("certctl:alice:{}", story.record("alice")[index].id)
}

#[test]
fn whoever_has_what_the_roster_says_needs_nobody() {
    let story = Story::applied(TEAM);
    assert_eq!(said(&story, "alice"), ["active"]);
    assert!(!status(&story).needs_person());
}

const ALICE: &str = "recipients: [age1alice], groups: [developers]}";

/// Her entry with something added.
fn and(text: &str) -> String {
    format!("recipients: [age1alice], groups: [developers], {text}}}")
}

#[test]
fn each_thing_that_is_odd_is_noted() {
    type Change<'c> = &'c dyn Fn(&mut Story);
    let cases: Vec<(&str, Change<'_>, &[&str], bool)> = vec![
        (
            "suspended, not applied",
            &|s| {
                s.edit(ALICE, &and("suspended: true"));
            },
            &["active: to-be-cut-off suspended"],
            true,
        ),
        (
            "suspended",
            &|s| {
                s.edit(ALICE, &and("suspended: true")).apply();
            },
            &["revoked: suspended"],
            false,
        ),
        (
            "left, not applied",
            &|s| {
                s.edit("- {name: alice, recipients: [age1alice], groups: [developers]}\n", "");
            },
            &["active: to-be-cut-off not-on-roster"],
            true,
        ),
        (
            "until has passed",
            &|s| {
                s.edit(ALICE, &and("until: 2026-01-10")).apply().wait("11d");
            },
            &["active: to-be-cut-off access-ended"],
            true,
        ),
        (
            "ends soon, as it should",
            &|s| {
                s.edit(ALICE, &and("until: 2026-01-25, generation: 2")).apply().wait("23d");
            },
            &["active: expiring", "revoked"],
            false,
        ),
        (
            "renewal due",
            &|s| {
                s.wait("21d");
            },
            &["active: to-be-renewed"],
            false,
        ),
        (
            "nobody renewed it",
            &|s| {
                s.wait("26d");
            },
            &["active: overdue to-be-renewed"],
            true,
        ),
        (
            "renewed",
            &|s| {
                s.wait("21d").apply();
            },
            &["active", "superseded: superseded-bound"],
            false,
        ),
        (
            "expired, nothing in its place",
            &|s| {
                s.wait("31d");
            },
            &["none: not-issued", "expired"],
            true,
        ),
        (
            "a broken request of theirs",
            &|s| {
                s.refuses(FileKind::Request, "alice");
            },
            &["active: held"],
            true,
        ),
        ("unbound", &|s| s.cluster.state.bindings.clear(), &["active: unbound"], true),
        (
            "rotated, and bound by others",
            &|s| {
                s.edit(ALICE, &and("generation: 2")).apply();
                bind_elsewhere(s, group_of(s, 0));
            },
            &["active", "revoked: revoked-bound"],
            true,
        ),
        (
            "lost key",
            &|s| {
                s.edit("age1alice", "age1new");
            },
            &["active: to-be-cut-off undecryptable"],
            true,
        ),
        (
            "another key beside it",
            &|s| {
                s.edit("[age1alice]", "[age1alice, age1new]");
            },
            &["active: to-be-renewed"],
            false,
        ),
        (
            "a broken sealed file",
            &|s| {
                s.repository.sealed.insert("alice".parse().expect("a name"), "other".into());
            },
            &["active: sealed-changed"],
            true,
        ),
        (
            "a broken record of somebody else",
            &|s| {
                s.refuses(FileKind::Record, "bob");
            },
            &["active"],
            false,
        ),
        (
            "a record put back",
            &|s| {
                let credential = s.record("alice")[0].clone();
                let SeenLedger::Kept(stored) = &mut s.cluster.ledger else { panic!("apply wrote one") };
                stored.ledger.revoked.insert(credential.id, credential.not_after);
            },
            &["none: not-issued", "revoked: revoked-bound revoked-in-cluster"],
            true,
        ),
    ];
    for (what, change, expected, needs_person) in cases {
        let mut story = Story::applied(TEAM);
        change(&mut story);
        assert_eq!(said(&story, "alice"), expected, "{what}");
        let mut status = status(&story);
        status.only_of(&["alice".parse().expect("a name")]);
        assert_eq!(status.needs_person(), needs_person, "{what}");
    }
}

#[test]
fn without_the_cluster_only_what_it_would_say_is_missing() {
    let mut story = Story::applied(TEAM);
    story.cluster.state.bindings.clear();
    story.edit("age1bob", "age1new").offline();
    assert_eq!(said(&story, "alice"), ["active"]);
    assert_eq!(said(&story, "bob"), ["active: to-be-cut-off undecryptable"]);
}

#[test]
fn only_what_lets_somebody_in_and_ends_in_time_is_expiring() {
    let mut story = Story::applied(TEAM);
    story
        .edit("groups: [developers]}\n- {name: bob", "groups: [developers], generation: 2}\n- {name: bob")
        .apply();
    let ends = |days: i64| {
        let mut status = status(&story);
        status.only_expiring(SignedDuration::from_hours(24 * days));
        status.standings.len()
    };
    assert_eq!((ends(29), ends(30)), (0, 2), "the revoked one of alice is not among them");
}

#[test]
fn a_team_is_a_table_of_80_columns() {
    let mut story = Story::applied(TEAM);
    story.wait("20d").apply().edit("recipients: [age1bob]", "recipients: [age1bob], suspended: true");
    story.wait("8h");
    let table = text::render(&status(&story), false);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    expect![[r#"
        acme: 4 credentials of 2 users on 1 cluster; 2 need somebody.

        USER   CLUSTER  CREDENTIAL        VALID UNTIL            RENEWED     GROUPS
        bob    prod     8005f02d43fa06e7  2026-02-20 in 29 days  -           developers
          ! the next apply cuts it off; suspended
        bob    prod     cd04a4754498e06d  2026-01-31 in 9 days   -           developers
          ! superseded; the next apply cuts it off; suspended; bound until it ends
        alice  prod     cd2662154e6d76b2  2026-01-31 in 9 days   -           developers
          - superseded; bound until it ends
        alice  prod     d5688a52d55a02ec  2026-02-20 in 29 days  2026-02-09  developers
    "#]]
    .assert_eq(&table);
}

#[test]
fn of_a_long_roster_one_screen_is_shown() {
    let users: String =
        (0..200).map(|n| format!("- {{name: user-{n}, recipients: [age1u{n}], groups: [g]}}\n")).collect();
    let mut story =
        Story::applied(&format!("groups:\n- {{name: g, grants: [{{clusterRole: view}}]}}\nusers:\n{users}"));
    story.edit("[age1u7]", "[age1other]");
    let table = text::render(&status(&story), false);
    expect![[r#"
        acme: 200 credentials of 200 users on 1 cluster; 1 needs somebody.

        USER    CLUSTER  CREDENTIAL        VALID UNTIL            RENEWED     GROUPS
        user-7  prod     251e20bce4db7901  2026-01-31 in 30 days  2026-01-20  g
          ! the next apply cuts it off; sealed to none of its owner's keys on the roster

        CLUSTER  ACTIVE  SUPERSEDED  REVOKED  EXPIRED  FIRST TO END
        prod     200     0           0        0        2026-01-31 in 30 days
    "#]]
    .assert_eq(&table);
    let everybody = text::render(&status(&story), true);
    assert_eq!(everybody.lines().filter(|line| line.starts_with("user-")).count(), 200);
}

#[test]
fn metrics_are_in_the_text_format() {
    let mut story = Story::applied(TEAM);
    story.edit("recipients: [age1bob]", "recipients: [age1bob], suspended: true");
    let mut status = status(&story);
    status.last_recorded = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
    expect![[r##"
        # HELP certctl_credentials Credentials in the records.
        # TYPE certctl_credentials gauge
        certctl_credentials{roster="acme",cluster="prod",state="active"} 2
        certctl_credentials{roster="acme",cluster="prod",state="superseded"} 0
        certctl_credentials{roster="acme",cluster="prod",state="revoked"} 0
        certctl_credentials{roster="acme",cluster="prod",state="expired"} 0
        # HELP certctl_credential_notes Credentials, and users without one, to which a note of `certctl status` applies.
        # TYPE certctl_credential_notes gauge
        certctl_credential_notes{roster="acme",cluster="prod",note="suspended"} 1
        certctl_credential_notes{roster="acme",cluster="prod",note="to-be-cut-off"} 1
        # HELP certctl_credentials_needing_attention Credentials, and users without one, that somebody has to look at.
        # TYPE certctl_credentials_needing_attention gauge
        certctl_credentials_needing_attention{roster="acme",cluster="prod"} 1
        # HELP certctl_next_expiry_timestamp_seconds When the first active credential expires, as a Unix time.
        # TYPE certctl_next_expiry_timestamp_seconds gauge
        certctl_next_expiry_timestamp_seconds{roster="acme",cluster="prod"} 1769817600
        # HELP certctl_held What is held back until its cause is fixed.
        # TYPE certctl_held gauge
        certctl_held{roster="acme",cluster="prod"} 0
        # HELP certctl_cluster_up Whether the cluster could be read.
        # TYPE certctl_cluster_up gauge
        certctl_cluster_up{roster="acme",cluster="prod"} 1
        # HELP certctl_last_apply_timestamp_seconds When an apply last changed records, as a Unix time.
        # TYPE certctl_last_apply_timestamp_seconds gauge
        certctl_last_apply_timestamp_seconds{roster="acme"} 1767225600
    "##]].assert_eq(&prometheus::render(&status));
}

#[test]
fn the_json_is_what_the_schema_says() {
    let schema = serde_json::from_str(&document::schema()).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let mut story = Story::applied(TEAM);
    story.edit("users:\n", "users:\n- {name: dana, recipients: [age1dana]}\n").edit("age1bob", "age1new");
    let document = serde_json::to_value(document::document(&status(&story))).expect("JSON");
    schema.validate(&document).unwrap_or_else(|error| panic!("{error}\n{document:#}"));
    let bob =
        document["credentials"].as_array().expect("a list").iter().find(|c| c["user"] == "bob").expect("bob");
    assert_eq!(bob["notes"], serde_json::json!(["to-be-cut-off", "undecryptable"]));
    assert_eq!(document["withoutCredential"][0]["user"], "dana");
}
