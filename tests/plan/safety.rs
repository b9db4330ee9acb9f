use certctl::model::UserName;
use certctl::plan::{ClusterPlan, Verb};
use certctl::render::{Style, text};
use expect_test::expect;

use crate::story::{Story, subject};

const CROWD: &str = "groups: [{name: crowd, grants: [{clusterRole: view}]}]\n";

fn team(n: usize) -> String {
    let users: String =
        (0..n).map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [crowd]}}\n")).collect();
    format!("{CROWD}users:\n{users}")
}

/// What the rails say when `left` of `before` people remain.
fn rails(before: usize, left: usize, safety: &str, acknowledged: Option<usize>) -> Result<(), String> {
    let mut story = Story::applied(&team(before));
    story.yaml = Story::of(&(safety.to_owned() + &team(left))).yaml;
    story.withheld(acknowledged).map_or(Ok(()), |refused| Err(refused.render(false)))
}

#[test]
fn nine_of_twelve_are_withheld_unless_exactly_nine_were_meant() {
    let refused = rails(12, 3, "", None).expect_err("too many");
    assert!(
        refused.contains(
            "9 revocations are withheld: this would revoke 9 of 12 active credentials (limit 25%, at least 3); they keep their access"
        ),
        "{refused}"
    );
    assert!(refused.contains("--acknowledge 9"), "{refused}");
    assert!(rails(12, 3, "", Some(9)).is_ok());
    assert!(rails(12, 3, "", Some(8)).is_err());
    assert!(rails(12, 3, "", Some(10)).is_err());
}

#[test]
fn small_teams_are_not_nagged_and_the_limit_is_the_last_that_passes() {
    assert!(rails(4, 1, "", None).is_ok());
    assert!(rails(40, 30, "", None).is_ok());
    assert!(rails(40, 29, "", None).is_err());
    assert!(rails(40, 38, "safety: {maxRevocations: 2}\n", None).is_ok());
    assert!(rails(40, 37, "safety: {maxRevocations: 2}\n", None).is_err());
    assert!(rails(4, 3, "safety: {maxRevocations: 0}\n", None).is_err());
}

#[test]
fn a_roster_without_users_is_no_wish() {
    let mut story = Story::applied(&team(2));
    story.yaml = Story::of(&format!("{CROWD}users: []\n")).yaml;
    let refused = story.withheld(None).expect("nobody left");
    assert!(refused.message().contains("the roster has no users"));
    assert!(story.withheld(Some(2)).is_none());
}

#[test]
fn a_protected_user_is_never_revoked_by_the_way() {
    let mut story = Story::applied(&format!(
        "{CROWD}users:\n- {{name: root, recipients: [age1x], groups: [crowd], protected: true}}\n- {{name: u0, recipients: [age1x]}}\n"
    ));
    story.edit("[{name: prod,", "[{name: stage}, {name: prod,");
    story.edit("protected: true", "protected: true, clusters: [stage]");
    let refused = story.withheld(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
    assert!(story.withheld(Some(1)).is_none());
}

#[test]
fn an_acknowledgement_for_nothing_is_refused() {
    let story = Story::applied(&team(2));
    assert!(story.withheld(Some(1)).is_some());
}

#[test]
fn what_the_clock_ends_is_not_counted_and_does_not_change_the_digest() {
    let body = format!("{CROWD}users:\n")
        + &(0..20)
            .map(|i| format!("- {{name: u{i}, recipients: [age1x], until: 2026-06-01, groups: [crowd]}}\n"))
            .collect::<String>();
    let mut story = Story::applied(&body);
    let empty = story.digest();
    story.wait("25d");
    assert!(!story.plan().is_empty(), "renewals are due");
    assert_eq!(story.digest(), empty);
    story.edit("[age1x], until", "[age1x], generation: 2, until");
    assert_ne!(story.digest(), empty);
    story.edit("generation: 2, ", "").wait("300d");
    assert!(story.withheld(None).is_none());
    assert_eq!(story.digest(), empty);
}

#[test]
fn an_until_that_someone_moved_into_the_past_is_a_revocation_like_any_other() {
    let body = format!("{CROWD}users:\n")
        + &(0..12)
            .map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [crowd]}}\n"))
            .collect::<String>();
    let mut story = Story::applied(&body);
    let empty = story.digest();
    story.yaml = story.yaml.replace("[age1x]", "[age1x], until: 2020-01-01");
    assert_ne!(story.digest(), empty);
    let refused = story.withheld(None).expect("too many");
    assert!(refused.message().contains("12 of 12"), "{refused}");

    let mut story = Story::applied(&format!(
        "{CROWD}users:\n- {{name: root, recipients: [age1x], groups: [crowd], protected: true}}\n"
    ));
    story.edit("[age1x]", "[age1x], until: 2020-01-01");
    let refused = story.withheld(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
}

#[test]
fn whoever_is_protected_stays_so_when_their_line_is_gone() {
    let mut story = Story::applied(&format!(
        "{CROWD}users:\n- {{name: root, recipients: [age1x], groups: [crowd]}}\n- {{name: u0, recipients: [age1x]}}\n"
    ));
    story.edit("name: root,", "name: root, protected: true,").apply();
    assert!(story.plan().is_empty(), "the record has noted it");
    story.edit("- {name: root, protected: true, recipients: [age1x], groups: [crowd]}\n", "");
    let refused = story.withheld(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
    assert!(story.withheld(Some(1)).is_none());
}

/// No credential of theirs is revoked by name, and they lose all the same.
#[test]
fn whoever_loses_every_grant_or_their_record_counts_too() {
    let applied = Story::applied(&team(12));

    let mut story = applied.clone();
    story.edit("grants: [{clusterRole: view}]", "grants: []");
    let refused = story.withheld(None).expect("too many");
    assert!(refused.message().contains("12 of 12"), "{refused}");

    let mut story = applied.clone();
    story.repository.records.retain(|user, _| user.as_str() > "u4");
    let refused = story.withheld(None).expect("too many");
    assert!(refused.message().contains("revoke 7 of 12"), "{refused}");

    // A credential that nobody ever issued is taken out and counts for nothing.
    let mut story = applied.clone();
    let planted = (0..20).map(|i| subject("Group", &format!("certctl:zoe{i}:00000000deadbeef")));
    story.binding("certctl:crowd:view").subjects.extend(planted);
    assert!(story.withheld(None).is_none());
}

/// Whom a plan says it holds back, by the code of the rule.
fn withheld(plan: &ClusterPlan) -> Vec<(&'static str, &str)> {
    let held = plan.held.iter().filter(|held| held.is_withheld());
    held.map(|held| (held.code(), held.user().map_or("", UserName::as_str))).collect()
}

/// 25 days later the three others are renewed, and the nine are still in; then they are cut off.
#[test]
fn a_tripped_limit_withholds_the_revocations_and_holds_up_nobody_else() {
    let mut story = Story::applied(&team(12));
    story.yaml = Story::of(&team(3)).yaml;
    story.yaml += "- {name: new, recipients: [age1x], groups: [crowd]}\n";
    let (digest, records) = (story.digest(), story.record("u5").to_vec());
    story.wait("25d").apply_safely();
    for user in ["u0", "u1", "u2"] {
        assert_eq!(story.bound(user).len(), 2, "{user} is renewed, and the old one still bound");
    }
    assert_eq!(story.bound("new").len(), 1);
    for user in ["u3", "u11"] {
        assert_eq!(story.bound(user).len(), 1, "{user} keeps what they have");
    }
    assert_eq!(story.record("u5"), records, "nothing of theirs is recorded");
    let after = story.safe_plan();
    assert!(after.is_empty(), "{after:?}");
    assert_eq!(withheld(&after).len(), 9);
    assert_eq!(story.withheld(None).expect("withheld").message().matches("9 of 13").count(), 1);
    // The digest names what the roster asks for, whatever of it is withheld and whenever.
    assert_ne!(story.digest(), digest, "`new` is not planned any more");
    let digest = story.digest();
    story.wait("1d");
    assert_eq!(story.digest(), digest);

    assert!(story.withheld(Some(9)).is_none());
    story.apply();
    assert!((3..12).all(|i| story.bound(&format!("u{i}")).is_empty()));
    assert!(story.plan().is_empty() && story.withheld(None).is_none());
}

#[test]
fn what_is_withheld_stands_in_the_plan_with_its_place() {
    let line = |i| format!("- {{name: u{i}, recipients: [age1u{i}], groups: [crowd]}}\n");
    let users: String = (0..5).map(line).collect();
    let mut story = Story::applied(&format!("{CROWD}users:\n{users}"));
    story.yaml = story.yaml.replace("grants: [{clusterRole: view}]", "grants: []");
    story.edit(&line(4), "");
    let shown = text::render(&story.with((&story.safe_plan()).into()), "sha256:0", Style::default());
    expect![[r#"
        Cluster prod
          Held back
            ! users.yaml:7:10: u0 keeps access to cluster `prod`: more people would lose theirs than the limit allows  [withheld-limit]
            ! users.yaml:8:10: u1 keeps access to cluster `prod`: more people would lose theirs than the limit allows  [withheld-limit]
            ! users.yaml:9:10: u2 keeps access to cluster `prod`: more people would lose theirs than the limit allows  [withheld-limit]
            ! users.yaml:10:10: u3 keeps access to cluster `prod`: more people would lose theirs than the limit allows  [withheld-limit]
            ! u4 keeps access to cluster `prod`: more people would lose theirs than the limit allows  [withheld-limit]
          no changes

        Plan: 5 held back.
        Digest: sha256:0
    "#]].assert_eq(&shown);
}

#[test]
fn a_protected_person_is_withheld_and_others_leave() {
    let mut story = Story::applied(&format!("safety: {{maxRevocations: 2}}\n{}", team(3)));
    story.edit("name: u0,", "name: u0, protected: true,").apply();
    let line = |user: &str| format!("- {{name: {user}, recipients: [age1x], groups: [crowd]}}\n");
    story.edit(&line("u1"), "").edit("groups: [crowd]}", "}");
    story.edit(
        "- {name: u0, protected: true, recipients: [age1x], }",
        "- {name: u0, protected: true, recipients: [age1x]}",
    );
    assert_eq!(withheld(&story.safe_plan()), [("withheld-protected", "u0")]);
    story.apply_safely();
    assert_eq!((story.bound("u0").len(), story.bound("u1").len(), story.bound("u2").len()), (1, 0, 1));
    let told = story.withheld(None).expect("still to be acknowledged");
    assert!(told.message().contains("`u0` is protected and would lose access to `prod`"), "{told}");
    assert!(story.withheld(Some(1)).is_none(), "the number is that of those who are withheld");
    story.apply();
    assert!(story.bound("u0").is_empty());
}

/// Those who stay on the roster and lose every grant, and those whose record is gone.
#[test]
fn who_loses_access_otherwise_keeps_it_too_and_gets_nothing_new() {
    let applied = Story::applied(&team(12));

    let mut story = applied.clone();
    story.edit("grants: [{clusterRole: view}]", "grants: []").wait("25d").apply_safely();
    assert!((0..12).all(|i| story.bound(&format!("u{i}")).len() == 1), "nobody is cut off or renewed");
    assert_eq!(withheld(&story.safe_plan()).len(), 12);
    story.apply();
    assert!(story.cluster.state.bindings.is_empty());

    let mut story = applied.clone();
    story.repository.records.retain(|user, _| user.as_str() > "u4");
    let plan = story.safe_plan();
    assert!(plan.people.is_empty() && plan.bindings.is_empty(), "{plan:?}");
    story.apply_safely();
    assert_eq!(story.bound("u0").len(), 1);
    story.apply();
    assert_eq!(story.bound("u0").len(), 1, "the new one instead of the one that no record knew");
    assert!(story.plan().is_empty());
}

/// Withheld is what the roster takes: what was revoked before, what expired and what nobody knows still
/// goes, and nobody comes into another role by it.
#[test]
fn withholding_keeps_alive_nothing_else() {
    let mut story = Story::applied(&team(12));
    story.edit("name: u5,", "name: u5, generation: 2,");
    let old = story.bound("u5");
    story.apply();
    let new = story.bound("u5");
    story.yaml = Story::of(&team(3)).yaml;
    let revived = old.iter().map(|group| subject("Group", group));
    story.binding("certctl:crowd:view").subjects.extend(revived);
    story
        .binding("certctl:crowd:view")
        .subjects
        .extend([subject("Group", "certctl:zoe:00000000deadbeef"), subject("User", "mallory")]);
    // The cluster remembers what no record does any more.
    let mut forgotten = story.clone();
    forgotten.repository.records.retain(|user, _| user.as_str() != "u5");
    forgotten.yaml += "- {name: u5, recipients: [age1x], groups: [crowd], generation: 2}\n";
    for mut story in [story.clone(), forgotten] {
        story.apply_safely();
        assert_eq!(story.bound("u5"), new);
        assert!(story.bound("zoe").is_empty());
    }

    // Somebody has made the binding again for another role: the repair lets in nobody who is to leave.
    story.binding("certctl:crowd:view").role_name = "edit".into();
    story.apply_safely();
    assert!(story.bound("u5").is_empty());
    assert_eq!(story.bound("u0").len(), 1);
}

/// A key in wrong hands is cut off, however many others are withheld.
#[test]
fn a_rotation_is_never_withheld() {
    let mut story = Story::applied(&team(12));
    story.yaml = Story::of(&team(3)).yaml;
    story.edit("name: u0,", "name: u0, generation: 2,");
    let old = story.bound("u0");
    let plan = story.safe_plan();
    assert!(plan.people.iter().map(|action| action.verb()).eq([Verb::Rotate]));
    story.apply_safely();
    assert!(story.bound("u0").is_disjoint(&old) && story.bound("u0").len() == 1);
    assert_eq!(story.bound("u9").len(), 1);
}

/// Who was cut off by an apply whose records could not be published does not count again.
#[test]
fn who_is_bound_nowhere_any_more_needs_no_second_acknowledgement() {
    let mut story = Story::applied(&team(12));
    story.yaml = Story::of(&team(3)).yaml;
    let stays =
        |name: &str| ["u0", "u1", "u2"].iter().any(|user| name.starts_with(&format!("certctl:{user}:")));
    story.binding("certctl:crowd:view").subjects.retain(|subject| stays(&subject.name));
    assert!(story.withheld(None).is_none());
    // A group in the certificate gives access without any binding of ours.
    let mut story = Story::applied(&team(12).replace("name: crowd,", "name: crowd, inCertificate: true,"));
    story.yaml = Story::of(&team(3)).yaml;
    story.cluster.state.bindings.clear();
    assert!(story.withheld(None).is_some());
}

/// Over the limit and split over several bindings: nobody of those who are withheld moves, and no more is
/// written than what the others need.
#[test]
fn a_split_binding_keeps_who_is_withheld() {
    let mut story = Story::applied(&team(600));
    story.yaml = Story::of(&team(300)).yaml;
    story.apply_safely();
    assert!((0..600).all(|i| story.bound(&format!("u{i}")).len() == 1));
    let plan = story.safe_plan();
    assert!(plan.is_empty(), "{:?}", plan.bindings);
    story.apply();
    assert!((300..600).all(|i| story.bound(&format!("u{i}")).is_empty()));
    assert_eq!(story.binding("certctl:crowd:view").subjects.len(), 300);
}

/// Suspending is as easily done to the wrong people as removing.
#[test]
fn suspending_counts_like_a_removal() {
    let mut story = Story::applied(&team(12));
    story.yaml = story.yaml.replace("recipients: [age1x]", "recipients: [age1x], suspended: true");
    assert_eq!(withheld(&story.safe_plan()).len(), 12);
    let mut story = Story::applied(&team(3));
    story.edit("name: u0,", "name: u0, protected: true, suspended: true,");
    assert_eq!(withheld(&story.safe_plan()), [("withheld-protected", "u0")]);
}
