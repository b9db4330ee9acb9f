//! Every credential of a roster: its state, and what about it an administrator should know.
//!
//! Records say what was issued, the cluster what is bound, the plan what is to change; a cluster that was not
//! read leaves what it would have said out.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::granted;
use crate::model::{ClusterName, CredentialGroup, CredentialId, GroupName, UserName};
use crate::plan::credentials::renewal;
use crate::plan::observed::{Observed, SeenLedger, is_ours};
use crate::plan::{ClusterChanges, CredentialAction, Held, Warning};
use crate::record::{self, Credential, Record};
use crate::roster::{Roster, User};

/// One cluster, and what is to change there.
#[derive(Debug, Clone, Copy)]
pub struct PlannedCluster<'a> {
    pub observed: Observed<'a>,
    pub changes: &'a ClusterChanges,
}

/// One credential, or the lack of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialStanding {
    pub user: UserName,
    pub cluster: ClusterName,
    /// `None` where the roster gives somebody access and they hold no credential that works.
    pub held: Option<HeldCredential>,
    /// The groups of the roster that its owner is in there now.
    pub groups: Vec<GroupName>,
    pub notes: BTreeSet<Note>,
}

/// A credential that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCredential {
    pub id: CredentialId,
    pub state: CredentialStatus,
    pub not_after: Timestamp,
    /// When the next one is issued; `None` where none is, as access ends with it or is over.
    pub renews_at: Option<Timestamp>,
}

/// What a credential may still do, by records and clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialStatus {
    Active,
    Superseded,
    Revoked,
    Expired,
}

impl CredentialStatus {
    /// All of them, as a life goes.
    pub const ALL: [Self; 4] = [Self::Active, Self::Superseded, Self::Revoked, Self::Expired];

    /// At a time, whatever the record was written at.
    pub fn of(credential: &Credential, now: Timestamp) -> Self {
        match credential.state {
            _ if credential.not_after <= now => Self::Expired,
            record::CredentialState::Active => Self::Active,
            record::CredentialState::Superseded => Self::Superseded,
            record::CredentialState::Revoked => Self::Revoked,
        }
    }

    /// Stable, for machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// Whether its bindings let it in.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Superseded)
    }
}

/// What is to be known of a credential or its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Revoked, and a binding still names it.
    RevokedBound,
    /// The record says that it may be bound, and the cluster remembers it as revoked.
    RevokedInCluster,
    /// The next apply cuts it off.
    ToBeCutOff,
    /// The roster suspends its owner.
    Suspended,
    /// The roster does not name its owner.
    NotOnRoster,
    /// The roster keeps its owner off this cluster.
    NotOnCluster,
    /// Its owner's `until` has passed.
    AccessEnded,
    /// The cluster keeps its owner out, whatever the roster says.
    KeptOut,
    /// Something about its owner is held back.
    Held,
    /// The roster gives it rights, and no binding of ours names it.
    Unbound,
    /// No recipient that it was sealed to is on the roster now.
    Undecryptable,
    /// Its sealed kubeconfig is gone, or is not the one that was written.
    SealedChanged,
    /// It ends soon.
    Expiring,
    /// It ends soon although it was to be renewed by now.
    Overdue,
    /// The roster gives its owner access, and the next apply issues the first credential for it.
    NotIssued,
    /// The next apply renews it.
    ToBeRenewed,
    /// Renewed, and bound until it ends.
    SupersededBound,
    /// What the cluster says is not known, because it could not be read.
    Unread,
}

impl Note {
    /// Stable, for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::RevokedBound => "revoked-bound",
            Self::RevokedInCluster => "revoked-in-cluster",
            Self::ToBeCutOff => "to-be-cut-off",
            Self::Suspended => "suspended",
            Self::NotOnRoster => "not-on-roster",
            Self::NotOnCluster => "not-on-cluster",
            Self::AccessEnded => "access-ended",
            Self::KeptOut => "kept-out",
            Self::Held => "held",
            Self::Unbound => "unbound",
            Self::Undecryptable => "undecryptable",
            Self::SealedChanged => "sealed-changed",
            Self::Expiring => "expiring",
            Self::Overdue => "overdue",
            Self::NotIssued => "not-issued",
            Self::ToBeRenewed => "to-be-renewed",
            Self::SupersededBound => "superseded-bound",
            Self::Unread => "unread",
        }
    }

    /// Whether somebody has to do something, if only to look whether the last apply has failed.
    pub fn needs_person(self) -> bool {
        match self {
            Self::RevokedBound
            | Self::RevokedInCluster
            | Self::ToBeCutOff
            | Self::KeptOut
            | Self::Held
            | Self::Unbound
            | Self::Undecryptable
            | Self::SealedChanged
            | Self::Overdue
            | Self::NotIssued
            | Self::Unread => true,
            Self::Suspended
            | Self::NotOnRoster
            | Self::NotOnCluster
            | Self::AccessEnded
            | Self::Expiring
            | Self::ToBeRenewed
            | Self::SupersededBound => false,
        }
    }
}

impl CredentialStanding {
    /// Whether somebody has to do something about it.
    pub fn needs_person(&self) -> bool {
        self.notes.iter().any(|note| note.needs_person())
    }

    /// Whether it lets somebody in now.
    pub fn is_live(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.state.is_live())
    }
}

/// The longest that is soon.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether it ends within a week, or, where that is less, within half of the time that is left when its renewal
/// falls due: whatever renews it daily or hourly has failed by then.
fn ends_soon(credential: &Credential, now: Timestamp) -> bool {
    let lifetime = credential.not_before.duration_until(credential.not_after);
    now.duration_until(credential.not_after) < SOON.min(lifetime / 6)
}

/// Everybody's credentials on one cluster, by user, the newest first.
pub fn standings(roster: &Roster, cluster: PlannedCluster<'_>, now: Timestamp) -> Vec<CredentialStanding> {
    let bound = Bound::new(roster, cluster.observed);
    let facts = Facts::new(cluster);
    let records = &cluster.observed.repository.records;
    let names: BTreeSet<&UserName> = roster.users.keys().chain(records.keys()).collect();
    let mut standings = Vec::new();
    for name in names {
        let owner = CredentialOwner { roster, name, user: roster.users.get(name), cluster, now };
        let credentials = records.get(name).map_or(&[][..], |record: &Record| &record.credentials);
        let of_owner: Vec<CredentialStanding> =
            credentials.iter().rev().map(|c| owner.standing(c, &facts, bound.as_ref())).collect();
        if owner.has_access() && !of_owner.iter().any(CredentialStanding::is_live) {
            standings.push(owner.without_credential(&facts));
        }
        standings.extend(of_owner);
    }
    standings
}

/// What the plan says of single people and credentials.
#[derive(Default)]
struct Facts<'a> {
    held: BTreeSet<&'a UserName>,
    kept_out: BTreeSet<&'a UserName>,
    sealed_changed: BTreeSet<&'a UserName>,
    cut_off: BTreeSet<&'a CredentialId>,
    renewed: BTreeSet<&'a CredentialId>,
    revoked_in_cluster: BTreeSet<&'a CredentialId>,
}

impl<'a> Facts<'a> {
    fn new(cluster: PlannedCluster<'a>) -> Self {
        let changes = cluster.changes;
        let mut facts =
            Self { held: changes.held.iter().filter_map(Held::user).collect(), ..Self::default() };
        for warning in &changes.warnings {
            match warning {
                Warning::KeptOut { user, .. } => {
                    facts.kept_out.insert(user);
                }
                Warning::SealedChanged { user, .. } | Warning::SealedMissing { user, .. } => {
                    facts.sealed_changed.insert(user);
                }
                _ => {}
            }
        }
        for action in &changes.people {
            match action {
                CredentialAction::Rotate { cut_off, .. } | CredentialAction::Revoke { cut_off, .. } => {
                    facts.cut_off.insert(&cut_off.credential);
                }
                CredentialAction::Renew { replaced, .. } => facts.renewed.extend(replaced),
                CredentialAction::Issue { .. } => {}
            }
        }
        let ledger = cluster.observed.ledger().and_then(SeenLedger::known);
        facts.revoked_in_cluster = ledger.into_iter().flat_map(|ledger| ledger.revoked.keys()).collect();
        facts
    }
}

/// The credential groups that bindings name.
#[derive(Default)]
struct Bound {
    by_us: BTreeSet<CredentialGroup>,
    by_anybody: BTreeSet<CredentialGroup>,
}

impl Bound {
    /// `None` where the cluster was not read.
    fn new(roster: &Roster, observed: Observed<'_>) -> Option<Self> {
        let mut bound = Self::default();
        for binding in &observed.state()?.bindings {
            let groups = binding.subjects.iter().filter(|subject| subject.kind == "Group");
            let groups = groups.filter_map(|subject| subject.name.parse::<CredentialGroup>().ok());
            for group in groups {
                if is_ours(&binding.labels, &roster.name) {
                    bound.by_us.insert(group.clone());
                }
                bound.by_anybody.insert(group);
            }
        }
        Some(bound)
    }
}

/// Somebody on one cluster.
struct CredentialOwner<'a> {
    roster: &'a Roster,
    name: &'a UserName,
    /// `None` where the roster does not name them.
    user: Option<&'a User>,
    cluster: PlannedCluster<'a>,
    now: Timestamp,
}

impl CredentialOwner<'_> {
    fn has_access(&self) -> bool {
        self.user.is_some_and(|user| granted::has_access(user, &self.cluster.changes.name, self.now))
    }

    fn groups(&self) -> Vec<GroupName> {
        let groups = self.user.map(|user| granted::groups(user, &self.cluster.changes.name, self.now));
        groups.into_iter().flatten().cloned().collect()
    }

    /// With what there is to say whichever credential it is.
    fn blank(&self, held: Option<HeldCredential>, facts: &Facts<'_>) -> CredentialStanding {
        let mut notes = BTreeSet::new();
        if facts.held.contains(self.name) {
            notes.insert(Note::Held);
        }
        if facts.kept_out.contains(self.name) {
            notes.insert(Note::KeptOut);
        }
        let (user, cluster) = (self.name.clone(), self.cluster.changes.name.clone());
        CredentialStanding { user, cluster, held, groups: self.groups(), notes }
    }

    fn without_credential(&self, facts: &Facts<'_>) -> CredentialStanding {
        let mut standing = self.blank(None, facts);
        standing.notes.insert(Note::NotIssued);
        standing
    }

    fn standing(
        &self,
        credential: &Credential,
        facts: &Facts<'_>,
        bound: Option<&Bound>,
    ) -> CredentialStanding {
        let revoked_in_cluster = facts.revoked_in_cluster.contains(&credential.id);
        let state = match CredentialStatus::of(credential, self.now) {
            state if state.is_live() && revoked_in_cluster => CredentialStatus::Revoked,
            state => state,
        };
        let cluster = &self.cluster.changes.name;
        let renews_at = self.user.filter(|_| state == CredentialStatus::Active && self.has_access());
        let renews_at = renews_at.and_then(|user| renewal(self.roster, cluster, user, credential, self.now));
        let held =
            HeldCredential { id: credential.id.clone(), state, not_after: credential.not_after, renews_at };
        let mut standing = self.blank(Some(held), facts);
        let mut note = |condition: bool, note: Note| {
            if condition {
                standing.notes.insert(note);
            }
        };
        let group = CredentialGroup::new(self.name, credential.id.clone());
        let bound_by_us = bound.is_none_or(|bound| bound.by_us.contains(&group));
        let bound_by_anybody = bound.is_some_and(|bound| bound.by_anybody.contains(&group));
        note(state == CredentialStatus::Revoked && bound_by_anybody, Note::RevokedBound);
        note(state == CredentialStatus::Superseded && bound_by_anybody, Note::SupersededBound);
        note(
            state == CredentialStatus::Revoked && credential.state != record::CredentialState::Revoked,
            Note::RevokedInCluster,
        );
        note(self.user.is_some_and(|user| user.suspended), Note::Suspended);
        note(self.user.is_none(), Note::NotOnRoster);
        note(self.user.is_some_and(|user| !user.clusters.contains(cluster)), Note::NotOnCluster);
        note(
            self.user.is_some_and(|user| user.until.is_some_and(|until| until <= self.now)),
            Note::AccessEnded,
        );
        if !state.is_live() {
            return standing;
        }
        let ends_soon = ends_soon(credential, self.now);
        let gives_rights = !granted::granted(self.roster, self.name, cluster, self.now).is_empty();
        note(facts.cut_off.contains(&credential.id), Note::ToBeCutOff);
        note(facts.renewed.contains(&credential.id), Note::ToBeRenewed);
        note(gives_rights && !bound_by_us, Note::Unbound);
        if state == CredentialStatus::Active {
            note(ends_soon && renews_at.is_none(), Note::Expiring);
            note(ends_soon && renews_at.is_some(), Note::Overdue);
            note(facts.sealed_changed.contains(self.name), Note::SealedChanged);
            let decrypts =
                |user: &User| user.recipients.keys().any(|key| credential.recipients.contains(key));
            note(self.user.is_some_and(|user| !decrypts(user)), Note::Undecryptable);
        }
        standing
    }
}
