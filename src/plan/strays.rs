//! Credential groups of ours in bindings that are not ours by their labels, because somebody took a label off or
//! wrote the group into a binding of their own. Who must not be bound any more leaves those as well, and
//! nothing else of them is touched.

use std::collections::{BTreeMap, BTreeSet};

use super::binding_action::{role_in_cluster, subject_text};
use super::binding_diff::{BindingDiff, BindingVerb};
use super::binding_key::BindingSubject;
use super::change::{Change, ChangeReason};
use super::credentials::Leaving;
use super::emergency::credentials;
use super::held::Held;
use super::observed::{self, Binding, RepositoryState, SeenCluster};
use super::people::People;
use crate::model::{CredentialGroup, Holder, RosterName, UserName};

/// A binding of somebody else, and who leaves it.
#[derive(Debug, Clone)]
pub struct Stray {
    pub binding: Binding,
    /// Each with why; never empty.
    pub groups: BTreeMap<CredentialGroup, ChangeReason>,
}

/// Everything that the records or the ledger know as ours, and that may not be bound after the plan. What
/// nobody knows somebody else made up, and a warning tells of it.
pub(super) fn find(
    roster: &RosterName,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    people: &People,
    held: &[Held],
) -> Vec<Stray> {
    let ledger = cluster.ledger.known();
    // Where the cluster's memory is lost, that it knows nothing of a credential proves nothing.
    let proves = ledger.is_some_and(|ledger| !ledger.issued.is_empty());
    let is_unproven = |group: &CredentialGroup| {
        let same =
            |held: &Held| matches!(held, Held::NotIssuedByUs { credential, .. } if *credential == group.id);
        !proves && held.iter().any(same)
    };
    let why = |group: &CredentialGroup| {
        if people.binds(group) || is_unproven(group) {
            return None;
        }
        let in_ledger = ledger.is_some_and(|ledger| {
            ledger.issued.contains_key(&group.id) || ledger.revoked.contains_key(&group.id)
        });
        let record = group.holder.find_in(&repository.records);
        let recorded = record.is_some_and(|(_, record)| record.credentials.iter().any(|c| c.id == group.id));
        let revoked = ledger.is_some_and(|ledger| ledger.revoked.contains_key(&group.id));
        (in_ledger || recorded).then(|| match people.leaving.get(group) {
            Some(leaving) => ChangeReason::Leaving(leaving.clone()),
            None if revoked => ChangeReason::Leaving(Leaving::Revoked),
            None => ChangeReason::NotRecorded,
        })
    };
    let foreign = cluster.state.bindings.iter().filter(|binding| !observed::is_ours(&binding.labels, roster));
    let stray = |binding: &Binding| {
        let groups: BTreeMap<_, _> =
            credentials(binding).filter_map(|group| Some((group.clone(), why(&group)?))).collect();
        (!groups.is_empty()).then(|| Stray { binding: binding.clone(), groups })
    };
    let mut strays: Vec<Stray> = foreign.filter_map(stray).collect();
    strays.sort_by(|a, b| a.binding.at.cmp(&b.binding.at));
    strays
}

impl Stray {
    /// As it is shown: of the others in it, nothing is said.
    pub fn diff(&self) -> BindingDiff {
        let Self { binding, groups } = self;
        let named: BTreeSet<CredentialGroup> = credentials(binding).collect();
        let before = binding.subjects.iter().filter(|s| s.name.parse::<CredentialGroup>().is_ok());
        BindingDiff {
            at: binding.at.clone(),
            unsplit: binding.at.clone(),
            verb: BindingVerb::Update,
            role: role_in_cluster(binding),
            replaced_role: None,
            before: before.map(subject_text).collect(),
            after: named
                .into_iter()
                .filter(|g| !groups.contains_key(g))
                .map(BindingSubject::Recorded)
                .collect(),
            changes: self.changes().collect(),
            is_ours: false,
        }
    }

    fn changes(&self) -> impl Iterator<Item = Change> {
        self.groups.iter().map(|(group, why)| change(group, why))
    }

    /// Leaves in it whom safety withholds; `false` where nobody leaves it then.
    pub(super) fn withhold(&mut self, users: &BTreeSet<UserName>) -> bool {
        let holders: BTreeSet<Holder> = users.iter().map(Holder::of).collect();
        let is_theirs = |group: &CredentialGroup| holders.contains(&group.holder);
        self.groups.retain(|group, why| !is_theirs(group) || !change(group, why).can_be_withheld());
        !self.groups.is_empty()
    }
}

fn change(group: &CredentialGroup, why: &ChangeReason) -> Change {
    let subject = BindingSubject::Recorded(group.clone()).text();
    Change { subject, joins: false, holder: Some(group.holder.clone()), why: why.clone() }
}
