//! What the model of RBAC says, held against what a cluster says itself.

use std::time::Duration;

use certctl::cluster::{self, Connection};
use certctl::model::sha256;
use certctl::rbac::{AccessRequest, Authorizer, Requester};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::world::World;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 += 1;
        let hash = sha256(&self.0.to_be_bytes());
        usize::from(u16::from_be_bytes([hash[0], hash[1]])) % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn some<'a>(&mut self, of: &[&'a str], most: usize) -> Vec<&'a str> {
        (0..=self.below(most)).map(|_| self.one(of)).collect()
    }
}

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "delete", "deletecollection", "*"];
const GROUPS: [&str; 4] = ["", "apps", "example.com", "*"];
const RESOURCES: [&str; 9] = [
    "pods",
    "pods/log",
    "pods/exec",
    "secrets",
    "deployments",
    "deployments/scale",
    "*/scale",
    "*/status",
    "*",
];
const NAMES: [&str; 2] = ["one", "two"];
const URLS: [&str; 5] = ["/metrics", "/logs/*", "/healthz*", "/healthz/etcd", "*"];
const NAMESPACES: [&str; 2] = ["random-one", "random-two"];
const USERS: [&str; 4] =
    ["random-anna", "random-ben", "random-cid", "system:serviceaccount:random-one:robot"];
const TEAMS: [&str; 3] = ["random-red", "random-green", "random-blue"];

fn rule(dice: &mut Dice, paths: bool) -> Value {
    if paths && dice.below(4) == 0 {
        return json!({"verbs": dice.some(&VERBS, 2), "nonResourceURLs": dice.some(&URLS, 2)});
    }
    let mut rule = json!({
        "verbs": dice.some(&VERBS, 3), "apiGroups": dice.some(&GROUPS, 2), "resources": dice.some(&RESOURCES, 3),
    });
    if dice.below(3) == 0 {
        rule["resourceNames"] = dice.some(&NAMES, 1).into();
    }
    rule
}

fn subject(dice: &mut Dice) -> Value {
    let api = "rbac.authorization.k8s.io";
    match dice.below(3) {
        0 => json!({"kind": "User", "apiGroup": api, "name": dice.one(&USERS)}),
        1 => json!({"kind": "ServiceAccount", "name": "robot", "namespace": NAMESPACES[0]}),
        _ => json!({"kind": "Group", "apiGroup": api, "name": dice.one(&TEAMS)}),
    }
}

/// Roles of all kinds, an aggregated one among them, and bindings between all of them; some lead nowhere.
fn objects(dice: &mut Dice) -> Vec<Value> {
    let api = "rbac.authorization.k8s.io/v1";
    let mut objects: Vec<Value> = NAMESPACES
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    for index in 0..12 {
        let rules: Vec<Value> = (0..=dice.below(2)).map(|_| rule(dice, true)).collect();
        let mut metadata = json!({"name": format!("random-{index}")});
        if index < 3 {
            metadata["labels"] = json!({"random": "yes"});
        }
        objects.push(json!({"apiVersion": api, "kind": "ClusterRole", "metadata": metadata, "rules": rules}));
    }
    objects.push(json!({
        "apiVersion": api, "kind": "ClusterRole", "metadata": {"name": "random-12"}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"random": "yes"}}]},
    }));
    for namespace in NAMESPACES {
        for index in 0..4 {
            let metadata = json!({"name": format!("random-{index}"), "namespace": namespace});
            let rules = [rule(dice, false)];
            objects.push(json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules}));
        }
    }
    for index in 0..24 {
        // The last ClusterRole and the last Role do not exist.
        let cluster_role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("random-{}", dice.below(14))});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("random-{}", dice.below(5))});
        let name = format!("random-{index}");
        let namespace = dice.one(&NAMESPACES);
        let (kind, metadata, role) = match dice.below(4) {
            0 => ("ClusterRoleBinding", json!({"name": name}), cluster_role),
            1 => ("RoleBinding", json!({"name": name, "namespace": namespace}), cluster_role),
            _ => ("RoleBinding", json!({"name": name, "namespace": namespace}), role),
        };
        let subjects = [subject(dice)];
        objects.push(json!({"apiVersion": api, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": subjects}));
    }
    objects
}

fn question(dice: &mut Dice) -> (Requester, AccessRequest) {
    let requester = Requester {
        user: dice.one(&USERS).to_owned(),
        groups: dice.some(&TEAMS, 1).into_iter().map(ToOwned::to_owned).collect(),
    };
    let verb = dice.one(&VERBS).to_owned();
    if dice.below(6) == 0 {
        let paths = ["/metrics", "/logs/", "/logs/a/b", "/healthz", "/healthz/etcd", "/version"];
        return (requester, AccessRequest::Path { verb, path: dice.one(&paths).to_owned() });
    }
    let (resource, subresource) = match dice.one(&RESOURCES).split_once('/') {
        Some(("*", subresource)) => ("deployments", subresource),
        Some(both) => both,
        None => (dice.one(&["pods", "secrets", "deployments"]), ""),
    };
    let namespace = dice.one(&["", NAMESPACES[0], NAMESPACES[1]]);
    let request = AccessRequest::Resource {
        verb,
        group: dice.one(&GROUPS[..3]).to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: Some(namespace).filter(|namespace| !namespace.is_empty()).map(ToOwned::to_owned),
        name: dice.one(&["", "one", "two", "three"]).to_owned(),
    };
    (requester, request)
}

pub fn the_model_agrees_with_the_cluster_on_random_questions(plane: &'static Cluster) {
    const QUESTIONS: usize = 2_000;
    let mut dice = Dice(0);
    let objects: Vec<String> = objects(&mut dice).iter().map(ToString::to_string).collect();
    plane.apply(&objects.join("\n---\n"));
    // The cluster's controller fills in the aggregated role.
    plane.kubectl_ok(&["wait", "clusterrole/random-12", "--for=jsonpath={.rules[0].verbs}", "--timeout=30s"]);
    let kubeconfig = plane.client_kubeconfig("random-admin", &["system:masters"]);
    let asked = async {
        let connection =
            Connection::open(Some(&kubeconfig), "test", Duration::from_secs(30)).await.expect("a connection");
        let state = cluster::observe(&connection).await.expect("the cluster");
        let authorizer = Authorizer::new(&state.roles, &state.bindings);
        let questions: Vec<_> = (0..QUESTIONS).map(|_| question(&mut dice)).collect();
        let (mut yes, mut wrong) = (0, Vec::new());
        let mut answers = futures::stream::iter(&questions)
            .map(|(requester, request)| {
                let says = cluster::review_access(&connection, requester, request);
                async move { (requester, request, says.await.expect("an answer").allowed) }
            })
            .buffer_unordered(32);
        while let Some((requester, request, says)) = answers.next().await {
            yes += usize::from(says);
            if authorizer.allows(requester, request) != says {
                wrong.push(format!("the cluster says {says}: {requester:?} {request:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(yes > QUESTIONS / 10 && yes < QUESTIONS * 9 / 10, "{yes} of {QUESTIONS} are allowed");
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(asked);
}

/// Others have bound what the roster does not know; the roster grants more than it seems.
pub fn what_is_behind_the_rosters_back_is_called_out_explained_and_found(plane: &'static Cluster) {
    let world = World::new(plane, "behind");
    world.namespace("behind");
    plane.apply(
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "behind-tool"},
            "rules": [{"verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}],
        })
        .to_string(),
    );
    plane.kubectl_ok(&[
        "create",
        "clusterrolebinding",
        "behind-legacy",
        "--clusterrole=cluster-admin",
        "--user=dora",
    ]);
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: behind}}\nclusters: [{{name: prod, context: test}}]\n\
         groups:\n- {{name: behind-tools, grants: [{{clusterRole: behind-tool}}, {{clusterRole: view, namespaces: [behind]}}]}}\n\
         - {{name: behind-edit, grants: [{{clusterRole: edit, namespaces: [behind]}}]}}\n\
         users:\n- {{name: alice, recipients: [\"{}\"], groups: [behind-tools]}}\n- {{name: dora, recipients: [\"{}\"]}}\n",
        world.identity("alice"),
        world.identity("dora")
    );
    world.roster(&roster);
    let plan = world.certctl(&["plan"]).expect(0).stdout;
    for line in [
        "! FULL CONTROL of prod for alice  (ClusterRole behind-tool: may bind ClusterRole cluster-admin)",
        "! FULL CONTROL of prod for dora  (ClusterRole cluster-admin: through ClusterRoleBinding behind-legacy, which is not ours)",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let alice = world.open("prod", "alice");
    world.can(&alice, &["get", "pods", "-n", "behind"], true);
    world.can(&alice, &["get", "secrets", "-n", "behind"], false);

    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&world.certctl(args).expect(0).stdout).expect("JSON")
    };
    let explain = |question: &[&str]| json(&[&["explain", "alice", "--format", "json"], question].concat());
    let yes = explain(&["get", "pods", "-n", "behind"]);
    assert_eq!((&yes["allowed"], &yes["clusterSays"]), (&json!(true), &json!(true)), "{yes}");
    let path = &yes["paths"][0];
    assert_eq!(path["group"], "behind-tools");
    assert_eq!(path["binding"], "RoleBinding behind/certctl:behind-tools:view");
    assert_eq!((&path["role"], &path["namespace"]), (&json!("ClusterRole view"), &json!("behind")));
    let no = explain(&["get", "secrets", "-n", "behind"]);
    assert_eq!((&no["allowed"], &no["clusterSays"]), (&json!(false), &json!(false)), "{no}");
    assert_eq!(no["groupsThatAllow"], json!(["behind-edit"]));
    world
        .certctl(&["explain", "alice", "get", "secrets", "-n", "behind"])
        .expect(0)
        .says("no: alice may not get secrets in behind on prod")
        .says("group behind-edit would allow it (ClusterRole edit), and alice is not in it")
        .says("The cluster says no too.");
    world.certctl(&["explain", "alise"]).expect(1).says("did you mean `alice`?");

    let group = format!("--group={}", alices_group(&world));
    plane.kubectl_ok(&[
        "create",
        "rolebinding",
        "behind-theirs",
        "-n",
        "behind",
        "--clusterrole=edit",
        &group,
    ]);
    let found = |audit: &Value, list: &str| -> Vec<(String, String, String)> {
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        let all = audit[list].as_array().expect("a list").iter();
        all.filter(|finding| finding["message"].as_str().is_some_and(|said| said.contains("behind")))
            .map(|finding| (text(finding, "code"), text(finding, "severity"), text(finding, "subject")))
            .collect()
    };
    let audit = json(&["audit", "--format", "json"]);
    let findings = found(&audit, "findings");
    for (code, severity, subject) in [
        ("foreign-full-control", "critical", "User dora"),
        ("granted-full-control", "critical", "Group behind-tools"),
    ] {
        let expected = (code.to_owned(), severity.to_owned(), subject.to_owned());
        assert!(findings.contains(&expected), "{expected:?} in {findings:#?}");
    }
    assert!(findings.iter().any(|(code, ..)| code == "foreign-credential"), "{findings:#?}");
    world.certctl(&["audit", "--detailed-exitcode"]).expect(2);
    let sarif = json(&["audit", "--format", "sarif"]);
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(
        sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "users.yaml"
    );

    world.roster(&(roster
        + "audit: {ignore: [{code: foreign-full-control, subject: User dora, reason: she is on call, until: 2999-12-31}]}\n"));
    let audit = json(&["audit", "--format", "json"]);
    assert!(found(&audit, "ignored").iter().any(|(_, _, subject)| subject == "User dora"), "{audit}");
    assert!(
        !found(&audit, "findings")
            .iter()
            .any(|(code, _, subject)| code == "foreign-full-control" && subject == "User dora")
    );
    world.sweep();
}

fn alices_group(world: &World) -> String {
    let record = world.read("access/prod/alice.yaml");
    let id = record.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("id: "));
    format!("certctl:alice:{}", id.expect("an id"))
}
