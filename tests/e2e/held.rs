//! A fault of one grant holds back that grant, and nothing else on the cluster.

use crate::cluster::Cluster;
use crate::world::World;

const LIST: [&str; 4] = ["list", "pods", "-n", "default"];

/// A group that may view everywhere, and edit where `place` says.
fn roster(world: &World, place: &str, people: &[&str]) -> String {
    let name = world.name;
    let users: String = people
        .iter()
        .map(|person| {
            let recipient = world.identity(person);
            format!("- {{name: {person}, recipients: [\"{recipient}\"], groups: [{name}-team]}}\n")
        })
        .collect();
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters:\n- {{name: prod, context: test}}\n\
         groups:\n- name: {name}-team\n  grants:\n  - {{clusterRole: view}}\n  - {place}\nusers:\n{users}"
    )
}

/// In one commit bob leaves and carol joins, and one grant of the team cannot be made.
pub fn a_fault_of_one_grant_holds_up_no_leaver_and_no_newcomer(plane: &'static Cluster) {
    let world = World::new(plane, "held");
    let binding = "certctl:held-team:held-role";
    let in_namespace = "{clusterRole: edit, namespaces: [held-shop]}";
    let by_role = "{clusterRole: held-role}";
    let grants = [in_namespace, by_role, by_role];
    let role = || {
        plane.kubectl_ok(&["create", "clusterrole", "held-role", "--verb=get", "--resource=configmaps"]);
    };
    world.namespace("held-shop");
    role();
    for (round, (grant, code)) in
        grants.iter().zip(["missing-namespace", "missing-role", "foreign-binding-name"]).enumerate()
    {
        let (bob, carol) = (format!("bob{round}"), format!("carol{round}"));
        world.roster(&roster(&world, grant, &["alice", &bob]));
        world.certctl(&["apply", "--auto-approve"]).expect(0);
        let (alices, bobs) = (world.open("prod", "alice"), world.open("prod", &bob));
        world.can(&bobs, &LIST, true);
        match code {
            "missing-namespace" => {
                drop(plane.kubectl_ok(&["delete", "namespace", "held-shop", "--wait=true"]))
            }
            "missing-role" => drop(plane.kubectl_ok(&["delete", "clusterrole", "held-role"])),
            _ => {
                plane.kubectl_ok(&["delete", "clusterrolebinding", binding]);
                plane.kubectl_ok(&[
                    "create",
                    "clusterrolebinding",
                    binding,
                    "--clusterrole=view",
                    "--user=zoe",
                ]);
            }
        }
        let theirs = || plane.kubectl(&["get", "clusterrolebinding", binding, "-o", "yaml"]).stdout;
        let before = theirs();
        world.roster(&roster(&world, grant, &["alice", &carol]));
        let planned = world.certctl(&["plan", "--format", "json"]).expect(0).stdout;
        let planned: serde_json::Value = serde_json::from_str(&planned).expect("JSON");
        assert_eq!(planned["clusters"][0]["held"][0]["code"], code, "{planned}");
        let applied = world.certctl(&["apply", "--auto-approve"]).expect(1).says("1 held back");
        assert!(applied.stderr.contains("users.yaml:10:"), "{}", applied.stderr);
        world.can(&bobs, &LIST, false);
        world.can(&world.open("prod", &carol), &LIST, true);
        world.can(&alices, &LIST, true);
        match code {
            "foreign-binding-name" => assert_eq!(theirs(), before, "it stays as it was"),
            "missing-role" => role(),
            _ => {}
        }
        // Told again until it is fixed, and by nobody counted as a change.
        if code != "missing-role" {
            let again = world.certctl(&["plan", "--detailed-exitcode"]).expect(0).stdout;
            assert!(again.contains(code), "{again}");
        }
    }
    plane.kubectl_ok(&["delete", "clusterrolebinding", binding]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}
