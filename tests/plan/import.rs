//! From a cluster where access was given by hand to a roster, and back out of the old bindings.

use std::collections::{BTreeMap, BTreeSet};

use certctl::access::rights::ClusterRoster;
use certctl::import::draft::{GrantPlaces, RosterDraft, WhyNotTaken, draft};
use certctl::import::finish::{Missing, finish};
use certctl::import::subject::NoPerson;
use certctl::model::{Recipient, RoleRef};
use certctl::plan::observed::{Binding, BindingAt, ClusterState, Subject};
use certctl::rbac::{Requester, Roles};
use certctl::render::import::draft::{DraftHead, yaml};
use certctl::render::import::script::script;
use certctl::render::kubectl::Kubectl;
use certctl::roster::{self, Roster};
use expect_test::expect;
use proptest::prelude::*;

use crate::story::{Story, TEAM, request, subject};

fn cluster(bindings: Vec<Binding>) -> ClusterState {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let role = |name: &&str| ((*name).to_owned(), Vec::new());
    ClusterState {
        uid: "uid".into(),
        namespaces: names(&["shop", "staging", "leaving"]),
        terminating: names(&["leaving"]),
        namespace_labels: BTreeMap::new(),
        roles: Roles {
            cluster_roles: ["view", "edit"].iter().map(role).collect(),
            roles: [(("shop".to_owned(), "deployer".to_owned()), Vec::new())].into(),
        },
        bindings,
        requests: Vec::new(),
    }
}

/// `place` is a namespace and the binding's name, or the name alone; `role` is kind and name.
fn binding(place: &str, role: &str, subjects: &[(&str, &str)]) -> Binding {
    let (namespace, name) =
        place.split_once('/').map_or((None, place), |(ns, name)| (Some(ns.to_owned()), name));
    let (role_kind, role_name) = role.split_once(' ').expect("kind and name");
    Binding {
        at: BindingAt { namespace, name: name.into() },
        role_kind: role_kind.into(),
        role_name: role_name.into(),
        subjects: subjects.iter().map(|(kind, name)| subject(kind, name)).collect(),
        labels: BTreeMap::new(),
        uid: "uid".into(),
        resource_version: "7".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    }
}

fn text(draft: &RosterDraft) -> String {
    let (roster, cluster) = ("acme".parse().expect("a name"), "prod".parse().expect("a name"));
    let server = Some("https://prod.example.com:6443");
    yaml(DraftHead { roster: &roster, cluster: &cluster, context: "prod-admin", server }, draft)
}

/// The roster, once somebody has filled in the recipients.
fn filled_in(draft: &RosterDraft) -> Roster {
    let text = text(draft).replace("\n  recipients:\n", "\n  recipients: [age1x]\n");
    let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
    roster::parse("users.yaml", &text, &recipient)
        .unwrap_or_else(|why| panic!("{}\n{text}", why.render(false)))
}

fn signed(cn: &str, organizations: &[&str]) -> certctl::plan::observed::SigningRequest {
    let conditions = vec!["Approved".to_owned()];
    certctl::plan::observed::SigningRequest { conditions, issued: true, ..request("c", cn, organizations) }
}

#[test]
fn a_cluster_becomes_a_draft_that_says_what_is_missing() {
    let mut state = cluster(vec![
        binding(
            "devs",
            "ClusterRole view",
            &[("Group", "developers"), ("Group", "oidc:SRE team"), ("Group", "oidc:SRE")],
        ),
        binding(
            "shop/devs",
            "ClusterRole edit",
            &[("Group", "developers"), ("User", "alice"), ("User", "true")],
        ),
        binding("staging/devs", "ClusterRole edit", &[("User", "alice")]),
        binding("shop/deploy", "Role deployer", &[("User", "alice"), ("User", "Alice")]),
        binding("shop/gone", "Role lost", &[("User", "bob")]),
        binding("leaving/view", "ClusterRole view", &[("User", "bob")]),
        binding(
            "system",
            "ClusterRole view",
            &[
                ("Group", "system:masters"),
                ("Group", "kubeadm:cluster-admins"),
                ("User", "system:node:one"),
                ("ServiceAccount", "ci"),
                ("ServiceAccount", "ci"),
                ("User", "system:serviceaccount:a:b"),
                ("Group", "certctl:carol:0123456789abcdef"),
            ],
        ),
    ]);
    state.requests = vec![
        signed("alice", &["developers", "nobody-names-this"]),
        signed("dave", &["oidc:SRE"]),
        signed("erin", &["nobody-names-this"]),
        signed("carol", &["certctl:carol:0123456789abcdef", "developers"]),
        // Claims that nobody has approved.
        request("c", "mallory", &["developers"]),
    ];
    let draft = draft(&state);
    expect![[r##"
        # A draft of who may do what, from what is bound on the cluster. Review it like any other change.
        # `certctl validate` names each line where something is missing.
        #
        # Left out: 2 ServiceAccounts, 1 node and 2 subjects of Kubernetes itself.
        #
        # Not taken over:
        # - ClusterRoleBinding devs, Group oidc:SRE team: a roster cannot use the name, which must match /?[A-Za-z0-9]([-A-Za-z0-9._@+:/]*[A-Za-z0-9])?
        # - RoleBinding shop/deploy, User Alice: the name differs from `alice` in case only
        # - RoleBinding shop/gone, User bob: Role lost does not exist, so it gives nothing
        # - RoleBinding leaving/view, User bob: the namespace is being deleted
        # - User erin: they have a certificate, and nothing is bound to it

        apiVersion: certctl.dev/v1
        kind: Roster

        metadata:
          # The owner written on every object that certctl makes. Keep it for good.
          name: acme

        clusters:
        - name: prod
          context: prod-admin
          # What people connect to.
          server: "https://prod.example.com:6443"

        groups:
        - name: developers
          # Bindings name it, so certificates carry it. Once none does, take this out: it cannot be revoked.
          inCertificate: true
          grants:
          - {clusterRole: edit, namespaces: [shop]}
          - clusterRole: view
        - name: oidc-sre
          # Has the grants of oidc:SRE, whose name no binding of certctl can have.
          grants:
          - clusterRole: view
        - name: "oidc:SRE"
          # Bindings name it, so certificates carry it. Once none does, take this out: it cannot be revoked.
          inCertificate: true

        users:
        - name: alice
          # Missing: what `certctl keygen` prints for them, or their SSH public key.
          recipients:
          groups: [developers]
          grants:
          - {clusterRole: edit, namespaces: [shop, staging]}
          - {role: deployer, namespaces: [shop]}
          # until: unknown. With a date, such as 2027-03-31, access ends by itself.
        - name: dave
          # Missing: what `certctl keygen` prints for them, or their SSH public key.
          recipients:
          groups: [oidc-sre, "oidc:SRE"]
          # until: unknown. With a date, such as 2027-03-31, access ends by itself.
        - name: "true"
          # Missing: what `certctl keygen` prints for them, or their SSH public key.
          recipients:
          # The cluster does not know their groups: they are the O of their certificate.
          grants:
          - {clusterRole: edit, namespaces: [shop]}
          # until: unknown. With a date, such as 2027-03-31, access ends by itself.
    "##]].assert_eq(&text(&draft));
    filled_in(&draft);
    let count = |kind| draft.left_out.count(kind);
    assert_eq!((count(NoPerson::ServiceAccount), count(NoPerson::Node), count(NoPerson::System)), (2, 1, 2));
}

#[test]
fn a_draft_of_nothing_is_one_too() {
    let draft = draft(&cluster(Vec::new()));
    assert_eq!(draft, RosterDraft::default());
    filled_in(&draft);
}

#[test]
fn a_role_in_the_whole_cluster_holds_in_each_namespace() {
    for places in [["all", "shop/one"], ["shop/one", "all"]] {
        let bound = places.map(|place| binding(place, "ClusterRole view", &[("User", "alice")]));
        let draft = draft(&cluster(bound.to_vec()));
        let grants = &draft.users.values().next().expect("alice").grants;
        assert_eq!(grants.values().collect::<Vec<_>>(), [&GrantPlaces::Everywhere], "{places:?}");
    }
}

/// Names as a cluster takes them: all of Unicode for subjects.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "B",
        "0",
        "1e3",
        "null",
        "yes",
        "~",
        "-",
        ".",
        "_",
        "@",
        "+",
        ":",
        "/",
        " ",
        "#",
        "'",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        "\u{0}",
        "\u{1b}[2J",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{202e}",
        "é",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a",
        "*a",
        "!",
        "%",
        "|",
        ">",
        "?",
        "`",
        "$(id)",
        "system:",
        "certctl:",
        "cluster",
        "role=",
        "0123456789012345678901234567890123456789",
    ]);
    prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the names are, the draft is a roster once recipients are in it; it holds exactly what was taken over, and
    /// everything else is named.
    #[test]
    fn whatever_things_are_called_the_draft_is_a_roster(
        bound in prop::collection::vec((hostile(), prop::bool::ANY, hostile(), hostile(), prop::bool::ANY), 0..12),
        certified in prop::collection::vec((hostile(), prop::collection::vec(hostile(), 0..3)), 0..4),
    ) {
        let mut state = cluster(Vec::new());
        for (name, namespaced, role, who, is_user) in &bound {
            let namespace = namespaced.then(|| "shop".to_owned());
            state.roles.cluster_roles.insert(role.clone(), Vec::new());
            let mut binding = binding("x", "ClusterRole x", &[]);
            binding.at = BindingAt { namespace, name: name.clone() };
            binding.role_name.clone_from(role);
            let kind = if *is_user { "User" } else { "Group" };
            binding.subjects = vec![Subject { kind: kind.into(), name: who.clone(), namespace: None }];
            state.bindings.push(binding);
        }
        for (cn, organizations) in &certified {
            let organizations: Vec<&str> = organizations.iter().map(String::as_str).collect();
            state.requests.push(signed(cn, &organizations));
        }
        let draft = draft(&state);
        let roster = filled_in(&draft);
        prop_assert!(roster.users.keys().eq(draft.users.keys()));
        prop_assert!(roster.groups.keys().eq(draft.groups.keys()));
        let given = |grants: &[roster::Grant]| -> BTreeMap<RoleRef, GrantPlaces> {
            let place = |grant: &roster::Grant| match &grant.namespaces {
                None => GrantPlaces::Everywhere,
                Some(names) => GrantPlaces::In(names.iter().map(|(name, _)| name.clone()).collect()),
            };
            grants.iter().map(|grant| (grant.role.clone(), place(grant))).collect()
        };
        for (name, user) in &draft.users {
            let on_roster = &roster.users[name];
            prop_assert_eq!(&given(&on_roster.grants), &user.grants);
            prop_assert!(on_roster.groups.keys().eq(user.groups.iter()));
        }
        for (name, group) in &draft.groups {
            prop_assert_eq!(&given(&roster.groups[name].grants), &group.grants);
        }
        // Nobody got lost.
        let from_bindings = draft.not_taken.iter().filter(|one| one.binding.is_some()).count();
        let users: BTreeSet<&str> = draft.users.keys().map(|name| name.as_str()).collect();
        let groups: BTreeSet<&str> = draft.groups.keys().map(|name| name.as_str()).collect();
        let taken = bound.iter().filter(|(.., role, who, is_user)| {
            let known = if *is_user { users.contains(who.as_str()) } else { groups.contains(who.as_str()) };
            known && role.parse::<certctl::model::RoleName>().is_ok()
        });
        let left_out: usize = bound.len() - taken.count() - from_bindings;
        let begins = |who: &str| ["system:", "certctl:"].iter().any(|begin| who.starts_with(begin));
        prop_assert!(left_out <= bound.iter().filter(|(.., who, _)| begins(who)).count());
    }
}

/// What the commands would do, and what stays.
fn finished(story: &Story, me: Requester) -> (Vec<String>, Vec<String>) {
    let (roster, prod) = (story.roster(), "prod".parse().expect("a name"));
    let here = ClusterRoster { roster: &roster, cluster: &prod, now: story.now };
    let finish = finish(here, &story.repository, &story.cluster.state, &me);
    let removals = finish.removals.iter().map(|removal| {
        let whole = if removal.is_whole() { "whole" } else { "in part" };
        format!("{} {whole} {:?}", removal.binding.at, removal.subjects)
    });
    let kept = finish.kept.iter().map(|kept| {
        let why = match &kept.why {
            Missing::Unbound(user) => format!("{user} unbound"),
            Missing::Role(user) => format!("{user} without the role"),
            other => format!("{other:?}"),
        };
        format!("{}, {}: {why}", kept.binding.at, kept.principal)
    });
    (removals.collect(), kept.collect())
}

fn nobody() -> Requester {
    Requester { user: "kubernetes-admin".into(), groups: vec!["system:masters".into()] }
}

fn migrating() -> Story {
    let mut story = Story::applied(&TEAM.replace("  grants:", "  inCertificate: true\n  grants:"));
    story.cluster.state.roles.roles.insert(("shop".into(), "view".into()), Vec::new());
    story.cluster.state.bindings.extend([
        binding("old-view", "ClusterRole view", &[("Group", "developers")]),
        binding(
            "shop/old-edit",
            "ClusterRole edit",
            &[("User", "mallory"), ("User", "alice"), ("ServiceAccount", "ci"), ("User", "bob")],
        ),
        binding("staging/old-edit", "ClusterRole edit", &[("User", "alice")]),
        // What is granted in the whole cluster is granted here.
        binding("staging/old-view", "ClusterRole view", &[("User", "alice")]),
        binding("shop/other-kind", "Role view", &[("User", "alice")]),
        binding("shop/no-role", "Role lost", &[("User", "alice")]),
        binding("ops", "ClusterRole view", &[("Group", "ops")]),
    ]);
    story
}

#[test]
fn what_everyone_holds_through_certctl_can_go_and_nothing_else() {
    let (removals, kept) = finished(&migrating(), nobody());
    assert_eq!(
        removals,
        [
            "ClusterRoleBinding old-view whole [0]",
            "RoleBinding shop/old-edit in part [1, 3]",
            "RoleBinding staging/old-view whole [0]",
        ]
    );
    assert_eq!(
        kept,
        [
            "RoleBinding shop/old-edit, User mallory: NotOnRoster",
            "RoleBinding staging/old-edit, User alice: alice without the role",
            "RoleBinding shop/other-kind, User alice: alice without the role",
            "RoleBinding shop/no-role, User alice: NoRole",
            "ClusterRoleBinding ops, Group ops: NotOnRoster",
        ]
    );
}

#[test]
fn nothing_goes_before_its_replacement_is_bound() {
    // Recorded, and not bound.
    let mut story = migrating();
    story.binding("certctl:developers:view").subjects.retain(|subject| !subject.name.contains(":bob:"));
    story.binding("certctl:developers:edit").subjects.retain(|subject| !subject.name.contains(":bob:"));
    let (removals, kept) = finished(&story, nobody());
    assert_eq!(removals, ["RoleBinding shop/old-edit in part [1]", "RoleBinding staging/old-view whole [0]"]);
    assert!(
        kept.contains(&"ClusterRoleBinding old-view, Group developers: bob unbound".to_owned()),
        "{kept:?}"
    );
    assert!(kept.contains(&"RoleBinding shop/old-edit, User bob: bob unbound".to_owned()), "{kept:?}");

    // Bound by a binding of ours that is being deleted, or by one that is none of ours.
    for spoil in
        [(|binding: &mut Binding| binding.deletion_requested = true) as fn(&mut Binding), |binding| {
            binding.labels.clear()
        }]
    {
        let mut story = migrating();
        spoil(story.binding("certctl:developers:view"));
        let (removals, _) = finished(&story, nobody());
        assert_eq!(removals, ["RoleBinding shop/old-edit in part [1, 3]"]);
    }

    // A label alone makes no binding ours, nor hides one.
    let mut story = migrating();
    let managed = (certctl::model::LABEL_MANAGED_BY.to_owned(), "certctl".to_owned());
    story.binding("old-view").labels.extend([managed]);
    assert_eq!(finished(&story, nobody()).0.len(), 3);

    // Bound, but revoked or over by the records.
    let mut story = migrating();
    story.credentials("bob")[0].state = certctl::record::CredentialState::Revoked;
    assert_eq!(finished(&story, nobody()).0.len(), 2, "alice's alone");
    story.wait("1000d");
    assert_eq!(finished(&story, nobody()).0, [""; 0]);
}

#[test]
fn certctl_does_not_saw_off_its_own_branch() {
    let me = Requester { user: "alice".into(), groups: vec!["developers".into()] };
    let (removals, kept) = finished(&migrating(), me);
    assert_eq!(removals, ["RoleBinding shop/old-edit in part [3]"]);
    assert_eq!(kept.iter().filter(|line| line.ends_with("Ourselves")).count(), 6, "{kept:?}");
}

#[test]
fn a_group_without_members_stays() {
    let mut story = migrating();
    story.edit("groups: [developers]", "groups: [{name: developers, until: 2000-01-01}]");
    story.edit("groups: [developers]", "groups: [{name: developers, until: 2000-01-01}]");
    let (_, kept) = finished(&story, nobody());
    assert!(
        kept.contains(&"ClusterRoleBinding old-view, Group developers: NoMembers".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn commands_test_what_was_read_and_are_safe_for_a_shell() {
    let mut story = migrating();
    let foreign = |binding: &&mut Binding| binding.at.name == "old-view";
    let bindings = &mut story.cluster.state.bindings;
    bindings.iter_mut().filter(foreign).for_each(|binding| binding.at.name = "it's $(id)".into());
    let label = (certctl::model::LABEL_MANAGED_BY.to_owned(), "Helm; id".to_owned());
    bindings.iter_mut().filter(|binding| binding.at.name == "old-edit").for_each(|binding| {
        binding.labels.extend([label.clone()]);
    });
    let mut hidden =
        binding("old\u{1b}[2J\nkubectl delete ns shop", "ClusterRole view", &[("User", "alice")]);
    hidden.subjects.push(subject("User", "x\nkubectl delete ns shop"));
    bindings.push(hidden);
    let (roster, prod) = (story.roster(), "prod".parse().expect("a name"));
    let here = ClusterRoster { roster: &roster, cluster: &prod, now: story.now };
    let finish = finish(here, &story.repository, &story.cluster.state, &nobody());
    let kubectl = Kubectl { kubeconfig: Some("/home/me/my config"), context: "prod admin" };
    expect![[r##"
        # Cluster prod: the roster has replaced subjects of 3 bindings, and 7 subjects stay.
        # Left out: 1 ServiceAccount, 0 nodes and 0 subjects of Kubernetes itself.
        # A binding that was changed since this was printed is left as it is.
        # To see or keep what is there now:
        #   kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' get clusterrolebindings,rolebindings --all-namespaces -o yaml

        # ClusterRoleBinding it\u{27}s \u{24}\u{28}id\u{29}: ClusterRole view, of Group developers
        # Whoever has a group of these in a certificate, and not on the roster, loses this.
        kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' patch 'clusterrolebinding/it'\''s $(id)' --type=json '--patch=[{"op":"test","path":"/metadata/resourceVersion","value":"7"},{"op":"remove","path":"/subjects"}]' &&
          kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' delete 'clusterrolebinding/it'\''s $(id)'

        # RoleBinding shop/old-edit: ClusterRole edit, of User alice, User bob
        # It is managed by Helm\u{3b} id: take it out there too, or it comes back.
        kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' patch rolebinding/old-edit --namespace=shop --type=json '--patch=[{"op":"test","path":"/metadata/resourceVersion","value":"7"},{"op":"remove","path":"/subjects/3"},{"op":"remove","path":"/subjects/1"}]'

        # RoleBinding staging/it\u{27}s \u{24}\u{28}id\u{29}: ClusterRole view, of User alice
        kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' patch 'rolebinding/it'\''s $(id)' --namespace=staging --type=json '--patch=[{"op":"test","path":"/metadata/resourceVersion","value":"7"},{"op":"remove","path":"/subjects"}]' &&
          kubectl '--kubeconfig=/home/me/my config' '--context=prod admin' delete 'rolebinding/it'\''s $(id)' --namespace=staging

        # These stay:
        # - RoleBinding shop/old-edit, User mallory: not on the roster
        # - RoleBinding staging/old-edit, User alice: the roster does not give alice this role there
        # - RoleBinding shop/other-kind, User alice: the roster does not give alice this role there
        # - RoleBinding shop/no-role, User alice: the role does not exist, so the binding gives nothing
        # - ClusterRoleBinding ops, Group ops: not on the roster
        # - ClusterRoleBinding old\u{1b}\u{5b}2J\u{a}kubectl delete ns shop, User alice: the name of the binding has characters that are not shown
        # - ClusterRoleBinding old\u{1b}\u{5b}2J\u{a}kubectl delete ns shop, User x\u{a}kubectl delete ns shop: the name of the binding has characters that are not shown
    "##]].assert_eq(&script(&prod, &finish, kubectl));
}

#[test]
fn a_name_that_only_case_tells_apart_is_taken_once() {
    let bound = binding("b", "ClusterRole view", &[("User", "ann"), ("User", "Ann")]);
    let draft = draft(&cluster(vec![bound]));
    assert_eq!(draft.users.len(), 1);
    assert!(matches!(&draft.not_taken[0].why, WhyNotTaken::SameButForCase(first) if first.as_str() == "ann"));
}
