//! What an administrator should know, but certctl will not change.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Warning;
use super::credentials::lasts;
use super::observed::Observed;
use super::observed::{self, SigningRequest};
use super::people::People;
use super::residual_access::ForeignBindings;
use crate::model::{ClusterName, CredentialGroup, CredentialId, UserName};
use crate::record::State;
use crate::roster::Roster;

/// How long ahead an ending is announced.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything worth a look on one cluster, sorted.
pub(super) fn find(
    roster: &Roster,
    name: &ClusterName,
    observed: &Observed,
    people: &People,
    foreign: &ForeignBindings<'_>,
    now: Timestamp,
) -> Vec<Warning> {
    let mut found = BTreeSet::new();
    let mut warn = |code, message: String| {
        found.insert(Warning { code, message });
    };
    endings(roster, name, now, &mut warn);
    certificates(observed, people, foreign, now, &mut warn);
    sealed_files(roster, name, observed, people, now, &mut warn);
    foreign_bindings(roster, observed, &mut warn);
    foreign_requests(roster, observed, &mut warn);
    for (user, until) in &people.too_short {
        warn(
            "too-short",
            format!(
                "{user}'s access ends at {until}, too soon for a certificate (10 minutes is the least); none is issued"
            ),
        );
    }
    found.into_iter().collect()
}

fn endings(roster: &Roster, name: &ClusterName, now: Timestamp, warn: &mut impl FnMut(&'static str, String)) {
    let soon = |until: Option<Timestamp>| until.filter(|until| now < *until && *until <= now + AHEAD);
    for (user_name, user) in roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
        if !lasts(user.until, now) {
            continue;
        }
        if let Some(until) = soon(user.until) {
            warn("until-soon", format!("{user_name}'s access ends at {until}"));
        }
        for (group, until) in &user.groups {
            if let Some(until) = soon(*until) {
                warn("until-soon", format!("{user_name} leaves group {group} at {until}"));
            }
        }
        for grant in &user.grants {
            if let Some(until) = soon(grant.until) {
                warn(
                    "until-soon",
                    format!("{user_name}'s {} {} ends at {until}", grant.role.kind(), grant.role.name()),
                );
            }
        }
    }
    for (group_name, group) in &roster.groups {
        for grant in &group.grants {
            if let Some(until) = soon(grant.until) {
                let role = format!("{} {}", grant.role.kind(), grant.role.name());
                warn("until-soon", format!("group {group_name}'s {role} ends at {until}"));
            }
        }
    }
}

/// What goes into a certificate cannot be taken back before it expires.
fn certificates(
    observed: &Observed,
    people: &People,
    foreign: &ForeignBindings<'_>,
    now: Timestamp,
    warn: &mut impl FnMut(&'static str, String),
) {
    for action in &people.actions {
        let (user, transfer) = (action.user(), action.transfer());
        if let Some(new) = action.new_credential() {
            for group in &new.issuance.in_certificate_groups {
                warn(
                    "in-certificate",
                    format!(
                        "{user}'s new certificate will hold O={group}, which cannot be revoked before {}",
                        new.not_after
                    ),
                );
            }
        }
        if transfer.recipients() {
            warn(
                "recipient-changed",
                format!(
                    "{user}'s recipients changed: whoever holds the new key gets {user}'s access; make sure that {user} asked for it"
                ),
            );
        }
        if transfer.key {
            warn("key-changed", brings_another_key(user));
        }
    }
    let cut_off: BTreeSet<&CredentialId> =
        people.actions.iter().filter_map(|action| Some(&action.cut_off()?.credential)).collect();
    for (user, record) in &observed.records {
        let live = record.credentials.iter().filter(|credential| credential.not_after > now);
        for credential in live.filter(|c| c.state == State::Revoked || cut_off.contains(&c.id)) {
            for left in foreign.left_to(user, credential) {
                warn(
                    "access-remains",
                    format!(
                        "{user}'s credential {} keeps access until {} through {}, which names {} `{}`",
                        credential.id, credential.not_after, left.at, left.kind, left.subject
                    ),
                );
            }
        }
    }
}

pub(super) fn brings_another_key(user: &UserName) -> String {
    format!(
        "{user} brings another key: whoever holds it gets {user}'s access; make sure that {user} asked for it"
    )
}

/// A sealed file that is not the one we wrote could make its owner use someone else's kubeconfig.
fn sealed_files(
    roster: &Roster,
    name: &ClusterName,
    observed: &Observed,
    people: &People,
    now: Timestamp,
    warn: &mut impl FnMut(&'static str, String),
) {
    for (user, record) in &observed.records {
        let active = record.credentials.iter().filter(|c| c.state == State::Active && c.not_after > now);
        let Some(active) = active.max_by_key(|c| c.not_before) else {
            continue;
        };
        if people.issued.contains(user) || !roster.users.contains_key(user) {
            continue;
        }
        let file = format!("access/{name}/{user}.kubeconfig.age");
        match observed.sealed.get(user) {
            Some(found) if *found == active.sealed_sha256 => {}
            Some(_) => warn(
                "sealed-changed",
                format!(
                    "{file} is not the file that certctl wrote; {user} must not use it: `git log -- {file}`, then `certctl rotate {user}`"
                ),
            ),
            None => warn(
                "sealed-missing",
                format!(
                    "{file} is gone, so {user} cannot decrypt; restore it from git, or `certctl rotate {user}`"
                ),
            ),
        }
    }
}

fn foreign_bindings(roster: &Roster, observed: &Observed, warn: &mut impl FnMut(&'static str, String)) {
    let known: BTreeSet<CredentialGroup> = observed
        .records
        .iter()
        .flat_map(|(user, record)| {
            record.credentials.iter().map(|c| CredentialGroup { user: user.clone(), id: c.id.clone() })
        })
        .collect();
    for binding in observed.state.bindings.iter().filter(|b| !observed::is_ours(&b.labels, &roster.name)) {
        let other_roster =
            binding.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
        for subject in &binding.subjects {
            let credential = subject.name.parse::<CredentialGroup>().ok();
            if credential.as_ref().is_some_and(|group| known.contains(group))
                || (!other_roster && subject.name.starts_with(CredentialGroup::PREFIX))
            {
                warn(
                    "foreign-binding",
                    format!(
                        "{} is not ours and names {}; revoking will not touch it",
                        binding.at, subject.name
                    ),
                );
            }
            let person = subject.name.parse::<UserName>().ok();
            if subject.kind == "User" && person.is_some_and(|person| roster.users.contains_key(&person)) {
                warn(
                    "foreign-binding",
                    format!(
                        "{} is not ours and names user {}; every certificate of theirs keeps these rights, revoked ones too",
                        binding.at, subject.name
                    ),
                );
            }
        }
    }
}

fn foreign_requests(roster: &Roster, observed: &Observed, warn: &mut impl FnMut(&'static str, String)) {
    for request in &observed.state.requests {
        let labelled =
            request.labels.get(observed::LABEL_MANAGED_BY).is_some_and(|v| v == observed::MANAGED_BY);
        let ours = observed::is_ours(&request.labels, &roster.name);
        let done = if ours {
            // The clean-up names what this identity left behind.
            super::is_of_this_identity(roster, observed, request)
                || super::outcome(observed, request).is_some()
        } else {
            // Another roster's apply is through with it, where it asks for the group of its own key and for
            // nobody of ours. Labels vouch for nothing.
            labelled && request.issued && asks_for_its_own(request) && !names_ours(observed, request)
        };
        if done {
            continue;
        }
        let person = request.common_name.as_ref().and_then(|cn| cn.parse::<UserName>().ok());
        let claims = person
            .filter(|person| roster.users.contains_key(person))
            .map(|person| format!("user {person}"))
            .or_else(|| {
                request
                    .organizations
                    .iter()
                    .find(|o| o.starts_with(CredentialGroup::PREFIX))
                    .map(|o| format!("group {o}"))
            });
        if ours {
            let claims = claims.map_or(String::new(), |claims| format!(", claims {claims}"));
            let me = observed.identity.as_deref().unwrap_or("certctl");
            warn(
                "foreign-csr",
                format!(
                    "CertificateSigningRequest {} has our labels{claims}, and was made by {}, not by {me}; \
                     do not approve it: it is planted, or that identity's apply left it and cleans it up",
                    request.name, request.requester
                ),
            );
        } else if let Some(claims) = claims {
            warn(
                "foreign-csr",
                format!(
                    "CertificateSigningRequest {} by {} claims {claims}; it is not ours, do not approve it",
                    request.name, request.requester
                ),
            );
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
fn names_ours(observed: &Observed, request: &SigningRequest) -> bool {
    let mut groups = request.organizations.iter().filter_map(|o| o.parse::<CredentialGroup>().ok());
    let known = |group: CredentialGroup| {
        observed
            .records
            .get(&group.user)
            .is_some_and(|record| record.credentials.iter().any(|c| c.id == group.id))
    };
    groups.any(known)
}
