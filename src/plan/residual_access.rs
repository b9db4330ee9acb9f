//! What a credential may still do when none of our bindings names it: bindings of others that name
//! its owner, or a group that is written into the certificate.

use std::collections::BTreeMap;

use super::observed::{self, BindingAt, ClusterState};
use crate::model::UserName;
use crate::record::Credential;
use crate::roster::Roster;

/// Bindings that are not ours, by what they name.
pub(super) struct ForeignBindings<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a BindingAt>>);

/// One way in which a credential keeps access.
pub(super) struct ResidualAccess<'a> {
    /// `user` or `group`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) subject: &'a str,
    /// Through which binding.
    pub(super) at: &'a BindingAt,
}

impl<'a> ForeignBindings<'a> {
    pub(super) fn new(roster: &Roster, state: &'a ClusterState) -> Self {
        let mut by_subject: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for binding in state.bindings.iter().filter(|b| !observed::is_ours(&b.labels, &roster.name)) {
            for subject in &binding.subjects {
                by_subject.entry((&*subject.kind, &*subject.name)).or_default().push(&binding.at);
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
            let bindings = self.0.get(&(kind, subject)).into_iter().flatten();
            bindings.map(move |at| ResidualAccess { kind: word, subject, at })
        })
    }
}
