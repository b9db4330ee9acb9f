//! Who else can use a new credential: an edit that hands over someone's access must not hide behind
//! another edit, whatever the reason for the credential is.

use std::collections::BTreeSet;

use super::observed::BroughtKey;
use super::reason::Reason;
use crate::model::{KeySource, Recipient};
use crate::record::Credential;

/// Who can use the new credential, compared with the last one of the same person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessTransfer {
    /// No longer a recipient.
    pub removed: usize,
    /// Newly a recipient.
    pub added: usize,
    /// Whether a key is brought that the last one was not for.
    pub key: bool,
}

impl AccessTransfer {
    pub(super) fn between(
        last: &Credential,
        recipients: &BTreeSet<Recipient>,
        key: &KeySource<BroughtKey>,
    ) -> Self {
        let (removed, added) = recipient_changes(recipients, last);
        let key = matches!(key, KeySource::Brought(brought) if brought.id != last.id);
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

    /// What a reader must not miss about the recipients, where `reason` does not say it.
    pub fn recipients_besides(self, reason: &Reason) -> Option<Reason> {
        Reason::of_recipients(self.removed, self.added).filter(|changed| changed != reason)
    }

    /// Whether another key is brought, and `reason` does not say it.
    pub fn key_besides(self, reason: &Reason) -> bool {
        self.key && !matches!(reason, Reason::KeyChanged { .. } | Reason::CsrChanged)
    }
}

/// How many recipients the last credential was sealed to and the next is not, and the other way round.
pub(super) fn recipient_changes(wanted: &BTreeSet<Recipient>, last: &Credential) -> (usize, usize) {
    let sealed = &last.recipients;
    (sealed.difference(wanted).count(), wanted.difference(sealed).count())
}
