//! Grants in namespaces that the roster does not name: they come and go in the cluster, and bindings follow.

use std::collections::BTreeMap;

use certctl::plan::binding_diff::BindingVerb;
use certctl::plan::{ClusterPlan, digest};
use certctl::render::{Style, text, words};
use expect_test::expect;

use crate::story::Story;

const TEAM: &str = "safety: {maxRevocations: 0%}
groups:
- name: developers
  grants:
  - {clusterRole: view, namespaces: [shop]}
  - {clusterRole: edit, namespaces: [\"pr-*\"]}
- name: testers
  grants:
  - clusterRole: view
    namespaceSelector:
      matchLabels: {team: shop}
      matchExpressions: [{key: env, operator: NotIn, values: [prod]}]
  - {role: deployer, namespaces: [\"s*\"]}
users:
- {name: alice, recipients: [age1alice], groups: [developers]}
- {name: tom, recipients: [age1tom], groups: [testers], protected: true}
";

impl Story {
    fn namespace(&mut self, name: &str, labels: &[(&str, &str)]) -> &mut Self {
        self.cluster.state.namespaces.insert(name.to_owned());
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.cluster.state.namespace_labels.insert(name.to_owned(), labels);
        self
    }
}

/// `bind pr-1/certctl:developers:edit` for each.
fn bindings(plan: &ClusterPlan) -> Vec<String> {
    let told = plan.bindings.iter().map(|action| {
        let diff = action.diff();
        let namespace = diff.at.namespace.unwrap_or_default();
        format!("{} {namespace}/{}", diff.verb, diff.at.name)
    });
    told.collect()
}

fn warnings(plan: &ClusterPlan) -> Vec<String> {
    words::warnings(&plan.warnings).into_iter().map(|(code, message)| format!("{code}: {message}")).collect()
}

fn digest(story: &Story) -> String {
    digest::digest(&story.whole())
}

#[test]
fn bindings_follow_the_namespaces_that_there_are() {
    let mut story = Story::of(TEAM);
    let first = story.plan();
    assert_eq!(
        bindings(&first),
        ["bind shop/certctl:developers:view", "bind shop/certctl:testers:role=deployer"]
    );
    assert!(first.held.is_empty(), "{:?}", first.held);
    expect![[r#"
        namespaces-fit: group `testers` gets Role deployer in shop, by name or label; whoever may create or label namespaces decides in which
        no-namespace-fits: group `developers` is granted ClusterRole edit in namespaces pr-*, and the cluster has none now
        no-namespace-fits: group `testers` is granted ClusterRole view in namespaces team=shop, env notin (prod), and the cluster has none now"#]]
    .assert_eq(&warnings(&first).join("\n"));
    story.apply();
    let calm = digest(&story);

    // They appear, by name and by label; one without the label's value, and one that is being deleted.
    story.namespace("pr-1", &[]).namespace("a", &[("team", "shop"), ("env", "dev")]);
    story.namespace("b", &[("team", "shop"), ("env", "prod")]).namespace("pr-2", &[]);
    story.cluster.state.terminating.insert("pr-2".into());
    let plan = story.plan();
    assert_eq!(bindings(&plan), ["bind a/certctl:testers:view", "bind pr-1/certctl:developers:edit"]);
    assert!(plan.held.is_empty(), "{:?}", plan.held);
    assert!(
        warnings(&plan)[0].starts_with("namespaces-fit: group `developers` gets ClusterRole edit in pr-1, ")
    );
    // Whoever approved the plan before has approved this one.
    assert_eq!(digest(&story), calm);
    story.apply();
    assert!(story.plan().bindings.is_empty());

    // Relabelled: it is bound where it fits now, and taken where it does not, though nobody may be revoked and
    // tom is protected.
    story.namespace("a", &[("team", "other")]).namespace("b", &[("team", "shop")]);
    let plan = story.plan();
    assert_eq!(bindings(&plan), ["unbind a/certctl:testers:view", "bind b/certctl:testers:view"]);
    assert!(plan.losing.is_empty(), "{:?}", plan.losing);
    assert_eq!(digest(&story), calm);
    story.apply();

    // Gone, with what was in them.
    for name in ["pr-1", "b"] {
        story.cluster.state.namespaces.remove(name);
        story.cluster.state.bindings.retain(|binding| binding.at.namespace.as_deref() != Some(name));
    }
    let plan = story.plan();
    assert!(plan.bindings.is_empty() && plan.held.is_empty() && plan.losing.is_empty());
    assert_eq!(digest(&story), calm);
}

#[test]
fn more_than_ten_bindings_are_counted_and_shown_when_asked_for() {
    let mut story = Story::of(TEAM);
    for number in 1..=9 {
        story.namespace(&format!("pr-{number}"), &[]);
    }
    let shown = |story: &Story, verbose| {
        let plan = story.whole();
        let text = text::render(&plan, &digest::digest(&plan), Style { verbose, ..Style::default() });
        assert!(
            text.find("\n  Access\n").is_some_and(|access| Some(access) < text.find("\n  Bindings\n")),
            "{text}"
        );
        (text.contains("RoleBinding pr-1/"), text.contains(" bindings to write; -v shows them"))
    };
    story.cluster.state.namespaces.remove("pr-9");
    assert_eq!(shown(&story, false), (true, false), "ten of them");
    story.namespace("pr-9", &[]);
    assert_eq!(shown(&story, false), (false, true));
    assert_eq!(shown(&story, true), (true, false));
}

#[test]
fn what_the_roster_changes_is_in_the_digest() {
    let mut story = Story::of(TEAM);
    story.namespace("pr-1", &[]);
    story.apply();
    let calm = digest(&story);
    for (from, to) in [
        ("pr-*", "p*"),
        ("groups: [testers]", "groups: [testers, developers]"),
        ("team: shop", "team: web"),
        ("groups: [developers]", "groups: []"),
    ] {
        let mut edited = story.clone();
        edited.yaml = edited.yaml.replace(from, to);
        assert_ne!(digest(&edited), calm, "{to}");
    }
    // Who leaves the group loses it by the roster, and that counts.
    let mut left = story.clone();
    left.yaml = left.yaml.replace("groups: [developers]", "groups: []");
    let plan = left.plan();
    assert_eq!(plan.losing.keys().map(|user| user.as_str()).collect::<Vec<_>>(), ["alice"]);
    assert!(plan.bindings.iter().all(|action| action.diff().verb == BindingVerb::Unbind));
}
