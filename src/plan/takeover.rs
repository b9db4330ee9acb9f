//! What a branch does to roster and records that hands somebody's access over without an action that
//! says so: a reviewer has to ask about it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::access_transfer::AccessTransfer;
use super::action::CredentialAction;
use super::branch_diff::Side;
use super::{Warning, warnings};
use crate::model::{ClusterName, CredentialId, Recipient, UserName};
use crate::record::{Credential, State};

/// Someone's recipients are others than at the base.
const RECIPIENT_EDITED: &str = "recipient-edited";
/// A key is brought that the base does not bring.
const KEY_EDITED: &str = "key-edited";
/// A record is not what an apply would have made of it.
const RECORD_EDITED: &str = "record-edited";

/// The codes of its warnings, each of them a danger.
pub const CODES: [&str; 3] = [RECIPIENT_EDITED, KEY_EDITED, RECORD_EDITED];

/// All of it on one cluster, except for what `told` says already.
pub(super) fn find(
    name: &ClusterName,
    head: Side<'_>,
    base: Side<'_>,
    told: &[CredentialAction],
    now: Timestamp,
) -> BTreeSet<Warning> {
    let mut found = BTreeSet::new();
    let mut warn = |code, message: String| {
        found.insert(Warning { code, message });
    };
    let told = |is: fn(AccessTransfer) -> bool| -> BTreeSet<&UserName> {
        told.iter().filter(|action| is(action.transfer())).map(CredentialAction::user).collect()
    };
    let sealed_to_at_base = |user: &UserName| {
        let record = base.observed.records.get(user)?;
        let live = record.credentials.iter().filter(|c| c.state != State::Revoked && c.not_after > now);
        Some(live.max_by_key(|credential| credential.not_before)?.recipients.clone())
    };
    let (recipients_told, keys_told) = (told(AccessTransfer::recipients), told(|transfer| transfer.key));
    for (user, after) in head.roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
        let Some(before) = base.roster.users.get(user) else { continue };
        // Back to those of the credential that they have, a new one is not even made.
        let has = sealed_to_at_base(user);
        let new = |recipient: &Recipient| {
            !before.recipients.contains(recipient)
                && !has.iter().flatten().any(|known| known == recipient.as_str())
        };
        if after.recipients.iter().any(new) && !recipients_told.contains(user) {
            warn(
                RECIPIENT_EDITED,
                format!(
                    "{user}'s recipients are edited: whoever holds the new key gets {user}'s access, now or with the next \
                     certificate; make sure that {user} asked for it"
                ),
            );
        }
        let key = |side: Side<'_>| side.observed.brought_keys.get(user).map(|brought| brought.id.clone());
        let another =
            if before.clusters.contains(name) { key(head) != key(base) } else { after.csr != before.csr };
        if key(head).is_some() && another && !keys_told.contains(user) {
            warn(KEY_EDITED, warnings::brings_another_key(user));
        }
    }
    for (user, record) in &base.observed.records {
        for before in record.credentials.iter().filter(|credential| credential.not_after > now) {
            if let Some(how) = edited(before, recorded(head, user, &before.id)) {
                warn(RECORD_EDITED, format!("{user}'s credential {} {how}", before.id));
            }
        }
    }
    found
}

fn recorded<'a>(side: Side<'a>, user: &UserName, id: &CredentialId) -> Option<&'a Credential> {
    let mut credentials = side.observed.records.get(user)?.credentials.iter();
    credentials.find(|credential| credential.id == *id)
}

/// What became of a credential that has not expired, unless an apply would have done it: it gives one a
/// later state, notes who is protected, and forgets what has expired.
fn edited(before: &Credential, after: Option<&Credential>) -> Option<&'static str> {
    let Some(after) = after else {
        return Some("is gone from the record and has not expired: no apply forgets it by then");
    };
    let rank = |credential: &Credential| match credential.state {
        State::Active => 0,
        State::Superseded => 1,
        State::Revoked => 2,
    };
    if before.state == State::Revoked && after.state != State::Revoked {
        return Some(
            "was revoked, and an edit of the record lets it in again: whoever holds it gets the access back",
        );
    }
    // A brought key keeps its credential through every renewal.
    if before.key.is_none() && after.key.is_none() && after.not_before > before.not_before {
        return None;
    }
    let expected = Credential { state: after.state, protected: after.protected, ..before.clone() };
    (*after != expected || rank(after) < rank(before))
        .then_some("is recorded otherwise than before, and not as an apply would: the record was edited")
}
