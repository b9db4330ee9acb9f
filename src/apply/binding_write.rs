//! Bringing one binding to what a plan says, write by write, each against what was read.
//!
//! Every write may have taken effect although its reply was lost, and every object may have changed
//! since it was planned. So after a conflict or an unclear end the object is read again, and written
//! again only where it still differs. A deletion that was acknowledged is not taken for done: a finalizer
//! may keep the object. So a binding is emptied before it is deleted, and looked for afterwards.
//!
//! Pure: it says what to do next, and is told what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Error, Result, visible_line};
use crate::model::{CredentialGroup, RosterName};
use crate::plan::BindingAction;
use crate::plan::observed::{Binding, is_ours};
use crate::plan::write::{OtherRole, Write, WriteError};

/// How often one binding is tried.
const TRIES: u32 = 5;

/// How long the first pause is after a write with an unclear end; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// What a binding is brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// These are in it, beside those that are; nobody is taken out.
    Keep(BTreeSet<CredentialGroup>),
    /// Nobody is in it who must not be bound any more, except for these: they still hold the role, and are
    /// not in the binding yet that they are to hold it through.
    Reduce(BTreeSet<CredentialGroup>),
    /// It holds exactly these.
    Grant(Vec<CredentialGroup>),
}

/// One binding on its way.
#[derive(Debug)]
pub struct BindingWrite<'p> {
    action: &'p BindingAction,
    roster: &'p RosterName,
    goal: Goal,
    attempt: u32,
    /// The UID that it had when its deletion was acknowledged: it is looked for.
    deleted: Option<String>,
    /// It is emptied before it is deleted: as it was read.
    emptied: Option<Box<Binding>>,
    /// The write that is under way makes it.
    makes: bool,
}

/// What is known of a binding since it was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SincePlanned {
    /// Nothing: it is taken to be as it was.
    Untouched,
    /// This apply has written it.
    Written,
    /// It is not there any more.
    Gone,
}

/// How far a binding was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingEnd {
    /// There was nothing to write.
    Unchanged,
    /// It was written.
    Written,
    /// It is not there, and so nobody is in it.
    Gone,
}

/// What is to be done next with a binding.
#[derive(Debug)]
pub enum BindingStep {
    /// Read it.
    Read {
        /// How long to wait before.
        pause: Duration,
    },
    /// Write it.
    Write {
        /// What.
        write: Write,
        /// As it was read; `None` where it is to be made.
        current: Option<Box<Binding>>,
    },
    /// Nothing more: how far it was brought, or why it could not be.
    End(Result<BindingEnd>),
}

impl<'p> BindingWrite<'p> {
    /// The first step towards `goal`; `None` where, as far as is known, it is reached.
    pub fn begin(
        action: &'p BindingAction,
        roster: &'p RosterName,
        goal: Goal,
        since: SincePlanned,
    ) -> Option<(Self, BindingStep)> {
        let open = match &goal {
            Goal::Keep(groups) => !groups.is_empty(),
            Goal::Reduce(_) => action.observed.is_some() && action.reduced.is_some(),
            Goal::Grant(subjects) if since == SincePlanned::Gone => !subjects.is_empty(),
            Goal::Grant(subjects) => action.is_open(subjects),
        };
        if !open {
            return None;
        }
        let mut this = Self { action, roster, goal, attempt: 0, deleted: None, emptied: None, makes: false };
        let step = match since {
            SincePlanned::Untouched => this.decide(action.observed.clone()),
            SincePlanned::Written => BindingStep::Read { pause: Duration::ZERO },
            SincePlanned::Gone => this.decide(None),
        };
        Some((this, step))
    }

    /// The binding that this is about.
    pub fn action(&self) -> &'p BindingAction {
        self.action
    }

    /// What it is brought to.
    pub fn goal(&self) -> &Goal {
        &self.goal
    }

    /// It was read again.
    pub fn read(&mut self, binding: Result<Option<Binding>>) -> BindingStep {
        let binding = match binding {
            Ok(binding) => binding,
            Err(error) => return BindingStep::End(Err(error)),
        };
        if let Some(deleted) = self.deleted.take() {
            match &binding {
                None if !self.makes_it_again() => return BindingStep::End(Ok(BindingEnd::Written)),
                None => {}
                Some(found)
                    if found.uid == deleted && (found.subjects.is_empty() || found.deletion_requested) =>
                {
                    return BindingStep::End(Err(self.is_still_there(found)));
                }
                // Somebody has put subjects in, or made another.
                Some(_) => return self.failed(WriteError::Conflict(Error::new("it is there again"))),
            }
        }
        match binding {
            Some(binding) if !is_ours(&binding.labels, self.roster) => {
                BindingStep::End(Err(Error::new(format!(
                    "{} lost its labels or is someone else's since it was planned; it was left alone",
                    self.action.at
                ))
                .hint("run `certctl plan` again")))
            }
            binding => self.decide(binding),
        }
    }

    /// A write of it has ended; with the object as the API server has it now, where it said so.
    pub fn written(&mut self, result: Result<Option<Binding>, WriteError>) -> BindingStep {
        let emptied = match (result, self.emptied.take()) {
            (Ok(now), _) => now.filter(|now| now.subjects.is_empty()),
            // A write takes `bind` on its role, which the roster may not grant any more; a deletion does not.
            (Err(WriteError::Failed(_)), Some(binding)) => return self.delete(binding),
            (Err(error), _) => return self.failed(error),
        };
        if self.deleted.is_some() {
            return BindingStep::Read { pause: Duration::ZERO };
        }
        match emptied {
            // It was emptied to be deleted, or is empty and wanted so.
            Some(binding) => self.decide(Some(binding)),
            None => BindingStep::End(Ok(BindingEnd::Written)),
        }
    }

    fn failed(&mut self, error: WriteError) -> BindingStep {
        self.deleted = None;
        self.attempt += 1;
        let last = self.attempt >= TRIES;
        let error = match (error, &self.goal) {
            // It is gone, and with it whoever was to be taken out.
            (WriteError::NotFound(_), Goal::Reduce(_)) => return BindingStep::End(Ok(BindingEnd::Gone)),
            // Somebody deleted it meanwhile; where its namespace is gone too, making it fails.
            (WriteError::NotFound(_), _) if !last && !self.makes => {
                return BindingStep::Read { pause: Duration::ZERO };
            }
            // The namespace is gone, and it was one of those that happened to be there.
            (WriteError::NotFound(_), _) if self.action.may_vanish => {
                return BindingStep::End(Ok(BindingEnd::Gone));
            }
            (WriteError::Conflict(_), _) if !last => return BindingStep::Read { pause: Duration::ZERO },
            (WriteError::Unclear(_), _) if !last => {
                return BindingStep::Read { pause: PAUSE * (1 << (self.attempt - 1)) };
            }
            (WriteError::Conflict(_), _) => Error::new(format!(
                "{} kept changing while it was written; it was tried {TRIES} times",
                self.action.at
            ))
            .hint("find out who else writes it (`kubectl get -o yaml --show-managed-fields`), then run `certctl apply` again"),
            (WriteError::Unclear(error) | WriteError::NotFound(error) | WriteError::Failed(error), goal) => {
                let what = match goal {
                    Goal::Reduce(_) => "take subjects out of",
                    Goal::Keep(_) | Goal::Grant(_) => "write",
                };
                error.within(&format!("could not {what} {}", self.action.at))
            }
        };
        BindingStep::End(Err(error))
    }

    fn decide(&mut self, current: Option<Binding>) -> BindingStep {
        let (action, at) = (self.action, &self.action.at);
        let elsewhere = || {
            Error::new(format!("{at} leads to another role since it was planned; it was left alone"))
                .hint("run `certctl plan` again")
        };
        let (write, otherwise) = match (&self.goal, &current) {
            (Goal::Keep(groups), current) => match action.keep(current.as_ref(), groups) {
                Ok(write) => (write, BindingEnd::Unchanged),
                Err(OtherRole) => return BindingStep::End(Err(elsewhere())),
            },
            (Goal::Reduce(_), None) => (None, BindingEnd::Gone),
            (Goal::Reduce(spared), Some(binding)) => (action.reduction(binding, spared), BindingEnd::Written),
            (Goal::Grant(subjects), current) => match action.grant(current.as_ref(), subjects) {
                Ok(write) if self.attempt > 0 => (write, BindingEnd::Written),
                Ok(write) => (write, BindingEnd::Unchanged),
                Err(OtherRole) => return BindingStep::End(Err(elsewhere())),
            },
        };
        self.makes = current.is_none();
        match (write, current) {
            (None, _) => BindingStep::End(Ok(otherwise)),
            (Some(Write::Delete), Some(binding)) if binding.subjects.is_empty() => {
                self.delete(Box::new(binding))
            }
            (Some(Write::Delete), Some(binding)) => {
                let binding = Box::new(binding);
                self.emptied = Some(binding.clone());
                BindingStep::Write { write: Write::Set(Vec::new()), current: Some(binding) }
            }
            (Some(write), current) => BindingStep::Write { write, current: current.map(Box::new) },
        }
    }

    fn delete(&mut self, binding: Box<Binding>) -> BindingStep {
        self.deleted = Some(binding.uid.clone());
        BindingStep::Write { write: Write::Delete, current: Some(binding) }
    }

    /// Whether something is to be in its place once it is deleted.
    fn makes_it_again(&self) -> bool {
        match &self.goal {
            Goal::Keep(_) => true,
            Goal::Reduce(_) => false,
            Goal::Grant(subjects) => !subjects.is_empty(),
        }
    }

    /// It was deleted, and something keeps it.
    fn is_still_there(&self, found: &Binding) -> Error {
        let finalizers = visible_line(&found.finalizers.join(", "));
        let at = &self.action.at;
        let namespace = at.namespace.as_ref().map_or(String::new(), |namespace| format!(" -n {namespace}"));
        let kept = match finalizers.is_empty() {
            true => "the API server keeps it".to_owned(),
            false => format!("finalizer {finalizers} keeps it"),
        };
        Error::new(match found.subjects.is_empty() {
            true => format!("{at} was emptied and deleted, and is still there: {kept}; nobody has rights through it"),
            false => format!(
                "{at} was deleted, and is still there: {kept}; it could not be emptied before, and whoever is in it keeps the right"
            ),
        })
        .hint(format!(
            "find out who added it; to take it out: `kubectl patch {} {}{namespace} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'`",
            at.kind().to_lowercase(),
            at.name
        ))
    }
}
