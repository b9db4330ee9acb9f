//! The words of a plan: what its codes and data say in English. No decision and no digest reads them.

pub mod access;
mod held;
pub mod notices;
mod roster_changes;
mod warnings;
mod withheld;

use crate::model::KeyType;
use crate::plan::action::CutOff;
use crate::plan::change::ChangeReason;
use crate::plan::changes::Withdrawn;
use crate::plan::cleanup::Cleanup;
use crate::plan::credentials::Leaving;
use crate::plan::observed::Clocks;
use crate::plan::{CredentialAction, Reason, Unknown};
use crate::render::count;
pub use held::{all_held, another_cluster, held, refused, refused_files};
pub use roster_changes::roster_change;
pub use warnings::{group_gives, shared_recipient, some, warning, warnings};
pub use withheld::{withheld, wrong_acknowledgement};

/// Why a credential is issued, replaced or revoked.
pub fn reason(reason: &Reason) -> String {
    let key = |key: &Option<KeyType>| key.map_or_else(|| "their own key".to_owned(), |key| key.to_string());
    match reason {
        Reason::New => "new on the roster".to_owned(),
        Reason::AfterRevocation => "what they had is revoked and stays revoked".to_owned(),
        Reason::Expired { at } => format!("the last one expired at {at}"),
        Reason::RenewalDue { at } => format!("two thirds of its lifetime passed at {at}"),
        Reason::GenerationRaised { from, to } => format!("generation raised from {from} to {to}"),
        Reason::RecipientsRemoved { removed, added: 0 } => recipients(*removed, "removed"),
        Reason::RecipientsRemoved { removed, added } => {
            format!("RECIPIENT CHANGED: {removed} removed, {added} added")
        }
        Reason::RecipientsAdded { added } => format!("RECIPIENT CHANGED: {}", recipients(*added, "added")),
        Reason::KeyChanged { from, to } => format!("key changed from {} to {}", key(from), key(to)),
        Reason::CsrChanged => "its csr file changed".to_owned(),
        Reason::InCertificateGroupsChanged => "the groups in its certificate changed".to_owned(),
        Reason::ServerChanged => "the cluster's server address changed".to_owned(),
        Reason::RouteChanged => "`proxyURL` or `tlsServerName` of the cluster changed".to_owned(),
        Reason::NamespaceChanged => "the default namespace changed".to_owned(),
        Reason::CertificateAuthorityChanged => "the cluster's certificate authority changed".to_owned(),
        Reason::ClientAuthorityReplaced => {
            "the cluster's client CA was replaced, so it does not know the certificate any more".to_owned()
        }
        Reason::RemovedFromRoster => "no longer on the roster".to_owned(),
        Reason::RemovedFromCluster => "no longer on this cluster".to_owned(),
        Reason::KeptOut => "kept out by what the cluster remembers".to_owned(),
        Reason::Suspended => "suspended".to_owned(),
        Reason::AccessEnded { at, edited: _ } => format!("access ended at {at}"),
        Reason::SuccessorCutOff => "superseded, and its successor is cut off".to_owned(),
    }
}

fn recipients(count: usize, what: &str) -> String {
    if count == 1 { format!("a recipient was {what}") } else { format!("{count} recipients were {what}") }
}

/// What two clocks say.
pub fn clocks(clocks: Clocks) -> String {
    let minutes = clocks.apart().as_mins();
    let (server, ours) = (clocks.server, clocks.ours.round(jiff::Unit::Second).unwrap_or(clocks.ours));
    format!("the API server's clock says {server}, and this machine's {ours}: {minutes} minutes apart")
}

/// Why an action is taken, and what else about it a reader must not miss.
pub fn why(action: &CredentialAction) -> String {
    let (because, transfer) = (action.reason(), action.transfer());
    let recipients = transfer.recipients_besides(because).map(|changed| reason(&changed));
    let brought = transfer.key_besides(because).then(|| "KEY CHANGED to another of their own".to_owned());
    let said = [Some(reason(because)), recipients, brought];
    said.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What is left to a credential, where bindings of others name it.
pub fn but_for(cut_off: &CutOff) -> String {
    match cut_off.residual_access {
        None | Some(0) => String::new(),
        Some(bindings) => format!(", but KEEPS ACCESS through {} of others", count(bindings, "binding")),
    }
}

/// Why a subject joins or leaves a binding.
pub fn change(why: &ChangeReason) -> String {
    match why {
        ChangeReason::Leaving(Leaving::Revoked) => "it was revoked",
        ChangeReason::Leaving(Leaving::Expired) => "it expired",
        ChangeReason::Leaving(Leaving::Now(because)) => return reason(because),
        ChangeReason::Duplicate => "it is there twice",
        ChangeReason::BindingRecreated => "the binding is made again, because its roleRef was changed",
        ChangeReason::InAnotherPart => "it is bound by another part",
        ChangeReason::NotRecorded => "no record knows it",
        ChangeReason::GrantEnded => "its `until` has passed",
        ChangeReason::NoLongerGranted => "no longer granted",
        ChangeReason::AddedByHand => "added by hand; certctl binds only credential groups",
        ChangeReason::PutInByHand => "put in by hand; nobody was issued that credential",
        ChangeReason::RoleRefReplaced => "it cannot be changed in place",
        ChangeReason::RoleRefOfRoster => "as the roster says",
        ChangeReason::ToBeIssued => "once it is issued and recorded",
        ChangeReason::NotBound => "recorded, and not bound",
        ChangeReason::NoLongerIssued => "no longer to be issued",
        ChangeReason::InsteadOfIssued => "instead of the one that was to be issued",
        ChangeReason::NewlyGranted => "newly granted",
    }
    .to_owned()
}

/// What is left over, and why.
pub fn cleanup(cleanup: &Cleanup) -> String {
    match cleanup {
        Cleanup::Expired { user, credential, not_after } => {
            format!("{user}'s credential {credential} expired at {not_after}; forget it")
        }
        Cleanup::Protection { user, protected: true } => {
            format!("{user} is protected now; note it in the record")
        }
        Cleanup::Protection { user, protected: false } => {
            format!("{user} is not protected any more; note it in the record")
        }
        Cleanup::Revoked { user, credential } => {
            format!("{user}'s credential {credential} was revoked; note it in the record again")
        }
        Cleanup::Request { name, uid: _, requester } => format!(
            "CertificateSigningRequest {name} by {requester} has no matching credential record: it was left by an interrupted apply, or another apply is running"
        ),
    }
}

/// What is planned at the base and not with a branch: `issue carol (new on the roster)`.
pub fn withdrawn(withdrawn: &Withdrawn) -> String {
    let Withdrawn { action, recorded } = withdrawn;
    let recorded: String = recorded.iter().map(|id| format!("; this branch records {id}")).collect();
    format!("{} {} ({}){recorded}", action.verb(), action.user(), why(action))
}

/// What was not looked at.
pub fn unknown(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::Cluster => {
            "what is bound there and by whom, whether it drifted, what earlier runs left over, and whether the roles and namespaces that the roster grants exist"
        }
        Unknown::Server => "the server address, which neither roster nor records name",
        Unknown::CertificateAuthority => "the certificate authority, which neither roster nor records name",
    }
}
