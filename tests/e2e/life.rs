//! The life of a credential: rotated, revoked, renewed, expired, with its safety rails, and what
//! attackers, signals and second runs make of it.

use std::fs;
use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};

use crate::cluster::{Cluster, Options};
use crate::world::{World, until};
use certctl_testing::{Ran, Said};

/// A roster with one group, `<name>-team`, that may view; `rest` goes before `users:`.
fn roster(world: &World, rest: &str, users: &str) -> String {
    let name = world.name;
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters:\n- {{name: prod, context: test}}\n{rest}\
         groups:\n- {{name: {name}-team, grants: [{{clusterRole: view}}]}}\nusers:\n{users}"
    )
}

fn member(world: &World, name: &str, rest: &str) -> String {
    let (recipient, team) = (world.identity(name), world.name);
    format!("- {{name: {name}, recipients: [\"{recipient}\"], groups: [{team}-team]{rest}}}\n")
}

/// Now plus this many minutes, in the format of `CERTCTL_NOW`.
fn in_minutes(minutes: i64) -> String {
    (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string()
}

/// The credential groups in all bindings of this world's roster.
fn bound(world: &World) -> String {
    let label = format!("certctl.dev/roster={}", world.name);
    let path = "jsonpath={range .items[*]}{range .subjects[*]}{.name}{\"\\n\"}{end}{end}";
    world.plane.kubectl_ok(&["get", "clusterrolebindings,rolebindings", "-A", "-l", &label, "-o", path])
}

/// How many credentials of each state a record contains.
fn states(world: &World, user: &str) -> (usize, usize, usize) {
    let record = world.read(&format!("access/prod/{user}.yaml"));
    let count = |state: &str| record.matches(&format!("state: {state}")).count();
    (count("active"), count("superseded"), count("revoked"))
}

const LIST: [&str; 4] = ["list", "pods", "-n", "default"];

pub fn a_leaked_key_is_cut_off_at_once_and_nobody_else_notices(plane: &'static Cluster) {
    let world = World::new(plane, "leaked");
    let users = member(&world, "alice", "") + "# bob is careful\n" + &member(&world, "bob", "");
    world.roster(&roster(&world, "", &users));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (old, bob) = (world.open("prod", "alice"), world.open("prod", "bob"));
    let bobs = |world: &World| {
        ["access/prod/bob.yaml", "access/prod/bob.kubeconfig.age"]
            .map(|file| fs::read(world.repo().join(file)).ok())
    };
    let before = (bobs(&world), world.read("users.yaml"));

    world.certctl(&["rotate", "alice"]).expect(0);
    // Only alice's line has changed.
    let edited = world.read("users.yaml");
    let differ = edited.lines().zip(before.1.lines()).filter(|(new, old)| new != old).count();
    assert!(differ == 1 && edited.lines().count() == before.1.lines().count(), "{edited}");
    world.commit("rotate alice");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("rotate  alice");
    world.certctl(&["apply", "--auto-approve"]).expect(0);

    world.kubectl(&old, &["get", "pods"]).expect(1).says("Forbidden");
    let new = world.open("prod", "alice");
    world.kubectl(&new, &["get", "pods"]).expect(0);
    for kubeconfig in [&old, &new] {
        let who =
            world.kubectl(kubeconfig, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
        assert_eq!(who.stdout, "alice", "{}", who.stderr);
    }
    assert_eq!(bobs(&world), before.0);
    world.can(&bob, &LIST, true);
    assert_eq!(states(&world, "alice"), (1, 0, 1));
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}

pub fn who_comes_back_does_not_bring_the_old_certificate_back(plane: &'static Cluster) {
    let world = World::new(plane, "again");
    let (alice, bob) = (member(&world, "alice", ""), member(&world, "bob", ""));
    let whole = roster(&world, "", &(alice + &bob));
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let first = world.open("prod", "alice");
    world.can(&first, &LIST, true);
    world.roster(&roster(&world, "", &bob));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&first, &LIST, false);
    world.roster(&whole);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&first, &LIST, false);
    world.can(&world.open("prod", "alice"), &LIST, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

pub fn a_renewal_overlaps_and_the_old_one_is_forgotten_when_it_expires(plane: &'static Cluster) {
    let world = World::new(plane, "renewal");
    let text = roster(&world, "", &member(&world, "alice", ", validity: 10m"));
    world.roster(&text);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let old = world.open("prod", "alice");
    let old_group = bound(&world);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0).says("The next renewal, alice's");

    // Raised in between, so that the new one outlives the clock that is moved further.
    world.roster(&text.replace("validity: 10m", "validity: 1h"));
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    // Two thirds of 5 minutes before to 10 minutes after: 5 minutes from now, and the hour after it.
    let due = in_minutes(7);
    world.certctl_at(Some(&due), &["plan", "--detailed-exitcode"]).expect(2).says("renew   alice");
    world.certctl_at(Some(&due), &["apply", "--auto-approve"]).expect(0);
    let new = world.open("prod", "alice");
    world.can(&old, &LIST, true);
    world.can(&new, &LIST, true);
    assert_eq!(states(&world, "alice"), (1, 1, 0));
    world.certctl_at(Some(&due), &["plan", "--detailed-exitcode"]).expect(0);

    let after = in_minutes(11);
    world.certctl_at(Some(&after), &["plan", "--detailed-exitcode"]).expect(2).says("expired at");
    world.certctl_at(Some(&after), &["apply", "--auto-approve"]).expect(0);
    assert_eq!(states(&world, "alice"), (1, 0, 0));
    assert!(!bound(&world).contains(old_group.trim()), "{}", bound(&world));
    world.can(&new, &LIST, true);
    world.certctl_at(Some(&after), &["plan", "--detailed-exitcode"]).expect(0);
}

pub fn a_suspended_user_has_no_access_until_they_are_resumed(plane: &'static Cluster) {
    let world = World::new(plane, "suspend");
    let users = member(&world, "alice", "") + &member(&world, "bob", "");
    world.roster(&roster(&world, "", &users));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (old, bob) = (world.open("prod", "alice"), world.open("prod", "bob"));

    world.certctl(&["suspend", "alice"]).expect(0);
    world.commit("suspend alice");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("suspended; ");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&old, &LIST, false);
    world.can(&bob, &LIST, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    let key = world.path("keys").join("alice");
    let whoami = world.certctl(&["whoami", "-i", key.to_str().expect("UTF-8")]).expect(1);
    assert!(whoami.stderr.contains("user `alice` is suspended"), "{}", whoami.stderr);

    world.certctl(&["resume", "alice"]).expect(0);
    world.commit("resume alice");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&old, &LIST, false);
    world.can(&world.open("prod", "alice"), &LIST, true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

/// The others are renewed meanwhile, and nobody is locked out by it a month later.
pub fn nine_of_twelve_deleted_by_mistake_are_withheld(plane: &'static Cluster) {
    let world = World::new(plane, "mistake");
    let users =
        |n: usize, rest: &str| (0..n).map(|i| member(&world, &format!("u{i}"), rest)).collect::<String>();
    world.roster(&roster(&world, "", &users(12, "")));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let one = world.open("prod", "u11");
    // Longer in between, so that what is renewed outlives the clock that is moved further.
    world.roster(&roster(&world, "", &users(3, ", validity: 90d")));
    let planned = world
        .certctl(&["plan"])
        .expect(0)
        .says("Warning: 9 revocations are withheld")
        .says("--acknowledge 9");
    assert!(!planned.stderr.contains("Error"), "it exits with 0: {}", planned.stderr);
    world
        .certctl(&["apply", "--auto-approve", "--acknowledge", "8"])
        .expect(1)
        .says("--acknowledge 8 does not fit");
    let head = world.git(&["rev-parse", "HEAD"]);
    let planned = world.certctl(&["plan", "--format", "json"]).expect(0);
    let planned: serde_json::Value = serde_json::from_str(&planned.stdout).expect("JSON");
    let digest = planned["digest"].as_str().expect("a digest");
    assert_eq!(world.git(&["status", "-s"]), "");

    let due = in_minutes(25 * 24 * 60);
    let applied = world
        .certctl_at(Some(&due), &["apply", "--auto-approve", "--expect-digest", digest, "--format", "json"])
        .expect(1)
        .says("this would revoke 9 of 12 active credentials (limit 25%, at least 3)")
        .says("9 held back");
    let applied: serde_json::Value = serde_json::from_str(&applied.stdout).expect("JSON");
    let held = applied["clusters"][0]["held"].as_array().expect("held");
    assert!(held.len() == 9 && held.iter().all(|held| held["code"] == "withheld-limit"), "{applied}");
    assert_ne!(world.git(&["rev-parse", "HEAD"]), head, "the renewals are recorded");
    assert_eq!(states(&world, "u0"), (1, 1, 0));
    assert_eq!(states(&world, "u11"), (1, 0, 0));
    world.can(&one, &LIST, true);
    assert_eq!(bound(&world).lines().count(), 3 * 2 + 9);
    world.certctl_at(Some(&due), &["plan", "--detailed-exitcode"]).expect(2);

    world.certctl_at(Some(&due), &["apply", "--auto-approve", "--acknowledge", "9"]).expect(0);
    world.can(&one, &LIST, false);
    assert_eq!(bound(&world).lines().count(), 3 * 2);
    world.certctl_at(Some(&due), &["plan", "--detailed-exitcode"]).expect(0);

    // Somebody who is protected is not lost with their record.
    world.roster(&roster(&world, "", &users(3, ", validity: 90d, protected: true")));
    world.certctl_at(Some(&due), &["apply", "--auto-approve"]).expect(0);
    let protected = world.open("prod", "u0");
    world.git(&["rm", "-q", "access/prod/u0.yaml", "access/prod/u0.kubeconfig.age"]);
    world.commit("u0's record");
    world
        .certctl_at(Some(&due), &["apply", "--auto-approve"])
        .expect(1)
        .says("`u0` is protected and would lose access to `prod`");
    world.can(&protected, &LIST, true);
}

/// Starts certctl and does not wait for it; what it says is kept for [`end`].
pub fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("certctl starts")
}

/// Waits until it has ended.
pub fn end(mut child: Child) -> Ran {
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
    let status = child.wait().expect("it ends");
    Ran { code: status.code(), stdout: String::new(), stderr }
}

pub fn two_applies_at_once_end_as_if_one_came_after_the_other(plane: &'static Cluster) {
    let world = World::new(plane, "twice");
    let users: String = (0..6).map(|i| member(&world, &format!("u{i}"), "")).collect();
    world.roster(&roster(&world, "", &users));
    world.git(&["clone", "-q", "../origin.git", "../clone"]);
    let apply = ["apply", "--auto-approve", "--lock-timeout", "60s"];
    let first = start(world.certctl_command(None, &apply));
    let mut second = world.certctl_command(None, &apply);
    second.current_dir(world.path("clone"));
    let second = end(start(second));
    let first = end(first);
    // The second run found newer records than it had read, and gave up before it changed anything;
    // or it came so late that they were there for it to see.
    let (won, lost) = if first.code == Some(0) { (&first, &second) } else { (&second, &first) };
    assert_eq!(won.code, Some(0), "{}", won.stderr);
    let refused =
        lost.stderr.contains("holds a newer access than this clone") && lost.stderr.contains("git pull");
    assert!((lost.code == Some(1) && refused) || lost.code == Some(0), "{}", lost.stderr);

    // The winner's bindings are as it left them.
    assert_eq!(bound(&world).lines().count(), 6);
    world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.certctl(&["apply", "--auto-approve"]).expect(0).says("Nothing to do");
    for i in 0..6 {
        assert_eq!(states(&world, &format!("u{i}")), (1, 0, 0));
    }
    world.can(&world.open("prod", "u0"), &LIST, true);

    // An outdated clone does not revoke anybody either.
    world.roster(&roster(&world, "", &(users + &member(&world, "late", ""))));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let mut stale = world.certctl_command(None, &apply);
    stale.current_dir(world.path("clone"));
    end(start(stale)).expect(1).says("holds a newer access");
    world.can(&world.open("prod", "late"), &LIST, true);
}

fn lease(world: &World, spec: &str) {
    world.plane.apply(&format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\n\
         metadata: {{name: certctl-{}, namespace: kube-system}}\nspec: {{{spec}}}\n",
        world.name
    ));
}

pub fn a_held_lock_names_its_holder_and_an_expired_lock_is_taken_over(plane: &'static Cluster) {
    let world = World::new(plane, "locked");
    world.roster(&roster(&world, "", &member(&world, "alice", "")));
    let heard =
        (Timestamp::now() - SignedDuration::from_secs(3)).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    lease(&world, &format!("holderIdentity: another run, leaseDurationSeconds: 15, renewTime: \"{heard}\""));
    let refused = world.certctl(&["apply", "--auto-approve", "--lock-timeout", "1s"]).expect(1);
    for said in ["held by another run", "s ago", "--lock-timeout", "nothing was changed"] {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    assert!(!world.exists("access"));
    // plan takes no lock, and waits for none
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2);
    // Nobody renews it.
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(0)
        .says("waiting for another apply, held by another run");
    world.can(&world.open("prod", "alice"), &LIST, true);
}

fn uid(plane: &Cluster) -> String {
    plane.kubectl_ok(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
}

pub fn a_cluster_that_was_swapped_is_refused_and_one_that_is_down_stops_no_other(plane: &'static Cluster) {
    let other = plane.another(Options::default());
    let world = World::new(plane, "swapped");
    let kubeconfig = world.path("swapping");
    let at = |path: &PathBuf| fs::read_to_string(path).expect("a kubeconfig");
    let ours = at(&world.kubeconfig);
    fs::write(&kubeconfig, &ours).expect("written");
    let run = |args: &[&str]| {
        world.certctl(&[args, &["--kubeconfig", kubeconfig.to_str().expect("UTF-8")]].concat())
    };
    let alice = member(&world, "alice", "");
    let text = roster(&world, "", &alice);
    world.roster(&text);
    run(&["apply", "--auto-approve"]).expect(0);

    let theirs = other.client_kubeconfig("certctl-swapped", &["system:masters"]);
    fs::write(&kubeconfig, at(&theirs)).expect("written");
    world.roster(&roster(&world, "", &(alice.clone() + &member(&world, "bob", ""))));
    for args in [&["plan"][..], &["apply", "--auto-approve"]] {
        let refused = run(args).expect(1);
        assert!(
            refused.stderr.contains(&uid(plane)) && refused.stderr.contains(&uid(&other)),
            "{}",
            refused.stderr
        );
        assert!(!refused.stdout.contains("bob"), "{}", refused.stdout);
    }
    assert_eq!(
        other.kubectl_ok(&["get", "csr,clusterrolebindings", "-l", "certctl.dev/roster", "-o", "name"]),
        ""
    );

    let locks = other.kubectl(&["get", "lease", "certctl-swapped", "-n", "kube-system"]);
    assert!(!locks.ok, "not even a lock: {}", locks.stdout);

    // Two clusters, the second one down.
    fs::write(&kubeconfig, &ours).expect("written");
    other.stop();
    let two = roster(&world, "", &(alice + &member(&world, "bob", "")));
    world.roster(&two.replace("context: test}", "context: test}\n- {name: stage, context: gone}"));
    let gone = "contexts:\n- name: gone\n  context: {cluster: gone, user: test}\n";
    let down = "clusters:\n- name: gone\n  cluster: {server: \"https://127.0.0.1:1\"}\n";
    fs::write(&kubeconfig, ours.replace("contexts:\n", gone).replace("clusters:\n", down)).expect("written");
    let planned = run(&["plan"]).expect(1).says("1 to issue");
    assert!(
        planned.stderr.contains("cluster stage: ") && planned.stderr.contains("127.0.0.1:1"),
        "{}",
        planned.stderr
    );
    assert!(planned.stdout.contains("Cluster stage\n  ! not planned"), "{}", planned.stdout);
    let document = run(&["plan", "--format", "json"]).expect(1).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    let why = document["clusters"][1]["error"].as_str().expect("an error");
    assert!(document["clusters"][1]["name"] == "stage" && why.contains("127.0.0.1:1"), "{document}");
    run(&["plan", "--cluster", "prod", "--detailed-exitcode"]).expect(2);
    run(&["plan", "--cluster", "stage"]).expect(1).says("127.0.0.1:1");
    let applied = run(&["apply", "--auto-approve"]).expect(1);
    assert!(
        applied.stderr.contains("cluster stage: ") && applied.stderr.contains("1 credential issued"),
        "{}",
        applied.stderr
    );
    world.can(&world.open("prod", "bob"), &LIST, true);
    assert!(!world.exists("access/stage"));
    run(&["apply", "--auto-approve", "--cluster", "prod"]).expect(0);
    run(&["plan", "--cluster", "prod", "--detailed-exitcode"]).expect(0);

    // Nothing to do on one, and nobody says that of the other.
    let planned = run(&["plan"]).expect(1).stdout;
    assert!(planned.contains("Cluster prod\n  no changes\n"), "{planned}");
    assert!(planned.contains("Cluster stage\n  ! not planned"), "{planned}");
    assert!(planned.contains("\n\nNothing to do on prod; nothing is known of stage.\n"), "{planned}");
    let comment = run(&["plan", "--format", "markdown"]).expect(1).stdout;
    assert!(comment.contains("stage") && comment.contains("127.0.0.1:1"), "{comment}");
    let document = run(&["plan", "--format", "json"]).expect(1).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    let error = |index: usize| document["clusters"][index]["error"].as_str();
    assert!(error(0).is_none() && error(1).is_some_and(|why| why.contains("127.0.0.1:1")), "{document}");
    let applied = run(&["apply", "--auto-approve"]).expect(1);
    for said in [planned, comment, document.to_string(), applied.stdout, applied.stderr] {
        assert!(!said.contains("as the roster says"), "{said}");
    }
}

/// Creates a CertificateSigningRequest as someone with a kubeconfig of the test's, and says how that went.
fn plant(
    world: &World,
    mallory: &std::path::Path,
    name: &str,
    labels: &str,
    names: &[(rcgen::DnType, rcgen::DnValue)],
) {
    use base64::Engine as _;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in names {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    let key = rcgen::KeyPair::generate().expect("a key");
    let pem = params.serialize_request(&key).expect("a request").pem().expect("PEM");
    let request = base64::engine::general_purpose::STANDARD.encode(pem);
    let file = world.path("planted.yaml");
    let yaml = format!(
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: \"{name}\", labels: {{{labels}}}}}\n\
         spec: {{signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], request: {request}}}\n"
    );
    fs::write(&file, yaml).expect("written");
    world.kubectl(mallory, &["create", "-f", file.to_str().expect("UTF-8")]).expect(0);
}

/// Two bytes a character.
fn wide(text: &str) -> rcgen::DnValue {
    rcgen::DnValue::BmpString(rcgen::string::BmpString::try_from(text).expect("in the BMP"))
}

pub fn planted_requests_steer_nothing(plane: &'static Cluster) {
    use rcgen::DnType::{CommonName, OrganizationName, OrganizationalUnitName};
    let world = World::new(plane, "planted");
    let mallory = plane.client_kubeconfig("mallory", &[]);
    plane.kubectl_ok(&[
        "create",
        "clusterrole",
        "planter",
        "--verb=create",
        "--resource=certificatesigningrequests",
    ]);
    plane.kubectl_ok(&["create", "clusterrolebinding", "planter", "--clusterrole=planter", "--user=mallory"]);
    let (alice, bob) = (member(&world, "alice", ""), member(&world, "bob", ""));
    world.roster(&roster(&world, "", &alice));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let id = bound(&world);
    let group = id.trim();

    let ours = "app.kubernetes.io/managed-by: certctl, certctl.dev/roster: planted";
    let theirs = "app.kubernetes.io/managed-by: certctl, certctl.dev/roster: elsewhere";
    let names = [
        ("alice", "", vec![(CommonName, "alice".into())]),
        (
            "bob",
            "",
            vec![(CommonName, "bob".into()), (OrganizationName, "certctl:bob:0000000000000000".into())],
        ),
        (
            "certctl-planted-bob",
            ours,
            vec![(CommonName, "bob".into()), (OrganizationName, "certctl:bob:0000000000000000".into())],
        ),
        ("certctl:planted:alice", ours, vec![(CommonName, "alice".into()), (OrganizationName, group.into())]),
        (
            "certctl-planted-bob-1",
            theirs,
            vec![(CommonName, "bob".into()), (OrganizationName, "planted-team".into())],
        ),
        ("grouped", "", vec![(CommonName, "zoe".into()), (OrganizationName, group.into())]),
        // Spelled as only the signer might read it, and longer than anybody needs.
        ("wide", "", vec![(CommonName, wide("alice")), (OrganizationName, wide(group))]),
        ("long", "", vec![(CommonName, "alice".into()), (OrganizationalUnitName, "x".repeat(70_000).into())]),
    ];
    for (name, labels, subject) in &names {
        plant(&world, &mallory, name, labels, subject);
    }
    world.roster(&roster(&world, "", &(alice + &bob)));
    let planned = world.certctl(&["plan", "--detailed-exitcode"]).expect(2);
    for (name, ..) in &names {
        let line =
            planned.stdout.lines().find(|line| line.contains(&format!("CertificateSigningRequest {name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not named: {}", planned.stdout));
        assert!(line.contains("[foreign-csr]") && line.contains("by mallory"), "{line}");
    }
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    // All still there, none approved, and none a reason for another plan.
    for (name, ..) in &names {
        let status = plane.kubectl_ok(&["get", "csr", name, "-o", "jsonpath={.status}"]);
        assert!(!status.contains("Approved") && !status.contains("certificate"), "{name}: {status}");
    }
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    for user in ["alice", "bob"] {
        let kubeconfig = world.open("prod", user);
        world.kubectl(&kubeconfig, &["auth", "whoami"]).expect(0).says(&format!("certctl:{user}:"));
        world.can(&kubeconfig, &LIST, true);
    }
    assert_eq!(bound(&world).lines().count(), 2);
    for (name, ..) in &names {
        plane.kubectl_ok(&["delete", "csr", name]);
    }
}

pub fn what_was_changed_behind_our_back_is_named(plane: &'static Cluster) {
    let world = World::new(plane, "edited");
    world.roster(&roster(&world, "", &(member(&world, "alice", "") + &member(&world, "bob", ""))));
    world.certctl(&["apply", "--auto-approve"]).expect(0);

    // bob's file in place of alice's
    world.write("access/prod/alice.kubeconfig.age", &world.read("access/prod/bob.kubeconfig.age"));
    world.commit("innocent");
    let planned = world.certctl(&["plan"]).expect(0).says("[sealed-changed]");
    assert!(planned.stdout.contains("access/prod/alice.kubeconfig.age is not the file that certctl wrote"));
    assert!(!planned.stdout.contains("bob.kubeconfig.age"), "{}", planned.stdout);
    world.git(&["revert", "--no-edit", "HEAD"]);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);

    let record = world.read("access/prod/alice.yaml");
    let field = |name: &str| {
        let line = record.lines().find(|line| line.trim_start().trim_start_matches("- ").starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {record}"))
    };
    let other = world.identity("mallory");
    for (name, value) in [
        ("state:", "revoked"),
        ("generation:", "7"),
        ("server:", "https://elsewhere.example.com"),
        ("sealedSHA256:", &"0".repeat(64)),
        ("rosterCommit:", &"1".repeat(40)),
        ("notAfter:", "2036-01-01T00:00:00Z"),
    ] {
        let line = field(name);
        let indent = &line[..line.find(name).expect("found")];
        world.write("access/prod/alice.yaml", &record.replace(line, &format!("{indent}{name} {value}")));
        for (command, code) in [("plan", 0), ("validate", 1)] {
            world
                .certctl(&[command])
                .expect(code)
                .says("access/prod/alice.yaml: ")
                .says("changed outside certctl");
        }
    }
    let sealed_to = world.identity("alice");
    world.write("access/prod/alice.yaml", &record.replace(&sealed_to, &other));
    world.commit("innocent");
    world.certctl(&["plan"]).expect(0).says("access/prod/alice.yaml: does not fit its checksum");
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("git log -p -- access/prod/alice.yaml");
    world.git(&["revert", "--no-edit", "HEAD"]);
    world.write(
        "access/prod/cluster.yaml",
        &world.read("access/prod/cluster.yaml").replace("uid: ", "uid: 0"),
    );
    world.certctl(&["plan"]).expect(1).says("access/prod/cluster.yaml: does not fit its checksum");
}

pub fn access_ends_when_the_roster_says_so(plane: &'static Cluster) {
    let world = World::new(plane, "until");
    let soon = in_minutes(60 * 24);
    let group = "- {name: until-on-call, inCertificate: true, grants: [{clusterRole: edit}]}\n";
    let personal = |name: &str, rest: &str| {
        format!("- {{name: {name}, recipients: [\"{}\"], {rest}}}\n", world.identity(name))
    };
    let users = personal("ann", &format!("groups: [until-team], until: \"{soon}\""))
        + &personal("ben", &format!("groups: [until-team, {{name: until-on-call, until: \"{soon}\"}}]"))
        + &personal(
            "cleo",
            &format!("groups: [until-team], grants: [{{clusterRole: edit, until: \"{soon}\"}}]"),
        );
    world.roster(&roster(&world, "", &users).replace("users:\n", &(group.to_owned() + "users:\n")));
    let planned = world.certctl(&["plan"]).expect(0).says("[until-soon]").says("[in-certificate]");
    for said in ["ann's access ends", "ben leaves group until-on-call", "cleo's ClusterRole edit ends"] {
        assert!(planned.stdout.contains(said), "{said}: {}", planned.stdout);
    }
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let (ann, ben, cleo) = (world.open("prod", "ann"), world.open("prod", "ben"), world.open("prod", "cleo"));
    let edit = ["create", "configmaps", "-n", "default"];
    for (kubeconfig, args, expected) in
        [(&ann, &LIST, true), (&ann, &edit, false), (&ben, &edit, true), (&cleo, &edit, true)]
    {
        world.can(kubeconfig, args, expected);
    }
    // Ann's certificate ends when her access ends, ben's with the membership that is written into it.
    for name in ["ann", "ben"] {
        let record = world.read(&format!("access/prod/{name}.yaml"));
        let ends =
            record.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("notAfter: "));
        let ends: Timestamp = ends.expect("notAfter").trim_matches(['"', '\'']).parse().expect("a time");
        assert!(ends <= soon.parse::<Timestamp>().expect("a time"), "{ends} is after {soon}");
    }

    // Somebody else has bound the group that is in ben's certificate.
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "legacy-on-call",
        "--clusterrole=view",
        "--group=until-on-call",
    ]);
    let text = world.read("users.yaml");
    world.write("users.yaml", &text.replace(&personal_line(&text, "ben"), ""));
    let planned = world.certctl(&["plan"]).expect(0).says("[access-remains]").says("KEEPS ACCESS");
    assert!(planned.stdout.contains("through ClusterRoleBinding legacy-on-call"), "{}", planned.stdout);
    world.write("users.yaml", &text);

    let later = in_minutes(60 * 24 + 5);
    world.certctl_at(Some(&later), &["plan", "--detailed-exitcode"]).expect(2);
    world.certctl_at(Some(&later), &["apply", "--auto-approve"]).expect(0);
    for (kubeconfig, args, expected) in
        [(&ann, &LIST, false), (&ben, &edit, false), (&cleo, &edit, false), (&cleo, &LIST, true)]
    {
        world.can(kubeconfig, args, expected);
    }
    // As was said: through the foreign binding, until notAfter.
    world.can(&ben, &LIST, true);
    let new = world.open("prod", "ben");
    world.can(&new, &LIST, true);
    world.can(&new, &edit, false);
    world.certctl_at(Some(&later), &["plan", "--detailed-exitcode"]).expect(0);
    plane.kubectl_ok(&["delete", "clusterrolebinding", "legacy-on-call"]);
}

fn personal_line(roster: &str, name: &str) -> String {
    let line = roster.lines().find(|line| line.starts_with(&format!("- {{name: {name},"))).expect("a line");
    format!("{line}\n")
}

/// A request for the user's own key, created as a user would.
fn own_request(world: &World, key: &rcgen::KeyPair, subject: &str, file: &str) {
    let key_file = world.path("own.key");
    fs::write(&key_file, key.serialize_pem()).expect("written");
    fs::create_dir_all(world.repo().join("csrs")).expect("a folder");
    let made = Command::new("openssl")
        .args(["req", "-new", "-subj", subject, "-key"])
        .arg(&key_file)
        .arg("-out")
        .arg(world.repo().join(file))
        .output();
    if made.is_ok_and(|output| output.status.success()) {
        return;
    }
    // No openssl here.
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for part in subject.split('/').filter(|part| !part.is_empty()) {
        let (kind, value) = part.split_once('=').expect("NAME=VALUE");
        let kind = if kind == "CN" { rcgen::DnType::CommonName } else { rcgen::DnType::OrganizationName };
        params.distinguished_name.push(kind, value);
    }
    let pem = params.serialize_request(key).expect("a request").pem().expect("PEM");
    fs::write(world.repo().join(file), pem).expect("written");
}

/// The `-subj` of the command in a hint.
fn hinted_subject(ran: &Said) -> String {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let after = said.split("-subj ").nth(1).unwrap_or_else(|| panic!("no command in {said}"));
    after.split('\'').nth(1).expect("a subject in quotes").to_owned()
}

pub fn a_key_of_ones_own_never_leaves_its_owner(plane: &'static Cluster) {
    let world = World::new(plane, "own");
    let file = "csrs/erin.csr";
    let key = rcgen::KeyPair::generate().expect("a key");
    let text = roster(&world, "", &member(&world, "erin", ", csr: csrs/erin.csr"));
    world.roster(&text);
    world.certctl(&["plan"]).expect(0).says("csrs/erin.csr").says("could not be read");

    // Each refusal says how to create a correct one.
    own_request(&world, &key, "/O=developers/CN=zoe", file);
    let refused = world.certctl(&["plan"]).expect(0).says("its CN is `zoe`, not `erin`");
    let subject = hinted_subject(&refused);
    own_request(&world, &key, "/O=developers/CN=erin", file);
    let refused = world.certctl(&["plan"]).expect(0).says("its O is");
    assert_eq!(hinted_subject(&refused), subject);
    own_request(&world, &key, &format!("{subject}/O=own-team"), file);
    world.certctl(&["plan"]).expect(0).says("its O is").says("openssl req -new");
    own_request(&world, &key, &subject, file);
    let right = world.read(file);
    {
        let mut params = rcgen::CertificateParams::new(["erin.example.com".to_owned()]).expect("a name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        let group = subject.trim_start_matches("/O=").split('/').next().expect("a group");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, group);
        params.distinguished_name.push(rcgen::DnType::CommonName, "erin");
        let pem = params.serialize_request(&key).expect("a request").pem().expect("PEM");
        world.write(file, &pem);
        world.certctl(&["plan"]).expect(0).says("extension").says("leave extensions out");
    }
    {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let body: String = right.lines().filter(|line| !line.starts_with('-')).collect();
        let mut der = engine.decode(body).expect("base64");
        *der.last_mut().expect("bytes") ^= 1;
        let begin = "-----BEGIN CERTIFICATE REQUEST-----";
        world.write(file, &format!("{begin}\n{}\n{}\n", engine.encode(der), begin.replace("BEGIN", "END")));
        world
            .certctl(&["plan"])
            .expect(0)
            .says("its signature is not that of its key")
            .says("openssl req -new");
    }
    let weak = Command::new("openssl")
        .args(["req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=erin", "-keyout"])
        .arg(world.path("weak.key"))
        .arg("-out")
        .arg(world.repo().join(file))
        .output();
    if weak.is_ok_and(|output| output.status.success()) {
        world.certctl(&["plan"]).expect(0).says("1024 bits; 2048 is the least").says("make a new key");
    }

    world.write(file, &right);
    world.commit("erin's own key");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let kubeconfig = world.open("prod", "erin");
    let sealed = fs::read_to_string(&kubeconfig).expect("a kubeconfig");
    assert!(!sealed.contains("client-key-data"), "{sealed}");
    world.kubectl(&kubeconfig, &["get", "pods"]).expect(1);
    let join = |kubeconfig: &PathBuf| {
        let user = world
            .kubectl(kubeconfig, &["config", "view", "-o", "jsonpath={.users[0].name}"])
            .expect(0)
            .stdout;
        let path = world.path("own.key");
        let flag = format!("--client-key={}", path.to_str().expect("UTF-8"));
        world.kubectl(kubeconfig, &["config", "set-credentials", &user, &flag, "--embed-certs"]).expect(0);
        world.remember_key(&fs::read_to_string(kubeconfig).expect("a kubeconfig"));
    };
    join(&kubeconfig);
    world.can(&kubeconfig, &LIST, true);
    world.kubectl(&kubeconfig, &["auth", "whoami"]).expect(0).says("certctl:erin:");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);

    // A renewal keeps key and group: neither certificate loses anything.
    let due = in_minutes(60 * 24 * 21);
    world.certctl_at(Some(&due), &["plan", "--detailed-exitcode"]).expect(2).says("renew   erin");

    // Once revoked, the key is useless.
    world.certctl(&["rotate", "erin"]).expect(1).says("brings their own key");
    let both =
        roster(&world, "", &(member(&world, "erin", ", csr: csrs/erin.csr") + &member(&world, "frank", "")));
    world.roster(&both);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let frank = world.open("prod", "frank");
    world.can(&frank, &LIST, true);
    world.roster(&text.replace("csr: csrs/erin.csr", "generation: 2, csr: csrs/erin.csr"));
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("that is to be cut off")
        .says("make a new key");
    // The cut-off does not wait for a new key, and nobody else's waits for hers.
    world.can(&kubeconfig, &LIST, false);
    world.can(&frank, &LIST, false);
    world.roster(&roster(&world, "", &member(&world, "someone", "")));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&kubeconfig, &LIST, false);
    world.roster(&text);
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("user `erin`'s csr brings the public key of erin's revoked credential")
        .says("make a new key");
    let new = rcgen::KeyPair::generate().expect("a key");
    own_request(&world, &new, "/CN=erin", file);
    let subject = hinted_subject(&world.certctl(&["plan"]).expect(0));
    own_request(&world, &new, &subject, file);
    world.commit("erin's new key");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let renewed = world.open("prod", "erin");
    join(&renewed);
    world.can(&renewed, &LIST, true);
    world.can(&kubeconfig, &LIST, false);
    world.sweep();
}

/// Both kubeconfigs in one, the context of the second one called `stage`.
fn joined(first: &str, second: &str) -> String {
    let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).expect("a kubeconfig");
    let (mut both, mut second) = (read(first), read(second));
    for list in ["clusters", "contexts", "users"] {
        let theirs = &mut second[list][0];
        theirs["name"] = "stage".into();
        if list == "contexts" {
            theirs["context"] = serde_json::json!({"cluster": "stage", "user": "stage"});
        }
        both[list].as_array_mut().expect("a list").push(theirs.take());
    }
    both.to_string()
}

/// Polls until it is true.
/// Sends a signal, such as `TERM`.
pub fn signal(child: &Child, name: &str) {
    let killed = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(killed.expect("sh").success());
}

pub fn an_interrupted_apply_finishes_what_is_issued_and_the_next_one_cleans_up(plane: &'static Cluster) {
    let stage = plane.unsigning();
    let world = World::new(plane, "stopped");
    let kubeconfig = world.path("both");
    let theirs = stage.client_kubeconfig("certctl-stopped", &["system:masters"]);
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a kubeconfig");
    fs::write(&kubeconfig, joined(&read(&world.kubeconfig), &read(&theirs))).expect("written");
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let both = |users: &str| {
        let second =
            format!("context: test}}\n- {{name: stage, context: stage, server: \"{}\"}}", stage.server());
        roster(&world, "", users).replace("context: test}", &second)
    };
    let requests = |plane: &Cluster| {
        let path = "jsonpath={range .items[*]}{.metadata.name} {.status.conditions[*].type} {.status.certificate}{\"\\n\"}{end}";
        let all = plane.kubectl_ok(&["get", "csr", "-l", "certctl.dev/roster=stopped", "-o", path]);
        all.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let issued =
        |n: usize| requests(plane).iter().filter(|line| line.split(' ').nth(2) != Some("")).count() == n;
    let approved = |n: usize| requests(stage).iter().filter(|line| line.contains("Approved")).count() == n;
    let apply =
        ["apply", "--auto-approve", "--kubeconfig", kubeconfig, "--timeout", "10m", "--probe", "none"];

    let (ann, ben) = (member(&world, "ann", ""), member(&world, "ben", ""));
    world.roster(&both(&(ann.clone() + &ben)));
    let began = std::time::Instant::now();
    let running = start(world.certctl_command(None, &apply));
    until("requests", || issued(2) && approved(2));
    signal(&running, "TERM");
    let ran = end(running).expect(1).says("Interrupted:").says("2 credentials issued");
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("Interrupted after ") && last.contains("2 FAILED, pushed as "), "{last}");
    assert!(began.elapsed().as_secs() < 120, "it waited for the signer");
    for user in ["ann", "ben"] {
        assert!(
            ran.stderr
                .contains(&format!("no certificate for {user}: not issued, because apply was interrupted")),
            "{}",
            ran.stderr
        );
        world.can(&world.open("prod", user), &LIST, true);
    }
    assert_eq!(world.git(&["rev-parse", "HEAD"]), world.git(&["rev-parse", "origin/main"]));
    assert_eq!(requests(stage), Vec::<String>::new(), "what was not issued is taken back");
    assert!(!world.exists("access/stage/ann.yaml"));
    world
        .certctl(&["plan", "--kubeconfig", kubeconfig, "--cluster", "prod", "--detailed-exitcode"])
        .expect(0);

    // kill -9: requests, and no record of them.
    world.roster(&both(&(ann + &ben + &member(&world, "cleo", ""))));
    let mut running = start(world.certctl_command(None, &apply));
    until("requests", || issued(3) && approved(3));
    running.kill().expect("killed");
    running.wait().expect("it ends");
    assert!(!world.exists("access/prod/cleo.yaml"));
    for plane in [plane, stage] {
        // Else the next one waits until the lock expires.
        plane.kubectl_ok(&["delete", "lease", "certctl-stopped", "-n", "kube-system"]);
    }
    let planned = world.certctl(&["plan", "--kubeconfig", kubeconfig]).expect(0);
    assert_eq!(planned.stdout.matches("left by an interrupted apply").count(), 4, "{}", planned.stdout);
    let again = ["apply", "--auto-approve", "--kubeconfig", kubeconfig, "--timeout", "1s"];
    world.certctl(&again).expect(1).says("did not sign it within 1 s").says("cluster stage");
    assert_eq!(requests(stage), Vec::<String>::new());
    world
        .certctl(&["plan", "--kubeconfig", kubeconfig, "--cluster", "prod", "--detailed-exitcode"])
        .expect(0);
    for user in ["ann", "ben", "cleo"] {
        assert_eq!(states(&world, user), (1, 0, 0));
        world.can(&world.open("prod", user), &LIST, true);
    }
}

pub fn a_second_signal_ends_at_once(plane: &'static Cluster) {
    let world = World::new(plane, "signals");
    world.roster(&roster(&world, "", &member(&world, "alice", "")));
    // The push hangs as long as this file exists.
    let (hold, begun) = (world.path("hold"), world.path("begun"));
    fs::write(&hold, "").expect("written");
    let hook = world.path("origin.git/hooks/pre-receive");
    let script =
        format!(": >{}\nwhile [ -e {} ]; do sleep 0.1; done\nexit 1", begun.display(), hold.display());
    certctl_testing::executable(&hook, &script);
    let mut running = start(world.certctl_command(None, &["apply", "--auto-approve"]));
    until("push", || begun.exists());
    signal(&running, "INT");
    let mut said = std::io::BufReader::new(running.stderr.take().expect("piped")).lines();
    assert!(
        said.any(|line| line.expect("UTF-8").starts_with("Interrupted:")),
        "the first one lets it finish"
    );
    // A session manager sends both: that is one request to stop.
    signal(&running, "HUP");
    assert!(
        said.any(|line| line.expect("UTF-8").starts_with("Interrupted:")),
        "a hang-up is heard, and is no second one"
    );
    assert!(running.try_wait().expect("its state").is_none(), "it still pushes");
    signal(&running, "TERM");
    assert_eq!(running.wait().expect("it ends").code(), Some(1));
    assert_eq!(bound(&world), "", "nothing is bound that is not pushed");
    fs::remove_file(&hold).expect("removed");
}
