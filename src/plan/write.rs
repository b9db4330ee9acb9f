//! The next write that brings a binding to what a plan says, from what it holds now.
//!
//! Pure, so that the executor, which asks again after every conflict and lost reply, and the tests of
//! the plan share one truth. It never writes a subject that the plan does not name, nor into a binding
//! that meanwhile leads to another role.

use std::collections::BTreeSet;

use super::binding_action::{BindingAction, same_role};
use super::binding_key::BindingSubject;
use super::observed::{Binding, Subject};
use crate::error::Error;
use crate::model::{CredentialGroup, UserName};

/// One write of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Made with these subjects.
    Create(Vec<CredentialGroup>),
    /// Its subjects become exactly these.
    Set(Vec<CredentialGroup>),
    /// Deleted.
    Delete,
}

/// Why a write did not end well, by what the caller does next.
#[derive(Debug)]
pub enum WriteError {
    /// The object is not as planned: changed, made by someone else, or made by an earlier try whose
    /// answer was lost. Read it and compare again.
    Conflict(Error),
    /// The object, or its namespace, is not there any more.
    NotFound(Error),
    /// It may have been done. Read it and compare again.
    Unclear(Error),
    /// It was not done, and trying again will not help.
    Failed(Error),
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict(error)
            | WriteError::NotFound(error)
            | WriteError::Unclear(error)
            | WriteError::Failed(error) => error,
        }
    }
}

/// A binding leads to another role than the plan says: somebody made it again since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherRole;

impl BindingAction {
    /// Puts these in, and takes nobody out who is a credential group; `None` where they are in it.
    ///
    /// # Errors
    /// Nobody may be put into it.
    pub fn keep(
        &self,
        current: Option<&Binding>,
        groups: &BTreeSet<CredentialGroup>,
    ) -> Result<Option<Write>, OtherRole> {
        let Some(binding) = current else { return Ok(Some(Write::Create(groups.iter().cloned().collect()))) };
        if self.leads_elsewhere(binding) {
            return if self.recreate { Ok(Some(Write::Delete)) } else { Err(OtherRole) };
        }
        let held: BTreeSet<CredentialGroup> = binding.subjects.iter().filter_map(credential).collect();
        let all: Vec<CredentialGroup> = held.union(groups).cloned().collect();
        Ok((all.len() > held.len()).then_some(Write::Set(all)))
    }

    /// Takes out whoever must not be bound any more, and adds nobody; `None` where nobody has to go. Those
    /// who are `spared` stay for now.
    pub fn reduction(&self, current: &Binding, spared: &BTreeSet<CredentialGroup>) -> Option<Write> {
        let reduced = self.reduced.as_ref()?;
        let goes = self.desired.is_empty() && !self.goes_last;
        let held: BTreeSet<CredentialGroup> = current.subjects.iter().filter_map(credential).collect();
        if self.leads_elsewhere(current) || (goes && held.is_disjoint(spared)) {
            return Some(Write::Delete);
        }
        // Somebody may have bound another of the credentials that belong there: it may stay.
        let recorded = self.desired.iter().filter_map(|subject| match subject {
            BindingSubject::Recorded(group) => Some(group),
            BindingSubject::Issued(_) => None,
        });
        let allowed: BTreeSet<&CredentialGroup> = match goes {
            true => spared.iter().collect(),
            false => reduced.iter().chain(recorded).chain(spared).collect(),
        };
        let kept: Vec<CredentialGroup> = held.into_iter().filter(|group| allowed.contains(group)).collect();
        (!holds_exactly(current, &kept)).then_some(Write::Set(kept))
    }

    /// Whom it has to hold in the end; `issued` knows the new credentials that were recorded.
    pub fn subjects(&self, issued: impl Fn(&UserName) -> Option<CredentialGroup>) -> Vec<CredentialGroup> {
        // As a set: a key that its owner brought keeps its group through a renewal.
        let subjects: BTreeSet<CredentialGroup> = self
            .desired
            .iter()
            .filter_map(|subject| match subject {
                BindingSubject::Recorded(group) => Some(group.clone()),
                BindingSubject::Issued(user) => issued(user),
            })
            .collect();
        subjects.into_iter().collect()
    }

    /// Whether there is something to write after the reduction, as far as the plan knows.
    pub fn is_open(&self, subjects: &[CredentialGroup]) -> bool {
        let gone = self.desired.is_empty() && !self.goes_last;
        match (&self.observed, &self.reduced) {
            (Some(_), Some(reduced)) => !gone && (self.recreate || !reduced.iter().eq(subjects)),
            (Some(planned), None) => self.desired.is_empty() || !holds_exactly(planned, subjects),
            (None, _) => !subjects.is_empty(),
        }
    }

    /// Brings it to hold exactly `subjects`; `None` where it does.
    ///
    /// # Errors
    /// Nobody may be put into it.
    pub fn grant(
        &self,
        current: Option<&Binding>,
        subjects: &[CredentialGroup],
    ) -> Result<Option<Write>, OtherRole> {
        Ok(match current {
            None => (!subjects.is_empty()).then(|| Write::Create(subjects.to_vec())),
            Some(_) if self.desired.is_empty() => Some(Write::Delete),
            Some(binding) if self.leads_elsewhere(binding) => return Err(OtherRole),
            Some(binding) if holds_exactly(binding, subjects) => None,
            Some(_) => Some(Write::Set(subjects.to_vec())),
        })
    }

    fn leads_elsewhere(&self, current: &Binding) -> bool {
        self.role.as_ref().is_some_and(|role| !same_role(current, role))
    }
}

fn credential(subject: &Subject) -> Option<CredentialGroup> {
    (subject.kind == "Group").then(|| subject.name.parse().ok()).flatten()
}

fn holds_exactly(binding: &Binding, subjects: &[CredentialGroup]) -> bool {
    let held: Vec<Option<CredentialGroup>> = binding.subjects.iter().map(credential).collect();
    held.len() == subjects.len() && subjects.iter().all(|subject| held.contains(&Some(subject.clone())))
}
