//! What the cluster remembers stays so, whatever is put back in the repository.

use certctl::ledger::{Ledger, Removal, RemovedBy};
use certctl::model::UserName;
use certctl::plan::Verb;
use certctl::plan::observed::{SeenLedger, StoredLedger};
use certctl::record::CredentialState;
use expect_test::expect;

use crate::story::{BOB, Story, TEAM, reads, subject};
use crate::world::{Course, Effect, End, Fault};

fn ledger(story: &Story) -> &Ledger {
    story.cluster.ledger.known().expect("a ledger")
}

/// Alice is rotated, and then the records are as they were before: `git revert` of both commits, or an
/// older record that somebody pushed.
fn rotated_and_put_back() -> Story {
    let mut story = Story::applied(TEAM);
    let before = story.repository.records.clone();
    story.edit("[age1alice], ", "[age1alice], generation: 2, ").apply();
    story.edit("generation: 2, ", "");
    (story.repository.records, story.remote.records) = (before.clone(), before);
    story
}

#[test]
fn a_record_of_a_revoked_credential_that_is_put_back_lets_nobody_in() {
    let mut story = rotated_and_put_back();
    let old = story.record("alice")[0].id.clone();
    assert_eq!(story.record("alice")[0].state, CredentialState::Active, "it was put back");
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  the record of alice lets credential cd2662154e6d76b2 in, and the cluster remembers that it was revoked: somebody put an older record back; it stays cut off  [revoked-in-cluster]
              People
                + issue   alice  until 2026-01-31 00:00Z (30d)  what they had is revoked and stays revoked
              Access
                Group certctl:alice:d5688a52d55a02ec  - edit in shop; view everywhere  through developers
                alice  + edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:alice:(to be issued)    once it is issued and recorded
                          - Group certctl:alice:d5688a52d55a02ec  no record knows it
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:alice:(to be issued)    once it is issued and recorded
                          - Group certctl:alice:d5688a52d55a02ec  no record knows it
              Clean-up
                - alice's credential cd2662154e6d76b2 was revoked; note it in the record again
              The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 1 to issue, 2 bindings to write, 1 left-over to clean up, 1 warning.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    let bound = story.bound("alice");
    assert_eq!(bound.len(), 1, "a new one");
    assert!(!bound.contains(&format!("certctl:alice:{old}")), "{bound:?}");
    // The record says so again, and nothing is left to do.
    assert!(story.record("alice").iter().any(|c| c.id == old && c.state == CredentialState::Revoked));
    assert!(story.plan().is_empty() && story.plan().warnings.is_empty(), "{}", story.text());
}

#[test]
fn who_left_stays_out_whatever_record_is_put_back() {
    let mut story = Story::applied(TEAM);
    let before = story.repository.records.clone();
    let old = format!("certctl:bob:{}", story.record("bob")[0].id);
    story.edit(BOB, "").apply();
    story.repository.records = before;
    let warnings = story.plan().warnings;
    assert_eq!(warnings.iter().map(|w| w.code()).collect::<Vec<_>>(), ["revoked-in-cluster"]);
    story.apply();
    assert!(story.bound("bob").is_empty());
    // And where he comes back at the same time, he gets another.
    story.yaml += BOB;
    story.apply();
    assert!(!story.bound("bob").is_empty() && !story.bound("bob").contains(&old));
}

#[test]
fn a_brought_key_that_was_revoked_is_refused_although_no_record_tells() {
    let csr = TEAM.replace("[age1bob], ", "[age1bob], csr: bob.csr, ");
    let mut story = Story::of(&csr);
    story.brings("bob", b"key", "one").apply();
    story.edit("[age1bob], ", "[age1bob], generation: 2, ").brings("bob", b"other", "two").apply();
    story.repository.records.remove(&"bob".parse().expect("a name"));
    story.brings("bob", b"key", "one");
    let plan = story.plan();
    assert_eq!(plan.held.iter().map(|held| held.code()).collect::<Vec<_>>(), ["key-refused"]);
    assert!(plan.people.is_empty(), "{}", story.text());
}

#[test]
fn a_ledger_that_cannot_be_read_lets_nobody_in_and_keeps_nobody_in() {
    let mut story = Story::applied(TEAM);
    let seen = story.cluster.ledger.clone();
    story.edit(BOB, "- {name: carol, recipients: [age1carol], groups: [developers]}\n");
    let hints = vec!["look at it".to_owned()];
    story.cluster.ledger = SeenLedger::Unusable { message: "its line 3 is broken".into(), hints };
    reads(
        &story,
        expect![[r#"
            Cluster prod
              Held back
                ! its line 3 is broken; until then nothing is issued on cluster `prod` and nobody is added to a binding there  [ledger-unusable]
                  Hint: look at it
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
              Access
                bob  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster

            Plan: 1 to revoke, 2 bindings to write, 1 held back.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty() && story.bound("carol").is_empty());
    assert_eq!(story.bound("alice").len(), 1, "who has access keeps it");
    // Once it is fixed, the next apply does the rest, and remembers what was cut off meanwhile.
    story.cluster.ledger = seen;
    let bob = story.record("bob")[0].id.clone();
    story.apply();
    assert_eq!(story.bound("carol").len(), 1);
    assert!(ledger(&story).revoked.contains_key(&bob));
}

#[test]
fn what_is_cut_off_is_noted_before_it_is_and_a_failed_note_stops_no_cut_off() {
    let mut story = Story::applied(TEAM);
    story.edit("[age1alice], ", "[age1alice], generation: 2, ");
    let plan = story.plan();
    assert_eq!(plan.people[0].verb(), Verb::Rotate);
    let old = plan.people[0].cut_off().expect("it is cut off").credential.clone();
    for fault in [None, Some(Fault::Refused), Some(Fault::Lost)] {
        let mut story = story.clone();
        let course = Course { faults: fault.map(|fault| (0, fault)).into_iter().collect(), seed: None };
        let mut order = Vec::new();
        let group = format!("certctl:alice:{old}");
        let end = story.try_apply(&course, &mut |_, after, effect| {
            let bound =
                after.cluster.state.bindings.iter().flat_map(|b| &b.subjects).any(|s| s.name == group);
            let noted = after.cluster.ledger.known().is_some_and(|ledger| ledger.revoked.contains_key(&old));
            order.push((effect.clone(), noted, bound));
        });
        let refused = fault == Some(Fault::Refused);
        assert_eq!(end, if refused { End::Failed } else { End::Done });
        if refused {
            assert!(!order.iter().any(|(_, noted, _)| *noted), "{order:?}");
        } else {
            assert_eq!(order[0], (Effect::Noted, true, true), "{order:?}");
        }
        assert!(!story.bound("alice").contains(&group), "{order:?}");
    }
}

#[test]
fn what_has_expired_is_forgotten_with_the_next_note() {
    let mut story = rotated_and_put_back();
    story.apply();
    let forgotten: Vec<_> = ledger(&story).revoked.keys().cloned().collect();
    assert!(!forgotten.is_empty());
    story.wait("31d").apply();
    story.edit("[age1bob], ", "[age1bob], generation: 2, ").apply();
    let now = ledger(&story);
    assert!(forgotten.iter().all(|id| !now.revoked.contains_key(id)), "{now:?}");
    assert_eq!(now.revoked.len(), 1);
}

/// A record in which somebody has put a credential that no apply has issued; its checksum is right.
fn made_up() -> Story {
    let mut story = Story::applied(TEAM);
    let mut forged = story.record("alice")[0].clone();
    forged.id = "00000000deadbeef".parse().expect("an id");
    story.credentials("alice").push(forged);
    story.remote.records = story.repository.records.clone();
    story
}

#[test]
fn a_credential_that_no_apply_has_issued_is_not_bound() {
    let mut story = made_up();
    reads(
        &story,
        expect![[r#"
        Cluster prod
          Held back
            ! access/prod/alice.yaml: no apply has issued credential 00000000deadbeef, as far as cluster `prod` remembers; it is not bound, and nothing is issued to alice  [not-issued-by-us]
              Hint: `git log -p -- access/prod/alice.yaml` shows who changed it; restore it with `git checkout COMMIT -- access/prod/alice.yaml` and the last commit that certctl made of it
              Hint: or `git rm access/prod/alice.yaml` and commit: alice gets a new credential
          no changes
          The next renewal, bob's, falls due 2026-01-20 23:58Z, in 20d.

        Plan: 1 held back.
    "#]],
    );
    let before = story.bound("alice");
    story.apply();
    assert_eq!(story.bound("alice"), before, "what she has, she keeps");
    // Somebody else's day goes on, hers does not.
    story.wait("25d").apply();
    assert_eq!(story.record("bob").len(), 2, "renewed");
    assert_eq!(story.bound("alice"), before);
    // Taken out of the record, she is renewed as ever.
    story.credentials("alice").pop();
    story.apply();
    assert_eq!(story.bound("alice").len(), 2);
}

/// Its absence gains nobody anything: what counts then is what is bound.
#[test]
fn a_credential_that_no_apply_has_issued_is_not_bound_where_the_ledger_is_lost() {
    let empty = |story: &Story| {
        let mut empty = ledger(story).clone();
        empty.issued.clear();
        SeenLedger::Kept(StoredLedger { ledger: empty, resource_version: "1".into() })
    };
    for lost in [|_: &Story| SeenLedger::Missing, empty] {
        let mut story = made_up();
        story.cluster.ledger = lost(&story);
        let before = story.bound("alice");
        assert!(story.text().contains("[not-issued-by-us]"), "{}", story.text());
        story.apply();
        assert_eq!(story.bound("alice"), before, "what is bound stays, and nothing else comes");
        assert!(story.text().contains("[not-issued-by-us]"), "{}", story.text());
        // Somebody else's day goes on.
        story.wait("25d").apply();
        assert_eq!(story.record("bob").len(), 2);
    }
}

/// No proof of anything, for whom nothing of ours would bind, and for what somebody else has bound.
#[test]
fn a_lost_ledger_itself_takes_nothing_from_anybody() {
    let mut story = Story::applied(TEAM);
    story.yaml += "- {name: carol, recipients: [age1carol]}\n";
    story.apply();
    let carols = format!("certctl:carol:{}", story.record("carol")[0].id);
    let alices = story.bound("alice").pop_first().expect("a group");
    let mut foreign = story.binding("certctl:developers:view").clone();
    foreign.at.name = "somebodys-own".into();
    foreign.labels.clear();
    foreign.subjects = [&carols, &alices].map(|group| subject("Group", group)).to_vec();
    story.cluster.state.bindings.push(foreign);
    // Alice is in none of ours, by somebody's hand.
    for name in ["certctl:developers:view", "certctl:developers:edit"] {
        story.binding(name).subjects.retain(|subject| subject.name != alices);
    }
    story.cluster.ledger = SeenLedger::Missing;
    assert!(story.text().contains("alice.yaml: no apply has issued"), "{}", story.text());
    story.apply();
    let subjects = |story: &mut Story| story.binding("somebodys-own").subjects.clone();
    assert_eq!(subjects(&mut story).len(), 2, "it is nobody's to take");
    // Carol, who has no grant, is renewed by the next apply, and whoever leaves is revoked as ever.
    assert!(!story.text().contains("carol.yaml"), "{}", story.text());
    story.wait("25d").apply();
    assert_eq!(story.record("carol").len(), 2, "renewed");
    story.edit("- {name: carol, recipients: [age1carol]}\n", "").apply();
    assert!(!subjects(&mut story).iter().any(|subject| subject.name == carols));
    assert!(story.record("carol").iter().all(|c| c.state == CredentialState::Revoked));
}

/// The ledger is one that `revoke` made, after it was lost.
#[test]
fn who_was_revoked_by_hand_after_the_ledger_was_lost_is_told_so() {
    let mut story = Story::applied(TEAM);
    let id = story.record("alice")[0].id.clone();
    let not_after = story.record("alice")[0].not_after;
    for name in ["certctl:developers:view", "certctl:developers:edit"] {
        story.binding(name).subjects.retain(|subject| !subject.name.contains(":alice:"));
    }
    let mut ledger = Ledger::default();
    ledger.revoked.insert(id, not_after);
    story.cluster.ledger = SeenLedger::Kept(StoredLedger { ledger, resource_version: "1".into() });
    let text = story.text();
    assert!(text.contains("[revoked-in-cluster]") && !text.contains("[not-issued-by-us]"), "{text}");
    story.apply();
    assert!(story.bound("alice").iter().all(|group| !group.contains(story.record("alice")[0].id.as_str())));
    assert_eq!(story.record("alice")[0].state, CredentialState::Revoked);
}

#[test]
fn a_made_up_credential_that_was_bound_by_hand_is_taken_out() {
    let mut story = made_up();
    let forged = "certctl:alice:00000000deadbeef";
    story.binding("certctl:developers:view").subjects.push(subject("Group", forged));
    story.apply();
    assert!(!story.bound("alice").contains(forged));
}

/// The cluster knows nothing yet, or not any more.
#[test]
fn a_first_ledger_takes_over_what_is_recorded_and_bound() {
    let mut story = Story::applied(TEAM);
    story.cluster.ledger = SeenLedger::Missing;
    assert!(story.plan().is_empty() && story.plan().held.is_empty());
    story.apply();
    let ids: Vec<_> = ["alice", "bob"].map(|user| story.record(user)[0].id.clone()).into();
    assert!(ids.iter().all(|id| ledger(&story).issued.contains_key(id)), "{:?}", ledger(&story));
    assert!(story.plan().held.is_empty(), "{}", story.text());
}

#[test]
fn what_the_cluster_could_not_note_is_neither_recorded_nor_bound() {
    for fault in [Fault::Refused, Fault::Lost, Fault::Crash] {
        let clean = Story::of(TEAM);
        let mut effects = 0;
        let mut at = None;
        clean.clone().try_apply(&Course::default(), &mut |_, _, effect| {
            at = at.or((*effect == Effect::Noted).then_some(effects));
            effects += usize::from(*effect != Effect::Onwards);
        });
        let mut story = clean;
        let faults = [(at.expect("it is noted"), fault)].into();
        let end = story.try_apply(&Course { faults, seed: None }, &mut |_, _, _| {});
        let done = fault == Fault::Lost;
        assert_eq!(end == End::Done, done, "{fault:?}");
        assert_eq!(story.repository.records.is_empty(), !done, "{fault:?}");
        story.apply();
        assert!(story.plan().is_empty() && story.plan().held.is_empty(), "{fault:?}: {}", story.text());
        assert_eq!(story.bound("alice").len(), 1);
    }
}

/// 33,000 credentials.
#[test]
fn a_full_ledger_issues_nothing_and_still_cuts_off() {
    let mut story = Story::applied(TEAM);
    let SeenLedger::Kept(stored) = &mut story.cluster.ledger else { panic!("no ledger") };
    let until = "2027-01-01T00:00:00Z".parse().expect("a time");
    let many = (0..40_000_u64).map(|n| (format!("{n:016x}").parse().expect("an id"), until));
    stored.ledger.revoked.extend(many);
    story.edit(BOB, "- {name: carol, recipients: [age1carol], groups: [developers]}\n");
    assert_eq!(story.try_apply(&Course::default(), &mut |_, _, _| {}), End::Failed);
    assert!(story.bound("bob").is_empty() && story.record("carol").is_empty());
    assert_eq!(story.bound("alice").len(), 1);
}

/// Bob was removed by a commit that the roster's branch does not hold, and the apply of it cut him off.
fn removed_and_not_merged() -> (Story, String) {
    let mut story = Story::applied(TEAM);
    let main = (story.yaml.clone(), story.repository.clone());
    let commit = "a".repeat(40);
    story.unmerged = Some(commit.parse().expect("a commit"));
    story.edit(BOB, "").apply();
    assert!(story.bound("bob").is_empty());
    (story.yaml, story.repository) = main;
    story.remote.records = story.repository.records.clone();
    story.unmerged = None;
    (story, commit)
}

#[test]
fn who_was_removed_by_a_commit_that_waits_to_be_merged_stays_out() {
    let (mut story, commit) = removed_and_not_merged();
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  bob is kept out by commit aaaaaaaaaaaa of 2026-01-01T00:00:00Z until it is merged; to let them in again, `certctl revoke --undo bob`  [kept-out]
              no changes
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Nothing to do, and not as the roster says: bob stays out.
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    // Alice's day goes on.
    story.wait("25d").apply();
    assert_eq!(story.record("alice").len(), 2);

    // Merged, and the roster says so.
    let mut merged = story.clone();
    merged.edit(BOB, "").apply();
    assert!(ledger(&merged).removed.is_empty());
    assert!(merged.plan().warnings.is_empty(), "{}", merged.text());

    // Merged, and he was added again since.
    story.repository.merged.insert(commit.parse().expect("a commit"));
    story.apply();
    assert_eq!(story.bound("bob").len(), 1, "{}", story.text());
    assert!(ledger(&story).removed.is_empty());
}

/// The commit is applied once more before it is merged.
#[test]
fn the_commit_that_removes_somebody_does_not_let_them_in_again() {
    let (mut story, commit) = removed_and_not_merged();
    story.unmerged = Some(commit.parse().expect("a commit"));
    story.edit(BOB, "");
    story.repository.merged.insert(commit.parse().expect("a commit"));
    story.apply();
    assert!(ledger(&story).removed.contains_key(&"bob".parse().expect("a name")));
}

#[test]
fn who_was_cut_off_by_hand_stays_out_until_they_are_let_in_again() {
    let mut story = Story::applied(TEAM);
    let id = story.record("bob")[0].id.clone();
    let until = story.record("bob")[0].not_after;
    let now = story.now;
    let SeenLedger::Kept(stored) = &mut story.cluster.ledger else { panic!("no ledger") };
    stored.ledger.revoked.insert(id, until);
    let bob: UserName = "bob".parse().expect("a name");
    stored.ledger.removed.insert(bob.clone(), Removal { at: now, by: RemovedBy::Command });
    reads(
        &story,
        expect![[r#"
            Cluster prod
              ! warning  bob was cut off with `certctl revoke` at 2026-01-01T00:00:00Z and stays out: take them off the roster, or let them in again with `certctl revoke --undo bob`  [kept-out]
              Access
                bob  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  it was revoked
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  it was revoked
              Clean-up
                - bob's credential cd04a4754498e06d was revoked; note it in the record again
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Plan: 2 bindings to write, 1 left-over to clean up, 1 warning.
            Digest: sha256:0
        "#]],
    );
    story.apply();
    assert!(story.bound("bob").is_empty());
    assert!(story.record("bob").iter().all(|credential| credential.state == CredentialState::Revoked));
    let SeenLedger::Kept(stored) = &mut story.cluster.ledger else { panic!("no ledger") };
    stored.ledger.removed.remove(&bob);
    story.apply();
    assert_eq!(story.bound("bob").len(), 1);
}

/// Another repository with a roster of the same name, on the cluster of the first.
fn namesake(first: &Story) -> Story {
    let mut second = Story::of(&TEAM.replace("alice", "zoe"));
    second.new_id = "f".repeat(32).parse().expect("an id");
    second.cluster = first.cluster.clone();
    second
}

#[test]
fn a_rosters_name_belongs_to_the_repository_of_its_first_apply() {
    let first = Story::applied(TEAM);
    assert_eq!(ledger(&first).roster_id, first.repository.roster_id);
    let second = namesake(&first);
    reads(
        &second,
        expect![[r#"
        Error: on cluster `prod`, roster name `acme` belongs to another repository, with rosterId 0123456789abcdef0123456789abcdef: this one has no access/prod/cluster.yaml; nothing was planned
          Hint: if the other roster is somebody else's, give this one another `metadata.name`
          Hint: if this clone is old, pull; if access/prod/cluster.yaml was changed, `git log -p -- access/prod/cluster.yaml` shows what it was
          Hint: if this repository replaces the other one for good, `kubectl patch configmap certctl-acme -n kube-system --type=merge -p '{"data":{"rosterId":"-"}}'` frees the name: the next apply takes it, and unbinds everyone of the other
    "#]],
    );

    // One that was applied to a cluster of its own has an id of its own.
    let mut elsewhere = namesake(&first);
    elsewhere.cluster = Story::of(TEAM).cluster.clone();
    elsewhere.apply();
    elsewhere.cluster = first.cluster.clone();
    let said = elsewhere.try_plan().expect_err("it is not theirs");
    assert!(said.contains("access/prod/cluster.yaml here has ffff"), "{said}");

    // As the hint says: the name is free, and what was revoked stays so.
    let mut freed = elsewhere;
    let SeenLedger::Kept(stored) = &mut freed.cluster.ledger else { panic!("a ledger") };
    stored.ledger.roster_id = None;
    freed.apply();
    assert_eq!(ledger(&freed).roster_id, freed.repository.roster_id);
    assert!(first.try_plan().is_ok(), "it sees its own cluster");
    let mut evicted = first;
    evicted.cluster = freed.cluster.clone();
    assert!(evicted.try_plan().is_err());
}

/// Wherever a first apply ends, the next one, from a new clone and with another id, goes on.
#[test]
fn a_first_apply_that_was_killed_keeps_nobody_from_the_name() {
    for effect in 0.. {
        let mut story = Story::of(TEAM);
        let faults = [(effect, Fault::Crash)].into();
        let end = story.try_apply(&Course { faults, seed: None }, &mut |_, _, _| {});
        story.clone_anew();
        story.new_id = "e".repeat(32).parse().expect("an id");
        story.apply();
        assert_eq!(ledger(&story).roster_id, story.repository.roster_id, "effect {effect}");
        assert!(story.plan().is_empty() && story.plan().pin.is_none(), "effect {effect}: {}", story.text());
        if end == End::Done {
            break;
        }
    }
}

#[test]
fn a_repository_of_before_takes_the_id_that_the_cluster_has() {
    let mut story = Story::applied(TEAM);
    let id = story.repository.roster_id.take();
    story.remote.pin.2 = None;
    story.new_id = "e".repeat(32).parse().expect("an id");
    story.apply();
    assert_eq!(story.repository.roster_id, id);
}

/// `certctl revoke` writes one without knowing the repository.
#[test]
fn a_ledger_that_nobody_has_claimed_is_claimed() {
    let mut story = Story::applied(TEAM);
    let SeenLedger::Kept(stored) = &mut story.cluster.ledger else { panic!("a ledger") };
    stored.ledger = Ledger { revoked: stored.ledger.revoked.clone(), ..Ledger::default() };
    story.apply();
    assert_eq!(ledger(&story).roster_id, story.repository.roster_id);
}

#[test]
fn a_ledger_that_is_gone_is_told_until_it_is_there_again() {
    let mut story = Story::applied(TEAM);
    let codes = |story: &Story| story.plan().warnings.iter().map(|w| w.code()).collect::<Vec<_>>();
    assert_eq!(codes(&story), [""; 0]);
    story.cluster.ledger = SeenLedger::Missing;
    assert_eq!(codes(&story), ["ledger-lost"]);
    story.apply();
    assert_eq!(codes(&story), [""; 0]);
    // Before a first apply there is none, and none that could be lost.
    assert_eq!(codes(&Story::of(TEAM)), [""; 0]);
}
