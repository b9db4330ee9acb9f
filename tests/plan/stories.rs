use std::collections::BTreeSet;

use certctl::apply::machine::{Event, Phase};
use certctl::plan::Verb;
use certctl::plan::observed::FileKind;
use certctl::render::binding;
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};
use expect_test::expect;

use crate::story::{Story, TEAM, ours, reads, request, subject};
use crate::world::{Course, Fault};

#[test]
fn nothing_to_do() {
    let story = Story::applied(TEAM);
    assert!(story.plan().is_empty());
    reads(
        &story,
        expect![[r#"
        Cluster prod
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

        Nothing to do: the clusters are as the roster says.
    "#]],
    );
}

#[test]
fn the_first_apply() {
    reads(
        &Story::of(TEAM),
        expect![[r#"
            Cluster prod
              People
                + issue   alice  until 2026-01-31 00:00Z (30d)  new on the roster
                + issue   bob    until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                alice, bob  + edit in shop; view everywhere  through developers
              Bindings
                + bind    ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:alice:(to be issued)  once it is issued and recorded
                          + Group certctl:bob:(to be issued)    once it is issued and recorded
                + bind    RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:alice:(to be issued)  once it is issued and recorded
                          + Group certctl:bob:(to be issued)    once it is issued and recorded

            Plan: 2 to issue, 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
}

/// A team in which this many people are in one group.
fn many(people: usize, group: &str) -> String {
    let people =
        (0..people).map(|n| format!("- {{name: user-{n}, recipients: [age1user{n}], groups: [{group}]}}\n"));
    format!(
        "groups: [{{name: {group}, grants: [{{clusterRole: view}}]}}]\nusers:\n{}",
        people.collect::<String>()
    )
}

#[test]
fn whoever_a_binding_says_the_same_of_is_one_line() {
    let bindings = |story: &Story| -> String {
        let text = story.text();
        let (_, bindings) = text.split_once("  Bindings\n").expect("there are some");
        let lines = bindings.lines().take_while(|line| line.starts_with("    "));
        lines.map(|line| format!("{}\n", &line[4..])).collect()
    };
    let mut story = Story::of(&many(10, "developers"));
    expect![[r#"
        + bind    ClusterRoleBinding certctl:developers:view  to ClusterRole view
                  + 10 of group developers  once it is issued and recorded
    "#]]
    .assert_eq(&bindings(&story));
    story.apply();

    // A group gets another name, while somebody leaves, and somebody was put in by hand.
    story.yaml = Story::of(&many(9, "engineers")).yaml;
    let binding = story.cluster.state.bindings.first_mut().expect("a binding");
    binding.subjects.extend((0..5).map(|n| subject("User", &format!("mallory-{n}"))));
    expect![[r#"
        - unbind  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                  - 9 of group developers                  no longer granted
                  - Group certctl:user-9:8d85f8467240628a  no longer on the roster
                  - User mallory-0                         added by hand; certctl binds only credential groups
                  - User mallory-1                         added by hand; certctl binds only credential groups
                  - User mallory-2                         added by hand; certctl binds only credential groups
                  - User mallory-3                         added by hand; certctl binds only credential groups
                  - User mallory-4                         added by hand; certctl binds only credential groups
        + bind    ClusterRoleBinding certctl:engineers:view  to ClusterRole view
                  + 9 of group engineers  recorded, and not bound
    "#]]
    .assert_eq(&bindings(&story));

    // Three are few enough to be named.
    let few = Story::of(&many(3, "developers"));
    assert_eq!(bindings(&few).matches("(to be issued)").count(), 3);
}

#[test]
fn a_long_name_is_cut_in_its_group_alone() {
    const LONG: &str = "maria.magdalena.von-und-zu@department.of.something.example.org.x";
    let entry = format!("- {{name: {LONG}, recipients: [age1maria], groups: [developers]}}\n");
    let body = format!("groups: [{{name: developers, grants: [{{clusterRole: view}}]}}]\nusers:\n{entry}");
    let mut story = Story::applied(&body);
    let bound = |story: &Story| -> Vec<String> {
        let subjects = story.cluster.state.bindings.iter().flat_map(|binding| &binding.subjects);
        subjects.map(|subject| subject.name.clone()).collect()
    };
    let [first] = bound(&story).try_into().expect("one subject");
    assert!(first.len() == 64 && first.starts_with("certctl:maria.magdalena.von-und-zu@dep~"), "{first}");
    assert!(story.plan().is_empty());

    // A renewal overlaps, and both leave with their owner.
    story.wait("21d").apply();
    assert_eq!(bound(&story).len(), 2);
    assert!(story.plan().is_empty());
    let mut left = story.clone();
    left.yaml = Story::of("users: []").yaml;
    let plan = left.plan();
    assert!(plan.people.iter().all(|action| (action.user().as_str(), action.verb()) == (LONG, Verb::Revoke)));
    assert_eq!(plan.losing.keys().map(|user| user.as_str()).collect::<Vec<_>>(), [LONG]);
    left.apply();
    assert_eq!(bound(&left), [""; 0]);

    // Whose record is lost is known by the roster; who is gone from both, by what the cluster remembers.
    story.repository.records.clear();
    let losing =
        |story: &Story| story.plan().losing.into_keys().map(|user| user.to_string()).collect::<Vec<_>>();
    assert_eq!(losing(&story), [LONG]);
    story.yaml = Story::of("users: []").yaml;
    assert_eq!(losing(&story), [first["certctl:".len()..].rsplit_once(':').expect("an id").0]);
}

#[test]
fn someone_joins_and_each_binding_is_written_once() {
    let mut story = Story::applied(TEAM);
    story.yaml +=
        "- {name: carol, recipients: [age1carol], groups: [developers], key: rsa-4096, validity: 12h}\n";
    reads(
        &story,
        expect![[r#"
            Cluster prod
              People
                + issue   carol  until 2026-01-01 12:00Z (12h)  new on the roster
              Access
                carol  + edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    assert_eq!(story.plan().bindings.len(), 2);
}

#[test]
fn someone_leaves() {
    let mut story = Story::applied(TEAM);
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
              Access
                bob  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to revoke, 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert_eq!(story.record("bob").len(), 1, "remembered until it expires");
    assert!(story.plan().is_empty());
}

#[test]
fn someone_is_suspended_and_let_in_again_with_a_new_credential() {
    let mut story = Story::applied(TEAM);
    let old = story.bound("alice");
    story.edit("{name: alice,", "{name: alice, suspended: true,");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              People
                - revoke  alice  until 2026-01-31 00:00Z (30d)  suspended; cd2662154e6d76b2 keeps only what system:authenticated may do
              Access
                alice  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:alice:cd2662154e6d76b2  suspended
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:alice:cd2662154e6d76b2  suspended
              The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to revoke, 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("alice").is_empty());
    assert!(story.plan().is_empty(), "nothing is issued to them");
    story.wait("21d").apply();
    assert!(story.bound("alice").is_empty() && story.bound("bob").len() == 2);

    story.edit("suspended: true", "suspended: false").apply();
    assert!(story.bound("alice").len() == 1 && story.bound("alice").is_disjoint(&old));
    assert!(story.plan().is_empty());
}

/// Their key is known to be cut off, and says so only to whoever gets something new.
#[test]
fn someone_with_their_own_key_is_suspended_and_needs_another_key() {
    let mut story = Story::of(TEAM);
    story.edit("recipients: [age1alice]", "recipients: [age1alice], csr: alice.csr");
    story.brings("alice", b"first", "request").apply();
    story.edit("{name: alice,", "{name: alice, suspended: true,").apply();
    assert!(story.bound("alice").is_empty() && story.plan().held.is_empty());
    story.edit("suspended: true", "suspended: false");
    assert_eq!(story.plan().held[0].code(), "key-refused");
    story.brings("alice", b"second", "another request").apply();
    assert_eq!(story.bound("alice").len(), 1);
}

/// Just above the sum, and so above the question of apply.
#[test]
fn full_control_stands_out_with_its_cluster_once() {
    let mut story = Story::of(
        "groups: [{name: admins, grants: [{clusterRole: cluster-admin}, {clusterRole: cluster-admin, namespaces: [shop]}]}]\n\
         users:\n- {name: alice, recipients: [age1alice], groups: [admins]}\n- {name: bob, recipients: [age1bob], groups: [admins]}\n",
    );
    let said =
        "! FULL CONTROL of namespace shop of prod, prod for alice, bob  (ClusterRole cluster-admin)\nPlan: ";
    assert!(story.text().contains(said), "{}", story.text());
    assert_eq!(story.text().matches("FULL CONTROL").count(), 1);
    let markdown = markdown::render(&story.whole(), PlanStatus::default(), LONGEST_COMMENT);
    let said = "**Full control: `ClusterRole cluster-admin` for `alice` and `bob`** on `namespace shop of prod` and `prod`.";
    assert!(markdown.contains(said), "{markdown}");
    story.apply();
    assert!(!story.text().contains("FULL CONTROL"), "nobody newly gets it");
}

#[test]
fn the_last_one_leaves_and_the_bindings_go() {
    let mut story = Story::applied(TEAM);
    story.edit("alice, recipients: [age1alice], groups: [developers]", "alice, recipients: [age1alice]");
    story.edit("bob, recipients: [age1bob], groups: [developers]", "bob, recipients: [age1bob]");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Access
                alice, bob  - edit in shop; view everywhere  through developers
              Bindings
                - unbind  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:alice:cd2662154e6d76b2  no longer granted
                          - Group certctl:bob:cd04a4754498e06d    no longer granted
                - unbind  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:alice:cd2662154e6d76b2  no longer granted
                          - Group certctl:bob:cd04a4754498e06d    no longer granted
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.cluster.state.bindings.is_empty());
}

#[test]
fn someone_comes_back_and_the_old_certificate_stays_without_rights() {
    let mut story = Story::applied(TEAM);
    let old = story.bound("bob");
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "").apply();
    story.yaml += "- {name: bob, recipients: [age1bob], groups: [developers]}\n";
    reads(
        &story,
        expect![[r#"
            Cluster prod
              People
                + issue   bob  until 2026-01-31 00:00Z (30d)  what they had is revoked and stays revoked
              Access
                bob  + edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:bob:(to be issued)  once it is issued and recorded
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:bob:(to be issued)  once it is issued and recorded
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert_eq!(story.bound("bob").len(), 1);
    assert!(story.bound("bob").is_disjoint(&old));
    assert!(story.plan().is_empty());
}

#[test]
fn a_leaked_key_is_rotated() {
    let mut story = Story::applied(TEAM);
    let (alice, bob) = (story.bound("alice"), story.bound("bob"));
    story.edit("[age1alice]", "[age1alice], generation: 2");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          People
            * rotate  alice  until 2026-01-31 00:00Z (30d)  generation raised from 1 to 2; cd2662154e6d76b2 is cut off
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

        Plan: 1 to rotate, 2 bindings to write.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert!(story.bound("alice").is_disjoint(&alice));
    assert_eq!(story.bound("bob"), bob, "bob never noticed");
    assert!(story.plan().is_empty());
}

#[test]
fn a_recipient_is_swapped_and_it_cannot_be_overlooked() {
    let mut story = Story::applied(TEAM);
    story.edit("age1alice", "age1mallory");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          ! warning  alice's recipients changed: whoever holds the new key gets alice's access; make sure that alice asked for it  [recipient-changed]
          People
            * rotate  alice  until 2026-01-31 00:00Z (30d)  RECIPIENT CHANGED: 1 removed, 1 added; cd2662154e6d76b2 is cut off
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  RECIPIENT CHANGED: 1 removed, 1 added
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  RECIPIENT CHANGED: 1 removed, 1 added
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

        Plan: 1 to rotate, 2 bindings to write, 1 warning.
        Digest: sha256:0
    "#]],
    );
}

#[test]
fn a_second_recipient_overlaps() {
    let mut story = Story::applied(TEAM);
    story.edit("[age1alice]", "[age1alice, age1laptop]").apply();
    assert_eq!(story.bound("alice").len(), 2);
    assert!(story.plan().is_empty());
}

#[test]
fn another_kind_of_key() {
    let mut story = Story::applied(TEAM);
    story.edit("[age1alice]", "[age1alice], key: ed25519");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          People
            * rotate  alice  until 2026-01-31 00:00Z (30d)  key changed from ecdsa-p256 to ed25519; cd2662154e6d76b2 is cut off
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  key changed from ecdsa-p256 to ed25519
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  key changed from ecdsa-p256 to ed25519
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

        Plan: 1 to rotate, 2 bindings to write.
        Digest: sha256:0
    "#]],
    );
}

#[test]
fn a_renewal_overlaps_and_ends_with_one_living_credential() {
    let mut story = Story::applied(TEAM);
    // 30 days from five minutes ago: two thirds are over at 20 days less 100 seconds.
    story.wait("19d 23h 58m 19s");
    assert!(story.plan().is_empty());
    story.wait("1s");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Renewals
            ~ renew   alice  until 2026-02-19 23:58Z (30d)  two thirds of its lifetime passed at 2026-01-20T23:58:20Z; cd2662154e6d76b2 stays bound until it expires
            ~ renew   bob    until 2026-02-19 23:58Z (30d)  two thirds of its lifetime passed at 2026-01-20T23:58:20Z; cd04a4754498e06d stays bound until it expires
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)  once it is issued and recorded
                      + Group certctl:bob:(to be issued)    once it is issued and recorded
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)  once it is issued and recorded
                      + Group certctl:bob:(to be issued)    once it is issued and recorded

        Plan: 2 to renew, 2 bindings to write.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert_eq!(story.bound("alice").len(), 2);
    assert!(story.plan().is_empty());
    story.wait("10d 1h");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      - Group certctl:alice:cd2662154e6d76b2  it expired
                      - Group certctl:bob:cd04a4754498e06d    it expired
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      - Group certctl:alice:cd2662154e6d76b2  it expired
                      - Group certctl:bob:cd04a4754498e06d    it expired
          Clean-up
            - alice's credential cd2662154e6d76b2 expired at 2026-01-31T00:00:00Z; forget it
            - bob's credential cd04a4754498e06d expired at 2026-01-31T00:00:00Z; forget it
          The next renewal, alice's, falls due 2026-02-09 23:56Z, in 10d.

        Plan: 2 bindings to write, 2 left-overs to clean up.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert_eq!(story.bound("alice").len(), 1);
    assert_eq!(story.record("alice").len(), 1);
    assert!(story.plan().is_empty());
}

#[test]
fn a_credential_that_outlives_its_successor_is_renewed_and_can_be_cut_off() {
    let mut story = Story::applied(TEAM);
    story.edit("recipients: [age1alice]", "validity: 1d, recipients: [age1alice, age1phone]");
    story.apply();
    story.wait("2d");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Renewals
            ~ renew   alice  until 2026-01-04 00:00Z (24h)  the last one expired at 2026-01-02T00:00:00Z; cd2662154e6d76b2 stays bound until it expires
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:d5688a52d55a02ec  it expired
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:d5688a52d55a02ec  it expired
          Clean-up
            - alice's credential d5688a52d55a02ec expired at 2026-01-02T00:00:00Z; forget it
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 18d.

        Plan: 1 to renew, 2 bindings to write, 1 left-over to clean up.
        Digest: sha256:0
    "#]],
    );
    // The newest that she has is a superseded one, and it goes at once.
    story.edit("validity: 1d", "validity: 1d, generation: 2");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          People
            * rotate  alice  until 2026-01-04 00:00Z (24h)  generation raised from 1 to 2; cd2662154e6d76b2 is cut off
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
                      - Group certctl:alice:d5688a52d55a02ec  it expired
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
                      - Group certctl:alice:d5688a52d55a02ec  it expired
          Clean-up
            - alice's credential d5688a52d55a02ec expired at 2026-01-02T00:00:00Z; forget it
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 18d.

        Plan: 1 to rotate, 2 bindings to write, 1 left-over to clean up.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert_eq!(story.bound("alice").len(), 1);
    assert!(story.plan().is_empty());
}

#[test]
fn nobody_looked_for_months() {
    let mut story = Story::applied(TEAM);
    story.wait("90d");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Renewals
            ~ renew   alice  until 2026-05-01 00:00Z (30d)  the last one expired at 2026-01-31T00:00:00Z
            ~ renew   bob    until 2026-05-01 00:00Z (30d)  the last one expired at 2026-01-31T00:00:00Z
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  it expired
                      + Group certctl:bob:(to be issued)      once it is issued and recorded
                      - Group certctl:bob:cd04a4754498e06d    it expired
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)    once it is issued and recorded
                      - Group certctl:alice:cd2662154e6d76b2  it expired
                      + Group certctl:bob:(to be issued)      once it is issued and recorded
                      - Group certctl:bob:cd04a4754498e06d    it expired
          Clean-up
            - alice's credential cd2662154e6d76b2 expired at 2026-01-31T00:00:00Z; forget it
            - bob's credential cd04a4754498e06d expired at 2026-01-31T00:00:00Z; forget it

        Plan: 2 to renew, 2 bindings to write, 2 left-overs to clean up.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert!(story.plan().is_empty());
}

#[test]
fn a_server_that_moved_needs_new_kubeconfigs_but_cuts_nobody_off() {
    let mut story = Story::applied(TEAM);
    story.cluster.published.endpoint.server = "https://new.example.com:6443".into();
    let old = story.bound("alice");
    story.apply();
    assert!(story.bound("alice").is_superset(&old));
    assert!(story.plan().is_empty());
}

#[test]
fn access_ends_with_until() {
    let mut story = Story::of(&TEAM.replace("[age1bob]", "[age1bob], until: 2026-01-20"));
    story.apply();
    assert_eq!(story.record("bob")[0].not_after.to_string(), "2026-01-21T00:00:00Z", "capped");
    story.wait("13d 23h");
    assert!(story.plan().is_empty());
    story.wait("1h");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          ! warning  bob's access ends at 2026-01-21T00:00:00Z  [until-soon]
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 6d.

        Nothing to do: the clusters are as the roster says.
    "#]],
    );
    // The last day has passed: nothing is renewed, all of it goes, and a past date is no error.
    story.wait("5d 23h 59m 59s");
    assert!(story.plan().people.iter().all(|action| action.user().as_str() != "bob"));
    story.wait("1s");
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Renewals
            ~ renew   alice  until 2026-02-20 00:00Z (30d)  two thirds of its lifetime passed at 2026-01-20T23:58:20Z; cd2662154e6d76b2 stays bound until it expires
          Bindings
            ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                      + Group certctl:alice:(to be issued)  once it is issued and recorded
                      - Group certctl:bob:cd04a4754498e06d  it expired
            ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                      + Group certctl:alice:(to be issued)  once it is issued and recorded
                      - Group certctl:bob:cd04a4754498e06d  it expired
          Clean-up
            - bob's credential cd04a4754498e06d expired at 2026-01-21T00:00:00Z; forget it

        Plan: 1 to renew, 2 bindings to write, 1 left-over to clean up.
        Digest: sha256:0
    "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert!(story.plan().is_empty());
}

#[test]
fn a_membership_and_a_grant_end() {
    let body = TEAM
        .replace(
            "bob, recipients: [age1bob], groups: [developers]",
            "bob, recipients: [age1bob], groups: [{name: developers, until: 2026-01-10}]",
        )
        .replace("{clusterRole: view}", "{clusterRole: view, until: 2026-01-15}");
    let mut story = Story::applied(&body);
    story.wait("10d");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  group developers's ClusterRole view ends at 2026-01-16T00:00:00Z  [until-soon]
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  its `until` has passed
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  its `until` has passed
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 10d.

            Plan: 2 bindings to write, 1 warning.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    story.wait("5d");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Bindings
                - unbind  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:alice:cd2662154e6d76b2  its `until` has passed
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 5d.

            Plan: 1 binding to write.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn drift_is_repaired() {
    let mut story = Story::applied(TEAM);
    story.binding("certctl:developers:edit").subjects.push(subject("User", "mallory"));
    let first = story.binding("certctl:developers:view").subjects.remove(0);
    assert!(first.name.starts_with("certctl:alice:"));
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Access
                alice  + view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:alice:cd2662154e6d76b2  recorded, and not bound
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - User mallory  added by hand; certctl binds only credential groups
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
    let diff =
        story.plan().bindings.iter().map(|b| binding::unified(&b.diff())).collect::<Vec<_>>().join("\n");
    expect![[r#"
        --- ClusterRoleBinding certctl:developers:view in the cluster
        +++ by the roster
        @@ -1 +1,2 @@
         - Group certctl:bob:cd04a4754498e06d
        +- Group certctl:alice:cd2662154e6d76b2

        --- RoleBinding shop/certctl:developers:edit in the cluster
        +++ by the roster
        @@ -2,2 +2 @@
         - Group certctl:bob:cd04a4754498e06d
        -- User mallory
    "#]]
    .assert_eq(&diff);
    story.apply();
    assert!(story.plan().is_empty());
}

#[test]
fn a_binding_that_points_to_another_role_is_made_again() {
    let mut story = Story::applied(TEAM);
    story.binding("certctl:developers:view").role_name = "admin".into();
    let plan = story.plan();
    assert!(plan.bindings[0].recreate);
    assert_eq!(plan.bindings[0].reduced.as_ref().map(|r| r.len()), Some(0));
}

#[test]
fn what_the_cluster_lacks_is_named_at_its_place() {
    let mut story = Story::of(TEAM);
    story.edit("[shop]", "[shop, nowhere]").edit("clusterRole: view", "clusterRole: wiew");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:8:19: ClusterRole `wiew`, granted to group `developers`, does not exist on cluster `prod`; nobody is added to ClusterRoleBinding certctl:developers:wiew  [missing-role]
                  Hint: did you mean `view`?
                  Hint: see `kubectl get clusterroles`, create `wiew`, or correct the roster
                ! users.yaml:9:44: namespace `nowhere`, granted to group `developers`, does not exist on cluster `prod`; nobody is added to a binding there  [missing-namespace]
                  Hint: create it with `kubectl create namespace nowhere`, or correct the roster
              People
                + issue   alice  until 2026-01-31 00:00Z (30d)  new on the roster
                + issue   bob    until 2026-01-31 00:00Z (30d)  new on the roster
              Access
                alice, bob  + edit in shop  through developers
              Bindings
                + bind    RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:alice:(to be issued)  once it is issued and recorded
                          + Group certctl:bob:(to be issued)    once it is issued and recorded

            Plan: 2 to issue, 1 binding to write, 2 held back.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn another_cluster_behind_the_name_is_refused() {
    let mut story = Story::applied(TEAM);
    story.cluster.state.uid = "uid-other".into();
    reads(
        &story,
        expect![[r#"
        Error: cluster `prod` is not the one that its records are about: access/prod/cluster.yaml pins uid-prod, the cluster says uid-other; nothing was planned
          Hint: if the context leads to the wrong cluster, set `context:` of cluster `prod` in the roster
          Hint: if the cluster was replaced for good, `git rm -r access/prod` and commit: everyone gets new credentials
    "#]],
    );
}

#[test]
fn foreign_things_are_named_and_left_alone() {
    let mut story = Story::applied(TEAM);
    let credential = story.bound("alice").pop_first().expect("bound");
    let mut theirs = story.binding("certctl:developers:view").clone();
    theirs.labels.clear();
    theirs.at.name = "theirs".into();
    theirs.subjects = vec![subject("Group", &credential), subject("User", "bob")];
    story.cluster.state.bindings.push(theirs);
    story.cluster.state.requests.push(request("planted", "alice", &["whatever"]));
    story.cluster.state.requests.push(request("grouped", "zoe", &["certctl:zoe:0000000000000000"]));
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  ClusterRoleBinding theirs is not ours and gives ClusterRole view to user bob; every certificate of theirs keeps these rights, revoked ones too  [foreign-binding]
              ! warning  ClusterRoleBinding theirs is not ours and names certctl:alice:cd2662154e6d76b2; certctl takes it out only if it issued that credential, once it is cut off  [foreign-binding]
              ! warning  CertificateSigningRequest grouped by mallory claims group certctl:zoe:0000000000000000; it is not ours, do not approve it  [foreign-csr]
              ! warning  CertificateSigningRequest planted by mallory claims user alice; it is not ours, do not approve it  [foreign-csr]
              no changes
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Nothing to do: the clusters are as the roster says.
        "#]],
    );
    assert!(story.plan().is_empty());
}

#[test]
fn a_foreign_binding_under_our_name_is_held_and_left_alone() {
    let mut story = Story::applied(TEAM);
    story.binding("certctl:developers:view").labels.clear();
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:8:19: ClusterRoleBinding certctl:developers:view on cluster `prod` has the name of one of our bindings and was not made by certctl; it is left as it is, and nobody is added to it  [foreign-binding-name]
                  Hint: look at it with `kubectl get clusterrolebinding certctl:developers:view -o yaml`, then delete or rename it, or put our labels back if it lost them
              ! warning  ClusterRoleBinding certctl:developers:view is not ours and names certctl:alice:cd2662154e6d76b2; certctl takes it out only if it issued that credential, once it is cut off  [foreign-binding]
              ! warning  ClusterRoleBinding certctl:developers:view is not ours and names certctl:bob:cd04a4754498e06d; certctl takes it out only if it issued that credential, once it is cut off  [foreign-binding]
              no changes
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 held back, 2 warnings.
        "#]],
    );
    story.binding("certctl:developers:view").labels = ours();
    story.binding("certctl:developers:view").labels.insert("certctl.dev/roster".into(), "beta".into());
    assert!(story.text().contains("belongs to roster `beta`"));
}

#[test]
fn a_group_in_the_certificate_is_warned_about_twice() {
    let body = TEAM.replace("- name: developers\n", "- name: developers\n  inCertificate: true\n");
    let mut story = Story::of(&body);
    assert!(story.text().contains("[in-certificate]"));
    story.apply();
    let mut theirs = story.binding("certctl:developers:view").clone();
    theirs.labels.clear();
    theirs.at.name = "legacy".into();
    theirs.subjects = vec![subject("Group", "developers")];
    story.cluster.state.bindings.push(theirs);
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  bob's credential cd04a4754498e06d keeps access until 2026-01-31T00:00:00Z through ClusterRoleBinding legacy, which names group `developers`  [access-remains]
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d is cut off, but KEEPS ACCESS through 1 binding of others
              Access
                bob  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to revoke, 2 bindings to write, 1 warning.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn a_sealed_file_that_is_not_ours_is_named() {
    let mut story = Story::applied(TEAM);
    story.repository.sealed.insert("alice".parse().expect("a name"), "other".into());
    story.repository.sealed.remove(&"bob".parse().expect("a name"));
    reads(
        &story,
        expect![[r#"
        Cluster prod
          ! warning  access/prod/alice.kubeconfig.age is not the file that certctl wrote; alice must not use it: `git log -- access/prod/alice.kubeconfig.age`, then `certctl rotate alice`  [sealed-changed]
          ! warning  access/prod/bob.kubeconfig.age is gone, so bob cannot decrypt; restore it from git, or `certctl rotate bob`  [sealed-missing]
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

        Nothing to do: the clusters are as the roster says.
    "#]],
    );
}

#[test]
fn a_request_left_by_an_interrupted_run_is_cleaned_up() {
    let mut story = Story::applied(TEAM);
    let mut left = request("certctl-acme-00", "alice", &["certctl:alice:0000000000000000"]);
    left.labels = ours();
    left.requester = "certctl".into();
    story.cluster.state.requests.push(left);
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Clean-up
                - CertificateSigningRequest certctl-acme-00 by certctl has no matching credential record: it was left by an interrupted apply, or another apply is running
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 left-over to clean up.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.plan().is_empty());
}

#[test]
fn past_500_subjects_a_binding_is_split_and_nobody_loses_access_on_the_way() {
    let team = |n: usize| {
        let users: String =
            (0..n).map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [all]}}\n")).collect();
        format!("groups: [{{name: all, grants: [{{clusterRole: view}}]}}]\nusers:\n{users}")
    };
    let mut story = Story::applied(&team(500));
    assert_eq!(story.cluster.state.bindings.len(), 1);
    story.yaml = Story::of(&team(1100)).yaml;
    let plan = story.plan();
    let old = plan.bindings.iter().find(|b| b.at.name == "certctl:all:view").expect("the old one");
    assert!(old.goes_last && old.reduced.is_none(), "it goes only when the parts hold everyone");
    story.apply();
    assert!(story.cluster.state.bindings.iter().all(|b| b.subjects.len() <= 500));
    assert_eq!(story.cluster.state.bindings.iter().map(|b| b.subjects.len()).sum::<usize>(), 1100);
    assert!(story.plan().is_empty());
}

#[test]
fn the_request_of_a_credential_that_is_forgotten_goes_with_it() {
    let mut story = Story::applied(&TEAM.replace("[developers]", "[developers], validity: 10m"));
    let mut issued = request("certctl-acme-00", "alice", &[]);
    (issued.labels, issued.requester, issued.issued) = (ours(), "certctl".into(), true);
    issued.key = Some(story.record("alice")[0].id.clone());
    story.cluster.state.requests.push(issued);
    assert!(story.plan().is_empty());
    story.wait("11m");
    let cleanups = story.plan().cleanups;
    assert!(cleanups.iter().any(|c| matches!(c, certctl::plan::Cleanup::Request { .. })), "{cleanups:?}");
}

#[test]
fn a_request_dressed_up_as_ours_is_named_and_not_cleaned_up() {
    let mut story = Story::applied(TEAM);
    let id = story.record("alice")[0].id.clone();
    let mut dressed = request("certctl-acme-11", "alice", &["certctl:alice:0000000000000000"]);
    dressed.labels = ours();
    let mut another_roster = dressed.clone();
    another_roster.name = "certctl-beta-11".into();
    another_roster.labels.insert("certctl.dev/roster".into(), "beta".into());
    // Issued, and for a key that the records know: what another identity's apply leaves behind.
    let mut done = dressed.clone();
    done.name = "certctl-acme-12".into();
    done.issued = true;
    done.key = Some(id.clone());
    // The same, but for another key under the group of alice's.
    let mut stolen = done.clone();
    stolen.name = "certctl-acme-13".into();
    stolen.organizations = vec![format!("certctl:alice:{id}")];
    stolen.key = Some(certctl::model::CredentialId::of_public_key(b"mallory's"));
    story.cluster.state.requests = vec![dressed, another_roster, done, stolen];
    reads(
        &story,
        expect![[r#"
        Cluster prod
          ! warning  CertificateSigningRequest certctl-acme-11 has our labels, claims user alice, and was made by mallory, not by certctl; do not approve it: it is planted, or that identity's apply left it and cleans it up  [foreign-csr]
          ! warning  CertificateSigningRequest certctl-acme-13 has our labels, claims user alice, and was made by mallory, not by certctl; do not approve it: it is planted, or that identity's apply left it and cleans it up  [foreign-csr]
          ! warning  CertificateSigningRequest certctl-beta-11 by mallory claims user alice; it is not ours, do not approve it  [foreign-csr]
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

        Nothing to do: the clusters are as the roster says.
    "#]],
    );
    assert!(story.plan().is_empty());
}

#[test]
fn a_brought_key_is_renewed_under_the_same_group() {
    let mut story = Story::of(TEAM);
    story.edit(
        "{name: alice, recipients: [age1alice]",
        "{name: alice, csr: alice.csr, recipients: [age1alice]",
    );
    story.brings("alice", b"alice's", "request");
    story.apply();
    let (bound, id) = (story.bound("alice"), story.record("alice")[0].id.clone());
    story.wait("25d");
    let plan = story.plan();
    assert!(plan.people.iter().any(|action| action.user().as_str() == "alice"), "its renewal is due");
    story.apply();
    assert_eq!(story.bound("alice"), bound);
    assert_eq!(story.record("alice").len(), 1);
    assert_eq!(story.record("alice")[0].id, id);
    assert!(story.plan().is_empty());

    // Nothing secret is sealed beside it: another recipient, or the request made anew, cuts nothing off.
    story.edit("age1alice", "age1laptop");
    story.brings("alice", b"alice's", "made anew");
    let plan = story.plan();
    assert_eq!((plan.people.len(), plan.people[0].verb(), plan.bindings.len()), (1, Verb::Renew, 0));
    story.apply();
    assert!(story.plan().is_empty());
}

#[test]
fn a_key_that_is_or_has_to_be_cut_off_cannot_be_brought() {
    let mut story = Story::of(TEAM);
    story.edit(
        "{name: alice, recipients: [age1alice]",
        "{name: alice, csr: alice.csr, recipients: [age1alice]",
    );
    story.brings("alice", b"alice's", "request");
    story.apply();
    let key = story.record("alice")[0].id.clone();

    // A raised generation with the same key would cut nothing off.
    story.edit("csr: alice.csr", "csr: alice.csr, generation: 2");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:11:10: user `alice`'s csr brings the public key of the credential 339f694afaae46da that is to be cut off (generation raised from 1 to 2); nothing is issued to alice on cluster `prod`  [key-refused]
                  Hint: a certificate cannot be taken back from its key, so make a new key, e.g. `openssl ecparam -genkey -name prime256v1 -noout -out KEY`, and a new csr with it for alice
              People
                - revoke  alice  until 2026-01-31 00:00Z (30d)  generation raised from 1 to 2; 339f694afaae46da keeps only what system:authenticated may do
              Access
                alice  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:alice:339f694afaae46da  generation raised from 1 to 2
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:alice:339f694afaae46da  generation raised from 1 to 2
              The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to revoke, 2 bindings to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.brings("alice", b"alice's new one", "another request");
    story.apply();
    assert!(story.plan().is_empty());

    // Revoked now: neither she nor anybody else brings it back.
    story.brings("alice", b"alice's", "request");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:11:10: user `alice`'s csr brings the public key of alice's revoked credential 339f694afaae46da; nothing is issued to alice on cluster `prod`  [key-refused]
                  Hint: a certificate cannot be taken back from its key, so make a new key, e.g. `openssl ecparam -genkey -name prime256v1 -noout -out KEY`, and a new csr with it for alice
              no changes
              The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 held back.
        "#]],
    );
    story.brings("alice", b"alice's new one", "another request");
    story.edit("{name: bob, ", "{name: bob, csr: bob.csr, ");
    story.brings("bob", b"alice's", "bob's request");
    assert!(
        story
            .text()
            .contains(&format!("user `bob`'s csr brings the public key of alice's revoked credential {key}"))
    );
    story.brings("bob", b"alice's new one", "bob's request");
    assert!(story.text().contains("user `bob`'s csr brings the public key of alice's credential"));
    // Nor when its certificate has expired, while somebody's line brings it: only what nobody brings is forgotten.
    story.brings("bob", b"alice's", "bob's request");
    story.wait("40d").apply();
    assert!(story.text().contains("user `bob`'s csr brings the public key of alice's revoked credential"));
    story.brings("bob", b"bob's own", "bob's request").apply();
    story.brings("bob", b"alice's", "bob's request");
    assert!(story.plan().held.is_empty());
}

/// Their time is over, and their line still stands in the roster: nobody else's plan stops for it.
#[test]
fn a_key_that_was_cut_off_stops_no_plan_once_its_owner_gets_nothing_more() {
    let mut story = Story::of(TEAM);
    story.edit("{name: bob, ", "{name: bob, csr: bob.csr, ");
    story.brings("bob", b"bob's", "request").apply();
    story.edit("csr: bob.csr, ", "csr: bob.csr, until: 2025-12-31, ").apply();
    assert!(story.bound("bob").is_empty() && story.plan().is_empty());
    story.edit("until: 2025-12-31", "until: 2026-12-31");
    assert!(story.text().contains("user `bob`'s csr brings the public key of bob's revoked credential"));
}

#[test]
fn a_certificate_ends_with_the_membership_that_is_written_into_it() {
    let body = TEAM.replace("- name: developers\n", "- name: developers\n  inCertificate: true\n").replace(
        "bob, recipients: [age1bob], groups: [developers]",
        "bob, recipients: [age1bob], groups: [{name: developers, until: 2026-01-10}]",
    );
    let story = Story::applied(&body);
    assert_eq!(story.record("bob")[0].not_after.to_string(), "2026-01-11T00:00:00Z");
    assert_eq!(story.record("alice")[0].not_after.to_string(), "2026-01-31T00:00:00Z");
}

#[test]
fn a_roleref_that_was_changed_is_in_the_plan_and_in_its_digest() {
    let mut story = Story::applied(TEAM);
    let empty = story.digest();
    story.binding("certctl:developers:view").role_name = "admin".into();
    let text = story.text();
    assert!(
        text.contains("- roleRef ClusterRole admin") && text.contains("+ roleRef ClusterRole view"),
        "{text}"
    );
    let diff = binding::unified(&story.plan().bindings[0].diff());
    assert!(diff.contains("-roleRef: ClusterRole admin\n+roleRef: ClusterRole view\n"), "{diff}");
    assert_ne!(story.digest(), empty);
}

#[test]
fn a_plan_that_was_approved_on_monday_still_matches_on_tuesday() {
    let body = TEAM.replace(
        "bob, recipients: [age1bob], groups: [developers]",
        "bob, recipients: [age1bob], groups: [{name: developers, until: 2026-01-10}]",
    );
    let mut story = Story::applied(&body);
    story.yaml += "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    let approved = story.digest();
    // Bob's membership ends, a renewal falls due, and with nobody looking everything expires.
    for days in ["10d", "11d", "10d"] {
        story.wait(days);
        assert_eq!(story.digest(), approved, "{}", story.text());
    }
    // A superseded certificate expires.
    let mut story = Story::applied(TEAM);
    story.wait("21d").apply();
    assert_eq!(story.record("alice").len(), 2);
    let nothing = story.digest();
    story.wait("10d");
    assert!(!story.plan().is_empty());
    assert_eq!(story.digest(), nothing, "{}", story.text());
}

#[test]
fn what_somebody_comes_to_hold_is_in_the_digest_also_while_their_renewal_is_due() {
    let mut story = Story::applied(TEAM);
    story.wait("21d");
    let approved = story.digest();
    story.edit("{name: alice, ", "{name: alice, grants: [{clusterRole: admin}], ");
    assert_ne!(story.digest(), approved, "{}", story.text());
}

#[test]
fn a_name_from_the_cluster_cannot_forge_a_line_of_the_plan() {
    let mut story = Story::applied(TEAM);
    let forged = "evil\n\nNothing to do: the clusters are as the roster says.\u{1b}[2J";
    story.binding("certctl:developers:view").subjects.push(subject("User", forged));
    assert!(!story.text().contains("\nNothing to do"), "{}", story.text());
    assert!(!binding::unified(&story.plan().bindings[0].diff()).contains("\nNothing to do"));
}

#[test]
fn a_planted_request_is_named_after_it_was_signed_too() {
    let mut story = Story::applied(TEAM);
    let bound = story.bound("alice").pop_first().expect("bound");
    let mut planted = request("planted", "alice", &[&bound]);
    planted.labels = ours();
    planted.labels.insert("certctl.dev/roster".into(), "other".into());
    planted.issued = true;
    story.cluster.state.requests.push(planted);
    assert!(story.text().contains("[foreign-csr]"), "{}", story.text());
}

#[test]
fn a_key_that_was_sealed_cannot_be_brought() {
    let mut story = Story::applied(TEAM);
    let made = story.record("alice")[0].clone();
    story.edit(
        "{name: alice, recipients: [age1alice]",
        "{name: alice, csr: alice.csr, recipients: [age1laptop]",
    );
    let brought =
        certctl::plan::BroughtKey { id: made.id, csr_sha256: "sha".into(), request: "request".into() };
    story.repository.brought_keys.insert("alice".parse().expect("a name"), brought);
    assert!(story.text().contains("whose key certctl made"), "{}", story.text());
}

#[test]
fn whoever_brings_a_wrong_key_holds_up_nobody_else() {
    let mut story = Story::applied(TEAM);
    story.edit(
        "{name: alice, recipients: [age1alice]",
        "{name: alice, csr: alice.csr, recipients: [age1alice]",
    );
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    story.refuses(FileKind::Request, "alice");
    let alice = story.bound("alice");
    let plan = story.plan();
    assert_eq!(plan.people.len(), 1);
    assert_eq!((plan.people[0].user().as_str(), plan.people[0].verb()), ("bob", Verb::Revoke));
    story.apply();
    assert_eq!(story.bound("alice"), alice, "what she has stays");
}

#[test]
fn a_finalizer_on_a_binding_is_named_before_it_matters() {
    let mut story = Story::applied(TEAM);
    story.binding("certctl:developers:view").finalizers = vec!["example.com/keep".to_owned()];
    assert!(story.plan().is_empty());
    reads(
        &story,
        expect![[r#"
        Cluster prod
          ! warning  ClusterRoleBinding certctl:developers:view has finalizer example.com/keep, which certctl did not add: the object will stay when it is deleted, without any subject  [binding-finalizer]
          no changes
          The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

        Nothing to do: the clusters are as the roster says.
    "#]],
    );
}

/// A failure is no credential that was issued: "1 so far" must not count it.
#[test]
fn what_is_told_of_progress_counts_a_failure_as_one() {
    let story = Story::of(TEAM);
    let plan = story.plan();
    let mut seen = BTreeSet::new();
    for effect in 0..12 {
        let mut story = story.clone();
        let course = Course { faults: [(effect, Fault::Refused)].into(), seed: None };
        story.carry_out_on(&plan, &course);
        let told = |is: fn(&Event) -> bool| story.told.iter().filter(|event| is(event)).count();
        let failed = told(|event| matches!(event, Event::Failed(Phase::Issue, _)));
        let done = told(|event| matches!(event, Event::Step(Phase::Issue, _)));
        seen.insert((done, failed));
    }
    assert_eq!(seen, BTreeSet::from([(1, 1), (2, 0)]));
}
