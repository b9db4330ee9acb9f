//! Taking credential groups out of one binding, whoever it belongs to, against what was read.
//!
//! Pure: it says what to do next, and is told what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::CredentialGroup;
use crate::plan::emergency::without;
use crate::plan::observed::{Binding, BindingAt, Subject};
use crate::plan::write::WriteError;

/// How often it is tried.
const TRIES: u32 = 5;

/// How long the first pause is after a write with an unclear end; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// One binding that they leave.
#[derive(Debug)]
pub struct TakeOut<'p> {
    at: &'p BindingAt,
    groups: BTreeSet<CredentialGroup>,
    attempt: u32,
}

/// What is to be done next.
#[derive(Debug)]
pub enum TakeOutStep {
    /// Read it.
    Read {
        /// How long to wait before.
        pause: Duration,
    },
    /// Write it.
    Write {
        /// As it was read.
        current: Box<Binding>,
        /// Who stays in it.
        rest: Vec<Subject>,
    },
    /// Nothing more: whether something was written, or why they are still in it.
    End(Result<bool>),
}

impl<'p> TakeOut<'p> {
    /// With the first step.
    pub fn begin(binding: &'p Binding, groups: BTreeSet<CredentialGroup>) -> (Self, TakeOutStep) {
        let this = Self { at: &binding.at, groups, attempt: 0 };
        let step = this.decide(binding.clone());
        (this, step)
    }

    /// Which binding.
    pub fn at(&self) -> &'p BindingAt {
        self.at
    }

    /// Who leaves it.
    pub fn groups(&self) -> &BTreeSet<CredentialGroup> {
        &self.groups
    }

    /// It was read again.
    pub fn read(&mut self, binding: Result<Option<Binding>>) -> TakeOutStep {
        match binding {
            Ok(Some(binding)) => self.decide(binding),
            Ok(None) => TakeOutStep::End(Ok(true)),
            Err(error) => TakeOutStep::End(Err(error)),
        }
    }

    /// It was written, or not.
    pub fn written(&mut self, result: Result<(), WriteError>) -> TakeOutStep {
        let error = match result {
            Ok(()) | Err(WriteError::NotFound(_)) => return TakeOutStep::End(Ok(true)),
            Err(error) => error,
        };
        self.attempt += 1;
        match error {
            WriteError::Conflict(_) if self.attempt < TRIES => TakeOutStep::Read { pause: Duration::ZERO },
            WriteError::Unclear(_) if self.attempt < TRIES => {
                TakeOutStep::Read { pause: PAUSE * (1 << (self.attempt - 1)) }
            }
            error => {
                let what = format!("could not take subjects out of {}", self.at);
                TakeOutStep::End(Err(Error::from(error).within(&what)))
            }
        }
    }

    fn decide(&self, binding: Binding) -> TakeOutStep {
        match without(&binding, &self.groups) {
            Some(rest) => TakeOutStep::Write { current: Box::new(binding), rest },
            None => TakeOutStep::End(Ok(self.attempt > 0)),
        }
    }
}
