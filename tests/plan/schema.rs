//! What `plan --format json` prints is what schemas/plan.schema.json says.

use std::collections::BTreeSet;

use certctl::plan::digest;
use certctl::render::json;
use serde_json::Value;

use crate::story::{Story, TEAM, ours, request, subject};

/// Plans that hold every action between them, and a warning.
fn stories() -> Vec<Story> {
    let mut left = Story::applied(TEAM);
    left.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    let mut rotated = Story::applied(TEAM);
    rotated.edit("groups: [developers]}", "groups: [developers], generation: 2}");
    let mut renewed = Story::applied(TEAM);
    renewed.wait("25d");
    let mut expired = Story::applied(TEAM);
    expired.wait("90d");
    let mut last = Story::applied(TEAM);
    last.yaml = Story::of("users: []\n").yaml;
    let mut drifted = Story::applied(TEAM);
    drifted.binding("certctl:developers:view").subjects.push(subject("User", "mallory"));
    let mut planted = Story::applied(TEAM);
    planted.cluster.state.requests.push(request("planted", "alice", &["certctl:alice:0123456789abcdef"]));
    let mut left_over = Story::applied(TEAM);
    let mut ours_in_flight = request("certctl-acme-0", "alice", &[]);
    ours_in_flight.labels = ours();
    left_over.cluster.state.requests.push(ours_in_flight);
    vec![
        Story::applied(TEAM),
        Story::of(TEAM),
        left,
        rotated,
        renewed,
        expired,
        last,
        drifted,
        planted,
        left_over,
    ]
}

fn document(story: &Story) -> Value {
    let whole = story.whole();
    let document = json::document(&whole, &story.digest(), digest::digested(&whole));
    serde_json::from_str(&json::text(&document)).expect("JSON")
}

#[test]
fn every_plan_as_json_is_what_the_schema_says() {
    let schema: Value = serde_json::from_str(&json::schema()).expect("the schema is JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let (mut actions, mut warnings) = (BTreeSet::new(), 0);
    for story in stories() {
        let plan = document(&story);
        if let Err(error) = schema.validate(&plan) {
            panic!("{}: {error}\n{plan:#}", error.instance_path());
        }
        let listed = plan["clusters"][0]["actions"].as_array().expect("a list").clone();
        actions.extend(listed.iter().map(|action| action["action"].as_str().expect("a word").to_owned()));
        warnings += plan["clusters"][0]["warnings"].as_array().expect("a list").len();
        // What the summary counts is what is listed.
        for word in ["issue", "renew", "rotate", "revoke", "cleanup"] {
            let count = listed.iter().filter(|action| action["action"] == word).count();
            assert_eq!(plan["summary"][word], count, "{word}: {plan:#}");
        }
    }
    let all = ["bind", "cleanup", "issue", "renew", "revoke", "rotate", "unbind", "update"];
    assert_eq!(
        actions.iter().map(String::as_str).collect::<Vec<_>>(),
        all,
        "an action is missing from the stories"
    );
    assert!(warnings > 0, "no story has a warning");
}

#[test]
fn what_no_plan_looks_like_is_refused() {
    let schema: Value = serde_json::from_str(&json::schema()).expect("the schema is JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let story = Story::of(TEAM);
    let good = document(&story);
    assert!(schema.is_valid(&good));
    for (pointer, value) in [
        ("/formatVersion", Value::from("1")),
        ("/clusters/0/actions/0/user", Value::Null),
        ("/summary/issue", Value::from(-1)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("a field") = value;
        assert!(!schema.is_valid(&bad), "{pointer}");
    }
    for field in ["digest", "clusters", "summary"] {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(field);
        assert!(!schema.is_valid(&bad), "{field}");
    }
}
