//! Who must do something soon, and what: access that ends, certificates that nobody renewed, keys that are too weak
//! or of no use, and what the roster asks for and nobody has yet.
//!
//! From the roster, from what `status` knows of each credential, and from what is known of recipients. Access that
//! is suspended or over asks nothing of anybody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::credentials::{CredentialStanding, Note};
use super::granted;
use super::status::{ClusterStatus, RosterStatus};
use crate::model::{ClusterName, CredentialId, GroupName, Recipient, RoleRef, RosterName, UserName};
use crate::roster::{Details, Roster, User};

/// All of them.
#[derive(Debug, Clone)]
pub struct Notices {
    pub roster: RosterName,
    pub now: Timestamp,
    /// Where it is known from.
    pub clusters: Vec<ClusterStatus>,
    /// Only those of whom somebody must do something, by name.
    pub people: Vec<PersonNotices>,
}

/// What there is to do about one person.
#[derive(Debug, Clone)]
pub struct PersonNotices {
    pub user: UserName,
    pub details: Details,
    /// What is due first comes first; what has no day comes last.
    pub notices: Vec<Notice>,
}

/// Something that somebody must do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    pub what: Matter,
    /// When it is too late.
    pub due: Option<Timestamp>,
    /// Where.
    pub clusters: BTreeSet<ClusterName>,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Access ends, all of it or some.
    AccessEnds(WhatEnds),
    /// A certificate ends soon, and was to be renewed by now.
    CertificateUnrenewed(CredentialId),
    /// What is sealed to this key may be opened by others before long.
    RecipientWeak { recipient: Recipient, bits: usize },
    /// Nothing can be sealed to this recipient here: its plugin is not installed.
    PluginMissing { recipient: Recipient, plugin: String },
    /// None of their keys on the roster opens what was sealed to them.
    Undecryptable(CredentialId),
    /// What was sealed to them is gone, or is something else.
    SealedChanged(CredentialId),
    /// The roster gives them access, and no credential has been issued for it.
    NotIssued,
    /// Something that the roster asks for them is held back.
    Held,
}

/// What ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhatEnds {
    Everything,
    Membership(GroupName),
    /// A grant of their own, or of a group.
    Grant(RoleRef, Option<GroupName>),
}

/// Who has to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The person, if only to ask.
    User,
    /// Whoever runs certctl.
    Administrators,
}

/// What is known of a recipient's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientProblem {
    /// An RSA key of so many bits.
    Weak { bits: usize },
    /// Its age plugin is not installed here.
    NoPlugin(String),
}

impl Matter {
    /// Stable, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccessEnds(_) => "access-ends",
            Self::CertificateUnrenewed(_) => "certificate-unrenewed",
            Self::RecipientWeak { .. } => "recipient-weak",
            Self::PluginMissing { .. } | Self::Undecryptable(_) | Self::SealedChanged(_) => {
                "recipient-unusable"
            }
            Self::NotIssued | Self::Held => "request-waiting",
        }
    }

    pub fn actor(&self) -> Actor {
        match self {
            Self::AccessEnds(_) | Self::RecipientWeak { .. } => Actor::User,
            Self::CertificateUnrenewed(_)
            | Self::PluginMissing { .. }
            | Self::Undecryptable(_)
            | Self::SealedChanged(_)
            | Self::NotIssued
            | Self::Held => Actor::Administrators,
        }
    }
}

/// What ends within this time, and whatever else is to be done now.
pub fn notices(
    roster: &Roster,
    status: &RosterStatus,
    problems: &BTreeMap<Recipient, RecipientProblem>,
    within: SignedDuration,
) -> Notices {
    let now = status.now;
    let mut standings: BTreeMap<&UserName, Vec<&CredentialStanding>> = BTreeMap::new();
    for standing in &status.standings {
        standings.entry(&standing.user).or_default().push(standing);
    }
    let asked: BTreeSet<&ClusterName> = status.clusters.iter().map(|cluster| &cluster.name).collect();
    let mut people = Vec::new();
    for (name, user) in &roster.users {
        let here = user.clusters.iter().filter(|cluster| asked.contains(cluster));
        let here: Vec<&ClusterName> =
            here.filter(|cluster| granted::has_access(user, cluster, now)).collect();
        if here.is_empty() {
            continue;
        }
        let mut found = DueNotices {
            now,
            until: now.saturating_add(within).unwrap_or(Timestamp::MAX),
            all: BTreeMap::new(),
        };
        for cluster in &here {
            found.endings(roster, user, cluster);
        }
        for standing in standings.get(name).into_iter().flatten() {
            found.standing(standing);
        }
        for recipient in user.recipients.keys() {
            found.recipient(recipient, problems.get(recipient), &here);
        }
        if !found.all.is_empty() {
            people.push(PersonNotices {
                user: name.clone(),
                details: user.details.clone(),
                notices: found.sorted(),
            });
        }
    }
    Notices { roster: status.roster.clone(), now, clusters: status.clusters.clone(), people }
}

/// What was found of one person.
struct DueNotices {
    now: Timestamp,
    /// What ends later is not told.
    until: Timestamp,
    all: BTreeMap<(Matter, Option<Timestamp>), BTreeSet<ClusterName>>,
}

impl DueNotices {
    fn add(&mut self, what: Matter, due: Option<Timestamp>, cluster: &ClusterName) {
        self.all.entry((what, due)).or_default().insert(cluster.clone());
    }

    /// Of what ends at once, the widest is told: with all access end its memberships, and with those their grants.
    fn endings(&mut self, roster: &Roster, user: &User, cluster: &ClusterName) {
        let soon = |until: Option<Timestamp>, outer: Option<Timestamp>| {
            let until = until.filter(|until| self.now < *until && *until <= self.until);
            until.filter(|until| outer.is_none_or(|outer| *until < outer))
        };
        let mut ends = Vec::new();
        ends.extend(soon(user.until, None).map(|at| (WhatEnds::Everything, at)));
        for (group, membership) in user.groups.iter().filter(|(_, of)| of.clusters.includes(cluster)) {
            let at = soon(membership.until, user.until);
            ends.extend(at.map(|at| (WhatEnds::Membership(group.clone()), at)));
        }
        for of in roster.grants_of(user, cluster) {
            let outer = [user.until, of.membership_until].into_iter().flatten().min();
            let at = soon(of.grant.until, outer);
            ends.extend(at.map(|at| (WhatEnds::Grant(of.grant.role.clone(), of.through.cloned()), at)));
        }
        for (ending, at) in ends {
            self.add(Matter::AccessEnds(ending), Some(at), cluster);
        }
    }

    fn standing(&mut self, standing: &CredentialStanding) {
        let cluster = &standing.cluster;
        for note in &standing.notes {
            match (note, &standing.held) {
                (Note::Held, _) => self.add(Matter::Held, None, cluster),
                (Note::NotIssued, _) => self.add(Matter::NotIssued, None, cluster),
                (Note::Overdue, Some(held)) => {
                    self.add(Matter::CertificateUnrenewed(held.id.clone()), Some(held.not_after), cluster);
                }
                (Note::Undecryptable, Some(held)) => {
                    self.add(Matter::Undecryptable(held.id.clone()), None, cluster);
                }
                (Note::SealedChanged, Some(held)) => {
                    self.add(Matter::SealedChanged(held.id.clone()), None, cluster);
                }
                _ => {}
            }
        }
    }

    fn recipient(
        &mut self,
        recipient: &Recipient,
        problem: Option<&RecipientProblem>,
        clusters: &[&ClusterName],
    ) {
        let recipient = recipient.clone();
        let what = match problem {
            None => return,
            Some(RecipientProblem::Weak { bits }) => Matter::RecipientWeak { recipient, bits: *bits },
            Some(RecipientProblem::NoPlugin(plugin)) => {
                Matter::PluginMissing { recipient, plugin: plugin.clone() }
            }
        };
        for cluster in clusters {
            self.add(what.clone(), None, cluster);
        }
    }

    fn sorted(self) -> Vec<Notice> {
        let notice = |((what, due), clusters)| Notice { what, due, clusters };
        let mut notices: Vec<Notice> = self.all.into_iter().map(notice).collect();
        notices.sort_by_key(|notice| (notice.due.unwrap_or(Timestamp::MAX), notice.clone()));
        notices
    }
}
