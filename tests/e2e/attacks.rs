//! What an attacker with rights in the cluster tries to keep a revocation from taking effect.

use crate::cluster::Cluster;
use crate::world::World;

/// A roster of these people, whose group of this name may view in the namespace.
fn roster(world: &World, namespace: &str, group: &str, people: &[&str]) -> String {
    let users = people.iter().map(|person| {
        format!("- {{name: {person}, recipients: [\"{}\"], groups: [{group}]}}\n", world.identity(person))
    });
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {}}}\nclusters: [{{name: prod, context: test}}]\n\
         safety: {{maxRevocations: 100%}}\n\
         groups: [{{name: {group}, grants: [{{clusterRole: view, namespaces: [{namespace}]}}]}}]\nusers:\n{}",
        world.name,
        users.collect::<String>()
    )
}

pub fn a_finalizer_keeps_an_object_and_no_right(plane: &'static Cluster) {
    let world = World::new(plane, "finalizer");
    world.namespace("finalizer");
    world.roster(&roster(&world, "finalizer", "fin", &["alice"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let alice = world.open("prod", "alice");
    let list = ["list", "pods", "-n", "finalizer"];
    world.can(&alice, &list, true);
    let binding = ["rolebinding", "certctl:fin:view", "-n", "finalizer"];
    let patch = |finalizers: &str| {
        let patch = format!("{{\"metadata\":{{\"finalizers\":{finalizers}}}}}");
        plane.kubectl_ok(&[&["patch"], &binding[..], &["--type=merge", "-p", &patch]].concat());
    };
    patch("[\"example.com/keep\"]");

    world.roster(&roster(&world, "finalizer", "fin", &[]).replace("users:\n", "users: []\n"));
    world
        .certctl(&["apply", "--auto-approve", "--acknowledge", "1"])
        .expect(1)
        .says("was emptied and deleted, and is still there: finalizer example.com/keep keeps it");
    world.can(&alice, &list, false);
    let subjects = plane.kubectl_ok(&[&["get"], &binding[..], &["-o", "jsonpath={.subjects}"]].concat());
    assert_eq!(subjects, "");

    patch("null");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

pub fn who_stays_keeps_their_rights_while_a_group_is_renamed(plane: &'static Cluster) {
    let world = World::new(plane, "rename");
    world.namespace("rename");
    world.roster(&roster(&world, "rename", "old", &["alice"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let alice = world.open("prod", "alice");
    let list = ["list", "pods", "-n", "rename"];
    world.can(&alice, &list, true);

    // bob joins in the same commit, and the records cannot be pushed: nothing new is bound.
    world.roster(&roster(&world, "rename", "new", &["alice", "bob"]));
    let hook = world.path("origin.git/hooks/update");
    std::fs::create_dir_all(hook.parent().expect("a folder")).expect("a folder");
    certctl_testing::executable(&hook, "echo 'not now' >&2\nexit 1");
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("not now");
    world.can(&alice, &list, true);
    std::fs::remove_file(hook).expect("the hook");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&alice, &list, true);
    world.can(&world.open("prod", "bob"), &list, true);
    let old = plane.kubectl(&["get", "rolebinding", "certctl:old:view", "-n", "rename"]);
    assert!(!old.ok, "the old binding is gone");
}
