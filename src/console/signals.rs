//! SIGINT, SIGTERM and SIGHUP, for commands that run until they are told to stop.

use std::fs;
use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Somebody wants it to stop.
    Stop,
    /// The terminal was closed. The kernel, the shell and a session manager may all send it, besides a
    /// `Stop`: it is no second wish.
    Hangup,
}

/// All of them, heard from the moment that this is made. Those that the system does not give do what
/// they always do.
pub struct Signals(Vec<(Signal, Heard)>);

impl Signals {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> Self {
        let hangup = (!ignores_hangups()).then_some((SignalKind::hangup(), Heard::Hangup));
        let kinds = [(SignalKind::interrupt(), Heard::Stop), (SignalKind::terminate(), Heard::Stop)];
        let listen = |(kind, heard)| Some((signal(kind).ok()?, heard));
        Self(kinds.into_iter().chain(hangup).filter_map(listen).collect())
    }

    /// Returns at the next one.
    pub async fn next(&mut self) -> Heard {
        poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            let heard =
                signals.find_map(|(signal, heard)| signal.poll_recv(context).is_ready().then_some(*heard));
            heard.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Whether certctl was started to outlive its terminal, as by nohup. Where the system does not tell, it
/// was not.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
