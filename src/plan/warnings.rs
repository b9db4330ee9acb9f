//! What an administrator should know, but certctl will not change.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::credentials::lasts;
use super::desired_bindings::Desired;
use super::endpoint::PublishedEndpoint;
use super::observed::{
    self, BindingAt, Clocks, ClusterView, Observed, RepositoryState, SeenCluster, SeenLedger, SigningRequest,
};
use super::people::People;
use super::requests;
use super::residual_access::ForeignBindings;
use super::unbindable;
use super::warning::{RequestClaim, UpcomingEnd, Warning};
use crate::model::{ClusterName, CredentialGroup, CredentialId, UserName};
use crate::record::CredentialState;
use crate::record_folder::RecordFolder;
use crate::roster::Roster;

/// How far clocks may be apart before it is said.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(2);

/// How long ahead an ending is announced.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything worth a look on one cluster, sorted.
pub(super) fn find(
    roster: &Roster,
    name: &ClusterName,
    observed: Observed<'_>,
    people: &People,
    foreign: Option<&ForeignBindings<'_>>,
    now: Timestamp,
) -> Vec<Warning> {
    let mut found = BTreeSet::new();
    let mut warn = |warning| {
        found.insert(warning);
    };
    endings(roster, name, now, &mut warn);
    let apart = |clocks: &Clocks| clocks.apart() > CLOCKS_APART && !clocks.are_useless();
    if let Some(clocks) = observed.clock().filter(apart) {
        warn(Warning::ClocksApart(clocks));
    }
    if let Some(PublishedEndpoint { endpoint, passed_over: Some(own), .. }) = observed.published() {
        warn(Warning::ContextPassedOver {
            context: own.context.clone(),
            server: own.endpoint.server.clone(),
            pinned: endpoint.server.clone(),
        });
    }
    if let (Some(SeenLedger::Missing), Some(_)) = (observed.ledger(), &observed.repository.roster_id) {
        warn(Warning::LedgerLost { roster: roster.name.clone() });
    }
    let issues = people.actions.iter().any(|action| action.new_credential().is_some());
    if issues && roster.clusters.get(name).is_some_and(|cluster| cluster.server.is_none()) {
        warn(Warning::ServerNotNamed);
    }
    certificates(people, foreign, &mut warn);
    sealed_files(roster, name, observed.repository, people, now, &mut warn);
    if let (ClusterView::Seen(cluster), Some(foreign)) = (observed.cluster, foreign) {
        residual_access(observed.repository, people, foreign, now, &mut warn);
        finalizers(roster, cluster, &mut warn);
        foreign_bindings(roster, observed.repository, cluster, &mut warn);
        foreign_requests(roster, observed.repository, cluster, &mut warn);
        unbindable::find(roster, name, &cluster.state).into_iter().for_each(&mut warn);
    }
    for (user, until) in &people.too_short {
        warn(Warning::TooShort { user: user.clone(), until: *until });
    }
    found.into_iter().collect()
}

/// New bindings in namespaces that no grant names.
pub(super) fn newly_matched(desired: &Desired, is_new: impl Fn(&BindingAt) -> bool) -> Vec<Warning> {
    let found = desired.newly_matched(is_new).into_iter();
    found.map(|((grantee, role), namespaces)| Warning::NamespacesFit { grantee, role, namespaces }).collect()
}

/// Grants that fit no namespace now.
pub(super) fn unmatched(desired: &Desired) -> Vec<Warning> {
    let found = desired.unmatched.iter().cloned();
    found.map(|(grantee, role, places)| Warning::NoNamespaceFits { grantee, role, places }).collect()
}

fn endings(roster: &Roster, name: &ClusterName, now: Timestamp, warn: &mut impl FnMut(Warning)) {
    let soon = |until: Option<Timestamp>| until.filter(|until| now < *until && *until <= now + AHEAD);
    for (user_name, user) in roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
        if !lasts(user.until, now) {
            continue;
        }
        let mut ends = |ending, until| warn(Warning::UntilSoon { ending, until });
        if let Some(until) = soon(user.until) {
            ends(UpcomingEnd::Access(user_name.clone()), until);
        }
        for (group, membership) in user.groups.iter().filter(|(_, on)| on.clusters.includes(name)) {
            if let Some(until) = soon(membership.until) {
                ends(UpcomingEnd::Membership(user_name.clone(), group.clone()), until);
            }
        }
        for grant in user.grants.iter().filter(|grant| grant.clusters.includes(name)) {
            if let Some(until) = soon(grant.until) {
                ends(UpcomingEnd::PersonalGrant(user_name.clone(), grant.role.clone()), until);
            }
        }
    }
    for (group_name, group) in &roster.groups {
        for grant in group.grants.iter().filter(|grant| grant.clusters.includes(name)) {
            if let Some(until) = soon(grant.until) {
                let ending = UpcomingEnd::GroupGrant(group_name.clone(), grant.role.clone());
                warn(Warning::UntilSoon { ending, until });
            }
        }
    }
}

/// What goes into a certificate cannot be taken back before it expires.
fn certificates(people: &People, foreign: Option<&ForeignBindings<'_>>, warn: &mut impl FnMut(Warning)) {
    for action in &people.actions {
        let (user, transfer) = (action.user(), action.transfer());
        if let Some(new) = action.new_credential() {
            for group in &new.issuance.in_certificate_groups {
                warn(Warning::InCertificate {
                    user: user.clone(),
                    group: group.clone(),
                    not_after: new.not_after,
                    gives: foreign.map(|foreign| foreign.given_to_group(group.as_str())),
                });
            }
        }
        if transfer.recipients() {
            warn(Warning::RecipientChanged { user: user.clone() });
        }
        if transfer.key {
            warn(Warning::KeyChanged { user: user.clone() });
        }
    }
}

/// What is cut off and keeps access all the same.
fn residual_access(
    repository: &RepositoryState,
    people: &People,
    foreign: &ForeignBindings<'_>,
    now: Timestamp,
    warn: &mut impl FnMut(Warning),
) {
    let cut_off: BTreeSet<&CredentialId> =
        people.actions.iter().filter_map(|action| Some(&action.cut_off()?.credential)).collect();
    for (user, record) in &repository.records {
        let live = record.credentials.iter().filter(|credential| credential.not_after > now);
        for credential in live.filter(|c| c.state == CredentialState::Revoked || cut_off.contains(&c.id)) {
            for left in foreign.left_to(user, credential) {
                warn(Warning::AccessRemains {
                    user: user.clone(),
                    credential: credential.id.clone(),
                    not_after: credential.not_after,
                    through: left.at.clone(),
                    kind: left.kind,
                    subject: left.subject.to_owned(),
                });
            }
        }
    }
}

/// A sealed file that is not the one we wrote could make its owner use someone else's kubeconfig.
fn sealed_files(
    roster: &Roster,
    name: &ClusterName,
    repository: &RepositoryState,
    people: &People,
    now: Timestamp,
    warn: &mut impl FnMut(Warning),
) {
    for (user, record) in &repository.records {
        let active =
            record.credentials.iter().filter(|c| c.state == CredentialState::Active && c.not_after > now);
        let Some(active) = active.max_by_key(|c| c.not_before) else {
            continue;
        };
        if people.issued.contains(user) || !roster.users.contains_key(user) {
            continue;
        }
        let file = RecordFolder(name).kubeconfig(user);
        match repository.sealed.get(user) {
            Some(found) if *found == active.sealed_sha256 => {}
            Some(_) => warn(Warning::SealedChanged { user: user.clone(), file }),
            None => warn(Warning::SealedMissing { user: user.clone(), file }),
        }
    }
}

/// Who may write a binding can keep the object from going. It keeps no right: it is emptied first.
fn finalizers(roster: &Roster, cluster: &SeenCluster, warn: &mut impl FnMut(Warning)) {
    for binding in cluster.state.bindings.iter().filter(|b| observed::is_ours(&b.labels, &roster.name)) {
        if !binding.finalizers.is_empty() {
            warn(Warning::BindingFinalizer {
                at: binding.at.clone(),
                finalizers: binding.finalizers.clone(),
                deletion_requested: binding.deletion_requested,
            });
        }
    }
}

fn foreign_bindings(
    roster: &Roster,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    warn: &mut impl FnMut(Warning),
) {
    let known: BTreeSet<CredentialGroup> = repository
        .records
        .iter()
        .flat_map(|(user, record)| {
            record.credentials.iter().map(|c| CredentialGroup::new(user, c.id.clone()))
        })
        .collect();
    for binding in cluster.state.bindings.iter().filter(|b| !observed::is_ours(&b.labels, &roster.name)) {
        let other_roster =
            binding.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
        for subject in &binding.subjects {
            let credential = subject.name.parse::<CredentialGroup>().ok();
            if credential.as_ref().is_some_and(|group| known.contains(group))
                || (!other_roster && subject.name.starts_with(CredentialGroup::PREFIX))
            {
                warn(Warning::ForeignBindingOfCredential {
                    at: binding.at.clone(),
                    group: subject.name.clone(),
                });
            }
            let person = subject.name.parse::<UserName>().ok();
            if subject.kind == "User" && person.is_some_and(|person| roster.users.contains_key(&person)) {
                warn(Warning::ForeignBindingOfUser {
                    at: binding.at.clone(),
                    user: subject.name.clone(),
                    role: format!("{} {}", binding.role_kind, binding.role_name),
                });
            }
        }
    }
}

fn foreign_requests(
    roster: &Roster,
    repository: &RepositoryState,
    cluster: &SeenCluster,
    warn: &mut impl FnMut(Warning),
) {
    for request in &cluster.state.requests {
        let labelled =
            request.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
        let ours = observed::is_ours(&request.labels, &roster.name);
        let done = if ours {
            // The clean-up names what this identity left behind.
            requests::is_of_this_identity(roster, cluster, request)
                || requests::outcome(repository, request).is_some()
        } else {
            // Another roster's apply is through with it, where it asks for the group of its own key and for
            // nobody of ours. Labels vouch for nothing.
            labelled
                && request.issued
                && request.key.is_some()
                && asks_for_its_own(request)
                && !names_ours(repository, request)
        };
        if done {
            continue;
        }
        let person = request.common_name.as_ref().and_then(|cn| cn.parse::<UserName>().ok());
        let claim =
            person.filter(|person| roster.users.contains_key(person)).map(RequestClaim::User).or_else(|| {
                let mut groups = request.organizations.iter();
                groups.find(|o| o.starts_with(CredentialGroup::PREFIX)).cloned().map(RequestClaim::Group)
            });
        let claim = claim.or_else(|| request.key.is_none().then_some(RequestClaim::Unreadable));
        let (name, requester) = (request.name.clone(), request.requester.clone());
        if ours {
            warn(Warning::MislabelledRequest { name, requester, claim, identity: cluster.identity.clone() });
        } else if let Some(claim) = claim {
            warn(Warning::ForeignRequest { name, requester, claim });
        }
    }
}

/// Whether each credential group that it asks for is that of its own key.
fn asks_for_its_own(request: &SigningRequest) -> bool {
    let mut groups = request.organizations.iter().filter(|o| o.starts_with(CredentialGroup::PREFIX));
    groups.all(|group| {
        group.parse::<CredentialGroup>().is_ok_and(|group| Some(&group.id) == request.key.as_ref())
    })
}

/// Whether it asks for a credential group that our records hold.
fn names_ours(repository: &RepositoryState, request: &SigningRequest) -> bool {
    let mut groups = request.organizations.iter().filter_map(|o| o.parse::<CredentialGroup>().ok());
    let known = |group: CredentialGroup| {
        let record = group.holder.find_in(&repository.records);
        record.is_some_and(|(_, record)| record.credentials.iter().any(|c| c.id == group.id))
    };
    groups.any(known)
}
