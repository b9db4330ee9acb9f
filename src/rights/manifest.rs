//! The RBAC objects that grant an identity what it needs, and no more.
//!
//! They carry none of the labels of what a roster binds: what certctl itself may do, no apply changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::needed::{HOME, NeededRight};
use super::{Place, Right};
use crate::model::RosterName;

const RBAC: &str = "rbac.authorization.k8s.io";

/// One of the two things that certctl does on a cluster, each with an identity of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    Plan,
    Apply,
}

impl Duty {
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }
}

/// Whom RBAC knows the identity as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RbacSubject {
    User(String),
    Group(String),
    ServiceAccount { namespace: String, name: String },
}

impl RbacSubject {
    fn to_json(&self) -> Value {
        match self {
            Self::User(name) => json!({"apiGroup": RBAC, "kind": "User", "name": name}),
            Self::Group(name) => json!({"apiGroup": RBAC, "kind": "Group", "name": name}),
            Self::ServiceAccount { namespace, name } => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
        }
    }
}

/// The name of the objects that grant one of them its rights.
pub fn name(roster: &RosterName, duty: Duty) -> String {
    format!("certctl-{roster}-{}", duty.word())
}

/// What grants `needed` to the subjects: a ClusterRole, a Role where certctl keeps its own objects, and their bindings.
pub fn manifests(
    roster: &RosterName,
    duty: Duty,
    needed: &[NeededRight],
    subjects: &[RbacSubject],
) -> Vec<Value> {
    let name = name(roster, duty);
    let is_at_home =
        |right: &&Right| right.place == Place::Namespace(HOME.to_owned()) && right.verb != "bind";
    let (home, wide): (Vec<&Right>, Vec<&Right>) =
        needed.iter().map(|needed| &needed.right).partition(is_at_home);
    let subjects: Vec<Value> = subjects.iter().map(RbacSubject::to_json).collect();
    let mut objects = Vec::new();
    for (kind, rights, namespace) in [("ClusterRole", wide, None), ("Role", home, Some(HOME))] {
        let mut metadata = json!({"name": name, "labels": {"app.kubernetes.io/name": "certctl"}});
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        objects.push(json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": kind,
            "metadata": metadata,
            "rules": rules(&rights),
        }));
        objects.push(json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": format!("{kind}Binding"),
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
            "subjects": subjects,
        }));
    }
    objects
}

/// A namespace, and a service account in it for each name.
pub fn service_accounts(namespace: &str, names: &[&str]) -> Vec<Value> {
    let labels = json!({"app.kubernetes.io/name": "certctl"});
    let home =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    let account = |name: &&str| {
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
        })
    };
    [home].into_iter().chain(names.iter().map(account)).collect()
}

/// As few rules as say it.
fn rules(rights: &[&Right]) -> Vec<Value> {
    type Names<'r> = BTreeSet<&'r str>;
    let mut verbs: BTreeMap<(&str, &str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for right in rights {
        let key = (right.resource.group(), right.resource.plural(), right.name.as_deref());
        verbs.entry(key).or_default().insert(right.verb);
    }
    let mut names: BTreeMap<(&str, &str, bool, BTreeSet<&str>), Names<'_>> = BTreeMap::new();
    for ((group, resource, name), verbs) in verbs {
        names.entry((group, resource, name.is_some(), verbs)).or_default().extend(name);
    }
    let mut resources: BTreeMap<(&str, BTreeSet<&str>, Names<'_>), BTreeSet<&str>> = BTreeMap::new();
    for ((group, resource, _, verbs), names) in names {
        resources.entry((group, verbs, names)).or_default().insert(resource);
    }
    type Rule<'r> = ((&'r str, BTreeSet<&'r str>, Names<'r>), BTreeSet<&'r str>);
    let rule = |((group, verbs, names), resources): Rule<'_>| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    resources.into_iter().map(rule).collect()
}

/// What a rule grants, one by one: API group, resource or path, name, verb. `*` stands for all, and no name is any.
pub fn granted(rules: &Value) -> BTreeSet<[String; 4]> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        let mut names = texts(&rule["resourceNames"]);
        if names.is_empty() {
            names.push(String::new());
        }
        for path in texts(&rule["nonResourceURLs"]) {
            let each = |verb: String| [String::new(), path.clone(), String::new(), verb];
            granted.extend(texts(&rule["verbs"]).into_iter().map(each));
        }
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    let each = |name: &String| [group.clone(), resource.clone(), name.clone(), verb.clone()];
                    granted.extend(names.iter().map(each));
                }
            }
        }
    }
    granted
}
