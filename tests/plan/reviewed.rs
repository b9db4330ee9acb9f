//! What of a plan nobody has reviewed, where several changes were reviewed apart and are applied together.

use certctl::plan::digest::{Digested, digested};
use certctl::plan::reviewed::Unreviewed;
use certctl::render::{Style, difference};

use crate::story::{Story, TEAM};

/// What is shown of `now` where these were reviewed.
fn unreviewed(now: &Story, shown: &[&Story]) -> String {
    let shown: Vec<Digested> = shown.iter().map(|story| digested(&story.whole())).collect();
    Unreviewed::find(&digested(&now.whole()), &shown)
        .map(|Unreviewed { gone, new }| difference::render(&gone, &new, Style::default()))
        .unwrap_or_default()
}

/// The team, and a group that may more, for nobody so far.
fn team() -> Story {
    let group = "- name: ops\n  grants: [{clusterRole: admin, namespaces: [shop]}]\nusers:\n";
    let mut story = Story::of(&TEAM.replace("users:\n", group));
    story.apply();
    story
}

/// The same with more users.
fn with(story: &Story, lines: &str) -> Story {
    let mut story = story.clone();
    story.yaml += lines;
    story
}

const DAN: &str = "- {name: dan, recipients: [age1dan], groups: [developers]}\n";

#[test]
fn a_place_was_shown_only_with_the_end_that_it_was_shown_with() {
    let base = team();
    for (carol, without, about) in [
        (
            "- {name: carol, recipients: [age1carol], groups: [{name: ops, until: 2026-06-01}]}\n",
            "groups: [ops]",
            "user carol in group ops",
        ),
        (
            "- {name: carol, recipients: [age1carol], groups: [developers], \
             grants: [{clusterRole: admin, namespaces: [shop], until: 2026-06-01}]}\n",
            "groups: [developers], grants: [{clusterRole: admin, namespaces: [shop]}]",
            "ClusterRole admin of user carol in shop",
        ),
        (
            "- {name: carol, recipients: [age1carol], groups: [developers], until: 2027-06-01}\n",
            "groups: [developers]",
            "user carol",
        ),
    ] {
        let (one, other) = (with(&base, carol), with(&base, DAN));
        let both = with(&one, DAN);
        assert_eq!(unreviewed(&both, &[&one, &other]), "", "{about}");
        let line = format!("- {{name: carol, recipients: [age1carol], {without}}}\n");
        let shown = unreviewed(&with(&with(&base, &line), DAN), &[&one, &other]);
        assert!(shown.contains(&format!("- prod: until, {about}: ")), "{about}:\n{shown}");
        assert!(shown.contains("carol") && shown.contains("  + "), "{about}:\n{shown}");
        assert!(!shown.contains("dan"), "{about}:\n{shown}");
        // A later change that shows it without an end has been reviewed as well.
        let later = with(&base, &line);
        assert_eq!(unreviewed(&with(&later, DAN), &[&one, &other, &later]), "", "{about}");
    }
}

#[test]
fn the_end_of_a_groups_grant_counts_for_whoever_joins_it() {
    let base = team();
    let carol = "- {name: carol, recipients: [age1carol], groups: [ops]}\n";
    let mut one = with(&base, carol);
    one.edit(
        "{clusterRole: admin, namespaces: [shop]}",
        "{clusterRole: admin, namespaces: [shop], until: 2026-06-01}",
    );
    let other = with(&base, DAN);
    assert_eq!(unreviewed(&with(&one, DAN), &[&one, &other]), "");
    let shown = unreviewed(&with(&with(&base, carol), DAN), &[&one, &other]);
    assert!(shown.contains("- prod: until, ClusterRole admin of group ops in shop: "), "{shown}");
}

#[test]
fn an_end_of_something_else_is_no_matter() {
    let mut base = team();
    base.edit(
        "{name: bob, recipients: [age1bob], groups: [developers]}",
        "{name: bob, recipients: [age1bob], groups: [{name: developers, until: 2026-06-01}]}",
    );
    base.apply();
    let carol = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    let (one, mut other) = (with(&base, carol), with(&base, DAN));
    // One shows bob with an end, the other takes him off the roster.
    let bob = "- {name: bob, recipients: [age1bob], groups: [{name: developers, until: 2026-06-01}]}\n";
    other.edit(bob, "");
    let mut both = with(&one, DAN);
    both.edit(bob, "");
    assert_eq!(unreviewed(&both, &[&one, &other]), "");
}

#[test]
fn a_new_credential_was_shown_only_on_the_way_that_it_was_shown_on() {
    let (base, plain) = (team(), "{name: prod,");
    let carol = "- {name: carol, recipients: [age1carol], groups: [ops]}\n";
    for (way, told) in [
        ("proxyURL: 'http://proxy:3128'", "- prod: kubeconfigs connect through the proxy http://proxy:3128"),
        ("tlsServerName: kubernetes", "- prod: kubeconfigs verify the server as kubernetes"),
    ] {
        let with_the_way = format!("{{name: prod, {way},");
        let (mut one, other) = (with(&base, carol), with(&base, DAN));
        one.edit(plain, &with_the_way);
        let both = with(&one, DAN);
        // Who was shown without it gets it, as another change shows it.
        assert_eq!(unreviewed(&both, &[&one, &other]), "", "{way}");
        // Who was shown with it does not get along without it.
        let mut without = both.clone();
        without.edit(&with_the_way, plain);
        let shown = unreviewed(&without, &[&one, &other]);
        assert!(shown.contains(told) && shown.contains("carol"), "{way}:\n{shown}");
        assert!(!shown.contains("dan"), "{way}:\n{shown}");
        // A later change that shows them without it has been reviewed as well.
        let later = with(&base, carol);
        assert_eq!(unreviewed(&without, &[&one, &other, &later]), "", "{way}");
        // Who leaves is led nowhere.
        let bob = "- {name: bob, recipients: [age1bob], groups: [developers]}\n";
        let (mut left, mut leaves) = (one.clone(), base.clone());
        left.edit(bob, "");
        leaves.edit(bob, "");
        assert_eq!(unreviewed(&leaves, &[&left, &other]), "", "{way}");
    }
}
