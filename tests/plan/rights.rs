//! Which rights a plan takes, and what is left of it where they are missing.

use std::collections::BTreeSet;

use certctl::apply::machine::{Effect, Extent, Machine, Notes, Order, Policy, Probe};
use certctl::apply::record_changes::ClusterWork;
use certctl::plan::cut_offs::Replaced;
use certctl::plan::observed::Subject;
use certctl::plan::warning::Warning;
use certctl::record::CredentialState;
use certctl::rights::needed;

use crate::story::{Story, TEAM, rule, subject};
use crate::world::End;

const BOB: &str = "- {name: bob, recipients: [age1bob], groups: [developers]}\n";
const CAROL: &str = "- {name: carol, recipients: [age1carol], groups: [developers]}\n";

fn needed(story: &Story) -> Vec<String> {
    story.plan().needed_rights(&story.roster()).iter().map(ToString::to_string).collect()
}

#[test]
fn who_only_loses_access_waits_for_no_right() {
    let mut story = Story::applied(TEAM);
    assert!(needed(&story).is_empty());
    story.edit(BOB, "");
    assert!(!story.plan().is_empty() && needed(&story).is_empty());
    // Nor does what somebody plants, in a role that certctl was never allowed to bind.
    let alice = story.bound("alice").into_iter().next().expect("alice");
    story.binding("certctl:developers:view").subjects.push(subject("Group", "certctl:eve:0123456789abcdef"));
    let mut theirs = story.binding("certctl:developers:view").clone();
    (theirs.at.name, theirs.role_name) = ("theirs".into(), "cluster-admin".into());
    (theirs.labels, theirs.subjects) = (Default::default(), vec![subject("Group", &alice)]);
    story.cluster.state.bindings.push(theirs);
    story.edit("[age1alice]", "[age1alice], suspended: true");
    assert!(!story.plan().strays.is_empty() && needed(&story).is_empty());
}

#[test]
fn a_plan_takes_the_rights_of_what_it_issues_and_binds_and_no_other() {
    let mut story = Story::applied(TEAM);
    story.yaml += CAROL;
    assert_eq!(
        needed(&story),
        [
            "approve signers.certificates.k8s.io `kubernetes.io/kube-apiserver-client`",
            "bind clusterroles.rbac.authorization.k8s.io `view`",
            "bind clusterroles.rbac.authorization.k8s.io `edit` in namespace `shop`",
            "create certificatesigningrequests.certificates.k8s.io",
            "delete certificatesigningrequests.certificates.k8s.io",
            "get clusterrolebindings.rbac.authorization.k8s.io",
            "get rolebindings.rbac.authorization.k8s.io in namespace `shop`",
            "get certificatesigningrequests.certificates.k8s.io",
            "list certificatesigningrequests.certificates.k8s.io",
            "patch clusterrolebindings.rbac.authorization.k8s.io",
            "patch rolebindings.rbac.authorization.k8s.io in namespace `shop`",
            "update certificatesigningrequests.certificates.k8s.io/approval",
            "update configmaps `certctl-acme` in namespace `kube-system`",
            "watch certificatesigningrequests.certificates.k8s.io",
        ]
    );
    // Whatever a plan takes, an apply of this roster is granted.
    let roster = story.roster();
    let granted: BTreeSet<_> = needed::to_plan(&roster.name)
        .into_iter()
        .chain(needed::to_apply(&roster, &"prod".parse().expect("a name")))
        .map(|needed| (needed.right.verb, needed.right.resource, needed.right.name))
        .collect();
    for right in story.plan().needed_rights(&roster) {
        assert!(granted.contains(&(right.verb, right.resource, right.name.clone())), "{right}");
    }

    let mut granted = Story::applied(TEAM);
    granted.edit("{clusterRole: view}", "{clusterRole: view}\n  - {clusterRole: admin}");
    assert_eq!(
        needed(&granted),
        [
            "bind clusterroles.rbac.authorization.k8s.io `admin`",
            "create clusterrolebindings.rbac.authorization.k8s.io",
            "get clusterrolebindings.rbac.authorization.k8s.io",
        ]
    );
}

/// The other clusters go on: what is recorded and bound there does not hang on this one.
#[test]
fn a_cluster_where_a_right_is_missing_only_loses_who_has_to_leave() {
    let mut story = Story::applied(TEAM);
    let alices = story.bound("alice");
    story.edit("[age1alice]", "[age1alice], generation: 2").edit(BOB, CAROL);
    story.edit("{clusterRole: view}", "{clusterRole: view}\n  - {clusterRole: admin}");
    let mut plan = story.plan();
    plan.only_cut_offs(Replaced::Kept);
    assert_eq!(story.apply_plan(&plan), End::Done);
    assert!(story.bound("bob").is_empty() && story.bound("carol").is_empty());
    assert_eq!(story.bound("alice"), alices, "nobody is locked out for a certificate that cannot be bound");
    assert!(story.cluster.state.bindings.iter().all(|binding| binding.role_name != "admin"));
    assert_eq!(story.record("bob")[0].state, CredentialState::Revoked);
    assert_eq!(story.record("carol").len(), 0);
    // Once the right is there, the next apply does the rest.
    story.apply();
    assert!(story.plan().is_empty(), "{}", story.text());
    assert!(story.bound("alice").is_disjoint(&alices) && story.bound("carol").len() == 1);
}

/// What the cluster is to remember of a cut-off is noted beside it, not before.
#[test]
fn a_slow_note_delays_no_cut_off() {
    let mut story = Story::applied(TEAM);
    story.edit(BOB, "");
    let (plan, repository) = (story.plan(), story.repository.clone());
    let work = ClusterWork { plan: &plan, repository: &repository };
    let policy = Policy { parallelism: 3, probe: Probe::First, extent: Extent::ALL, skip_ci_marker: false };
    let roster = "acme".parse().expect("a name");
    let new_id = "0123456789abcdef0123456789abcdef".parse().expect("a roster id");
    let mut machine = Machine::new(&roster, [work], policy, Notes { new_id, unmerged: None });
    let orders: Vec<_> = machine.next(story.now).into_iter().map(|task| task.order).collect();
    let writes = |order: &&Order<'_>| matches!(order, Order::On(_, Effect::Write { .. }));
    let notes = |order: &&Order<'_>| matches!(order, Order::On(_, Effect::WriteLedger { .. }));
    assert_eq!(
        (orders.iter().filter(notes).count(), orders.iter().filter(writes).count()),
        (1, 2),
        "{orders:?}"
    );
}

/// Who applies, as the cluster says, and what they may bind.
fn applies(story: &mut Story, identity: Subject, binds: &[&str]) {
    let mut bind = rule(&["bind"], &["rbac.authorization.k8s.io"], &["clusterroles"]);
    bind.resource_names = binds.iter().map(|name| (*name).to_owned()).collect();
    let state = &mut story.cluster.state;
    state.roles.cluster_roles.insert("certctl-acme-apply".into(), vec![bind]);
    state.roles.cluster_roles.insert("view".into(), vec![rule(&["get"], &[""], &["pods"])]);
    state.roles.cluster_roles.insert("edit".into(), vec![rule(&["create"], &[""], &["pods", "pods/exec"])]);
    let mut binding = story.binding("certctl:developers:view").clone();
    (binding.at.name, binding.role_name) = ("whatever".into(), "certctl-acme-apply".into());
    (binding.labels, binding.subjects) = (Default::default(), vec![identity]);
    story.cluster.state.bindings.push(binding);
}

fn not_bindable(story: &Story) -> Vec<String> {
    let warnings = story.plan().warnings;
    let of = |warning: &Warning| match warning {
        Warning::NotBindable { role, identity } => Some(format!("{role}, {identity}")),
        _ => None,
    };
    warnings.iter().filter_map(of).collect()
}

#[test]
fn a_role_that_apply_may_not_bind_is_named_before_it_tries() {
    let mut story = Story::applied(TEAM);
    assert_eq!(not_bindable(&story), [""; 0], "nobody knows who applies");
    let account = Subject { namespace: Some("certctl".into()), ..subject("ServiceAccount", "certctl-apply") };
    applies(&mut story, account.clone(), &["view"]);
    assert_eq!(not_bindable(&story), ["ClusterRole edit, ServiceAccount certctl/certctl-apply"]);
    assert!(story.text().contains("[not-bindable]"), "{}", story.text());

    // It may bind in the one namespace, or what it holds itself.
    let mut elsewhere = story.clone();
    let mut bind = rule(&["bind"], &["rbac.authorization.k8s.io"], &["clusterroles"]);
    bind.resource_names = vec!["edit".into()];
    elsewhere.cluster.state.roles.cluster_roles.insert("binder".into(), vec![bind]);
    for (namespace, role, may) in [
        (Some("shop"), "binder", true),
        (Some("staging"), "binder", false),
        (Some("shop"), "edit", true),
        (Some("staging"), "edit", false),
        (None, "edit", true),
        (None, "cluster-admin", true),
    ] {
        let mut story = elsewhere.clone();
        let mut binding = story.binding("whatever").clone();
        (binding.at.namespace, binding.role_name) = (namespace.map(str::to_owned), role.into());
        binding.at.name = "more".into();
        story.cluster.state.bindings.push(binding);
        assert_eq!(not_bindable(&story).is_empty(), may, "{namespace:?} {role}");
    }

    for (identity, may) in [
        (subject("Group", "system:masters"), true),
        (subject("Group", "ci"), false),
        (subject("User", "ci"), false),
    ] {
        let mut story = Story::applied(TEAM);
        applies(&mut story, identity, &["view"]);
        assert_eq!(not_bindable(&story).is_empty(), may);
    }
}
