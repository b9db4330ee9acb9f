//! What a credential may do through bindings of others, whatever ours say: they name its owner, or a group that is
//! written into the certificate.

use std::collections::{BTreeMap, BTreeSet};

use super::action::CredentialAction;
use super::observed::{self, Binding, BindingAt, ClusterState, RepositoryState};
use crate::model::{GroupName, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::Roster;

/// Bindings that are not ours, by what they name.
pub(super) struct ForeignBindings<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a Binding>>);

/// One way in which a credential keeps access.
pub(super) struct ResidualAccess<'a> {
    /// `user` or `group`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) subject: &'a str,
    /// Through which binding.
    pub(super) at: &'a BindingAt,
}

/// A role that a binding of others gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GivenRole {
    /// Its kind and name, as the binding has them.
    pub role: String,
    pub at: BindingAt,
}

impl<'a> ForeignBindings<'a> {
    pub(super) fn new(roster: &Roster, state: &'a ClusterState) -> Self {
        let mut by_subject: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for binding in state.bindings.iter().filter(|b| !observed::is_ours(&b.labels, &roster.name)) {
            for subject in &binding.subjects {
                by_subject.entry((&*subject.kind, &*subject.name)).or_default().push(binding);
            }
        }
        Self(by_subject)
    }

    /// Every binding through which this credential has access that we cannot take away.
    pub(super) fn left_to(
        &self,
        user: &'a UserName,
        credential: &'a Credential,
    ) -> impl Iterator<Item = ResidualAccess<'a>> {
        let groups = credential.in_certificate_groups.iter().map(|group| ("Group", "group", group.as_str()));
        let subjects = groups.chain([("User", "user", user.as_str())]);
        subjects.flat_map(|(kind, word, subject)| {
            self.of(kind, subject).map(move |binding| ResidualAccess { kind: word, subject, at: &binding.at })
        })
    }

    /// What bindings give a group.
    pub(super) fn given_to_group(&self, group: &str) -> BTreeSet<GivenRole> {
        self.of("Group", group).map(given).collect()
    }

    /// What bindings give somebody by a new certificate, and did not before: by their name where they had none, by
    /// a group where none that is still of use names it.
    pub(super) fn gained(
        &self,
        actions: &[CredentialAction],
        repository: &RepositoryState,
    ) -> BTreeSet<(UserName, GivenRole)> {
        let mut gained = BTreeSet::new();
        for action in actions {
            let (user, Some(new)) = (action.user(), action.new_credential()) else { continue };
            let credentials = repository.records.get(user).into_iter().flat_map(|record| &record.credentials);
            let used: Vec<&Credential> =
                credentials.filter(|credential| credential.state != CredentialState::Revoked).collect();
            let is_new =
                |group: &&GroupName| !used.iter().any(|old| old.in_certificate_groups.contains(group));
            let groups = new
                .issuance
                .in_certificate_groups
                .iter()
                .filter(is_new)
                .map(|group| ("Group", group.as_str()));
            let name = used.is_empty().then_some(("User", user.as_str()));
            let bindings = groups.chain(name).flat_map(|(kind, subject)| self.of(kind, subject));
            gained.extend(bindings.map(|binding| (user.clone(), given(binding))));
        }
        gained
    }

    fn of(&self, kind: &str, subject: &str) -> impl Iterator<Item = &'a Binding> + use<'a> {
        let bindings = self.0.get(&(kind, subject)).cloned();
        bindings.unwrap_or_default().into_iter()
    }
}

fn given(binding: &Binding) -> GivenRole {
    GivenRole { role: format!("{} {}", binding.role_kind, binding.role_name), at: binding.at.clone() }
}
