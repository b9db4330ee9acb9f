//! certctl in a pod: no kubeconfig, the API server's address in the environment, and the token of a service account in
//! the folder where the kubelet mounts it.

use std::fs;

use certctl_testing::{Ran, executable};

use crate::cluster::Cluster;
use crate::world::{World, until};

/// Makes the kubelet's folder, from the files in `account`, in mounts that end with the program.
const POD: &str = r#"set -e
mount -t tmpfs none "$(readlink -f /var/run)"
mount=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p $mount
cp account/* $mount/
cd repo
exec "$@""#;

pub fn a_pod_plans_and_applies_as_its_service_account(plane: &'static Cluster) {
    let world = World::new(plane, "pods");
    world.namespace("pods");
    let roster = |context: &str| {
        format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: pods}}\n\
             clusters: [{{name: prod, context: {context}, server: \"{}\"}}]\n\
             groups: [{{name: pods-all, grants: [{{clusterRole: view}}]}}]\n\
             users: [{{name: alice, recipients: [{}], groups: [pods-all]}}]\n",
            plane.server(),
            world.identity("alice")
        )
    };
    world.roster(&roster("in-cluster"));

    // What an administrator does once: the rights, for the service accounts that are named by default.
    let kubeconfig = world.path("admin.kubeconfig");
    fs::copy(&world.kubeconfig, &kubeconfig).expect("copied");
    world.kubectl(&kubeconfig, &["config", "rename-context", "test", "in-cluster"]).expect(0);
    let kubeconfig = kubeconfig.display().to_string();
    let bootstrap = ["bootstrap", "--namespace", "pods", "--kubeconfig", &kubeconfig];
    plane.apply(&world.certctl(&bootstrap).expect(0).stdout);

    // What the kubelet does. The token is made by a TokenRequest, as it makes them.
    let account = world.path("account");
    fs::create_dir(&account).expect("a folder");
    let mount = |file: &str, content: &[u8]| fs::write(account.join(file), content).expect("written");
    let token = |of: &str| plane.kubectl_ok(&["create", "token", of, "-n", "pods"]).trim().to_owned();
    mount("ca.crt", &world.own_identity().0);
    mount("namespace", b"pods");
    mount("token", token("certctl-plan").as_bytes());
    executable(&world.path("pod"), POD);
    let server = plane.server();
    let address = server.strip_prefix("https://").and_then(|address| address.split_once(':'));
    let (host, port) = address.expect("host and port");
    world.unset("KUBECONFIG");
    world.set("KUBERNETES_SERVICE_HOST", host);
    world.set("KUBERNETES_SERVICE_PORT", port);
    let pod = |line: &str| -> Ran {
        world.sh(&format!("exec unshare --mount ./pod '{}' {line}", env!("CARGO_BIN_EXE_certctl")))
    };

    let since = plane.audit_position();
    // The authorizer hears of new rights a moment later.
    until("plan", || pod("plan --detailed-exitcode").code == Some(2));
    pod("plan --detailed-exitcode").expect(2).says("1 to issue");
    // Who may only plan cannot apply, and is named.
    pod("apply --auto-approve").expect(1).says("--serviceaccount=pods:certctl-plan");
    // A token that is replaced counts at once.
    mount("token", token("certctl-apply").as_bytes());
    pod("apply --auto-approve").expect(0);
    pod("plan --detailed-exitcode").expect(0).says("Nothing to do");
    let events = plane.audit_events_since(since);
    for account in ["certctl-plan", "certctl-apply"] {
        let name = format!("system:serviceaccount:pods:{account}");
        assert!(events.iter().any(|event| event["user"]["username"] == name), "{name} asked nothing");
    }
    world.can(&world.open("prod", "alice"), &["list", "pods"], true);

    // Three of its kind: a proxy of the environment, which is for no server on loopback, a token that is not taken, and a
    // kubeconfig, which comes first.
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    pod("plan").expect(0);
    mount("token", b"no.such.token");
    pod("plan").expect(1).says("Unauthorized");
    world.set("KUBECONFIG", &kubeconfig);
    pod("plan").expect(0).says("Nothing to do");
    world.unset("KUBECONFIG");
    world.roster(&roster("prod-admin"));
    pod("plan").expect(1).says("`context: in-cluster` of that cluster");
    world.sweep();
}
