//! The credentials of a whole roster, on all clusters that were asked for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::credentials::{self, CredentialStanding, Note, PlannedCluster};
use crate::model::{ClusterName, RosterName, UserName};
use crate::roster::Roster;

/// What `status` answers.
#[derive(Debug, Clone)]
pub struct RosterStatus {
    pub roster: RosterName,
    pub now: Timestamp,
    /// By name.
    pub clusters: Vec<ClusterStatus>,
    /// Those that need somebody first, then those with a note, then by user and cluster.
    pub standings: Vec<CredentialStanding>,
    /// When an apply last recorded anything; `None` where git does not tell.
    pub last_recorded: Option<Timestamp>,
}

/// Where the credentials of one cluster are known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    pub name: ClusterName,
    pub source: KnownFrom,
    /// How much is held back there, of users and of grants.
    pub held: usize,
}

/// What was asked about a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownFrom {
    /// Records and cluster.
    Cluster,
    /// Records alone, as was asked for.
    Records,
    /// Records alone, because the cluster could not be read; why, as whoever tried it said.
    RecordsOnly { error: String },
}

impl RosterStatus {
    /// Of no cluster yet: [`Self::add`] each, then [`Self::sort`].
    pub fn new(roster: RosterName, now: Timestamp) -> Self {
        Self { roster, now, clusters: Vec::new(), standings: Vec::new(), last_recorded: None }
    }

    /// Adds a cluster; `planned` is `None` where not even its records can be read.
    pub fn add(
        &mut self,
        roster: &Roster,
        name: &ClusterName,
        known: KnownFrom,
        planned: Option<PlannedCluster<'_>>,
    ) {
        let held = planned.map_or(0, |planned| planned.changes.held.len());
        let standings = planned.map(|planned| credentials::standings(roster, planned, self.now));
        let mut standings = standings.unwrap_or_default();
        if let KnownFrom::RecordsOnly { .. } = known {
            standings.iter_mut().for_each(|standing| {
                standing.notes.insert(Note::Unread);
            });
        }
        self.standings.extend(standings);
        self.clusters.push(ClusterStatus { name: name.clone(), source: known, held });
        self.clusters.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// In the order that it is read in.
    pub fn sort(&mut self) {
        self.standings.sort_by(|a, b| {
            let rank = |s: &CredentialStanding| (!s.needs_person(), s.notes.is_empty());
            let name = |s: &CredentialStanding| (s.user.clone(), s.cluster.clone());
            rank(a).cmp(&rank(b)).then_with(|| name(a).cmp(&name(b)))
        });
    }

    /// Leaves only what is about these users; about everybody where there are none.
    pub fn only_of(&mut self, users: &[UserName]) {
        if !users.is_empty() {
            self.standings.retain(|standing| users.contains(&standing.user));
        }
    }

    /// Leaves only credentials that let somebody in and end within this time.
    pub fn only_expiring(&mut self, within: SignedDuration) {
        let limit = self.now.saturating_add(within).unwrap_or(Timestamp::MAX);
        let ends = |s: &CredentialStanding| {
            s.is_live() && s.held.as_ref().is_some_and(|held| held.not_after <= limit)
        };
        self.standings.retain(ends);
    }

    /// Whether somebody has to do something.
    pub fn needs_person(&self) -> bool {
        self.standings.iter().any(CredentialStanding::needs_person)
    }

    /// How many users it is about.
    pub fn users(&self) -> usize {
        self.standings.iter().map(|standing| &standing.user).collect::<BTreeSet<_>>().len()
    }
}
