//! What certificates are like by group, cluster and default; and what the roster says of people besides.

use std::collections::BTreeMap;

use certctl::plan::digest;

use crate::story::Story;

const TEAM: &str = "defaults: {validity: 60d}
groups:
- {name: developers, grants: [{clusterRole: view}]}
- {name: robots, validity: 90d, key: rsa-4096}
- {name: interns, validity: 8h, key: ecdsa-p384}
users:
- {name: alice, recipients: [age1alice], groups: [developers]}
- {name: bot, recipients: [age1bot], groups: [developers, robots]}
- {name: ian, recipients: [age1ian], groups: [robots, interns]}
- {name: zoe, recipients: [age1zoe], groups: [interns], validity: 12h, key: ed25519}
";

/// Key and validity of each new credential.
fn issued(story: &Story) -> BTreeMap<String, String> {
    let plan = story.plan();
    let new = plan.people.iter().filter_map(|action| Some((action.user(), action.new_credential()?)));
    new.map(|(user, new)| {
        let key = new.issuance.key.made().map(|key| key.to_string()).unwrap_or_default();
        (user.to_string(), format!("{key} {:#}", new.issuance.roster_validity))
    })
    .collect()
}

#[test]
fn the_nearest_that_says_something_counts() {
    let mut story = Story::of(TEAM);
    let said = |story: &Story| {
        issued(story).into_iter().map(|(user, of)| format!("{user}: {of}")).collect::<Vec<_>>()
    };
    let of_groups = ["bot: rsa-4096 2160h", "ian: ecdsa-p256 8h", "zoe: ed25519 12h"];
    assert_eq!(said(&story), [&["alice: ecdsa-p256 1440h"], &of_groups[..]].concat());

    // The cluster's own come before the defaults, and after those of groups; where groups differ in the key, before
    // none of them.
    story.yaml = story.yaml.replacen("{name: prod", "{name: prod, validity: 1h, key: ed25519", 1);
    let with_cluster = ["alice: ed25519 1h", "bot: rsa-4096 2160h", "ian: ed25519 8h", "zoe: ed25519 12h"];
    assert_eq!(said(&story), with_cluster);
}

#[test]
fn another_kind_of_key_is_a_rotation_and_another_validity_waits() {
    let mut story = Story::applied(TEAM);
    story.edit("validity: 90d, key: rsa-4096", "validity: 1d, key: rsa-4096");
    assert!(story.plan().people.is_empty());
    story.edit("groups: [developers]}", "groups: [developers, robots]}");
    let rotated: Vec<String> = issued(&story).into_keys().collect();
    assert_eq!(rotated, ["alice"]);
}

#[test]
fn who_somebody_is_changes_nothing() {
    let mut story = Story::applied(TEAM);
    let calm = digest::digest(&story.whole());
    story.edit(
        "{name: alice,",
        "{name: alice, fullName: Alice Example, email: alice@example.com, labels: {team: shop},",
    );
    assert!(story.plan().is_empty());
    assert_eq!(digest::digest(&story.whole()), calm);
    // Nor is it in what somebody new gets.
    story.edit("{name: alice,", "{name: alicia,");
    let new = format!("{:?}", story.plan().people);
    assert!(new.contains("alicia"), "{new}");
    for told in ["Alice Example", "alice@example.com", "shop"] {
        assert!(!new.contains(told), "{told}: {new}");
    }
}
