//! What is handed out works: an address or a CA that nobody could use is found before anything is recorded.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use certctl_sandbox::clock::Clock;
use certctl_sandbox::proxy::{Proxy, Upstream};
use certctl_testing::Ran;
use jiff::{SignedDuration, Timestamp};

use crate::cluster::{Cluster, Options};
use crate::world::{World, until};

pub fn what_nobody_could_use_is_not_handed_out(plane: &'static Cluster) {
    let world = World::new(plane, "endpoint");
    let other = plane.unsigning();
    let theirs = World::new(other, "endpoint-other").own_identity().0;
    world.write("clusters/other.crt", &String::from_utf8(theirs).expect("PEM"));
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

    // Nobody is there to tell.
    roster(&(server("https://127.0.0.1:1") + trusts_other));
    apply(0, "it cannot be reached from here");
    let pinned = || world.read("access/prod/cluster.yaml");
    let before = pinned();
    roster("");
    world.certctl(&["repin"]).expect(1).says("which is their own machine for everyone else");
    assert_eq!(pinned(), before);
    // The address is the roster's now; the CA stays the pinned one until somebody says otherwise.
    roster(&server(&plane.server()));
    apply(1, "the server there has a certificate of another CA than kubeconfigs would carry");
    world
        .certctl(&["repin"])
        .expect(0)
        .says(&format!("server: https://127.0.0.1:1 -> {}", plane.server()))
        .says("certificateAuthority: SHA-256 ")
        .says("git diff access");
    world.commit("prod has moved");
    world.certctl(&["repin"]).expect(0).says("its pin says already where the context leads");
    apply(0, "1 credential issued");
    world.can(&world.open("prod", "alice"), &["list", "pods"], true);
    let pin = pinned();
    let authority = String::from_utf8(world.own_identity().0).expect("PEM");
    let body = |pem: &str| pem.split_whitespace().collect::<String>();
    assert!(pin.contains(&plane.server()) && body(&pin).contains(&body(authority.trim())), "{pin}");
    world.certctl(&["plan"]).expect(0).says("Nothing to do");
}

/// A real `kubectl proxy`, with certctl's own identity. It ends when dropped.
struct KubectlProxy(Child, String);

impl KubectlProxy {
    fn start(world: &World) -> Self {
        let mut command = Command::new(world.plane.bin("kubectl"));
        command.env_clear().env("HOME", world.path("home")).arg("--kubeconfig").arg(&world.kubeconfig);
        command.args(["proxy", "--port=0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut line).expect("it says where it is");
        let address = line.trim().rsplit_once(' ').expect("an address").1;
        Self(child, format!("http://{address}"))
    }
}

impl Drop for KubectlProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// From a laptop with `kubectl proxy`; at a load balancer that ends TLS; beside a server with another time.
pub fn what_stands_between_is_named_and_hands_out_nothing_wrong(plane: &'static Cluster) {
    let world = World::new(plane, "gateway");
    let authority = String::from_utf8(world.own_identity().0).expect("PEM");
    world.write("clusters/prod.crt", &authority);
    let roster = |cluster: &str, people: &[&str]| {
        let user = |name: &&str| {
            format!(
                "- {{name: {name}, recipients: [\"{}\"], groups: [gateway-team]}}\n",
                world.identity(name)
            )
        };
        world.write_as_it_is(
            "users.yaml",
            &format!(
                "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: gateway}}\n\
                 clusters: [{{name: prod, context: test{cluster}}}]\nsafety: {{maxRevocations: 100%}}\n\
                 groups: [{{name: gateway-team, grants: [{{clusterRole: view}}]}}]\nusers:\n{}",
                people.iter().map(user).collect::<String>()
            ),
        );
        world.commit("roster");
    };
    let named = format!(", server: \"{}\", certificateAuthority: clusters/prod.crt", plane.server());
    let apply = |kubeconfig: &str| -> Ran {
        world.certctl(&["apply", "--auto-approve", "--kubeconfig", kubeconfig, "--request-timeout", "5s"])
    };
    let file = |name: &str, text: &str| {
        let path = world.path(name);
        fs::write(&path, text).expect("a kubeconfig");
        path.to_str().expect("UTF-8").to_owned()
    };
    let direct = world.kubeconfig.to_str().expect("UTF-8");
    let list = ["list", "pods"];

    let proxy = KubectlProxy::start(&world);
    let laptop = file(
        "laptop",
        &format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\n\
             contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n",
            proxy.1
        ),
    );
    roster("", &["alice"]);
    apply(&laptop).expect(1).says("does not begin with https://");
    assert!(!world.exists("access/prod/alice.yaml"));
    // There is no such name (RFC 6761).
    let closed = "https://prod.invalid:6443";
    roster(&format!(", server: \"{closed}\", certificateAuthority: clusters/prod.crt"), &["alice"]);
    apply(&laptop).expect(0).says("it cannot be reached from here");
    // What is published stays where it is, whoever applies from wherever.
    roster("", &["alice", "bob"]);
    apply(&laptop)
        .expect(0)
        .says("1 credential issued")
        .says(&format!("context `test` leads to {}", proxy.1));
    assert!(world.read("access/prod/cluster.yaml").contains(closed));
    roster(&named, &["alice", "bob"]);
    apply(&laptop).expect(0).says("2 credentials issued");
    let bob = world.open("prod", "bob");
    world.can(&bob, &list, true);
    drop(proxy);

    let (authority, _, _) = world.own_identity();
    for (way, taken) in [
        (world.way().for_anyone(), "the API server took it for `certctl-gateway`"),
        (
            Upstream::anonymous(&plane.server(), &authority).expect("a way there"),
            "took it for nobody in particular",
        ),
    ] {
        let balancer = Proxy::start(way, "test").expect("the proxy starts");
        world.write("clusters/balancer.crt", &balancer.serving_ca_pem());
        let there = ", certificateAuthority: clusters/balancer.crt";
        roster(&format!(", server: \"{}\"{there}", balancer.server()), &["alice", "bob"]);
        let ran = apply(direct).expect(1);
        ran.says("a proxy or load balancer ends TLS there").says(taken);
    }
    assert_eq!(world.read("access/prod/bob.yaml").matches("serial: ").count(), 2, "nothing was recorded");
    world.can(&bob, &list, true);

    // bob leaves and carol joins, by a server whose clock is 20 minutes behind.
    roster(&named, &["alice", "carol"]);
    let late = Clock::new(|| Timestamp::now() - SignedDuration::from_mins(20));
    let behind = Proxy::start_at(world.way(), "test", late).expect("the proxy starts");
    let ran = apply(&file("behind", &behind.kubeconfig())).expect(1);
    ran.says("20 minutes apart");
    assert!(!world.exists("access/prod/carol.yaml"));
    world.can(&bob, &list, false);
    apply(direct).expect(0).says("1 credential issued");
    world.can(&world.open("prod", "carol"), &list, true);
    world.certctl(&["plan"]).expect(0).says("Nothing to do");
}

pub fn a_client_ca_that_was_replaced_is_noticed_and_everyone_gets_a_new_certificate(
    shared: &'static Cluster,
) {
    let plane = shared.of_its_own(Options { hours: Some(1), ..Options::default() });
    let world = World::new(plane, "replaced");
    world.roster(&format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: replaced}}\n\
         clusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: replaced-team, grants: [{{clusterRole: view}}]}}]\n\
         users:\n- {{name: alice, recipients: [\"{}\"], groups: [replaced-team]}}\n",
        world.identity("alice")
    ));
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(0)
        .says("the signer gives certificates of 1.0 hours, where the roster asks for")
        .says("--cluster-signing-duration");
    let old = world.open("prod", "alice");
    let list = ["list", "pods"];
    world.can(&old, &list, true);

    // The API server has a new one; the signer was forgotten.
    plane.replace_client_authority();
    world.renew_own_kubeconfig();
    let refused = world.kubectl(&old, &["get", "pods"]);
    assert!(refused.stderr.contains("Unauthorized"), "{}", refused.stderr);
    // Kubernetes adds to what it published before. Whoever replaces a CA deletes that.
    let published = ["configmap", "extension-apiserver-authentication", "-n", "kube-system"];
    let get = [&["get"], &published[..]].concat();
    let both = plane.kubectl_ok(&[&get[..], &["-o", "jsonpath={.data.client-ca-file}"]].concat());
    assert_eq!(both.matches("BEGIN CERTIFICATE").count(), 2, "{both}");
    world.certctl(&["plan"]).expect(0).says("Nothing to do");
    plane.kubectl_ok(&[&["delete"], &published[..]].concat());
    until("published client CA", || plane.kubectl(&get).ok);
    let planned = world.certctl(&["plan"]).expect(0).stdout;
    assert!(planned.contains("~ renew   alice") && planned.contains("client CA was replaced"), "{planned}");
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("the API server does not accept what its own signer signs");
    assert_eq!(world.read("access/prod/alice.yaml").matches("serial: ").count(), 1);

    plane.let_the_signer_follow();
    world.certctl(&["apply", "--auto-approve"]).expect(0).says("1 credential issued");
    world.can(&world.open("prod", "alice"), &list, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}
