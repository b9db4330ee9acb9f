//! The person's side: pull, log in, and real kubectl through the credential plugin.

use crate::cluster::Cluster;
use crate::world::World;
use certctl_testing::Ran;

fn roster(world: &World, users: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\n\
         groups:\n- {{name: {name}-all, grants: [{{clusterRole: view}}]}}\nusers:\n\
         - {{name: admin-one, recipients: [{admin}]}}\n{users}",
        name = world.name,
        admin = world.identity("admin-one"),
    )
}

fn kubectl(world: &World) -> Ran {
    world.person("kubectl", &["get", "pods", "-n", "default"])
}

pub fn from_a_public_key_to_kubectl_and_on_through_renewal_rotation_and_removal(plane: &'static Cluster) {
    let world = World::new(plane, "at-home");
    let alice = format!(
        "- {{name: alice, recipients: [{}], groups: [at-home-all], generation: 1}}\n",
        world.identity("alice")
    );
    world.roster(&roster(&world, &alice));
    world.clone_for_person();
    let key = world.identity_file("alice");
    let login = ["login", "-i", key.to_str().expect("UTF-8")];
    world.person("certctl", &login).expect(1).says("git pull");

    world.certctl(&["plan"]).expect(0);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let issued = world.open("prod", "alice");
    world.person("git", &["pull", "-q"]).expect(0);
    world.person("certctl", &login).expect(0).says("kubectl --context prod");
    kubectl(&world).expect(0);
    world.person("kubectl", &["auth", "whoami"]).expect(0).says("certctl:alice:");
    let whoami = ["whoami", "-i", key.to_str().expect("UTF-8")];
    let said = world.person("certctl", &whoami).expect(0).says("view everywhere");
    assert_eq!(said.stdout.matches("alice").count(), 2, "the roster and the cluster agree: {}", said.stdout);

    // A renewal: both work; once pulled, kubectl uses the new one without another login.
    let before = world.person_credential();
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 25)).to_string();
    world.certctl_at(Some(&soon), &["apply", "--auto-approve"]).expect(0).says("alice");
    world.open("prod", "alice");
    kubectl(&world).expect(0);
    assert_eq!(world.person_credential(), before);
    world.person("git", &["pull", "-q"]).expect(0);
    assert_ne!(world.person_credential(), before);
    kubectl(&world).expect(0);

    // A rotation: revoked at once, and working again once it is pulled.
    world.certctl(&["rotate", "alice"]).expect(0);
    world.commit("rotate alice");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.open("prod", "alice");
    kubectl(&world).expect(1).says("Forbidden");
    let behind = "prod: the cluster grants this credential nothing: it was cut off, or is not bound yet.";
    world.person("certctl", &whoami).expect(0).says(behind).says("run `git pull`");
    world.person("git", &["pull", "-q"]).expect(0);
    kubectl(&world).expect(0);
    let now = world.person("certctl", &whoami).expect(0);
    assert!(!now.stderr.contains("grants this credential nothing"), "{}", now.stderr);

    // A removal: the cluster refuses before the pull; after it, certctl says why.
    world.roster(&roster(&world, ""));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    kubectl(&world).expect(1).says("Forbidden");
    world.person("git", &["pull", "-q"]).expect(0);
    kubectl(&world).expect(1).says("`alice` is not on the roster any more").says("ask an admin");

    // No key was ever on the disk, neither in the kubeconfig nor elsewhere.
    world.sweep();
    world.person("certctl", &["logout"]).expect(0);
    assert!(!world.path("home/.kube/config").exists());
    world.kubectl(&issued, &["get", "pods", "-n", "default"]).expect(1).says("Forbidden");
}

/// `view` stays, `edit` goes: by a roster that her clone has not seen yet, and by somebody's hand.
pub fn whoami_notices_what_was_lost_of_the_rights(plane: &'static Cluster) {
    let world = World::new(plane, "lost");
    world.namespace("lost");
    plane.kubectl_ok(&["create", "role", "deployer", "-n", "lost", "--verb=patch", "--resource=pods"]);
    let member = |groups: &str| {
        let recipient = world.identity("alice");
        let alice = format!("- {{name: alice, recipients: [{recipient}], groups: [{groups}]}}\n");
        let ops = "- {name: lost-ops, grants: [{clusterRole: edit, namespaces: [lost]}, {role: deployer, namespaces: [lost]}]}";
        roster(&world, &alice).replacen("users:\n", &format!("{ops}\nusers:\n"), 1)
    };
    world.roster(&member("lost-all, lost-ops"));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.open("prod", "alice");
    world.clone_for_person();
    let key = world.identity_file("alice");
    let key = key.to_str().expect("UTF-8");
    let whoami = || world.person("certctl", &["whoami", "-i", key]).expect(0);
    let json = || -> serde_json::Value {
        let said = world.person("certctl", &["whoami", "-i", key, "--format", "json"]).expect(0);
        serde_json::from_str(&said.stdout).expect("JSON")
    };
    let granted = |document: &serde_json::Value| -> Vec<String> {
        let rights = document["clusters"][0]["rights"].as_array().expect("a list").clone();
        let word = |right: &serde_json::Value, field: &str| right[field].as_str().expect("text").to_owned();
        rights
            .iter()
            .map(|right| format!("{} {}", word(right, "role"), word(right, "clusterGrants")))
            .collect()
    };
    let said = whoami().says("view everywhere; edit in lost; deployer in lost\n");
    assert_eq!(said.stderr, "", "all is as the roster says");
    let document = json();
    assert_eq!(granted(&document), ["view yes", "edit yes", "deployer unknown"]);
    assert_eq!(document["cloneIsBehind"], false);

    world.roster(&member("lost-all"));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    whoami()
        .says("view everywhere; edit in lost (not granted); deployer in lost (not granted)")
        .says(
            "prod: the cluster does not grant edit in lost; deployer in lost: it was taken away, or is not bound yet. \
             The rights above are those of users.yaml in this clone; run `git pull`, and ask an admin if nothing newer comes.",
        )
        .says("This clone is behind origin/main: run `git pull`.");
    let document = json();
    assert_eq!(granted(&document), ["view yes", "edit no", "deployer no"]);
    assert_eq!(
        (&document["cloneIsBehind"], &document["clusters"][0]["clusterGrants"]),
        (&true.into(), &"something".into())
    );
    world.person("git", &["pull", "-q"]).expect(0);
    let said = whoami();
    assert!(
        said.stdout.contains("view everywhere\n") && said.stderr.is_empty(),
        "{}{}",
        said.stdout,
        said.stderr
    );

    // The clone holds all that there is: somebody has unbound her.
    world.roster(&member("lost-all, lost-ops"));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.person("git", &["pull", "-q"]).expect(0);
    plane.kubectl_ok(&["delete", "clusterrolebinding", "certctl:lost-all:view"]);
    let said = whoami().says("view everywhere (not granted); edit in lost; deployer in lost\n");
    let why = "does not grant view everywhere: it was taken away, or is not bound yet. The rights above are those of \
               users.yaml in this clone; it is what its branch holds, so ask an admin.";
    assert!(said.stderr.contains(why) && !said.stderr.contains("git pull"), "{}", said.stderr);
    world.sweep();
}

pub fn an_embedded_login_works_and_whoami_says_when_it_is_outdated(plane: &'static Cluster) {
    let world = World::new(plane, "embed");
    let alice = format!(
        "- {{name: alice, recipients: [{}], groups: [embed-all], generation: 1}}\n",
        world.identity("alice")
    );
    world.roster(&roster(&world, &alice));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.clone_for_person();
    let key = world.identity_file("alice");
    let key = key.to_str().expect("UTF-8");
    world.person("certctl", &["login", "--embed", "-i", key]).expect(0);
    kubectl(&world).expect(0);
    world.certctl(&["rotate", "alice"]).expect(0);
    world.commit("rotate alice");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.person("git", &["pull", "-q"]).expect(0);
    kubectl(&world).expect(1).says("Forbidden");
    world.person("certctl", &["whoami", "-i", key]).expect(0).says("outdated").says("run `certctl login`");
    world.person("certctl", &["login", "--embed", "-i", key]).expect(0);
    kubectl(&world).expect(0);
}
