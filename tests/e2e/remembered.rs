//! What the cluster remembers stays so, whatever becomes of the repository.

use certctl::model::CredentialId;
use certctl::pki::Certificate;
use certctl::record::{self, Credential, Record};

use crate::cluster::Cluster;
use crate::world::World;

const LIST: [&str; 4] = ["list", "pods", "-n", "default"];

fn roster(world: &World, users: &str) -> String {
    let name = world.name;
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: {name}-team, grants: [{{clusterRole: view}}]}}]\nusers:\n{users}"
    )
}

fn member(world: &World, name: &str, rest: &str) -> String {
    let (recipient, team) = (world.identity(name), world.name);
    format!("- {{name: {name}, recipients: [\"{recipient}\"], groups: [{team}-team]{rest}}}\n")
}

pub fn a_record_put_back_from_history_lets_nobody_in(plane: &'static Cluster) {
    let world = World::new(plane, "putback");
    let (alice, bob) = (member(&world, "alice", ""), member(&world, "bob", ""));
    let whole = roster(&world, &(alice.clone() + &bob));
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (leaked, bobs) = (world.open("prod", "alice"), world.open("prod", "bob"));
    world.roster(&roster(&world, &(member(&world, "alice", ", generation: 2") + &bob)));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&leaked, &LIST, false);
    let ledger = ["configmap", "certctl-putback", "-n", "kube-system"];
    let remembered = plane.kubectl_ok(&[&["get"], &ledger[..], &["-o", "jsonpath={.data.revoked}"]].concat());
    assert_eq!(remembered.lines().count(), 1, "{remembered}");

    // The rotation is reverted, the records with it: each is as certctl wrote it.
    world.git(&["revert", "--no-edit", "HEAD", "HEAD~1"]);
    world.git(&["push", "-q"]);
    world.certctl(&["plan"]).expect(0).says("revoked-in-cluster").says("somebody put an older record back");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&leaked, &LIST, false);
    world.can(&world.open("prod", "alice"), &LIST, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);

    // What cannot be read lets nobody in, and keeps nobody in.
    let carol = member(&world, "carol", "");
    plane.kubectl_ok(
        &[&["patch"], &ledger[..], &["--type=merge", "-p", "{\"data\":{\"revoked\":\"?\"}}"]].concat(),
    );
    world.roster(&roster(&world, &(alice + &carol)));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("line 1 of `revoked`");
    world.can(&bobs, &LIST, false);
    assert!(!world.exists("access/prod/carol.kubeconfig.age"));
    plane.kubectl_ok(&[&["delete"], &ledger[..]].concat());
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&world.open("prod", "carol"), &LIST, true);
    world.can(&leaked, &LIST, false);
    world.can(&bobs, &LIST, false);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}

/// A self-signed certificate for ten years, as the newest credential of somebody's record, with the right
/// checksum.
fn make_up(world: &World, user: &str) -> CredentialId {
    let key = rcgen::KeyPair::generate().expect("a key");
    let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let id = CredentialId::of_public_key(&spki);
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, user);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, format!("certctl:{user}:{id}"));
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let pem = params.self_signed(&key).expect("a certificate").pem();
    let certificate = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let file = format!("access/prod/{user}.yaml");
    let mut record: Record = record::from_yaml(&file, &world.read(&file)).expect("a record");
    record.credentials.push(Credential {
        id: id.clone(),
        serial: certificate.serial,
        x509_sha256: certificate.sha256,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        certificate: pem,
        ..record.credentials[0].clone()
    });
    world.write(&file, &record::to_yaml(&record).expect("YAML"));
    world.commit("one more");
    id
}

pub fn a_credential_that_was_slipped_into_a_record_is_not_bound(plane: &'static Cluster) {
    let world = World::new(plane, "slipped");
    world.roster(&roster(&world, &(member(&world, "alice", "") + &member(&world, "bob", ""))));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let alice = world.open("prod", "alice");
    let made_up = make_up(&world, "alice").to_string();
    world.certctl(&["plan"]).expect(0).says("not-issued-by-us").says(&made_up);
    world.certctl(&["apply", "--auto-approve"]).expect(1).says(&made_up);
    let bound = plane.kubectl_ok(&["get", "clusterrolebindings,rolebindings", "-A", "-o", "yaml"]);
    assert!(!bound.contains(&made_up), "{bound}");
    world.can(&alice, &LIST, true);
    world.git(&["revert", "--no-edit", "HEAD"]);
    world.git(&["push", "-q"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

/// The branch takes no push, and somebody has to be out now.
pub fn who_was_removed_in_a_hurry_stays_out_until_it_is_merged(plane: &'static Cluster) {
    let world = World::new(plane, "hurry");
    let alice = member(&world, "alice", "");
    let whole = roster(&world, &(alice.clone() + &member(&world, "bob", "")));
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let bobs = world.open("prod", "bob");
    let hook = world.path("origin.git/hooks/update");
    std::fs::create_dir_all(hook.parent().expect("a folder")).expect("a folder");
    certctl_testing::executable(
        &hook,
        "[ \"$1\" != refs/heads/main ] || { echo 'main is protected' >&2; exit 1; }",
    );
    world.write("users.yaml", &roster(&world, &alice));
    world.git(&["commit", "-q", "-a", "-m", "bob has to be out now"]);
    let commit = world.git(&["rev-parse", "HEAD"]);
    let applied = world.certctl(&["apply", "--auto-approve", "--push-branch", "certctl/records"]);
    world.can(&bobs, &LIST, false);

    // From main, which still names him, he is not let in again.
    world.checkout("ci", "main", false);
    world.certctl_in("ci", &["plan"]).expect(0).says("kept-out").says(&commit[..12]);
    world.certctl_in("ci", &["apply", "--auto-approve"]).expect(0);
    world.can(&bobs, &LIST, false);

    // Merged. Later he comes back, with another credential.
    std::fs::remove_file(hook).expect("the hook");
    world.git(&["push", "-q", "origin", "HEAD:main"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let ledger = ["get", "configmap", "certctl-hurry", "-n", "kube-system", "-o", "jsonpath={.data.removed}"];
    assert_eq!(plane.kubectl_ok(&ledger), "", "{}", applied.stderr);
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&bobs, &LIST, false);
    world.can(&world.open("prod", "bob"), &LIST, true);
}

/// Somebody has to be out now, and there is nothing but a kubeconfig.
pub fn who_is_cut_off_by_hand_stays_out_until_they_are_let_in_again(plane: &'static Cluster) {
    let world = World::new(plane, "byhand");
    let (alice, bob) = (member(&world, "alice", ""), member(&world, "bob", ""));
    world.roster(&roster(&world, &(alice + &bob)));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (alices, bobs) = (world.open("prod", "alice"), world.open("prod", "bob"));
    // Somebody else binds his credential, beside a person of theirs.
    let group =
        world.kubectl(&bobs, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups[0]}"]).stdout;
    assert!(group.starts_with("certctl:bob:"), "{group}");
    plane.kubectl_ok(&[
        "create",
        "rolebinding",
        "byhand-theirs",
        "-n",
        "default",
        "--clusterrole=edit",
        "--user=zoe",
        &format!("--group={group}"),
    ]);
    world.can(&bobs, &["create", "pods", "-n", "default"], true);

    std::fs::create_dir(world.path("nowhere")).expect("a folder");
    let revoke = |args: &[&str]| {
        world
            .certctl_in("nowhere", &[&["revoke", "--auto-approve", "--roster-name", "byhand"], args].concat())
    };
    world.certctl_in("nowhere", &["revoke", "bob"]).expect(64).says("--auto-approve");
    revoke(&["bob"]).expect(0).says("cut off in 2 bindings");
    world.can(&bobs, &LIST, false);
    world.can(&bobs, &["create", "pods", "-n", "default"], false);
    world.can(&alices, &LIST, true);
    let theirs =
        ["get", "rolebinding", "byhand-theirs", "-n", "default", "-o", "jsonpath={.subjects[*].name}"];
    assert_eq!(plane.kubectl_ok(&theirs), "zoe");

    // The roster still names him, and no apply lets him in.
    world.certctl(&["plan"]).expect(0).says("kept-out");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&bobs, &LIST, false);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);

    revoke(&["--undo", "bob"]).expect(0);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&bobs, &LIST, false);
    world.can(&world.open("prod", "bob"), &LIST, true);

    // One credential alone: she gets another.
    let group =
        world.kubectl(&alices, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.groups[0]}"]).stdout;
    let id = group.rsplit(':').next().expect("an id").to_owned();
    // Beside a roster that is not valid, of the cluster that is named, by its context.
    world.write_as_it_is("../broken/users.yaml", "users: [\n");
    let broken = |cluster: &str| {
        let args = ["revoke", "alice", "--credential", &id, "--auto-approve", "--roster-name", "byhand"];
        world.certctl_in("broken", &[&args[..], &["--cluster", cluster]].concat())
    };
    broken("tests").expect(1).says("no context `tests`").says("did you mean `test`?");
    world.can(&alices, &LIST, true);
    broken("test").expect(0).says("Context test: cut off in 1 binding.");
    world.can(&alices, &LIST, false);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&alices, &LIST, false);
    world.can(&world.open("prod", "alice"), &LIST, true);

    // Of a valid roster's clusters, the one that is named, or those that are there.
    let gone = "clusters:\n- {name: stage, context: gone}\n- {name: prod, context: test}\n";
    let two = roster(&world, &member(&world, "alice", ""));
    world
        .write_as_it_is("../two/users.yaml", &two.replace("clusters: [{name: prod, context: test}]\n", gone));
    let (alices, alice) = (world.open("prod", "alice"), ["revoke", "alice", "--auto-approve"]);
    world
        .certctl_in("two", &[&alice[..], &["--cluster", "stage"]].concat())
        .expect(1)
        .says("no context `gone`");
    world.can(&alices, &LIST, true);
    let cut = world.certctl_in("two", &[&alice[..], &["--cluster", "prod"]].concat()).expect(0);
    assert!(
        !cut.stderr.contains("gone") && cut.stderr.contains("Context test: cut off in 1"),
        "{}",
        cut.stderr
    );
    world.can(&alices, &LIST, false);
    world.certctl_in("two", &[&alice[..], &["--undo"]].concat()).expect(1).says("no context `gone`");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&world.open("prod", "alice"), &LIST, true);
    plane.kubectl_ok(&["delete", "rolebinding", "byhand-theirs", "-n", "default"]);
}
