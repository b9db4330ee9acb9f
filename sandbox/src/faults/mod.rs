//! Faults on purpose: what can go wrong between a client and an API server.
//!
//! [`Faults`] says which calls are broken and in which way, and keeps a list of the calls that came;
//! [`Faulty`] puts it in front of any [`Backend`](crate::backend::Backend), the sandbox itself or a
//! [proxy](crate::proxy) to a real API server. Each fault is either before or after the change took
//! effect, because that is what a client cannot know.

mod cut;
mod faulty;
mod memory;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use faulty::Faulty;

use crate::request::Attributes;

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is not done, and answered with this HTTP status: 500, 503, 504.
    Refused(u16),
    /// It is done, and answered with this HTTP status all the same: 500, 504.
    DoneButRefused(u16),
    /// It is not done: 429 with `Retry-After`, in whole seconds.
    TooManyRequests {
        /// What the client is asked to wait.
        retry_after: u32,
    },
    /// It is not done: 409, as if someone else had been faster.
    Conflict,
    /// It is not done and never answered.
    Timeout,
    /// It is done and never answered.
    DoneButTimeout,
    /// It is not done, and the connection breaks.
    Reset,
    /// It is done, and the connection breaks instead of an answer.
    DoneButReset,
    /// It is done, after this time.
    Slow(Duration),
    /// A watch breaks off in the middle of its answer, after so many chunks of it.
    CutWatch {
        /// How many chunks come through.
        after: usize,
    },
    /// What the client wants to go on from is too old: 410 `Expired`, for a watch as its first event.
    Expired,
    /// A read is answered with what the same read was answered with before the last write; without
    /// such an answer it is done as usual, and [`Call::struck`] stays false.
    Stale,
    /// It is done; then whoever listens is told, and the answer is kept back for ever: the moment to
    /// kill the client.
    Hold(Sender<()>),
}

/// Which calls are struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// The call of this number, from 1, since the rules were set.
    Call(usize),
    /// That one and all after it.
    From(usize),
    /// The first call with this verb on this resource; `resource/subresource` for a subresource.
    First {
        /// As in a rule of RBAC.
        verb: &'static str,
        /// The plural.
        resource: &'static str,
    },
    /// Every call with this verb on this resource; `resource/subresource` for a subresource.
    Kind {
        /// As in a rule of RBAC: get, list, watch, create, update, patch, delete.
        verb: &'static str,
        /// The plural.
        resource: &'static str,
    },
}

/// One call that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1, since the rules were set.
    pub number: usize,
    /// As in a rule of RBAC.
    pub verb: String,
    /// The plural, with the subresource behind a slash; the path where it is no resource.
    pub resource: String,
    /// The object; empty where none is named.
    pub name: String,
    /// Whether a fault struck it.
    pub struck: bool,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<(On, Fault)>,
    calls: Vec<Call>,
}

/// Which calls are broken, and the list of those that came. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    memory: Arc<Mutex<Option<memory::Memory>>>,
}

impl Faults {
    /// Breaks these calls in these ways from now on; where several fit, the first does. Counting starts
    /// over, and the list of calls is empty again.
    pub fn set(&self, rules: impl IntoIterator<Item = (On, Fault)>) {
        *lock(&self.state) = State { rules: rules.into_iter().collect(), calls: Vec::new() };
    }

    /// Breaks nothing from now on, and empties the list of calls.
    pub fn clear(&self) {
        self.set([]);
    }

    /// The calls since the rules were set, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Keeps the answers to reads from now on, so that there is something stale to answer with.
    pub fn remember(&self) {
        lock(&self.memory).get_or_insert_default();
    }

    /// Begins with the answers that another one keeps, as if they had been given here.
    pub fn remember_as(&self, other: &Self) {
        let theirs = lock(&other.memory).clone();
        *lock(&self.memory) = theirs;
    }

    /// Takes a call down, and says what goes wrong with it.
    fn strike(&self, attributes: &Attributes) -> (usize, Option<Fault>) {
        let mut state = lock(&self.state);
        let number = state.calls.len() + 1;
        let resource =
            if attributes.is_resource { attributes.combined_resource() } else { attributes.path.clone() };
        let fault = state.rules.iter().find(|(on, _)| match on {
            On::Call(wanted) => number == *wanted,
            On::From(first) => number >= *first,
            On::Kind { verb, resource: wanted } => attributes.verb == *verb && resource == *wanted,
            On::First { verb, resource: wanted } => {
                let before = |call: &Call| call.verb == *verb && call.resource == *wanted;
                attributes.verb == *verb && resource == *wanted && !state.calls.iter().any(before)
            }
        });
        let fault = fault.map(|(_, fault)| fault.clone());
        state.calls.push(Call {
            number,
            verb: attributes.verb.clone(),
            resource,
            name: attributes.name.clone(),
            struck: fault.is_some(),
        });
        (number, fault)
    }

    /// A fault that had nothing to work with.
    fn missed(&self, number: usize) {
        if let Some(call) = lock(&self.state).calls.get_mut(number - 1) {
            call.struck = false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
