//! Commits what an apply records, and pushes it, with the commit that is applied, to where everyone sees it.

use super::outcome::Published;
use super::record_changes::RecordChange;
use super::{RecordsTo, Settings};
use crate::error::{Error, Result};
use crate::record;
use crate::record_folder::RecordFolder;
use crate::repo::{Changes, ProposalState, Repo};

/// What has to be committed or pushed.
pub enum Next {
    /// Nothing has.
    Done(Published),
    /// Something has.
    Publish(Box<Work>),
}

/// What there is to record.
pub struct Work {
    repo: Repo,
    changes: Changes,
    message: String,
    records: RecordsTo,
}

/// What has to be committed or pushed.
///
/// # Errors
/// The records could not be written, or it is not known whether they are on the remote.
pub fn prepare(repo: Repo, changed: Vec<RecordChange>, message: String, settings: &Settings) -> Result<Next> {
    let changes = files(changed)?;
    let records = settings.records.clone();
    let elsewhere = match &records {
        RecordsTo::Nowhere => return Ok(Next::Done(Published::Nothing)),
        RecordsTo::Keep => false,
        // A person may not have pushed what is applied, or an earlier run was cut off before it did: another
        // clone would take back what this one does.
        RecordsTo::Push(target) => repo.ahead(target)?,
        RecordsTo::Propose(proposal) => match proposal.standing {
            ProposalState::Free => proposal.head_is_ahead,
            ProposalState::Waits(_) => {
                return Ok(Next::Done(Published::Waits(repo.pull_request_url(proposal.target()))));
            }
            ProposalState::Unpushed => true,
        },
    };
    if !elsewhere && changes.is_empty() {
        return Ok(Next::Done(Published::Nothing));
    }
    Ok(Next::Publish(Box::new(Work { repo, changes, message, records })))
}

impl Work {
    /// Commits and pushes.
    ///
    /// # Errors
    /// Nothing was recorded, or nothing was pushed: then no new credential may be bound.
    pub async fn publish(self: Box<Self>) -> Result<Published> {
        tokio::task::spawn_blocking(move || self.publish_now())
            .await
            .map_err(|panic| Error::new("recording broke off; nothing new was bound").caused_by(panic))?
    }

    fn publish_now(self) -> Result<Published> {
        let Self { repo, changes, message, records } = self;
        match records {
            RecordsTo::Nowhere => Ok(Published::Nothing),
            RecordsTo::Keep => {
                Ok(repo.commit(&changes, &message)?.map_or(Published::Nothing, Published::Kept))
            }
            RecordsTo::Push(target) => {
                let commit = repo.commit(&changes, &message)?;
                if commit.is_none() && !repo.ahead(&target)? {
                    return Ok(Published::Nothing);
                }
                repo.push(&target).map(Published::Pushed)
            }
            RecordsTo::Propose(proposal) => match proposal.standing {
                ProposalState::Unpushed => repo.propose_head(&proposal).map(Published::Proposed),
                ProposalState::Free | ProposalState::Waits(_) => match repo
                    .propose(&proposal, &changes, &message)?
                {
                    Some(pushed) => Ok(Published::Proposed(pushed)),
                    None if proposal.head_is_ahead => repo.propose_head(&proposal).map(Published::Proposed),
                    None => Ok(Published::Nothing),
                },
            },
        }
    }
}

/// As files of the repository.
fn files(changed: Vec<RecordChange>) -> Result<Changes> {
    let mut changes = Changes::new();
    for change in changed {
        match change {
            RecordChange::Record { cluster, user, record } => {
                let path = RecordFolder(&cluster).record(&user);
                match record {
                    Some(record) => changes.write(path, record::to_yaml(&record)?),
                    None => changes.delete(path),
                };
            }
            RecordChange::Sealed { cluster, user, kubeconfig } => {
                let path = RecordFolder(&cluster).kubeconfig(&user);
                match kubeconfig {
                    Some(sealed) => changes.write(path, sealed),
                    None => changes.delete(path),
                };
            }
            RecordChange::Pin(pin) => {
                changes.write(RecordFolder(&pin.name).pin(), record::to_yaml(&pin)?);
            }
        }
    }
    Ok(changes)
}
