//! What certctl has on one cluster, and what lives on when that is gone.

use std::collections::BTreeSet;

use crate::model::{CredentialGroup, UserName};
use crate::plan::RepositoryState;
use crate::plan::observed::{Binding, ClusterState, is_ours};
use crate::record::Credential;

use super::rights::ClusterRoster;

/// Both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains<'a> {
    /// What carries this roster's labels.
    pub bindings: Vec<&'a Binding>,
    /// Bindings of others that name one of the certificates, with which.
    pub foreign: Vec<(&'a Binding, CredentialGroup)>,
    /// The certificates that have not expired.
    pub certificates: Vec<(&'a UserName, &'a Credential)>,
}

/// Looks for them.
pub fn remains<'a>(
    here: ClusterRoster<'_>,
    repository: &'a RepositoryState,
    state: &'a ClusterState,
) -> Remains<'a> {
    let (bindings, others): (Vec<&Binding>, Vec<&Binding>) =
        state.bindings.iter().partition(|binding| is_ours(&binding.labels, &here.roster.name));
    let recorded = repository.records.iter();
    let certificates = recorded.flat_map(|(user, record)| record.credentials.iter().map(move |c| (user, c)));
    let certificates: Vec<_> = certificates.filter(|(_, c)| c.not_after > here.now).collect();
    let known: BTreeSet<CredentialGroup> =
        certificates.iter().map(|(user, c)| CredentialGroup::new(user, c.id.clone())).collect();
    let foreign = others.into_iter().flat_map(|binding| {
        let groups = binding.subjects.iter().filter(|subject| subject.kind == "Group");
        let named = groups.filter_map(|subject| subject.name.parse().ok()).filter(|it| known.contains(it));
        named.map(move |group| (binding, group))
    });
    let foreign = foreign.collect();
    Remains { bindings, foreign, certificates }
}
