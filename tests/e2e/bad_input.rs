//! Whatever is wrong around it: a clear error, a hint, exit 1, nothing half done.

use crate::world::{World, plane};

fn roster(world: &World, extra: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\nusers:\n\
         - name: hana\n  recipients: [\"{recipient}\"]\n{extra}",
        name = world.name,
        recipient = world.identity("hana")
    )
}

#[test]
fn what_the_cluster_lacks_stops_the_plan_with_its_line() {
    let Some(plane) = plane() else { return };
    let world = World::new(plane, "lacks");
    world.roster(&roster(
        &world,
        "  grants:\n  - {clusterRole: view, namespaces: [lacks-nowhere]}\n  - {clusterRole: lacks-role}\n",
    ));
    let ran = world.certctl(&["plan"]).expect(1).says("users.yaml:9:").says("users.yaml:10:");
    assert!(
        ran.stderr.contains("namespace `lacks-nowhere`") && ran.stderr.contains("ClusterRole `lacks-role`"),
        "{}",
        ran.stderr
    );
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("lacks-nowhere");
    assert!(!world.exists("access"));
    assert_eq!(
        plane.kubectl_ok(&["get", "csr,rolebindings", "-A", "-l", "certctl.dev/roster=lacks", "-o", "name"]),
        ""
    );
}

#[test]
fn roads_that_lead_nowhere_are_named() {
    let Some(plane) = plane() else { return };
    let world = World::new(plane, "roads");
    world.certctl(&["plan"]).expect(1).says("users.yaml could not be read").says("--roster");
    world.roster(&roster(&world, "").replace("context: test", "context: elsewhere"));
    world.certctl(&["plan"]).expect(1).says("elsewhere").says("test");
    world.roster(&roster(&world, ""));
    world.certctl(&["plan", "--kubeconfig", "missing"]).expect(1).says("missing");
    world.certctl(&["plan", "--cluster", "stage"]).expect(64).says("stage").says("prod");
    world.certctl(&["plan", "--no-such-flag"]).expect(64);
    world.certctl(&["frobnicate"]).expect(64);

    let kubeconfig = std::fs::read_to_string(&world.kubeconfig).expect("the kubeconfig");
    let unreachable = world.path("unreachable");
    std::fs::write(&unreachable, kubeconfig.replace(plane.server(), "https://127.0.0.1:1")).expect("written");
    world
        .certctl(&["plan", "--kubeconfig", unreachable.to_str().expect("UTF-8")])
        .expect(1)
        .says("127.0.0.1:1");

    let outside = world.path("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("users.yaml"), world.read("users.yaml")).expect("written");
    let file = outside.join("users.yaml");
    let file = file.to_str().expect("UTF-8");
    world.certctl(&["plan", "--roster", file, "--detailed-exitcode"]).expect(2);
    world.certctl(&["apply", "--roster", file, "--auto-approve"]).expect(1).says("git init");
}

#[test]
fn a_missing_right_is_named_with_what_would_grant_it() {
    let Some(plane) = plane() else { return };
    let kubeconfig = plane.client_kubeconfig("certctl-rights", &[]);
    let world = World::with_kubeconfig(plane, "rights", kubeconfig);
    world.roster(&roster(&world, "  grants: [{clusterRole: view}]\n"));
    world.certctl(&["plan"]).expect(1).says("list").says("kubectl create clusterrole");

    plane.apply(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: rights-plan}
rules:
- {apiGroups: [''], resources: [namespaces], verbs: [list]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, clusterroles, rolebindings, clusterrolebindings], verbs: [list]}
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [list, watch, get, create, delete]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}
",
    );
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "rights-plan",
        "--clusterrole=rights-plan",
        "--user=certctl-rights",
    ]);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2);
    // It may ask for a certificate, but not approve it.
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("approve")
        .says("certificatesigningrequests/approval");
    assert!(!world.exists("access/prod/hana.yaml"));
    assert_eq!(
        plane.kubectl_ok(&["get", "clusterrolebindings", "-l", "certctl.dev/roster=rights", "-o", "name"]),
        ""
    );
}

#[test]
fn someone_elses_binding_under_our_name_is_named_and_left_alone() {
    let Some(plane) = plane() else { return };
    let world = World::new(plane, "foreign");
    world.roster(&roster(&world, "  grants: [{clusterRole: view}]\n"));
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "certctl:user=hana:view",
        "--clusterrole=view",
        "--user=zoe",
    ]);
    world.certctl(&["plan"]).expect(1).says("certctl:user=hana:view").says("not made by certctl");
    world.certctl(&["apply", "--auto-approve"]).expect(1);
    let theirs = plane.kubectl_ok(&["get", "clusterrolebinding", "certctl:user=hana:view", "-o", "yaml"]);
    assert!(theirs.contains("zoe") && !theirs.contains("certctl:hana:"), "{theirs}");
    plane.kubectl_ok(&["delete", "clusterrolebinding", "certctl:user=hana:view"]);
}
