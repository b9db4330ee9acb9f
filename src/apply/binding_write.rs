//! Bringing one binding to what a plan says, write by write, each against what was read.
//!
//! Every write may have taken effect although its reply was lost, and every object may have changed
//! since it was planned. So after a conflict or an unclear end the object is read again, and written
//! again only where it still differs.
//!
//! Pure: it says what to do next, and is told what came of it.

use std::time::Duration;

use crate::error::{Error, Result};
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
enum Goal {
    /// Whoever must not be bound any more is taken out.
    Reduce,
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
        current: Option<Binding>,
    },
    /// Nothing more: whether something was written, or why it could not be brought there.
    End(Result<bool>),
}

impl<'p> BindingWrite<'p> {
    /// Takes out whoever must not be bound any more; `None` where nobody has to go.
    pub fn reduce(action: &'p BindingAction, roster: &'p RosterName) -> Option<(Self, BindingStep)> {
        let planned = action.observed.as_ref().filter(|_| action.reduced.is_some())?;
        let this = Self { action, roster, goal: Goal::Reduce, attempt: 0 };
        let step = this.decide(Some(planned.clone()));
        Some((this, step))
    }

    /// Brings it to hold exactly `subjects`; `None` where, as far as the plan knows, it does.
    pub fn grant(
        action: &'p BindingAction,
        roster: &'p RosterName,
        subjects: Vec<CredentialGroup>,
    ) -> Option<(Self, BindingStep)> {
        if !action.is_open(&subjects) {
            return None;
        }
        let this = Self { action, roster, goal: Goal::Grant(subjects), attempt: 0 };
        let step = match (&action.observed, &action.reduced) {
            // The reduction has changed it.
            (Some(_), Some(_)) => BindingStep::Read { pause: Duration::ZERO },
            (planned, _) => this.decide(planned.clone()),
        };
        Some((this, step))
    }

    /// The binding that this is about.
    pub fn action(&self) -> &'p BindingAction {
        self.action
    }

    /// It was read again.
    pub fn read(&mut self, binding: Result<Option<Binding>>) -> BindingStep {
        match binding {
            Ok(Some(binding)) if !is_ours(&binding.labels, self.roster) => {
                BindingStep::End(Err(Error::new(format!(
                    "{} lost its labels or is someone else's since it was planned; it was left alone",
                    self.action.at
                ))
                .hint("run `certctl plan` again")))
            }
            Ok(binding) => self.decide(binding),
            Err(error) => BindingStep::End(Err(error)),
        }
    }

    /// A write of it has ended.
    pub fn written(&mut self, result: Result<(), WriteError>) -> BindingStep {
        self.attempt += 1;
        let last = self.attempt >= TRIES;
        let error = match (result, &self.goal) {
            (Ok(()), _) => return BindingStep::End(Ok(true)),
            // It is gone, and with it whoever was to be taken out.
            (Err(WriteError::NotFound(_)), Goal::Reduce) => return BindingStep::End(Ok(true)),
            (Err(WriteError::Conflict(_)), _) if !last => {
                return BindingStep::Read { pause: Duration::ZERO };
            }
            (Err(WriteError::Unclear(_)), _) if !last => {
                return BindingStep::Read { pause: PAUSE * (1 << (self.attempt - 1)) };
            }
            (Err(WriteError::Conflict(_)), _) => None,
            (
                Err(WriteError::Unclear(error) | WriteError::NotFound(error) | WriteError::Failed(error)),
                _,
            ) => Some(error),
        };
        let Some(error) = error else {
            return BindingStep::End(Err(Error::new(format!(
                "{} kept changing while it was written; it was tried {TRIES} times",
                self.action.at
            ))
            .hint("find out who else writes it (`kubectl get -o yaml --show-managed-fields`), then run `certctl apply` again")));
        };
        let what = match self.goal {
            Goal::Reduce => "take subjects out of",
            Goal::Grant(_) => "write",
        };
        BindingStep::End(Err(error.within(&format!("could not {what} {}", self.action.at))))
    }

    fn decide(&self, current: Option<Binding>) -> BindingStep {
        let write = match &self.goal {
            Goal::Reduce => {
                let Some(binding) = &current else { return BindingStep::End(Ok(true)) };
                self.action.reduction(binding).ok_or(true)
            }
            Goal::Grant(subjects) => match self.action.grant(current.as_ref(), subjects) {
                Ok(write) => write.ok_or(false),
                Err(OtherRole) => {
                    return BindingStep::End(Err(Error::new(format!(
                        "{} leads to another role since it was planned; it was left alone",
                        self.action.at
                    ))
                    .hint("run `certctl plan` again")));
                }
            },
        };
        match write {
            Ok(write) => BindingStep::Write { write, current },
            Err(done) => BindingStep::End(Ok(done)),
        }
    }
}
