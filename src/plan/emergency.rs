//! What one person holds on a cluster, told from the cluster alone: for whoever has to be out now, where
//! there is no roster or repository to decide anything from.

use std::collections::BTreeSet;

use super::observed::{self, Binding, BindingAt, ClusterState, LABEL_MANAGED_BY, MANAGED_BY, Subject};
use crate::ledger::Ledger;
use crate::model::{CredentialGroup, CredentialId, Holder, RosterName, UserName};

/// Their credential groups in one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub binding: Binding,
    /// Never empty.
    pub groups: BTreeSet<CredentialGroup>,
}

/// Every binding that names a credential group of theirs, whoever it belongs to; or only that of one
/// credential. In a binding of another roster the same name is another person, unless the ledger knows the
/// credential.
pub fn holds(
    state: &ClusterState,
    roster: &RosterName,
    ledger: Option<&Ledger>,
    user: &UserName,
    only: Option<&CredentialId>,
) -> Vec<Hold> {
    let is_known = |id: &CredentialId| {
        ledger.is_some_and(|ledger| ledger.issued.contains_key(id) || ledger.revoked.contains_key(id))
    };
    let holder = Holder::of(user);
    let of = |binding: &Binding| {
        let elsewhere = binding.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY)
            && !observed::is_ours(&binding.labels, roster);
        let groups: BTreeSet<CredentialGroup> = credentials(binding)
            .filter(|group| group.holder == holder && only.is_none_or(|only| group.id == *only))
            .filter(|group| !elsewhere || is_known(&group.id))
            .collect();
        (!groups.is_empty()).then(|| Hold { binding: binding.clone(), groups })
    };
    state.bindings.iter().filter_map(of).collect()
}

/// The bindings that name the person by name: they give rights to whatever certificate of theirs.
pub fn by_name<'a>(state: &'a ClusterState, user: &UserName) -> impl Iterator<Item = &'a BindingAt> {
    let names = |binding: &&Binding| {
        binding.subjects.iter().any(|subject| subject.kind == "User" && subject.name == user.as_str())
    };
    state.bindings.iter().filter(names).map(|binding| &binding.at)
}

/// Everyone else in a binding, in the order of the object; `None` where none of these is in it.
pub fn without(binding: &Binding, groups: &BTreeSet<CredentialGroup>) -> Option<Vec<Subject>> {
    let names: BTreeSet<String> = groups.iter().map(ToString::to_string).collect();
    let goes = |subject: &&Subject| subject.kind == "Group" && names.contains(&subject.name);
    let rest: Vec<Subject> = binding.subjects.iter().filter(|subject| !goes(subject)).cloned().collect();
    (rest.len() < binding.subjects.len()).then_some(rest)
}

/// The credential groups that a binding names.
pub fn credentials(binding: &Binding) -> impl Iterator<Item = CredentialGroup> {
    let groups = binding.subjects.iter().filter(|subject| subject.kind == "Group");
    groups.filter_map(|subject| subject.name.parse().ok())
}
