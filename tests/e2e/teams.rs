//! A team that owns a part of the roster, with namespaces that come and go.

use crate::cluster::Cluster;
use crate::question::answered;
use crate::world::World;

pub fn a_team_owns_its_part_and_access_follows_its_namespaces(plane: &'static Cluster) {
    let world = World::new(plane, "teams");
    world.namespace("teams-a");
    world.write(
        "users.yaml",
        &format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: teams}}\n\
             clusters: [{{name: prod, context: test, server: \"{}\"}}]\n\
             include: [{{path: \"teams/*.yaml\", may: {{grant: [view, edit], namespaces: [\"teams-*\"], addUsers: true}}}}]\n",
            plane.server()
        ),
    );
    let part = format!(
        "apiVersion: certctl.dev/v1\nkind: RosterPart\n\
         groups:\n- name: teams-dev\n  grants:\n  - {{clusterRole: edit, namespaces: [\"teams-pr-*\"]}}\n  \
         - clusterRole: view\n    namespaces: [\"teams-*\"]\n    namespaceSelector: {{matchLabels: {{shared: \"yes\"}}}}\n\
         users:\n- {{name: ann, recipients: [\"{}\"], groups: [teams-dev]}}\n",
        world.identity("ann")
    );
    world.write("teams/dev.yaml", &part);
    world.commit("a team");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let ann = world.open("prod", "ann");
    let may = |verb: &[&str], namespace: &str, expected| {
        world.can(&ann, &[verb, &["-n", namespace]].concat(), expected)
    };
    may(&["list", "pods"], "teams-a", false);

    // The same plan is approved, whatever namespaces there are.
    let plan = world.certctl(&["plan", "--format", "json"]).expect(0).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
    let approved = plan["digest"].as_str().expect("a digest");
    world.namespace("teams-pr-1");
    plane.kubectl_ok(&["label", "namespace", "teams-a", "shared=yes"]);
    let position = plane.audit_position();
    world.certctl(&["plan"]).expect(0).says("group `teams-dev` gets ClusterRole edit in teams-pr-1");
    let lists = world.calls(position).iter().filter(|event| event["verb"] == "list").count();
    assert_eq!(lists, 6, "namespaces are in the lists that a plan makes anyway");
    world.certctl(&["apply", "--auto-approve", "--expect-digest", approved]).expect(0);
    may(&["create", "configmaps"], "teams-pr-1", true);
    may(&["list", "pods"], "teams-a", true);
    may(&["create", "configmaps"], "teams-a", false);

    // Relabelled, and gone: nothing is held up.
    plane.kubectl_ok(&["label", "namespace", "teams-a", "shared-"]);
    plane.kubectl_ok(&["delete", "namespace", "teams-pr-1", "--wait=false"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    may(&["list", "pods"], "teams-a", false);

    // The same while somebody looks at the plan: what is gone is passed over, and what is new or has other labels is
    // the next apply's.
    world.namespace("teams-pr-2");
    world.namespace("teams-pr-3");
    world.namespace("teams-b");
    plane.kubectl_ok(&["label", "namespace", "teams-b", "shared=yes"]);
    let (code, shown) = answered(&world, "yes", &|| {
        plane.kubectl_ok(&["delete", "namespace", "teams-pr-2", "--wait=false"]);
        world.namespace("teams-pr-4");
        plane.kubectl_ok(&["label", "namespace", "teams-a", "shared=yes"]);
        plane.kubectl_ok(&["label", "namespace", "teams-b", "shared-"]);
    });
    assert_eq!(code, Some(0), "{shown}");
    may(&["create", "configmaps"], "teams-pr-3", true);
    may(&["create", "configmaps"], "teams-pr-4", false);
    may(&["list", "pods"], "teams-a", false);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    may(&["create", "configmaps"], "teams-pr-4", true);
    may(&["list", "pods"], "teams-a", true);
    may(&["list", "pods"], "teams-b", false);

    // What is applied is the part that is committed, and a part goes no further than its fence.
    world.write("teams/dev.yaml", &part.replace("[teams-dev]}", "[]}"));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("teams/dev.yaml");
    world.write("teams/dev.yaml", &part.replace("edit, namespaces", "admin, namespaces"));
    world.commit("more");
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("that is beyond what teams/dev.yaml may");
    world.write("teams/dev.yaml", &part);
    world.commit("back");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.sweep();
}
