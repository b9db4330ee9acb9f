//! The person's side: pull, log in, and real kubectl through the credential plugin.

use crate::cluster::Cluster;
use crate::world::World;
use certctl_testing::Ran;

fn roster(world: &World, users: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: {name}-all, grants: [{{clusterRole: view}}]}}]\nusers:\n\
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
