//! Deliberate faults: what can go wrong between a client and an API server.
//!
//! [`Faults`] says which calls fail and how, and records the calls that were made;
//! [`Faulty`] puts it in front of any [`Backend`](crate::backend::Backend), the sandbox itself or a
//! [proxy](crate::proxy) to a real API server. Each fault comes either before or after the change took
//! effect, because that is what a client cannot know.

mod cut;
mod faulty;
mod memory;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use faulty::Faulty;
use tokio::sync::oneshot;

use crate::request::Attributes;

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is not executed; the response has this HTTP status: 500, 503, 504.
    Refused(u16),
    /// It is executed, but the response has this HTTP status: 500, 504.
    DoneButRefused(u16),
    /// It is not executed: 429 with `Retry-After`, in whole seconds.
    TooManyRequests {
        /// How long the client is asked to wait.
        retry_after: u32,
    },
    /// It is not executed: 409, as if someone else had been faster.
    Conflict,
    /// It is not executed and never answered.
    Timeout,
    /// It is executed and never answered.
    DoneButTimeout,
    /// It is not executed, and the connection breaks.
    Reset,
    /// It is executed, and the connection breaks instead of a response.
    DoneButReset,
    /// It is executed, after this delay.
    Slow(Duration),
    /// A watch is cut off in the middle of its response, after this many chunks.
    CutWatch {
        /// How many chunks come through.
        after: usize,
    },
    /// The revision that the client wants to continue from is too old: 410 `Expired`, for a watch as its first event.
    Expired,
    /// A read gets the response that the same read got before the last write; without
    /// such a response it is executed as usual, and [`Call::struck`] stays false.
    Stale,
    /// It is executed; then listeners are notified, and the response is withheld forever: the moment to
    /// kill the client.
    Hold(Sender<()>),
    /// It is executed once the listener has dropped the [`Turn`], so that somebody else can act before it.
    Turn(Sender<Turn>),
}

/// A call that waits for its listener.
#[derive(Debug)]
pub struct Turn {
    /// As in an RBAC rule.
    pub verb: String,
    /// The plural, with the subresource behind a slash.
    pub resource: String,
    _goes_on: oneshot::Sender<()>,
}

/// Which calls a fault applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// The call with this number, counted from 1 since the rules were set.
    Call(usize),
    /// The call with this number and all after it.
    From(usize),
    /// The first call with this verb on this resource; `resource/subresource` for a subresource.
    First {
        /// As in an RBAC rule.
        verb: &'static str,
        /// The plural.
        resource: &'static str,
    },
    /// Every call with this verb on this resource; `resource/subresource` for a subresource.
    Kind {
        /// As in an RBAC rule: get, list, watch, create, update, patch, delete.
        verb: &'static str,
        /// The plural.
        resource: &'static str,
    },
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Counted from 1 since the rules were set.
    pub number: usize,
    /// As in an RBAC rule.
    pub verb: String,
    /// The plural, with the subresource behind a slash; the path of a non-resource request.
    pub resource: String,
    /// The object's name; empty if the request names none.
    pub name: String,
    /// Whether a fault was applied to it.
    pub struck: bool,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<(On, Fault)>,
    calls: Vec<Call>,
}

/// Which calls fail, and the list of calls that were made. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    memory: Arc<Mutex<Option<memory::Memory>>>,
}

impl Faults {
    /// Makes these calls fail in these ways from now on; of several matching rules the first wins. Counting starts
    /// over, and the list of calls is empty again.
    pub fn set(&self, rules: impl IntoIterator<Item = (On, Fault)>) {
        *lock(&self.state) = State { rules: rules.into_iter().collect(), calls: Vec::new() };
    }

    /// Injects no more faults, and clears the list of calls.
    pub fn clear(&self) {
        self.set([]);
    }

    /// The calls since the rules were set, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Remembers the responses to reads from now on, so that stale ones are available.
    pub fn remember(&self) {
        lock(&self.memory).get_or_insert_default();
    }

    /// Starts with the responses that another instance remembers, as if they had been given here.
    pub fn remember_as(&self, other: &Self) {
        let theirs = lock(&other.memory).clone();
        *lock(&self.memory) = theirs;
    }

    /// Records a call, and returns the fault that applies to it.
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

    /// A fault that had no effect.
    fn missed(&self, number: usize) {
        if let Some(call) = lock(&self.state).calls.get_mut(number - 1) {
            call.struck = false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
