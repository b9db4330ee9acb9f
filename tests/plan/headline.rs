//! The headline of a commit: what was done, to whom and where, each once.

use std::collections::BTreeMap;

use certctl::apply::record_changes::{self, ClusterWork, Done};
use certctl::plan::ClusterPlan;
use expect_test::expect;

use crate::story::{Story, TEAM};

/// The message of a commit for the same plan on these clusters, on which nothing could be issued.
fn message(story: &Story, clusters: &[&str]) -> String {
    let plans =
        clusters.iter().map(|name| ClusterPlan { name: name.parse().expect("a name"), ..story.plan() });
    let plans: Vec<ClusterPlan> = plans.collect();
    let issued = BTreeMap::new();
    let work = plans.iter().map(|plan| {
        let work = ClusterWork { plan, repository: &story.repository };
        Done { work, issued: &issued, pins: true }
    });
    record_changes::message(&"acme".parse().expect("a name"), work, false)
}

fn headline(story: &Story, clusters: &[&str]) -> String {
    message(story, clusters).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_headline_names_everyone_once_and_the_clusters() {
    let mut story = Story::applied(TEAM);
    story.wait("21d").apply();
    story.edit("- {name: alice, recipients: [age1alice], groups: [developers]}\n", "");
    let text = message(&story, &["prod", "stage"]);
    expect![[r#"
        certctl: revoke alice on prod, stage

        prod:
          revoke alice cd2662154e6d76b2: no longer on the roster
          revoke alice d5688a52d55a02ec: no longer on the roster

        stage:
          revoke alice cd2662154e6d76b2: no longer on the roster
          revoke alice d5688a52d55a02ec: no longer on the roster

        Certctl-Roster: acme
    "#]]
    .assert_eq(&text);
    assert_eq!(headline(&story, &["prod"]), "certctl: revoke alice on prod");
}

#[test]
fn where_names_do_not_fit_they_are_counted() {
    let users = |n: usize| -> String {
        (0..n).map(|i| format!("- {{name: somebody-{i}, recipients: [age1x]}}\n")).collect()
    };
    let mut story = Story::applied(&format!("users:\n{}", users(9)));
    story.yaml = Story::of(&format!("users:\n{}", users(1))).yaml;
    assert_eq!(headline(&story, &["prod", "stage"]), "certctl: revoke 8 on prod, stage");
    let many: Vec<String> = (0..30).map(|i| format!("cluster-{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(headline(&story, &many), "certctl: revoke 8 on 30 clusters");
}

#[test]
fn what_is_no_credential_has_its_own_word() {
    let mut story = Story::of("users: []\n");
    assert_eq!(headline(&story, &["prod"]), "certctl: pin prod");
    story = Story::applied(TEAM);
    story.edit("{name: bob,", "{name: bob, protected: true,");
    assert_eq!(headline(&story, &["prod"]), "certctl: protect bob on prod");
}
