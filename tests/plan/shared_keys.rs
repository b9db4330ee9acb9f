//! One key for the kubeconfigs of several people.

use certctl::render::json;
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};

use crate::story::{BOB, Story, TEAM};

/// A robot of bob's, which his own key opens.
const ROBOT: &str = "- {name: robot, recipients: [age1robot, age1bob], groups: [developers]}\n";
const DANGER: &str = "! DANGER  a key of bob still opens the kubeconfig of robot (age1bob): take it off whoever keeps access, unless it is \
     theirs alone by now  [key-outlives-access]";

fn shared() -> Story {
    Story::applied(&format!("{TEAM}{ROBOT}"))
}

#[test]
fn a_key_of_two_people_is_warned_about_while_both_have_access() {
    let story = shared();
    let text = story.text();
    assert!(text.contains("! warning  bob, robot have one recipient (age1bob)"), "{text}");
    assert!(!text.contains("DANGER"), "{text}");
    assert!(!Story::applied(TEAM).text().contains("shared-recipient"));
}

/// However the owner of the key loses access, as long as their record or the roster knows the key.
#[test]
fn who_is_out_and_whose_key_opens_another_kubeconfig_is_a_danger() {
    for out in [
        "",
        "- {name: bob, recipients: [age1bob], groups: [developers], suspended: true}\n",
        "- {name: bob, recipients: [age1bob], groups: [developers], until: 2025-12-31T00:00:00Z}\n",
    ] {
        let mut story = shared();
        story.edit(BOB, out);
        assert!(story.text().contains(DANGER), "{out}{}", story.text());
        story.apply();
        assert!(story.text().contains(DANGER), "it is so until the key is gone: {out}{}", story.text());

        let plan = story.whole();
        let comment = markdown::render(&plan, PlanStatus::default(), LONGEST_COMMENT);
        assert!(comment.contains("> [!CAUTION]\n> **Danger:** a key of bob"), "{comment}");
        let digested = certctl::plan::digest::digested(&plan);
        let document = json::text(&json::document(&plan, "sha256:0", digested));
        assert!(document.contains("\"code\": \"key-outlives-access\""), "{document}");

        story.edit("[age1robot, age1bob]", "[age1robot]");
        assert!(!story.text().contains("DANGER"), "{out}{}", story.text());
    }
}

#[test]
fn the_danger_is_shown_without_a_cluster_to_ask() {
    let mut story = shared();
    story.edit(BOB, "").offline();
    assert!(story.text().contains(DANGER), "{}", story.text());
}

/// The removed person's key is known from their record alone, and it may have been added after they left.
#[test]
fn the_key_of_somebody_removed_is_not_taken_in_again() {
    let mut story = Story::applied(TEAM);
    story.edit(BOB, "").apply();
    assert!(!story.text().contains("DANGER"));
    story.yaml += ROBOT;
    assert!(story.text().contains(DANGER), "{}", story.text());
}

/// bob has access to prod, and his robot to another cluster, where no record of his tells of the key.
#[test]
fn a_key_that_opens_a_kubeconfig_of_another_cluster_is_a_danger_too() {
    let elsewhere = ROBOT.replace("groups: [developers]", "clusters: [lab]");
    let here = BOB.replace("groups: [developers]", "groups: [developers], clusters: [prod]");
    let mut story = Story::of(&format!("{TEAM}{elsewhere}"));
    story.edit("[{name: prod", "[{name: lab}, {name: prod").edit(BOB, &here).apply();
    assert!(story.text().contains("! warning  bob, robot have one recipient (age1bob)"), "{}", story.text());
    let mut gone = story.clone();
    gone.edit(&here, "");
    assert!(gone.text().contains(DANGER), "{}", gone.text());
    gone.apply();
    assert!(gone.text().contains(DANGER), "{}", gone.text());

    // He moves to where the robot is: then the key opens nothing that he may not.
    story.edit("clusters: [prod]", "clusters: [lab]");
    assert!(!story.text().contains("DANGER"), "{}", story.text());
    story.edit(
        "- {name: bob, recipients: [age1bob], groups: [developers], clusters: [lab]",
        "- {name: bob, recipients: [age1bob], suspended: true, clusters: [prod]",
    );
    assert!(story.text().contains(DANGER), "{}", story.text());
}
