//! What a branch does to roster and records that hands somebody's access over without an action that
//! says so: a reviewer has to ask about it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::access_transfer::AccessTransfer;
use super::action::CredentialAction;
use super::observed::{RepositoryState, SeenLedger};
use super::outline::Side;
use super::warning::{RecordEdit, Warning};
use crate::model::{Authority, ClusterName, CredentialId, KeySource, Recipient, UserName};
use crate::record::{Credential, CredentialState};
use crate::roster::{PartPath, Roster};

/// All of it on one cluster, except for what `told` says already.
pub(super) fn find(
    name: &ClusterName,
    head: Side<'_>,
    base: Side<'_>,
    told: &[CredentialAction],
    now: Timestamp,
) -> BTreeSet<Warning> {
    let mut found = BTreeSet::new();
    let mut warn = |warning| {
        found.insert(warning);
    };
    let told = |is: fn(AccessTransfer) -> bool| -> BTreeSet<&UserName> {
        told.iter().filter(|action| is(action.transfer())).map(CredentialAction::user).collect()
    };
    let sealed_to_at_base = |user: &UserName| {
        let record = base.observed.repository.records.get(user)?;
        let live =
            record.credentials.iter().filter(|c| c.state != CredentialState::Revoked && c.not_after > now);
        Some(live.max_by_key(|credential| credential.not_before)?.recipients.clone())
    };
    pin(name, head, base).into_iter().for_each(&mut warn);
    fences(head.roster, base.roster).into_iter().for_each(&mut warn);
    let (recipients_told, keys_told) = (told(AccessTransfer::recipients), told(|transfer| transfer.key));
    for (user, after) in head.roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
        let Some(before) = base.roster.users.get(user) else { continue };
        // Back to those of the credential that they have, a new one is not even made.
        let has = sealed_to_at_base(user);
        let new = |recipient: &Recipient| {
            !before.recipients.contains_key(recipient) && !has.iter().any(|known| known.contains(recipient))
        };
        if after.recipients.keys().any(new) && !recipients_told.contains(user) {
            warn(Warning::RecipientEdited { user: user.clone() });
        }
        let key = |side: Side<'_>| {
            side.observed.repository.brought_keys.get(user).map(|brought| brought.id.clone())
        };
        let another =
            if before.clusters.contains(name) { key(head) != key(base) } else { after.csr != before.csr };
        if key(head).is_some() && another && !keys_told.contains(user) {
            warn(Warning::KeyEdited { user: user.clone() });
        }
    }
    let ledger = head.observed.ledger().and_then(SeenLedger::known);
    let is_remembered = |id: &CredentialId| ledger.is_some_and(|ledger| ledger.revoked.contains_key(id));
    for (user, record) in &base.observed.repository.records {
        for before in record.credentials.iter().filter(|credential| credential.not_after > now) {
            if let Some(edit) = edited(before, recorded(head, user, &before.id)) {
                // It stays out, and `remembered` tells.
                if edit == RecordEdit::Revived && is_remembered(&before.id) {
                    continue;
                }
                let (user, credential) = (user.clone(), before.id.clone());
                warn(Warning::RecordEdited { user, credential, edit });
            }
        }
    }
    // Where the cluster knows what was issued, such a credential is held, and that is told.
    if ledger.is_none_or(|ledger| ledger.issued.is_empty()) {
        for (user, record) in &head.observed.repository.records {
            let live = record.credentials.iter();
            let live = live.filter(|c| c.state != CredentialState::Revoked && c.not_after > now);
            for added in live.filter(|credential| recorded(base, user, &credential.id).is_none()) {
                let (user, credential) = (user.clone(), added.id.clone());
                warn(Warning::RecordEdited { user, credential, edit: RecordEdit::Added });
            }
        }
    }
    found
}

/// What parts of the roster may do, and might not before.
fn fences(head: &Roster, base: &Roster) -> Vec<Warning> {
    let mut wider = Vec::new();
    for (path, part) in &head.parts {
        let before = base.parts.get(path).map(|part| &part.may);
        let widened = part.may.widened(before).into_iter();
        wider.extend(widened.map(|by| Warning::FenceWidened { part: path.clone(), by }));
    }
    for (name, group) in &head.groups {
        let before = base.groups.get(name);
        let new = |path: &&PartPath| before.is_some_and(|before| !before.joinable.contains(path));
        let opened = group.joinable.iter().filter(new).cloned();
        wider.extend(opened.map(|to| Warning::GroupOpened { group: name.clone(), to }));
    }
    wider
}

/// What the branch pins otherwise, except for what its roster says too: that is an edit of the roster.
fn pin(name: &ClusterName, head: Side<'_>, base: Side<'_>) -> Vec<Warning> {
    let named = head.roster.clusters.get(name);
    let (ours, theirs) = (head.observed.repository, base.observed.repository);
    let server = |pinned: &RepositoryState| Some(pinned.pinned_endpoint.as_ref()?.server.clone());
    let authority = |pinned: &RepositoryState| {
        Some(match &pinned.pinned_endpoint.as_ref()?.authority {
            Authority::System => "the system's roots".to_owned(),
            Authority::Bundle(bundle) => format!("SHA-256 {}", bundle.sha256()),
        })
    };
    let mut edits = Vec::new();
    if theirs.roster_id.is_some() && ours.roster_id != theirs.roster_id {
        let id = |side: &RepositoryState| side.roster_id.as_ref().map(ToString::to_string);
        edits.push(("rosterId", id(theirs), id(ours)));
    }
    if theirs.pinned_uid.is_some() && ours.pinned_uid != theirs.pinned_uid {
        edits.push(("uid", theirs.pinned_uid.clone(), ours.pinned_uid.clone()));
    }
    if named.is_none_or(|cluster| cluster.server.is_none() || cluster.server != server(ours)) {
        edits.push(("server", server(theirs), server(ours)));
    }
    if named.is_none_or(|cluster| cluster.certificate_authority.is_none()) {
        edits.push(("certificateAuthority", authority(theirs), authority(ours)));
    }
    edits.retain(|(_, from, to)| from != to);
    edits.into_iter().map(|(field, from, to)| Warning::PinEdited { field, from, to }).collect()
}

fn recorded<'a>(side: Side<'a>, user: &UserName, id: &CredentialId) -> Option<&'a Credential> {
    let mut credentials = side.observed.repository.records.get(user)?.credentials.iter();
    credentials.find(|credential| credential.id == *id)
}

/// What became of a credential that has not expired, unless an apply would have done it: it gives one a
/// later state, notes who is protected, and forgets what has expired.
fn edited(before: &Credential, after: Option<&Credential>) -> Option<RecordEdit> {
    let Some(after) = after else {
        return Some(RecordEdit::Forgotten);
    };
    let is_brought = |credential: &Credential| matches!(credential.key, KeySource::Brought(_));
    let rank = |credential: &Credential| match credential.state {
        CredentialState::Active => 0,
        CredentialState::Superseded => 1,
        CredentialState::Revoked => 2,
    };
    if before.state == CredentialState::Revoked && after.state != CredentialState::Revoked {
        return Some(RecordEdit::Revived);
    }
    // A brought key keeps its credential through every renewal.
    if is_brought(before) && is_brought(after) && after.not_before > before.not_before {
        return None;
    }
    let expected = Credential { state: after.state, protected: after.protected, ..before.clone() };
    (*after != expected || rank(after) < rank(before)).then_some(RecordEdit::Changed)
}
