//! What `bootstrap` prints is what plan and apply need: exactly that is granted here, it is enough, and `doctor`
//! names each rule that is taken away. And what runs apply in the cluster itself is taken by an API server.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::world::World;

const LIST: [&str; 4] = ["list", "pods", "-n", "permissions-shop"];
const WHO: [&str; 4] = ["--plan-user", "certctl-permissions-plan", "--apply-user", "certctl-permissions"];

fn roster(world: &World, people: &[&str]) -> String {
    let user = |name: &&str| {
        let recipient = world.identity(name.split(',').next().unwrap_or_default());
        let (name, rest) = name.split_once(',').unwrap_or((name, ""));
        format!("- {{name: {name}, recipients: [\"{recipient}\"], groups: [permissions-all]{rest}}}\n")
    };
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: permissions}}\n\
         clusters: [{{name: prod, context: test}}]\ngroups:\n- name: permissions-all\n  grants:\n\
         \x20 - {{clusterRole: view}}\n  - {{clusterRole: edit, namespaces: [permissions-shop]}}\n\
         \x20 - {{role: deployer, namespaces: [permissions-shop]}}\nusers:\n{}",
        people.iter().map(user).collect::<String>()
    )
}

/// What `doctor` says is missing; `None` where it says something else than that.
fn missing(world: &World, arguments: &[&str]) -> Vec<String> {
    let ran = world.certctl(&[&["doctor", "--format", "json"], arguments].concat());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    let checks = document["checks"].as_array().expect("checks").clone();
    let text = |check: &Value, field: &str| check[field].as_str().unwrap_or_default().to_owned();
    let rights = checks.iter().filter(|check| text(check, "check").starts_with("right to "));
    let lacking = rights.filter(|check| text(check, "result") != "ok");
    let lacking: Vec<String> =
        lacking.map(|check| text(check, "check")["right to ".len()..].to_owned()).collect();
    let failed = checks.iter().any(|check| text(check, "result") == "failed");
    assert_eq!(ran.code, Some(i32::from(failed)), "{checks:#?}");
    lacking
}

/// What is missing once the authorizer has heard of a change: it reads from a cache, which may lag behind the write.
#[track_caller]
fn settled(world: &World, expected: impl Fn(&[String]) -> bool) -> Vec<String> {
    settled_for(world, &[], expected)
}

/// As [`settled`], of the identity that `doctor` runs as with these arguments.
#[track_caller]
fn settled_for(world: &World, arguments: &[&str], expected: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut lacking = Vec::new();
    for _ in 0..50 {
        lacking = missing(world, arguments);
        if expected(&lacking) {
            return lacking;
        }
    }
    panic!("the change of the RBAC never took effect: {lacking:?}");
}

pub fn what_bootstrap_grants_is_enough_and_each_rule_of_it_is_needed(plane: &'static Cluster) {
    let kubeconfig = plane.client_kubeconfig("certctl-permissions", &[]);
    let plans = plane.client_kubeconfig("certctl-permissions-plan", &[]);
    let plans = plans.to_str().expect("UTF-8").to_owned();
    let admins = plane.client_kubeconfig("permissions-admin", &["system:masters"]);
    let admins = admins.to_str().expect("UTF-8").to_owned();
    let world = World::with_kubeconfig(plane, "permissions", kubeconfig);
    let compared = || world.certctl(&[&["bootstrap", "--check", "--kubeconfig", &admins][..], &WHO].concat());
    world.namespace("permissions-shop");
    plane.kubectl_ok(&[
        "create",
        "role",
        "deployer",
        "-n",
        "permissions-shop",
        "--verb=delete",
        "--resource=pods",
    ]);
    world.roster(&roster(&world, &["alice", "erin"]));
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("leases.coordination.k8s.io");
    let printed = world.certctl(&[&["bootstrap"][..], &WHO].concat()).expect(0).stdout;
    plane.apply(&printed);
    settled(&world, <[_]>::is_empty);

    // As exactly these identities.
    let plan = || world.certctl(&["plan", "--detailed-exitcode", "--kubeconfig", &plans]);
    plan().expect(2).says("2 to issue");
    assert_eq!(missing(&world, &["--as", "plan", "--kubeconfig", &plans]), [""; 0]);
    assert!(!missing(&world, &["--kubeconfig", &plans]).is_empty(), "plan may only read");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["doctor", "--sign"]).expect(0).says("signer: ");
    plan().expect(0);
    let [alice, erin] = ["alice", "erin"].map(|user| world.open("prod", user));

    // Each rule is needed, and is named where it is missing.
    let as_plan = ["--as", "plan", "--kubeconfig", &plans];
    let identities = [("certctl-permissions-apply", &[][..]), ("certctl-permissions-plan", &as_plan)];
    let mut unknown_authorities = 0;
    let places = [("clusterrole", &[][..]), ("role", &["-n", "kube-system"])];
    let objects = identities.into_iter().flat_map(|identity| places.map(|place| (identity, place)));
    for ((name, arguments), (kind, place)) in objects {
        let get = plane.kubectl_ok(&[&["get", kind, name, "-o", "json"][..], place].concat());
        let whole: Value = serde_json::from_str(&get).expect("JSON");
        for rule in 0..whole["rules"].as_array().expect("rules").len() {
            let mut less = whole.clone();
            less["metadata"] = serde_json::json!({"name": name, "namespace": whole["metadata"]["namespace"]});
            let gone = less["rules"].as_array_mut().expect("rules").remove(rule);
            plane.apply(&less.to_string());
            let lacking = settled_for(&world, arguments, |lacking| !lacking.is_empty());
            let resources = gone["resources"].as_array().expect("resources").clone();
            let resources = resources.iter().filter_map(|it| it.as_str()?.split('/').next());
            let named = |right: &String| resources.clone().any(|resource| right.contains(resource));
            assert!(lacking.iter().all(named), "{gone}: {lacking:?}");
            compared().expect(1).says("it lacks ");
            let is_plans = name == "certctl-permissions-plan";
            if is_plans && gone["resourceNames"].to_string().contains("extension-apiserver-authentication") {
                let verbose = world.certctl(&["plan", "-v", "--kubeconfig", &plans]);
                verbose.expect(0).says("cluster prod: whether its client CA was replaced is not known: ");
                unknown_authorities += 1;
            }
        }
        plane.apply(&printed);
        settled_for(&world, arguments, <[_]>::is_empty);
    }
    compared().expect(0);
    assert!(unknown_authorities > 0);

    // A right that is missing locks nobody out: who leaves is out, and nothing is issued.
    let signers = "certctl-permissions-apply";
    let get = plane.kubectl_ok(&["get", "clusterrole", signers, "-o", "json"]);
    let mut role: Value = serde_json::from_str(&get).expect("JSON");
    let rules = role["rules"].as_array_mut().expect("rules");
    rules.retain(|rule| rule["resources"] != serde_json::json!(["signers"]));
    role["metadata"] = serde_json::json!({"name": signers});
    plane.apply(&role.to_string());
    settled(&world, |lacking| !lacking.is_empty());
    world.roster(&roster(&world, &["alice,, generation: 2", "carol"]));
    let ran = world.certctl(&["apply", "--auto-approve"]).expect(1);
    ran.says("approve signers.certificates.k8s.io")
        .says("certctl bootstrap")
        .says("who has to leave is cut off");
    world.can(&erin, &LIST, false);
    world.can(&alice, &LIST, true);
    assert!(!world.exists("access/prod/carol.yaml"));
    assert!(world.read("access/prod/erin.yaml").contains("state: revoked"));

    plane.apply(&printed);
    settled(&world, <[_]>::is_empty);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.can(&alice, &LIST, false);
    for user in ["alice", "carol"] {
        world.can(&world.open("prod", user), &LIST, true);
    }

    // A plan knows that apply could not bind what the roster grants.
    let more = "carol,, grants: [{clusterRole: admin, namespaces: [permissions-shop]}]";
    world.write("users.yaml", &roster(&world, &["alice,, generation: 2", more]));
    plan()
        .expect(2)
        .says("ClusterRole admin, and User certctl-permissions, which applies it, may not bind it");

    // A role that the roster grants no more may be unbound without the right to bind it.
    world.roster(
        &roster(&world, &["alice,, generation: 2", "carol"]).replace("  - {clusterRole: view}\n", ""),
    );
    plane.apply(&world.certctl(&[&["bootstrap"][..], &WHO].concat()).expect(0).stdout);
    settled(&world, <[_]>::is_empty);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}

/// As the API server takes it, and with nothing that the image of `packaging/` lacks.
pub fn what_applies_in_the_cluster_is_valid_and_fits_the_image(plane: &'static Cluster) {
    let world = World::new(plane, "pull");
    world.namespace("pull");
    world.roster(&roster(&world, &["alice"]));
    let arguments = [
        "bootstrap",
        "--in-cluster",
        "--namespace",
        "pull",
        "--image",
        "ghcr.io/acme/certctl:1.2.3",
        "--repository",
        "git@git.example.com:acme/$$(HOME) access.git",
        "--author",
        "certctl <certctl@example.com>",
    ];
    let printed = world.certctl(&arguments).expect(0).stdout;
    let file = world.path("in-cluster.yaml");
    std::fs::write(&file, &printed).expect("written");
    let taken = plane.kubectl_ok(&["apply", "--dry-run=server", "-f", file.to_str().expect("UTF-8")]);
    for object in ["cronjob.batch/certctl-apply", "configmap/certctl-apply", "serviceaccount/certctl-apply"] {
        assert!(taken.contains(&format!("{object} created (server dry run)")), "{taken}");
    }

    let listed = world.certctl(&[&arguments[..], &["--format", "json"]].concat()).expect(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    let job = items.iter().find(|item| item["kind"] == "CronJob").expect("a CronJob");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let (clone, apply) = (&pod["initContainers"][0], &pod["containers"][0]);
    assert_eq!((clone["command"][0].as_str(), apply["command"][0].as_str()), (Some("git"), Some("certctl")));
    assert_eq!(
        clone["command"][6], "git@git.example.com:acme/$$$$(HOME) access.git",
        "the kubelet expands nothing"
    );
    let packaging = |name: &str| {
        std::fs::read_to_string(format!("{}/packaging/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };
    let (tree, image) = (packaging("tree"), packaging("Dockerfile"));
    assert!(tree.contains("\nadd /usr/bin/git\n") && tree.contains("\nadd /usr/bin/ssh\n"), "{tree}");
    assert!(image.contains("/certctl /usr/bin/certctl\n") && image.contains(" PATH=/usr/bin\n"), "{image}");
    // And is called as a release calls it.
    let pushed = packaging("image");
    assert!(
        pushed.contains("image=ghcr.io/${repository#https://*/}") && pushed.contains("\"$image:${tag#v}\""),
        "{pushed}"
    );
    let page = std::fs::read_to_string(format!("{}/docs/permissions.md", env!("CARGO_MANIFEST_DIR")));
    assert!(page.expect("a page").contains("`ghcr.io/OWNER/certctl:VERSION`"));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let secrets =
        pod["volumes"].as_array().expect("volumes").iter().filter_map(|volume| volume.get("secret"));
    assert_eq!(secrets.map(|secret| &secret["secretName"]).collect::<Vec<_>>(), ["certctl-deploy-key"]);
    let user = &pod["securityContext"]["runAsUser"];
    assert!(image.contains(&format!("\nUSER {user}:{user}\n")), "{user}: {image}");
    for container in [clone, apply] {
        assert_eq!(container["image"], "ghcr.io/acme/certctl:1.2.3");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
    }
}
