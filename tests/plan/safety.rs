use crate::story::{Story, subject};

fn team(n: usize) -> String {
    let users: String = (0..n).map(|i| format!("- {{name: u{i}, recipients: [age1x]}}\n")).collect();
    format!("users:\n{users}")
}

/// What the rails say when `left` of `before` people remain.
fn rails(before: usize, left: usize, safety: &str, acknowledged: Option<usize>) -> Result<(), String> {
    let mut story = Story::applied(&team(before));
    story.yaml = Story::of(&(safety.to_owned() + &team(left))).yaml;
    story.refusal(acknowledged).map_or(Ok(()), |refused| Err(refused.render(false)))
}

#[test]
fn nine_of_twelve_are_refused_unless_exactly_nine_were_meant() {
    let refused = rails(12, 3, "", None).expect_err("too many");
    assert!(
        refused.contains(
            "refusing to apply: this would revoke 9 of 12 active credentials (limit 25%, at least 3)"
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
    story.yaml = Story::of("users: []\n").yaml;
    let refused = story.refusal(None).expect("nobody left");
    assert!(refused.message().contains("the roster has no users"));
    assert!(story.refusal(Some(2)).is_none());
}

#[test]
fn a_protected_user_is_never_revoked_by_the_way() {
    let mut story = Story::applied(
        "users:\n- {name: root, recipients: [age1x], protected: true}\n- {name: u0, recipients: [age1x]}\n",
    );
    story.edit("clusters: [{name: prod}]", "clusters: [{name: prod}, {name: stage}]");
    story.edit("protected: true", "protected: true, clusters: [stage]");
    let refused = story.refusal(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
    assert!(story.refusal(Some(1)).is_none());
}

#[test]
fn an_acknowledgement_for_nothing_is_refused() {
    let story = Story::applied(&team(2));
    assert!(story.refusal(Some(1)).is_some());
}

#[test]
fn what_the_clock_ends_is_not_counted_and_does_not_change_the_digest() {
    let body = "users:\n".to_owned()
        + &(0..20)
            .map(|i| format!("- {{name: u{i}, recipients: [age1x], until: 2026-06-01}}\n"))
            .collect::<String>();
    let mut story = Story::applied(&body);
    let empty = story.digest();
    story.wait("25d");
    assert!(!story.plan().is_empty(), "renewals are due");
    assert_eq!(story.digest(), empty);
    story.edit("[age1x], until", "[age1x], generation: 2, until");
    assert_ne!(story.digest(), empty);
    story.edit("generation: 2, ", "").wait("300d");
    assert!(story.refusal(None).is_none());
    assert_eq!(story.digest(), empty);
}

#[test]
fn an_until_that_someone_moved_into_the_past_is_a_revocation_like_any_other() {
    let body = "users:\n".to_owned()
        + &(0..12).map(|i| format!("- {{name: u{i}, recipients: [age1x]}}\n")).collect::<String>();
    let mut story = Story::applied(&body);
    let empty = story.digest();
    story.yaml = story.yaml.replace("[age1x]", "[age1x], until: 2020-01-01");
    assert_ne!(story.digest(), empty);
    let refused = story.refusal(None).expect("too many");
    assert!(refused.message().contains("12 of 12"), "{refused}");

    let mut story = Story::applied("users:\n- {name: root, recipients: [age1x], protected: true}\n");
    story.edit("[age1x]", "[age1x], until: 2020-01-01");
    let refused = story.refusal(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
}

#[test]
fn whoever_is_protected_stays_so_when_their_line_is_gone() {
    let mut story =
        Story::applied("users:\n- {name: root, recipients: [age1x]}\n- {name: u0, recipients: [age1x]}\n");
    story.edit("name: root, recipients: [age1x]", "name: root, recipients: [age1x], protected: true").apply();
    assert!(story.plan().is_empty(), "the record has noted it");
    story.edit("- {name: root, recipients: [age1x], protected: true}\n", "");
    let refused = story.refusal(None).expect("protected");
    assert!(refused.message().contains("`root` is protected"), "{refused}");
    assert!(story.refusal(Some(1)).is_none());
}

/// No credential of theirs is revoked by name, and they lose all the same.
#[test]
fn whoever_loses_every_grant_or_their_record_counts_too() {
    let users: String =
        (0..12).map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [crowd]}}\n")).collect();
    let crowd = "groups: [{name: crowd, grants: [{clusterRole: view}]}]\nusers:\n";
    let applied = Story::applied(&format!("{crowd}{users}"));

    let mut story = applied.clone();
    story.edit("grants: [{clusterRole: view}]", "grants: []");
    let refused = story.refusal(None).expect("too many");
    assert!(refused.message().contains("12 of 12"), "{refused}");

    let mut story = applied.clone();
    story.repository.records.retain(|user, _| user.as_str() > "u4");
    let refused = story.refusal(None).expect("too many");
    assert!(refused.message().contains("revoke 7 of 12"), "{refused}");

    // A credential that nobody ever issued is taken out and counts for nothing.
    let mut story = applied.clone();
    let planted = (0..20).map(|i| subject("Group", &format!("certctl:zoe{i}:00000000deadbeef")));
    story.binding("certctl:crowd:view").subjects.extend(planted);
    assert!(story.refusal(None).is_none());
}
