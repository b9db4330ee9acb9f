//! What an administrator should know, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, visible_line};
use crate::ledger::{Removal, RemovedBy};
use crate::model::{Position, Recipient, UserName};
use crate::plan::residual_access::GivenRole;
use crate::plan::warning::{RecordEdit, RequestClaim, UpcomingEnd, Warning};
use crate::render::grouped;
use crate::roster::fence::{AddUsers, Widened};
use crate::roster::pattern::Pattern;
use crate::roster::{OnClusters, RosterFileNames};

/// Names in one sentence.
const MOST_NAMES: usize = 10;
/// Bytes of a recipient: all but RSA keys and plugins' are shorter.
const LONGEST_KEY: usize = 100;
/// Of a long one, the last characters: RSA keys all begin alike.
const KEY_END: usize = 20;

/// Each with its code, in the order in which they are shown: dangers first.
pub fn warnings(warnings: &[Warning]) -> Vec<(&'static str, String)> {
    let mut told: Vec<_> = warnings.iter().map(|of| (!of.is_danger(), of.code(), warning(of))).collect();
    told.sort();
    told.into_iter().map(|(_, code, message)| (code, message)).collect()
}

/// One warning, as a sentence.
pub fn warning(warning: &Warning) -> String {
    match warning {
        Warning::ClocksApart(clocks) => super::clocks(*clocks),
        Warning::ContextPassedOver { context, server, pinned } => {
            let (context, server) = (visible_line(context), visible_line(server));
            let leads =
                if server == *pinned { "has another CA".to_owned() } else { format!("leads to {server}") };
            format!(
                "context `{context}` {leads}; kubeconfigs go on to lead to {pinned} with its CA, as the records pin it. \
                 If the cluster moved, say so with `server:` and `certificateAuthority:` in the roster, or with `certctl repin`"
            )
        }
        Warning::ServerNotNamed => {
            "the roster names no `server:` for this cluster, so new kubeconfigs lead where `access/` says, which everyone who pushes \
             there decides: name it, so that it is reviewed with the roster"
                .to_owned()
        }
        Warning::PinEdited { field, from, to } => {
            let value = |value: &Option<String>| value.as_deref().map_or("nothing".to_owned(), visible_line);
            format!(
                "cluster.yaml of the records is edited: it pins {field} {} instead of {}, and the roster does not say so; \
                 whoever runs that server gets what people send there: make sure that it is the cluster's",
                value(to),
                value(from)
            )
        }
        Warning::NamespacesFit { grantee, role, namespaces } => {
            let shown: Vec<&str> = namespaces.iter().take(MOST_NAMES).map(String::as_str).collect();
            let more = namespaces.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
            format!(
                "{} gets {role} in {}{more}, by name or label; whoever may create or label namespaces decides in which",
                super::held::grantee(grantee),
                visible_line(&shown.join(", "))
            )
        }
        Warning::NoNamespaceFits { grantee, role, places } => format!(
            "{} is granted {role} in namespaces {places}, and the cluster has none now",
            super::held::grantee(grantee)
        ),
        Warning::FenceWidened { part, by } => {
            format!("{part} {}; whoever owns that file can use it without another review", widened(by))
        }
        Warning::GroupOpened { group, to } => format!(
            "{to} may add members to group `{group}` of another file; whoever owns {to} can use it without another review"
        ),
        Warning::AccessRemains { user, credential, not_after, through, kind, subject } => format!(
            "{user}'s credential {credential} keeps access until {not_after} through {through}, which names {kind} `{subject}`"
        ),
        Warning::BindingFinalizer { at, finalizers, deletion_requested } => {
            let finalizers = visible_line(&finalizers.join(", "));
            let state = match deletion_requested {
                true => "is deleted, and waits for it",
                false => "will stay when it is deleted, without any subject",
            };
            format!("{at} has finalizer {finalizers}, which certctl did not add: the object {state}")
        }
        Warning::ForeignBindingOfCredential { at, group } => {
            format!(
                "{at} is not ours and names {group}; certctl takes it out only if it issued that credential, once it is cut off"
            )
        }
        Warning::ForeignBindingOfUser { at, user, role } => format!(
            "{at} is not ours and gives {role} to user {user}; every certificate of theirs keeps these rights, revoked ones too"
        ),
        Warning::ForeignRequest { name, requester, claim } => format!(
            "CertificateSigningRequest {name} by {requester} claims {}; it is not ours, do not approve it",
            request_claim(claim)
        ),
        Warning::MislabelledRequest { name, requester, claim, identity } => {
            let claims =
                claim.as_ref().map_or(String::new(), |claim| format!(", claims {}", request_claim(claim)));
            let me = identity.as_deref().unwrap_or("certctl");
            format!(
                "CertificateSigningRequest {name} has our labels{claims}, and was made by {requester}, not by {me}; \
                 do not approve it: it is planted, or that identity's apply left it and cleans it up"
            )
        }
        Warning::InCertificate { user, group, not_after, gives } => format!(
            "{user}'s new certificate will hold O={group}, which cannot be revoked before {not_after}; {}",
            group_gives(gives.as_ref())
        ),
        Warning::KeyChanged { user } | Warning::KeyEdited { user } => format!(
            "{user} brings another key: whoever holds it gets {user}'s access; make sure that {user} asked for it"
        ),
        Warning::RecipientChanged { user } => format!(
            "{user}'s recipients changed: whoever holds the new key gets {user}'s access; make sure that {user} asked for it"
        ),
        Warning::RecipientEdited { user } => format!(
            "{user}'s recipients are edited: whoever holds the new key gets {user}'s access, now or with the next \
             certificate; make sure that {user} asked for it"
        ),
        Warning::RecordEdited { user, credential, edit } => {
            format!("{user}'s credential {credential} {}", record_edit(*edit))
        }
        Warning::LedgerLost { roster } => format!(
            "ConfigMap kube-system/certctl-{roster} is gone, in which the cluster remembers what was revoked; the next apply \
             writes it anew from the records: make sure with `git log -p access` that nobody put an older one back"
        ),
        Warning::RevokedInCluster { user, credential } => format!(
            "the record of {user} lets credential {credential} in, and the cluster remembers that it was revoked: \
             somebody put an older record back; it stays cut off"
        ),
        Warning::KeptOut { user, removal: Removal { at, by } } => match by {
            RemovedBy::Commit(commit) => format!(
                "{user} is kept out by commit {:.12} of {at} until it is merged; to let them in again, `certctl revoke --undo {user}`",
                commit.as_str()
            ),
            RemovedBy::Command => format!(
                "{user} was cut off with `certctl revoke` at {at} and stays out: take them off the roster, or let them in again with `certctl revoke --undo {user}`"
            ),
        },
        Warning::KeyOutlivesAccess { recipient, left, opens } => format!(
            "a key of {} still opens the kubeconfig of {} ({}): take it off whoever keeps access, unless it is theirs alone by now",
            some(left),
            some(opens),
            key(recipient)
        ),
        Warning::SharedRecipient { recipient, users } => format!(
            "{} have one recipient ({}): its private key opens the kubeconfigs of them all, also after one of them is removed",
            some(users),
            key(recipient)
        ),
        Warning::SealedChanged { user, file } => format!(
            "{file} is not the file that certctl wrote; {user} must not use it: `git log -- {file}`, then `certctl rotate {user}`"
        ),
        Warning::SealedMissing { user, file } => format!(
            "{file} is gone, so {user} cannot decrypt; restore it from git, or `certctl rotate {user}`"
        ),
        Warning::TooShort { user, until } => format!(
            "{user}'s access ends at {until}, too soon for a certificate (10 minutes is the least); none is issued"
        ),
        Warning::NotBindable { role, identity } => format!(
            "the roster grants {role}, and {identity}, which applies it, may not bind it: apply would issue and bind nothing here. \
             Have an administrator apply what `certctl bootstrap` prints"
        ),
        Warning::UntilSoon { ending, until } => match ending {
            UpcomingEnd::Access(user) => format!("{user}'s access ends at {until}"),
            UpcomingEnd::Membership(user, group) => format!("{user} leaves group {group} at {until}"),
            UpcomingEnd::PersonalGrant(user, role) => format!("{user}'s {role} ends at {until}"),
            UpcomingEnd::GroupGrant(group, role) => format!("group {group}'s {role} ends at {until}"),
        },
    }
}

/// What a group in a certificate gives, by bindings of others.
pub fn group_gives(roles: Option<&BTreeSet<GivenRole>>) -> String {
    let Some(roles) = roles else { return "what that gives is not known".to_owned() };
    let mut first: Vec<String> =
        roles.iter().take(MOST_NAMES).map(|GivenRole { role, at }| format!("{role} ({at})")).collect();
    if let Some(more @ 1..) = roles.len().checked_sub(first.len()) {
        first.push(format!("{} more", grouped(more)));
    }
    if first.is_empty() {
        "no binding names it now".to_owned()
    } else {
        format!("it gives {}", first.join(", "))
    }
}

fn request_claim(claim: &RequestClaim) -> String {
    match claim {
        RequestClaim::User(user) => format!("user {user}"),
        RequestClaim::Group(group) => format!("group {group}"),
        RequestClaim::Unreadable => "what cannot be read here".to_owned(),
    }
}

fn record_edit(edit: RecordEdit) -> &'static str {
    match edit {
        RecordEdit::Forgotten => "is gone from the record and has not expired: no apply forgets it by then",
        RecordEdit::Revived => {
            "was revoked, and an edit of the record lets it in again: whoever holds it gets the access back"
        }
        RecordEdit::Added => {
            "is new in the record, and nobody here knows of an apply that issued it: whoever holds its key gets the access"
        }
        RecordEdit::Changed => {
            "is recorded otherwise than before, and not as an apply would: the record was edited"
        }
    }
}

/// The first few of them.
pub fn some(users: &BTreeSet<UserName>) -> String {
    let first: Vec<&str> = users.iter().take(MOST_NAMES).map(UserName::as_str).collect();
    match users.len().checked_sub(first.len()) {
        Some(more @ 1..) => format!("{} and {} more", first.join(", "), grouped(more)),
        _ => first.join(", "),
    }
}

/// `may grant ClusterRole edit`.
fn widened(by: &Widened) -> String {
    let patterns = |patterns: &BTreeSet<Pattern>| {
        let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
        if patterns.is_empty() { "nobody".to_owned() } else { patterns.join(", ") }
    };
    match by {
        Widened::Included => "is a new part of the roster".to_owned(),
        Widened::Everything => "may do everything that the roster itself may do".to_owned(),
        Widened::Role(role) => format!("may grant {role}"),
        Widened::ClusterWide => "may grant its roles in whole clusters".to_owned(),
        Widened::Namespaces(pattern) => format!("may grant its roles in namespaces {pattern}"),
        Widened::Clusters(OnClusters::All) => "is about every cluster".to_owned(),
        Widened::Clusters(OnClusters::Only(clusters)) => {
            let clusters: Vec<&str> = clusters.iter().map(|cluster| cluster.as_str()).collect();
            format!("is about clusters {}", clusters.join(", "))
        }
        Widened::AddUsers(AddUsers::Anybody) => "may add users, whatever their names".to_owned(),
        Widened::AddUsers(AddUsers::Nobody) => "may add nobody".to_owned(),
        Widened::AddUsers(AddUsers::Named(names)) => format!("may add users {}", patterns(names)),
        Widened::Validity(Some(longest)) => format!("may have certificates that are valid for {longest:#}"),
        Widened::Validity(None) => {
            "may have certificates that are valid as long as the roster's default".to_owned()
        }
    }
}

/// A recipient, with the middle of a long one left out.
pub(super) fn key(recipient: &Recipient) -> String {
    let text = visible_line(recipient.as_str());
    match text.char_indices().rev().nth(KEY_END - 1) {
        Some((end, _)) if text.len() > LONGEST_KEY => {
            format!("{}...{}", &text[..text.floor_char_boundary(LONGEST_KEY - KEY_END)], &text[end..])
        }
        _ => text,
    }
}

/// Users with one recipient, each where the roster's file names it.
pub fn shared_recipient(
    files: &RosterFileNames,
    recipient: &Recipient,
    users: &BTreeMap<&UserName, Position>,
) -> Error {
    let named = users.iter().take(MOST_NAMES);
    let mut places: Vec<String> =
        named.map(|(user, position)| format!("{user} at {}", files.place(*position))).collect();
    if let Some(more @ 1..) = users.len().checked_sub(places.len()) {
        places.push(format!("{} more", grouped(more)));
    }
    let last = places.pop().unwrap_or_default();
    let others = places.join(", ");
    Error::new(format!("several users have one recipient: {others} and {last} ({})", key(recipient))).hint(
        "whoever is removed still opens the others' kubeconfigs with that key: let each user have their own",
    )
}
