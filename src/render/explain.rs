//! What somebody may do, and why: for people, and for machines as `schemas/explain.schema.json` describes it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::text::date;
use super::{Style, colour, first_of};
use crate::access::explain::{ByRoster, Explanation, GroupThatAllows, InGroup, Obstacle, Ruling};
use crate::access::granted::GrantInForce;
use crate::access::rights::{HeldRight, Origin};
use crate::error::visible_line;
use crate::model::{ClusterName, UserName};
use crate::rbac::{AccessRequest, PolicyRule};

/// What a list in a sentence shows of itself.
const MOST_NAMES: usize = 8;

/// The cluster's own answer, and why, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAnswer {
    pub allowed: bool,
    /// May be empty.
    pub reason: String,
}

/// The output of `certctl explain --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainDocument {
    /// 1. It is raised when a field changes its meaning or is removed; fields may be added at any time.
    pub format_version: u32,
    /// The user's name.
    pub user: String,
    /// The cluster's name in the roster.
    pub cluster: String,
    /// The credential that speaks for the user: the newest that may be bound, else the newest revoked one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Whether the cluster's bindings and roles allow it; null if nothing was asked, or the cluster was not read.
    pub allowed: Option<bool>,
    /// What the cluster itself answers (SubjectAccessReview); null if it was not asked.
    pub cluster_says: Option<bool>,
    /// Why, in the cluster's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_reason: Option<String>,
    /// Every way in which rights come to the user; with a question, those that allow it. If the cluster was not
    /// read: what the roster grants.
    pub paths: Vec<PathDocument>,
    /// If the answer is no: groups of the roster that would allow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_that_allow: Vec<String>,
    /// If the answer is no: roles of the cluster that would allow it, the narrowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles_that_allow: Vec<String>,
    /// What stands in the user's way, as stable codes: `not-on-roster`, `not-on-cluster`, `suspended`, `ended`,
    /// `no-credential`, `revoked`.
    pub obstacles: Vec<&'static str>,
    /// Why the cluster was not read or not asked, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One way in which rights come to somebody.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathDocument {
    /// The group of the roster; null if it is a personal grant, or not certctl's.
    pub group: Option<String>,
    /// The subject that the binding names: `Group <name>` or `User <name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `RoleBinding <namespace>/<name>` or `ClusterRoleBinding <name>`; null if the cluster was not read.
    pub binding: Option<String>,
    /// Whether the binding is certctl's.
    pub managed: bool,
    /// `ClusterRole <name>` or `Role <name>`.
    pub role: String,
    /// Null for the whole cluster.
    pub namespace: Option<String>,
    /// When the roster ends it (RFC 3339); null if it does not.
    pub until: Option<String>,
    /// The rules of the role; with a question, those that allow it.
    pub rules: Vec<RuleDocument>,
}

/// A rule of a role, as in Kubernetes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleDocument {
    pub verbs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

impl From<&PolicyRule> for RuleDocument {
    fn from(rule: &PolicyRule) -> Self {
        let PolicyRule { verbs, api_groups, resources, resource_names, non_resource_urls } = rule.clone();
        Self { verbs, api_groups, resources, resource_names, non_resource_urls }
    }
}

/// The explanation as a document.
pub fn document(
    cluster: &ClusterName,
    explanation: &Explanation<'_>,
    question: Option<&AccessRequest>,
    says: Option<&ClusterAnswer>,
) -> ExplainDocument {
    let Explanation { user, credential, requester: _, obstacles, rights, answer } = explanation;
    let groups = answer.iter().flat_map(|answer| &answer.groups);
    ExplainDocument {
        format_version: 1,
        user: user.to_string(),
        cluster: cluster.to_string(),
        credential: credential.map(|credential| credential.id.to_string()),
        allowed: answer.as_ref().map(|answer| answer.allowed),
        cluster_says: says.map(|says| says.allowed),
        cluster_reason: says.map(|says| says.reason.clone()).filter(|reason| !reason.is_empty()),
        paths: rights.iter().map(|right| path(right, question)).collect(),
        groups_that_allow: groups.map(|allows| allows.group.to_string()).collect(),
        roles_that_allow: answer.iter().flat_map(|answer| &answer.roles).cloned().collect(),
        obstacles: obstacles.iter().map(code).collect(),
        error: None,
    }
}

fn path(right: &HeldRight<'_>, question: Option<&AccessRequest>) -> PathDocument {
    let HeldRight { origin, path, until } = right;
    PathDocument {
        group: origin.group().map(ToString::to_string),
        subject: Some(format!("{} {}", path.subject.kind, path.subject.name)),
        binding: Some(path.binding.at.to_string()),
        managed: *origin != Origin::Others,
        role: role(right),
        namespace: path.binding.at.namespace.clone(),
        until: until.map(|until| until.to_string()),
        rules: rules(right, question).map(RuleDocument::from).collect(),
    }
}

fn role(right: &HeldRight<'_>) -> String {
    format!("{} {}", right.path.binding.role_kind, right.path.binding.role_name)
}

/// The rules of its role; with a question, those that allow it.
fn rules<'a>(
    right: &HeldRight<'a>,
    question: Option<&'a AccessRequest>,
) -> impl Iterator<Item = &'a PolicyRule> + use<'a> {
    let rules = right.path.rules.unwrap_or_default();
    rules.iter().filter(move |rule| question.is_none_or(|request| rule.allows(request)))
}

fn code(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NotOnRoster => "not-on-roster",
        Obstacle::NotOnCluster => "not-on-cluster",
        Obstacle::Suspended => "suspended",
        Obstacle::Ended(_) => "ended",
        Obstacle::NoCredential => "no-credential",
        Obstacle::Revoked(_) => "revoked",
    }
}

/// The explanation for people; `rules` lists those of each role.
pub fn text(
    cluster: &ClusterName,
    explanation: &Explanation<'_>,
    question: Option<&AccessRequest>,
    says: Option<&ClusterAnswer>,
    with_rules: bool,
    style: Style,
) -> String {
    let Explanation { user, credential, requester: _, obstacles, rights, answer } = explanation;
    let mut out = String::new();
    match (answer, question) {
        (Some(answer), Some(request)) => {
            let (word, paint) = if answer.allowed { ("yes", colour::ADD) } else { ("no", colour::REMOVE) };
            let may = if answer.allowed { "may" } else { "may not" };
            let sentence = format!("{user} {may} {} on {cluster}", asked(request));
            let _ = writeln!(out, "{}: {}", style.paint(paint, word), visible_line(&sentence));
        }
        _ => {
            let credential = match credential {
                Some(credential) => {
                    format!("credential {}, valid until {}", credential.id, date(credential.not_after))
                }
                None => "no credential".to_owned(),
            };
            let _ =
                writeln!(out, "{} on {cluster}: {credential}", style.paint(colour::HEADING, user.as_str()));
        }
    }
    for obstacle in obstacles {
        let sentence = self::obstacle(user, cluster, obstacle);
        let _ = writeln!(out, "  {} {sentence}", style.paint(colour::WARN, "!"));
    }
    for right in rights {
        let place = match &right.path.binding.at.namespace {
            None => "everywhere".to_owned(),
            Some(namespace) => format!("in {namespace}"),
        };
        let _ = writeln!(out, "  {}", visible_line(&format!("{} {place}", role(right))));
        let until = right.until.map_or(String::new(), |until| format!(", until {}", date(until)));
        let through = format!("through {}{until}", through(right));
        let _ = writeln!(out, "    {}", visible_line(&through));
        if right.path.rules.is_none() {
            let _ = writeln!(out, "    that role does not exist, so it allows nothing");
        }
        if with_rules || question.is_some() {
            for rule in rules(right, question) {
                let _ = writeln!(out, "    {}", visible_line(&self::rule(rule)));
            }
        }
    }
    if let Some(Ruling { allowed: false, elsewhere, groups, roles }) = answer {
        if !elsewhere.is_empty() {
            let names = first_of(elsewhere, MOST_NAMES);
            let _ = writeln!(out, "  {}", visible_line(&format!("they may in {names}")));
        }
        for allows in groups {
            let _ = writeln!(out, "  {}", group(user, allows));
        }
        if groups.is_empty() {
            let _ = writeln!(out, "  no group of the roster would allow it");
        }
        if !roles.is_empty() {
            let names = first_of(roles, MOST_NAMES);
            let _ = writeln!(out, "  {}", visible_line(&format!("roles that allow it: {names}")));
        }
    }
    if rights.is_empty() && answer.is_none() {
        out.push_str("  no rights\n");
    }
    if let (Some(answer), Some(says)) = (answer, says) {
        out.push_str(&agreement(answer, says, style));
    }
    out
}

/// What the roster grants, where the cluster was not read.
pub fn text_by_roster(cluster: &ClusterName, by_roster: &ByRoster<'_>, style: Style) -> String {
    let ByRoster { user, credential, obstacles, granted } = by_roster;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} on {cluster}, by roster and records; the cluster was not read: {}",
        style.paint(colour::HEADING, user.as_str()),
        credential.map_or("no credential".to_owned(), |credential| format!("credential {}", credential.id))
    );
    for obstacle in obstacles {
        let sentence = self::obstacle(user, cluster, obstacle);
        let _ = writeln!(out, "  {} {sentence}", style.paint(colour::WARN, "!"));
    }
    for GrantInForce { grant, through, until } in granted {
        let place = grant.places().map_or_else(|| "everywhere".to_owned(), |places| format!("in {places}"));
        let _ = writeln!(out, "  {} {place}", grant.role);
        let until = until.map_or(String::new(), |until| format!(", until {}", date(until)));
        let through = through.map_or("their own grant".to_owned(), |group| format!("group {group}"));
        let _ = writeln!(out, "    through {through}{until}");
    }
    out
}

/// What the roster grants, where the cluster was not read.
pub fn document_by_roster(cluster: &ClusterName, by_roster: &ByRoster<'_>) -> ExplainDocument {
    let ByRoster { user, credential, obstacles, granted } = by_roster;
    let paths = granted.iter().flat_map(|GrantInForce { grant, through, until }| {
        let namespaces: Vec<Option<String>> = match &grant.namespaces {
            None => vec![None],
            Some(names) => {
                let named = names.iter().map(|(name, _)| name.to_string());
                named.chain(grant.matching.as_ref().map(ToString::to_string)).map(Some).collect()
            }
        };
        namespaces.into_iter().map(move |namespace| PathDocument {
            group: through.map(ToString::to_string),
            subject: None,
            binding: None,
            managed: true,
            role: grant.role.to_string(),
            namespace,
            until: until.map(|until| until.to_string()),
            rules: Vec::new(),
        })
    });
    ExplainDocument {
        format_version: 1,
        user: user.to_string(),
        cluster: cluster.to_string(),
        credential: credential.map(|credential| credential.id.to_string()),
        allowed: None,
        cluster_says: None,
        cluster_reason: None,
        paths: paths.collect(),
        groups_that_allow: Vec::new(),
        roles_that_allow: Vec::new(),
        obstacles: obstacles.iter().map(code).collect(),
        error: None,
    }
}

/// Whether the cluster says the same.
fn agreement(answer: &Ruling, says: &ClusterAnswer, style: Style) -> String {
    let word = if says.allowed { "yes" } else { "no" };
    if says.allowed == answer.allowed {
        return format!("  The cluster says {word} too.\n");
    }
    let mut out = String::new();
    let reason =
        if says.reason.is_empty() { String::new() } else { format!(": {}", visible_line(&says.reason)) };
    let _ = writeln!(out, "  {}", style.paint(colour::WARN, &format!("The cluster says {word}{reason}.")));
    out.push_str(
        "  certctl reads bindings and roles (RBAC). Either another authorizer decides as well, such as a webhook, or \
         something changed between the two answers: ask again.\n",
    );
    out
}

/// `get secrets in shop`.
pub fn asked(request: &AccessRequest) -> String {
    match request {
        AccessRequest::Path { verb, path } => format!("{verb} {path}"),
        AccessRequest::Resource { verb, group, resource, subresource, namespace, name } => {
            let mut text = format!("{verb} {resource}");
            if !group.is_empty() && group != "*" {
                let _ = write!(text, ".{group}");
            }
            if !subresource.is_empty() {
                let _ = write!(text, "/{subresource}");
            }
            if !name.is_empty() {
                let _ = write!(text, " {name}");
            }
            match namespace {
                Some(namespace) => text + " in " + namespace,
                None => text + " everywhere",
            }
        }
    }
}

/// `group developers: RoleBinding shop/certctl:developers:edit`.
fn through(right: &HeldRight<'_>) -> String {
    let (at, subject) = (&right.path.binding.at, right.path.subject);
    match &right.origin {
        Origin::Group(group) => format!("group {group}: {at}"),
        Origin::Personal => format!("their own grant: {at}"),
        Origin::Others => format!("{at}, which is not certctl's and names {} {}", subject.kind, subject.name),
    }
}

/// `get, list: pods, deployments.apps`.
pub fn rule(rule: &PolicyRule) -> String {
    let PolicyRule { verbs, api_groups, resources, resource_names, non_resource_urls } = rule;
    let group = |group: &String| if group.is_empty() { "core".to_owned() } else { group.clone() };
    let mut parts = Vec::new();
    if !resources.is_empty() {
        let groups: Vec<String> = api_groups.iter().map(group).collect();
        let only_core = groups == ["core"];
        let of = if only_core { String::new() } else { format!(" of {}", groups.join(", ")) };
        let names = if resource_names.is_empty() {
            String::new()
        } else {
            format!(" named {}", resource_names.join(", "))
        };
        parts.push(format!("{}{of}{names}", resources.join(", ")));
    }
    if !non_resource_urls.is_empty() {
        parts.push(non_resource_urls.join(", "));
    }
    format!("{}: {}", verbs.join(", "), parts.join("; "))
}

fn group(user: &UserName, allows: &GroupThatAllows) -> String {
    let GroupThatAllows { group, role, membership } = allows;
    match membership {
        InGroup::Outside => format!("group {group} would allow it ({role}), and {user} is not in it"),
        InGroup::Ended(at) => {
            format!("group {group} would allow it ({role}); {user}'s membership ended {}", date(*at))
        }
        InGroup::NotBound => format!(
            "group {group} allows it ({role}) and {user} is in it, but no binding names their credential: see `certctl plan`"
        ),
    }
}

/// What stands in somebody's way, as a sentence.
pub fn obstacle(user: &UserName, cluster: &ClusterName, obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::NotOnRoster => format!("{user} is not on the roster"),
        Obstacle::NotOnCluster => format!("the roster gives {user} no access to {cluster}"),
        Obstacle::Suspended => format!("{user} is suspended"),
        Obstacle::Ended(at) => format!("{user}'s access ended {}", date(*at)),
        Obstacle::NoCredential => format!("{user} has no credential for {cluster} that is still valid"),
        Obstacle::Revoked(until) => {
            format!("{user}'s credential was revoked; it still authenticates until {}", date(*until))
        }
    }
}

/// The JSON Schema of [`ExplainDocument`], as committed in `schemas/explain.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(ExplainDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
