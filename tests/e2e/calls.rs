//! The number of calls to the API server, from its audit log.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::world::World;

fn roster(world: &World, users: usize) -> String {
    let recipient = world.identity("all");
    let mut text = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: {name}-all, grants: [{{clusterRole: view}}]}}]\nusers:\n",
        name = world.name
    );
    for i in 0..users {
        text += &format!("- {{name: u{i}, recipients: [{recipient}], groups: [{}-all]}}\n", world.name);
    }
    text
}

fn count(events: &[serde_json::Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let (verb, object) = (event["verb"].as_str().unwrap_or(""), &event["objectRef"]);
        let mut what = format!("{verb} {}", object["resource"].as_str().unwrap_or(""));
        if let Some(subresource) = object["subresource"].as_str() {
            what += &format!("/{subresource}");
        }
        *counts.entry(what).or_default() += 1;
    }
    counts
}

pub fn a_plan_costs_the_same_calls_for_10_and_for_1000_users(plane: &'static Cluster) {
    let world = World::new(plane, "calls");
    let mut seen = Vec::new();
    for users in [10, 1000] {
        world.roster(&roster(&world, users));
        let position = plane.audit_position();
        world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says(&format!("{users} to issue"));
        seen.push(count(&world.calls(position)));
    }
    // The same people in 40 parts, each with a fence.
    let head = world.read("users.yaml");
    let (head, groups) = head.split_once("groups:").expect("groups");
    let (groups, users) = groups.split_once("users:\n").expect("users");
    let users: Vec<&str> = users.split_inclusive('\n').collect();
    for (team, users) in users.chunks(25).enumerate() {
        let part = format!("apiVersion: certctl.dev/v1\nkind: RosterPart\nusers:\n{}", users.concat());
        world.write(&format!("teams/t{team}.yaml"), &part);
    }
    let groups = groups.replace("grants:", "joinable: [\"teams/*.yaml\"], grants:");
    world.write(
        "users.yaml",
        &format!("{head}include: [{{path: \"teams/*.yaml\", may: {{addUsers: true}}}}]\ngroups:{groups}"),
    );
    world.commit("parts");
    let position = plane.audit_position();
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("1000 to issue");
    seen.push(count(&world.calls(position)));
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    assert!(seen[0].values().sum::<usize>() <= 8, "{:?}", seen[0]);
}

pub fn a_person_costs_two_writes_and_a_share_of_one_watch(plane: &'static Cluster) {
    let world = World::new(plane, "writes");
    world.roster(&roster(&world, 12));
    let position = plane.audit_position();
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let counts = count(&world.calls(position));
    assert_eq!(counts["create certificatesigningrequests"], 12, "{counts:?}");
    assert_eq!(counts["update certificatesigningrequests/approval"], 12, "{counts:?}");
    assert_eq!(counts["watch certificatesigningrequests"], 1, "{counts:?}");
    // The only binding is written once for all new subjects.
    assert_eq!(counts["create clusterrolebindings"], 1, "{counts:?}");
    assert!(!counts.contains_key("get certificatesigningrequests"), "nobody polls: {counts:?}");
}
