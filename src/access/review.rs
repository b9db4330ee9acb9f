//! An access review: everybody's rights on every cluster, until when and since which commit, and what else an auditor
//! asks for. It joins what the other modules here say, and finds nothing out by itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::audit::{self, Audited, Risk};
use super::beginnings::{Beginnings, CommitIndex};
use super::credentials::{CredentialStanding, CredentialStatus, PlannedCluster, standings};
use super::events::LifeEvent;
use super::granted::granted;
use super::rights::{self, ClusterRoster, HeldRight, Origin};
use super::status::KnownFrom;
use crate::model::{ClusterName, GroupName, UserName};
use crate::plan::RepositoryState;
use crate::plan::desired_bindings::namespaces_like;
use crate::plan::full_control::{BoundRole, reaches};
use crate::plan::observed::{ClusterState, ClusterView, Observed};
use crate::rbac::{AUTHENTICATED, Authorizer, Scope};
use crate::roster::Roster;

/// What is soon, for access that ends.
pub const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What an auditor asks for, of one commit.
#[derive(Debug)]
pub struct AccessReview<'r> {
    pub roster: &'r Roster,
    pub now: Timestamp,
    /// The commit whose roster and records it is about.
    pub commit: String,
    pub past: BranchPast,
    /// Beyond which it tells what has changed, where that was asked for.
    pub since: Option<ReviewStart>,
    /// By name.
    pub clusters: Vec<ReviewedCluster<'r>>,
    /// Everybody on the roster, and whoever else holds a credential.
    pub people: BTreeMap<UserName, ReviewedPerson>,
    beginnings: Beginnings,
}

/// What the commits of the branch changed in the roster; in the records, those beyond the start of a review.
#[derive(Debug, Default)]
pub struct BranchPast {
    /// Oldest first.
    pub commits: Vec<PastCommit>,
    /// Oldest first.
    pub events: Vec<(LifeEvent, CommitIndex)>,
    /// Where a shallow clone ends before the beginning.
    pub ends_at: Option<Timestamp>,
}

/// A commit, as git has it: anybody can write any name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCommit {
    /// All of its hex digits.
    pub id: String,
    pub at: Timestamp,
    /// `Name <mail>`, fit to be shown.
    pub author: String,
    pub committer: String,
    pub is_merge: bool,
}

/// Where the changes begin that a review tells of.
#[derive(Debug, Clone)]
pub struct ReviewStart {
    /// As it was asked for.
    pub asked: String,
    /// The commits after it.
    pub commits: BTreeSet<CommitIndex>,
}

/// A cluster, and what is behind the roster's back there.
#[derive(Debug)]
pub struct ReviewedCluster<'r> {
    pub name: &'r ClusterName,
    pub known: KnownFrom,
    pub audit: Audited<'r>,
}

/// Somebody, on all clusters.
#[derive(Debug, Default)]
pub struct ReviewedPerson {
    /// Each with the clusters on which it is the same.
    pub rights: BTreeMap<ReviewedRight, BTreeSet<ClusterName>>,
    pub credentials: Vec<CredentialStanding>,
}

/// A right, on the terms on which somebody has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReviewedRight {
    /// Where it counts; `None` is everywhere.
    pub namespaces: Option<BTreeSet<String>>,
    pub role_name: String,
    pub role_kind: String,
    pub origin: Origin,
    /// The binding, where it is none of ours.
    pub binding: Option<String>,
    pub basis: RightBasis,
    pub until: Option<Timestamp>,
    /// `None` where no commit is known that gave it.
    pub since: Option<CommitIndex>,
    pub full_control: Option<FullControlOf>,
}

/// What speaks for a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RightBasis {
    /// The roster grants it, and the cluster has it.
    InForce,
    /// The roster grants it; nobody asked the cluster.
    RosterAlone,
    /// The roster grants it, and the cluster does not have it.
    NotBound,
    /// The cluster has it in a binding of ours, and the roster does not grant it now.
    NotGranted,
    /// The cluster has it in a binding of others.
    OfOthers,
}

impl RightBasis {
    /// Whether roster and cluster say something else.
    pub fn is_odd(self) -> bool {
        !matches!(self, Self::InForce | Self::RosterAlone)
    }
}

/// Of what a right gives full control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FullControlOf {
    Cluster,
    Namespace,
}

impl ReviewedRight {
    /// Whether whoever has it can use it, as far as that is known.
    pub fn counts(&self) -> bool {
        self.basis != RightBasis::NotBound
    }

    /// Whether it ends soon.
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now.duration_until(until) <= SOON)
    }
}

impl ReviewedPerson {
    /// Whether they have a right that counts and is so.
    fn has(&self, is_so: impl Fn(&ReviewedRight) -> bool) -> bool {
        self.rights.keys().any(|right| right.counts() && is_so(right))
    }

    /// Whether somebody has to do something about them.
    pub fn needs_person(&self) -> bool {
        let off =
            |right: &ReviewedRight| !matches!(right.basis, RightBasis::InForce | RightBasis::RosterAlone);
        self.credentials.iter().any(CredentialStanding::needs_person) || self.rights.keys().any(off)
    }
}

/// The numbers that are read first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewSummary {
    pub people: usize,
    /// Those of them who have any right.
    pub with_access: usize,
    /// People with full control of a cluster, and of no more than a namespace.
    pub full_control: (usize, usize),
    /// People with a right that ends soon.
    pub ending: usize,
    /// People about whom somebody has to do something.
    pub need_person: usize,
    /// The findings of the audit, by risk.
    pub findings: BTreeMap<Risk, usize>,
    /// Clusters that were not read.
    pub unread: usize,
}

impl<'r> AccessReview<'r> {
    /// Of nobody yet: [`Self::add`] each cluster.
    pub fn new(
        roster: &'r Roster,
        commit: String,
        past: BranchPast,
        since: Option<ReviewStart>,
        now: Timestamp,
    ) -> Self {
        let people = roster.users.keys().map(|user| (user.clone(), ReviewedPerson::default())).collect();
        let mut beginnings = Beginnings::default();
        for (event, commit) in &past.events {
            beginnings.tell(event, *commit, past.commits[commit.0].at);
        }
        Self { roster, now, commit, past, since, clusters: Vec::new(), people, beginnings }
    }

    /// Adds a cluster; `planned` is `None` where not even its records can be read.
    pub fn add(&mut self, name: &'r ClusterName, known: KnownFrom, planned: Option<PlannedCluster<'_>>) {
        let here = ClusterRoster { roster: self.roster, cluster: name, now: self.now };
        let mut audit = Audited::default();
        if let Some(cluster) = planned {
            let Observed { repository, cluster: view } = cluster.observed;
            audit = match view {
                ClusterView::Seen(seen) => audit::audit(here, repository, seen),
                ClusterView::Unseen(_) => audit::by_records(here, repository),
            };
            let is_over = |standing: &CredentialStanding| {
                standing.held.as_ref().is_some_and(|held| held.state == CredentialStatus::Expired)
            };
            for standing in standings(self.roster, cluster, self.now).into_iter().filter(|s| !is_over(s)) {
                self.people.entry(standing.user.clone()).or_default().credentials.push(standing);
            }
            self.add_rights(here, repository, cluster.observed.state());
        }
        self.clusters.push(ReviewedCluster { name, known, audit });
    }

    fn add_rights(
        &mut self,
        here: ClusterRoster<'r>,
        repository: &RepositoryState,
        state: Option<&ClusterState>,
    ) {
        let authorizer = state.map(|state| Authorizer::new(&state.roles, &state.bindings));
        let cluster = state.zip(authorizer.as_ref());
        let of = |user: &UserName| rights_of(here, user, repository, cluster, &self.beginnings);
        let found: Vec<_> = self.people.keys().map(|user| (user.clone(), of(user))).collect();
        let roles: BTreeSet<BoundRole> =
            found.iter().flat_map(|(_, rights)| rights.keys().map(RightAt::bound_role)).collect();
        let reaches = reaches(state, roles);
        for (user, rights) in found {
            let mut joined: BTreeMap<ReviewedRight, BTreeSet<String>> = BTreeMap::new();
            for (at, RightTerms { basis, until, since }) in rights {
                let full_control = reaches.get(&at.bound_role()).map(|reach| match reach.scope {
                    Scope::Cluster => FullControlOf::Cluster,
                    Scope::Namespace(_) => FullControlOf::Namespace,
                });
                let RightAt { origin, role_kind, role_name, namespace, binding } = at;
                let namespaces = namespace.as_ref().map(|_| BTreeSet::new());
                let right = ReviewedRight {
                    namespaces,
                    role_name,
                    role_kind,
                    origin,
                    binding,
                    basis,
                    until,
                    since,
                    full_control,
                };
                joined.entry(right).or_default().extend(namespace);
            }
            let person = self.people.entry(user).or_default();
            for (mut right, names) in joined {
                right.namespaces = right.namespaces.map(|_| names);
                person.rights.entry(right).or_default().insert(here.cluster.clone());
            }
        }
    }

    /// The numbers that are read first.
    pub fn summary(&self) -> ReviewSummary {
        let people = || self.people.values();
        let number = |is_so: &dyn Fn(&ReviewedPerson) -> bool| people().filter(|one| is_so(one)).count();
        let full = |of| move |right: &ReviewedRight| right.full_control == Some(of);
        let of_cluster = number(&|one| one.has(full(FullControlOf::Cluster)));
        let of_any = number(&|one| one.has(|right| right.full_control.is_some()));
        let mut findings = BTreeMap::new();
        for finding in self.clusters.iter().flat_map(|cluster| &cluster.audit.findings) {
            *findings.entry(finding.risk).or_default() += 1;
        }
        let unread = self.clusters.iter().filter(|cluster| cluster.known != KnownFrom::Cluster).count();
        ReviewSummary {
            people: self.people.len(),
            with_access: number(&|one| one.has(|_| true)),
            full_control: (of_cluster, of_any - of_cluster),
            ending: number(&|one| one.has(|right| right.ends_soon(self.now))),
            need_person: number(&ReviewedPerson::needs_person),
            findings,
            unread,
        }
    }

    /// What has changed since it was asked for, the latest commit first.
    pub fn changes(&self) -> Vec<CommitChanges<'_>> {
        let mut by_commit: BTreeMap<Reverse<CommitIndex>, CommitChanges<'_>> = BTreeMap::new();
        let wanted = self.since.as_ref().map(|since| &since.commits);
        for (event, commit) in &self.past.events {
            let (user, group) = (event.user().map(Whom::User), event.group().map(Whom::Group));
            let Some(whom) = user.or(group).filter(|_| wanted.is_some_and(|all| all.contains(commit))) else {
                continue;
            };
            let changes = by_commit.entry(Reverse(*commit)).or_insert_with(|| CommitChanges {
                commit: &self.past.commits[commit.0],
                of: Vec::new(),
                renewed: BTreeMap::new(),
            });
            if let LifeEvent::Renewed(new) = event {
                changes.renewed.entry(&new.cluster).or_default().insert(&new.user);
                continue;
            }
            match changes.of.iter_mut().find(|(known, _)| *known == whom) {
                Some((_, events)) => events.push(event),
                None => changes.of.push((whom, vec![event])),
            }
        }
        by_commit.into_values().collect()
    }

    /// The commits that gave what somebody has, and those of the changes, the latest first.
    pub fn named_commits(&self) -> impl Iterator<Item = &PastCommit> {
        let rights = self.people.values().flat_map(|person| person.rights.keys());
        let all = self.past.events.iter().map(|(_, commit)| *commit);
        let changes =
            all.filter(|commit| self.since.as_ref().is_some_and(|since| since.commits.contains(commit)));
        let named: BTreeSet<CommitIndex> = rights.filter_map(|right| right.since).chain(changes).collect();
        named.into_iter().rev().map(|commit| &self.past.commits[commit.0])
    }

    /// The commit that gave a right, where it is known.
    pub fn commit(&self, since: Option<CommitIndex>) -> Option<&PastCommit> {
        since.and_then(|commit| self.past.commits.get(commit.0))
    }
}

/// What a commit changed.
#[derive(Debug)]
pub struct CommitChanges<'a> {
    pub commit: &'a PastCommit,
    /// Of somebody, or of a group.
    pub of: Vec<(Whom<'a>, Vec<&'a LifeEvent>)>,
    /// Whose credentials it renewed, by cluster: the clock does that to everybody, so it is told of all at once.
    pub renewed: BTreeMap<&'a ClusterName, BTreeSet<&'a UserName>>,
}

/// Whom a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom<'a> {
    User(&'a UserName),
    Group(&'a GroupName),
}

/// A right in one place on one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RightAt {
    origin: Origin,
    role_kind: String,
    role_name: String,
    namespace: Option<String>,
    /// The binding, where it is none of ours.
    binding: Option<String>,
}

impl RightAt {
    fn bound_role(&self) -> BoundRole {
        (self.namespace.clone(), format!("{} {}", self.role_kind, self.role_name))
    }
}

/// On which terms.
#[derive(Debug, Clone, Copy)]
struct RightTerms {
    basis: RightBasis,
    until: Option<Timestamp>,
    since: Option<CommitIndex>,
}

/// What roster and cluster give somebody there.
fn rights_of(
    here: ClusterRoster<'_>,
    user: &UserName,
    repository: &RepositoryState,
    cluster: Option<(&ClusterState, &Authorizer<'_>)>,
    beginnings: &Beginnings,
) -> BTreeMap<RightAt, RightTerms> {
    let mut found: BTreeMap<RightAt, RightTerms> = BTreeMap::new();
    let unbound = if cluster.is_some() { RightBasis::NotBound } else { RightBasis::RosterAlone };
    for granted in granted(here.roster, user, here.cluster, here.now) {
        let origin = granted.through.map_or(Origin::Personal, |group| Origin::Group(group.clone()));
        let role = &granted.grant.role;
        let mut add = |namespace: Option<&str>, written: Option<&str>| {
            let since = beginnings.of(user, here.cluster, granted.through, role, written);
            let at = RightAt {
                origin: origin.clone(),
                role_kind: role.kind().to_owned(),
                role_name: role.name().to_string(),
                namespace: namespace.map(str::to_owned),
                binding: None,
            };
            // What is granted twice lasts until both have ended.
            let terms = RightTerms { basis: unbound, until: granted.until, since };
            let known = found.entry(at).or_insert(terms);
            known.until = known.until.zip(granted.until).map(|(one, other)| one.max(other));
        };
        match &granted.grant.namespaces {
            None => add(None, None),
            Some(names) => names.iter().for_each(|(name, _)| add(Some(name.as_str()), Some(name.as_str()))),
        }
        let Some(matching) = &granted.grant.matching else { continue };
        let written = matching.to_string();
        match cluster {
            None => add(Some(&written), Some(&written)),
            Some((state, _)) => namespaces_like(matching, role, state)
                .iter()
                .for_each(|name| add(Some(name.as_str()), Some(&written))),
        }
    }
    let Some((_, authorizer)) = cluster else { return found };
    // Also what a credential may do that was revoked: somebody may have bound it again.
    let credentials = repository.records.get(user).into_iter().flat_map(|record| &record.credentials);
    let requesters = credentials
        .filter(|credential| credential.not_after > here.now)
        .map(|credential| rights::requester(user, Some(credential)));
    for HeldRight { origin, path, until } in
        requesters.flat_map(|requester| here.rights(user, &requester, authorizer))
    {
        // What everyone has who can authenticate is nobody's in particular.
        if path.subject.name == AUTHENTICATED {
            continue;
        }
        let binding = path.binding;
        let is_ours = origin != Origin::Others;
        let at = RightAt {
            origin,
            role_kind: binding.role_kind.clone(),
            role_name: binding.role_name.clone(),
            namespace: binding.at.namespace.clone(),
            binding: (!is_ours).then(|| binding.at.to_string()),
        };
        let basis = if is_ours { RightBasis::NotGranted } else { RightBasis::OfOthers };
        let known = found.entry(at).or_insert(RightTerms { basis, until, since: None });
        if known.basis == RightBasis::NotBound {
            known.basis = RightBasis::InForce;
        }
    }
    found
}
