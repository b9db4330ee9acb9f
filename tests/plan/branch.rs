//! What a branch changes, and what can be said without a cluster.

use certctl::model::Recipient;
use certctl::plan::observed::SeenLedger;
use certctl::plan::{Base, Plan, Side, Summary, Verb, branch_diff, roster_changes};
use certctl::record::CredentialState;
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};
use certctl::render::{Style, text, words};
use certctl::roster::Roster;
use expect_test::{Expect, expect};

use crate::story::{BOB, HEAD, PROD, Story, TEAM, ours, request, subject};

const CAROL: &str = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";

/// The plan of `head` against `base`: two rosters, and records and cluster as each story has them.
fn against(base: &Story, head: &Story) -> Plan {
    let (old, new) = (base.roster(), head.roster());
    let base = Side { roster: &old, observed: base.observed() };
    let head_side = Side { roster: &new, observed: head.observed() };
    let diff = branch_diff::between(&"prod".parse().expect("a name"), head_side, base, head.now);
    Plan {
        clusters: vec![(&diff).into()],
        base: Some(Base {
            revision: "origin/main".into(),
            commit: "3f2a91bc4d5e6f70".into(),
            pending: diff.pending,
            roster_changes: roster_changes::between(&old, &new),
            approvals: Vec::new(),
            notes: Vec::new(),
        }),
        ..head.whole()
    }
}

/// Another roster over the same records and cluster.
fn branch(base: &Story, edit: impl FnOnce(&mut Story)) -> Plan {
    let mut head = base.clone();
    edit(&mut head);
    against(base, &head)
}

fn reads(plan: &Plan, expected: Expect) {
    expected.assert_eq(&text::render(plan, "sha256:0", Style::default()));
}

/// Renewals are due, somebody changed a binding, a request is left over, and nobody applied yet.
fn busy() -> Story {
    let mut story = Story::applied(TEAM);
    story.wait("25d");
    story.binding("certctl:developers:view").subjects.push(subject("User", "mallory"));
    let mut left_over = request("certctl-acme-0", "alice", &[]);
    left_over.labels = ours();
    left_over.requester = "certctl".into();
    story.cluster.identity = Some("certctl".into());
    story.cluster.state.requests.push(left_over);
    story
}

#[test]
fn a_branch_that_changes_nothing() {
    reads(
        &branch(&busy(), |_| {}),
        expect![[r#"
            Cluster prod
              no changes

            This branch changes nothing on the clusters.
            Only what this branch changes since it left origin/main at 3f2a91bc4d.
            Pending there already: 2 to renew, 2 bindings to write, 1 left-over to clean up.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn only_what_the_branch_changes_is_shown() {
    let plan = branch(&busy(), |head| head.yaml += CAROL);
    reads(
        &plan,
        expect![[r#"
            Cluster prod
              People
                + issue   carol  until 2026-02-25 00:00Z (30d)  new on the roster
              Access
                carol  + edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          + Group certctl:carol:(to be issued)  once it is issued and recorded
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          + Group certctl:carol:(to be issued)  once it is issued and recorded

            Plan: 1 to issue, 2 bindings to write.
            Only what this branch changes since it left origin/main at 3f2a91bc4d.
            Pending there already: 2 to renew, 2 bindings to write, 1 left-over to clean up.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn somebody_who_waits_for_the_next_apply_is_taken_off_again() {
    let mut base = Story::applied(TEAM);
    base.yaml += CAROL;
    let plan = branch(&base, |head| {
        head.edit(CAROL, "").edit(BOB, "");
    });
    reads(
        &plan,
        expect![[r#"
            Cluster prod
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d keeps only what system:authenticated may do
              Access
                bob, carol  - edit in shop; view everywhere  through developers
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                          - Group certctl:carol:(to be issued)  no longer granted
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:bob:cd04a4754498e06d  no longer on the roster
                          - Group certctl:carol:(to be issued)  no longer granted
              Not planned any more
                - issue carol (new on the roster)

            Plan: 1 to revoke, 2 bindings to write, 1 not planned any more.
            Only what this branch changes since it left origin/main at 3f2a91bc4d.
            Pending there already: 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
}

#[test]
fn a_waiting_persons_recipient_cannot_be_swapped_unseen() {
    let mut base = Story::applied(TEAM);
    base.yaml += CAROL;
    let plan = branch(&base, |head| {
        head.edit("age1carol", "age1mallory");
    });
    let action = &plan.clusters[0].people[0];
    assert_eq!((action.user().as_str(), action.verb()), ("carol", Verb::Issue));
    let sealed: Vec<&str> = action
        .new_credential()
        .into_iter()
        .flat_map(|new| &new.issuance.recipients)
        .map(|r| r.as_str())
        .collect();
    assert_eq!(sealed, ["age1mallory"]);
}

#[test]
fn who_is_rotated_needs_no_renewal() {
    let plan = branch(&busy(), |head| {
        head.edit("[age1alice]", "[age1alice], generation: 2");
    });
    let cluster = &plan.clusters[0];
    assert!(cluster.withdrawn.is_empty());
    let actions: Vec<_> =
        cluster.people.iter().map(|action| (action.user().as_str(), action.verb())).collect();
    assert_eq!(actions, [("alice", Verb::Rotate)]);
    assert_eq!(plan.base.expect("a base").pending.renew, 1, "bob's");
}

#[test]
fn what_is_granted_is_compared_without_a_cluster_too() {
    let mut base = Story::applied(TEAM);
    base.offline();
    let plan = branch(&base, |head| {
        head.edit("{clusterRole: view}", "{clusterRole: cluster-admin}");
        head.edit("- {name: bob,", "- {name: bob, until: 2026-03-01,");
    });
    reads(
        &plan,
        expect![[r#"
            Cluster prod
              Access
                alice, bob  + cluster-admin everywhere  through developers
                alice, bob  - view everywhere  through developers
              Bindings
                + bind    ClusterRoleBinding certctl:developers:cluster-admin  to ClusterRole cluster-admin
                          + Group certctl:alice:cd2662154e6d76b2  newly granted
                          + Group certctl:bob:cd04a4754498e06d    newly granted
                - unbind  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:alice:cd2662154e6d76b2  no longer granted
                          - Group certctl:bob:cd04a4754498e06d    no longer granted
              Not seen:
                what is bound there and by whom, whether it drifted, what earlier runs left over, and whether the roles and namespaces that the roster grants exist
                the server address, which neither roster nor records name
                the certificate authority, which neither roster nor records name

            ! FULL CONTROL of prod for alice, bob  (ClusterRole cluster-admin)
            Plan (offline): 2 bindings to write.
            Only what this branch changes since it left origin/main at 3f2a91bc4d.
            Also changed in the roster:
              user bob: until: no end -> 2026-03-02T00:00:00Z
        "#]],
    );
}

#[test]
fn records_that_only_the_branch_has_are_no_issuance() {
    let mut base = Story::applied(TEAM);
    base.yaml += CAROL;
    let mut head = base.clone();
    head.apply();
    let mut there = base.clone();
    there.cluster.state = head.cluster.state.clone();
    let plan = against(&there, &head);
    reads(
        &plan,
        expect![[r#"
            Cluster prod
              Bindings
                ~ update  ClusterRoleBinding certctl:developers:view  to ClusterRole view
                          - Group certctl:carol:(to be issued)    no longer to be issued
                          + Group certctl:carol:d5688a52d55a02ec  instead of the one that was to be issued
                ~ update  RoleBinding shop/certctl:developers:edit  to ClusterRole edit
                          - Group certctl:carol:(to be issued)    no longer to be issued
                          + Group certctl:carol:d5688a52d55a02ec  instead of the one that was to be issued
              Not planned any more
                - issue carol (new on the roster); this branch records d5688a52d55a02ec

            Plan: 2 bindings to write, 1 not planned any more.
            Only what this branch changes since it left origin/main at 3f2a91bc4d.
            Pending there already: 2 bindings to write.
            Digest: sha256:0
        "#]],
    );
}

/// The warnings of a branch that may hand somebody's access over.
fn asked(plan: &Plan) -> Vec<String> {
    let comment = markdown::render(plan, PlanStatus::default(), LONGEST_COMMENT);
    let asked = words::warnings(&plan.clusters[0].warnings).into_iter();
    let asked: Vec<String> = asked
        .filter(|(code, _)| code.ends_with("-edited") || *code == "revoked-in-cluster")
        .map(|(_, message)| message)
        .collect();
    let (dangers, _) = comment.split_once("> [!WARNING]").unwrap_or((&comment, ""));
    assert_eq!(dangers.matches("**Edited:**").count(), asked.len(), "{comment}");
    asked
}

const OTHER_RECIPIENTS: &str = "alice's recipients are edited: whoever holds the new key gets alice's access, now or \
                                with the next certificate; make sure that alice asked for it";

/// A record that is edited along with the roster, or is taken away, hides no edit of the roster.
#[test]
fn a_recipient_that_the_record_was_made_to_fit_is_asked_about() {
    let base = Story::applied(TEAM);
    let swapped = |head: &mut Story| {
        head.edit("age1alice", "age1mallory");
    };
    assert_eq!(asked(&branch(&base, swapped)), [""; 0], "the action says it");

    let id = base.record("alice")[0].id.to_string();
    let fitting = branch(&base, |head| {
        swapped(head);
        head.credentials("alice")[0].recipients = [Recipient::accepted_by_age("age1mallory".into())].into();
    });
    let edited = format!(
        "alice's credential {id} is recorded otherwise than before, and not as an apply would: the record was edited"
    );
    assert_eq!(asked(&fitting), [OTHER_RECIPIENTS, edited.as_str()]);

    let gone = branch(&base, |head| {
        swapped(head);
        head.credentials("alice").clear();
    });
    let edited = format!(
        "alice's credential {id} is gone from the record and has not expired: no apply forgets it by then"
    );
    assert_eq!(asked(&gone), [OTHER_RECIPIENTS, edited.as_str()]);
}

#[test]
fn a_recipient_is_asked_about_where_nothing_is_issued_too() {
    let mut base = Story::of(TEAM);
    base.edit("{name: alice, ", "{name: alice, until: 2025-12-31, ").apply();
    let plan = branch(&base, |head| {
        head.edit("age1alice", "age1mallory");
    });
    assert!(plan.clusters[0].people.is_empty());
    assert_eq!(asked(&plan), [OTHER_RECIPIENTS]);
}

#[test]
fn a_credential_that_a_record_brings_back_is_asked_about() {
    let mut base = Story::applied(TEAM);
    base.edit("[age1alice]", "[age1alice], generation: 2").apply();
    let leaked = base.record("alice")[0].clone();
    assert_eq!(leaked.state, CredentialState::Revoked);
    for state in [CredentialState::Superseded, CredentialState::Active] {
        let mut head = base.clone();
        head.credentials("alice")[0].state = state;
        head.credentials("alice")[0].generation = 2;
        let stays_out = format!(
            "the record of alice lets credential {} in, and the cluster remembers that it was revoked: \
             somebody put an older record back; it stays cut off",
            leaked.id
        );
        assert_eq!(asked(&against(&base, &head)), [stays_out.as_str()]);
        // A cluster that remembers nothing, or that nobody asks.
        let comes_back = format!(
            "alice's credential {} was revoked, and an edit of the record lets it in again: whoever holds it gets the access back",
            leaked.id
        );
        head.cluster.ledger = SeenLedger::Missing;
        let mut base = base.clone();
        base.cluster.ledger = SeenLedger::Missing;
        assert_eq!(asked(&against(&base, &head)), [comes_back.as_str()]);
    }
}

/// Issued, renewed, rotated, revoked, forgotten, protected: a branch that brings records asks nobody.
#[test]
fn what_an_apply_writes_is_not_asked_about() {
    let mut base = Story::of(TEAM);
    base.yaml += "- {name: erin, csr: erin.csr, recipients: [age1erin], groups: [developers]}\n";
    base.brings("erin", b"erin's", "request").apply().wait("25d");
    let mut head = base.clone();
    head.yaml += CAROL;
    head.edit("[age1bob]", "[age1bob], protected: true")
        .edit("[age1alice]", "[age1alice], generation: 2")
        .apply();
    assert_eq!(asked(&against(&base, &head)), [""; 0]);
    let mut later = head.clone();
    later.edit(CAROL, "").wait("10d").apply();
    head.now = later.now;
    assert_eq!(asked(&against(&head, &later)), [""; 0]);
}

/// Nobody new can use anything.
#[test]
fn an_edit_that_is_taken_back_is_not_asked_about() {
    let applied = Story::applied(TEAM);
    for (from, to) in [
        ("[age1alice]", "[age1mallory]"),
        ("[age1alice]", "[age1alice, age1mallory]"),
        ("[age1alice]", "[age1alice], generation: 2"),
    ] {
        let mut pending = applied.clone();
        pending.edit(from, to);
        let plan = branch(&pending, |head| {
            head.edit(to, from);
        });
        assert_eq!(asked(&plan), [""; 0], "{to} is taken back");
        let text = text::render(&plan, "sha256:0", Style::default());
        assert!(text.contains("(to be issued)") && text.contains("no longer to be issued"), "{text}");
    }
}

/// The same key, for one cluster more.
#[test]
fn a_brought_key_on_another_cluster_is_not_asked_about() {
    let mut base = Story::of(TEAM);
    base.edit("[{name: prod,", "[{name: dev}, {name: prod,");
    base.yaml += "- {name: erin, csr: erin.csr, clusters: [dev], recipients: [age1erin]}\n";
    let plan = branch(&base, |head| {
        head.edit("clusters: [dev]", "clusters: [dev, prod]").brings("erin", b"erin's", "request");
    });
    assert_eq!(asked(&plan), [""; 0]);
    let plan = branch(&base, |head| {
        head.edit("csr: erin.csr, clusters: [dev]", "csr: other.csr, clusters: [dev, prod]");
        head.brings("erin", b"mallory's", "request");
    });
    assert_eq!(asked(&plan).len(), 1);
}

#[test]
fn offline_nothing_is_claimed_of_what_was_not_looked_at() {
    let mut story = Story::applied(TEAM);
    story.offline();
    reads(
        &story.whole(),
        expect![[r#"
            Cluster prod
              no changes to credentials
              Not seen:
                what is bound there and by whom, whether it drifted, what earlier runs left over, and whether the roles and namespaces that the roster grants exist
                the server address, which neither roster nor records name
                the certificate authority, which neither roster nor records name
              The next renewal, alice's, falls due 2026-01-20 23:58Z, in 20d.

            Nobody's credential changes, by roster and records; the clusters were not looked at.
        "#]],
    );
    story.edit(BOB, "").edit("https://prod.example.com:6443", "https://elsewhere");
    story.unseen.as_mut().expect("it is offline").server = Some("https://elsewhere".into());
    reads(
        &story.whole(),
        expect![[r#"
            Cluster prod
              People
                - revoke  bob  until 2026-01-31 00:00Z (30d)  no longer on the roster; cd04a4754498e06d is cut off
              Renewals
                ~ renew   alice  until 2026-01-31 00:00Z (30d)  the cluster's server address changed; cd2662154e6d76b2 stays bound until it expires
              Not seen:
                what is bound there and by whom, whether it drifted, what earlier runs left over, and whether the roles and namespaces that the roster grants exist
                the certificate authority, which neither roster nor records name

            Plan (offline): 1 to renew, 1 to revoke.
        "#]],
    );
    assert!(story.digest().starts_with("offline:sha256:"), "{}", story.digest());
}

#[test]
fn what_the_audit_ignores_is_told_with_all_that_it_is_about() {
    let roster = |entry: &str| {
        let mut story = Story::of(TEAM);
        story.yaml +=
            &format!("audit: {{ignore: [{{code: foreign-full-control, subject: User joe, {entry}}}]}}\n");
        story.roster()
    };
    let whole = "object: ClusterRoleBinding root, clusters: [prod], reason: break glass, until: 2026-06-30";
    let told = |after: &str| -> Vec<String> {
        let changes = roster_changes::between(&roster(whole), &roster(after));
        changes.iter().map(words::roster_change).collect()
    };
    let gone = "the audit does not ignore any more foreign-full-control of User joe by ClusterRoleBinding root on prod";
    for (after, begins) in [
        (
            "clusters: [prod], reason: break glass, until: 2026-06-30",
            "foreign-full-control of User joe on prod",
        ),
        (
            "object: ClusterRoleBinding root, reason: break glass, until: 2026-06-30",
            "foreign-full-control of User joe by ClusterRoleBinding root",
        ),
        ("reason: break glass, until: 2026-06-30", "foreign-full-control of User joe"),
    ] {
        assert_eq!(told(after), [gone.to_owned(), format!("the audit ignores {begins}")]);
    }
    assert_eq!(told(whole), [""; 0]);
    assert_eq!(told(&whole.replace("break glass", "because")), [""; 0]);
}

#[test]
fn edits_without_an_action_are_told() {
    let told = |before: &Roster, after: &Roster| -> Vec<String> {
        roster_changes::between(before, after).iter().map(words::roster_change).collect()
    };
    let roster = |text: &str| Story::of(&text.replace(HEAD, "")).roster();
    let body = "safety: {maxRevocations: 25%}
groups:
- {name: sre, grants: [{clusterRole: view}, {clusterRole: edit, namespaces: [shop], until: 2026-06-01}]}
users:
- {name: alice, recipients: [age1alice], groups: [{name: sre, until: 2026-06-01}], generation: 3, protected: true}
- {name: bob, recipients: [age1bob], until: 2026-06-01, grants: [{clusterRole: view}]}
";
    let old = roster(body);
    assert_eq!(told(&old, &old), [""; 0]);
    let mut new = body.to_owned();
    for (from, to) in [
        ("25%", "100%"),
        ("name: sre, grants", "name: sre, inCertificate: true, grants"),
        ("[shop], until: 2026-06-01", "[shop]"),
        ("{name: sre, until: 2026-06-01}", "{name: sre, until: 2027-06-01}"),
        ("generation: 3, protected: true", "generation: 2, validity: 365d"),
        (
            "until: 2026-06-01, grants: [{clusterRole: view}]",
            "grants: [{clusterRole: view, until: 2026-07-01}]",
        ),
    ] {
        assert!(new.contains(from), "{from}");
        new = new.replacen(from, to, 1);
    }
    expect![[r#"
        safety.maxRevocations: 25% -> 100%
        group sre: inCertificate: false -> true
        group sre: ClusterRole edit until: 2026-06-02T00:00:00Z -> no end
        user alice: protected: true -> false
        user alice: generation: 3 -> 2
        user alice: in group sre until: 2026-06-02T00:00:00Z -> 2027-06-02T00:00:00Z
        user alice: validity: 720h -> 8760h
        user bob: until: 2026-06-02T00:00:00Z -> no end
        user bob: ClusterRole view until: no end -> 2026-07-02T00:00:00Z"#]]
    .assert_eq(&told(&old, &roster(&new)).join("\n"));

    let mut unnamed = Story::of(body);
    unnamed.edit(PROD, "{name: prod}");
    let mut moved = Story::of(body);
    moved.edit(
        PROD,
        "{name: prod, context: other, server: 'https://x', signerName: example.com/s}, {name: stage}",
    );
    expect![[r#"
        cluster prod: context: prod -> other
        cluster prod: server: as pinned in the records, or as in the kubeconfig -> https://x
        cluster prod: signerName: kubernetes.io/kube-apiserver-client -> example.com/s
        cluster stage is new"#]]
    .assert_eq(&told(&unnamed.roster(), &moved.roster()).join("\n"));
    assert_eq!(told(&moved.roster(), &old).last().map(String::as_str), Some("cluster stage is gone"));
}

#[test]
fn what_is_pending_is_counted_over_all_clusters() {
    let mut sum = Summary { issue: 1, ..Summary::default() };
    sum += Summary { issue: 2, bindings: 3, ..Summary::default() };
    assert_eq!(text::counts(&sum), ["3 to issue", "3 bindings to write"]);
}

#[test]
fn what_a_branch_newly_holds_back_is_told_apart_from_what_was_held_before() {
    let mut base = Story::applied(TEAM);
    base.cluster.state.roles.cluster_roles.remove("edit");
    let plan = branch(&base, |head| {
        head.edit("groups:\n", "groups:\n- {name: a-new-one, grants: []}\n");
        head.edit("clusterRole: view", "clusterRole: wiew");
    });
    let codes = |held: &[certctl::plan::Held]| held.iter().map(|held| held.code()).collect::<Vec<_>>();
    assert_eq!(codes(&plan.clusters[0].held), ["missing-role"]);
    assert_eq!(codes(&plan.clusters[0].held_before), ["missing-role"], "its line has moved");
    let text = text::render(&plan, "sha256:0", Style::default());
    assert!(text.contains("Held back\n    ! users.yaml:9:19: ClusterRole `wiew`"), "{text}");
    assert!(text.contains("Held back before\n    ! users.yaml:10:38: ClusterRole `edit`"), "{text}");
    let nothing = branch(&base, |_| {});
    assert!(nothing.clusters[0].held.is_empty() && nothing.clusters[0].held_before.len() == 1);
}

#[test]
fn a_pin_that_a_branch_edits_is_a_danger_and_the_rosters_own_change_is_none() {
    let base = Story::applied(TEAM);
    let mut branch = base.clone();
    let pinned = branch.repository.pinned_endpoint.as_mut().expect("pinned");
    pinned.server = "https://evil.example.com".into();
    let told = |branch: &Story, base: &Story| {
        let name = "prod".parse().expect("a name");
        let (ours, theirs) = (branch.roster(), base.roster());
        let head = Side { roster: &ours, observed: branch.observed() };
        let base = Side { roster: &theirs, observed: base.observed() };
        let dangers = branch_diff::between(&name, head, base, branch.now).warnings;
        dangers
            .into_iter()
            .filter(|w| w.code() == "pin-edited")
            .map(|w| (w.is_takeover(), words::warning(&w)))
            .collect::<Vec<_>>()
    };
    let mut offline = (branch.clone(), base.clone());
    offline.0.offline();
    offline.1.offline();
    for (branch, base) in [(&branch, &base), (&offline.0, &offline.1)] {
        let [(danger, said)] = &told(branch, base)[..] else { panic!("one") };
        assert!(
            *danger && said.contains("pins server https://evil.example.com instead of https://prod"),
            "{said}"
        );
    }
    branch.edit("https://prod.example.com:6443", "https://evil.example.com");
    assert!(told(&branch, &base).is_empty());
    branch.repository.pinned_uid = Some("uid-of-another".into());
    assert_eq!(told(&branch, &base).len(), 1);
}

/// Without the cluster, which knows what was issued, a credential that a branch adds to a record is asked about.
#[test]
fn a_credential_that_a_branch_adds_to_a_record_is_asked_about() {
    let base = Story::applied(TEAM);
    let mut branch = base.clone();
    let mut added = branch.record("alice")[0].clone();
    added.id = "00000000deadbeef".parse().expect("an id");
    branch.credentials("alice").push(added.clone());
    let asked = |base: &Story, branch: &Story| {
        let (mut base, mut branch) = (base.clone(), branch.clone());
        base.offline();
        branch.offline();
        asked(&against(&base, &branch))
    };
    let said = asked(&base, &branch);
    assert!(said.len() == 1 && said[0].contains("00000000deadbeef is new in the record"), "{said:?}");
    // One that gives nobody anything is no question, and neither is one that the base has.
    assert_eq!(asked(&branch, &branch), [""; 0]);
    branch.credentials("alice").last_mut().expect("one").state = certctl::record::CredentialState::Revoked;
    assert_eq!(asked(&base, &branch), [""; 0]);
    branch.credentials("alice").pop();
    added.not_after = branch.now;
    branch.credentials("alice").push(added);
    assert_eq!(asked(&base, &branch), [""; 0]);
}

#[test]
fn a_wider_fence_is_a_danger() {
    let mut base = Story::applied(TEAM);
    let part = "apiVersion: certctl.dev/v1\nkind: RosterPart\n";
    base.parts.0.insert("teams/a.yaml".into(), part.into());
    let include = |may: &str| format!("include: [{{path: teams/a.yaml, may: {may}}}]\ngroups:\n");
    let plain = base.yaml.clone();
    let fenced = |may: &str| plain.replacen("groups:\n", &include(may), 1);
    base.yaml = fenced("{grant: [view, edit], namespaces: [a], clusters: [prod], addUsers: [\"a-*\"]}");

    let narrower = branch(&base, |head| {
        head.yaml = fenced("{grant: [view], namespaces: [a], clusters: [prod], addUsers: [a-1]}");
    });
    assert!(narrower.clusters[0].warnings.is_empty(), "{:?}", narrower.clusters[0].warnings);

    let wider = branch(&base, |head| {
        head.yaml = fenced(
            "{grant: [view, edit, admin], namespaces: [a, \"a-*\"], clusterWide: true, addUsers: true, validity: 60d}",
        );
        head.yaml =
            head.yaml.replace("- name: developers\n", "- name: developers\n  joinable: [\"teams/*.yaml\"]\n");
    });
    let comment =
        markdown::render(&wider, PlanStatus { digest: "sha256:0", ..PlanStatus::default() }, LONGEST_COMMENT);
    let (box_of_dangers, _) = comment.split_once("No changes").unwrap_or((&comment, ""));
    assert!(box_of_dangers.contains("> [!CAUTION]"), "{comment}");
    for danger in [
        "may grant ClusterRole `admin`",
        "may grant its roles in whole clusters",
        "may grant its roles in namespaces a-\\*",
        "is about every cluster",
        "may add users, whatever their names",
        "valid for 1440h",
        "may add members to group `developers` of another file",
    ] {
        let plain = box_of_dangers.replace(['`', '\\'], "");
        assert!(plain.contains(&danger.replace(['`', '\\'], "")), "{danger}: {comment}");
    }

    // A new part is one, with all that it may do.
    let mut before = base.clone();
    before.yaml.clone_from(&plain);
    let new = branch(&before, |head| head.yaml = fenced("{grant: [view]}"));
    let told: Vec<String> = new.clusters[0].warnings.iter().map(words::warning).collect();
    assert!(told[0].starts_with("teams/a.yaml is a new part of the roster; "), "{told:?}");
}
