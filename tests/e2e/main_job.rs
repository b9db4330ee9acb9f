//! The main job: roster in, working kubeconfigs out, and all of it revoked again.

use crate::cluster::Cluster;
use crate::world::World;

fn roster(world: &World, users: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1
kind: Roster
metadata: {{name: {name}}}
clusters:
- {{name: prod, context: test}}
groups:
- name: {name}-developers
  grants:
  - {{clusterRole: view}}
  - {{clusterRole: edit, namespaces: [{name}-shop]}}
- name: {name}-deployers
  grants:
  - {{role: deployer, namespaces: [{name}-shop]}}
users:
{users}",
        name = world.name
    )
}

fn user(world: &World, name: &str, rest: &str) -> String {
    format!("- {{name: {name}, recipients: [\"{}\"], {rest}}}\n", world.identity(name))
}

pub fn three_people_get_exactly_what_the_roster_says_and_lose_it_again(plane: &'static Cluster) {
    let world = World::new(plane, "main");
    world.namespace("main-shop");
    plane.kubectl_ok(&["create", "role", "deployer", "-n", "main-shop", "--verb=delete", "--resource=pods"]);
    let alice = user(&world, "alice", "groups: [main-developers]");
    let bob = user(&world, "bob", "groups: [main-developers, main-deployers], key: rsa-4096");
    let carol = user(&world, "carol", "grants: [{clusterRole: view, namespaces: [main-shop]}]");
    world.roster(&roster(&world, &(alice.clone() + &bob + &carol)));

    // plan says so and changes nothing
    let before = plane.kubectl_ok(&[
        "get",
        "csr,clusterrolebindings,rolebindings",
        "-A",
        "-l",
        "certctl.dev/roster=main",
    ]);
    let position = plane.audit_position();
    world
        .certctl(&["plan", "--detailed-exitcode"])
        .expect(2)
        .says("3 to issue")
        .says("alice")
        .says("certctl:main-developers:edit");
    for event in world.calls(position) {
        let named = event["verb"] == "get" && event["objectRef"]["resource"] == "configmaps";
        assert!(named || event["verb"] == "list", "plan only lists, and reads two objects by name: {event}");
    }
    let after = plane.kubectl_ok(&[
        "get",
        "csr,clusterrolebindings,rolebindings",
        "-A",
        "-l",
        "certctl.dev/roster=main",
    ]);
    assert_eq!(before, after);
    assert!(!world.exists("access"));

    // apply, without a terminal and without the flag, does nothing
    world.certctl(&["apply"]).expect(64).says("--auto-approve");
    assert!(!world.exists("access"));

    let head = world.git(&["rev-parse", "HEAD"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0).says("Nothing to do");

    // one commit of only our paths, pushed
    assert_eq!(world.git(&["rev-list", "--count", &format!("{}..HEAD", head.trim())]).trim(), "1");
    assert_eq!(world.git(&["rev-parse", "HEAD"]), world.git(&["rev-parse", "origin/main"]));
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    let mut files: Vec<String> =
        world.git(&["show", "--name-only", "--format=", "HEAD"]).lines().map(str::to_owned).collect();
    files.sort();
    let expected = ["alice", "bob", "carol"]
        .iter()
        .flat_map(|user| [format!("access/prod/{user}.kubeconfig.age"), format!("access/prod/{user}.yaml")]);
    let mut expected: Vec<String> = expected.chain(["access/prod/cluster.yaml".to_owned()]).collect();
    expected.sort();
    assert_eq!(files, expected);
    assert!(world.git(&["log", "-1", "--format=%B"]).contains("issue alice"));

    // each kubeconfig works, names its owner, and gives what the roster gives
    let (a, b, c) = (world.open("prod", "alice"), world.open("prod", "bob"), world.open("prod", "carol"));
    for (name, kubeconfig) in [("alice", &a), ("bob", &b), ("carol", &c)] {
        let whoami = world.kubectl(kubeconfig, &["auth", "whoami"]).expect(0);
        assert!(
            whoami.stdout.contains(&format!("Username    {name}")) || whoami.stdout.contains(name),
            "{}",
            whoami.stdout
        );
        assert!(whoami.stdout.contains(&format!("certctl:{name}:")), "{}", whoami.stdout);
    }
    world.can(&a, &["list", "pods", "-n", "default"], true);
    world.can(&a, &["create", "configmaps", "-n", "main-shop"], true);
    world.can(&a, &["create", "configmaps", "-n", "default"], false);
    world.can(&a, &["list", "secrets", "-n", "default"], false);
    world.can(&b, &["delete", "pods", "-n", "main-shop"], true);
    world.can(&b, &["delete", "pods", "-n", "default"], false);
    world.can(&c, &["list", "pods", "-n", "main-shop"], true);
    world.can(&c, &["list", "pods", "-n", "default"], false);
    world.can(&c, &["create", "configmaps", "-n", "main-shop"], false);
    world.kubectl(&a, &["get", "pods", "-n", "main-shop"]).expect(0);

    // decrypt prints the same; another user's identity decrypts none of it
    let key = world.identity_file("alice");
    let key = key.to_str().expect("UTF-8");
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_certctl"))
        .current_dir(world.repo())
        .args(["decrypt", "-i", key])
        .output()
        .expect("certctl starts");
    assert_eq!(
        printed.stdout,
        std::fs::read(&a).expect("alice's kubeconfig"),
        "{}",
        String::from_utf8_lossy(&printed.stderr)
    );
    world.certctl(&["decrypt", "bob", "-i", key]).expect(1).says("none of your identities opens");

    // drift made by hand is shown as a diff and repaired
    plane.kubectl_ok(&[
        "patch", "rolebinding", "certctl:main-developers:edit", "-n", "main-shop", "--type=json",
        "-p", r#"[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}}]"#,
    ]);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("- User mallory");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let subjects = plane.kubectl_ok(&[
        "get",
        "rolebinding",
        "certctl:main-developers:edit",
        "-n",
        "main-shop",
        "-o",
        "yaml",
    ]);
    assert!(!subjects.contains("mallory"), "{subjects}");
    plane.kubectl_ok(&["delete", "clusterrolebinding", "certctl:main-developers:view"]);
    world.can(&a, &["list", "pods", "-n", "default"], false);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&a, &["list", "pods", "-n", "default"], true);

    // a foreign binding beside ours is not touched
    plane.kubectl_ok(&[
        "create",
        "rolebinding",
        "theirs",
        "-n",
        "main-shop",
        "--clusterrole=view",
        "--user=zoe",
    ]);

    // bob leaves: Forbidden right after apply, the others untouched
    world.roster(&roster(&world, &(alice + &carol)));
    let revoked = world.certctl(&["apply", "--auto-approve"]).expect(0);
    assert!(revoked.stderr.contains("system:authenticated"), "{}", revoked.stderr);
    assert!(revoked.stderr.contains("go on until the API server ends them"), "{}", revoked.stderr);
    world.kubectl(&b, &["get", "pods", "-n", "main-shop"]).expect(1).says("Forbidden");
    world.kubectl(&b, &["auth", "whoami"]).expect(0).says("bob");
    world.can(&a, &["create", "configmaps", "-n", "main-shop"], true);
    world.can(&c, &["list", "pods", "-n", "main-shop"], true);
    assert!(!world.exists("access/prod/bob.kubeconfig.age"));
    assert!(world.read("access/prod/bob.yaml").contains("revoked"));
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    plane.kubectl_ok(&["get", "rolebinding", "theirs", "-n", "main-shop"]);
    world.sweep();
}

pub fn every_kind_of_key_and_recipient_works(plane: &'static Cluster) {
    let world = World::new(plane, "keys");
    let ed = world.ssh_identity("dana", "ed25519");
    let rsa = world.ssh_identity("erin", "rsa");
    let text = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: keys}}\nclusters: [{{name: prod, context: test}}]\nusers:\n\
         - {{name: dana, recipients: [\"{ed}\"], key: ed25519}}\n\
         - {{name: erin, recipients: [\"{rsa}\"], key: ecdsa-p384}}\n\
         - {{name: fred, recipients: [\"{}\", \"{}\"]}}\n",
        world.identity("fred"),
        world.identity("fred-laptop"),
    );
    world.roster(&text);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    for user in ["dana", "erin", "fred"] {
        let kubeconfig = world.open("prod", user);
        world.kubectl(&kubeconfig, &["auth", "whoami"]).expect(0).says(&format!("certctl:{user}:"));
    }
    std::fs::copy(world.identity_file("fred-laptop"), world.identity_file("fred"))
        .expect("the other identity");
    world.open("prod", "fred");
    world.sweep();
}

pub fn what_is_dirty_stays_as_it_is_and_a_dirty_roster_is_refused(plane: &'static Cluster) {
    let world = World::new(plane, "dirty");
    world.write("notes.txt", "one\n");
    world.write("staged.txt", "one\n");
    world.roster(&roster_with(&world, "gina"));
    world.write("notes.txt", "two\n");
    world.write("staged.txt", "two\n");
    world.write("untracked.txt", "new\n");
    world.git(&["add", "staged.txt"]);
    let before = world.git(&["status", "--porcelain"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(world.git(&["status", "--porcelain"]), before);

    world.write("access/prod/gina.yaml", "x\n");
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("access/prod/gina.yaml").says("git stash");
    world.git(&["checkout", "access"]);
    world.write("users.yaml", &(world.read("users.yaml") + "# later\n"));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("users.yaml").says("git commit");
}

fn roster_with(world: &World, name: &str) -> String {
    let name_of = world.name;
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name_of}}}\nclusters: [{{name: prod, context: test}}]\nusers:\n{}",
        user(world, name, "generation: 1")
    )
}
