//! Why somebody can or cannot do something on one cluster, as far as its bindings and roles decide it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::granted::{GrantInForce, granted};
use super::rights::{self, ClusterRoster, HeldRight};
use crate::model::{GroupName, UserName};
use crate::plan::RepositoryState;
use crate::plan::observed::ClusterState;
use crate::rbac::{AccessRequest, Authorizer, PolicyRule, Requester, Roles};
use crate::record::{Credential, CredentialState};

/// What somebody may do on one cluster, and through what.
#[derive(Debug)]
pub struct Explanation<'a> {
    pub user: UserName,
    /// The credential that speaks for them; `None` where they have none that has not expired.
    pub credential: Option<&'a Credential>,
    /// As whom the API server sees it.
    pub requester: Requester,
    /// What stands in their way, whatever they ask for.
    pub obstacles: Vec<Obstacle>,
    /// Every right; with a question, those that allow it.
    pub rights: Vec<HeldRight<'a>>,
    /// The answer to the question, where one was asked.
    pub answer: Option<Ruling>,
}

/// Why somebody may do nothing, or less than the roster says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    NotOnRoster,
    NotOnCluster,
    Suspended,
    /// Their access ended then.
    Ended(Timestamp),
    NoCredential,
    /// Their newest was revoked; until then it still authenticates.
    Revoked(Timestamp),
}

/// Yes or no, and what leads to a yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    pub allowed: bool,
    /// Where else they may: namespaces; only where the answer is no.
    pub elsewhere: BTreeSet<String>,
    /// Groups of the roster that would allow it; only where the answer is no.
    pub groups: Vec<GroupThatAllows>,
    /// Roles of the cluster that would allow it, the narrowest first; only where the answer is no.
    pub roles: Vec<String>,
}

/// A group of the roster whose members may do it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupThatAllows {
    pub group: GroupName,
    /// Kind and name of the role that it grants.
    pub role: String,
    pub membership: InGroup,
}

/// Whether somebody is in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum InGroup {
    /// They are, and no binding names their credential for it.
    NotBound,
    /// They were until then.
    Ended(Timestamp),
    Outside,
}

/// Explains what somebody may do on a cluster that was read.
pub fn explain<'a>(
    here: ClusterRoster<'_>,
    repository: &'a RepositoryState,
    state: &'a ClusterState,
    user: &UserName,
    question: Option<&AccessRequest>,
) -> Explanation<'a> {
    let authorizer = Authorizer::new(&state.roles, &state.bindings);
    let credential = rights::credential(repository.records.get(user), here.now);
    let requester = rights::requester(user, credential);
    let (rights, answer) = match question {
        None => (here.rights(user, &requester, &authorizer), None),
        Some(request) => {
            let paths = authorizer.allowing(&requester, request).into_iter();
            let rights: Vec<HeldRight<'a>> = paths.map(|path| here.right(user, path)).collect();
            let answer =
                answer(here, user, &requester, &authorizer, &state.roles, request, !rights.is_empty());
            (rights, Some(answer))
        }
    };
    let obstacles = obstacles(here, user, credential);
    Explanation { user: user.clone(), credential, requester, obstacles, rights, answer }
}

/// What roster and records say of somebody on a cluster that was not read.
#[derive(Debug)]
pub struct ByRoster<'a> {
    pub user: UserName,
    pub credential: Option<&'a Credential>,
    pub obstacles: Vec<Obstacle>,
    /// What the roster grants them now.
    pub granted: Vec<GrantInForce<'a>>,
}

/// What roster and records say.
pub fn by_roster<'a>(
    here: ClusterRoster<'a>,
    repository: &'a RepositoryState,
    user: &UserName,
) -> ByRoster<'a> {
    let credential = rights::credential(repository.records.get(user), here.now);
    let obstacles = obstacles(here, user, credential);
    ByRoster {
        user: user.clone(),
        credential,
        obstacles,
        granted: granted(here.roster, user, here.cluster, here.now),
    }
}

/// What stands in somebody's way, by roster and records.
fn obstacles(here: ClusterRoster<'_>, user: &UserName, credential: Option<&Credential>) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    match here.roster.users.get(user) {
        None => obstacles.push(Obstacle::NotOnRoster),
        Some(person) => {
            if !person.clusters.contains(here.cluster) {
                obstacles.push(Obstacle::NotOnCluster);
            }
            if person.suspended {
                obstacles.push(Obstacle::Suspended);
            }
            obstacles.extend(person.until.filter(|until| *until <= here.now).map(Obstacle::Ended));
        }
    }
    match credential {
        None => obstacles.push(Obstacle::NoCredential),
        Some(credential) if credential.state == CredentialState::Revoked => {
            obstacles.push(Obstacle::Revoked(credential.not_after));
        }
        Some(_) => {}
    }
    obstacles
}

fn answer(
    here: ClusterRoster<'_>,
    user: &UserName,
    requester: &Requester,
    authorizer: &Authorizer<'_>,
    roles: &Roles,
    request: &AccessRequest,
    allowed: bool,
) -> Ruling {
    if allowed {
        return Ruling { allowed, elsewhere: BTreeSet::new(), groups: Vec::new(), roles: Vec::new() };
    }
    let allows = |rules: &[PolicyRule]| rules.iter().any(|rule| rule.allows(request));
    let elsewhere = authorizer.paths(requester).into_iter();
    let elsewhere = elsewhere.filter(|path| path.rules.is_some_and(allows));
    Ruling {
        allowed,
        elsewhere: elsewhere.filter_map(|path| path.binding.at.namespace.clone()).collect(),
        groups: groups(here, user, roles, request),
        roles: narrowest(roles, request),
    }
}

fn groups(
    here: ClusterRoster<'_>,
    user: &UserName,
    roles: &Roles,
    request: &AccessRequest,
) -> Vec<GroupThatAllows> {
    let mut found = Vec::new();
    for (name, group) in &here.roster.groups {
        let grants = group.grants.iter().filter(|grant| grant.clusters.includes(here.cluster));
        let allows = grants.filter(|grant| {
            let namespace = request.namespace();
            let counts =
                rights::covers(grant, None) || namespace.is_some() && rights::covers(grant, namespace);
            let rules = roles.rules(namespace, grant.role.kind(), grant.role.name().as_str());
            counts && rules.is_some_and(|rules| rules.iter().any(|rule| rule.allows(request)))
        });
        let Some(grant) = allows.min_by_key(|grant| grant.role.clone()) else { continue };
        let membership = here.roster.users.get(user).and_then(|user| user.groups.get(name));
        let membership = match membership.filter(|membership| membership.clusters.includes(here.cluster)) {
            None => InGroup::Outside,
            Some(membership) => match membership.until.filter(|until| *until <= here.now) {
                Some(ended) => InGroup::Ended(ended),
                None => InGroup::NotBound,
            },
        };
        found.push(GroupThatAllows { group: name.clone(), role: grant.role.to_string(), membership });
    }
    found
}

/// The roles that allow it, those first that allow the least besides. Roles of Kubernetes' own components are for
/// nobody else.
fn narrowest(roles: &Roles, request: &AccessRequest) -> Vec<String> {
    let cluster_roles =
        roles.cluster_roles.iter().map(|(name, rules)| (format!("ClusterRole {name}"), name, rules));
    let here =
        roles.roles.iter().filter(|((namespace, _), _)| Some(namespace.as_str()) == request.namespace());
    let here = here.map(|((_, name), rules)| (format!("Role {name}"), name, rules));
    let all = cluster_roles.chain(here).filter(|(_, name, _)| !name.starts_with("system:"));
    let mut found: Vec<(bool, usize, String)> = all
        .filter(|(_, _, rules)| rules.iter().any(|rule| rule.allows(request)))
        .map(|(text, _, rules)| (rules.iter().any(PolicyRule::is_everything), rules.len(), text))
        .collect();
    found.sort();
    found.into_iter().map(|(_, _, text)| text).collect()
}
