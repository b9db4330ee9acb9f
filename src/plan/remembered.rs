//! What the cluster remembers, held against what the repository says.
//!
//! Whoever can push can make a record up: a credential that no apply has issued does not count, and where the cluster has
//! noted nothing that was issued, none that it has not bound and that would be bound now. And they can
//! put an older record back: a credential that the cluster remembers as revoked is
//! revoked whatever its record says. Somebody who was removed by a commit that the roster's branch does not hold
//! yet stays out until it does. Everything else is decided on what is left.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::cleanup::Cleanup;
use super::cluster_plan::LedgerPlan;
use super::credentials::{grant_lasts, has_access};
use super::held::{Held, KeyUse};
use super::observed::{self, ClusterView, Observed, RepositoryState, SeenCluster, SeenLedger};
use super::warning::Warning;
use crate::ledger::{Ledger, Removal, RemovedBy};
use crate::model::{ClusterName, CredentialGroup, CredentialId, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::{Roster, User};

/// A repository as the cluster knows better.
pub(super) struct Remembered<'a> {
    /// The records, corrected.
    pub(super) repository: Cow<'a, RepositoryState>,
    /// Credentials that a record lets in and that were revoked.
    reclaimed: BTreeSet<(UserName, CredentialId)>,
    /// Whether what the cluster remembers can be known.
    pub(super) is_known: bool,
    pub(super) held: Vec<Held>,
    /// Whom the roster names, and the cluster keeps out.
    pub(super) kept_out: BTreeMap<UserName, Removal>,
}

impl<'a> Remembered<'a> {
    pub(super) fn new(roster: &Roster, name: &ClusterName, observed: Observed<'a>, now: Timestamp) -> Self {
        let mut this = Self {
            repository: Cow::Borrowed(observed.repository),
            reclaimed: BTreeSet::new(),
            is_known: true,
            held: Vec::new(),
            kept_out: BTreeMap::new(),
        };
        let ClusterView::Seen(cluster) = observed.cluster else { return this };
        match &cluster.ledger {
            SeenLedger::Missing => this.distrust(&Issued::of(None, roster, name, cluster, now), now),
            SeenLedger::Kept(stored) => {
                let is_here =
                    |user: &UserName| roster.users.get(user).is_some_and(|u| u.clusters.contains(name));
                let removed = stored.ledger.removed.iter();
                let kept_out = removed.filter(|(user, removal)| {
                    is_here(user) && !is_settled(roster, observed.repository, user, removal)
                });
                this.kept_out = kept_out.map(|(user, removal)| (user.clone(), removal.clone())).collect();
                this.distrust(&Issued::of(Some(&stored.ledger), roster, name, cluster, now), now);
                this.correct(roster, &stored.ledger, now);
            }
            SeenLedger::Unusable { message, hints } => {
                this.is_known = false;
                this.held.push(Held::Ledger { message: message.clone(), hints: hints.clone() });
            }
        }
        this
    }

    /// A record can be made up: what no apply has issued is not there.
    fn distrust(&mut self, issued: &Issued<'_>, now: Timestamp) {
        let counts = |user: &UserName, c: &Credential| {
            c.not_after <= now || c.state == CredentialState::Revoked || issued.knows(user, c)
        };
        for (user, record) in &self.repository.records {
            let made_up = record.credentials.iter().filter(|c| !counts(user, c));
            self.held.extend(
                made_up.map(|c| Held::NotIssuedByUs { user: user.clone(), credential: c.id.clone() }),
            );
        }
        if !self.held.is_empty() {
            for (user, record) in &mut self.repository.to_mut().records {
                record.credentials.retain(|c| counts(user, c));
            }
        }
    }

    fn correct(&mut self, roster: &Roster, ledger: &Ledger, now: Timestamp) {
        let is_revoked = |id: &CredentialId| ledger.revoked.get(id).is_some_and(|not_after| *not_after > now);
        let let_in =
            |c: &Credential| c.not_after > now && c.state != CredentialState::Revoked && is_revoked(&c.id);
        for (user, record) in &self.repository.records {
            let ids = record.credentials.iter().filter(|c| let_in(c)).map(|c| (user.clone(), c.id.clone()));
            self.reclaimed.extend(ids);
        }
        if !self.reclaimed.is_empty() {
            for record in self.repository.to_mut().records.values_mut() {
                record
                    .credentials
                    .iter_mut()
                    .filter(|c| let_in(c))
                    .for_each(|c| c.state = CredentialState::Revoked);
            }
        }
        // A record that is gone does not tell that the key was used before.
        for (user, brought) in &self.repository.brought_keys {
            let recorded = self.repository.records.values().flat_map(|record| &record.credentials);
            let told = recorded.filter(|c| c.not_after > now).any(|c| c.id == brought.id);
            if let (Some(on_roster), true, false) = (roster.users.get(user), is_revoked(&brought.id), told) {
                let by = KeyUse::RevokedInCluster { credential: brought.id.clone() };
                self.held.push(Held::KeyReused { user: user.clone(), at: on_roster.position, by });
            }
        }
    }

    /// What an administrator should know of it.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let put_back = self.reclaimed.iter().filter(|(user, _)| !self.kept_out.contains_key(user));
        let put_back = put_back.map(|(user, credential)| Warning::RevokedInCluster {
            user: user.clone(),
            credential: credential.clone(),
        });
        let kept_out = self.kept_out.iter();
        put_back.chain(
            kept_out.map(|(user, removal)| Warning::KeptOut { user: user.clone(), removal: removal.clone() }),
        )
    }

    /// The records that are to say so again; those of somebody whose removal is not merged yet will.
    pub(super) fn cleanups(&self) -> impl Iterator<Item = Cleanup> {
        let waits = |user: &UserName| {
            self.kept_out.get(user).is_some_and(|removal| matches!(removal.by, RemovedBy::Commit(_)))
        };
        let reclaimed = self.reclaimed.iter().filter(move |(user, _)| !waits(user));
        reclaimed
            .map(|(user, credential)| Cleanup::Revoked { user: user.clone(), credential: credential.clone() })
    }
}

/// How the cluster tells what an apply has issued.
enum Issued<'a> {
    /// By what was noted.
    Noted(&'a Ledger),
    /// Nothing was noted as issued, or it was lost.
    NotNoted {
        /// What was noted all the same: `revoke` notes what is revoked.
        ledger: Option<&'a Ledger>,
        /// Whom our bindings hold.
        bound: BTreeSet<CredentialGroup>,
        /// Whose credentials would be bound now. Of the others', nothing is gained by making them up.
        granted: BTreeSet<&'a UserName>,
    },
}

impl<'a> Issued<'a> {
    fn of(
        ledger: Option<&'a Ledger>,
        roster: &'a Roster,
        name: &ClusterName,
        cluster: &SeenCluster,
        now: Timestamp,
    ) -> Self {
        if let Some(ledger) = ledger.filter(|ledger| !ledger.issued.is_empty()) {
            return Self::Noted(ledger);
        }
        let ours = cluster.state.bindings.iter().filter(|b| observed::is_ours(&b.labels, &roster.name));
        let bound = ours.flat_map(|b| &b.subjects).filter_map(|subject| subject.name.parse().ok()).collect();
        let is_granted = |user: &User| {
            has_access(user, name, now) && roster.grants_of(user, name).any(|of| grant_lasts(&of, now))
        };
        let granted =
            roster.users.iter().filter(|(_, user)| is_granted(user)).map(|(name, _)| name).collect();
        Self::NotNoted { ledger, bound, granted }
    }

    fn knows(&self, user: &UserName, credential: &Credential) -> bool {
        let is_revoked = |ledger: &Ledger| ledger.revoked.contains_key(&credential.id);
        match self {
            Self::Noted(ledger) => ledger.issued.contains_key(&credential.id) || is_revoked(ledger),
            Self::NotNoted { ledger, bound, granted } => {
                !granted.contains(user)
                    || bound.contains(&CredentialGroup::new(user, credential.id.clone()))
                    || ledger.is_some_and(is_revoked)
            }
        }
    }
}

/// Whether the roster says by now that somebody is out, or has let them in again since.
fn is_settled(roster: &Roster, repository: &RepositoryState, user: &UserName, removal: &Removal) -> bool {
    let is_merged = match &removal.by {
        RemovedBy::Commit(commit) => repository.merged.contains(commit),
        RemovedBy::Command => false,
    };
    is_merged || !roster.users.contains_key(user)
}

/// What the cluster has to remember, besides what this plan cuts off and issues.
pub(super) fn to_remember(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    now: Timestamp,
) -> LedgerPlan {
    let live = || {
        let records = repository.records.iter();
        let credentials =
            records.flat_map(|(user, record)| record.credentials.iter().map(move |c| (user, c)));
        credentials.filter(|(_, credential)| credential.not_after > now)
    };
    let entry = |credential: &Credential| (credential.id.clone(), credential.not_after);
    let revoked =
        live().filter(|(_, c)| c.state == CredentialState::Revoked).map(|(_, c)| entry(c)).collect();
    let adopted = match Issued::of(cluster.ledger.known(), roster, name, cluster, now) {
        Issued::Noted(_) => BTreeMap::new(),
        by => {
            let counts =
                |user: &UserName, c: &Credential| c.state != CredentialState::Revoked && by.knows(user, c);
            live().filter(|(user, c)| counts(user, c)).map(|(_, c)| entry(c)).collect()
        }
    };
    let removed = cluster.ledger.known().into_iter().flat_map(|ledger| &ledger.removed);
    let settled = removed.filter(|(user, removal)| is_settled(roster, repository, user, removal));
    let settled = settled.map(|(user, _)| user.clone()).collect();
    LedgerPlan { seen: cluster.ledger.clone(), revoked, adopted, settled }
}
