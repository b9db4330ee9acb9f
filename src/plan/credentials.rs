//! One person's credentials on one cluster: keep, issue, renew, rotate or revoke.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::access_transfer::{AccessTransfer, recipient_changes};
use super::action::{CredentialAction, CutOff, Issuance, NewCredential, SHORTEST_VALIDITY};
use super::cleanup::Cleanup;
use super::observed::{BroughtKey, Observed};
use super::reason::Reason;
use super::residual_access::ForeignBindings;
use crate::model::route::Route;
use crate::model::{ClusterName, CredentialId, GroupName, KeySource, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::{GrantOf, Roster, User};

/// How far the clock of a signer and ours may be apart before two dates count as different.
pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(1);

/// Why a credential group must leave the bindings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// It was revoked earlier.
    Revoked,
    /// It has expired.
    Expired,
    /// This plan revokes it.
    Now(Reason),
}

/// What is decided about one person.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) actions: Vec<CredentialAction>,
    /// What may be bound after the plan, besides what it issues.
    pub(super) bound: Vec<CredentialId>,
    /// What must leave the bindings.
    pub(super) leaving: Vec<(CredentialId, Leaving)>,
    /// Whether what is issued keeps its key and with it its group: a renewal of a brought key.
    pub(super) same_group: bool,
    /// What to bring up to date in the record.
    pub(super) cleanups: Vec<Cleanup>,
    /// When the credential falls due for renewal.
    pub(super) next_renewal: Option<Timestamp>,
    /// Whether a credential was active before.
    pub(super) active: bool,
    /// The `until` that is too near for a certificate.
    pub(super) too_short: Option<Timestamp>,
}

/// What every decision on a cluster is made from.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) roster: &'a Roster,
    pub(super) cluster: &'a ClusterName,
    pub(super) observed: Observed<'a>,
    /// `None` where the cluster was not read.
    pub(super) foreign: Option<&'a ForeignBindings<'a>>,
    /// Who gets nothing new, because a file about them cannot be believed or their key is refused.
    pub(super) refused: &'a BTreeSet<UserName>,
    pub(super) now: Timestamp,
}

impl<'a> Inputs<'a> {
    fn recorded(self, name: &UserName) -> &'a [Credential] {
        self.observed.repository.records.get(name).map_or(&[], |record| &record.credentials)
    }

    /// Whether a `csr:` of the roster brings this key.
    fn is_brought(self, id: &CredentialId) -> bool {
        self.observed.repository.brought_keys.values().any(|brought| brought.id == *id)
    }

    /// The credential which someone used and that has expired, where there is none in its place. One that
    /// was revoked was not used.
    fn newest_expired(self, name: &UserName) -> Option<&'a Credential> {
        let used = self.recorded(name).iter().filter(|c| c.state == CredentialState::Active);
        used.max_by_key(|c| (c.not_after, c.id.as_str()))
    }

    /// What someone had last: of what was not revoked, or else of everything, the newest.
    fn last(self, name: &UserName) -> Option<&'a Credential> {
        self.recorded(name).iter().max_by_key(|c| {
            (
                c.state != CredentialState::Revoked,
                c.not_before,
                c.state == CredentialState::Active,
                c.id.as_str(),
            )
        })
    }

    fn cut_off(self, name: &UserName, credential: &Credential) -> CutOff {
        CutOff {
            credential: credential.id.clone(),
            not_after: credential.not_after,
            residual_access: self.foreign.map(|foreign| foreign.left_to(name, credential).count()),
        }
    }
}

/// Someone who keeps no credential.
pub(super) fn revoke_all(
    inputs: Inputs<'_>,
    name: &UserName,
    why: impl FnOnce(&[&Credential]) -> Reason,
) -> Decision {
    let mut decision = Decision::default();
    let live = decision.live(inputs, name);
    let reason = why(&live);
    for credential in live.into_iter().filter(|c| c.state != CredentialState::Revoked) {
        decision.revoke(inputs, name, credential, reason.clone());
    }
    decision
}

/// Someone who has access.
pub(super) fn decide(inputs: Inputs<'_>, name: &UserName, user: &User) -> Decision {
    let mut decision = Decision::default();
    let live = decision.live(inputs, name);
    let bound: Vec<&Credential> =
        live.iter().copied().filter(|c| c.state != CredentialState::Revoked).collect();
    let brought = inputs.observed.repository.brought_keys.get(name);
    let issuance = wanted(inputs.roster, inputs.cluster, user, brought, inputs.now);
    // The newest active one is what the person uses; else a superseded one that outlives its successor.
    let active = bound.iter().rev().find(|c| c.state == CredentialState::Active).or(bound.last()).copied();
    if inputs.refused.contains(name) {
        match active.and_then(|active| Some((active, withdrawn(&issuance, active)?))) {
            Some((active, reason)) => decision.cut_off_all(inputs, name, &bound, active, reason),
            None => decision.keep(name, user, &bound),
        }
        return decision;
    }
    if !inputs.observed.may_issue() {
        // What cannot be replaced is not taken away either.
        decision.keep(name, user, &bound);
        return decision;
    }
    match next(inputs, name, &live, active, &issuance) {
        NextStep::Keep => {
            decision.keep(name, user, &bound);
            let due =
                active.and_then(|active| renewed(active, issuance.roster_validity, issuance.not_after_limit));
            decision.next_renewal = due.map(|due| due.max(inputs.now));
        }
        NextStep::Issue(reason) => {
            decision.keep(name, user, &bound);
            let action = |new| CredentialAction::Issue { user: name.clone(), reason, new };
            decision.issue(inputs, name, issuance, action);
        }
        NextStep::Renew(reason) => {
            decision.keep(name, user, &bound);
            decision.same_group = active.is_some_and(|active| same_key(&issuance, active));
            let replaced = active.map(|credential| credential.id.clone());
            let action = |new| CredentialAction::Renew { user: name.clone(), reason, new, replaced };
            decision.issue(inputs, name, issuance, action);
        }
        NextStep::Rotate(reason, active) => {
            for credential in bound.into_iter().filter(|credential| credential.id != active.id) {
                decision.revoke(inputs, name, credential, Reason::SuccessorCutOff);
            }
            let cut_off = inputs.cut_off(name, active);
            let leaving = Leaving::Now(reason.clone());
            let action =
                |new| CredentialAction::Rotate { user: name.clone(), reason: reason.clone(), new, cut_off };
            if decision.issue(inputs, name, issuance, action) {
                decision.leaving.push((active.id.clone(), leaving));
            } else {
                decision.revoke(inputs, name, active, reason);
            }
        }
    }
    decision
}

/// What comes next for someone who has access.
enum NextStep<'a> {
    Keep,
    Issue(Reason),
    Renew(Reason),
    Rotate(Reason, &'a Credential),
}

fn next<'a>(
    inputs: Inputs<'_>,
    name: &UserName,
    live: &[&Credential],
    active: Option<&'a Credential>,
    issuance: &Issuance,
) -> NextStep<'a> {
    let after_expiry = inputs
        .newest_expired(name)
        .map(|expired| edited(issuance, expired).unwrap_or(Reason::Expired { at: expired.not_after }));
    let Some(active) = active else {
        return match after_expiry {
            Some(reason) => NextStep::Renew(reason),
            None if live.is_empty() => NextStep::Issue(Reason::New),
            None => NextStep::Issue(Reason::AfterRevocation),
        };
    };
    match cut_off(issuance, active) {
        // Nothing secret was sealed and the group stays the same: there is nothing to cut off. Where
        // there is, `check` has refused the key.
        Some(reason) if same_key(issuance, active) => NextStep::Renew(reason),
        Some(reason) => NextStep::Rotate(reason, active),
        // They need one that is theirs to decrypt.
        None if active.state != CredentialState::Active => {
            NextStep::Renew(after_expiry.unwrap_or(Reason::AfterRevocation))
        }
        None => {
            let not_after = inputs.now + issuance.validity;
            let reason = overlap(issuance, active, inputs.observed);
            reason.or_else(|| expiry(active, not_after, inputs.now)).map_or(NextStep::Keep, NextStep::Renew)
        }
    }
}

impl Decision {
    /// The credentials that have not expired, oldest first; of the others, what nobody needs is noted for clean-up.
    fn live<'a>(&mut self, inputs: Inputs<'a>, name: &UserName) -> Vec<&'a Credential> {
        let mut live = Vec::new();
        for credential in inputs.recorded(name) {
            if credential.not_after > inputs.now {
                live.push(credential);
                if credential.state == CredentialState::Revoked {
                    self.leaving.push((credential.id.clone(), Leaving::Revoked));
                }
            } else {
                self.leaving.push((credential.id.clone(), Leaving::Expired));
                // While the roster brings the key of a revoked one, the record says why it is refused.
                if credential.state == CredentialState::Revoked && inputs.is_brought(&credential.id) {
                    continue;
                }
                self.cleanups.push(Cleanup::Expired {
                    user: name.clone(),
                    credential: credential.id.clone(),
                    not_after: credential.not_after,
                });
            }
        }
        live.sort_by_key(|credential| credential.not_before);
        self.active = live.iter().any(|c| c.state == CredentialState::Active);
        live
    }

    fn revoke(&mut self, inputs: Inputs<'_>, name: &UserName, credential: &Credential, reason: Reason) {
        self.leaving.push((credential.id.clone(), Leaving::Now(reason.clone())));
        self.actions.push(CredentialAction::Revoke {
            user: name.clone(),
            reason,
            cut_off: inputs.cut_off(name, credential),
            protected: credential.protected,
        });
    }

    /// A rotation of which only the first half can be done: everything goes, and nothing comes.
    fn cut_off_all(
        &mut self,
        inputs: Inputs<'_>,
        name: &UserName,
        bound: &[&Credential],
        active: &Credential,
        reason: Reason,
    ) {
        for credential in bound.iter().filter(|credential| credential.id != active.id) {
            self.revoke(inputs, name, credential, Reason::SuccessorCutOff);
        }
        self.revoke(inputs, name, active, reason);
    }

    /// What stays bound, and says from now on whether its owner is protected.
    fn keep(&mut self, name: &UserName, user: &User, bound: &[&Credential]) {
        if bound.iter().any(|credential| credential.protected != user.protected) {
            self.cleanups.push(Cleanup::Protection { user: name.clone(), protected: user.protected });
        }
        self.bound = bound.iter().map(|credential| credential.id.clone()).collect();
    }

    /// Adds the action that issues a credential; `false` where access ends too soon for one.
    fn issue(
        &mut self,
        inputs: Inputs<'_>,
        name: &UserName,
        issuance: Issuance,
        action: impl FnOnce(NewCredential) -> CredentialAction,
    ) -> bool {
        let not_after = inputs.now + issuance.validity;
        if issuance.validity < SHORTEST_VALIDITY {
            self.too_short = Some(not_after);
            return false;
        }
        let last = inputs.last(name);
        let transfer = last
            .map(|last| AccessTransfer::between(last, &issuance.recipients, &issuance.key))
            .unwrap_or_default();
        self.actions.push(action(NewCredential { issuance, not_after, transfer }));
        true
    }
}

/// When a credential falls due for renewal: two thirds of its lifetime, as issued.
pub fn due(credential: &Credential) -> Timestamp {
    let lifetime = credential.not_before.duration_until(credential.not_after);
    credential.not_before + lifetime / 3 * 2
}

/// When somebody's credential is renewed; `None` where their access ends too soon after it for another one.
pub fn renewal(
    roster: &Roster,
    cluster: &ClusterName,
    user: &User,
    active: &Credential,
    now: Timestamp,
) -> Option<Timestamp> {
    let groups = in_certificate_groups(roster, cluster, user, now);
    renewed(active, roster.validity_of(user, cluster), not_after_limit(user, &groups))
}

fn renewed(
    active: &Credential,
    validity: SignedDuration,
    not_after_limit: Option<Timestamp>,
) -> Option<Timestamp> {
    let asked = due(active) + validity;
    let renewed_until = not_after_limit.map_or(asked, |limit| limit.min(asked));
    is_worth_it(active, renewed_until).then(|| due(active))
}

/// What is in the certificate cannot be taken out of it when the membership ends.
fn not_after_limit(user: &User, in_certificate_groups: &BTreeSet<GroupName>) -> Option<Timestamp> {
    let memberships = in_certificate_groups.iter().filter_map(|group| user.groups.get(group)?.until);
    memberships.chain(user.until).min()
}

/// The groups that go into a member's certificate now.
pub fn in_certificate_groups(
    roster: &Roster,
    cluster: &ClusterName,
    user: &User,
    now: Timestamp,
) -> BTreeSet<GroupName> {
    let here = user.groups.iter().filter(|(_, membership)| membership.clusters.includes(cluster));
    here.filter(|(_, membership)| lasts(membership.until, now))
        .map(|(name, _)| name)
        .filter(|name| roster.groups.get(name).is_some_and(|group| group.in_certificate))
        .cloned()
        .collect()
}

/// Whether something that ends then is still on now.
pub fn lasts(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

/// Whether somebody has access to a cluster at all.
pub fn has_access(user: &User, cluster: &ClusterName, now: Timestamp) -> bool {
    user.clusters.contains(cluster) && !user.suspended && lasts(user.until, now)
}

/// Whether a grant, and the membership that it comes through, are still on now.
pub fn grant_lasts(of: &GrantOf<'_>, now: Timestamp) -> bool {
    lasts(of.membership_until, now) && lasts(of.grant.until, now)
}

/// What the roster asks for someone now.
fn wanted(
    roster: &Roster,
    cluster: &ClusterName,
    user: &User,
    brought: Option<&BroughtKey>,
    now: Timestamp,
) -> Issuance {
    let in_certificate_groups = in_certificate_groups(roster, cluster, user, now);
    let not_after_limit = not_after_limit(user, &in_certificate_groups);
    let there = roster.clusters.get(cluster);
    let validity = roster.validity_of(user, cluster);
    Issuance {
        route: there.map_or_else(Route::default, |there| there.route.clone()),
        context_name: there.map_or_else(|| cluster.to_string(), |there| there.context_name.clone()),
        namespace: roster.namespace_of(user, cluster).cloned(),
        key: match brought {
            Some(brought) => KeySource::Brought(brought.clone()),
            None => KeySource::Made(roster.key_of(user, cluster)),
        },
        recipients: user.recipients.keys().cloned().collect(),
        in_certificate_groups,
        generation: user.generation,
        protected: user.protected,
        validity: not_after_limit.map_or(validity, |limit| validity.min(now.duration_until(limit))),
        roster_validity: validity,
        not_after_limit,
    }
}

/// What the roster asks for that an expired credential was not. It cuts off nobody, but the clock alone
/// would not have done it. Groups that are only gone from the certificate, the clock may have ended.
fn edited(wanted: &Issuance, expired: &Credential) -> Option<Reason> {
    let (removed, added) = recipient_changes(&wanted.recipients, expired);
    let gained = |group: &GroupName| !expired.in_certificate_groups.contains(group);
    Reason::of_recipients(removed, added).or_else(|| cut_off(wanted, expired)).filter(|reason| {
        *reason != Reason::InCertificateGroupsChanged || wanted.in_certificate_groups.iter().any(gained)
    })
}

/// Whether the new credential would have the key, and so the group, of the old one.
fn same_key(wanted: &Issuance, active: &Credential) -> bool {
    matches!(&wanted.key, KeySource::Brought(brought) if brought.id == active.id)
}

/// Why the certificate of a brought key has to lose its rights although the roster still brings that
/// key; `None` where it may keep them, as after a mere renewal.
pub(super) fn cut_off_with(
    roster: &Roster,
    cluster: &ClusterName,
    user: &User,
    brought: &BroughtKey,
    credential: &Credential,
    now: Timestamp,
) -> Option<Reason> {
    let reason = cut_off(&wanted(roster, cluster, user, Some(brought), now), credential)?;
    matches!(reason, Reason::GenerationRaised { .. } | Reason::InCertificateGroupsChanged).then_some(reason)
}

/// A difference after which the old credential must not be used any more.
fn cut_off(wanted: &Issuance, active: &Credential) -> Option<Reason> {
    let taken_back = taken_back(wanted, active);
    if taken_back.is_some() {
        return taken_back;
    }
    match (&wanted.key, &active.key) {
        (KeySource::Made(wanted), KeySource::Made(made)) if wanted == made => {}
        (KeySource::Brought(wanted), KeySource::Brought(request)) if wanted.csr_sha256 == *request => {}
        (KeySource::Brought(_), KeySource::Brought(_)) => return Some(Reason::CsrChanged),
        (to, from) => return Some(Reason::KeyChanged { from: from.made(), to: to.made() }),
    }
    let recorded: BTreeSet<GroupName> = active.in_certificate_groups.iter().cloned().collect();
    (recorded != wanted.in_certificate_groups).then_some(Reason::InCertificateGroupsChanged)
}

/// What must be cut off although nothing can be issued in its place. Another key alone is no such
/// difference: nobody said that the old one is in wrong hands.
fn withdrawn(wanted: &Issuance, active: &Credential) -> Option<Reason> {
    taken_back(wanted, active).or_else(|| {
        let kept = active.in_certificate_groups.iter().all(|g| wanted.in_certificate_groups.contains(g));
        (!kept).then_some(Reason::InCertificateGroupsChanged)
    })
}

/// The roster raises the generation, or takes the credential out of somebody's hands.
fn taken_back(wanted: &Issuance, active: &Credential) -> Option<Reason> {
    if wanted.generation > active.generation {
        return Some(Reason::GenerationRaised { from: active.generation, to: wanted.generation });
    }
    let (removed, added) = recipient_changes(&wanted.recipients, active);
    if removed > 0 { Reason::of_recipients(removed, added) } else { None }
}

/// A difference that asks for a new credential while the old one may live on.
fn overlap(wanted: &Issuance, active: &Credential, observed: Observed<'_>) -> Option<Reason> {
    let (removed, added) = recipient_changes(&wanted.recipients, active);
    if let Some(reason) = Reason::of_recipients(removed, added) {
        return Some(reason);
    }
    if observed.leads_elsewhere(&active.server) {
        return Some(Reason::ServerChanged);
    }
    let authority = active.certificate_authority_sha256.as_ref();
    if observed.trusts_another(authority) {
        return Some(Reason::CertificateAuthorityChanged);
    }
    if wanted.route != active.route {
        return Some(Reason::RouteChanged);
    }
    if wanted.namespace != active.namespace {
        return Some(Reason::NamespaceChanged);
    }
    observed.is_dead(&active.x509_sha256).then_some(Reason::ClientAuthorityReplaced)
}

/// Renewal is due, and would gain something: `until` may already be what ends the certificate.
fn expiry(active: &Credential, not_after: Timestamp, now: Timestamp) -> Option<Reason> {
    (due(active) <= now && is_worth_it(active, not_after)).then(|| Reason::RenewalDue { at: due(active) })
}

/// Whether a certificate until then would live on by more than a tenth of the old one's lifetime.
fn is_worth_it(active: &Credential, not_after: Timestamp) -> bool {
    let lifetime = active.not_before.duration_until(active.not_after);
    active.not_after.duration_until(not_after) > lifetime / 10
}
