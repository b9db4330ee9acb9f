//! What one rule allows.
//!
//! As `pkg/apis/rbac/v1/evaluation_helpers.go` of Kubernetes has it: there is no deny, `*` is every value, a rule
//! on `pods` does not cover `pods/log`, and a request without a name is never covered by `resourceNames`, as no
//! create, list, watch or deletecollection is.

use std::collections::BTreeSet;

/// Every value of a list.
const ALL: &str = "*";

/// A rule of a Role or a ClusterRole.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRule {
    pub verbs: Vec<String>,
    /// The core group is `""`.
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale` or `*`.
    pub resources: Vec<String>,
    /// Empty: all of them.
    pub resource_names: Vec<String>,
    /// `/metrics`, `/logs/*` or `*`; they count in ClusterRoleBindings only.
    pub non_resource_urls: Vec<String>,
}

/// What somebody asks to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessRequest {
    /// Something to objects of the API.
    Resource {
        verb: String,
        /// The core group is `""`.
        group: String,
        resource: String,
        /// Empty: the object itself.
        subresource: String,
        /// `None`: of the whole cluster, or in all namespaces.
        namespace: Option<String>,
        /// Empty: none in particular.
        name: String,
    },
    /// Something to a path outside the API, such as `/metrics`.
    Path { verb: String, path: String },
}

impl AccessRequest {
    /// The namespace whose RoleBindings count besides the ClusterRoleBindings.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Resource { namespace, .. } => namespace.as_deref(),
            Self::Path { .. } => None,
        }
    }
}

impl PolicyRule {
    /// Whether this rule alone allows it, wherever its role is bound.
    pub fn allows(&self, request: &AccessRequest) -> bool {
        match request {
            AccessRequest::Resource { verb, group, resource, subresource, namespace: _, name } => {
                self.covers(verb, group, resource, subresource)
                    && (self.resource_names.is_empty() || self.resource_names.contains(name))
            }
            AccessRequest::Path { verb, path } => {
                has(&self.verbs, verb) && self.non_resource_urls.iter().any(|url| covers_path(url, path))
            }
        }
    }

    /// Whether it allows everything that is in the API.
    pub fn is_everything(&self) -> bool {
        let all = |list: &[String]| list.iter().any(|one| one == ALL);
        all(&self.verbs) && all(&self.api_groups) && all(&self.resources) && self.resource_names.is_empty()
    }

    /// Whether any of its lists has a `*`, other than one of paths.
    pub fn has_wildcard(&self) -> bool {
        let lists = [&self.verbs, &self.api_groups, &self.resources];
        !self.resources.is_empty() && lists.into_iter().any(|list| list.iter().any(|one| one == ALL))
    }

    /// Verb and resource, whatever the names.
    fn covers(&self, verb: &str, group: &str, resource: &str, subresource: &str) -> bool {
        has(&self.verbs, verb)
            && has(&self.api_groups, group)
            && self.resources.iter().any(|rule| covers_resource(rule, resource, subresource))
    }
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|one| one == ALL || one == wanted)
}

fn covers_resource(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == ALL {
        return true;
    }
    if subresource.is_empty() {
        return rule == resource;
    }
    let below = |of: &str| rule.strip_prefix(of).and_then(|rest| rest.strip_prefix('/'));
    below(resource) == Some(subresource) || below(ALL) == Some(subresource)
}

fn covers_path(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

/// For which objects rules allow something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects<'r> {
    /// All.
    All,
    /// Those of these names; none where it is empty.
    Named(BTreeSet<&'r str>),
}

impl Objects<'_> {
    /// Whether it is allowed for the one of this name.
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// Whether it is allowed for none.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }
}

/// For which objects these rules together allow a verb on a resource, or a subresource `a/b`.
pub fn granted<'r>(rules: &'r [PolicyRule], verb: &str, group: &str, resource: &str) -> Objects<'r> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let mut names = BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.covers(verb, group, resource, subresource)) {
        if rule.resource_names.is_empty() {
            return Objects::All;
        }
        // What is to be created has no name yet when it is decided on; what it is created below has.
        if !(verb == "create" && subresource.is_empty()) {
            names.extend(rule.resource_names.iter().map(String::as_str));
        }
    }
    Objects::Named(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(|word| if word == "-" { "" } else { word }.to_owned()).collect()
    }

    fn rule(verbs: &str, groups: &str, resources: &str, names: &str) -> PolicyRule {
        PolicyRule {
            verbs: list(verbs),
            api_groups: list(groups),
            resources: list(resources),
            resource_names: list(names),
            non_resource_urls: Vec::new(),
        }
    }

    fn ask(verb: &str, group: &str, resource: &str, name: &str) -> AccessRequest {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        AccessRequest::Resource {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: None,
            name: name.into(),
        }
    }

    #[test]
    fn a_rule_covers_what_it_names_and_no_subresource_besides() {
        let pods = rule("get", "-", "pods", "");
        for (request, allowed) in [
            (ask("get", "", "pods", ""), true),
            (ask("get", "", "pods", "web"), true),
            (ask("get", "", "pods/log", "web"), false),
            (ask("list", "", "pods", ""), false),
            (ask("get", "apps", "pods", ""), false),
        ] {
            assert_eq!(pods.allows(&request), allowed, "{request:?}");
        }
        let scale = rule("*", "*", "*/scale deployments/status", "");
        for (request, allowed) in [
            (ask("update", "apps", "deployments/scale", "web"), true),
            (ask("update", "apps", "deployments", "web"), false),
            (ask("get", "apps", "deployments/status", "web"), true),
            (ask("get", "apps", "daemonsets/status", "web"), false),
            (ask("get", "apps", "scale", "web"), false),
        ] {
            assert_eq!(scale.allows(&request), allowed, "{request:?}");
        }
        assert!(rule("*", "*", "*", "").allows(&ask("create", "", "pods/exec", "web")));
    }

    #[test]
    fn a_wildcard_may_stand_in_each_list() {
        for (verbs, groups, resources, has) in [
            ("*", "apps", "pods", true),
            ("get", "*", "pods", true),
            ("get", "-", "*", true),
            ("get", "-", "*/scale", false),
            ("get", "-", "pods", false),
        ] {
            assert_eq!(
                rule(verbs, groups, resources, "").has_wildcard(),
                has,
                "{verbs} {groups} {resources}"
            );
        }
        let paths = PolicyRule { verbs: list("*"), non_resource_urls: list("*"), ..PolicyRule::default() };
        assert!(!paths.has_wildcard());
    }

    #[test]
    fn names_do_not_cover_a_request_without_one() {
        let named = rule("*", "-", "secrets", "db");
        assert!(named.allows(&ask("get", "", "secrets", "db")));
        assert!(!named.allows(&ask("get", "", "secrets", "other")));
        assert!(!named.allows(&ask("list", "", "secrets", "")));
        let rules = [named, rule("create", "-", "serviceaccounts/token", "robot")];
        assert_eq!(granted(&rules, "get", "", "secrets"), Objects::Named(["db"].into()));
        assert!(granted(&rules, "create", "", "secrets").is_none());
        assert!(granted(&rules, "create", "", "serviceaccounts/token").includes("robot"));
        assert_eq!(granted(&[rule("*", "*", "*", "")], "bind", "x", "y"), Objects::All);
    }

    #[test]
    fn a_path_ends_in_a_star_or_is_meant_exactly() {
        let rule = PolicyRule {
            verbs: list("get"),
            non_resource_urls: list("/healthz /logs/*"),
            ..PolicyRule::default()
        };
        let get = |path: &str| rule.allows(&AccessRequest::Path { verb: "get".into(), path: path.into() });
        assert!(get("/healthz") && get("/logs/") && get("/logs/a/b"));
        assert!(!get("/healthz/etcd") && !get("/logs") && !get("/"));
        assert!(!rule.allows(&ask("get", "", "pods", "")));
    }
}
