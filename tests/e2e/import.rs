//! Access that was given by hand, with openssl and kubectl, becomes a roster.

use std::path::PathBuf;

use base64::Engine as _;
use certctl_testing::Ran;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Options};
use crate::world::{World, until};

/// Ten people, and the groups in their certificates.
const TEN: [(&str, &str); 10] = [
    ("alice", "/O=devs"),
    ("bob", "/O=devs"),
    ("carol", "/O=devs"),
    ("dave", "/O=devs/O=ops"),
    ("erin", "/O=ops"),
    ("frank", "/O=ops"),
    ("grace", ""),
    ("heidi", ""),
    ("ivan", "/O=left-over"),
    ("judy", ""),
];

/// Names that a cluster takes; none may end a command.
const HOSTILE: &str = "it's $(touch pwned); -x";

const BY_HAND: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: deployer, namespace: shop}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ops-are-admins}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: ops}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "it's $(touch pwned); -x"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: grace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: heidi}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "Mallory\n- name: x"}
- {kind: ServiceAccount, name: default, namespace: shop}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ivan}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editors, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: judy}
"#;

/// What each of them may do, as kubectl asks it.
fn right(user: &str) -> &'static [&'static str] {
    match user {
        "alice" | "bob" | "carol" | "judy" => &["create", "pods", "-n", "shop"],
        "dave" | "erin" | "frank" => &["delete", "nodes"],
        "heidi" | "ivan" => &["delete", "configmaps", "-n", "shop"],
        _ => &["list", "pods", "--all-namespaces"],
    }
}

/// Keys and requests by openssl; approved and fetched by kubectl. Ends with `<user>.key` and `<user>.crt`.
fn by_hand(world: &World) {
    let mut script = "set -e\n".to_owned();
    for (user, groups) in TEN {
        script += &format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {user}.key -out {user}.csr -subj '{groups}/CN={user}' 2>/dev/null\n\
             cat >> requests.yaml <<END\n---\napiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {user}}}\n\
             spec: {{request: $(base64 -w0 < {user}.csr), signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}}\nEND\n"
        );
    }
    let names = TEN.map(|(user, _)| user).join(" ");
    script += &format!("kubectl apply -f requests.yaml\nkubectl certificate approve {names}\n");
    script += &format!("kubectl wait csr {names} --for=jsonpath='{{.status.certificate}}' --timeout=60s\n");
    script += "kubectl get csr -o go-template='{{range .items}}{{.metadata.name}} {{.status.certificate}}{{\"\\n\"}}{{end}}' |\n\
               while read -r name certificate; do echo \"$certificate\" | base64 -d > \"$name.crt\"; done\n";
    world.sh(&script).expect(0);
    // Without a user's certificate: up to 1.34, kubectl refuses one by flag beside it.
    let authority = base64::engine::general_purpose::STANDARD.encode(world.own_identity().0);
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "hand",
        "clusters": [{"name": "hand", "cluster": {
            "server": world.plane.server(), "certificate-authority-data": authority,
        }}],
        "contexts": [{"name": "hand", "context": {"cluster": "hand", "user": "hand"}}],
        "users": [{"name": "hand", "user": {}}],
    });
    std::fs::write(world.path("hand.kubeconfig"), kubeconfig.to_string()).expect("a kubeconfig");
}

/// kubectl with the certificate that somebody was given by hand.
fn old(world: &World, user: &str, arguments: &[&str]) -> Ran {
    let file = |kind: &str| world.path(&format!("{user}.{kind}")).display().to_string();
    let who = [format!("--client-certificate={}", file("crt")), format!("--client-key={}", file("key"))];
    let who: Vec<&str> = who.iter().map(String::as_str).collect();
    world.kubectl(&world.path("hand.kubeconfig"), &[&who, arguments].concat())
}

fn old_can(world: &World, user: &str) -> bool {
    old(world, user, &[&["auth", "can-i"], right(user)].concat()).stdout.trim() == "yes"
}

pub fn ten_people_move_from_openssl_to_a_roster_and_nobody_is_locked_out(plane: &'static Cluster) {
    let plane = plane.of_its_own(Options::default());
    let world = World::new(plane, "import");
    plane.apply(BY_HAND);
    by_hand(&world);
    for (user, _) in TEN {
        assert!(old_can(&world, user), "{user}");
    }

    // The draft says all of it, and what is missing.
    let position = plane.audit_position();
    let drafted = world.certctl(&[
        "import",
        "--context",
        "test",
        "--name",
        "import",
        "--cluster",
        "prod",
        "-o",
        "users.yaml",
    ]);
    drafted.expect(0).says("10 users (4 with grants of their own) and 2 groups").says(" ServiceAccount");
    assert_eq!(world.calls(position).len(), 6, "six lists: {:?}", world.calls(position));
    world
        .certctl(&["import", "--context", "test", "-o", "users.yaml"])
        .expect(1)
        .says("users.yaml is there already");
    let draft = world.read("users.yaml");
    assert!(
        draft.contains("RoleBinding shop/deployers, User Mallory\\u{a}- name: x: a roster cannot use"),
        "{draft}"
    );
    world.certctl(&["validate"]).expect(1).says("user `alice`").says("user `judy`");
    let mut roster = draft;
    for (user, _) in TEN {
        let empty = |recipient: &str| {
            format!(
                "- name: {user}\n  # Missing: what `certctl keygen` prints for them, or their SSH public key.\n  recipients:{recipient}\n"
            )
        };
        assert!(roster.contains(&empty("")), "{user}: {roster}");
        roster = roster.replace(&empty(""), &empty(&format!(" [\"{}\"]", world.identity(user))));
    }
    world.write_as_it_is("users.yaml", &roster);
    world.certctl(&["validate"]).expect(0);
    world.commit("roster");

    // Both: the old way stays until the new one works.
    let finish = || world.certctl(&["import", "--finish"]).expect(0).stdout;
    let commands = |script: &str| script.lines().filter(|line| line.starts_with("kubectl")).count();
    assert_eq!(commands(&finish()), 0, "nobody has a credential yet");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let new: Vec<(&str, PathBuf)> = TEN.iter().map(|(user, _)| (*user, world.open("prod", user))).collect();
    for (user, kubeconfig) in &new {
        world.can(kubeconfig, right(user), true);
        assert!(old_can(&world, user), "{user}");
    }

    // A binding that changes after the commands were printed stays as it is.
    let position = plane.audit_position();
    let script = finish();
    assert!(world.calls(position).len() <= 9, "as many as a plan: {:?}", world.calls(position));
    assert_eq!(commands(&script), 4, "{script}");
    plane.kubectl_ok(&["label", "rolebinding", "editors", "-n", "shop", "somebody=was-here"]);
    world.sh(&script).expect(1);
    until("end of heidi's old access", || !old_can(&world, "heidi"));
    assert!(old_can(&world, "judy"), "{script}");
    let script = finish();
    assert_eq!(commands(&script), 1, "{script}");
    world.sh(&script).expect(0);
    assert!(!world.path("pwned").exists(), "a name ran");

    // Nobody's old certificate does more than anybody's, and everyone works as before.
    let anybody = plane.client_kubeconfig("anybody", &[]);
    let rights = ["auth", "can-i", "--list", "--no-headers", "-n", "shop"];
    let of_anybody = world.kubectl(&anybody, &rights).expect(0).stdout;
    for (user, kubeconfig) in &new {
        assert_eq!(old(&world, user, &rights).expect(0).stdout, of_anybody, "{user}");
        world.can(kubeconfig, right(user), true);
    }
    let left: Value = {
        let ran = world.certctl(&["import", "--finish", "--format", "json"]).expect(0);
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    assert_eq!(left["clusters"][0]["removals"], json!([]));
    let kept = &left["clusters"][0]["kept"];
    assert_eq!(
        (&kept[0]["subject"], &kept[0]["reason"]),
        (&json!("User Mallory\n- name: x"), &json!("not-on-roster"))
    );
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "{kept}");
    let bindings = plane.kubectl_ok(&["get", "clusterrolebindings,rolebindings", "-A", "-o", "name"]);
    assert!(!bindings.contains("ops-are-admins") && !bindings.contains(HOSTILE), "{bindings}");
    let deployers = plane.kubectl_ok(&[
        "get",
        "rolebinding",
        "deployers",
        "-n",
        "shop",
        "-o",
        "jsonpath={.subjects[*].name}",
    ]);
    assert_eq!(deployers, "Mallory\n- name: x default");

    // And out of certctl again: what it prints leaves nothing that gives somebody a right, finalizers or not.
    let ours =
        ["--all-namespaces", "--selector=app.kubernetes.io/managed-by=certctl,certctl.dev/roster=import"];
    let bindings = |more: &[&str]| {
        plane.kubectl_ok(&[&["get", "clusterrolebindings,rolebindings"], &ours[..], more].concat())
    };
    let deployer = "certctl:user=heidi:role=deployer";
    let finalizer = |list: &str| {
        let patch = format!("{{\"metadata\":{{\"finalizers\":{list}}}}}");
        plane.kubectl_ok(&["patch", "rolebinding", deployer, "-n", "shop", "--type=merge", "-p", &patch]);
    };
    finalizer("[\"example.com/keep\"]");
    world.certctl(&["uninstall"]).expect(64);
    let ran = world.certctl(&["uninstall", "--plan"]).expect(0);
    assert!(ran.stdout.contains("# - alice ") && ran.stdout.contains("in groups devs"), "{}", ran.stdout);
    world.sh(&ran.stdout).expect(0).says(deployer);
    for (user, kubeconfig) in &new {
        until("end of access", || {
            let right = [&["auth", "can-i"], right(user)].concat();
            world.kubectl(kubeconfig, &right).stdout.trim() == "no"
        });
    }
    finalizer("null");
    assert_eq!(bindings(&["--output=name"]), "");
    assert!(world.certctl(&["uninstall", "--plan"]).expect(0).stdout.contains("0 bindings of roster import"));
    world.sweep();
}
