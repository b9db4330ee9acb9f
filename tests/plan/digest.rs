//! The name of a plan: what changes it, and what must not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use certctl::model::{Authority, CaBundle, KeyType};
use certctl::plan::observed::SeenLedger;
use certctl::plan::{CredentialAction, Reason, Verb, digest};
use certctl::record::CredentialState;
use certctl::render::{Style, difference, words};
use expect_test::expect;

use crate::story::{BOB, Story, TEAM, subject};

const CAROL: &str = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";

/// The digests of an edit that was reviewed today, and of the same edit when everyone was renewed in
/// between, days later.
#[track_caller]
fn survives_a_renewal(mut story: Story, edit: impl Fn(&mut Story)) {
    let mut reviewed = story.clone();
    edit(&mut reviewed);
    story.wait("25d");
    let mut due = story.clone();
    edit(&mut due);
    assert_eq!(due.digest(), reviewed.digest(), "renewals are due");
    story.apply();
    edit(&mut story);
    assert_eq!(story.digest(), reviewed.digest(), "renewals were made, and old credentials are still bound");
    story.wait("10d");
    assert!(!story.plan().cleanups.is_empty(), "the old ones have expired");
    assert_eq!(story.digest(), reviewed.digest(), "left-overs are to be cleaned up");
}

#[test]
fn someone_joins_leaves_or_is_rotated_whatever_the_clock_does_meanwhile() {
    survives_a_renewal(Story::applied(TEAM), |story| story.yaml += CAROL);
    survives_a_renewal(Story::applied(TEAM), |story| {
        story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    });
    survives_a_renewal(Story::applied(TEAM), |story| {
        story.edit("[age1alice]", "[age1alice], generation: 2");
    });
    survives_a_renewal(Story::applied(TEAM), |story| {
        story.edit("age1alice", "age1mallory");
    });
    survives_a_renewal(Story::applied(TEAM), |story| {
        story.edit("clusterRole: edit", "clusterRole: view");
    });
}

#[test]
fn renewals_that_split_a_binding_change_no_rights() {
    let members: String =
        (0..300).map(|i| format!("- {{name: u{i}, recipients: [age1x], groups: [developers]}}\n")).collect();
    let team = TEAM.split_once("- {name: alice").expect("members").0.to_owned() + &members;
    survives_a_renewal(Story::applied(&team), |story| story.yaml += CAROL);
}

#[test]
fn everything_that_the_roster_drives_has_another_name() {
    let base = Story::applied(TEAM);
    let edits: [(&str, &str); 9] = [
        ("", ""),
        ("- {name: bob, recipients: [age1bob], groups: [developers]}\n", ""),
        ("age1alice", "age1mallory"),
        ("age1alice", "age1eve"),
        ("[age1alice]", "[age1alice, age1mallory]"),
        ("[age1alice]", "[age1alice], generation: 2"),
        ("[age1alice]", "[age1alice], generation: 3"),
        ("{clusterRole: view}", "{clusterRole: cluster-admin}"),
        ("namespaces: [shop]", "namespaces: [staging]"),
    ];
    let mut digests: Vec<String> = edits
        .iter()
        .map(|(from, to)| {
            let mut story = base.clone();
            if from != to {
                story.edit(from, to);
            }
            story.digest()
        })
        .collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), edits.len());
}

#[test]
fn a_grant_to_someone_whom_the_clock_renews_is_no_secret() {
    for days in ["25d", "90d"] {
        let mut story = Story::applied(TEAM);
        story.wait(days);
        let renewed = story.digest();
        story.edit("{clusterRole: view}", "{clusterRole: view}\n  - {clusterRole: cluster-admin}");
        assert_ne!(story.digest(), renewed, "after {days}");
    }
}

/// Whoever has nothing any more gets something again by the clock alone. What else they would get is not
/// the clock's doing.
#[test]
fn what_is_edited_of_someone_whose_last_one_expired_is_no_renewal() {
    let team = TEAM.replace("users:", "- {name: ops, inCertificate: true}\nusers:");
    let mut expired = Story::applied(&team);
    let nothing_to_do = expired.digest();
    expired.wait("40d");
    assert_eq!(expired.digest(), nothing_to_do, "everyone's has expired");
    for (from, to, why) in [
        ("age1alice", "age1mallory", "RECIPIENT CHANGED: 1 removed, 1 added"),
        ("[age1alice]", "[age1alice, age1mallory]", "RECIPIENT CHANGED: a recipient was added"),
        ("[age1alice]", "[age1alice], key: ecdsa-p384", "key changed from ecdsa-p256 to ecdsa-p384"),
        ("[age1alice], groups: [", "[age1alice], groups: [ops, ", "the groups in its certificate changed"),
    ] {
        let mut edited = expired.clone();
        edited.edit(from, to);
        assert_ne!(edited.digest(), nothing_to_do, "{why}");
        let plan = edited.plan();
        let alice = plan.people.iter().find(|action| action.user().as_str() == "alice").expect("alice");
        assert_eq!((alice.verb(), words::why(alice).as_str()), (Verb::Renew, why));
    }
}

/// A membership that was to end is the clock's doing, also where the certificate ended with it.
#[test]
fn a_group_that_left_the_certificate_in_time_is_a_renewal() {
    let team = TEAM.replace("users:", "- {name: ops, inCertificate: true}\nusers:");
    let team =
        team.replace("[age1alice], groups: [", "[age1alice], groups: [{name: ops, until: 2026-01-15}, ");
    let mut story = Story::applied(&team);
    let nothing_to_do = story.digest();
    story.wait("20d");
    assert!(story.plan().people.iter().any(|action| action.user().as_str() == "alice"));
    assert_eq!(story.digest(), nothing_to_do);
}

#[test]
fn what_others_put_into_a_binding_is_no_part_of_it() {
    let mut story = Story::applied(TEAM);
    let clean = story.digest();
    story.binding("certctl:developers:view").subjects.push(subject("User", "mallory"));
    assert!(!story.plan().is_empty());
    assert_eq!(story.digest(), clean);
    // Somebody who is in it rightly, with a certificate that nobody was issued.
    story.binding("certctl:developers:view").subjects.push(subject("Group", "certctl:bob:0123456789abcdef"));
    assert_eq!(story.digest(), clean);
    // One that was issued, and that no record tells of any more, is the doing of whoever took the record away.
    story.repository.records.clear();
    assert_ne!(story.digest(), clean);
}

#[test]
fn what_a_digest_is_over_can_be_read_and_checked() {
    let mut story = Story::applied(TEAM);
    story.yaml += CAROL;
    let digested = digest::digested(&story.whole());
    assert_eq!(digest::digest_of(&digested), story.digest());
    let text = serde_json::to_string(&digested).expect("JSON");
    let read: digest::Digested = serde_json::from_str(&text).expect("the same");
    assert_eq!(digest::digest_of(&read), story.digest());
    assert!(text.contains(r#"{"user":"carol","action":"issue","reason":"new","#), "{text}");
    assert!(digest::same(&story.digest(), story.digest().trim_start_matches("sha256:")));
}

/// Every reason with data. The compiler asks for a new one here.
fn reasons() -> Vec<Reason> {
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut reasons = vec![Reason::New];
    // Each leads to the next, so that none is left out.
    while let Some(next) = match reasons.last().expect("one") {
        Reason::New => Some(Reason::AfterRevocation),
        Reason::AfterRevocation => Some(Reason::Expired { at }),
        Reason::Expired { .. } => Some(Reason::RenewalDue { at }),
        Reason::RenewalDue { .. } => Some(Reason::GenerationRaised { from: 1, to: 2 }),
        Reason::GenerationRaised { .. } => Some(Reason::RecipientsRemoved { removed: 1, added: 2 }),
        Reason::RecipientsRemoved { .. } => Some(Reason::RecipientsAdded { added: 1 }),
        Reason::RecipientsAdded { .. } => {
            Some(Reason::KeyChanged { from: None, to: Some(KeyType::EcdsaP384) })
        }
        Reason::KeyChanged { .. } => Some(Reason::CsrChanged),
        Reason::CsrChanged => Some(Reason::InCertificateGroupsChanged),
        Reason::InCertificateGroupsChanged => Some(Reason::ServerChanged),
        Reason::ServerChanged => Some(Reason::CertificateAuthorityChanged),
        Reason::CertificateAuthorityChanged => Some(Reason::RouteChanged),
        Reason::RouteChanged => Some(Reason::NamespaceChanged),
        Reason::NamespaceChanged => Some(Reason::ClientAuthorityReplaced),
        Reason::ClientAuthorityReplaced => Some(Reason::RemovedFromRoster),
        Reason::RemovedFromRoster => Some(Reason::RemovedFromCluster),
        Reason::RemovedFromCluster => Some(Reason::KeptOut),
        Reason::KeptOut => Some(Reason::Suspended),
        Reason::Suspended => Some(Reason::AccessEnded { at, edited: true }),
        Reason::AccessEnded { .. } => Some(Reason::SuccessorCutOff),
        Reason::SuccessorCutOff => None,
    } {
        reasons.push(next);
    }
    reasons
}

/// What was approved must not be refused because a sentence was worded better since: write every reason in other
/// words, and these digests stay. One that changes here refuses the plans that were approved before.
#[test]
fn rewording_a_reason_leaves_its_digest_as_it_is() {
    let mut story = Story::applied(TEAM);
    let mut plan = story.edit(BOB, "").whole();
    let mut digests = String::new();
    for reason in reasons() {
        let CredentialAction::Revoke { reason: of_bob, .. } = &mut plan.clusters[0].people[0] else {
            panic!("bob is to be revoked")
        };
        *of_bob = reason.clone();
        let digested = digest::digested(&plan);
        let text = serde_json::to_string(&digested).expect("JSON");
        let words = words::reason(&reason);
        assert!(words == reason.code() || !text.contains(&words), "`{words}` is in {text}");
        let shown = digest::digest_of(&digested);
        writeln!(digests, "{} {}", reason.code(), &shown[..23]).expect("a string");
    }
    expect![[r#"
        new sha256:c5a612128168595d
        after-revocation sha256:8a2d1905bc281326
        expired sha256:dee0fba63dea6ced
        renewal-due sha256:dee0fba63dea6ced
        generation-raised sha256:04bcc2a6a6b84a0f
        recipients-removed sha256:8ef19cbba77fb1b4
        recipients-added sha256:e686c05240feeab3
        key-changed sha256:4869750268da9c6b
        csr-changed sha256:86b14d8b918121cf
        in-certificate-groups-changed sha256:d1cadfedfc93be2e
        server-changed sha256:da95a241b89f35d8
        certificate-authority-changed sha256:5f488e9f6d1dde99
        route-changed sha256:24406c268881f625
        namespace-changed sha256:ab7e7c062e40c205
        client-authority-replaced sha256:dee0fba63dea6ced
        removed-from-roster sha256:bce6182a7e597826
        removed-from-cluster sha256:476adbc1ceb46791
        kept-out sha256:b35c2925f381fdb4
        suspended sha256:e5cb45d06445db7f
        access-ended sha256:690a22b18750d7a9
        successor-cut-off sha256:247a1bd9bbc226f3
    "#]]
    .assert_eq(&digests);
}

/// The edits of someone who joins, by the field that the difference names.
#[test]
fn what_a_new_certificate_holds_is_part_of_it_field_by_field() {
    let team = TEAM.replace(
        "users:",
        "- {name: ops, inCertificate: true, grants: [{clusterRole: view}]}\n\
         - {name: audit, inCertificate: true, grants: [{clusterRole: view}]}\nusers:",
    );
    let mut reviewed = Story::applied(&team);
    reviewed.yaml += "- {name: carol, csr: carol.csr, recipients: [age1carol], validity: 20d, \
                      until: 2036-01-01, groups: [ops]}\n";
    reviewed.brings("carol", b"carol's", "request");
    for (field, edit) in [
        ("has in its certificate the groups audit, ops", ("groups: [ops]", "groups: [audit, ops]")),
        ("has a key of ecdsa-p384", ("csr: carol.csr", "key: ecdsa-p384")),
        ("is valid, in seconds, for 1814400", ("validity: 20d", "validity: 21d")),
        ("ends at the roster's until, 2036-01-03", ("until: 2036-01-01", "until: 2036-01-02")),
        ("is sealed to the recipients", ("age1carol", "age1mallory")),
        ("has a key of csr another request", ("csr: carol.csr", "csr: carol.csr")),
    ] {
        let mut edited = reviewed.clone();
        edited.edit(edit.0, edit.1);
        if field.contains("another request") {
            edited.brings("carol", b"mallory's", "another request");
        } else if !edited.yaml.contains("csr:") {
            edited.repository.brought_keys.clear();
        }
        assert_ne!(edited.digest(), reviewed.digest(), "{field}");
        let (before, after) = (digest::digested(&reviewed.whole()), digest::digested(&edited.whole()));
        let shown = difference::render(&before, &after, Style::default());
        assert!(shown.contains(&format!("+ prod: carol's new credential {field}")), "{field}:\n{shown}");
    }
}

/// The day comes nearer, and leaves less than the roster's validity; the decision is the same.
#[test]
fn an_until_that_comes_nearer_is_the_same_decision() {
    survives_a_renewal(Story::applied(TEAM), |story| {
        story.yaml += "- {name: carol, recipients: [age1carol], until: 2026-02-20, groups: [developers]}\n";
    });
}

#[test]
fn a_difference_names_the_term_that_changed() {
    let mut reviewed = Story::applied(TEAM);
    reviewed.yaml +=
        "- {name: carol, recipients: [age1carol], groups: [{name: developers, until: 2027-01-01}]}\n";
    type Edit<'e> = &'e dyn Fn(&mut Story);
    let edits: [(&str, Edit<'_>); 3] = [
        ("+ prod: kubeconfigs connect to https://elsewhere", &|story| {
            story.cluster.published.endpoint.server = "https://elsewhere".into();
        }),
        ("+ prod: certificates are signed by example.com/signer", &|story| {
            story.edit("{name: prod,", "{name: prod, signerName: example.com/signer,");
        }),
        ("+ prod: until, user carol in group developers: 2028-01-02T00:00:00Z", &|story| {
            story.edit("until: 2027-01-01", "until: 2028-01-01");
        }),
    ];
    for (line, edit) in edits {
        let mut edited = reviewed.clone();
        edit(&mut edited);
        let (before, after) = (digest::digested(&reviewed.whole()), digest::digested(&edited.whole()));
        let shown = difference::render(&before, &after, Style::default());
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
}

#[test]
fn it_tells_where_credentials_lead_who_signs_and_how_long_rights_last() {
    let body = "groups:\n- {name: team, grants: [{clusterRole: view}]}\nusers:\n\
                - {name: alice, recipients: [age1alice], groups: [team]}\n";
    let digest = |edit: &dyn Fn(&mut Story)| {
        let mut story = Story::of(body);
        edit(&mut story);
        story.digest()
    };
    let edits: [&dyn Fn(&mut Story); 7] = [
        &|_| {},
        &|story| story.cluster.published.endpoint.server = "https://elsewhere".into(),
        &|story| {
            let bundle = CaBundle::in_normal_form("another".into(), b"another");
            story.cluster.published.endpoint.authority = Authority::Bundle(bundle);
        },
        &|story| {
            story.edit("{name: prod,", "{name: prod, signerName: example.com/signer,");
        },
        &|story| {
            story.edit("groups: [team]", "groups: [{name: team, until: 2027-01-01}]");
        },
        &|story| {
            story.edit("groups: [team]", "groups: [{name: team, until: 2028-01-01}]");
        },
        &|story| {
            story.edit("{clusterRole: view}", "{clusterRole: view, until: 2027-01-01}");
        },
    ];
    let digests: BTreeSet<String> = edits.iter().map(|edit| digest(edit)).collect();
    assert_eq!(digests.len(), edits.len());
    // What the machine's clock says is no part of it.
    let later = digest(&|story| {
        story.wait("1h");
    });
    assert_eq!(later, digest(&|_| {}));
}

/// Somebody edits a record so that a certificate is let in again that was cut off: the cluster remembers it. Where it has
/// forgotten, what is not bound counts as made up.
#[test]
fn a_certificate_that_a_record_lets_in_again_is_refused() {
    let mut story = Story::applied(TEAM);
    let leaked = story.bound("alice");
    story.edit("[age1alice]", "[age1alice], generation: 2").apply();
    let mut forgotten = story.clone();
    forgotten.cluster.ledger = SeenLedger::Missing;
    let revive = |story: &mut Story| {
        story.credentials("alice").iter_mut().for_each(|it| it.state = CredentialState::Active);
    };
    revive(&mut story);
    assert!(story.text().contains("[revoked-in-cluster]"), "{}", story.text());
    story.apply();
    assert!(story.bound("alice").is_disjoint(&leaked));

    revive(&mut forgotten);
    assert!(forgotten.text().contains("[not-issued-by-us]"), "{}", forgotten.text());
    forgotten.apply();
    assert!(forgotten.bound("alice").is_disjoint(&leaked));
}

/// What two branches were reviewed for, each by itself, and what of their sum nobody has seen.
mod reviewed {
    use certctl::plan::digest::{self, Digested};
    use certctl::plan::reviewed::Unreviewed;
    use certctl::render::{Style, difference};

    use super::CAROL;
    use crate::story::{Story, TEAM};

    const DANA: &str = "- {name: dana, recipients: [age1dana], groups: [developers]}\n";
    const BOB: &str = "- {name: bob, recipients: [age1bob], groups: [developers]}\n";

    fn decides(edit: impl Fn(&mut Story)) -> Digested {
        let mut story = Story::applied(TEAM);
        edit(&mut story);
        digest::digested(&story.whole())
    }

    /// What is said of a plan, where these were reviewed.
    fn unseen(now: &Digested, reviewed: &[Digested]) -> String {
        Unreviewed::find(now, reviewed).map_or(String::new(), |Unreviewed { gone, new }| {
            let lines = difference::render(&gone, &new, Style::default());
            assert!(!lines.is_empty(), "refused without a reason");
            lines
        })
    }

    #[test]
    fn the_sum_of_what_was_reviewed_is_reviewed_in_whatever_order() {
        let carol = decides(|story| story.yaml += CAROL);
        let dana = decides(|story| story.yaml += DANA);
        let bob = decides(|story| {
            story.edit(BOB, "");
        });
        let sum = decides(|story| {
            story.edit(BOB, "");
            story.yaml += &format!("{CAROL}{DANA}");
        });
        assert_eq!(unseen(&sum, &[carol.clone(), dana.clone(), bob.clone()]), "");
        assert_eq!(unseen(&sum, &[bob.clone(), carol.clone(), dana]), "");
        assert_eq!(unseen(&carol, &[sum]), "", "less than was reviewed");
        assert_eq!(unseen(&decides(|_| ()), &[]), "", "nothing that the roster drives");
        assert_ne!(unseen(&carol, &[]), "");
        assert_ne!(unseen(&carol, &[bob]), "");
    }

    #[test]
    fn each_decision_that_no_review_showed_is_named() {
        let carol = || decides(|story| story.yaml += CAROL);
        for (from, to, said) in [
            (BOB, "", "+ prod: revoke bob"),
            ("[age1carol]", "[age1mallory]", "+ prod: carol's new credential is sealed"),
            (
                "{clusterRole: view}",
                "{clusterRole: admin}",
                "alice joins ClusterRoleBinding certctl:developers:admin",
            ),
            ("{name: carol, ", "{name: carol, until: 2030-01-01, ", "+ prod: until, user carol"),
        ] {
            let edited = decides(|story| {
                story.yaml += CAROL;
                story.edit(from, to);
            });
            let lines = unseen(&edited, &[carol()]);
            assert!(lines.contains(said), "`{said}` is not in:\n{lines}");
        }
    }

    #[test]
    fn an_until_that_every_review_showed_must_still_be_there() {
        let limited = "groups: [{name: developers, until: 2030-01-01}]}";
        let limit = |story: &mut Story| {
            story.yaml += CAROL;
            story.edit("groups: [developers]}\n- {name: bob", &format!("{limited}\n- {{name: bob"));
        };
        let reviewed = decides(limit);
        let lines = unseen(&decides(|story| story.yaml += CAROL), &[reviewed]);
        assert!(lines.contains("- prod: until, user alice in group developers"), "{lines}");
    }

    #[test]
    fn a_proxy_that_every_review_showed_must_still_be_there() {
        let now = decides(|story| story.yaml += CAROL);
        let mut reviewed = now.clone();
        let terms = reviewed.clusters[0].terms.as_mut().expect("terms");
        terms.proxy_url = Some("http://proxy.example".into());
        let lines = unseen(&now, &[reviewed.clone()]);
        assert!(lines.contains("http://proxy.example"), "{lines}");
        assert_eq!(unseen(&now, &[reviewed, now.clone()]), "");
    }

    #[test]
    fn another_cluster_of_that_name_or_another_roster_was_not_reviewed() {
        let now = decides(|story| story.yaml += CAROL);
        let mut elsewhere = now.clone();
        elsewhere.clusters[0].uid = "another".into();
        assert_ne!(unseen(&now, &[elsewhere]), "");
        let other = Digested { roster: "other".into(), ..now.clone() };
        assert_ne!(unseen(&now, &[other]), "");
    }
}
