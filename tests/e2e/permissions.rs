//! docs/permissions.md says what certctl itself needs: exactly that is granted here, and it is enough.

use crate::cluster::Cluster;
use crate::world::World;

/// The rules of the document, as it shows them.
fn documented() -> String {
    let text = include_str!("../../docs/permissions.md");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("---\n").replace("certctl-acme", "certctl-permissions")
}

pub fn what_is_documented_is_enough_to_plan_and_to_apply(plane: &'static Cluster) {
    let kubeconfig = plane.client_kubeconfig("certctl-permissions", &[]);
    let world = World::with_kubeconfig(plane, "permissions", kubeconfig);
    world.namespace("permissions-shop");
    plane.kubectl_ok(&[
        "create",
        "role",
        "deployer",
        "-n",
        "permissions-shop",
        "--verb=delete",
        "--resource=pods",
    ]);
    plane.apply(&documented());
    let bind = |role: &str| {
        plane.kubectl_ok(&[
            "create",
            "clusterrolebinding",
            &format!("permissions-{role}"),
            &format!("--clusterrole={role}"),
            "--user=certctl-permissions",
        ]);
        // The authorizer reads from a cache, which may lag behind the write.
        let asked = match role {
            "certctl-plan" => ["list", "certificatesigningrequests"],
            _ => ["create", "leases"],
        };
        for _ in 0..100 {
            if world.kubectl(&world.kubeconfig, &["auth", "can-i", asked[0], asked[1], "-A"]).code == Some(0)
            {
                return;
            }
        }
        panic!("the binding of {role} does not hold");
    };
    let roster = |rest: &str| {
        format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: permissions}}\n\
             clusters: [{{name: prod, context: test}}]\ngroups:\n- name: permissions-all\n  grants:\n\
             \x20 - {{clusterRole: view}}\n  - {{clusterRole: edit, namespaces: [permissions-shop]}}\n\
             \x20 - {{role: deployer, namespaces: [permissions-shop]}}\nusers:\n\
             - {{name: kim, recipients: [\"{}\"], groups: [permissions-all]{rest}}}\n",
            world.identity("kim")
        )
    };
    world.roster(&roster(""));
    bind("certctl-plan");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("1 to issue");
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("leases.coordination.k8s.io");

    bind("certctl-apply");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let kim = world.open("prod", "kim");
    world.kubectl(&kim, &["auth", "whoami"]).expect(0).says("certctl:kim:");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.roster(&roster(", generation: 2"));
    world.certctl(&["apply", "--auto-approve"]).expect(0).says("1 credential issued");
    world.roster(
        &roster(", generation: 2").replace("groups: [permissions-all], generation: 2", "generation: 2"),
    );
    world.certctl(&["apply", "--auto-approve"]).expect(0).says("3 bindings written");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}
