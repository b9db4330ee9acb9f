//! A fault touches what it touches: everybody else's plan goes on, and who must leave leaves.

use certctl::plan::observed::FileKind;
use certctl::plan::{UnreadCluster, Verb};
use certctl::render::{Style, json, text};
use expect_test::expect;

use crate::story::{BOB, Story, TEAM, reads, subject};

const CAROL: &str = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";

/// In one commit bob leaves and carol joins.
fn bob_leaves_and_carol_joins(story: &mut Story) {
    story.edit(BOB, CAROL);
}

#[test]
fn a_namespace_that_is_gone_holds_the_grant_there_and_nobody_else() {
    let mut story = Story::applied(TEAM);
    bob_leaves_and_carol_joins(&mut story);
    story.cluster.state.namespaces.remove("shop");
    story.cluster.state.bindings.retain(|binding| binding.at.namespace.is_none());
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:9:38: namespace `shop`, granted to group `developers`, does not exist on cluster `prod`; nobody is added to a binding there  [missing-namespace]
                  Hint: create it with `kubectl create namespace shop`, or correct the roster
              People
                - revoke  bob    until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
                + issue   carol  until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                bob    - view everywhere  through developers
                carol  + view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 1 to revoke, 1 binding to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert_eq!(story.bound("carol").len(), 1);
    assert_eq!(story.plan().held.len(), 1, "it is told again");
    assert!(story.plan().is_empty());
    // Once it is fixed, the next apply does the rest.
    story.cluster.state.namespaces.insert("shop".into());
    story.apply();
    assert_eq!(story.binding("certctl:developers:edit").subjects.len(), 2);
    assert!(story.plan().is_empty() && story.plan().held.is_empty());
}

#[test]
fn a_namespace_that_is_being_deleted_is_told_as_such() {
    let mut story = Story::of(TEAM);
    story.cluster.state.terminating.insert("shop".into());
    assert!(
        story
            .text()
            .contains("users.yaml:9:38: namespace `shop`, granted to group `developers`, is being deleted"),
        "{}",
        story.text()
    );
    assert_eq!(story.plan().held[0].code(), "terminating-namespace");
    story.apply();
    assert!(story.cluster.state.bindings.iter().all(|binding| binding.at.namespace.is_none()));
}

#[test]
fn a_role_that_is_gone_keeps_nobody_in_and_lets_nobody_in() {
    let mut story = Story::applied(TEAM);
    bob_leaves_and_carol_joins(&mut story);
    story.cluster.state.roles.cluster_roles.remove("edit");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:9:38: ClusterRole `edit`, granted to group `developers`, does not exist on cluster `prod`; nobody is added to RoleBinding shop/certctl:developers:edit  [missing-role]
                  Hint: see `kubectl get clusterroles`, create `edit`, or correct the roster
              People
                - revoke  bob    until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
                + issue   carol  until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                bob    - edit in shop; view everywhere  through developers
                carol  + view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 1 to revoke, 2 bindings to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    let edit = story.binding("certctl:developers:edit").subjects.clone();
    assert!(edit.len() == 1 && edit[0].name.starts_with("certctl:alice:"), "{edit:?}");
    assert!(story.plan().is_empty());
}

#[test]
fn a_foreign_binding_under_our_name_stays_as_it_was() {
    let mut story = Story::applied(TEAM);
    bob_leaves_and_carol_joins(&mut story);
    let theirs = story.binding("certctl:developers:view");
    theirs.labels.clear();
    theirs.subjects = vec![subject("User", "zoe")];
    let theirs = theirs.clone();
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:8:19: ClusterRoleBinding certctl:developers:view on cluster `prod` has the name of one of our bindings and was not made by certctl; it is left as it is, and nobody is added to it  [foreign-binding-name]
                  Hint: look at it with `kubectl get clusterrolebinding certctl:developers:view -o yaml`, then delete or rename it, or put our labels back if it lost them
              People
                - revoke  bob    until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
                + issue   carol  until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                bob    - edit in shop  through developers
                carol  + edit in shop  through developers
              Bindings
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 1 to revoke, 1 binding to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert_eq!(*story.binding("certctl:developers:view"), theirs);
    assert!(story.bound("bob").is_empty());
    assert_eq!(story.bound("carol").len(), 1);
}

/// Parts of a binding that is split: one foreign object holds all of them, and whoever leaves still goes.
#[test]
fn a_split_binding_is_held_as_a_whole() {
    let users = |skip: usize| -> String {
        let line = |i| format!("- {{name: u{i}, recipients: [age1x], groups: [crowd]}}\n");
        (skip..400).map(line).collect()
    };
    let head = "groups: [{name: crowd, grants: [{clusterRole: view}]}]\nusers:\n";
    let mut story = Story::applied(&format!("{head}{}", users(0)));
    let more: String =
        (400..600).map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [crowd]}}\n")).collect();
    let mut theirs = story.binding("certctl:crowd:view").clone();
    (theirs.at.name, theirs.labels, theirs.subjects) =
        ("certctl:crowd:view~1of2".into(), Default::default(), Vec::new());
    story.cluster.state.bindings.push(theirs);
    story.yaml = Story::of(&format!("{head}{}{more}", users(1))).yaml;
    story.apply();
    assert!(story.bound("u0").is_empty());
    assert_eq!(story.binding("certctl:crowd:view").subjects.len(), 399, "nobody has lost anything");
    assert!(story.plan().is_empty());
    story.cluster.state.bindings.retain(|binding| !binding.labels.is_empty());
    story.apply();
    assert!(!story.bound("u1").is_empty() && !story.bound("u599").is_empty());
    assert!(story.plan().is_empty() && story.plan().held.is_empty());
}

#[test]
fn a_record_that_cannot_be_believed_holds_its_person_and_cuts_off_what_no_record_holds() {
    let mut story = Story::applied(TEAM);
    story.yaml += CAROL;
    story.refuses(FileKind::Record, "bob");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! bob's file is broken; nothing is issued to bob  [record-unreadable]
              People
                + issue   carol  until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                Group certctl:bob:cd04a4754498e06d  - edit in shop; view everywhere  through developers
                carol  + edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no record knows it
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no record knows it
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 2 bindings to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert_eq!((story.bound("alice").len(), story.bound("carol").len()), (1, 1));
    assert!(story.record("bob").is_empty(), "nothing was written over it");
    assert_eq!(story.plan().held[0].code(), "record-unreadable");
}

#[test]
fn a_sealed_kubeconfig_that_cannot_be_read_holds_its_persons_renewal_only() {
    let mut story = Story::applied(TEAM);
    story.refuses(FileKind::Sealed, "bob").wait("25d");
    let plan = story.plan();
    let people: Vec<_> = plan.people.iter().map(|action| (action.verb(), action.user().as_str())).collect();
    assert_eq!(people, [(Verb::Renew, "alice")]);
    assert_eq!(plan.held[0].code(), "sealed-unreadable");
    story.apply();
    assert_eq!(story.bound("bob").len(), 1, "what he has stays");
}

/// A cut-off does not wait for the file that only the new credential needs.
/// A group that nothing takes out of a certificate.
const OPS: &str =
    "groups:\n- {name: ops, inCertificate: true, grants: [{clusterRole: view, namespaces: [shop]}]}\n";

#[test]
fn a_broken_csr_stops_no_cut_off() {
    for (from, to) in [
        ("[age1alice, age1phone]", "[age1alice]"),
        ("generation: 1", "generation: 2"),
        ("[developers, ops]", "[developers]"),
    ] {
        let mut story = Story::of(&format!("{OPS}{}", TEAM.trim_start_matches("groups:\n")));
        story.edit(
            "recipients: [age1alice], groups: [developers]",
            "csr: alice.csr, generation: 1, recipients: [age1alice, age1phone], groups: [developers, ops]",
        );
        story.brings("alice", b"alice's", "request").apply();
        story.edit(from, to);
        story.repository.brought_keys.clear();
        story.refuses(FileKind::Request, "alice");
        let plan = story.plan();
        let people: Vec<_> =
            plan.people.iter().map(|action| (action.verb(), action.user().as_str())).collect();
        assert_eq!(people, [(Verb::Revoke, "alice")], "{from} -> {to}");
        assert_eq!(plan.held[0].code(), "key-refused");
        story.apply();
        assert!(story.bound("alice").is_empty() && !story.bound("bob").is_empty());
        assert!(story.plan().is_empty());
        // With a good one, she gets a new credential.
        story.repository.refused_files.clear();
        story.brings("alice", b"alice's new one", "another request").apply();
        assert_eq!(story.bound("alice").len(), 1);
    }
}

#[test]
fn a_cluster_that_was_not_read_stands_in_each_format_and_the_sum_does_not_speak_for_it() {
    let story = Story::applied(TEAM);
    let mut plan = story.whole();
    plan.unread.push(UnreadCluster { name: "stage".parse().expect("a name"), error: "it is down".into() });
    expect![[r#"
        Cluster prod
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

        Cluster stage
          ! not planned  it is down

        Nothing to do on prod; nothing is known of stage.
    "#]]
    .assert_eq(&text::render(&plan, "sha256:0", Style::default()));
    let digested = certctl::plan::digest::digested(&plan);
    let document = json::text(&json::document(&plan, "sha256:0", digested));
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["clusters"][1]["name"], "stage");
    assert_eq!(document["clusters"][1]["error"], "it is down");
    assert!(document["clusters"][0].get("error").is_none());
}
