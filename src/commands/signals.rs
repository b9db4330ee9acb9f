//! SIGINT and SIGTERM, for commands that run until they are told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, heard from the moment that this is made. `None` where the system gives none, and
/// signals do what they always do.
pub struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> Self {
        let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        Self(interrupt.ok().zip(terminate.ok()))
    }

    /// Returns at the next one.
    pub async fn next(&mut self) {
        match &mut self.0 {
            Some((interrupt, terminate)) => {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            }
            None => std::future::pending().await,
        }
    }
}
