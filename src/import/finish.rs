//! Which bindings of others the roster has replaced: subjects that can be taken out of them, since everyone whom they
//! name holds the same role there through certctl, with a credential that is bound now.

use std::collections::{BTreeSet, HashSet};

use super::subject::{LeftOut, Principal, principal};
use crate::access::granted;
use crate::access::rights::ClusterRoster;
use crate::error::visible_line;
use crate::model::{CredentialGroup, GroupName, UserName};
use crate::plan::RepositoryState;
use crate::plan::observed::{ClusterState, LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, is_ours};
use crate::rbac::{Binding, Requester, Roles, Subject};
use crate::record::CredentialState;

/// Subjects of a binding that the roster has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedSubjects<'a> {
    pub binding: &'a Binding,
    /// Their places in the binding, ascending; never empty.
    pub subjects: Vec<usize>,
}

impl ReplacedSubjects<'_> {
    /// Whether nobody is left in the binding.
    pub fn is_whole(&self) -> bool {
        self.subjects.len() == self.binding.subjects.len()
    }
}

/// A subject that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<'a> {
    pub binding: &'a Binding,
    pub principal: Principal,
    pub why: Missing,
}

/// What is missing before a subject can be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The roster does not name them.
    NotOnRoster,
    /// Nobody on the roster is in the group.
    NoMembers,
    /// They have no credential that is bound.
    Unbound(UserName),
    /// They hold another role through certctl, and not this one there.
    Role(UserName),
    /// There is no such role, so the binding gives nothing.
    NoRole,
    /// certctl itself gets in by it.
    Ourselves,
    /// The name of the binding cannot be shown as it is.
    Hidden,
}

/// What can go, and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finish<'a> {
    pub removals: Vec<ReplacedSubjects<'a>>,
    pub kept: Vec<Kept<'a>>,
    pub left_out: LeftOut,
}

/// Looks at every binding that no roster made. `me`: as whom certctl itself is known there.
pub fn finish<'a>(
    here: ClusterRoster<'_>,
    repository: &RepositoryState,
    state: &'a ClusterState,
    me: &Requester,
) -> Finish<'a> {
    let held = HeldRoles::new(here, repository, state);
    let mut finish = Finish::default();
    for binding in &state.bindings {
        // Repaired by the apply of its roster.
        if binding.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY)
            && binding.labels.contains_key(LABEL_ROSTER)
        {
            continue;
        }
        let mut gone = Vec::new();
        for (index, subject) in binding.subjects.iter().enumerate() {
            match principal(subject) {
                Err(kind) => finish.left_out.note(kind, subject.clone()),
                Ok(principal) => match held.missing(binding, &principal, me) {
                    None => gone.push(index),
                    Some(why) => finish.kept.push(Kept { binding, principal, why }),
                },
            }
        }
        if !gone.is_empty() {
            finish.removals.push(ReplacedSubjects { binding, subjects: gone });
        }
    }
    finish
}

/// Who holds which role where through certctl.
struct HeldRoles<'s> {
    here: ClusterRoster<'s>,
    roles: &'s Roles,
    /// User, kind and name of the role, and the namespace; `None` is the whole cluster.
    held: HashSet<(UserName, &'s str, &'s str, Option<&'s str>)>,
    bound: BTreeSet<UserName>,
}

impl<'s> HeldRoles<'s> {
    fn new(here: ClusterRoster<'s>, repository: &RepositoryState, state: &'s ClusterState) -> Self {
        let mut roles = Self { here, roles: &state.roles, held: HashSet::new(), bound: BTreeSet::new() };
        let counts = |subject: &Subject| {
            let group: CredentialGroup = subject.name.parse().ok().filter(|_| subject.kind == "Group")?;
            let (user, record) = group.holder.find_in(&repository.records)?;
            let known = record.credentials.iter().any(|credential| {
                credential.id == group.id
                    && credential.state == CredentialState::Active
                    && credential.not_after > here.now
            });
            known.then(|| user.clone())
        };
        let ours =
            |binding: &&Binding| is_ours(&binding.labels, &here.roster.name) && !binding.deletion_requested;
        for binding in state.bindings.iter().filter(ours) {
            let (kind, name) = (binding.role_kind.as_str(), binding.role_name.as_str());
            for user in binding.subjects.iter().filter_map(counts) {
                roles.bound.insert(user.clone());
                roles.held.insert((user, kind, name, binding.at.namespace.as_deref()));
            }
        }
        roles
    }

    /// What is missing before this subject of the binding can go.
    fn missing(&self, binding: &Binding, principal: &Principal, me: &Requester) -> Option<Missing> {
        let ourselves = match principal {
            Principal::User(name) => me.user == *name,
            Principal::Group(name) => me.groups.contains(name),
        };
        if ourselves {
            return Some(Missing::Ourselves);
        }
        if visible_line(&binding.at.name) != binding.at.name {
            return Some(Missing::Hidden);
        }
        if self.roles.rules(binding.at.namespace.as_deref(), &binding.role_kind, &binding.role_name).is_none()
        {
            return Some(Missing::NoRole);
        }
        match principal {
            Principal::User(name) => match name.parse::<UserName>() {
                Ok(name) if self.here.roster.users.contains_key(&name) => self.lacks(binding, &name),
                _ => Some(Missing::NotOnRoster),
            },
            Principal::Group(name) => {
                let Some(group) = name.parse().ok().filter(|name| self.here.roster.groups.contains_key(name))
                else {
                    return Some(Missing::NotOnRoster);
                };
                let mut members = self.members(&group).peekable();
                if members.peek().is_none() {
                    return Some(Missing::NoMembers);
                }
                members.find_map(|member| self.lacks(binding, member))
            }
        }
    }

    /// Who has access here now and is in the group.
    fn members(&self, group: &GroupName) -> impl Iterator<Item = &UserName> {
        let ClusterRoster { roster, cluster, now } = self.here;
        let is_in = move |user| granted::groups(user, cluster, now).any(|of| of == group);
        let users = roster.users.iter().filter(move |(_, user)| granted::has_access(user, cluster, now));
        users.filter(move |(_, user)| is_in(user)).map(|(name, _)| name)
    }

    fn lacks(&self, binding: &Binding, user: &UserName) -> Option<Missing> {
        if !self.bound.contains(user) {
            return Some(Missing::Unbound(user.clone()));
        }
        let holds = |namespace: Option<&str>| {
            let right = (user.clone(), binding.role_kind.as_str(), binding.role_name.as_str(), namespace);
            self.held.contains(&right)
        };
        let everywhere = binding.role_kind == "ClusterRole" && holds(None);
        let holds = everywhere || holds(binding.at.namespace.as_deref());
        (!holds).then(|| Missing::Role(user.clone()))
    }
}
