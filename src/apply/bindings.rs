//! Writing bindings: reduce first, grant last, each against what was planned.
//!
//! Every write may have taken effect although its reply was lost, and every object may have changed
//! since it was planned. So after a conflict or an unclear end the object is read again, and written
//! again only where it still differs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Issued;
use crate::cluster::{WriteError, Writer};
use crate::error::{Error, Result};
use crate::model::{CredentialGroup, UserName};
use crate::plan::observed::{Binding, Subject};
use crate::plan::{BindingAction, Holder};

/// Whether a binding carries our labels.
type Owns<'a> = dyn Fn(&Binding) -> bool + Sync + 'a;

/// How often one binding is tried.
const TRIES: u32 = 5;

/// Takes out whoever must not be bound any more; `false` where there was nothing to take out.
///
/// # Errors
/// The binding could not be brought to hold nobody else.
pub async fn reduce(writer: &Writer, owns: &Owns<'_>, action: &BindingAction) -> Result<bool> {
    let (Some(planned), Some(reduced)) = (&action.observed, &action.reduced) else {
        return Ok(false);
    };
    let goes = action.recreate || (action.desired.is_empty() && !action.goes_last);
    // Somebody may have bound another of the credentials that belong there: it may stay.
    let mut allowed = reduced.clone();
    allowed.extend(action.desired.iter().filter_map(recorded).cloned());
    let mut current = Some(planned.clone());
    for attempt in 0..TRIES {
        let Some(binding) = current else { return Ok(true) };
        let result = if goes {
            writer.delete_binding(&binding).await
        } else {
            let kept = kept(&binding, &allowed);
            if holds_exactly(&binding, &kept) {
                return Ok(true);
            }
            writer.set_subjects(&binding, &kept).await.map(|_| ())
        };
        match retry(result, attempt, action, "take subjects out of").await? {
            Next::Done => return Ok(true),
            Next::Again => current = ours(writer, owns, action).await?,
        }
    }
    Err(exhausted(action))
}

/// Brings a binding to hold all who belong there, new credentials among them; `false` where it does.
///
/// # Errors
/// The binding could not be written.
pub async fn grant(
    writer: &Writer,
    owns: &Owns<'_>,
    action: &BindingAction,
    issued: &BTreeMap<UserName, Issued>,
) -> Result<bool> {
    if !is_open(action, issued) {
        return Ok(false);
    }
    let subjects = subjects(action, issued);
    // The reduction has changed the object, so its version is read again; otherwise what was planned holds.
    let mut current = match (&action.observed, &action.reduced) {
        (Some(planned), None) => Some(planned.clone()),
        (Some(_), Some(_)) => ours(writer, owns, action).await?,
        (None, _) => None,
    };
    for attempt in 0..TRIES {
        let result = match &current {
            None if subjects.is_empty() => return Ok(false),
            None => match &action.role {
                Some(role) => writer.create_binding(&action.at, role, &subjects).await.map(|_| ()),
                None => return Ok(false),
            },
            Some(binding) if action.desired.is_empty() => writer.delete_binding(binding).await,
            Some(binding) if holds_exactly(binding, &subjects) => return Ok(false),
            Some(binding) => writer.set_subjects(binding, &subjects).await.map(|_| ()),
        };
        match retry(result, attempt, action, "write").await? {
            Next::Done => return Ok(true),
            Next::Again => current = ours(writer, owns, action).await?,
        }
    }
    Err(exhausted(action))
}

/// Whether there is something to write, as far as the plan knows: what [`reduce`] left may be all.
pub fn is_open(action: &BindingAction, issued: &BTreeMap<UserName, Issued>) -> bool {
    let subjects = subjects(action, issued);
    let gone = action.desired.is_empty() && !action.goes_last;
    match (&action.observed, &action.reduced) {
        (Some(_), Some(reduced)) => !gone && (action.recreate || !reduced.iter().eq(&subjects)),
        (Some(planned), None) => action.desired.is_empty() || !holds_exactly(planned, &subjects),
        (None, _) => !subjects.is_empty(),
    }
}

/// All who belong in a binding, as a set: a key that its owner brought keeps its group through a renewal.
fn subjects(action: &BindingAction, issued: &BTreeMap<UserName, Issued>) -> Vec<CredentialGroup> {
    let groups = action.desired.iter().filter_map(|holder| match holder {
        Holder::Recorded(group) => Some(group.clone()),
        Holder::Issued(user) => issued.get(user).map(|issued| issued.group(user)),
    });
    groups.collect::<BTreeSet<_>>().into_iter().collect()
}

fn recorded(holder: &Holder) -> Option<&CredentialGroup> {
    match holder {
        Holder::Recorded(group) => Some(group),
        Holder::Issued(_) => None,
    }
}

/// The binding as it is now; an error where it is no longer ours to change.
async fn ours(writer: &Writer, owns: &Owns<'_>, action: &BindingAction) -> Result<Option<Binding>> {
    let binding = writer.get_binding(&action.at).await?;
    match binding {
        Some(binding) if !owns(&binding) => Err(Error::new(format!(
            "{} lost its labels or is someone else's since it was planned; it was left alone",
            action.at
        ))
        .hint("run `certctl plan` again")),
        other => Ok(other),
    }
}

fn kept(binding: &Binding, allowed: &BTreeSet<CredentialGroup>) -> Vec<CredentialGroup> {
    let groups: BTreeSet<CredentialGroup> = binding.subjects.iter().filter_map(credential).collect();
    groups.into_iter().filter(|group| allowed.contains(group)).collect()
}

fn credential(subject: &Subject) -> Option<CredentialGroup> {
    (subject.kind == "Group").then(|| subject.name.parse().ok()).flatten()
}

fn holds_exactly(binding: &Binding, subjects: &[CredentialGroup]) -> bool {
    let held: Vec<Option<CredentialGroup>> = binding.subjects.iter().map(credential).collect();
    held.len() == subjects.len() && subjects.iter().all(|subject| held.contains(&Some(subject.clone())))
}

enum Next {
    Done,
    Again,
}

async fn retry(
    result: Result<(), WriteError>,
    attempt: u32,
    action: &BindingAction,
    what: &str,
) -> Result<Next> {
    match result {
        Ok(()) => Ok(Next::Done),
        Err(WriteError::Conflict(_)) => Ok(Next::Again),
        Err(WriteError::Unclear(_)) if attempt + 1 < TRIES => {
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            Ok(Next::Again)
        }
        Err(WriteError::NotFound(error) | WriteError::Unclear(error) | WriteError::Failed(error)) => {
            Err(error.within(&format!("could not {what} {}", action.at)))
        }
    }
}

fn exhausted(action: &BindingAction) -> Error {
    Error::new(format!("{} kept changing while it was written; it was tried {TRIES} times", action.at))
        .hint("find out who else writes it (`kubectl get -o yaml --show-managed-fields`), then run `certctl apply` again")
}
