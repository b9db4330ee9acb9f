//! What is handed out works: an address or a CA that nobody could use is found before anything is recorded.

use std::fs;
use std::path::Path;

use base64::Engine as _;

use crate::cluster::Cluster;
use crate::world::World;

/// The CA that a kubeconfig trusts.
fn authority(kubeconfig: &Path) -> String {
    let text = fs::read_to_string(kubeconfig).expect("a kubeconfig");
    let data = text.split("certificate-authority-data").nth(1).expect("a CA");
    let data: String =
        data.trim_start_matches(['"', ':', ' ']).chars().take_while(|c| !"\"\n,}".contains(*c)).collect();
    let pem = base64::engine::general_purpose::STANDARD.decode(data.trim()).expect("base64");
    String::from_utf8(pem).expect("PEM")
}

pub fn what_nobody_could_use_is_not_handed_out(plane: &'static Cluster) {
    let world = World::new(plane, "endpoint");
    let other = plane.unsigning();
    let theirs = other.client_kubeconfig("nobody", &[]);
    world.write("clusters/other.crt", &authority(&theirs));
    let roster = |cluster: &str| {
        world.write_as_it_is(
            "users.yaml",
            &format!(
                "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: endpoint}}\n\
                 clusters: [{{name: prod, context: test{cluster}}}]\n\
                 groups: [{{name: endpoint-team, grants: [{{clusterRole: view}}]}}]\n\
                 users:\n- {{name: alice, recipients: [\"{}\"], groups: [endpoint-team]}}\n",
                world.identity("alice")
            ),
        );
        world.commit("roster");
    };
    let apply = |code: i32, says: &str| {
        world.certctl(&["apply", "--auto-approve", "--request-timeout", "5s"]).expect(code).says(says)
    };
    let server = |address: &str| format!(", server: \"{address}\"");
    let trusts_other = ", certificateAuthority: clusters/other.crt";

    roster("");
    apply(1, "which is their own machine for everyone else");
    roster(&(server(&plane.server()) + trusts_other));
    apply(1, "the server there has a certificate of another CA than kubeconfigs would carry");
    roster(&(server(&other.server()) + trusts_other));
    apply(1, "another cluster answers there");
    assert!(!world.exists("access/prod/alice.yaml"), "nothing of it was recorded");
    let bound =
        plane.kubectl_ok(&["get", "clusterrolebindings", "-l", "certctl.dev/roster=endpoint", "-o", "name"]);
    assert_eq!(bound, "", "nothing of it was bound");

    roster(&server("https://127.0.0.1:1"));
    apply(0, "it cannot be reached from here");
    roster(&server(&plane.server()));
    apply(0, "1 credential issued");
    world.can(&world.open("prod", "alice"), &["list", "pods"], true);
    let pin = world.read("access/prod/cluster.yaml");
    assert!(pin.contains(&plane.server()) && pin.contains("BEGIN CERTIFICATE"), "{pin}");
    world.certctl(&["plan"]).expect(0).says("Nothing to do");
}
