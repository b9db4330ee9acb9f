//! Whoever must leave leaves every binding, whatever its labels say; and what others plant there changes no
//! plan that was reviewed.

use std::collections::BTreeMap;

use certctl::plan::observed::{Binding, BindingAt};
use expect_test::expect;

use crate::story::{BOB, Story, TEAM, ours, reads, subject};
use crate::world::{Course, End};

/// A binding of somebody's in the namespace shop.
fn theirs(labels: BTreeMap<String, String>, subjects: &[(&str, &str)]) -> Binding {
    Binding {
        at: BindingAt { namespace: Some("shop".into()), name: "theirs".into() },
        role_kind: "ClusterRole".into(),
        role_name: "admin".into(),
        subjects: subjects.iter().map(|(kind, name)| subject(kind, name)).collect(),
        labels,
        uid: "theirs".into(),
        resource_version: "7".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    }
}

fn plant(story: &mut Story, labels: BTreeMap<String, String>, subjects: &[(&str, &str)]) {
    story.cluster.state.bindings.push(theirs(labels, subjects));
}

fn subjects(story: &mut Story, name: &str) -> Vec<String> {
    story.binding(name).subjects.iter().map(|subject| subject.name.clone()).collect()
}

#[test]
fn a_label_that_was_taken_off_keeps_nobody_in() {
    let mut story = Story::applied(TEAM);
    let alice = story.bound("alice");
    story.binding("certctl:developers:edit").labels.clear();
    story.edit(BOB, "");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! users.yaml:9:38: RoleBinding shop/certctl:developers:edit on cluster `prod` has the name of one of our bindings and was not made by certctl; it is left as it is, and nobody is added to it  [foreign-binding-name]
                  Hint: look at it with `kubectl get rolebinding certctl:developers:edit -o yaml` -n shop, then delete or rename it, or put our labels back if it lost them
              ! warning  RoleBinding shop/certctl:developers:edit is not ours and names certctl:alice:cd2662154e6d76b2; certctl takes it out only if it issued that credential, once it is cut off  [foreign-binding]
              ! warning  RoleBinding shop/certctl:developers:edit is not ours and names certctl:bob:cd04a4754498e06d; certctl takes it out only if it issued that credential, once it is cut off  [foreign-binding]
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
              Access
                bob  - view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to revoke, 2 bindings to write, 1 held back, 2 warnings.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert_eq!(subjects(&mut story, "certctl:developers:edit"), alice.into_iter().collect::<Vec<_>>());
    assert!(story.binding("certctl:developers:edit").labels.is_empty(), "it is not ours to label");
    assert!(story.plan().is_empty());
}

#[test]
fn of_a_binding_of_others_only_our_credential_leaves() {
    let mut story = Story::applied(TEAM);
    let (alice, bob) =
        (story.bound("alice").pop_first().expect("one"), story.bound("bob").pop_first().expect("one"));
    let all = [
        ("User", "zoe"),
        ("Group", bob.as_str()),
        ("Group", alice.as_str()),
        ("Group", "certctl:bob:0000000000000000"),
    ];
    plant(&mut story, BTreeMap::new(), &all);
    assert!(story.plan().is_empty(), "who may be bound stays");
    story.edit(BOB, "").apply();
    assert_eq!(subjects(&mut story, "theirs"), ["zoe", alice.as_str(), "certctl:bob:0000000000000000"]);
    assert!(story.plan().is_empty());
}

/// In a binding that says it belongs to another roster as well.
#[test]
fn a_roster_that_says_it_owns_a_binding_keeps_nobody_of_ours_in() {
    let mut story = Story::applied(TEAM);
    let bob = story.bound("bob").pop_first().expect("one");
    let mut labels = ours();
    labels.insert("certctl.dev/roster".into(), "other".into());
    plant(&mut story, labels, &[("Group", &bob), ("Group", "certctl:bob:1111111111111111")]);
    story.edit(BOB, "").apply();
    assert_eq!(subjects(&mut story, "theirs"), ["certctl:bob:1111111111111111"], "theirs stays");
}

/// A finalizer keeps the object, whoever made it, and no right.
#[test]
fn what_cannot_be_deleted_is_emptied_and_named_until_it_is_gone() {
    const OURS: &str = "certctl:developers:edit";
    for (name, deletion_requested) in [(OURS, false), (OURS, true), ("theirs", false), ("theirs", true)] {
        let mut story = Story::applied(TEAM);
        let bob = story.bound("bob").pop_first().expect("one");
        if name != OURS {
            plant(&mut story, ours(), &[("Group", &bob), ("User", "mallory")]);
        }
        let binding = story.binding(name);
        binding.finalizers = vec!["example.com/keep".to_owned()];
        binding.deletion_requested = deletion_requested;
        // The grant goes, and so does bob.
        story.edit("  - {clusterRole: edit, namespaces: [shop]}\n", "").edit(BOB, "");
        let end = story.try_apply(&Course::default(), &mut |_, _, _| {});
        assert_eq!(end, End::Failed, "{name}");
        assert!(subjects(&mut story, name).is_empty() && story.bound("bob").is_empty(), "{name}");
        assert!(story.text().contains("finalizer example.com/keep"), "{name}: {}", story.text());
        story.cluster.state.bindings.retain(|binding| binding.at.name != name);
        assert!(story.plan().is_empty(), "{name}: {}", story.text());
    }
}

#[test]
fn what_others_plant_is_no_part_of_the_digest() {
    let mut story = Story::applied(TEAM);
    story.edit(BOB, "");
    let reviewed = story.digest();
    let bob = story.bound("bob").pop_first().expect("one");
    for (labels, subjects) in [
        (ours(), &[("User", "mallory"), ("Group", "certctl:alice:00000000deadbeef")][..]),
        (BTreeMap::new(), &[("Group", bob.as_str())]),
    ] {
        let mut story = story.clone();
        plant(&mut story, labels, subjects);
        assert!(!story.plan().is_empty());
        assert_eq!(story.digest(), reviewed);
        story.apply();
        assert!(story.bound("bob").is_empty());
    }
    // In a binding of ours it is repaired, and told.
    story.binding("certctl:developers:view").subjects.push(subject("User", "mallory"));
    assert_eq!(story.digest(), reviewed);
    assert!(story.text().contains("User mallory"));
}

/// Somebody binds a credential again while the apply that cuts it off is under way.
#[test]
fn who_is_bound_again_meanwhile_is_named_and_leaves_with_the_next_apply() {
    for (labels, group) in
        [(BTreeMap::new(), None), (ours(), None), (ours(), Some("certctl:zoe:0000000000000000"))]
    {
        let mut story = Story::applied(TEAM);
        let bob = story.bound("bob").pop_first().expect("one");
        story.edit(BOB, "");
        story.planted = Some(theirs(labels, &[("Group", group.unwrap_or(&bob))]));
        let end = story.try_apply(&Course::default(), &mut |_, _, _| {});
        // What no apply has cut off is for the next plan.
        assert_eq!(end == End::Failed, group.is_none());
        assert_eq!(story.bound("bob").is_empty(), group.is_some());
        story.apply();
        assert!(story.bound("bob").is_empty());
        assert!(story.plan().is_empty(), "{}", story.text());
    }
}

#[test]
fn what_is_left_to_a_credential_is_in_the_plan_and_in_the_commit() {
    let mut story = Story::applied(TEAM);
    plant(&mut story, BTreeMap::new(), &[("User", "bob")]);
    story.binding("theirs").at.name = "first".into();
    plant(&mut story, BTreeMap::new(), &[("User", "zoe"), ("User", "bob")]);
    // Of another kind, or another name, it is not theirs.
    story.binding("theirs").subjects.extend([subject("Group", "bob"), subject("User", "bobby")]);
    let mut rotated = story.clone();
    story.edit(BOB, "").apply();
    let kept = "but KEEPS ACCESS through 2 bindings of others";
    let message = story.messages.pop().expect("a commit");
    assert!(message.contains(&format!("no longer on the roster, {kept}")), "{message}");

    rotated.edit("[age1bob], ", "[age1bob], generation: 2, ");
    assert!(rotated.text().contains(kept), "{}", rotated.text());
    rotated.apply();
    let message = rotated.messages.pop().expect("a commit");
    assert!(message.contains(&format!("is cut off, {kept}")), "{message}");
}
