//! Each kind of key that a person may have, on a real cluster: sealed, kept at home, of a plugin.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use std::time::{Duration, Instant};

use certctl_testing::Ran;

use crate::cluster::Cluster;
use crate::life::{end, signal, start};
use crate::world::{World, until};

/// A recipient of `age-plugin-stub`.
const STUB: &str = "age1stub1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnksz24z";

/// certctl as someone with a configuration folder and programs of their own.
fn certctl_of(world: &World, person: &str, args: &[&str]) -> Ran {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = world.certctl_command(None, args);
    command
        .env("XDG_CONFIG_HOME", world.path(&format!("{person}-config")))
        .env("PATH", format!("{}:{path}", world.path(&format!("{person}-programs")).display()));
    let output = command.output().expect("certctl starts");
    Ran::from(output)
}

/// As an identity provider gives it: longer than what of a name a credential group has room for.
const BOB: &str = "bob.von-und-zu+clusters@department.of.something.Example.org";

pub fn from_nothing_to_kubectl_with_a_sealed_key_a_key_at_home_and_a_plugin(plane: &'static Cluster) {
    let world = World::new(plane, "person");
    let line = |person: &str| certctl_of(&world, person, &["keygen"]).expect(0).stdout;
    let (alice, bob) = (line("alice"), line(BOB));
    let roster = |csr: &str| {
        format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: person}}\n\
             clusters: [{{name: prod, context: test}}]\ngroups:\n- name: person-viewers\n  \
             inCertificate: true\n  grants: [{{clusterRole: view}}]\nusers:\n\
             - name: alice\n  groups: [person-viewers]\n  recipients:\n  {alice}\
             - name: {BOB}\n  groups: [person-viewers]\n  {csr}recipients:\n  {bob}\
             - name: dave\n  groups: [person-viewers]\n  recipients: [{STUB}]\n"
        )
    };
    world.roster(&roster(""));
    let csr = certctl_of(&world, BOB, &["request"]).expect(0).stdout;
    world.roster(&roster(&format!("{}\n  ", csr.trim())));

    // Without the plugin, dave gets nothing, not even a certificate, and the others get theirs.
    let position = plane.audit_position();
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("dave: a recipient `age1stub1...` needs `age-plugin-stub`, which is not on PATH")
        .says("install `age-plugin-stub` where `certctl apply` runs");
    assert!(!world.exists("access/prod/dave.yaml"));
    let made = |event: &&serde_json::Value| {
        event["verb"] == "create"
            && event["objectRef"]["resource"] == "certificatesigningrequests"
            && event["objectRef"]["subresource"].is_null()
    };
    assert_eq!(world.calls(position).iter().filter(made).count(), 2, "one request each for alice and bob");

    for person in ["alice", BOB] {
        let file = world.path(&format!("{person}.kubeconfig"));
        certctl_of(&world, person, &["decrypt", "-o", file.to_str().expect("UTF-8")]).expect(0);
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        let whoami = world.kubectl(&file, &["auth", "whoami"]).expect(0).stdout;
        assert!(whoami.contains(person) && whoami.contains("person-viewers"), "{whoami}");
        world.kubectl(&file, &["get", "pods", "-n", "default"]).expect(0);
    }
    let bobs = world.read(&format!("access/prod/{BOB}.yaml"));
    assert!(bobs.contains("csrSHA256") && !bobs.contains("key: ecdsa"), "{bobs}");

    let bound = plane.kubectl_ok(&["get", "clusterrolebinding", "certctl:person-viewers:view", "-o", "yaml"]);
    assert!(bound.contains("certctl:bob.von-und-zu+clusters@depart~"), "{bound}");
    let status = world.certctl(&["status", BOB]).expect(0).stdout;
    assert!(status.contains(BOB) && status.contains("none needs anybody"), "{status}");

    let plugin = world.path("dave-programs/age-plugin-stub");
    fs::create_dir(world.path("dave-programs")).expect("a folder");
    fs::write(&plugin, include_str!("../person/age-plugin-stub")).expect("the plugin");
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).expect("executable");
    certctl_of(&world, "dave", &["apply", "--auto-approve"]).expect(0);
    assert!(world.read("access/prod/dave.yaml").contains(STUB));
    assert!(world.exists("access/prod/dave.kubeconfig.age"));
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0).says("Nothing to do");
}

pub fn a_plugin_that_hangs_holds_up_nobody_and_is_ended_after_a_signal(plane: &'static Cluster) {
    let world = World::new(plane, "hangs");
    world.roster(&format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: hangs}}\n\
         clusters: [{{name: prod, context: test}}]\ngroups: [{{name: hanging, grants: [{{clusterRole: view}}]}}]\n\
         users:\n- {{name: dave, groups: [hanging], recipients: [{STUB}]}}\n\
         - {{name: zoe, groups: [hanging], recipients: [{}]}}\n",
        world.identity("zoe")
    ));
    let begun = world.path("begun");
    fs::create_dir(world.path("programs")).expect("a folder");
    let plugin = format!("echo $$ >{0}.new && mv {0}.new {0}\nexec sleep 600", begun.display());
    certctl_testing::executable(&world.path("programs/age-plugin-stub"), &plugin);
    let path = format!("{}:{}", world.path("programs").display(), std::env::var("PATH").unwrap_or_default());
    let mut apply = world.certctl_command(None, &["apply", "--auto-approve", "--probe", "none"]);
    apply.env("PATH", path);
    let running = start(apply);
    let certificates = "jsonpath={range .items[*]}{.status.certificate} {end}";
    let ours = ["get", "csr", "-l", "certctl.dev/roster=hangs", "-o", certificates];
    let issued = || plane.kubectl_ok(&ours).split_whitespace().count() == 2;
    until("plugin", || begun.exists() && issued());
    signal(&running, "TERM");
    let signalled = Instant::now();
    end(running)
        .expect(1)
        .says("dave: an age plugin did not end within 10 s of the signal that ended this apply")
        .says("1 credential issued");
    assert!(signalled.elapsed() < Duration::from_secs(60), "{:?}", signalled.elapsed());
    let plugin = fs::read_to_string(begun).expect("its id");
    // Where nobody has waited for it, it is there and dead.
    let state = fs::read_to_string(format!("/proc/{}/stat", plugin.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    assert!(!world.exists("access/prod/dave.yaml"));
    world.can(&world.open("prod", "zoe"), &["list", "pods"], true);
}
