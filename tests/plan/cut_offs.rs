//! What only takes access away, where no more can or shall be done.

use std::collections::{BTreeMap, BTreeSet};

use certctl::model::CredentialGroup;
use certctl::plan::Verb;
use certctl::plan::cut_offs::Replaced;
use certctl::plan::observed::Binding;
use certctl::record::CredentialState;

use crate::story::{BOB, Story, TEAM};
use crate::world::{Course, Edit, Effect, End, Fault};

const ALICE: &str = "{name: alice, recipients: [age1alice]";
const CAROL: &str = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";

/// Alice is rotated, bob leaves, carol joins, and the group's name changes, which nobody is to notice.
fn eventful() -> Story {
    let mut story = Story::applied(TEAM);
    story.edit(ALICE, "{name: alice, generation: 2, recipients: [age1alice]").edit(BOB, CAROL);
    story.yaml = story.yaml.replace("developers", "engineers");
    story
}

/// As far as the cluster forgets requests.
fn finish(story: &mut Story) {
    story.cluster.state.requests.clear();
    story.apply();
    assert!(story.plan().is_empty(), "{}", story.text());
    assert!(story.bound("bob").is_empty());
    assert_eq!((story.bound("alice").len(), story.bound("carol").len()), (1, 1));
}

#[test]
fn who_leaves_is_out_and_whose_replacement_cannot_be_delivered_stays() {
    let mut story = eventful();
    let (alices, records) = (story.bound("alice"), story.repository.clone());
    let mut plan = story.plan();
    plan.only_cut_offs(Replaced::Kept);
    assert_eq!(plan.people.iter().map(|action| action.verb()).collect::<Vec<_>>(), [Verb::Revoke]);
    assert_eq!(story.cut_off(&plan), End::Done);
    assert!(story.bound("bob").is_empty() && story.bound("carol").is_empty());
    assert_eq!((story.bound("alice"), story.signed.len()), (alices.clone(), 2));
    assert_eq!(story.repository, records);
    // Again, it finds nothing.
    let mut again = story.plan();
    again.only_cut_offs(Replaced::Kept);
    assert_eq!(story.cut_off(&again), End::Done);
    assert_eq!(story.bound("alice"), alices);
    finish(&mut story);
    assert!(story.bound("alice").is_disjoint(&alices));
}

#[test]
fn who_is_to_be_replaced_is_out_too_where_that_is_asked_for() {
    let mut story = eventful();
    let records = story.repository.clone();
    let mut plan = story.plan();
    plan.only_cut_offs(Replaced::CutOff);
    assert!(plan.people.iter().all(|action| action.verb() == Verb::Revoke), "{:?}", plan.people);
    assert_eq!(story.cut_off(&plan), End::Done);
    for user in ["alice", "bob", "carol"] {
        assert!(story.bound(user).is_empty(), "{user}");
    }
    assert_eq!((&story.repository, story.signed.len()), (&records, 2));
    // The next whole apply brings the records up to date.
    finish(&mut story);
    let states = |user: &str| story.record(user).iter().map(|c| c.state).collect::<Vec<_>>();
    assert_eq!(states("bob"), [CredentialState::Revoked]);
    assert_eq!(states("alice").iter().filter(|state| **state == CredentialState::Revoked).count(), 1);
}

#[test]
fn what_newer_records_may_say_is_left_alone() {
    let mut story = Story::applied(TEAM);
    // Another apply let carol in and rotated alice and bob; this clone knows nothing of it.
    let (yaml, old) = (story.yaml.clone(), story.repository.clone());
    story.edit(ALICE, "{name: alice, generation: 2, recipients: [age1alice]");
    story.edit("{name: bob, ", "{name: bob, generation: 2, ");
    story.yaml += CAROL;
    story.apply();
    (story.yaml, story.repository) = (yaml, old);
    let (alices, carols) = (story.bound("alice"), story.bound("carol"));
    // Here bob leaves.
    story.edit(BOB, "");
    let mut plan = story.plan();
    let repository = story.repository.clone();
    plan.keep_what_is_not_recorded(&story.roster(), &repository);
    plan.only_cut_offs(Replaced::CutOff);
    assert_eq!(story.cut_off(&plan), End::Done);
    assert_eq!((story.bound("alice"), story.bound("carol")), (alices, carols));
    assert!(story.bound("bob").is_empty(), "{:?}", story.bound("bob"));
}

#[test]
fn one_persons_rotation_can_wait_while_all_else_goes_on() {
    let mut story = eventful();
    let alices = story.bound("alice");
    let mut plan = story.plan();
    plan.without_rotations(|user| user.as_str() == "alice");
    let end = story.apply_plan(&plan);
    assert_eq!(end, End::Done);
    assert!(story.bound("bob").is_empty());
    assert_eq!((story.bound("alice"), story.bound("carol").len()), (alices, 1));
    finish(&mut story);
}

/// Who is bound where, whatever the object's version.
fn holders(story: &Story) -> BTreeMap<String, BTreeSet<String>> {
    let bindings = story.cluster.state.bindings.iter();
    let users = |binding: &Binding| -> BTreeSet<String> {
        let groups = binding.subjects.iter().filter_map(|subject| subject.name.parse().ok());
        groups.map(|group: CredentialGroup| group.holder.to_string()).collect()
    };
    bindings.map(|binding| (binding.at.to_string(), users(binding))).collect()
}

/// With the binding, whoever was to be taken out of it is gone; who stays is bound again by the same apply.
#[test]
fn a_binding_that_vanishes_before_any_write_is_no_failure() {
    let only_bob_leaves = || {
        let mut story = Story::applied(TEAM);
        story.edit(BOB, "");
        story
    };
    let wherever_it_happens_to_be = || {
        let mut story = Story::applied(&TEAM.replace("namespaces: [shop]", "namespaces: ['s*']"));
        story.edit(BOB, CAROL);
        story
    };
    let a_grant_goes = || {
        let mut story = Story::applied(TEAM);
        story.edit("  - {clusterRole: edit, namespaces: [shop]}\n", "").edit(BOB, CAROL);
        story
    };
    let same_bindings = || {
        let mut story = Story::applied(TEAM);
        story.edit(ALICE, "{name: alice, generation: 2, recipients: [age1alice]").edit(BOB, CAROL);
        story
    };
    for before in
        [only_bob_leaves(), wherever_it_happens_to_be(), a_grant_goes(), same_bindings(), eventful()]
    {
        let mut undisturbed = before.clone();
        undisturbed.apply();
        let wanted = holders(&undisturbed);
        let mut gone = 0;
        // More than there are writes.
        for write in 0..40 {
            let mut story = before.clone();
            let course = Course { faults: [(write, Fault::Meddled(Edit::Delete))].into(), seed: None };
            let mut vanished = false;
            let end = story.try_apply(&course, &mut |before, after, effect| {
                let Effect::Wrote(at) = effect else { return };
                vanished |= before.binding(at).is_none() && after.binding(at).is_some();
            });
            assert_eq!(end, End::Done, "write {write}: {:?}", story.warned);
            assert_eq!(holders(&story), wanted, "write {write}");
            gone += usize::from(vanished);
            story.cluster.state.requests.clear();
            assert!(story.plan().is_empty(), "write {write}: {}", story.text());
        }
        assert!(gone > 0, "{}", before.text());
    }
}

/// Where this run binds nobody, it says whose rights are gone, and the next whole one makes the binding again.
#[test]
fn a_binding_that_vanishes_while_only_access_is_taken_away_is_told() {
    let mut story = Story::applied(TEAM);
    let whole = story.bound("alice");
    story.edit(BOB, "");
    let mut plan = story.plan();
    plan.only_cut_offs(Replaced::CutOff);
    let mut told = 0;
    for write in 0..6 {
        let mut story = story.clone();
        let course = Course { faults: [(write, Fault::Meddled(Edit::Delete))].into(), seed: None };
        let end = story.cut_off_on(&plan, &course);
        assert!(story.bound("bob").is_empty());
        let bindings = story.cluster.state.bindings.len();
        assert_eq!(end, if bindings < 2 { End::Failed } else { End::Done }, "write {write}");
        told += usize::from(end == End::Failed);
        story.apply();
        assert_eq!(story.bound("alice"), whole);
    }
    assert_eq!(told, 2, "once for each binding");
}
