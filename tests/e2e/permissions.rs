//! What `bootstrap` prints is what plan and apply need: exactly that is granted here, it is enough, and `doctor`
//! names each rule that is taken away.

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
    let mut lacking = Vec::new();
    for _ in 0..50 {
        lacking = missing(world, &[]);
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
    let name = "certctl-permissions-apply";
    for (kind, place) in [("clusterrole", &[][..]), ("role", &["-n", "kube-system"])] {
        let get = plane.kubectl_ok(&[&["get", kind, name, "-o", "json"][..], place].concat());
        let whole: Value = serde_json::from_str(&get).expect("JSON");
        for rule in 0..whole["rules"].as_array().expect("rules").len() {
            let mut less = whole.clone();
            less["metadata"] = serde_json::json!({"name": name, "namespace": whole["metadata"]["namespace"]});
            let gone = less["rules"].as_array_mut().expect("rules").remove(rule);
            plane.apply(&less.to_string());
            let lacking = settled(&world, |lacking| !lacking.is_empty());
            let resources = gone["resources"].as_array().expect("resources").clone();
            let resources = resources.iter().filter_map(|it| it.as_str()?.split('/').next());
            let named = |right: &String| resources.clone().any(|resource| right.contains(resource));
            assert!(lacking.iter().all(named), "{gone}: {lacking:?}");
            compared().expect(1).says("it lacks ");
        }
        plane.apply(&printed);
        settled(&world, <[_]>::is_empty);
    }
    compared().expect(0);

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
