//! What a roster would say of the access that is bound on a cluster.
//!
//! Who is in a group, no binding says: that is in certificates. The cluster keeps the request for one for an hour, so
//! memberships are what is known of those. A request counts only where somebody approved it and it was signed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::subject::{LeftOut, NoPerson, Principal, person, principal};
use crate::model::{
    CLIENT_SIGNER, CredentialGroup, GroupName, Invalid, NAME_LIMIT, Namespace, RoleRef, UserName,
};
use crate::plan::observed::{ClusterState, SigningRequest};
use crate::rbac::{Binding, BindingAt, Subject};

/// Signers of certificates for nodes.
const NODE_SIGNERS: [&str; 2] =
    ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

/// Where a role is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantPlaces {
    Everywhere,
    /// Never empty.
    In(BTreeSet<Namespace>),
}

/// What somebody is granted: each role once.
pub type DraftGrants = BTreeMap<RoleRef, GrantPlaces>;

/// Somebody who would be on the roster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftUser {
    pub groups: BTreeSet<GroupName>,
    pub grants: DraftGrants,
    /// Whether a request for their certificate is still there, so that the groups are all of theirs.
    pub is_seen: bool,
}

/// A group that would be on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftGroup {
    /// Whether bindings name it, so that certificates carry it.
    pub in_certificate: bool,
    /// The group of the cluster whose grants it has, where no binding of certctl can have its name.
    pub stands_for: Option<GroupName>,
    pub grants: DraftGrants,
}

/// What could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    pub principal: Principal,
    /// What it would have come from; `None` where that is a request for a certificate.
    pub binding: Option<BindingAt>,
    pub why: WhyNotTaken,
}

/// Why something cannot be on a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNotTaken {
    /// The name.
    Name(Invalid),
    /// The name, and that of another user, differ in case only.
    SameButForCase(UserName),
    /// The name of the role.
    Role(String, Invalid),
    /// There is no such role, so the binding gives nothing.
    MissingRole(String),
    /// The name of the namespace.
    Namespace(Invalid),
    /// The namespace is being deleted.
    TerminatingNamespace,
    /// There is a certificate, and nothing is bound to it.
    NothingBound,
}

/// What a roster would say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterDraft {
    pub users: BTreeMap<UserName, DraftUser>,
    pub groups: BTreeMap<GroupName, DraftGroup>,
    /// In the order of the cluster.
    pub not_taken: Vec<NotTaken>,
    pub left_out: LeftOut,
}

/// All of it.
pub fn draft(state: &ClusterState) -> RosterDraft {
    let mut draft = RosterDraft::default();
    let mut names = KnownNames::default();
    for binding in &state.bindings {
        for subject in &binding.subjects {
            match principal(subject) {
                Err(kind) => draft.left_out.note(kind, subject.clone()),
                Ok(principal) => {
                    if let Err(why) = draft.take(state, binding, &principal, &mut names) {
                        draft.not_taken.push(NotTaken { principal, binding: Some(binding.at.clone()), why });
                    }
                }
            }
        }
    }
    for request in &state.requests {
        draft.take_request(request, &mut names);
    }
    draft.name_plainly();
    draft
}

/// Users' names without regard to case: some file systems do not tell `Ann` from `ann`.
#[derive(Debug, Default)]
struct KnownNames(HashMap<String, UserName>);

impl KnownNames {
    fn user(&mut self, text: &str) -> Result<UserName, WhyNotTaken> {
        let name: UserName = text.parse().map_err(WhyNotTaken::Name)?;
        let first = self.0.entry(text.to_ascii_lowercase()).or_insert_with(|| name.clone());
        if *first == name { Ok(name) } else { Err(WhyNotTaken::SameButForCase(first.clone())) }
    }
}

impl RosterDraft {
    fn take(
        &mut self,
        state: &ClusterState,
        binding: &Binding,
        principal: &Principal,
        names: &mut KnownNames,
    ) -> Result<(), WhyNotTaken> {
        let (role, namespace) = granted(state, binding)?;
        let grants = match principal {
            Principal::User(name) => &mut self.users.entry(names.user(name)?).or_default().grants,
            Principal::Group(name) => {
                let group = self.groups.entry(name.parse().map_err(WhyNotTaken::Name)?).or_default();
                group.in_certificate = true;
                &mut group.grants
            }
        };
        match (grants.get_mut(&role), namespace) {
            (Some(GrantPlaces::Everywhere), _) => {}
            (Some(GrantPlaces::In(namespaces)), Some(namespace)) => drop(namespaces.insert(namespace)),
            (_, None) => drop(grants.insert(role, GrantPlaces::Everywhere)),
            (None, Some(namespace)) => drop(grants.insert(role, GrantPlaces::In([namespace].into()))),
        }
        Ok(())
    }

    /// The groups of somebody who has a certificate.
    fn take_request(&mut self, request: &SigningRequest, names: &mut KnownNames) {
        let Some(name) = &request.common_name else { return };
        let user = || Subject { kind: "User".to_owned(), name: name.clone(), namespace: None };
        if NODE_SIGNERS.contains(&request.signer_name.as_str()) {
            return self.left_out.note(NoPerson::Node, user());
        }
        let ours = request.organizations.iter().any(|group| group.starts_with(CredentialGroup::PREFIX));
        let approved = request.conditions.iter().any(|condition| condition == "Approved");
        if request.signer_name != CLIENT_SIGNER || !approved || !request.issued || ours {
            return;
        }
        if let Err(kind) = person(name) {
            return self.left_out.note(kind, user());
        }
        let groups = request.organizations.iter().filter_map(|group| group.parse().ok());
        let groups: BTreeSet<GroupName> = groups.filter(|group| self.groups.contains_key(group)).collect();
        let taken = names.user(name).and_then(|name| {
            if groups.is_empty() && !self.users.contains_key(&name) {
                return Err(WhyNotTaken::NothingBound);
            }
            Ok(self.users.entry(name).or_default())
        });
        match taken {
            Ok(user) => {
                user.groups.extend(groups);
                user.is_seen = true;
            }
            Err(why) => {
                self.not_taken.push(NotTaken {
                    principal: Principal::User(name.clone()),
                    binding: None,
                    why,
                });
            }
        }
    }

    /// Gives the grants of each group whose name no binding of ours can have to one beside it.
    fn name_plainly(&mut self) {
        let odd = self.groups.keys().filter(|name| name.is_plain().is_err());
        for name in odd.cloned().collect::<Vec<_>>() {
            let Some(plain) = plain_name(&name, &self.groups) else { continue };
            let grants = self.groups.get_mut(&name).map(|group| std::mem::take(&mut group.grants));
            for user in self.users.values_mut().filter(|user| user.groups.contains(&name)) {
                user.groups.insert(plain.clone());
            }
            let group = DraftGroup {
                in_certificate: false,
                stands_for: Some(name),
                grants: grants.unwrap_or_default(),
            };
            self.groups.insert(plain, group);
        }
    }
}

/// What a binding gives, and where.
fn granted(state: &ClusterState, binding: &Binding) -> Result<(RoleRef, Option<Namespace>), WhyNotTaken> {
    let Binding { at, role_kind, role_name, .. } = binding;
    let name = role_name.parse().map_err(|why| WhyNotTaken::Role(role_name.clone(), why))?;
    let role = match role_kind.as_str() {
        "ClusterRole" => RoleRef::ClusterRole(name),
        _ => RoleRef::Role(name),
    };
    if state.roles.rules(at.namespace.as_deref(), role_kind, role_name).is_none() {
        return Err(WhyNotTaken::MissingRole(role.to_string()));
    }
    let Some(namespace) = &at.namespace else { return Ok((role, None)) };
    if state.terminating.contains(namespace) {
        return Err(WhyNotTaken::TerminatingNamespace);
    }
    Ok((role, Some(namespace.parse().map_err(WhyNotTaken::Namespace)?)))
}

/// A name that bindings can have, like this one.
fn plain_name(group: &GroupName, taken: &BTreeMap<GroupName, DraftGroup>) -> Option<GroupName> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._@".contains(c) { c } else { '-' };
    let lower = group.as_str().to_ascii_lowercase();
    // With room for a number behind it.
    let text: String = lower.chars().map(plain).take(NAME_LIMIT - 8).collect();
    let base = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let numbered = (2..=taken.len() + 2).map(|number| format!("{base}-{number}"));
    let names = std::iter::once(base.to_owned()).chain(numbered).filter_map(|name| name.parse().ok());
    { names }.find(|name: &GroupName| name.is_plain().is_ok() && !taken.contains_key(name))
}
