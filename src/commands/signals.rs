//! SIGINT, SIGTERM and SIGHUP, for commands that run until they are told to stop.

use std::fs;
use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// All of them, heard from the moment that this is made. Those that the system does not give do what
/// they always do.
pub struct Signals {
    stop: Vec<Signal>,
    /// That the terminal is gone, which is said once: the kernel and the shell may both send it.
    hangup: Option<Signal>,
}

impl Signals {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> Self {
        let stop = [SignalKind::interrupt(), SignalKind::terminate()];
        let hangup = (!ignores_hangups()).then(|| signal(SignalKind::hangup()).ok()).flatten();
        Self { stop: stop.into_iter().flat_map(signal).collect(), hangup }
    }

    /// Returns at the next one.
    pub async fn next(&mut self) {
        poll_fn(|context| {
            if self.hangup.as_mut().is_some_and(|hangup| hangup.poll_recv(context).is_ready()) {
                self.hangup = None;
                return Poll::Ready(());
            }
            let stopped = self.stop.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if stopped { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
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
