//! What an administrator asks, two months into the life of a team on two clusters.

use std::fs;
use std::process::Stdio;

use certctl_testing::Ran;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Options};
use crate::report;
use crate::world::{World, until};

const TEAM: [&str; 12] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj"];

/// `more` is what stands in an entry besides name, recipients and the team.
fn roster(world: &World, stage: &str, users: &[(&str, &str)]) -> String {
    let name = world.name;
    // Of the second group, whose only grant counts on prod, ivan is a member everywhere and judy on stage.
    let also = |user: &str| match user {
        "ivan" => format!(", {name}-ops"),
        "judy" => format!(", {{name: {name}-ops, clusters: [stage]}}"),
        _ => String::new(),
    };
    let users = users.iter().map(|(user, more)| {
        format!(
            "- {{name: {user}, recipients: [\"{}\"], groups: [{name}-team{}]{more}}}\n",
            world.identity(user),
            also(user)
        )
    });
    let users: String = users.collect();
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\ndefaults: {{validity: 90d}}\n\
         clusters:\n- {{name: prod, context: test}}\n- {{name: stage, context: other, server: \"{stage}\"}}\n\
         groups:\n- {{name: {name}-team, grants: [{{clusterRole: view}}]}}\n\
         - {{name: {name}-ops, grants: [{{clusterRole: edit, namespaces: [default], clusters: [prod]}}]}}\nusers:\n{users}"
    )
}

/// Days after now. The clusters sign by their own clock, which stays where it is: what is renewed on day 61 falls
/// due again at once.
struct Days(jiff::Timestamp);

impl Days {
    fn after(&self, days: i64) -> String {
        let at = self.0 + jiff::SignedDuration::from_hours(24 * days);
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// The kubeconfig's only context, with its cluster and user, under another name.
fn renamed(kubeconfig: &str) -> String {
    let text = kubeconfig.replace("\"test\"", "test");
    ["name", "cluster", "user", "current-context"]
        .iter()
        .fold(text, |text, field| text.replace(&format!("{field}: test"), &format!("{field}: other")))
}

fn who(world: &World, line: &str) -> Value {
    let file = world.path("event.json");
    fs::write(&file, line).expect("written");
    let mut command = world.certctl_command(None, &["who", "-", "--format", "json"]);
    let ran = Ran::of(command.stdin(Stdio::from(fs::File::open(file).expect("the event")))).expect(0);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// The line of the audit log, as the API server wrote it, of a request that somebody makes.
fn logged(world: &World, kubeconfig: &std::path::Path, user: &str) -> String {
    let position = world.plane.audit_position();
    let _ = world.kubectl(kubeconfig, &["get", "configmaps", "-n", "default"]);
    let is_theirs =
        |event: &Value| event["user"]["username"] == user && event["objectRef"]["resource"] == "configmaps";
    let event = || world.plane.audit_events_since(position).into_iter().find(is_theirs);
    until("line in the audit log", || event().is_some());
    let event = event().expect("it was there");
    let id = event["auditID"].as_str().expect("an id");
    let log = String::from_utf8(world.plane.audit_log()).expect("UTF-8");
    log.lines().rfind(|line| line.contains(id)).expect("the line").to_owned()
}

pub fn two_months_of_a_team_answer_every_question(plane: &'static Cluster) {
    let other = plane.another(Options::default());
    let world = World::new(plane, "operator");
    let theirs = fs::read_to_string(other.client_kubeconfig("certctl-operator", &["system:masters"]));
    let second = world.path("second");
    fs::write(&second, renamed(&theirs.expect("a kubeconfig"))).expect("written");
    world.set("KUBECONFIG", &format!("{}:{}", world.kubeconfig.display(), second.display()));
    let days = Days(jiff::Timestamp::now());
    let at = |day: i64| {
        for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "CERTCTL_NOW"] {
            world.set(name, &days.after(day));
        }
    };
    let team = |changed: &[(&'static str, &'static str)]| {
        let more = |user: &str| changed.iter().find(|(of, _)| *of == user).map_or("", |(_, more)| *more);
        let users: Vec<(&str, &str)> = TEAM.iter().map(|user| (*user, more(user))).collect();
        let stays = |(_, more): &&(&str, &str)| *more != "gone";
        let users: Vec<(&str, &str)> = users.iter().filter(stays).copied().collect();
        world.roster(&roster(&world, &other.server(), &users));
    };
    let apply = || world.certctl(&["apply", "--auto-approve"]).expect(0);
    let json = |args: &[&str], code: i32| -> Value {
        let ran = world.certctl(&[args, &["--format", "json"]].concat()).expect(code);
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let status = |args: &[&str], code: i32| json(&[&["status"], args].concat(), code);
    // A line for each credential with a note, as `user cluster state: notes`.
    let noted = |document: &Value| -> Vec<String> {
        let credentials = document["credentials"].as_array().expect("a list").iter();
        let odd = credentials.filter(|credential| credential["notes"] != json!([]));
        let word = |value: &Value| value.as_str().expect("text").to_owned();
        let line = |c: &Value| {
            let notes: Vec<String> = c["notes"].as_array().expect("a list").iter().map(word).collect();
            format!("{} {} {}: {}", word(&c["user"]), word(&c["cluster"]), word(&c["state"]), notes.join(" "))
        };
        odd.map(line).collect()
    };

    at(0);
    team(&[]);
    apply();
    let leaked = world.open("prod", "carol");
    let edit = ["create", "configmaps", "-n", "default"];
    for (user, cluster, can) in
        [("ivan", "prod", true), ("ivan", "stage", false), ("judy", "prod", false), ("judy", "stage", false)]
    {
        let kubeconfig = world.open(cluster, user);
        world.can(&kubeconfig, &["list", "pods", "-n", "default"], true);
        world.can(&kubeconfig, &edit, can);
    }
    at(20);
    team(&[("bob", "gone"), ("alice", ", grants: [{clusterRole: edit, namespaces: [default]}]")]);
    apply();
    at(40);
    let changed = [("bob", "gone"), ("carol", ", generation: 2"), ("erin", ", clusters: [prod]")];
    team(&changed);
    apply();
    at(61);
    assert_eq!(status(&["--expiring", "30d"], 0)["credentials"].as_array().map(Vec::len), Some(21));
    apply();

    // Who can reach what until when: two people were cut off, and what was renewed is bound until it ends.
    at(62);
    let position = plane.audit_position();
    let document = status(&["--detailed-exitcode"], 0);
    assert!(world.calls(position).len() <= 9, "as many as a plan: {:?}", world.calls(position));
    let credentials = document["credentials"].as_array().expect("a list");
    let active = |cluster: &str| {
        credentials.iter().filter(|c| c["cluster"] == cluster && c["state"] == "active").count()
    };
    assert_eq!((active("prod"), active("stage")), (11, 10));
    let odd = noted(&document);
    assert!(odd.contains(&"erin stage revoked: not-on-cluster".to_owned()), "{odd:?}");
    assert!(odd.contains(&"bob prod revoked: not-on-roster".to_owned()), "{odd:?}");
    assert!(odd.contains(&"dave prod superseded: superseded-bound".to_owned()), "{odd:?}");

    // Why can alice, and why can she not? She had `edit` for 20 days.
    let explain =
        |verb: &str| json(&["explain", "alice", verb, "pods", "-n", "default", "--cluster", "prod"], 0);
    let position = plane.audit_position();
    let yes = explain("get");
    assert!(world.calls(position).len() <= 10, "a plan's, and the question: {:?}", world.calls(position));
    assert_eq!((&yes["allowed"], &yes["clusterSays"]), (&json!(true), &json!(true)), "{yes}");
    assert_eq!(yes["paths"][0]["group"], "operator-team");
    let no = explain("create");
    assert_eq!((&no["allowed"], &no["clusterSays"]), (&json!(false), &json!(false)), "{no}");
    assert_eq!(no["groupsThatAllow"], json!(["operator-ops"]));

    // Is everything there that a plan and an apply need?
    let doctor = json(&["doctor"], 0);
    let checks = doctor["checks"].as_array().expect("a list");
    let failed = checks.iter().filter(|check| check["result"] == "failed").count();
    let rights = |cluster: &str| {
        let of = |check: &&Value| {
            check["cluster"] == cluster
                && check["check"].as_str().is_some_and(|it| it.starts_with("right to "))
        };
        checks.iter().filter(of).count()
    };
    assert_eq!(
        (failed, rights("prod")),
        (0, rights("stage") + 1),
        "edit is granted on prod alone: {doctor:#}"
    );

    // Behind our back: what leaked is bound by somebody, and a binding of ours is gone.
    let carol = world.open("prod", "carol");
    let event = logged(&world, &leaked, "carol");
    let position = plane.audit_position();
    let old = who(&world, &event)["matches"][0].clone();
    assert_eq!(world.calls(position).len(), 6, "six lists: {:?}", world.calls(position));
    assert_eq!((&old["mayDo"], &old["asked"]), (&json!([]), &json!(true)));
    assert_eq!(
        (&old["user"], &old["cluster"], &old["state"]),
        (&json!("carol"), &json!("prod"), &json!("revoked"))
    );
    let group = format!("--group=certctl:carol:{}", old["credential"].as_str().expect("an id"));
    plane.kubectl_ok(&[
        "create",
        "rolebinding",
        "operator-back",
        "-n",
        "default",
        "--clusterrole=edit",
        &group,
    ]);
    plane.kubectl_ok(&["delete", "clusterrolebinding", "certctl:operator-team:view"]);
    let document = status(&["carol", "dave", "--cluster", "prod", "--detailed-exitcode"], 2);
    assert_eq!(
        noted(&document),
        [
            "carol prod active: unbound to-be-renewed",
            "carol prod superseded: unbound",
            "carol prod revoked: revoked-bound",
            "dave prod active: unbound to-be-renewed",
            "dave prod superseded: unbound",
        ]
    );
    let position = plane.audit_position();
    let audit = json(&["audit", "--cluster", "prod", "--detailed-exitcode"], 2);
    assert!(world.calls(position).len() <= 9, "as many as a plan: {:?}", world.calls(position));
    let about_carol = |finding: &&Value| {
        finding["subject"].as_str().is_some_and(|it| it.contains("certctl:carol:") || it == "User carol")
    };
    let found: Vec<&Value> =
        audit["findings"].as_array().expect("a list").iter().filter(about_carol).collect();
    let codes: Vec<(&Value, &Value)> =
        found.iter().map(|finding| (&finding["code"], &finding["object"])).collect();
    assert!(
        codes.contains(&(&json!("foreign-credential"), &json!("RoleBinding default/operator-back"))),
        "{audit:#}"
    );
    let offline = status(&["--offline", "--detailed-exitcode"], 0);
    assert!(noted(&offline).iter().all(|line| !line.contains("bound")), "{offline}");

    // Whose certificate is this line of the audit log?
    let found = who(&world, &logged(&world, &carol, "carol"))["matches"][0].clone();
    assert_eq!(found["state"], "active");
    assert_ne!(found["credential"], old["credential"]);
    assert_eq!((&found["mayDo"], &found["asked"]), (&json!([]), &json!(true)), "her binding is gone");
    let offline = json(&["who", "--offline", found["credential"].as_str().expect("an id")], 0);
    let offline = &offline["matches"][0];
    assert_eq!(offline["mayDo"], json!(["view everywhere through operator-team"]));
    let old = who(&world, &event)["matches"][0].clone();
    assert_eq!(
        old["mayDo"],
        json!(["edit in default through RoleBinding default/operator-back, which is not ours"])
    );

    // All of it for an auditor, with the leaked one that is bound again, and who has left since.
    let position = plane.audit_position();
    world.certctl(&["report", "-o", "../access.csv", "--format", "csv"]).expect(0);
    assert!(world.calls(position).len() <= 9, "as many as a plan: {:?}", world.calls(position));
    let csv = fs::read_to_string(world.path("access.csv")).expect("a table");
    let rights: Vec<[String; 4]> = report::rows(&csv, "carol", "prod")
        .into_iter()
        .map(|cells| [&cells[3], &cells[4], &cells[5], &cells[7]].map(Clone::clone))
        .collect();
    assert_eq!(
        rights,
        [
            ["view", "(everywhere)", "operator-team", "granted, and not bound"].map(str::to_owned),
            [
                "edit",
                "default",
                "RoleBinding default/operator-back, which is not certctl's",
                "not in the roster"
            ]
            .map(str::to_owned),
        ]
    );
    world.certctl(&["report", "-o", "../access.html", "--since", &days.after(10)]).expect(0);
    let page = fs::read_to_string(world.path("access.html")).expect("a page");
    assert!(
        page.contains("<th scope=\"row\">bob</th><td><ul class=\"plain\"><li>taken off the roster"),
        "{page}"
    );
    assert!(
        page.contains("<th scope=\"row\">carol</th><td><ul class=\"plain\"><li>rotated on prod: "),
        "{page}"
    );
    assert!(page.contains("<li>revoked on stage: "), "erin's, who has left that cluster");
    assert!(
        page.contains("<th scope=\"row\">11 people</th><td>renewed on prod: alice, carol, dave, "),
        "{page}"
    );
    assert!(!page.contains("<th scope=\"row\">dave</th>"), "only the clock changed anything of his");

    // What did she have, and when?
    let events =
        world.certctl(&["history", "carol", "--cluster", "prod", "--format", "json"]).expect(0).stdout;
    let events: Value = serde_json::from_str(&events).expect("JSON");
    let lived: Vec<(&str, &str)> = events["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| (event["event"].as_str().expect("a code"), &event["at"].as_str().expect("a time")[..10]))
        .collect();
    let day = |days_on: i64| days.after(days_on)[..10].to_owned();
    let (first, third, fourth) = (day(0), day(40), day(61));
    assert_eq!(
        lived,
        [
            ("joined", first.as_str()),
            ("membership", &first),
            ("issued", &first),
            ("rotated", &third),
            ("renewed", &fourth),
        ],
        "{events:#}"
    );
    world.certctl(&["history", "operator-team"]).expect(0).says("bob: - operator-team");

    let of_alice = json(&["history", "alice", "--cluster", "prod"], 0);
    let grants =
        of_alice["events"].as_array().expect("a list").iter().filter(|event| event["event"] == "grant");
    let grants: Vec<&str> = grants.map(|event| &event["at"].as_str().expect("a time")[..10]).collect();
    assert_eq!(grants, [day(20).as_str(), &third], "{of_alice:#}");
    world.certctl(&["status", "alise"]).expect(1).says("did you mean `alice`?");
    world.certctl(&["history", "alise"]).expect(1).says("did you mean `alice`?");

    // One cluster is down: what the records know, marked so.
    other.stop();
    let down = world
        .certctl(&["status", "--format", "json", "--detailed-exitcode"])
        .expect(1)
        .says("cluster stage: ");
    let down: Value = serde_json::from_str(&down.stdout).expect("JSON");
    assert_eq!((&down["clusters"][0]["read"], &down["clusters"][1]["read"]), (&json!(true), &json!(false)));
    assert!(noted(&down).iter().any(|line| line == "alice stage active: to-be-renewed unread"), "{down:#}");
    let down = json(&["doctor", "--cluster", "stage"], 1);
    let reached = |check: &&Value| check["cluster"] == "stage" && check["result"] == "failed";
    assert_eq!(down["checks"].as_array().expect("a list").iter().filter(reached).count(), 1, "{down:#}");
    let metrics = world.certctl(&["status", "--format", "prometheus"]).expect(1).stdout;
    let up = "certctl_cluster_up{roster=\"operator\",cluster=\"stage\"} 0\n";
    assert!(metrics.contains(up) && metrics.contains("certctl_last_apply_timestamp_seconds"), "{metrics}");
    plane.kubectl_ok(&["delete", "rolebinding", "operator-back", "-n", "default"]);
    world.sweep();
}
