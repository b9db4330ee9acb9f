//! Faults between certctl and the cluster: the fault suite on a real kube-apiserver, in a few
//! places. tests/faults has all of them, on the sandbox.

use std::fs;
use std::time::Duration;

use certctl_sandbox::faults::{Fault, On};
use certctl_sandbox::proxy::Proxy;

use crate::cluster::Cluster;
use crate::world::World;

/// One user joins and one leaves, so that an apply does some of everything.
fn roster(world: &World, turn: usize) -> String {
    let name = world.name;
    let user = |number: usize| {
        let recipient = world.identity("everyone");
        format!("- {{name: u{number}, recipients: [\"{recipient}\"], groups: [{name}-team]}}\n")
    };
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters: [{{name: prod, context: test, server: \"https://127.0.0.1:1\"}}]\n\
         groups: [{{name: {name}-team, grants: [{{clusterRole: view}}]}}]\nusers:\n{}{}",
        user(turn),
        user(turn + 1)
    )
}

pub fn a_call_that_breaks_on_the_way_is_made_up_for(plane: &'static Cluster) {
    let world = World::new(plane, "broken");
    let proxy = Proxy::start(world.way(), "test").expect("the proxy starts");
    let broken = world.path("broken.kubeconfig");
    fs::write(&broken, proxy.kubeconfig()).expect("a kubeconfig");
    let broken = broken.to_str().expect("UTF-8");
    let apply = ["apply", "--auto-approve", "--kubeconfig", broken, "--request-timeout", "2s"];
    world.roster(&roster(&world, 0));
    proxy.faults().clear();
    world.certctl(&apply).expect(0);

    let mut turn = 0;
    for fault in [
        Fault::Refused(503),
        Fault::DoneButRefused(500),
        Fault::TooManyRequests { retry_after: 1 },
        Fault::Reset,
        Fault::DoneButReset,
        Fault::DoneButTimeout,
        Fault::Slow(Duration::from_millis(300)),
        Fault::CutWatch { after: 1 },
    ] {
        for (verb, resource) in [
            ("patch", "clusterrolebindings"),
            ("create", "certificatesigningrequests"),
            ("watch", "certificatesigningrequests"),
        ] {
            if matches!(fault, Fault::CutWatch { .. }) != (verb == "watch") {
                continue;
            }
            turn += 1;
            world.roster(&roster(&world, turn));
            proxy.faults().set([(On::First { verb, resource }, fault.clone())]);
            let ran = world.certctl(&apply);
            let calls = proxy.faults().calls();
            assert!(calls.iter().any(|call| call.struck), "{fault:?} struck no {verb} {resource}: {calls:?}");
            proxy.faults().clear();
            let gone = format!("certctl:u{}:", turn - 1);
            let label = format!("certctl.dev/roster={}", world.name);
            let bound = || plane.kubectl_ok(&["get", "clusterrolebindings", "-l", &label, "-o", "yaml"]);
            assert!(!bound().contains(&gone), "{fault:?} {verb} {resource}: {}", ran.stderr);
            world.certctl(&apply).expect(0);
            world.certctl(&["plan", "--detailed-exitcode", "--kubeconfig", broken]).expect(0);
            assert!(bound().contains(&format!("certctl:u{}:", turn + 1)), "{fault:?} {verb} {resource}");
        }
    }
    world.open_as("prod", &format!("u{}", turn + 1), "everyone");
    world.sweep();
}
