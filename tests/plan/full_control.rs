//! Who comes to full control, by what roles allow and not by what they are called.

use certctl::plan::observed::{Binding, BindingAt, Subject};
use certctl::rbac::PolicyRule;
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};

use crate::story::{Story, rule, subject};

const RBAC: &[&str] = &["rbac.authorization.k8s.io"];
const AUTHENTICATION: &[&str] = &["authentication.k8s.io"];

/// A team with one grant, on a cluster where the ClusterRole `tool` has these rules.
fn granted(grant: &str, rules: &[PolicyRule]) -> Story {
    let mut story = Story::of(&format!(
        "groups: [{{name: team, grants: [{grant}]}}]\nusers: [{{name: alice, recipients: [age1alice], groups: [team]}}]\n"
    ));
    story.cluster.state.roles.cluster_roles.insert("tool".into(), rules.to_vec());
    story
}

/// What stands out of the plan's text.
fn stands_out(story: &Story) -> Vec<String> {
    let text = story.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("! FULL CONTROL of "));
    lines.map(str::to_owned).collect()
}

fn comment(story: &Story) -> String {
    markdown::render(&story.whole(), PlanStatus::default(), LONGEST_COMMENT)
}

fn named(mut rule: PolicyRule, names: &[&str]) -> PolicyRule {
    rule.resource_names = names.iter().map(|name| (*name).to_owned()).collect();
    rule
}

fn binding(namespace: Option<&str>, name: &str, role: &str, subject: Subject) -> Binding {
    Binding {
        at: BindingAt { namespace: namespace.map(ToOwned::to_owned), name: name.into() },
        role_kind: "ClusterRole".into(),
        role_name: role.into(),
        subjects: vec![subject],
        labels: Default::default(),
        uid: "uid".into(),
        resource_version: "1".into(),
        finalizers: Vec::new(),
        deletion_requested: false,
    }
}

#[test]
fn a_role_is_judged_by_its_rules() {
    const EVERYWHERE: &str = "{clusterRole: tool}";
    const IN_SHOP: &str = "{clusterRole: tool, namespaces: [shop]}";
    let all = rule(&["*"], &["*"], &["*"]);
    let escalate = rule(&["escalate"], RBAC, &["clusterroles"]);
    let bind = rule(&["bind"], RBAC, &["clusterroles"]);
    let impersonate = rule(&["impersonate"], &[""], &["users"]);
    let masters = named(rule(&["impersonate"], &[""], &["groups"]), &["system:masters"]);
    // Since Kubernetes 1.36.
    let constrained = rule(&["impersonate:user-info"], AUTHENTICATION, &["users"]);
    let constrained_masters =
        named(rule(&["impersonate:user-info"], AUTHENTICATION, &["groups"]), &["system:masters"]);
    for (grant, rule, stands) in [
        (EVERYWHERE, &all, Some("prod for alice  (ClusterRole tool)")),
        (IN_SHOP, &all, Some("namespace shop of prod for alice  (ClusterRole tool)")),
        (EVERYWHERE, &escalate, Some("prod for alice  (ClusterRole tool: may put any right into a role)")),
        // A RoleBinding does not reach objects of the whole cluster.
        (IN_SHOP, &escalate, None),
        (
            IN_SHOP,
            &rule_of_roles("escalate"),
            Some("namespace shop of prod for alice  (ClusterRole tool: may put any right into a role)"),
        ),
        (EVERYWHERE, &bind, Some("prod for alice  (ClusterRole tool: may bind ClusterRole cluster-admin)")),
        (
            IN_SHOP,
            &bind,
            Some("namespace shop of prod for alice  (ClusterRole tool: may bind ClusterRole cluster-admin)"),
        ),
        // What certctl itself may.
        (EVERYWHERE, &named(bind.clone(), &["view", "edit"]), None),
        (
            EVERYWHERE,
            &named(bind.clone(), &["view", "cluster-admin"]),
            Some("prod for alice  (ClusterRole tool: may bind ClusterRole cluster-admin)"),
        ),
        (EVERYWHERE, &impersonate, Some("prod for alice  (ClusterRole tool: may impersonate anyone)")),
        (IN_SHOP, &impersonate, None),
        (EVERYWHERE, &named(impersonate.clone(), &["bob"]), None),
        (
            EVERYWHERE,
            &masters,
            Some("prod for alice  (ClusterRole tool: may impersonate Group system:masters)"),
        ),
        (EVERYWHERE, &constrained, Some("prod for alice  (ClusterRole tool: may impersonate anyone)")),
        (IN_SHOP, &constrained, None),
        (EVERYWHERE, &named(constrained.clone(), &["bob"]), None),
        (
            EVERYWHERE,
            &constrained_masters,
            Some("prod for alice  (ClusterRole tool: may impersonate Group system:masters)"),
        ),
        // Each verb counts in its own group of the API, and what may be done as somebody is nothing by itself.
        (EVERYWHERE, &rule(&["impersonate:user-info"], &[""], &["users"]), None),
        (EVERYWHERE, &rule(&["impersonate"], AUTHENTICATION, &["users"]), None),
        (EVERYWHERE, &rule(&["impersonate-on:user-info:create"], RBAC, &["clusterrolebindings"]), None),
        (EVERYWHERE, &rule(&["*"], &["apps"], &["*"]), None),
        (EVERYWHERE, &rule(&["get", "list", "watch"], &["*"], &["*"]), None),
    ] {
        let story = granted(grant, std::slice::from_ref(rule));
        assert_eq!(stands_out(&story), Vec::from_iter(stands), "{grant} {rule:?}");
    }
}

fn rule_of_roles(verb: &str) -> PolicyRule {
    rule(&[verb], RBAC, &["roles"])
}

#[test]
fn who_may_create_pods_comes_to_what_the_accounts_there_may() {
    let pods = [rule(&["create"], &[""], &["pods"])];
    let mut story = granted("{clusterRole: tool, namespaces: [shop]}", &pods);
    assert_eq!(stands_out(&story), [""; 0]);
    let robot = Subject { namespace: Some("shop".into()), ..subject("ServiceAccount", "deployer") };
    story.cluster.state.bindings.push(binding(None, "robots", "cluster-admin", robot));
    let reached = "prod for alice  (ClusterRole tool: may create pods, and with that act as ServiceAccount shop/deployer)";
    assert_eq!(stands_out(&story), [reached]);
    story.edit("namespaces: [shop]", "namespaces: [staging]");
    assert_eq!(stands_out(&story), [""; 0], "another namespace's account");
}

#[test]
fn who_may_be_a_service_account_comes_to_what_it_may() {
    const IN_SHOP: &str = "{clusterRole: tool, namespaces: [shop]}";
    for (grant, rule, right) in [
        (IN_SHOP, rule(&["create"], &[""], &["serviceaccounts/token"]), "create serviceaccounts/token"),
        (IN_SHOP, rule(&["impersonate"], &[""], &["serviceaccounts"]), "impersonate serviceaccounts"),
        (
            IN_SHOP,
            rule(&["impersonate:serviceaccount"], AUTHENTICATION, &["serviceaccounts"]),
            "impersonate:serviceaccount serviceaccounts",
        ),
        (
            "{clusterRole: tool}",
            rule(&["impersonate:arbitrary-node"], AUTHENTICATION, &["nodes"]),
            "impersonate:arbitrary-node nodes",
        ),
    ] {
        let named_another = named(rule.clone(), &["another"]);
        let mut story = granted(grant, &[rule]);
        let robot = Subject { namespace: Some("shop".into()), ..subject("ServiceAccount", "deployer") };
        story.cluster.state.bindings.push(binding(None, "robots", "cluster-admin", robot));
        let reached = format!(
            "prod for alice  (ClusterRole tool: may {right}, and with that act as ServiceAccount shop/deployer)"
        );
        assert_eq!(stands_out(&story), [reached], "{right}");
        story.cluster.state.roles.cluster_roles.insert("tool".into(), vec![named_another]);
        // Any node may run it.
        let still = usize::from(right.ends_with("nodes"));
        assert_eq!(stands_out(&story).len(), still, "{right} of another");
    }
}

#[test]
fn a_name_that_others_have_bound_is_full_control_from_the_first_certificate_on() {
    let mut story = granted("{clusterRole: view}", &[]);
    story.cluster.state.bindings.push(binding(None, "legacy", "cluster-admin", subject("User", "alice")));
    let through =
        "prod for alice  (ClusterRole cluster-admin: through ClusterRoleBinding legacy, which is not ours)";
    assert_eq!(stands_out(&story), [through]);
    let comment = comment(&story);
    assert!(
        comment.contains("**Full control: `ClusterRole cluster-admin` for `alice`** on `prod`: through ClusterRoleBinding legacy"),
        "{comment}"
    );
    story.apply();
    story.edit("age1alice", "age1alice, age1other");
    assert_eq!(stands_out(&story), [""; 0], "they had it before");
}

#[test]
fn what_a_group_in_a_certificate_gives_is_listed_by_role() {
    let mut story = granted("{clusterRole: view}", &[]);
    story.edit("name: team", "name: team, inCertificate: true");
    assert!(story.text().contains("; no binding names it now  [in-certificate]"), "{}", story.text());
    for (namespace, name, role) in [(None, "ops", "cluster-admin"), (Some("shop"), "ops-edit", "edit")] {
        story.cluster.state.bindings.push(binding(namespace, name, role, subject("Group", "team")));
    }
    let text = story.text();
    let gives = "it gives ClusterRole cluster-admin (ClusterRoleBinding ops), ClusterRole edit (RoleBinding shop/ops-edit)";
    assert!(text.contains(&format!("; {gives}  [in-certificate]")), "{text}");
    let through =
        "prod for alice  (ClusterRole cluster-admin: through ClusterRoleBinding ops, which is not ours)";
    assert_eq!(stands_out(&story), [through]);
    let comment = comment(&story);
    let gives = "it gives ClusterRole cluster-admin (ClusterRoleBinding ops), ClusterRole edit (RoleBinding `shop/ops-edit`).";
    assert!(comment.contains(&format!("expires; {gives}")), "{comment}");
    story.offline();
    assert!(story.text().contains("; what that gives is not known  [in-certificate]"), "{}", story.text());
}
