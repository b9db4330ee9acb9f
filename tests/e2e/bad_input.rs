//! Whatever is wrong in the environment: a clear error, a hint, exit 1, nothing half done.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::Cluster;
use crate::world::World;

fn roster(world: &World, extra: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\nusers:\n\
         - name: hana\n  recipients: [\"{recipient}\"]\n{extra}",
        name = world.name,
        recipient = world.identity("hana")
    )
}

pub fn what_the_cluster_lacks_is_held_with_its_line(plane: &'static Cluster) {
    let world = World::new(plane, "lacks");
    world.roster(&roster(
        &world,
        "  grants:\n  - {clusterRole: view, namespaces: [lacks-nowhere]}\n  - {clusterRole: lacks-role}\n",
    ));
    let ran = world.certctl(&["plan"]).expect(0);
    for held in ["users.yaml:9:", "namespace `lacks-nowhere`", "users.yaml:10:", "ClusterRole `lacks-role`"] {
        assert!(ran.stdout.contains(held), "{}", ran.stdout);
    }
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("lacks-nowhere").says("2 held back");
    assert_eq!(
        plane.kubectl_ok(&[
            "get",
            "clusterrolebindings,rolebindings",
            "-A",
            "-l",
            "certctl.dev/roster=lacks",
            "-o",
            "name"
        ]),
        ""
    );
}

pub fn an_unreachable_cluster_is_named_with_its_cause(plane: &'static Cluster) {
    let world = World::new(plane, "roads");
    world.certctl(&["plan"]).expect(1).says("users.yaml could not be read").says("--roster");
    world.roster(&roster(&world, "").replace("context: test", "context: elsewhere"));
    world.certctl(&["plan"]).expect(1).says("elsewhere").says("test");
    world.roster(&roster(&world, ""));
    world.certctl(&["plan", "--kubeconfig", "missing"]).expect(1).says("missing");
    world.certctl(&["plan", "--cluster", "stage"]).expect(64).says("stage").says("prod");
    world.certctl(&["plan", "--no-such-flag"]).expect(64);
    world.certctl(&["frobnicate"]).expect(64);

    let kubeconfig = std::fs::read_to_string(&world.kubeconfig).expect("the kubeconfig");
    let unreachable = world.path("unreachable");
    std::fs::write(&unreachable, kubeconfig.replace(&plane.server(), "https://127.0.0.1:1"))
        .expect("written");
    world
        .certctl(&["plan", "--kubeconfig", unreachable.to_str().expect("UTF-8")])
        .expect(1)
        .says("127.0.0.1:1");

    let outside = world.path("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("users.yaml"), world.read("users.yaml")).expect("written");
    let file = outside.join("users.yaml");
    let file = file.to_str().expect("UTF-8");
    world.certctl(&["plan", "--roster", file, "--detailed-exitcode"]).expect(2);
    world.certctl(&["apply", "--roster", file, "--auto-approve"]).expect(1).says("git init");
}

/// The world's kubeconfig, changed: the name of the new file.
fn with(world: &World, name: &str, change: impl Fn(&str) -> String) -> String {
    let text = std::fs::read_to_string(&world.kubeconfig).expect("the kubeconfig");
    let changed = change(&text);
    assert_ne!(text, changed);
    let path = world.path(name);
    std::fs::write(&path, changed).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn value<'a>(kubeconfig: &'a str, field: &str) -> &'a str {
    let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix(field)).expect("the field");
    line.trim_start_matches(':').trim()
}

pub fn a_certificate_that_one_side_does_not_trust_is_named(plane: &'static Cluster) {
    let world = World::new(plane, "trust");
    world.roster(&roster(&world, "  grants: [{clusterRole: view}]\n"));
    let authority = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "another CA");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let another = params.self_signed(&authority).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(params, authority);

    // The server does not trust certctl's certificate.
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "test-admin");
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "system:masters");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
    let refused = with(&world, "refused", |text| {
        text.replace(value(text, "client-certificate-data"), &STANDARD.encode(&certificate))
            .replace(value(text, "client-key-data"), &STANDARD.encode(key.serialize_pem()))
    });
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let ran = world.certctl(&[command, &["--kubeconfig", &refused]].concat()).expect(1);
        ran.says("does not accept certctl's own credentials").says("Hint: ").says("auth whoami");
    }

    // certctl does not trust the server's.
    let untrusted = with(&world, "untrusted", |text| {
        text.replace(value(text, "certificate-authority-data"), &STANDARD.encode(&another))
    });
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let ran = world.certctl(&[command, &["--kubeconfig", &untrusted]].concat()).expect(1);
        ran.says("no secure connection to").says("certificate-authority of context `test`");
    }
    assert!(!world.exists("access"));
}

/// One person with one grant. Its binding is named after them, and worlds share a cluster.
fn one(world: &World, user: &str) -> String {
    roster(world, "  grants: [{clusterRole: view}]\n")
        .replace(&world.identity("hana"), &world.identity(user))
        .replace("hana", user)
}

/// How many requests and records there are of someone whom no other world has, and whether they are
/// bound.
fn made(world: &World, user: &str) -> (usize, usize, bool) {
    let label = format!("certctl.dev/roster={}", world.name);
    let requests = world.plane.kubectl_ok(&["get", "csr", "-l", &label, "-o", "name"]).lines().count();
    let bound = world.plane.kubectl_ok(&["get", "clusterrolebindings", "-l", &label, "-o", "yaml"]);
    let record = &format!("access/prod/{user}.yaml");
    let recorded = if world.exists(record) { world.read(record).matches("serial: ").count() } else { 0 };
    (requests, recorded, bound.contains(&format!("certctl:{user}:")))
}

pub fn a_repository_that_cannot_be_pushed_is_refused_before_anything_is_issued(plane: &'static Cluster) {
    let world = World::new(plane, "nopush");
    world.write("users.yaml", &one(&world, "nora"));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("no commit yet").says("git commit");
    world.commit("roster");

    world.git(&["checkout", "-q", "--detach"]);
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("HEAD is detached").says("git switch");
    world.git(&["checkout", "-q", "main"]);

    world.git(&["remote", "remove", "origin"]);
    let ran = world.certctl(&["apply", "--auto-approve"]).expect(1);
    ran.says("no remote to push to").says("git remote add").says("--no-push");
    assert_eq!(made(&world, "nora"), (0, 0, false));

    let head = world.git(&["rev-parse", "HEAD"]);
    world.certctl(&["apply", "--auto-approve", "--no-push"]).expect(0).says("not pushed");
    assert_eq!(made(&world, "nora"), (1, 1, true));
    assert_eq!(world.git(&["rev-parse", "HEAD~1"]), head);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    world.can(&world.open("prod", "nora"), &["list", "pods"], true);
}

pub fn a_push_that_is_declined_binds_nothing_and_is_made_up_for_later(plane: &'static Cluster) {
    let world = World::new(plane, "declined");
    world.roster(&one(&world, "dina"));
    let hook = world.path("origin.git/hooks/pre-receive");
    certctl_testing::executable(&hook, "echo 'the books are closed' >&2\nexit 1");
    let origin = world.git(&["rev-parse", "origin/main"]);

    let ran = world.certctl(&["apply", "--auto-approve"]).expect(1);
    ran.says("the books are closed").says("nothing was granted").says("Hint: ").says("nothing new was bound");
    assert_eq!(made(&world, "dina"), (1, 1, false));
    // Again: still declined, and nothing is issued twice.
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("the books are closed");
    assert_eq!(made(&world, "dina"), (1, 1, false));
    assert_eq!(world.git(&["ls-remote", "origin", "refs/heads/main"])[..40], origin[..40]);

    std::fs::remove_file(&hook).expect("removed");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(made(&world, "dina"), (1, 1, true));
    assert_eq!(world.git(&["rev-parse", "HEAD"]), world.git(&["rev-parse", "origin/main"]));
    world.can(&world.open("prod", "dina"), &["list", "pods"], true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

pub fn a_missing_right_is_named_with_what_would_grant_it(plane: &'static Cluster) {
    let kubeconfig = plane.client_kubeconfig("certctl-rights", &[]);
    let world = World::with_kubeconfig(plane, "rights", kubeconfig);
    world.roster(&one(&world, "rita"));
    world.certctl(&["plan"]).expect(1).says("list").says("kubectl create clusterrole");

    plane.apply(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: rights-plan}
rules:
- {apiGroups: [''], resources: [namespaces], verbs: [list]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, clusterroles, rolebindings, clusterrolebindings], verbs: [list]}
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [list, watch, get, create, delete]}
- {apiGroups: [''], resources: [configmaps], verbs: [get, create, update]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}
",
    );
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "rights-plan",
        "--clusterrole=rights-plan",
        "--user=certctl-rights",
    ]);
    // The authorizer learns about a binding from its watch, a little later.
    let deadline = Instant::now() + Duration::from_secs(60);
    while world.kubectl(&world.kubeconfig, &["auth", "can-i", "list", "rolebindings", "-A"]).code != Some(0) {
        assert!(Instant::now() < deadline, "the binding does not hold after 60 s");
    }
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2);
    // It may ask for a certificate, but not approve it.
    world
        .certctl(&["apply", "--auto-approve"])
        .expect(1)
        .says("approve signers.certificates.k8s.io")
        .says("update certificatesigningrequests.certificates.k8s.io/approval");
    assert!(!world.exists("access/prod/rita.yaml"));
    assert_eq!(
        plane.kubectl_ok(&["get", "clusterrolebindings", "-l", "certctl.dev/roster=rights", "-o", "name"]),
        ""
    );
}

pub fn someone_elses_binding_under_our_name_is_named_and_left_alone(plane: &'static Cluster) {
    let world = World::new(plane, "foreign");
    world.roster(&one(&world, "fay"));
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "certctl:user=fay:view",
        "--clusterrole=view",
        "--user=zoe",
    ]);
    let planned = world.certctl(&["plan"]).expect(0).stdout;
    assert!(
        planned.contains("certctl:user=fay:view") && planned.contains("not made by certctl"),
        "{planned}"
    );
    world.certctl(&["apply", "--auto-approve"]).expect(1);
    let theirs = plane.kubectl_ok(&["get", "clusterrolebinding", "certctl:user=fay:view", "-o", "yaml"]);
    assert!(theirs.contains("zoe") && !theirs.contains("certctl:fay:"), "{theirs}");
    plane.kubectl_ok(&["delete", "clusterrolebinding", "certctl:user=fay:view"]);
}
