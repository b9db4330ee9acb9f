//! Who has access, in English.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::access::credentials::Note;
use crate::access::events::{Bounds, Gain, GrantHolder, LifeEvent};
use crate::access::granted::GrantInForce;
use crate::access::rights::{HeldRight, Origin};
use crate::error::visible_line;
use crate::model::Recipient;
use crate::roster::{Grant, OnClusters};

/// What a note says of a credential.
pub fn note(note: Note) -> &'static str {
    match note {
        Note::RevokedBound => "revoked, and a binding still names it",
        Note::RevokedInCluster => "the cluster remembers it as revoked, and its record does not say so",
        Note::ToBeCutOff => "the next apply cuts it off",
        Note::Suspended => "suspended",
        Note::NotOnRoster => "not on the roster any more",
        Note::NotOnCluster => "not on this cluster any more",
        Note::AccessEnded => "access has ended",
        Note::KeptOut => "kept out by what the cluster remembers",
        Note::Held => "held back: `certctl plan` says why",
        Note::Unbound => "no binding names it",
        Note::Undecryptable => "sealed to none of its owner's keys on the roster",
        Note::SealedChanged => "its sealed kubeconfig is gone or was changed",
        Note::Expiring => "ends soon",
        Note::Overdue => "ends soon, and was to be renewed by now",
        Note::NotIssued => "no credential: the next apply issues one",
        Note::ToBeRenewed => "the next apply renews it",
        Note::SupersededBound => "bound until it ends",
        Note::Unread => "the cluster was not read",
    }
}

/// `view everywhere`, `edit in shop, staging`.
pub fn grant(grant: &Grant) -> String {
    let role = grant.role.name();
    grant.places().map_or_else(|| format!("{role} everywhere"), |places| format!("{role} in {places}"))
}

/// The same, of a role by its name.
pub fn right<'n>(role: &str, places: Option<impl Iterator<Item = &'n str>>) -> String {
    match places {
        None => format!("{role} everywhere"),
        Some(names) => format!("{role} in {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// `edit in shop through developers, until 2026-12-24T00:00:00Z`.
pub fn granted(granted: &GrantInForce<'_>) -> String {
    let GrantInForce { grant: of, through, until } = granted;
    let through = through.map_or(String::new(), |group| format!(" through {group}"));
    format!(
        "{}{through}{}",
        grant(of),
        until.map_or(String::new(), |until| format!(", until {}", minute(until)))
    )
}

/// What a cluster gives somebody, each role once for each way in which it comes: `edit in shop, staging through
/// developers`, `edit in shop through RoleBinding shop/theirs, which is not ours`.
pub fn held(rights: &[HeldRight<'_>]) -> Vec<String> {
    let mut places: BTreeMap<(String, String), Option<Vec<String>>> = BTreeMap::new();
    for HeldRight { origin, path, until } in rights {
        let binding = path.binding;
        let through = match origin {
            Origin::Group(group) => format!(" through {group}"),
            Origin::Personal => String::new(),
            Origin::Others => {
                format!(" through {}, which is not ours", visible_line(&binding.at.to_string()))
            }
        };
        let until = until.map_or(String::new(), |until| format!(", until {}", minute(until)));
        let place = places.entry((visible_line(&binding.role_name), through + &until));
        match &binding.at.namespace {
            None => *place.or_default() = None,
            Some(namespace) => {
                if let Some(names) = place.or_insert_with(|| Some(Vec::new())) {
                    names.push(visible_line(namespace));
                }
            }
        }
    }
    let line = |((role, through), names): ((String, String), Option<Vec<String>>)| {
        format!("{}{through}", right(&role, names.as_ref().map(|names| names.iter().map(String::as_str))))
    };
    places.into_iter().map(line).collect()
}

/// A time to the minute, or as the day where it begins one.
pub fn minute(at: Timestamp) -> String {
    let text = at.strftime("%Y-%m-%dT%H:%MZ").to_string();
    text.strip_suffix("T00:00Z").map_or(text.clone(), str::to_owned)
}

/// `in 9 days`, `5 hours ago`.
pub fn from_now(at: Timestamp, now: Timestamp) -> String {
    let distance = now.duration_until(at);
    let seconds = distance.abs().as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let amount = super::super::count(usize::try_from(number).unwrap_or(usize::MAX), unit);
    if distance > SignedDuration::ZERO { format!("in {amount}") } else { format!("{amount} ago") }
}

/// What happened, without when, to whom and on which cluster.
pub fn event(event: &LifeEvent) -> String {
    match event {
        LifeEvent::Joined { .. } => "put on the roster".to_owned(),
        LifeEvent::Left { .. } => "taken off the roster".to_owned(),
        LifeEvent::Suspended { suspended: true, .. } => "all access suspended".to_owned(),
        LifeEvent::Suspended { suspended: false, .. } => "no longer suspended".to_owned(),
        LifeEvent::Until { until: Some(until), .. } => format!("access ends {}", minute(*until)),
        LifeEvent::Until { until: None, .. } => "access does not end".to_owned(),
        LifeEvent::Clusters { gained, lost, .. } => signed(gained, lost, |name| name.to_string()),
        LifeEvent::Recipients { added, removed, .. } => signed(added, removed, recipient),
        LifeEvent::Membership { group, change, terms, .. } => {
            format!("{} {group}{}", sign(*change), self::terms(*change, terms))
        }
        LifeEvent::Grant { of, role, places, change, terms } => {
            let through = match of {
                GrantHolder::Group(group, Some(_)) => format!(" through {group}"),
                GrantHolder::User(_) | GrantHolder::Group(_, None) => String::new(),
            };
            let places = places.as_ref().map(|places| places.iter().map(ToString::to_string));
            let places: Option<Vec<String>> = places.map(Iterator::collect);
            let names = places.as_ref().map(|names| names.iter().map(String::as_str));
            let right = right(role.name().as_str(), names);
            format!("{} {right}{through}{}", sign(*change), self::terms(*change, terms))
        }
        LifeEvent::Issued(new) => format!("{}, until {}", new.credential, minute(new.not_after)),
        LifeEvent::Renewed(new) => format!("{}, until {}", new.credential, minute(new.not_after)),
        LifeEvent::Rotated { new, cut_off } => {
            format!("{}, until {}; {cut_off} cut off", new.credential, minute(new.not_after))
        }
        LifeEvent::Revoked { credential, not_after, .. } => {
            format!("{credential}, a certificate until {}", minute(*not_after))
        }
    }
}

/// The same, where its kind and its cluster are told nowhere else.
pub fn whole_event(event: &LifeEvent) -> String {
    match event.cluster() {
        Some(cluster) => format!("{} on {cluster}: {}", event.code(), self::event(event)),
        None => self::event(event),
    }
}

fn sign(change: Gain) -> char {
    match change {
        Gain::Gained => '+',
        Gain::Lost => '-',
        Gain::Changed => '~',
    }
}

/// Of what was lost, the terms do not matter any more; of what was changed, also that there are none.
fn terms(change: Gain, terms: &Bounds) -> String {
    let mut text = String::new();
    if change == Gain::Lost {
        return text;
    }
    match &terms.clusters {
        OnClusters::Only(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            text += &format!(" on {}", names.join(", "));
        }
        OnClusters::All if change == Gain::Changed => text += " on every cluster",
        OnClusters::All => {}
    }
    match terms.until {
        Some(until) => text += &format!(", until {}", minute(until)),
        None if change == Gain::Changed => text += ", without end",
        None => {}
    }
    text
}

fn signed<T>(gained: &BTreeSet<T>, lost: &BTreeSet<T>, text: impl Fn(&T) -> String) -> String {
    let all = gained.iter().map(|one| format!("+ {}", text(one)));
    let all = all.chain(lost.iter().map(|one| format!("- {}", text(one))));
    all.collect::<Vec<_>>().join("; ")
}

/// Enough of a public key to recognise it: its kind and its end, since its beginning is the same in all.
fn recipient(recipient: &Recipient) -> String {
    let text = recipient.as_str();
    let (kind, key) = text.split_once(' ').unwrap_or(("", text));
    let beginning: String = key.chars().take(12).collect();
    let end = key.chars().count().saturating_sub(8);
    let shown = match end {
        0..=12 => key.to_owned(),
        _ => format!("{beginning}...{}", key.chars().skip(end).collect::<String>()),
    };
    format!("{kind} {shown}").trim_start().to_owned()
}
