//! What an administrator asks about a cluster that was read: what somebody may do and why, and what is behind the
//! roster's back.

use certctl::access::audit::{self, Audited};
use certctl::access::delivered::{Delivered, ListedRights};
use certctl::access::explain::{self, InGroup, Obstacle};
use certctl::access::question::Question;
use certctl::access::rights::{ClusterRoster, Origin};
use certctl::model::{ClusterName, CredentialGroup};
use certctl::plan::observed::{Binding, BindingAt};
use certctl::rbac::{ListedRules, PolicyRule};
use certctl::render::audit::{AuditedCluster, document, markdown, message};
use certctl::render::fit::fitted;
use certctl::render::{Style, sarif};
use certctl::roster::Roster;
use serde_json::{Value, json};

use crate::story::{Story, TEAM, request, rule, subject};

fn prod() -> ClusterName {
    "prod".parse().expect("a name")
}

/// The team, on a cluster whose roles allow something.
fn team() -> Story {
    let mut story = Story::applied(TEAM);
    let roles = &mut story.cluster.state.roles.cluster_roles;
    roles.insert("view".into(), vec![rule(&["get", "list"], &[""], &["pods"])]);
    roles.insert("edit".into(), vec![rule(&["get", "create"], &[""], &["pods", "secrets"])]);
    story
}

/// What lists of rules tell of alice's grants: `view` everywhere, `edit` in shop, Role deployer in shop and staging, and
/// ClusterRole tool everywhere.
#[test]
fn what_a_list_of_rules_tells_of_a_grant() {
    let grants = "  grants:
  - {clusterRole: view}
  - {clusterRole: edit, namespaces: [shop]}
  - {role: deployer, namespaces: [shop, staging]}
  - {clusterRole: tool}
  - {clusterRole: edit, namespaces: [staging, 'pr-*']}
";
    let roster = Story::applied(&TEAM.replace(
        "  grants:\n  - {clusterRole: view}\n  - {clusterRole: edit, namespaces: [shop]}\n",
        grants,
    ))
    .roster();
    let view = rule(&["get", "list"], &[""], &["configmaps", "pods"]);
    let edit = rule(&["create", "update"], &[""], &["configmaps", "pods"]);
    let deployer = rule(&["patch"], &["apps"], &["deployments"]);
    let about_oneself = rule(&["create"], &["authorization.k8s.io"], &["selfsubjectaccessreviews"]);
    let told = |everywhere: &[&PolicyRule],
                shop: &[&PolicyRule],
                staging: &[&PolicyRule],
                is_complete: bool| {
        let all = |more: &[&PolicyRule]| {
            let rules =
                [&about_oneself].into_iter().chain(everywhere.iter().copied()).chain(more.iter().copied());
            ListedRules { rules: rules.cloned().collect(), is_complete }
        };
        let of = |namespace: &str, more| (namespace.parse().expect("a name"), all(more));
        let namespaces = [of("shop", shop), of("staging", staging)].into_iter().collect();
        let listed = ListedRights { everywhere: all(&[]), namespaces };
        let grants = &roster.groups[&"developers".parse().expect("a name")].grants;
        let words = grants.iter().map(|grant| match listed.delivers(grant) {
            Delivered::Whole => "yes".to_owned(),
            Delivered::Nowhere => "no".to_owned(),
            Delivered::NotIn(places) => {
                format!("not in {}", places.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(" "))
            }
            Delivered::Unclear => "?".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(told(&[&view], &[&edit, &deployer], &[&edit, &deployer], true), "yes, yes, ?, ?, ?");
    assert_eq!(told(&[&view], &[], &[], true), "yes, no, no, ?, not in staging");
    assert_eq!(told(&[&view], &[&deployer], &[], true), "yes, no, not in staging, ?, not in staging");
    assert_eq!(told(&[], &[&view, &edit], &[&deployer], true), "no, yes, ?, no, not in staging");
    assert_eq!(told(&[], &[], &[], true), "no, no, no, no, not in staging");
    // What is not listed proves nothing where not all is.
    assert_eq!(told(&[], &[&edit], &[], false), "?, yes, ?, ?, ?");
}

fn foreign(story: &mut Story, namespace: Option<&str>, name: &str, role: &str, to: (&str, &str)) {
    story.cluster.state.bindings.push(Binding {
        at: BindingAt { namespace: namespace.map(ToOwned::to_owned), name: name.into() },
        role_kind: "ClusterRole".into(),
        role_name: role.into(),
        subjects: vec![subject(to.0, to.1)],
        labels: Default::default(),
        uid: "uid".into(),
        resource_version: "1".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    });
}

/// Yes or no; through which group, where else, and which groups would allow it.
fn asked(story: &Story, user: &str, verb: &str, resource: &str, namespace: Option<&str>) -> String {
    let (roster, cluster, user) = (story.roster(), prod(), user.parse().expect("a name"));
    let here = ClusterRoster { roster: &roster, cluster: &cluster, now: story.now };
    let namespace = namespace.map(|name| name.parse().expect("a name"));
    let question = Question::parse(verb, resource, None, namespace.as_ref()).expect("a question");
    let explained =
        explain::explain(here, &story.repository, &story.cluster.state, &user, Some(&question.request));
    let answer = explained.answer.expect("an answer");
    let through: Vec<String> = explained
        .rights
        .iter()
        .map(|right| match &right.origin {
            Origin::Group(group) => format!("{group} by {}", right.path.binding.at),
            Origin::Personal => "personal".into(),
            Origin::Others => format!("others' {}", right.path.binding.at),
        })
        .collect();
    let groups: Vec<String> = answer
        .groups
        .iter()
        .map(|allows| match allows.membership {
            InGroup::NotBound => format!("{} not bound", allows.group),
            InGroup::Ended(_) => format!("{} ended", allows.group),
            InGroup::Outside => format!("{} outside", allows.group),
        })
        .collect();
    format!("{} through {through:?} elsewhere {:?} groups {groups:?}", answer.allowed, answer.elsewhere)
}

#[test]
fn an_answer_says_through_what_or_what_would_lead_there() {
    let mut story = team();
    story.yaml += "- {name: carol, recipients: [age1carol]}\n";
    story.apply();
    assert_eq!(
        asked(&story, "alice", "get", "pods", Some("shop")),
        r#"true through ["developers by ClusterRoleBinding certctl:developers:view", "developers by RoleBinding shop/certctl:developers:edit"] elsewhere {} groups []"#
    );
    assert_eq!(
        asked(&story, "alice", "create", "pods", Some("staging")),
        r#"false through [] elsewhere {"shop"} groups []"#
    );
    assert_eq!(
        asked(&story, "carol", "get", "secrets", Some("shop")),
        r#"false through [] elsewhere {} groups ["developers outside"]"#
    );
    foreign(&mut story, Some("staging"), "theirs", "edit", ("User", "carol"));
    assert_eq!(
        asked(&story, "carol", "create", "secrets", Some("staging")),
        r#"true through ["others' RoleBinding staging/theirs"] elsewhere {} groups []"#
    );
    story.binding("certctl:developers:edit").subjects.clear();
    assert_eq!(
        asked(&story, "alice", "get", "secrets", Some("shop")),
        r#"false through [] elsewhere {} groups ["developers not bound"]"#
    );
}

#[test]
fn what_stands_in_the_way_is_named() {
    let mut story = team();
    story.edit("{name: bob,", "{name: bob, suspended: true,").apply();
    let (roster, cluster) = (story.roster(), prod());
    let here = ClusterRoster { roster: &roster, cluster: &cluster, now: story.now };
    let obstacles = |user: &str| {
        let user = user.parse().expect("a name");
        explain::by_roster(here, &story.repository, &user).obstacles
    };
    assert_eq!(obstacles("alice"), []);
    assert!(matches!(obstacles("bob")[..], [Obstacle::Suspended, Obstacle::Revoked(_)]));
    assert_eq!(obstacles("zoe"), [Obstacle::NotOnRoster, Obstacle::NoCredential]);
    let alice = "alice".parse().expect("a name");
    let granted = explain::by_roster(here, &story.repository, &alice).granted;
    assert_eq!(granted.len(), 2, "view, and edit in shop");
}

fn audited<'r>(story: &Story, roster: &'r Roster, cluster: &'r ClusterName) -> Audited<'r> {
    let here = ClusterRoster { roster, cluster, now: story.now };
    audit::audit(here, &story.repository, &story.cluster)
}

/// Each finding as code, severity and subject.
fn findings(story: &Story) -> Vec<String> {
    let (roster, cluster) = (story.roster(), prod());
    let audit = audited(story, &roster, &cluster);
    let line = |finding: &audit::Finding| {
        format!("{} {} {}", finding.risk.word(), finding.code.word(), finding.subject)
    };
    audit.findings.iter().map(line).collect()
}

#[test]
fn an_audit_finds_what_the_roster_does_not_know_the_worst_first() {
    let mut story = team();
    assert_eq!(findings(&story), [""; 0]);
    // What every cluster has.
    foreign(&mut story, None, "cluster-admin", "cluster-admin", ("Group", "system:masters"));
    foreign(&mut story, None, "reader", "view", ("User", "jane"));
    assert_eq!(findings(&story), [""; 0], "who only reads is none");
    foreign(&mut story, Some("shop"), "writer", "edit", ("User", "jane"));
    foreign(&mut story, None, "root", "cluster-admin", ("User", "joe"));
    foreign(&mut story, None, "world", "edit", ("Group", "system:authenticated"));
    let credential = story.bound("alice").pop_first().expect("bound");
    foreign(&mut story, None, "planted", "view", ("Group", &credential));
    let mut approved = request("approved", "zoe", &["ops"]);
    approved.conditions = vec!["Approved".into()];
    story.cluster.state.requests.push(approved);
    assert_eq!(
        findings(&story),
        [
            "critical open-to-everyone Group system:authenticated",
            "critical foreign-full-control User joe",
            "medium foreign-certificate User zoe",
            &format!("medium foreign-credential Group {credential}"),
            "medium foreign-power User jane",
        ]
    );
}

#[test]
fn an_audit_is_not_led_by_a_name_a_label_or_a_key() {
    let mut story = team();
    foreign(&mut story, None, "a", "cluster-admin", ("User", "system:masters"));
    foreign(&mut story, None, "b", "cluster-admin", ("Group", "system:serviceaccount-admins"));
    // Into a binding of ours, by whoever may edit it.
    story.binding("certctl:developers:edit").subjects.push(subject("User", "mallory"));
    // For alice's own key, with a group that nobody can take back.
    let credential: CredentialGroup =
        story.bound("alice").pop_first().expect("bound").parse().expect("a credential");
    for (name, organization) in [("ours", credential.to_string()), ("theirs", "ops".to_owned())] {
        let mut approved = request(name, "alice", &[&organization]);
        approved.key = Some(credential.id.clone());
        approved.conditions = vec!["Approved".into()];
        story.cluster.state.requests.push(approved);
    }
    assert_eq!(
        findings(&story),
        [
            "critical foreign-full-control Group system:serviceaccount-admins",
            "critical foreign-full-control User system:masters",
            "high foreign-certificate User alice",
            "medium foreign-power User mallory",
        ]
    );
}

#[test]
fn an_audit_finds_what_the_roster_grants_and_what_a_revoked_certificate_keeps() {
    let mut story = team();
    story.edit("{clusterRole: view}", "{clusterRole: cluster-admin}").apply();
    assert_eq!(findings(&story), ["critical granted-full-control Group developers"]);
    story.edit("{clusterRole: cluster-admin}", "{clusterRole: view}");
    story.edit("{name: bob,", "{name: bob, suspended: true,").apply();
    assert_eq!(findings(&story), ["low revoked-certificate User bob"]);
    foreign(&mut story, None, "his", "view", ("User", "bob"));
    assert_eq!(findings(&story), ["high revoked-certificate User bob"]);
    let (roster, cluster) = (story.roster(), prod());
    let audit = audited(&story, &roster, &cluster);
    let said = message(&audit.findings[0]);
    assert!(said.ends_with("; left to it: ClusterRole view (ClusterRoleBinding his)"), "{said}");
}

#[test]
fn what_the_roster_ignores_comes_back_when_its_time_is_over() {
    let mut story = team();
    foreign(&mut story, None, "root", "cluster-admin", ("User", "joe"));
    let entry = "audit: {ignore: [{code: foreign-full-control, subject: User joe, reason: break glass, until: 2026-06-30}]}\n";
    story.yaml += entry;
    assert_eq!(findings(&story), [""; 0]);
    let (roster, cluster) = (story.roster(), prod());
    assert_eq!(audited(&story, &roster, &cluster).ignored.len(), 1);
    story.wait("200d");
    let back = findings(&story);
    assert!(back.contains(&"critical foreign-full-control User joe".to_owned()), "{back:?}");
    assert!(back.contains(&"low ignore-ended User joe".to_owned()), "{back:?}");
}

#[test]
fn an_audit_is_shown_in_each_format_and_stays_text() {
    let mut story = team();
    let evil = "joe | <b>evil</b>\n::set-output name=x::evil";
    foreign(&mut story, None, "root", "cluster-admin", ("User", evil));
    foreign(&mut story, None, "known", "cluster-admin", ("User", "kim"));
    story.yaml += "audit: {ignore: [{code: foreign-full-control, subject: User kim, reason: break glass, until: 2026-06-30}]}\n";
    let (roster, cluster) = (story.roster(), prod());
    let audited = [AuditedCluster { name: prod(), audit: audited(&story, &roster, &cluster), error: None }];
    let text = certctl::render::audit::text(&audited, Style::default());
    assert!(text.ends_with("1 finding: 1 critical; 1 ignored.\n") && !text.contains("\n::"), "{text}");
    let comment = markdown(&audited);
    assert!(comment.contains("`User joe \\u{7c} <b>evil</b>") && !comment.contains("\n::"), "{comment}");
    let json = serde_json::to_value(document(&audited)).expect("JSON");
    assert_eq!(json["findings"][0]["severity"], "critical");
    assert_eq!(json["ignored"][0]["reason"], "break glass");
    let sarif: Value = sarif::document(&audited, "team/users.yaml");
    is_sarif(&sarif);
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    assert_eq!(
        (&results[0]["level"], &results[0]["ruleId"]),
        (&"error".into(), &"foreign-full-control".into())
    );
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    assert_eq!(results[1]["suppressions"][0]["justification"], "break glass");
}

#[test]
fn a_thousand_findings_are_a_screen_and_the_worst_come_first() {
    let mut story = team();
    for number in 0..1_000 {
        foreign(
            &mut story,
            Some("shop"),
            &format!("theirs-{number}"),
            "edit",
            ("User", &format!("joe-{number:04}")),
        );
    }
    foreign(&mut story, None, "root", "cluster-admin", ("User", "zoe"));
    let (roster, cluster) = (story.roster(), prod());
    let audited = || AuditedCluster { name: prod(), audit: audited(&story, &roster, &cluster), error: None };
    let text = fitted(&certctl::render::audit::text(&[audited()], Style::default()), 80);
    assert!(text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("and 995 more like these; -v shows more"), "{text}");
    let verbose = Style { verbose: true, ..Style::default() };
    assert!(certctl::render::audit::text(&[audited()], verbose).lines().count() > 200);
    // What code scanning takes is full before the second cluster comes.
    let clusters: Vec<AuditedCluster<'_>> = (0..6).map(|_| audited()).collect();
    let sarif = sarif::document(&clusters, "users.yaml");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let critical = results.iter().filter(|result| result["properties"]["severity"] == "critical").count();
    assert_eq!((results.len(), critical), (5_000, 6));
}

/// What SARIF 2.1.0 requires of the objects that are written, and which properties it knows of them.
#[track_caller]
fn is_sarif(log: &Value) {
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false});
    let text = json!({"type": "string"});
    let list = |items: Value| json!({"type": "array", "items": items});
    let message = object(&["text"], json!({"text": text}));
    let bag = json!({"type": "object"});
    let rule = object(&["id"], json!({"id": text, "shortDescription": message, "properties": bag}));
    let driver = object(
        &["name"],
        json!({"name": text, "semanticVersion": text, "rules": {"type": "array", "items": rule, "uniqueItems": true}}),
    );
    let region = object(&[], json!({"startLine": {"type": "integer", "minimum": 1}}));
    let artifact = object(&[], json!({"uri": {"type": "string", "pattern": "^[^ ]+$"}}));
    let physical = object(&[], json!({"artifactLocation": artifact, "region": region}));
    let location = object(&[], json!({"physicalLocation": physical}));
    let suppression =
        object(&["kind"], json!({"kind": {"enum": ["inSource", "external"]}, "justification": text}));
    let result = object(
        &["message"],
        json!({
            "ruleId": text,
            "level": {"enum": ["none", "note", "warning", "error"]},
            "message": message,
            "locations": list(location),
            "partialFingerprints": {"type": "object", "additionalProperties": text},
            "suppressions": list(suppression),
            "properties": bag,
        }),
    );
    let invocation = object(&["executionSuccessful"], json!({"executionSuccessful": {"type": "boolean"}}));
    let tool = object(&["driver"], json!({"driver": driver}));
    let run =
        object(&["tool"], json!({"tool": tool, "invocations": list(invocation), "results": list(result)}));
    let schema = object(
        &["version", "runs"],
        json!({"$schema": text, "version": {"const": "2.1.0"}, "runs": list(run)}),
    );
    let wrong: Vec<String> = jsonschema::draft202012::new(&schema)
        .expect("a schema")
        .iter_errors(log)
        .map(|why| why.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let run = &log["runs"][0];
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().expect("rules").iter().map(|rule| &rule["id"]).collect();
    let results = run["results"].as_array().expect("results");
    assert!(results.iter().all(|result| rules.contains(&&result["ruleId"])), "each rule is described");
}
