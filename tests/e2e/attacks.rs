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
    // One with our labels, for alice and for the planter, that is not to go either.
    let planted = ["rolebinding", "finalizer-planted", "-n", "finalizer"];
    let groups = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups[0]}"];
    let group = format!("--group={}", world.kubectl(&alice, &groups).stdout);
    let who = ["--clusterrole=edit", "--user=finalizer-mallory", &group];
    plane.kubectl_ok(&[&["create"], &planted[..], &who].concat());
    let labels = ["app.kubernetes.io/managed-by=certctl", "certctl.dev/roster=finalizer"];
    plane.kubectl_ok(&[&["label"], &planted[..], &labels].concat());
    let patch = |finalizers: &str| {
        let patch = format!("{{\"metadata\":{{\"finalizers\":{finalizers}}}}}");
        for binding in [binding, planted] {
            plane.kubectl_ok(&[&["patch"], &binding[..], &["--type=merge", "-p", &patch]].concat());
        }
    };
    patch("[\"example.com/keep\"]");

    world.roster(&roster(&world, "finalizer", "fin", &[]).replace("users:\n", "users: []\n"));
    world
        .certctl(&["apply", "--auto-approve", "--acknowledge", "1"])
        .expect(1)
        .says("finalizer/finalizer-planted was emptied and deleted, and is still there: finalizer example.com/keep keeps it")
        .says("finalizer/certctl:fin:view was emptied and deleted, and is still there: finalizer example.com/keep keeps it");
    world.can(&alice, &list, false);
    for binding in [binding, planted] {
        let subjects = plane.kubectl_ok(&[&["get"], &binding[..], &["-o", "jsonpath={.subjects}"]].concat());
        assert_eq!(subjects, "");
    }
    // Again, while they wait to be deleted: each plan names them.
    world.certctl(&["plan"]).expect(0).says("finalizer-planted").says("example.com/keep");

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

/// Someone with admin in the namespace takes the label off our binding, binds bob's credential besides, and
/// plants a binding with our labels.
pub fn a_label_taken_off_keeps_nobody_in(plane: &'static Cluster) {
    let world = World::new(plane, "label");
    world.namespace("label");
    world.roster(&roster(&world, "label", "lab", &["lea", "bob"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (leas, bobs) = (world.open("prod", "lea"), world.open("prod", "bob"));
    let list = ["list", "pods", "-n", "label"];
    let groups = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups[0]}"];
    let bobs_group = world.kubectl(&bobs, &groups).stdout;
    world.roster(&roster(&world, "label", "lab", &["lea"]));
    let digest = || {
        let plan = world.certctl(&["plan", "--format", "json"]).expect(0).stdout;
        let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
        plan["digest"].as_str().expect("a digest").to_owned()
    };
    let reviewed = digest();

    let kubectl = |args: &[&str]| plane.kubectl_ok(&[args, &["-n", "label"]].concat());
    let group = format!("--group={bobs_group}");
    kubectl(&["create", "rolebinding", "label-theirs", "--clusterrole=edit", "--user=zoe", &group]);
    kubectl(&["create", "rolebinding", "label-planted", "--clusterrole=view", "--user=mallory"]);
    let ours = ["app.kubernetes.io/managed-by=certctl", "certctl.dev/roster=label"];
    kubectl(&["label", "rolebinding", "label-planted", ours[0], ours[1]]);

    assert_eq!(digest(), reviewed);

    kubectl(&[
        "label",
        "rolebinding",
        "certctl:lab:view",
        "certctl.dev/roster-",
        "app.kubernetes.io/managed-by-",
    ]);
    // The binding without our labels is held: exit 1 until it is fixed.
    let applied = world.certctl(&["apply", "--auto-approve"]).expect(1);
    assert!(applied.stderr.contains("1 held back"), "{}", applied.stderr);
    world.can(&bobs, &list, false);
    world.can(&leas, &list, true);
    let names = ["get", "rolebinding", "label-theirs", "-o", "jsonpath={.subjects[*].name}"];
    assert_eq!(kubectl(&names), "zoe");
    let labels = ["get", "rolebinding", "certctl:lab:view", "-o", "jsonpath={.metadata.labels}"];
    assert_eq!(kubectl(&labels), "");
    // Nobody owns it any more: every roster of the cluster would be warned of it.
    kubectl(&["delete", "rolebinding", "certctl:lab:view"]);
    world.sweep();
}

/// Another team has a roster of the same name.
pub fn a_second_repository_of_the_same_name_unbinds_nobody(plane: &'static Cluster) {
    let first = World::new(plane, "namesake");
    first.namespace("namesake");
    first.roster(&roster(&first, "namesake", "names", &["alice"]));
    first.certctl(&["apply", "--auto-approve"]).expect(0);
    let alice = first.open("prod", "alice");
    let list = ["list", "pods", "-n", "namesake"];

    let second = first.namesake();
    second.roster(&roster(&second, "namesake", "names", &["bob"]));
    let refused = "roster name `namesake` belongs to another repository";
    second.certctl(&["plan"]).expect(1).says(refused);
    second.certctl(&["apply", "--auto-approve", "--acknowledge", "1"]).expect(1).says(refused);
    second.certctl(&["apply", "--auto-approve", "--only-revocations"]).expect(1).says(refused);
    first.can(&alice, &list, true);
    assert!(!second.exists("access"));

    // As the hint says, the name is freed. Then the first one is refused.
    let ledger = ["configmap", "certctl-namesake", "-n", "kube-system"];
    let free = ["--type=merge", "-p", "{\"data\":{\"rosterId\":\"-\"}}"];
    plane.kubectl_ok(&[&["patch"], &ledger[..], &free].concat());
    second.certctl(&["apply", "--auto-approve"]).expect(0);
    first.can(&alice, &list, false);
    second.can(&second.open("prod", "bob"), &list, true);
    first.certctl(&["apply", "--auto-approve"]).expect(1).says(refused);

    plane.kubectl_ok(&[&["delete"], &ledger[..]].concat());
    second.certctl(&["plan"]).expect(0).says("ledger-lost");
    second.certctl(&["apply", "--auto-approve"]).expect(0);
    let plan = second.certctl(&["plan", "--detailed-exitcode"]).expect(0).stdout;
    assert!(!plan.contains("ledger-lost"), "{plan}");
}

/// Bindings of others that name who leaves, or their credential.
pub fn what_is_left_to_a_credential_is_counted_whoever_bound_it(plane: &'static Cluster) {
    let world = World::new(plane, "left");
    world.namespace("left");
    world.roster(&roster(&world, "left", "left", &["alice", "bob"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let bobs = world.open("prod", "bob");
    let groups = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups[0]}"];
    let group = format!("--group={}", world.kubectl(&bobs, &groups).stdout);
    let bind = |name: &str, who: &str| {
        plane.kubectl_ok(&["create", "rolebinding", name, "-n", "left", "--clusterrole=edit", who]);
    };
    bind("left-by-name", "--user=bob");
    bind("left-by-group", &group);
    world.roster(&roster(&world, "left", "left", &["alice"]));
    let kept = "KEEPS ACCESS through 1 binding of others";
    world.certctl(&["plan"]).expect(0).says(kept).says("left-by-name");
    let applied = world.certctl(&["apply", "--auto-approve"]).expect(0).says(kept);
    assert!(!applied.stderr.contains("nothing left but"), "{}", applied.stderr);
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains(kept), "{message}");
    world.can(&bobs, &["list", "pods", "-n", "left"], true);
    plane.kubectl_ok(&["delete", "rolebinding", "left-by-name", "-n", "left"]);
    world.can(&bobs, &["list", "pods", "-n", "left"], false);
}
