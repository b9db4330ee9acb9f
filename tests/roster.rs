//! The rules of `users.yaml`, one file per rule, through the reader and the JSON Schema.
//!
//! `tests/roster/valid/*.yaml` pass both. `tests/roster/invalid/<rule>.yaml` is refused by the
//! reader with exactly the errors in `<rule>.txt`; its first line says what the schema makes of it:
//! `refuses`, `cannot tell` (the rule is beyond a schema), or `not reached` (it is no YAML that a
//! schema is asked about). `UPDATE_EXPECTED=1 cargo test --test roster` rewrites the .txt files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use certctl::model::{Invalid, Recipient};
use certctl::roster::{self, MaxRevocations, Roster, document::Document};
use jiff::SignedDuration;
use serde_json::Value;

#[path = "roster/edits.rs"]
mod edits;
#[path = "roster/parts.rs"]
mod parts;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/roster").join(name)
}

fn rosters(name: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder(name))
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let rule = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (rule, fs::read_to_string(&path).expect("UTF-8"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no files in {name}");
    files
}

/// Replaces age, which the reader does not know.
fn recipient(text: &str) -> Result<Recipient, Invalid> {
    if text.starts_with("age1") || text.starts_with("ssh-") {
        Ok(Recipient::accepted_by_age(text.to_owned()))
    } else {
        Err(Invalid("is no age recipient".into()))
    }
}

fn parse(text: &str) -> Result<Roster, String> {
    roster::parse("users.yaml", text, &recipient).map_err(|error| error.render(false))
}

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&roster::schema()).expect("the schema is JSON");
    jsonschema::draft202012::new(&schema).expect("the schema is a schema")
}

/// As an editor reads it: by another YAML reader than the one under test.
fn value(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("plain YAML")
}

#[test]
fn valid_rosters_pass_the_reader_and_the_schema() {
    let schema = schema();
    for (rule, text) in rosters("valid") {
        if let Err(errors) = parse(&text) {
            panic!("{rule}:\n{errors}");
        }
        if let Err(error) = schema.validate(&value(&text)) {
            panic!("{rule}: the schema refuses it: {} {error}", error.instance_path());
        }
        let document: Document =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{rule}: {error}"));
        let written = serde_saphyr::to_string(&document).expect("a document can be written");
        assert_eq!(
            parse(&written).map(Roster::without_positions),
            parse(&text).map(Roster::without_positions),
            "{rule}: what was written reads as something else:\n{written}"
        );
    }
}

#[test]
fn an_excerpt_agrees_with_the_whole_roster_about_its_person() {
    let mut all = rosters("valid");
    all.push(("example".to_owned(), include_str!("../examples/users.yaml").to_owned()));
    let mut excerpts = 0;
    for (rule, text) in all {
        let whole = parse(&text).expect("valid");
        for (name, user) in &whole.users {
            let Some(excerpt) = roster::excerpt::about(&text, name.as_str()) else { continue };
            assert_eq!(excerpt.lines().count(), text.lines().count(), "{rule}");
            let part = parse(&excerpt).unwrap_or_else(|error| panic!("{rule}: {error}"));
            assert_eq!(part.users.get(name), Some(user), "{rule}");
            assert_eq!(part.clusters, whole.clusters, "{rule}");
            excerpts += usize::from(part.users.len() < whole.users.len());
        }
    }
    assert!(excerpts > 0, "nothing was left out anywhere");
}

#[test]
fn invalid_rosters_are_refused_with_every_error_in_its_place() {
    let schema = schema();
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for (rule, text) in rosters("invalid") {
        let errors = parse(&text).map(drop).err().unwrap_or_else(|| panic!("{rule} is accepted"));
        let expected = folder("invalid").join(format!("{rule}.txt"));
        if update {
            fs::write(&expected, &errors).expect("writable");
        } else if fs::read_to_string(&expected).unwrap_or_default() != errors {
            wrong.push(format!("{rule}:\n{errors}"));
        }
        let verdict = text.lines().next().and_then(|line| line.strip_prefix("# schema: "));
        match verdict {
            Some("refuses") => assert!(!schema.is_valid(&value(&text)), "{rule}: the schema accepts it"),
            Some("cannot tell") => assert!(schema.is_valid(&value(&text)), "{rule}: the schema refuses it"),
            Some("not reached") => {}
            _ => panic!("{rule}: the first line does not say what the schema makes of it"),
        }
    }
    assert!(wrong.is_empty(), "other errors than expected:\n{}", wrong.join("\n"));
}

#[test]
fn a_context_begins_in_ones_own_namespace_or_the_groups_or_the_clusters() {
    let text = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\n\
                clusters: [{name: prod, namespace: of-prod}, {name: dev}]\n\
                groups: [{name: a, namespace: of-a}, {name: b, namespace: of-b}, {name: c, namespace: of-a}, {name: d}]\n\
                users:\n";
    for (user, prod, dev) in [
        ("groups: [a, b], namespace: own", Some("own"), Some("own")),
        ("groups: [a, c, d]", Some("of-a"), Some("of-a")),
        ("groups: [a, b]", Some("of-prod"), None),
        ("groups: [a, {name: b, clusters: [dev]}]", Some("of-a"), None),
        ("groups: [{name: a, until: 2020-01-01}]", Some("of-a"), Some("of-a")),
        ("groups: [d]", Some("of-prod"), None),
    ] {
        let roster =
            parse(&format!("{text}- {{name: ann, recipients: [age1aaa], {user}}}\n")).expect("valid");
        let ann = &roster.users[&"ann".parse().expect("a name")];
        let on = |cluster: &str| {
            roster.namespace_of(ann, &cluster.parse().expect("a name")).map(ToString::to_string)
        };
        assert_eq!((on("prod").as_deref(), on("dev").as_deref()), (prod, dev), "{user}");
    }
}

#[test]
fn the_example_is_valid_and_shows_every_field() {
    let text = include_str!("../examples/users.yaml");
    let roster = parse(text).expect("the example is valid");
    assert_eq!(roster.users.len(), 3);
    assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=../schemas/users.schema.json"));
    assert!(schema().is_valid(&value(text)));

    let schema: Value = serde_json::from_str(&roster::schema()).expect("the schema is JSON");
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    for definition in definitions.chain([&schema]) {
        for field in definition["properties"].as_object().into_iter().flat_map(|map| map.keys()) {
            assert!(text.contains(&format!("{field}:")), "`{field}` is not shown");
        }
    }
}

#[test]
fn a_roster_has_its_fields_and_the_defaults() {
    let (_, text) =
        rosters("valid").into_iter().find(|(rule, _)| rule == "every-field").expect("it is there");
    let full = parse(&text).expect("valid");
    assert_eq!(full.name.as_str(), "acme-2");
    let prod = &full.clusters[&"prod".parse().expect("a name")];
    assert_eq!(prod.context, "arn:aws:eks:eu-central-1:000000000000:cluster/prod");
    let server = "https://[2001:db8::1]:6443/k8s/clusters/c-1";
    assert_eq!(prod.server.as_deref(), Some(server));
    let authority = prod.certificate_authority.as_ref().map(|path| path.as_str());
    assert_eq!(authority, Some("clusters/prod.crt"));
    assert_eq!(prod.signer_name.as_str(), "example.com/people");
    assert_eq!(prod.route.proxy.as_ref().map(|proxy| proxy.as_str()), Some("socks5://[2001:db8::2]:1080"));
    assert_eq!(prod.route.tls_server_name.as_ref().map(|name| name.as_str()), Some("kubernetes.default.svc"));
    let names: Vec<&str> = full.clusters.values().map(|cluster| cluster.context_name.as_str()).collect();
    assert_eq!(names, ["acme-2-a.b_c@d-1", "acme-2/prod of people"]);
    let user = |roster: &Roster, name: &str| roster.users[&name.parse().expect("a name")].clone();
    let alice = user(&full, "alice");
    assert_eq!(alice.recipients.len(), 3);
    let certificates = |roster: &Roster, user: &roster::User| {
        let cluster = user.clusters.first().expect("a cluster");
        (roster.key_of(user, cluster).to_string(), roster.validity_of(user, cluster))
    };
    assert_eq!(certificates(&full, &alice), ("rsa-4096".into(), SignedDuration::from_hours(3650 * 24)));
    assert_eq!(alice.generation, 1_000_000);
    assert_eq!(alice.until.map(|t| t.to_string()).as_deref(), Some("2100-01-01T00:00:00Z"));
    assert_eq!(alice.clusters.len(), 1);
    assert!(alice.protected);
    let no = user(&full, "no");
    assert_eq!(certificates(&full, &no), ("ecdsa-p384".into(), SignedDuration::from_mins(10)));
    assert_eq!(no.clusters.len(), 2);
    assert_eq!(no.csr.map(|path| path.to_string()).as_deref(), Some("csrs/no.csr"));
    assert!(!no.protected);
    let until = no.grants[0].until.map(|t| t.to_string());
    assert_eq!(until.as_deref(), Some("2099-04-01T00:00:00Z"));
    let membership = no.groups.values().next().expect("one group").until.expect("limited");
    assert_eq!(membership.to_string(), "2020-03-01T00:00:00Z");
    assert_eq!(full.max_revocations, MaxRevocations::Count(3));
    assert_eq!(full.branch.as_ref().map(|branch| branch.as_str()), Some("release/1.2"));
    assert_eq!(full.ignored[0].code.word(), "foreign-full-control");
    assert_eq!(full.ignored[0].until.to_string(), "2027-04-01T00:00:00Z");
    let group = &full.groups[&"developers".parse().expect("a name")];
    assert!(group.in_certificate);
    assert_eq!(group.grants.len(), 7);
    assert_eq!(group.grants[2].namespaces, None);
    assert_eq!(group.grants[1].position.to_string(), "28:18");
    let namespaces = group.grants[1].namespaces.as_deref().expect("in namespaces");
    assert_eq!(namespaces[0].1.to_string(), "29:18");
    assert_eq!(group.grants[6].role.kind(), "Role");

    let least = parse(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: a}\nclusters: [{name: prod}]\n\
         users: [{name: bob, recipients: [age1b]}]\n",
    )
    .expect("valid");
    let (name, cluster) = least.clusters.first_key_value().expect("one cluster");
    assert_eq!(cluster.context, name.as_str());
    assert_eq!(cluster.signer_name.as_str(), "kubernetes.io/kube-apiserver-client");
    assert_eq!(least.max_revocations, MaxRevocations::Percent(25));
    let bob = user(&least, "bob");
    assert_eq!(certificates(&least, &bob), ("ecdsa-p256".into(), SignedDuration::from_hours(30 * 24)));
    assert_eq!((bob.generation, bob.protected, bob.until), (1, false, None));
    assert_eq!(bob.clusters.len(), 1);
    assert_eq!(bob.position.to_string(), "5:16");
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let text = include_str!("../examples/users.yaml");
    let plain = parse(text);
    assert!(plain.is_ok());
    assert_eq!(parse(&text.replace('\n', "\r\n")), plain);
    assert_eq!(parse(&format!("\u{feff}{text}")), plain);
    let hidden = parse("# a comment\rusers: []\n").expect_err("a carriage return hides a line");
    assert!(hidden.starts_with("Error: users.yaml:1:12: the character U+000D"), "{hidden}");
}

#[test]
fn a_file_that_is_not_text_is_refused_with_its_place() {
    let error = roster::text("users.yaml", b"kind: Roster\nmetadata: {name: \xff}\n").expect_err("not UTF-8");
    assert_eq!(error.message(), "users.yaml:2:18: not UTF-8 text");
    let large = vec![b' '; roster::SIZE_LIMIT + 1];
    let error = roster::text("users.yaml", &large).expect_err("too large");
    assert_eq!(error.message(), "users.yaml is larger than 16 MiB, so it was not read");
    assert!(parse(&" ".repeat(roster::SIZE_LIMIT + 1)).is_err());
}

#[test]
fn a_long_recipient_is_not_parsed() {
    let roster = |length: usize| {
        let key = "x".repeat(length - "ssh-rsa ".len());
        parse(&format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: a}}\nclusters: [{{name: prod}}]\n\
             users: [{{name: a, recipients: [ssh-rsa {key}]}}]\n"
        ))
    };
    assert!(roster(8192).is_ok());
    let errors = roster(8193).expect_err("too long");
    assert!(errors.contains("users.yaml:5:32: recipient of user `a`"), "{errors}");
    assert!(errors.contains("is longer than 8192 characters"), "{errors}");
}

/// Each is as large as a roster may be (a debug build gets less), or deeper or wider than one.
#[test]
fn hostile_text_is_refused_in_bounded_time() {
    let head = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: a}\nclusters: [{name: prod}]\n";
    let size = if cfg!(debug_assertions) { 1 << 20 } else { roster::SIZE_LIMIT - 200 };
    let fill = |unit: &str| unit.repeat(size / unit.len());
    let mut bomb = String::from("a0: &a0 [x]\n");
    for level in 1..40 {
        let before = format!("*a{},", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{before}]\n");
    }
    let numbered = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let cases = [
        ("aliases in aliases", bomb),
        ("flow nesting", "[".repeat(100_000)),
        ("mapping nesting", "{a: ".repeat(100_000)),
        ("block nesting", "- ".repeat(100_000)),
        ("indentation", (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("many values", format!("{head}users: [{}]", "a,".repeat(1_100_000))),
        ("many empty mappings", format!("{head}users: [{}]", fill("{},"))),
        ("many unknown fields", head.to_owned() + &numbered(size / 40, &|n| format!("f{n}: 1\n"))),
        ("one long value", format!("{head}users: {}", fill("a"))),
        ("one long quoted value", format!("{head}users: \"{}\"", fill("\\u0041"))),
        ("one long block", format!("{head}users: |\n{}", fill("  a\n"))),
        ("one long key", fill("a") + ": 1"),
        ("an open quote", format!("{head}users: \"{}", fill("a "))),
        ("question marks", fill("? ")),
        (
            "many users on many clusters",
            format!(
                "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: a}}\nclusters:\n{}users:\n{}",
                numbered(5_000, &|n| format!("- name: c{n}\n")),
                numbered(5_000, &|n| format!("- {{name: u{n}, recipients: [age1]}}\n"))
            ),
        ),
        (
            "many unknown groups",
            format!(
                "{head}groups:\n{}users:\n- name: a\n  recipients: [age1]\n  groups: [{}]\n",
                numbered(50_000, &|n| format!("- name: group-with-a-long-name-{n}\n")),
                numbered(100_000, &|n| format!("group-with-a-lung-name-{n},"))
            ),
        ),
    ];
    for (what, text) in cases {
        let start = Instant::now();
        let errors = parse(&text).map(drop).expect_err(what);
        let took = start.elapsed();
        assert!(
            took < Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 }),
            "{what} took {took:?}"
        );
        assert!(errors.len() < 1_000_000, "{what}: {} bytes of errors", errors.len());
        println!("{what}: {took:?}, {} bytes of errors", errors.len());
    }
    let comments = format!("{head}{}", fill("# a\n"));
    assert!(parse(&comments).is_ok(), "comments alone are no attack");
}

/// Whatever a file says, it is read or refused, never a panic: every prefix and many small changes
/// of a good one.
#[test]
fn a_damaged_roster_never_panics() {
    let text = include_str!("roster/valid/every-field.yaml");
    for (end, _) in text.char_indices() {
        let _ = parse(&text[..end]);
    }
    for (at, _) in text.char_indices().step_by(3) {
        for inserted in ["\"", "{", "]", ": ", "\n", "- ", "\t", "&a ", "\u{0}", "\u{430}"] {
            let _ = parse(&format!("{}{inserted}{}", &text[..at], &text[at..]));
        }
    }
}
