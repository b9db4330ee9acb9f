//! For each person on one cluster: keep, issue, renew, rotate or revoke.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::bindings::Cause;
use super::remains::Foreign;
use super::{BroughtKey, Cleanup, Observed, Unseen};
use crate::model::{ClusterName, CredentialGroup, CredentialId, GroupName, KeyType, Recipient, UserName};
use crate::record::{Credential, State};
use crate::roster::{Roster, User};

/// The shortest lifetime that the CSR API takes (`expirationSeconds` of `CertificateSigningRequestSpec`).
pub const SHORTEST_VALIDITY: SignedDuration = SignedDuration::from_secs(600);

/// How far the clock of a signer and ours may be apart before two dates count as different.
pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(1);

/// What happens to a person's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// They have none.
    Issue,
    /// A new one; the old stays bound until it expires.
    Renew,
    /// A new one; the old is cut off at once.
    Rotate,
    /// Cut off, nothing new.
    Revoke,
}

impl Verb {
    /// The word in texts and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// On the roster for the first time.
    New,
    /// Was revoked earlier and is on the roster again.
    Again,
    /// The only credential has expired.
    Expired(Timestamp),
    /// Two thirds of its lifetime have passed.
    Due(Timestamp),
    /// `generation` was raised.
    Generation(u32, u32),
    /// Recipients left the roster (and how many joined).
    RecipientsRemoved {
        /// No longer a recipient.
        removed: usize,
        /// Newly a recipient.
        added: usize,
    },
    /// Recipients joined the roster.
    RecipientsAdded(usize),
    /// Another kind of key is asked for.
    Key(Option<KeyType>, Option<KeyType>),
    /// The PKCS#10 file holds another key.
    Csr,
    /// Other groups belong into the certificate.
    InCertificateGroups,
    /// The kubeconfig would lead to another server.
    Server,
    /// The kubeconfig would hold another CA.
    CertificateAuthority,
    /// Gone from the roster.
    OffRoster,
    /// No longer on this cluster.
    OffCluster,
    /// `until` has passed.
    Until {
        /// When.
        at: Timestamp,
        /// Whether someone moved it here. No certificate outlives the `until` that it was issued under, so
        /// one that would have lived on tells that `until` is an edit, not the clock.
        edited: bool,
    },
    /// Superseded, and cut off together with its successor.
    WithSuccessor,
}

impl Reason {
    /// What is different about the recipients, if anything.
    fn of_recipients(removed: usize, added: usize) -> Option<Self> {
        match (removed, added) {
            (0, 0) => None,
            (0, added) => Some(Self::RecipientsAdded(added)),
            (removed, added) => Some(Self::RecipientsRemoved { removed, added }),
        }
    }

    /// Whether the roster drives it, rather than the clock: only then is it part of the digest.
    pub fn roster_driven(&self) -> bool {
        !matches!(self, Self::Expired(_) | Self::Due(_) | Self::Until { edited: false, .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |key: &Option<KeyType>| key.map_or_else(|| "their own key".to_owned(), |k| k.to_string());
        match self {
            Self::New => f.write_str("new on the roster"),
            Self::Again => f.write_str("what they had is revoked and stays revoked"),
            Self::Expired(at) => write!(f, "the last one expired at {at}"),
            Self::Due(at) => write!(f, "two thirds of its lifetime passed at {at}"),
            Self::Generation(from, to) => write!(f, "generation raised from {from} to {to}"),
            Self::RecipientsRemoved { removed, added: 0 } => write!(f, "{}", recipients(*removed, "removed")),
            Self::RecipientsRemoved { removed, added } => {
                write!(f, "RECIPIENT CHANGED: {removed} removed, {added} added")
            }
            Self::RecipientsAdded(added) => write!(f, "RECIPIENT CHANGED: {}", recipients(*added, "added")),
            Self::Key(from, to) => write!(f, "key changed from {} to {}", key(from), key(to)),
            Self::Csr => f.write_str("its csr file changed"),
            Self::InCertificateGroups => f.write_str("the groups in its certificate changed"),
            Self::Server => f.write_str("the cluster's server address changed"),
            Self::CertificateAuthority => f.write_str("the cluster's certificate authority changed"),
            Self::OffRoster => f.write_str("no longer on the roster"),
            Self::OffCluster => f.write_str("no longer on this cluster"),
            Self::Until { at, .. } => write!(f, "access ended at {at}"),
            Self::WithSuccessor => f.write_str("superseded, and its successor is cut off"),
        }
    }
}

fn recipients(count: usize, what: &str) -> String {
    if count == 1 { format!("a recipient was {what}") } else { format!("{count} recipients were {what}") }
}

/// Who can use the new credential, compared with the last one of the same person, whatever the reason
/// for it is: an edit that hands over someone's access must not hide behind another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handover {
    /// No longer a recipient.
    pub removed: usize,
    /// Newly a recipient.
    pub added: usize,
    /// Whether a key is brought that the last one was not for.
    pub key: bool,
}

impl Handover {
    fn between(last: &Credential, wanted: &Issuance) -> Self {
        let (removed, added) = recipient_changes(wanted, last);
        let key = matches!(&wanted.key, KeySource::Brought(brought) if brought.id != last.id);
        Self { removed, added, key }
    }

    /// Whether the recipients are others.
    pub fn recipients(self) -> bool {
        self.removed + self.added > 0
    }

    /// Whether a reviewer has to ask its owner.
    pub fn to_others(self) -> bool {
        self.recipients() || self.key
    }
}

/// One decision about one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialAction {
    /// Whose.
    pub user: UserName,
    /// What.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// The credential that is replaced or revoked.
    pub credential: Option<CredentialId>,
    /// Until when the new one will be valid, or the revoked one still authenticates.
    pub not_after: Timestamp,
    /// Until when the credential that is cut off still authenticates; the plan's own date elsewhere.
    pub cut_off_until: Option<Timestamp>,
    /// Through how many bindings of others the credential that is cut off keeps access.
    pub remains: usize,
    /// Whether the credential that is revoked was its owner's while the roster protected them.
    pub protected: bool,
    /// Whether the new one is for others to use.
    pub handover: Handover,
    /// What to issue.
    pub issuance: Option<Issuance>,
}

impl CredentialAction {
    /// The reason, and what else a reader must not miss.
    pub fn why(&self) -> String {
        let Handover { removed, added, key } = self.handover;
        let recipients = Reason::of_recipients(removed, added)
            .filter(|changed| *changed != self.reason)
            .map(|changed| changed.to_string());
        let brought = key && !matches!(self.reason, Reason::Key(..) | Reason::Csr);
        let brought = brought.then(|| "KEY CHANGED to another of their own".to_owned());
        let said = [Some(self.reason.to_string()), recipients, brought];
        said.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// Until when the old credential still authenticates.
    pub fn old_until(&self) -> Timestamp {
        self.cut_off_until.unwrap_or(self.not_after)
    }
}

/// All that is needed to issue a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// The kind of key to make, or the key that its owner brought.
    pub key: KeySource,
    /// Sealed to each of them.
    pub recipients: BTreeSet<Recipient>,
    /// Groups that go into the certificate besides the credential group.
    pub in_certificate_groups: BTreeSet<GroupName>,
    /// The roster's `generation`.
    pub generation: u32,
    /// How long it is asked to be valid: what the roster says, or what is left until `not_after_limit`.
    pub validity: SignedDuration,
    /// What the roster says, whatever the time is.
    pub roster_validity: SignedDuration,
    /// Whether the roster protects them.
    pub protected: bool,
    /// `until`: its notAfter never exceeds this.
    pub not_after_limit: Option<Timestamp>,
}

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Made here, sealed, wiped.
    Made(KeyType),
    /// Its private half stays with its owner.
    Brought(BroughtKey),
}

/// Why a credential group must leave the bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// It was revoked earlier.
    Revoked,
    /// It has expired.
    Expired,
    /// This plan revokes it, in these words.
    Now(String),
}

impl Leaving {
    /// What is behind it, and half a sentence.
    pub(super) fn why(&self) -> (Cause, &str) {
        match self {
            Self::Revoked => (Cause::Roster, "it was revoked"),
            Self::Expired => (Cause::Clock, "it expired"),
            Self::Now(why) => (Cause::Roster, why),
        }
    }
}

/// Decisions about everyone on one cluster.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// By user.
    pub actions: Vec<CredentialAction>,
    /// Credentials that may be bound after this plan, besides the ones it issues.
    pub bound: BTreeMap<UserName, Vec<CredentialId>>,
    /// Whoever gets a new credential.
    pub issued: BTreeSet<UserName>,
    /// Of those, whoever keeps their key and with it their group: a renewal of a brought key.
    pub same_group: BTreeSet<UserName>,
    /// Why a credential group must leave the bindings.
    pub leaving: BTreeMap<CredentialGroup, Leaving>,
    /// Records to bring up to date.
    pub records: BTreeSet<Cleanup>,
    /// The earliest renewal that is still ahead.
    pub next_renewal: Option<(Timestamp, UserName)>,
    /// How many credentials were active before.
    pub active: usize,
    /// People who cannot get a credential before their `until`.
    pub too_short: Vec<(UserName, Timestamp)>,
}

/// When a credential falls due for renewal: two thirds of its lifetime, as issued.
pub fn due(credential: &Credential) -> Timestamp {
    let lifetime = credential.not_before.duration_until(credential.not_after);
    credential.not_before + lifetime / 3 * 2
}

/// The groups that go into a member's certificate now.
pub fn in_certificate_groups(roster: &Roster, user: &User, now: Timestamp) -> BTreeSet<GroupName> {
    let current = user.groups.iter().filter(|(_, until)| lasts(**until, now));
    current
        .map(|(name, _)| name)
        .filter(|name| roster.groups.get(name).is_some_and(|group| group.in_certificate))
        .cloned()
        .collect()
}

/// Whether something that ends then is still on now.
pub fn lasts(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

/// Decides for every person that the roster or the records name.
pub fn plan(roster: &Roster, cluster: &ClusterName, observed: &Observed, now: Timestamp) -> People {
    let mut people = People::default();
    let names: BTreeSet<&UserName> = roster.users.keys().chain(observed.records.keys()).collect();
    for name in names {
        let live = people.live(name, observed, now);
        people.active += usize::from(live.iter().any(|c| c.state == State::Active));
        let gone = match roster.users.get(name) {
            None => Some(Reason::OffRoster),
            Some(user) if !user.clusters.contains(cluster) => Some(Reason::OffCluster),
            Some(User { until: Some(until), .. }) if *until <= now => {
                let outlives = |credential: &&Credential| credential.not_after > *until + CLOCKS_DIFFER;
                Some(Reason::Until { at: *until, edited: live.iter().any(outlives) })
            }
            Some(user) => {
                people.keep_or_replace(roster, name, user, observed, &live, now);
                None
            }
        };
        if let Some(reason) = gone {
            for credential in live.iter().filter(|c| c.state != State::Revoked) {
                people.revoke(name, credential, reason.clone());
            }
        }
    }
    people
}

impl People {
    /// The credentials that have not expired, oldest first; the others are noted for clean-up.
    fn live<'a>(&mut self, name: &UserName, observed: &'a Observed, now: Timestamp) -> Vec<&'a Credential> {
        let mut live = Vec::new();
        for credential in observed.records.get(name).map_or(&[][..], |record| &record.credentials) {
            if credential.not_after > now {
                live.push(credential);
                if credential.state == State::Revoked {
                    self.leaves(name, credential, Leaving::Revoked);
                }
            } else {
                self.leaves(name, credential, Leaving::Expired);
                self.records.insert(Cleanup::Expired {
                    user: name.clone(),
                    credential: credential.id.clone(),
                    not_after: credential.not_after,
                });
            }
        }
        live.sort_by_key(|credential| credential.not_before);
        live
    }

    fn leaves(&mut self, name: &UserName, credential: &Credential, why: Leaving) {
        let group = CredentialGroup { user: name.clone(), id: credential.id.clone() };
        self.leaving.insert(group, why);
    }

    fn revoke(&mut self, name: &UserName, credential: &Credential, reason: Reason) {
        self.leaves(name, credential, Leaving::Now(reason.to_string()));
        self.actions.push(CredentialAction {
            user: name.clone(),
            verb: Verb::Revoke,
            reason,
            credential: Some(credential.id.clone()),
            not_after: credential.not_after,
            cut_off_until: Some(credential.not_after),
            remains: 0,
            protected: credential.protected,
            handover: Handover::default(),
            issuance: None,
        });
    }

    fn keep_or_replace(
        &mut self,
        roster: &Roster,
        name: &UserName,
        user: &User,
        observed: &Observed,
        live: &[&Credential],
        now: Timestamp,
    ) {
        let bound: Vec<&Credential> = live.iter().copied().filter(|c| c.state != State::Revoked).collect();
        if observed.refused_keys.contains(name) {
            self.keep(name, user, &bound);
            return;
        }
        let issuance = wanted(roster, user, observed.brought_keys.get(name), now);
        let not_after = now + issuance.validity;
        // The newest active one is what the person uses; else a superseded one that outlives its successor.
        let active = bound.iter().rev().find(|c| c.state == State::Active).or(bound.last()).copied();

        let after_expiry = newest_expired(name, observed)
            .map(|expired| edited(&issuance, expired).unwrap_or(Reason::Expired(expired.not_after)));
        let (verb, reason) = match active {
            None => match (after_expiry, live.is_empty()) {
                (Some(reason), _) => (Verb::Renew, Some(reason)),
                (None, false) => (Verb::Issue, Some(Reason::Again)),
                (None, true) => (Verb::Issue, Some(Reason::New)),
            },
            Some(active) => match cut_off(&issuance, active) {
                // Nothing secret was sealed and the group stays the same: there is nothing to cut off.
                // Where there is, `check::keys` has refused the key.
                Some(reason) if same_key(&issuance, active) => (Verb::Renew, Some(reason)),
                Some(reason) => (Verb::Rotate, Some(reason)),
                // They need one that is theirs to decrypt.
                None if active.state != State::Active => {
                    (Verb::Renew, Some(after_expiry.unwrap_or(Reason::Again)))
                }
                None => (
                    Verb::Renew,
                    overlap(&issuance, active, observed).or_else(|| expiry(active, not_after, now)),
                ),
            },
        };
        let Some(reason) = reason else {
            self.keep(name, user, &bound);
            let renewed_until = |active: &Credential| {
                let asked = due(active) + user.validity;
                issuance.not_after_limit.map_or(asked, |limit| limit.min(asked))
            };
            if let Some(active) = active.filter(|active| is_worth_it(active, renewed_until(active))) {
                let next = (due(active).max(now), name.clone());
                if self.next_renewal.as_ref().is_none_or(|known| next < *known) {
                    self.next_renewal = Some(next);
                }
            }
            return;
        };
        if verb == Verb::Rotate {
            for credential in &bound {
                if Some(credential.id.as_str()) == active.map(|active| active.id.as_str()) {
                    self.leaves(name, credential, Leaving::Now(reason.to_string()));
                } else {
                    self.revoke(name, credential, Reason::WithSuccessor);
                }
            }
        } else {
            self.keep(name, user, &bound);
        }
        if issuance.validity < SHORTEST_VALIDITY {
            self.too_short.push((name.clone(), not_after));
            if verb == Verb::Rotate
                && let Some(active) = active
            {
                self.revoke(name, active, reason);
            }
            return;
        }
        self.issued.insert(name.clone());
        if active.is_some_and(|active| same_key(&issuance, active)) {
            self.same_group.insert(name.clone());
        }
        self.actions.push(CredentialAction {
            user: name.clone(),
            verb,
            reason,
            credential: active.map(|credential| credential.id.clone()),
            not_after,
            cut_off_until: active.filter(|_| verb == Verb::Rotate).map(|credential| credential.not_after),
            remains: 0,
            protected: false,
            handover: last(name, observed).map(|last| Handover::between(last, &issuance)).unwrap_or_default(),
            issuance: Some(issuance),
        });
    }

    /// What stays bound, and says from now on whether its owner is protected.
    fn keep(&mut self, name: &UserName, user: &User, bound: &[&Credential]) {
        if bound.iter().any(|credential| credential.protected != user.protected) {
            self.records.insert(Cleanup::Protection { user: name.clone(), protected: user.protected });
        }
        if !bound.is_empty() {
            self.bound.insert(name.clone(), bound.iter().map(|credential| credential.id.clone()).collect());
        }
    }
}

impl People {
    /// Notes what is left to each credential that is cut off.
    pub(super) fn count_what_remains(&mut self, foreign: &Foreign<'_>, observed: &Observed) {
        for action in self.actions.iter_mut().filter(|a| matches!(a.verb, Verb::Revoke | Verb::Rotate)) {
            let record = observed.records.get_key_value(&action.user);
            let cut_off = record.into_iter().flat_map(|(user, record)| {
                let credentials =
                    record.credentials.iter().filter(|c| Some(&c.id) == action.credential.as_ref());
                credentials.map(move |credential| (user, credential))
            });
            action.remains = cut_off.flat_map(|(user, credential)| foreign.left_to(user, credential)).count();
        }
    }
}

/// What the roster asks for someone now.
fn wanted(roster: &Roster, user: &User, brought: Option<&BroughtKey>, now: Timestamp) -> Issuance {
    let in_certificate_groups = in_certificate_groups(roster, user, now);
    // What is in the certificate cannot be taken out of it when the membership ends.
    let memberships =
        in_certificate_groups.iter().filter_map(|group| user.groups.get(group).copied().flatten());
    let not_after_limit = memberships.chain(user.until).min();
    Issuance {
        key: match brought {
            Some(brought) => KeySource::Brought(brought.clone()),
            None => KeySource::Made(user.key),
        },
        recipients: user.recipients.clone(),
        in_certificate_groups,
        generation: user.generation,
        protected: user.protected,
        validity: not_after_limit.map_or(user.validity, |limit| user.validity.min(now.duration_until(limit))),
        roster_validity: user.validity,
        not_after_limit,
    }
}

fn recorded<'a>(name: &UserName, observed: &'a Observed) -> impl Iterator<Item = &'a Credential> {
    observed.records.get(name).into_iter().flat_map(|record| &record.credentials)
}

/// The credential which someone used and that has expired, where there is none in its place. One that was
/// revoked was not used.
fn newest_expired<'a>(name: &UserName, observed: &'a Observed) -> Option<&'a Credential> {
    let used = recorded(name, observed).filter(|c| c.state == State::Active);
    used.max_by_key(|c| (c.not_after, c.id.as_str()))
}

/// What someone had last: of what was not revoked, or else of everything, the newest.
fn last<'a>(name: &UserName, observed: &'a Observed) -> Option<&'a Credential> {
    recorded(name, observed)
        .max_by_key(|c| (c.state != State::Revoked, c.not_before, c.state == State::Active, c.id.as_str()))
}

/// What the roster asks for that an expired credential was not. It cuts off nobody, but the clock alone
/// would not have done it. Groups that are only gone from the certificate, the clock may have ended.
fn edited(wanted: &Issuance, expired: &Credential) -> Option<Reason> {
    let (removed, added) = recipient_changes(wanted, expired);
    let gained = |group: &GroupName| !expired.in_certificate_groups.contains(group);
    Reason::of_recipients(removed, added).or_else(|| cut_off(wanted, expired)).filter(|reason| {
        *reason != Reason::InCertificateGroups || wanted.in_certificate_groups.iter().any(gained)
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
    user: &User,
    brought: &BroughtKey,
    credential: &Credential,
    now: Timestamp,
) -> Option<Reason> {
    let reason = cut_off(&wanted(roster, user, Some(brought), now), credential)?;
    matches!(reason, Reason::Generation(..) | Reason::InCertificateGroups).then_some(reason)
}

/// A difference after which the old credential must not be used any more.
fn cut_off(wanted: &Issuance, active: &Credential) -> Option<Reason> {
    if wanted.generation > active.generation {
        return Some(Reason::Generation(active.generation, wanted.generation));
    }
    let (removed, added) = recipient_changes(wanted, active);
    if removed > 0 {
        return Reason::of_recipients(removed, added);
    }
    let (key, csr) = match &wanted.key {
        KeySource::Made(key) => (Some(*key), None),
        KeySource::Brought(brought) => (None, Some(&brought.csr_sha256)),
    };
    if key != active.key {
        return Some(Reason::Key(active.key, key));
    }
    if csr != active.csr_sha256.as_ref() {
        return Some(Reason::Csr);
    }
    let recorded: BTreeSet<GroupName> = active.in_certificate_groups.iter().cloned().collect();
    (recorded != wanted.in_certificate_groups).then_some(Reason::InCertificateGroups)
}

/// A difference that asks for a new credential while the old one may live on.
fn overlap(wanted: &Issuance, active: &Credential, observed: &Observed) -> Option<Reason> {
    let (removed, added) = recipient_changes(wanted, active);
    if let Some(reason) = Reason::of_recipients(removed, added) {
        return Some(reason);
    }
    if active.server != observed.server && observed.sees(Unseen::Server) {
        return Some(Reason::Server);
    }
    (active.certificate_authority_sha256 != observed.certificate_authority_sha256
        && observed.sees(Unseen::CertificateAuthority))
    .then_some(Reason::CertificateAuthority)
}

/// Renewal is due, and would gain something: `until` may already be what ends the certificate.
fn expiry(active: &Credential, not_after: Timestamp, now: Timestamp) -> Option<Reason> {
    (due(active) <= now && is_worth_it(active, not_after)).then(|| Reason::Due(due(active)))
}

/// Whether a certificate until then would live on by more than a tenth of the old one's lifetime.
fn is_worth_it(active: &Credential, not_after: Timestamp) -> bool {
    let lifetime = active.not_before.duration_until(active.not_after);
    active.not_after.duration_until(not_after) > lifetime / 10
}

fn recipient_changes(wanted: &Issuance, active: &Credential) -> (usize, usize) {
    let wanted: BTreeSet<&str> = wanted.recipients.iter().map(Recipient::as_str).collect();
    let sealed: BTreeSet<&str> = active.recipients.iter().map(String::as_str).collect();
    (sealed.difference(&wanted).count(), wanted.difference(&sealed).count())
}
