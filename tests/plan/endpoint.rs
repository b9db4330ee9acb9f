//! Where kubeconfigs lead: one source, whoever applies, and from wherever.

use std::collections::BTreeSet;

use certctl::model::{Authority, CaBundle};
use certctl::plan::endpoint::{ContextEndpoint, Endpoint, NamedEndpoint, published};
use certctl::plan::observed::{Clocks, UnknownCertificates};
use certctl::plan::{Held, Reason, Verb};

use jiff::SignedDuration;

use crate::story::{Story, TEAM};
use crate::world::{Course, End, There};

const PUBLIC: &str = "https://prod.example.com:6443";

fn bundle(name: &str) -> CaBundle {
    CaBundle::in_normal_form(format!("{name} in PEM"), format!("{name} with a comment").as_bytes())
}

/// What somebody's kubeconfig says.
fn context(server: &str, authority: &str) -> ContextEndpoint {
    let authority = Authority::Bundle(bundle(authority));
    let endpoint = Endpoint { server: server.into(), authority };
    let verified = server.starts_with("https://");
    ContextEndpoint { context: "mine".into(), endpoint, verified }
}

/// Somebody applies, or would, with this kubeconfig.
fn from(story: &mut Story, named: &NamedEndpoint, context: &ContextEndpoint) {
    let pinned = story.repository.pinned_endpoint.clone();
    story.cluster.published = published(named, pinned.as_ref(), context);
}

#[test]
fn a_context_that_is_spelled_otherwise_reissues_nobody() {
    let mut story = Story::of(TEAM);
    from(&mut story, &NamedEndpoint::default(), &context(PUBLIC, "ca"));
    story.apply();
    assert_eq!(story.repository.pinned_endpoint.as_ref().expect("pinned").server, PUBLIC);
    for spelling in ["https://localhost:6443", "https://10.0.0.1:6443", "http://127.0.0.1:8001"] {
        from(&mut story, &NamedEndpoint::default(), &context(spelling, "ca"));
        let plan = story.plan();
        assert!(plan.is_empty() && plan.pin.is_none() && plan.held.is_empty(), "{}", story.text());
        assert!(story.text().contains(&format!("context `mine` leads to {spelling}")), "{}", story.text());
    }
    from(&mut story, &NamedEndpoint::default(), &context(PUBLIC, "another"));
    assert!(
        story.plan().is_empty() && story.text().contains("context `mine` has another CA"),
        "{}",
        story.text()
    );
    // What the roster says is no concern of the context's.
    let named = NamedEndpoint { server: Some(PUBLIC.into()), authority: Some(bundle("ca")) };
    from(&mut story, &named, &context("https://localhost:6443", "another"));
    assert!(!story.text().contains("`mine`"), "{}", story.text());
}

#[test]
fn the_roster_moves_the_pin_with_it() {
    let mut story = Story::of(TEAM);
    let named = NamedEndpoint { server: Some(PUBLIC.into()), authority: None };
    from(&mut story, &named, &context("https://10.0.0.1:6443", "ca"));
    story.apply();
    let moved = NamedEndpoint { server: Some("https://new.example.com".into()), authority: None };
    from(&mut story, &moved, &context("https://10.0.0.1:6443", "ca"));
    assert_eq!(story.plan().people.len(), 2, "{}", story.text());
    story.apply();
    // The roster leaves it to the pin: it stays where it was last.
    from(&mut story, &NamedEndpoint::default(), &context("https://10.0.0.1:6443", "ca"));
    assert!(story.plan().is_empty(), "{}", story.text());
    assert_eq!(story.cluster.published.endpoint.server, "https://new.example.com");
}

#[test]
fn another_route_or_namespace_is_a_new_kubeconfig_and_cuts_nobody_off() {
    let mut story = Story::of(TEAM);
    story.apply();
    let reasons = |story: &Story| -> BTreeSet<(Verb, Reason)> {
        story.plan().people.iter().map(|action| (action.verb(), action.reason().clone())).collect()
    };
    story.edit("{name: prod,", "{name: prod, proxyURL: 'http://proxy:3128', tlsServerName: kubernetes,");
    assert_eq!(reasons(&story), BTreeSet::from([(Verb::Renew, Reason::RouteChanged)]), "{}", story.text());
    let digest = story.digest();
    story.edit("http://proxy:3128", "http://evil:3128");
    assert_ne!(story.digest(), digest, "another proxy is another plan");
    story.edit("http://evil:3128", "http://proxy:3128");
    story.apply();
    assert!(story.plan().is_empty(), "{}", story.text());
    let proxy = story.credentials("alice")[1].route.proxy.clone();
    assert_eq!(proxy.map(|proxy| proxy.to_string()).as_deref(), Some("http://proxy:3128"));

    story.edit("- name: developers\n", "- name: developers\n  namespace: shop\n");
    story.edit("{name: bob,", "{name: bob, namespace: staging,");
    assert_eq!(
        reasons(&story),
        BTreeSet::from([(Verb::Renew, Reason::NamespaceChanged)]),
        "{}",
        story.text()
    );
    story.apply();
    assert!(story.plan().is_empty(), "{}", story.text());
    for (user, namespace) in [("alice", "shop"), ("bob", "staging")] {
        let found = story.credentials(user).last().and_then(|credential| credential.namespace.clone());
        assert_eq!(found.map(|namespace| namespace.to_string()).as_deref(), Some(namespace));
    }
    // What the context is called, the next login takes from the roster.
    story.edit("tlsServerName: kubernetes", "tlsServerName: kubernetes, contextName: acme-prod");
    assert!(story.plan().is_empty(), "{}", story.text());
}

#[test]
fn a_pin_of_before_is_filled_in_and_reissues_nobody() {
    let mut story = Story::of(TEAM);
    from(&mut story, &NamedEndpoint::default(), &context(PUBLIC, "ca"));
    story.apply();
    // An earlier version pinned the UID alone, and noted the bundle as it was written.
    story.repository.pinned_endpoint = None;
    let written = certctl::model::hex(&certctl::model::sha256(b"ca with a comment"));
    for user in ["alice", "bob"] {
        story.credentials(user)[0].certificate_authority_sha256 = Some(written.clone());
    }
    from(&mut story, &NamedEndpoint::default(), &context(PUBLIC, "ca"));
    assert!(story.plan().is_empty() && story.plan().pin.is_some(), "{}", story.text());
    story.apply();
    assert!(story.plan().pin.is_none() && story.plan().is_empty(), "{}", story.text());
}

#[test]
fn what_is_of_no_use_to_others_is_published_by_nobody() {
    for (server, code) in [
        ("http://127.0.0.1:8001", "does not begin with https://"),
        ("https://localhost:6443", "their own machine"),
        ("https://[::1]:6443", "their own machine"),
    ] {
        let mut story = Story::of(TEAM);
        from(&mut story, &NamedEndpoint::default(), &context(PUBLIC, "ca"));
        story.apply();
        // bob leaves, alice rotates and carol joins.
        story.edit(
            "- {name: bob, recipients: [age1bob], groups: [developers]}\n",
            "- {name: carol, recipients: [age1carol], groups: [developers]}\n",
        );
        story.edit("name: alice,", "name: alice, generation: 2,");
        story.repository.pinned_endpoint = None;
        let before = story.bound("alice");
        from(&mut story, &NamedEndpoint::default(), &context(server, "ca"));
        let text = story.text();
        assert!(matches!(story.plan().held[..], [Held::Unpublishable { .. }]), "{text}");
        assert!(text.contains(code) && text.contains("add the address that users connect to"), "{text}");
        story.apply();
        assert!(story.bound("bob").is_empty(), "{text}");
        assert_eq!(story.bound("alice"), before, "nobody loses what cannot be replaced");
        assert!(story.record("carol").is_empty() && story.repository.pinned_endpoint.is_none());
        // The roster may name even that, where it is meant.
        let named = NamedEndpoint { server: Some(server.into()), authority: None };
        from(&mut story, &named, &context(server, "ca"));
        assert_eq!(story.plan().held.is_empty(), server.starts_with("https://"), "{}", story.text());
    }
}

#[test]
fn what_was_tried_in_vain_is_neither_recorded_nor_bound_and_holds_up_no_cut_off() {
    let mut story = Story::applied(TEAM);
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    let new = |name: &str| format!("- {{name: {name}, recipients: [age1{name}], groups: [developers]}}\n");
    for name in ["carol", "dan", "erin"] {
        story.yaml += &new(name);
    }
    story.there = There::Useless;
    let (plan, signed) = (story.plan(), story.signed.len());
    assert_eq!(story.apply_to(&plan, &Course::default()), End::Failed);
    assert_eq!(story.signed.len(), signed + 1, "the first one is tried alone");
    assert!(story.bound("bob").is_empty() && story.record("carol").is_empty());
    story.there = There::Works;
    story.apply();
    assert_eq!(["carol", "dan", "erin"].map(|name| story.bound(name).len()), [1, 1, 1]);
}

/// A private address, from CI.
#[test]
fn what_cannot_be_reached_from_here_is_warned_about_once_and_handed_out() {
    let mut story = Story::applied(TEAM);
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    for name in ["carol", "dan", "erin"] {
        story.yaml += &format!("- {{name: {name}, recipients: [age1{name}], groups: [developers]}}\n");
    }
    story.there = There::NoAnswer;
    let plan = story.plan();
    assert_eq!(story.apply_to(&plan, &Course::default()), End::Done);
    assert_eq!(story.warned, ["no answer from there"], "the first one is tried, and no other");
    assert!(story.bound("bob").is_empty());
    assert_eq!(["carol", "dan", "erin"].map(|name| story.bound(name).len()), [1, 1, 1]);
    assert!(story.plan().is_empty(), "{}", story.text());
}

#[test]
fn a_signer_that_gives_an_hour_is_named_once_and_what_it_gives_is_handed_out() {
    let mut story = Story::of(TEAM);
    story.longest = SignedDuration::from_hours(1);
    let plan = story.plan();
    assert_eq!(story.apply_to(&plan, &Course::default()), End::Done);
    assert_eq!(story.warned.len(), 1, "{:?}", story.warned);
    assert!(story.warned[0].contains("the signer gives certificates of 1.0 hours"), "{:?}", story.warned);
    assert_eq!(["alice", "bob"].map(|name| story.bound(name).len()), [1, 1]);
    assert!(story.plan().is_empty(), "{}", story.text());
}

#[test]
fn clocks_that_are_apart_are_named_and_further_apart_nothing_is_issued() {
    let mut story = Story::applied(TEAM);
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    story.yaml += "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    let ours = story.now;
    let apart = |story: &mut Story, minutes: i64| {
        story.cluster.clock = Some(Clocks { server: ours - SignedDuration::from_mins(minutes), ours });
        story.text()
    };
    assert!(!apart(&mut story, 2).contains("apart"));
    assert!(
        apart(&mut story, 10)
            .contains("2025-12-31T23:50:00Z, and this machine's 2026-01-01T00:00:00Z: 10 minutes apart")
    );
    assert!(story.plan().held.is_empty());
    let text = apart(&mut story, 20);
    assert!(matches!(story.plan().held[..], [Held::ClocksApart { .. }]), "{text}");
    story.apply();
    assert!(story.bound("bob").is_empty() && story.record("carol").is_empty(), "{text}");
    apart(&mut story, 0);
    story.apply();
    assert_eq!(story.bound("carol").len(), 1);
}

#[test]
fn a_certificate_that_no_client_ca_knows_is_renewed() {
    let mut story = Story::applied(TEAM);
    let dead = story.record("alice")[0].x509_sha256.clone();
    story.cluster.unknown = UnknownCertificates::Known([dead].into());
    let text = story.text();
    assert!(
        text.contains("~ renew   alice") && text.contains("the cluster's client CA was replaced"),
        "{text}"
    );
    assert_eq!(story.plan().people.len(), 1, "{text}");
    story.cluster.unknown = UnknownCertificates::Unasked { why: "HTTP 403".into() };
    assert!(story.plan().is_empty());
}

/// People trust `access/` where the roster names no server; it is said when a kubeconfig is handed out.
#[test]
fn a_server_that_the_roster_does_not_name_is_told_when_somebody_gets_a_kubeconfig() {
    let codes =
        |story: &Story| story.whole().clusters[0].warnings.iter().map(|w| w.code()).collect::<Vec<_>>();
    let mut story = Story::of(TEAM);
    assert_eq!(codes(&story), [""; 0]);
    story.edit(", server: 'https://prod.example.com:6443'", "");
    assert_eq!(codes(&story), ["server-not-named"]);
    let mut offline = story.clone();
    assert_eq!(codes(offline.offline()), ["server-not-named"]);
    story.apply();
    assert_eq!(codes(&story), [""; 0], "nobody gets one");
    story.wait("25d");
    assert_eq!(codes(&story), ["server-not-named"], "renewed");
}
