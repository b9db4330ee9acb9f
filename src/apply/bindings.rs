//! Writing bindings: reduce first, grant last, each against what was planned.
//!
//! Every write may have taken effect although its reply was lost, and every object may have changed
//! since it was planned. So after a conflict or an unclear end the object is read again, and written
//! again only where it still differs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Issued;
use crate::cluster::{WriteError, Writer};
use crate::error::{Error, Result};
use crate::model::{CredentialGroup, UserName};
use crate::plan::BindingAction;
use crate::plan::observed::Binding;
use crate::plan::write::{OtherRole, Write};

/// Whether a binding carries our labels.
type Owns<'a> = dyn Fn(&Binding) -> bool + Sync + 'a;

/// How often one binding is tried.
const TRIES: u32 = 5;

/// Takes out whoever must not be bound any more; `false` where there was nothing to take out.
///
/// # Errors
/// The binding could not be brought to hold nobody else.
pub async fn reduce(writer: &Writer, owns: &Owns<'_>, action: &BindingAction) -> Result<bool> {
    let (Some(planned), Some(_)) = (&action.observed, &action.reduced) else {
        return Ok(false);
    };
    let mut current = Some(planned.clone());
    for attempt in 0..TRIES {
        let Some(binding) = &current else { return Ok(true) };
        let Some(write) = action.reduction(binding) else { return Ok(true) };
        let result = send(writer, action, &write, current.as_ref()).await;
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
/// The binding could not be written, or leads to another role than was planned.
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
        let write = action.grant(current.as_ref(), &subjects).map_err(|OtherRole| {
            Error::new(format!("{} leads to another role since it was planned; it was left alone", action.at))
                .hint("run `certctl plan` again")
        })?;
        let Some(write) = write else { return Ok(false) };
        let result = send(writer, action, &write, current.as_ref()).await;
        match retry(result, attempt, action, "write").await? {
            Next::Done => return Ok(true),
            Next::Again => current = ours(writer, owns, action).await?,
        }
    }
    Err(exhausted(action))
}

/// Whether there is something to write, as far as the plan knows: what [`reduce`] left may be all.
pub fn is_open(action: &BindingAction, issued: &BTreeMap<UserName, Issued>) -> bool {
    action.is_open(&subjects(action, issued))
}

fn subjects(action: &BindingAction, issued: &BTreeMap<UserName, Issued>) -> Vec<CredentialGroup> {
    action.subjects(|user| issued.get(user).map(|issued| issued.group(user)))
}

/// Sends one write, against the version of the binding that it was decided from.
async fn send(
    writer: &Writer,
    action: &BindingAction,
    write: &Write,
    current: Option<&Binding>,
) -> Result<(), WriteError> {
    match (write, current, &action.role) {
        (Write::Create(subjects), None, Some(role)) => {
            writer.create_binding(&action.at, role, subjects).await.map(drop)
        }
        (Write::Set(subjects), Some(binding), _) => writer.set_subjects(binding, subjects).await.map(drop),
        (Write::Delete, Some(binding), _) => writer.delete_binding(binding).await,
        // A role that no roster can name is never bound, and only what exists is changed.
        _ => Ok(()),
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
