//! What an apply needs is tried before its first write, and a cut-off waits for none of it.

use crate::cluster::Cluster;
use crate::world::World;

const LIST: [&str; 4] = ["list", "pods", "-n", "default"];

fn roster(world: &World, people: &[&str]) -> String {
    let name = world.name;
    let user = |person: &&str| {
        let recipient = world.identity(person);
        format!("- {{name: {person}, recipients: [\"{recipient}\"], groups: [{name}-team]}}\n")
    };
    let users: String = people.iter().map(user).collect();
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters:\n- {{name: prod, context: test}}\n\
         groups:\n- {{name: {name}-team, grants: [{{clusterRole: view}}]}}\nusers:\n{users}"
    )
}

/// Records and the remote, as they are.
fn kept(world: &World) -> (String, String, String) {
    let head = world.git(&["rev-parse", "HEAD"]);
    (head, world.git(&["ls-remote", "origin"]), world.git(&["status", "--porcelain"]))
}

pub fn a_signature_that_cannot_be_made_locks_nobody_out(plane: &'static Cluster) {
    let world = World::new(plane, "signing");
    world.roster(&roster(&world, &["alice", "erin"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (alice, erin) = (world.open("prod", "alice"), world.open("prod", "erin"));

    world.write("users.yaml", &roster(&world, &["alice", "carol"]));
    world.certctl(&["rotate", "alice"]).expect(0);
    world.commit("erin leaves, carol joins, alice is rotated");
    let settings = [("commit.gpgSign", "true"), ("gpg.format", "ssh"), ("user.signingKey", "/nowhere/key")];
    for (key, value) in settings {
        world.git(&["config", key, value]);
    }
    let before = kept(&world);
    let ran = world.certctl(&["apply", "--auto-approve"]).expect(1);
    ran.says("commit.gpgSign").says("/nowhere/key").says("who has to leave is cut off");
    world.can(&erin, &LIST, false);
    world.can(&alice, &LIST, true);
    assert_eq!(kept(&world), before);
    assert!(!world.exists("access/prod/carol.yaml"));

    for (key, _) in settings {
        world.git(&["config", "--unset", key]);
    }
    world.certctl(&["apply", "--auto-approve", "--signoff"]).expect(0);
    let message = world.git(&["log", "-1", "--format=%B%n%cn <%ce>"]);
    let committer = message.trim().lines().last().expect("the committer");
    assert!(message.contains(&format!("\nSigned-off-by: {committer}\n")), "{message}");
    world.can(&alice, &LIST, false);
    for user in ["alice", "carol"] {
        world.can(&world.open("prod", user), &LIST, true);
    }
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}

pub fn revocations_alone_need_no_remote(plane: &'static Cluster) {
    let world = World::new(plane, "night");
    world.roster(&roster(&world, &["alice", "bob", "erin"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let [alice, bob, erin] = ["alice", "bob", "erin"].map(|user| world.open("prod", user));

    world.write("users.yaml", &roster(&world, &["alice", "bob", "carol"]));
    world.certctl(&["rotate", "alice"]).expect(0);
    world.git(&["commit", "-qam", "erin leaves, alice's key has leaked"]);
    let origin = world.git(&["remote", "get-url", "origin"]);
    world.git(&["remote", "set-url", "origin", "/nowhere"]);
    world.write("notes.txt", "not committed");
    let head = world.git(&["rev-parse", "HEAD"]);
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("certctl apply --only-revocations");
    world.can(&erin, &LIST, true);

    for _ in 0..2 {
        world.certctl(&["apply", "--auto-approve", "--only-revocations"]).expect(0);
        world.can(&erin, &LIST, false);
        world.can(&alice, &LIST, false);
        world.can(&bob, &LIST, true);
        assert_eq!(world.git(&["rev-parse", "HEAD"]), head);
        assert_eq!(world.git(&["status", "--porcelain"]), "?? notes.txt\n");
    }

    // Nor does another clone, which knows nothing of it, let her back in.
    world.git(&["remote", "set-url", "origin", origin.trim()]);
    world.checkout("elsewhere", "main", false);
    world.certctl_in("elsewhere", &["apply", "--auto-approve"]).expect(0);
    world.can(&erin, &LIST, false);
    world.can(&alice, &LIST, false);
    // The cluster is shared with other tests, which have an erin of their own.
    let ours = format!("certctl.dev/roster={}", world.name);
    let bound = world.plane.kubectl_ok(&["get", "clusterrolebindings", "-l", &ours, "-o", "yaml"]);
    assert!(!bound.contains("certctl:erin:"), "{bound}");

    world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&alice, &LIST, false);
    for user in ["alice", "bob", "carol"] {
        world.can(&world.open("prod", user), &LIST, true);
    }
    assert!(world.read("access/prod/erin.yaml").contains("state: revoked"));
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}
