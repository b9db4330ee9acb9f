//! Grants and memberships that count on some clusters only. The cluster here is `prod`.

use crate::story::Story;

const TEAM: &str = "groups:
- name: developers
  grants:
  - {clusterRole: view}
  - {clusterRole: edit, namespaces: [shop], clusters: [staging]}
- {name: testers, inCertificate: true, grants: [{clusterRole: admin, namespaces: [shop]}]}
users:
- name: alice
  recipients: [age1alice]
  groups: [developers, {name: testers, clusters: [staging]}]
  grants: [{clusterRole: edit, namespaces: [staging], clusters: [staging]}]
";

/// `clusters:` of the roster gets a second one.
fn on_two() -> Story {
    let mut story = Story::applied("users: []\n");
    story.edit("[{name: prod,", "[{name: staging}, {name: prod,");
    story.edit("users: []\n", TEAM);
    story
}

fn bound(story: &Story) -> Vec<String> {
    let bindings = story.cluster.state.bindings.iter().filter(|binding| !binding.subjects.is_empty());
    let mut names: Vec<String> = bindings.map(|binding| binding.at.to_string()).collect();
    names.sort();
    names
}

#[test]
fn what_counts_elsewhere_is_not_granted_here() {
    let mut story = on_two();
    story.apply();
    assert_eq!(bound(&story), ["ClusterRoleBinding certctl:developers:view"]);
    assert!(story.record("alice")[0].in_certificate_groups.is_empty());
    assert!(story.plan().is_empty());
    story.edit("clusters: [staging]}\n- {name: testers", "clusters: [staging, prod]}\n- {name: testers");
    story.apply();
    assert_eq!(
        bound(&story),
        ["ClusterRoleBinding certctl:developers:view", "RoleBinding shop/certctl:developers:edit"]
    );
}

#[test]
fn a_grant_and_a_membership_end_on_each_cluster_by_themselves() {
    let mut story = on_two();
    story.edit(
        "{clusterRole: edit, namespaces: [shop], clusters: [staging]}",
        "{clusterRole: edit, namespaces: [shop], clusters: [staging], until: 2099-01-01}
  - {clusterRole: edit, namespaces: [shop], clusters: [prod], until: '2026-01-10T12:00:00.75Z'}",
    );
    story.edit(
        "{name: testers, inCertificate: true,",
        "{name: helpers, grants: [{clusterRole: admin, namespaces: [staging]}]}\n- {name: testers, inCertificate: true,",
    );
    story.edit(
        "{name: testers, clusters: [staging]}]",
        "{name: testers, clusters: [staging], until: 2026-01-05}, {name: helpers, clusters: [prod], until: 2026-01-12}]",
    );
    story.apply();
    let all = [
        "ClusterRoleBinding certctl:developers:view",
        "RoleBinding shop/certctl:developers:edit",
        "RoleBinding staging/certctl:helpers:admin",
    ];
    assert_eq!(bound(&story), all);
    story.wait("9d").apply();
    assert_eq!(bound(&story), all);
    story.wait("2d").apply();
    assert_eq!(bound(&story), [all[0], all[2]], "the grant has ended here, whatever it does on staging");
    story.wait("2d").apply();
    assert_eq!(bound(&story), [all[0]]);
}

#[test]
fn a_membership_that_no_longer_counts_here_ends_here() {
    let mut story = on_two();
    story.edit("{name: testers, clusters: [staging]}", "testers");
    story.apply();
    assert_eq!(bound(&story).len(), 2);
    assert_eq!(story.record("alice")[0].in_certificate_groups.len(), 1);
    // The group is in the certificate, which has to be another one then.
    story.edit("developers, testers]", "developers, {name: testers, clusters: [staging]}]");
    story.apply();
    assert_eq!(bound(&story), ["ClusterRoleBinding certctl:developers:view"]);
    let now = story.record("alice").iter().filter(|credential| credential.in_certificate_groups.is_empty());
    assert_eq!(now.count(), 1);
}
