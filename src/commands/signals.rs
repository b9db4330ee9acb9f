//! SIGINT and SIGTERM, for commands that run until they are told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, heard from the moment that this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Must be called inside a tokio runtime. `None` where the system gives none, and signals do what
    /// they always do.
    pub fn listen() -> Option<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        Some(Self { interrupt: interrupt.ok()?, terminate: terminate.ok()? })
    }

    /// Returns at the next one.
    pub async fn next(&mut self) {
        tokio::select! { _ = self.interrupt.recv() => {}, _ = self.terminate.recv() => {} }
    }
}
