//! Parts of a roster: what a good one comes to, and sixty that go beyond their fences, each refused at its place.
//! `UPDATE_EXPECTED=1` rewrites `hostile-parts.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use certctl::error::Error;
use certctl::model::RepoPath;
use certctl::roster::{self, OnClusters, Roster, RosterParts};
use serde_json::Value;

use super::{folder, recipient, value};

const ROOT: &str = r#"apiVersion: certctl.dev/v1
kind: Roster
metadata: {name: acme}
clusters: [{name: prod}, {name: stage}]
defaults: {validity: 12h}
include:
- path: teams/payments.yaml
  may: {grant: [view, edit, {role: deployer}], namespaces: [payments, "payments-*"], clusters: [prod], addUsers: ["payments-*", pia]}
- {path: teams/web.yaml, may: {grant: [view], namespaces: ["web-*"]}}
groups:
- {name: admins, grants: [{clusterRole: cluster-admin}]}
- {name: on-call, joinable: [teams/payments.yaml], grants: [{clusterRole: edit, namespaces: [shop]}]}
users:
- {name: alice, recipients: [age1a], groups: [admins]}
"#;

const HEAD: &str = "apiVersion: certctl.dev/v1\nkind: RosterPart\n";

const WEB: &str = "groups: [{name: web, grants: [{clusterRole: view, namespaces: [web-1]}]}]\n";

const GOOD: &str = r#"groups:
- name: payments
  grants:
  - {clusterRole: edit, namespaces: [payments, payments-eu]}
  - {role: deployer, namespaces: [payments]}
users:
- name: pia
  recipients: [age1p]
  groups: [payments, {name: on-call, until: 2099-01-01}]
  validity: 1h
- {name: payments-robot, recipients: [age1r], grants: [{clusterRole: view, namespaces: [payments-x]}]}
memberships:
- {user: alice, group: payments, until: 2099-06-30}
"#;

/// Files in memory.
struct Files(BTreeMap<String, String>);

impl RosterParts for Files {
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, Error> {
        let below = format!("{folder}/");
        Ok(Some(self.0.keys().filter_map(|path| path.strip_prefix(&below)).map(str::to_owned).collect()))
    }

    fn read(&self, path: &RepoPath) -> Result<String, Error> {
        self.0.get(path.as_str()).cloned().ok_or_else(|| Error::new("it is not there"))
    }

    fn shown(&self, path: &RepoPath) -> String {
        path.to_string()
    }

    fn is_roster(&self, path: &RepoPath) -> bool {
        path.as_str().eq_ignore_ascii_case("users.yaml")
    }
}

fn files(parts: &[(&str, &str)]) -> Files {
    Files(parts.iter().map(|(path, text)| ((*path).to_owned(), format!("{HEAD}{text}"))).collect())
}

fn read(root: &str, parts: &[(&str, &str)]) -> Result<Roster, String> {
    roster::parse_with_parts("users.yaml", root, &recipient, &files(parts))
        .map_err(|error| error.render(false))
}

fn with(payments: &str) -> Result<Roster, String> {
    read(ROOT, &[("teams/payments.yaml", payments), ("teams/web.yaml", WEB)])
}

#[test]
fn a_part_adds_groups_users_and_memberships_within_its_fence() {
    let roster = with(GOOD).expect("valid");
    let prod = OnClusters::Only(["prod".parse().expect("a name")].into());
    let user = |name: &str| &roster.users[&name.parse().expect("a name")];
    let group = |name: &str| &roster.groups[&name.parse().expect("a name")];
    // What says nothing of clusters counts on those of the fence.
    assert_eq!(user("pia").clusters.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["prod"]);
    assert!(group("payments").grants.iter().all(|grant| grant.clusters == prod));
    let membership = &user("alice").groups[&"payments".parse().expect("a name")];
    assert_eq!(
        (&membership.clusters, roster.files.place(membership.position).as_str()),
        (&prod, "teams/payments.yaml:15:3")
    );
    assert_eq!(roster.files.place(user("pia").position), "teams/payments.yaml:9:9");
    assert_eq!(roster.files.place(user("alice").position), "users.yaml:14:10");
    assert_eq!(user("alice").clusters.len(), 2);

    // Patterns: in the order of the names, without hidden files.
    let root = ROOT.replace("teams/web.yaml", "others/*.yaml");
    let more = "groups: [{name: b}]\n";
    let parts = [
        ("teams/payments.yaml", GOOD),
        ("others/b.yaml", more),
        ("others/a.yaml", WEB),
        ("others/.c.yaml", "x"),
    ];
    let roster = read(&root, &parts).expect("valid");
    let named = |file: usize| {
        roster.parts.iter().find(|(_, part)| part.file.index() == file).map(|(path, _)| path.as_str())
    };
    assert_eq!(
        [1, 2, 3].map(named),
        [Some("teams/payments.yaml"), Some("others/a.yaml"), Some("others/b.yaml")]
    );

    // As an editor reads it.
    let schema: Value = serde_json::from_str(&roster::part_schema()).expect("the schema is JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    assert!(schema.is_valid(&value(&format!("{HEAD}{GOOD}"))));
    assert!(!schema.is_valid(&value(&format!("{HEAD}clusters: []\n"))));
    assert!(super::schema().is_valid(&value(ROOT)));
}

#[test]
fn whoever_may_do_everything_has_no_fence() {
    let root = ROOT.replace("{grant: [view], namespaces: [\"web-*\"]}", "everything");
    let web = "groups: [{name: web, inCertificate: true, grants: [{clusterRole: cluster-admin}]}]\nusers: [{name: wendy, recipients: [age1w], groups: [web], validity: 30d}]\n";
    let parts = [("teams/payments.yaml", GOOD), ("teams/web.yaml", web)];
    assert!(read(&root, &parts).is_ok());
    // The groups of others are still theirs.
    let web = "users: [{name: wendy, recipients: [age1w], groups: [admins]}]\n";
    let errors = read(&root, &[("teams/payments.yaml", GOOD), ("teams/web.yaml", web)]).expect_err("theirs");
    assert!(
        errors.starts_with("Error: teams/web.yaml:3:53: group of user `wendy`: `admins` is another"),
        "{errors}"
    );
}

/// A cluster's certificates are shorter than the default: so are those that a part may ask for there.
#[test]
fn a_fence_without_a_validity_is_as_narrow_as_its_clusters() {
    let root = ROOT.replace("[{name: prod}, {name: stage}]", "[{name: prod, validity: 2h}, {name: stage}]");
    let read = |validity: &str| {
        let payments = GOOD.replace("validity: 1h", &format!("validity: {validity}"));
        read(&root, &[("teams/payments.yaml", &payments), ("teams/web.yaml", WEB)])
    };
    assert!(read("2h").is_ok());
    let errors = read("3h").map(drop).expect_err("longer");
    assert!(errors.contains("certificates of user `pia` are valid for more than 2h"), "{errors}");
}

/// Whoever may add members to a group must not decide about the certificates of other people.
#[test]
fn what_another_file_brings_is_grants_alone() {
    let group = "groups:\n- name: payments\n  validity: 10m\n  key: rsa-4096\n  namespace: payments\n";
    let roster = with(&GOOD.replace("groups:\n- name: payments\n", group)).expect("valid");
    let prod = "prod".parse().expect("a name");
    let of = |name: &str| {
        let user = &roster.users[&name.parse().expect("a name")];
        let namespace = roster.namespace_of(user, &prod).map(ToString::to_string);
        (format!("{:#}", roster.validity_of(user, &prod)), roster.key_of(user, &prod).to_string(), namespace)
    };
    assert_eq!(of("alice"), ("12h".into(), "ecdsa-p256".into(), None));
    assert_eq!(of("pia"), ("1h".into(), "rsa-4096".into(), Some("payments".into())));
}

/// What the payments team may try in its own file.
const BEYOND: &[(&str, &str)] = &[
    ("a role outside", "groups: [{name: p, grants: [{clusterRole: admin, namespaces: [payments]}]}]"),
    ("cluster-admin", "groups: [{name: p, grants: [{clusterRole: cluster-admin, namespaces: [payments]}]}]"),
    ("a whole cluster", "groups: [{name: p, grants: [{clusterRole: view}]}]"),
    ("a namespace outside", "groups: [{name: p, grants: [{clusterRole: view, namespaces: [kube-system]}]}]"),
    (
        "a namespace with the fence's prefix",
        "groups: [{name: p, grants: [{clusterRole: view, namespaces: [paymentsx]}]}]",
    ),
    (
        "one good namespace and a bad one",
        "groups: [{name: p, grants: [{clusterRole: view, namespaces: [payments, web-1]}]}]",
    ),
    (
        "a cluster outside",
        "groups: [{name: p, grants: [{clusterRole: view, namespaces: [payments], clusters: [stage]}]}]",
    ),
    (
        "a cluster that nobody has",
        "groups: [{name: p, grants: [{clusterRole: view, namespaces: [payments], clusters: [dev]}]}]",
    ),
    (
        "a Role with a ClusterRole's name",
        "groups: [{name: p, grants: [{role: edit, namespaces: [payments]}]}]",
    ),
    (
        "a ClusterRole with a Role's name",
        "groups: [{name: p, grants: [{clusterRole: deployer, namespaces: [payments]}]}]",
    ),
    ("a role by case", "groups: [{name: p, grants: [{clusterRole: Edit, namespaces: [payments]}]}]"),
    (
        "a personal grant",
        "users: [{name: pia, recipients: [age1p], grants: [{clusterRole: admin, namespaces: [payments]}]}]",
    ),
    (
        "a personal grant everywhere",
        "users: [{name: pia, recipients: [age1p], grants: [{clusterRole: edit}]}]",
    ),
    ("a group in certificates", "groups: [{name: p, inCertificate: true}]"),
    ("a user with another name", "users: [{name: mallory, recipients: [age1m]}]"),
    ("a user with almost the name", "users: [{name: xpayments-1, recipients: [age1m]}]"),
    ("a user's cluster", "users: [{name: pia, recipients: [age1p], clusters: [stage]}]"),
    ("a longer validity", "users: [{name: pia, recipients: [age1p], validity: 3650d}]"),
    ("a group's longer validity", "groups: [{name: p, validity: 30d}]"),
    ("a slightly longer validity", "users: [{name: pia, recipients: [age1p], validity: 12h1m}]"),
    ("another part's group", "users: [{name: pia, recipients: [age1p], groups: [web]}]"),
    ("the roster's group", "users: [{name: pia, recipients: [age1p], groups: [admins]}]"),
    (
        "the roster's group, until",
        "users: [{name: pia, recipients: [age1p], groups: [{name: admins, until: 2099-01-01}]}]",
    ),
    (
        "a joinable group on another cluster",
        "users: [{name: pia, recipients: [age1p], groups: [{name: on-call, clusters: [stage]}]}]",
    ),
    ("the roster's group by case", "users: [{name: pia, recipients: [age1p], groups: [Admins]}]"),
    ("a membership in the roster's group", "memberships: [{user: alice, group: admins}]"),
    ("a membership in another part's group", "memberships: [{user: alice, group: web}]"),
    (
        "a membership on another cluster",
        "memberships: [{user: alice, group: on-call, clusters: [prod, stage]}]",
    ),
    ("a membership of nobody", "memberships: [{user: bob, group: on-call}]"),
    ("a membership in nothing", "memberships: [{user: alice, group: nothing}]"),
    (
        "a membership twice",
        "memberships: [{user: alice, group: on-call}, {user: alice, group: on-call, until: 2099-01-01}]",
    ),
    ("a membership with more fields", "memberships: [{user: alice, group: on-call, protected: true}]"),
    ("a user again", "users: [{name: alice, recipients: [age1m]}]"),
    ("a user again, twice", "users: [{name: pia, recipients: [age1p]}, {name: pia, recipients: [age1q]}]"),
    (
        "a group of the roster again",
        "groups: [{name: admins, grants: [{clusterRole: view, namespaces: [payments]}]}]",
    ),
    (
        "a group of another part again",
        "groups: [{name: web, grants: [{clusterRole: view, namespaces: [payments]}]}]",
    ),
    (
        "a group of another part again, which has members there",
        "groups: [{name: wide, joinable: [teams/web.yaml]}, {name: web}]",
    ),
    ("a group of the roster by case", "groups: [{name: ADMINS}]"),
    ("a reserved group", "groups: [{name: \"system:masters\"}]"),
    ("a reserved user", "users: [{name: \"system:admin\", recipients: [age1p]}]"),
    ("a look-alike", "users: [{name: \"p\\u0456a\", recipients: [age1p]}]"),
    ("a cluster of its own", "clusters: [{name: mine}]"),
    ("defaults of its own", "defaults: {validity: 30d}"),
    ("safety of its own", "safety: {maxRevocations: 100%}"),
    ("a branch of its own", "apply: {branch: mine}"),
    ("a roster's name", "metadata: {name: other}"),
    ("an include of its own", "include: [{path: teams/more.yaml, may: everything}]"),
    ("a fence of its own", "may: everything"),
    ("an anchor", "groups: [{name: p, grants: &a [{clusterRole: view, namespaces: [payments]}]}]"),
    ("an alias", "groups: [{name: p, grants: *a}]"),
    ("a merge key", "groups: [{name: p, <<: {inCertificate: true}}]"),
    ("a tag", "groups: !!seq [{name: p}]"),
    ("a second document", "groups: []\n---\nkind: Roster"),
    ("a key twice", "groups: []\ngroups: [{name: p}]"),
    ("a line that a reviewer does not see", "groups: [] # \u{202e}"),
    ("a carriage return", "groups: [] # x\rusers: []"),
    ("a request outside the repository", "users: [{name: pia, recipients: [age1p], csr: ../../etc/passwd}]"),
    ("a request by an absolute path", "users: [{name: pia, recipients: [age1p], csr: /etc/passwd}]"),
    ("joinable from a file that is no part", "groups: [{name: p, joinable: [users.yaml]}]"),
    ("joinable from outside", "groups: [{name: p, joinable: [../other.yaml]}]"),
];

/// What the roster itself may get wrong, or somebody who edits it.
const INCLUDES: &[(&str, &str)] = &[
    ("outside by dots", "{path: ../teams/x.yaml, may: everything}"),
    ("outside by an absolute path", "{path: /etc/x.yaml, may: everything}"),
    ("outside by a pattern", "{path: \"../*.yaml\", may: everything}"),
    ("a pattern for folders", "{path: \"*/x.yaml\", may: everything}"),
    ("a pattern beside the roster", "{path: \"*.yaml\", may: everything}"),
    ("records", "{path: \"access/prod/*.yaml\", may: everything}"),
    ("records by case", "{path: ACCESS/prod/x.yaml, may: everything}"),
    ("git's own folder", "{path: .git/x.yaml, may: everything}"),
    ("a file that is not there", "{path: teams/nobody.yaml, may: everything}"),
    ("a pattern without a file", "{path: \"nowhere/*.yaml\", may: everything}"),
    ("a file twice", "{path: teams/web.yaml, may: everything}"),
    ("a file twice by a pattern", "{path: \"teams/*.yaml\", may: everything}"),
    ("a file twice by case", "{path: teams/Web.yaml, may: everything}"),
    ("the roster itself", "{path: users.yaml, may: everything}"),
    ("without a fence", "{path: teams/web.yaml}"),
    ("a bare name", "teams/web.yaml"),
    ("a fence with an unknown field", "{path: teams/web.yaml, may: {grants: [view]}}"),
    ("a fence with a cluster that is not there", "{path: teams/web.yaml, may: {clusters: [dev]}}"),
    ("a fence that is a list", "{path: teams/web.yaml, may: [view]}"),
    ("a fence with another word", "{path: teams/web.yaml, may: anything}"),
];

#[test]
fn hostile_parts_are_refused_each_at_its_place() {
    assert!(BEYOND.len() + INCLUDES.len() >= 60);
    let mut told = String::new();
    for (what, payments) in BEYOND {
        let errors = with(payments).map(drop).expect_err(what);
        // What two files define is told at the second, with the place of the first.
        assert!(errors.contains("teams/payments.yaml:"), "{what}: {errors}");
        let _ = writeln!(told, "## {what}\n{errors}");
    }
    for (what, include) in INCLUDES {
        let root = ROOT.replacen("groups:\n", &format!("- {include}\ngroups:\n"), 1);
        let parts = [("teams/payments.yaml", GOOD), ("teams/web.yaml", WEB), ("teams/Web.yaml", WEB)];
        let mut files = files(&parts);
        files.0.insert("users.yaml".to_owned(), root.clone());
        let read = roster::parse_with_parts("users.yaml", &root, &recipient, &files);
        let errors = read.map(drop).expect_err(what).render(false);
        assert!(errors.starts_with("Error: users.yaml:"), "{what}: {errors}");
        let _ = writeln!(told, "## {what}\n{errors}");
    }
    let expected = folder("hostile-parts.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, &told).expect("writable");
    }
    assert_eq!(fs::read_to_string(&expected).unwrap_or_default(), told);
}

/// A thousand people in forty parts on three clusters.
#[test]
fn a_thousand_people_in_forty_parts_are_one_roster() {
    let mut root = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters: [{name: a}, {name: b}, {name: c}]\ninclude:\n".to_owned();
    let mut parts = BTreeMap::new();
    for team in 0..40 {
        let _ = writeln!(
            root,
            "- {{path: teams/t{team}.yaml, may: {{grant: [view, edit], namespaces: [\"t{team}-*\"], addUsers: [\"t{team}-*\"]}}}}"
        );
        let mut text = format!(
            "{HEAD}groups:\n- {{name: t{team}, grants: [{{clusterRole: edit, namespaces: [t{team}-a, t{team}-b]}}]}}\nusers:\n"
        );
        for person in 0..25 {
            let _ = writeln!(
                text,
                "- {{name: t{team}-p{person}, recipients: [age1t{team}p{person}], groups: [t{team}]}}"
            );
        }
        parts.insert(format!("teams/t{team}.yaml"), text);
    }
    let read = roster::parse_with_parts("users.yaml", &root, &recipient, &Files(parts));
    let roster = read.unwrap_or_else(|error| panic!("{}", error.render(false)));
    assert_eq!((roster.users.len(), roster.parts.len()), (1_000, 40));
}
