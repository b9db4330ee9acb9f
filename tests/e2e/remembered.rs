//! What the cluster remembers stays so, whatever becomes of the repository.

use crate::cluster::Cluster;
use crate::world::World;

const LIST: [&str; 4] = ["list", "pods", "-n", "default"];

fn roster(world: &World, users: &str) -> String {
    let name = world.name;
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: {name}-team, grants: [{{clusterRole: view}}]}}]\nusers:\n{users}"
    )
}

fn member(world: &World, name: &str, rest: &str) -> String {
    let (recipient, team) = (world.identity(name), world.name);
    format!("- {{name: {name}, recipients: [\"{recipient}\"], groups: [{team}-team]{rest}}}\n")
}

pub fn a_record_put_back_from_history_lets_nobody_in(plane: &'static Cluster) {
    let world = World::new(plane, "putback");
    let (alice, bob) = (member(&world, "alice", ""), member(&world, "bob", ""));
    let whole = roster(&world, &(alice.clone() + &bob));
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (leaked, bobs) = (world.open("prod", "alice"), world.open("prod", "bob"));
    world.roster(&roster(&world, &(member(&world, "alice", ", generation: 2") + &bob)));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&leaked, &LIST, false);
    let ledger = ["configmap", "certctl-putback", "-n", "kube-system"];
    let remembered = plane.kubectl_ok(&[&["get"], &ledger[..], &["-o", "jsonpath={.data.revoked}"]].concat());
    assert_eq!(remembered.lines().count(), 1, "{remembered}");

    // The rotation is reverted, the records with it: each is as certctl wrote it.
    world.git(&["revert", "--no-edit", "HEAD", "HEAD~1"]);
    world.git(&["push", "-q"]);
    world.certctl(&["plan"]).expect(0).says("revoked-in-cluster").says("somebody put an older record back");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&leaked, &LIST, false);
    world.can(&world.open("prod", "alice"), &LIST, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);

    // What cannot be read lets nobody in, and keeps nobody in.
    let carol = member(&world, "carol", "");
    plane.kubectl_ok(
        &[&["patch"], &ledger[..], &["--type=merge", "-p", "{\"data\":{\"revoked\":\"?\"}}"]].concat(),
    );
    world.roster(&roster(&world, &(alice + &carol)));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("line 1 of `revoked`");
    world.can(&bobs, &LIST, false);
    assert!(!world.exists("access/prod/carol.kubeconfig.age"));
    plane.kubectl_ok(&[&["delete"], &ledger[..]].concat());
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&world.open("prod", "carol"), &LIST, true);
    world.can(&leaked, &LIST, false);
    world.can(&bobs, &LIST, false);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}
