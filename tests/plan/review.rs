//! The access review: since when rights count, what the page and the table hold, and that both stay text and small.

use std::fmt::Write as _;

use certctl::access::beginnings::{Beginnings, CommitIndex};
use certctl::access::credentials::PlannedCluster;
use certctl::access::events::{self, IssuedCredential, LifeEvent};
use certctl::access::review::{AccessReview, BranchPast, PastCommit, ReviewStart};
use certctl::access::status::KnownFrom;
use certctl::model::{ClusterName, CredentialId, Recipient, RoleRef, UserName, hex, sha256};
use certctl::plan::observed::{Binding, BindingAt};
use certctl::render::review::{csv, page};
use certctl::roster::{self, Roster};
use jiff::Timestamp;

use crate::story::{HEAD, PROD, Story, TEAM, subject};

fn time(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().expect("a time")
}

fn parse(yaml: &str) -> Roster {
    let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
    let roster = roster::parse("users.yaml", yaml, &recipient);
    roster.unwrap_or_else(|e| panic!("{}", e.render(false))).without_positions()
}

/// What these versions tell, each committed on its day.
fn past(versions: &[(&str, String)]) -> BranchPast {
    let mut past = BranchPast::default();
    let mut before = None;
    for (index, (day, yaml)) in versions.iter().enumerate() {
        let now = parse(yaml);
        let events = events::of_everyone(before.as_ref(), Some(&now));
        past.events.extend(events.into_iter().map(|event| (event, CommitIndex(index))));
        past.commits.push(PastCommit {
            id: hex(&sha256(day.as_bytes()))[..40].to_owned(),
            at: time(day),
            author: "Ada <ada@example.com>".into(),
            committer: "Host <host@example.com>".into(),
            is_merge: index > 0,
        });
        before = Some(now);
    }
    past
}

/// Of which day the commit is since which alice may view everywhere, through developers, on a cluster.
fn began(versions: &[(&str, String)], cluster: &str) -> Option<String> {
    let past = past(versions);
    let mut beginnings = Beginnings::default();
    for (event, commit) in &past.events {
        beginnings.tell(event, *commit, past.commits[commit.0].at);
    }
    let (user, cluster) = ("alice".parse().expect("a name"), cluster.parse().expect("a name"));
    let group = "developers".parse().expect("a name");
    let role = RoleRef::ClusterRole("view".parse().expect("a name"));
    let since = beginnings.of(&user, &cluster, Some(&group), &role, None)?;
    Some(versions[since.0].0.to_owned())
}

#[test]
fn a_right_counts_since_the_last_of_what_it_takes() {
    let roster = |clusters: &str, grant: &str, alice: &str| {
        format!(
            "{}groups: [{{name: developers, grants: [{grant}]}}, {{name: others}}]\nusers:\n- {{name: zoe, recipients: [age1zoe]}}\n{alice}",
            HEAD.replace(PROD, clusters)
        )
    };
    let both = "{name: prod, server: 'https://a'}, {name: dev, server: 'https://b'}";
    let alice = |groups: &str, rest: &str| {
        format!("- {{name: alice, recipients: [age1alice], groups: [{groups}]{rest}}}\n")
    };
    let view = "{clusterRole: view}";
    let member = alice("developers", "");
    let whole = roster(both, view, &member);
    let cases: Vec<(&str, Vec<String>, Option<usize>)> = vec![
        ("from the beginning", vec![whole.clone(), whole.clone()], Some(0)),
        ("a membership", vec![roster(both, view, &alice("", "")), whole.clone()], Some(1)),
        ("a grant of the group", vec![roster(both, "", &member), whole.clone()], Some(1)),
        (
            "a cluster of hers",
            vec![roster(both, view, &alice("developers", ", clusters: [dev]")), whole.clone()],
            Some(1),
        ),
        (
            "a cluster of the roster",
            vec![roster("{name: dev, server: 'https://b'}", view, &member), whole.clone()],
            Some(1),
        ),
        (
            "a cluster of the membership",
            vec![roster(both, view, &alice("{name: developers, clusters: [dev]}", "")), whole.clone()],
            Some(1),
        ),
        (
            "a cluster of the grant",
            vec![roster(both, "{clusterRole: view, clusters: [dev]}", &member), whole.clone()],
            Some(1),
        ),
        (
            "fewer clusters are no beginning",
            vec![whole.clone(), roster(both, view, &alice("{name: developers, clusters: [prod]}", ""))],
            Some(0),
        ),
        (
            "another group is none",
            vec![whole.clone(), roster(both, view, &alice("developers, others", ""))],
            Some(0),
        ),
        (
            "a later end is none",
            vec![
                roster(both, view, &alice("{name: developers, until: 2026-06-01}", "")),
                roster(both, view, &alice("{name: developers, until: 2026-12-01}", "")),
            ],
            Some(0),
        ),
        (
            "but it is once it had ended",
            vec![
                roster(both, view, &alice("{name: developers, until: 2026-01-15}", "")),
                roster(both, view, &alice("{name: developers, until: 2026-12-01}", "")),
            ],
            Some(1),
        ),
        ("left and come back", vec![whole.clone(), roster(both, view, ""), whole.clone()], Some(2)),
        (
            "suspended and resumed",
            vec![whole.clone(), roster(both, view, &alice("developers", ", suspended: true")), whole.clone()],
            Some(2),
        ),
    ];
    let days = ["2026-01-01", "2026-02-01", "2026-03-01"];
    for (what, versions, since) in cases {
        let versions: Vec<(&str, String)> = days.into_iter().zip(versions).collect();
        assert_eq!(began(&versions, "prod").as_deref(), since.map(|at| days[at]), "{what}");
    }
}

/// Of one cluster, with a past in two commits, and the changes of the second.
fn reviewed<T>(story: &Story, known: KnownFrom, show: impl FnOnce(&AccessReview<'_>) -> T) -> T {
    reviewed_with(story, known, "Ada <ada@example.com>", show)
}

/// With the author of the second commit.
fn reviewed_with<T>(
    story: &Story,
    known: KnownFrom,
    author: &str,
    show: impl FnOnce(&AccessReview<'_>) -> T,
) -> T {
    let roster = story.roster();
    let first = story.yaml.replace(", groups: [developers]}", "}");
    let mut past = past(&[("2025-11-01", first), ("2025-12-01", story.yaml.clone())]);
    past.commits[1].author = author.to_owned();
    let since = ReviewStart { asked: "v1".into(), commits: [CommitIndex(1)].into() };
    let mut review = AccessReview::new(&roster, "0".repeat(40), past, Some(since), story.now);
    let changes = &story.whole().clusters[0];
    let name: ClusterName = "prod".parse().expect("a name");
    let (name, _) = roster.clusters.get_key_value(&name).expect("it is there");
    review.add(name, known, Some(PlannedCluster { observed: story.observed(), changes }));
    show(&review)
}

#[test]
fn a_page_begins_with_the_numbers_and_tells_what_they_count() {
    let mut story = Story::applied(TEAM);
    story
        .edit(
            "{name: bob,",
            "{name: bob, fullName: Bob <b>, email: bob@example.com, labels: {team: =ops}, until: 2026-01-20,",
        )
        .edit("{clusterRole: view}", "{clusterRole: cluster-admin}");
    story.apply();
    story.edit("groups: [developers]}\n- {name: bob", "groups: [developers], suspended: true}\n- {name: bob");
    let shown = reviewed(&story, KnownFrom::Cluster, page);
    let tile = |number: &str, name: &str, more: &str| {
        let text = format!(
            "<span class=\"number\">{number}</span> <span class=\"name\">{name}</span> <span class=\"more\">{more}</span>"
        );
        assert!(shown.contains(&text), "{text}\n{shown}");
    };
    tile("2", "people", "");
    tile("1", "cluster", "all read");
    tile("2", "full control", "of a cluster");
    tile("1", "end within 30 days", "a right or all access");
    tile("1", "to look at", "not as the roster says");
    tile("1", "finding", "1 critical");
    // Until it is applied, she can do it.
    let (alice, bob) = shown.split_once("id=\"person-bob\"").expect("both");
    let alice = alice.rsplit("id=\"person-alice\"").next().expect("hers");
    assert!(
        alice.contains("the next apply cuts it off; suspended")
            && alice.contains("bound, and not granted any more")
    );
    assert!(
        bob.contains("<time datetime=\"2026-01-21T00:00:00Z\">2026-01-21</time> <small>in 20 days</small>"),
        "{bob}"
    );
    assert!(bob.contains("<small>merged by Ada</small>"), "{bob}");
    let detail = |text: &str| format!("<span class=\"detail\">{text}</span>");
    for text in ["Bob &lt;b&gt;", "bob@example.com", "team: =ops"] {
        assert!(bob.contains(&detail(text)), "{bob}");
    }
    let table = reviewed(&story, KnownFrom::Cluster, csv);
    assert!(table.contains(",\"Bob <b>\",\"bob@example.com\",\"team: =ops\"\r\n"), "{table}");
    assert!(
        shown.contains("<h2 id=\"changes-heading\">Changes since v1</h2>")
            && shown.contains("<li>+ developers")
    );
}

#[test]
fn a_cluster_that_was_not_read_is_said_to_be_so() {
    let mut story = Story::applied(TEAM);
    story.offline();
    let error = "no route to <prod>".to_owned();
    let shown = reviewed(&story, KnownFrom::RecordsOnly { error }, page);
    assert!(
        shown.contains("<strong>prod was not read.</strong>")
            && shown.contains("Why: no route to &lt;prod&gt;")
    );
    assert!(shown.contains("<span class=\"more\">1 not read</span>"));
    assert!(
        shown.contains("<span class=\"more\">in what was read</span>")
            && !shown.contains("Nothing was found behind")
    );
    let table = reviewed(&story, KnownFrom::Records, csv);
    assert!(table.contains("\"by the roster; the cluster was not read\""), "{table}");
}

/// All that a page may run is named in its policy by what it is.
#[test]
fn the_policy_of_the_page_allows_its_own_style_and_script_and_no_more() {
    use base64::Engine as _;
    let shown = reviewed(&Story::applied(TEAM), KnownFrom::Cluster, page);
    let policy = shown.split("content=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a policy");
    let hash = |tag: &str| {
        let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
        assert_eq!(shown.matches(&begin).count(), 1);
        let text = shown.split(&begin).nth(1).and_then(|rest| rest.split(&end).next()).expect("its text");
        format!("sha256-{}", base64::prelude::BASE64_STANDARD.encode(sha256(text.as_bytes())))
    };
    let expected = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash("style"),
        hash("script")
    );
    assert_eq!(policy.replace("&#39;", "'"), expected);
    assert!(shown.find("Content-Security-Policy") < shown.find("<style>"));
}

/// git itself takes such a name out of `git config`, and not out of a commit that somebody made otherwise.
#[test]
fn whatever_a_commit_or_a_cluster_holds_stays_text() {
    let evil = "=cmd|' /C calc'!A0</td><script>alert(1)</script>\u{202e}";
    let mut story = Story::applied(TEAM);
    let credential = story.bound("alice").pop_first().expect("bound");
    story.cluster.state.bindings.push(Binding {
        at: BindingAt { namespace: Some(evil.into()), name: evil.into() },
        role_kind: "ClusterRole".into(),
        role_name: evil.into(),
        subjects: vec![subject("Group", &credential)],
        labels: Default::default(),
        uid: "uid".into(),
        resource_version: "1".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    });
    let both = reviewed_with(&story, KnownFrom::Cluster, evil, |review| [page(review), csv(review)]);
    let [page, table] = both;
    assert_eq!((page.matches("<script").count(), page.matches('\u{202e}').count()), (1, 0));
    let escaped = "=cmd|&#39; /C calc&#39;!A0&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}";
    assert!(page.matches(escaped).count() > 5, "{page}");
    assert!(table.matches("\"'=cmd|").count() > 3 && !table.contains("\"=cmd"), "{table}");
}

#[test]
fn a_thousand_people_on_five_clusters_fit_into_five_megabytes() {
    const CLUSTERS: usize = 5;
    let clusters: Vec<String> =
        (0..CLUSTERS).map(|n| format!("{{name: cluster-{n}, server: 'https://{n}.example.com'}}")).collect();
    let mut yaml = HEAD.replace(PROD, &clusters.join(", ")) + "groups:\n";
    for team in 0..40 {
        let _ = writeln!(
            yaml,
            "- {{name: team-{team:02}, grants: [{{clusterRole: view}}, {{clusterRole: edit, namespaces: [team-{team:02}, team-{team:02}-staging]}}]}}"
        );
    }
    yaml += "users:\n";
    for user in 0..1_000 {
        // What differs from cluster to cluster cannot be told in one row.
        let own: Vec<String> = (0..CLUSTERS)
            .map(|n| format!("{{clusterRole: admin, namespaces: [sandbox-{n}], clusters: [cluster-{n}]}}"))
            .collect();
        let _ = writeln!(
            yaml,
            "- {{name: somebody-{user:04}, fullName: Somebody No. {user}, email: somebody-{user:04}@example.com, labels: {{team: t{}}}, recipients: [age1u{user}], groups: [team-{:02}, team-{:02}], grants: [{}]}}",
            user % 7,
            user % 40,
            (user + 7) % 40,
            own.join(", ")
        );
    }
    let roster = parse(&yaml);
    let mut story = Story::of("");
    story.yaml = yaml.clone();
    // A quarter in which everybody was renewed five times.
    let renewals: Vec<(&str, String)> =
        ["2025-12-01", "2025-12-02", "2025-12-03", "2025-12-04", "2025-12-05"]
            .map(|day| (day, yaml.clone()))
            .into();
    let mut past = past(&renewals);
    let id = CredentialId::of_public_key(b"a key");
    for index in 0..renewals.len() {
        let of = |(user, cluster): (&UserName, &ClusterName)| IssuedCredential {
            user: user.clone(),
            cluster: cluster.clone(),
            credential: id.clone(),
            not_after: story.now,
        };
        let all =
            roster.clusters.keys().flat_map(|cluster| roster.users.keys().map(move |user| (user, cluster)));
        past.events.extend(all.map(|one| (LifeEvent::Renewed(of(one)), CommitIndex(index))));
    }
    let since = ReviewStart { asked: "v1".into(), commits: (1..renewals.len()).map(CommitIndex).collect() };
    let mut review = AccessReview::new(&roster, "0".repeat(40), past, Some(since), story.now);
    for name in roster.clusters.keys() {
        let unseen = certctl::plan::observed::UnseenCluster::default();
        let plan = certctl::plan::plan_offline(&roster, name, &story.repository, &unseen, story.now);
        let observed = certctl::plan::Observed::unseen(&story.repository, &unseen);
        review.add(name, KnownFrom::Records, Some(PlannedCluster { observed, changes: &(&plan).into() }));
    }
    let (page, table) = (page(&review), csv(&review));
    assert_eq!(page.matches("class=\"person\"").count(), 1_000);
    assert_eq!(page.matches("<th scope=\"row\">1,000 people</th><td>renewed on ").count(), 4 * CLUSTERS);
    assert_eq!(table.matches("\r\n").count(), 1 + 1_000 * CLUSTERS * 5);
    println!("page: {} bytes, table: {} bytes", page.len(), table.len());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
}
