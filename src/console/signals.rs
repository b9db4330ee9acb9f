//! What Ctrl-C, SIGTERM and a terminal that goes away do to an apply.

use std::io::Write as _;

use crate::exit_code::FAILED;
use crate::interrupt::Interrupter;
use crate::os::{Heard, Signals};

/// The first signal lets what is issued be recorded and bound; the second, if it is no hang-up, ends at
/// once.
pub fn watch(interrupter: Interrupter) {
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        let mut told = false;
        loop {
            let heard = signals.next().await;
            interrupter.set();
            let more = match heard {
                Heard::Stop if told => std::process::exit(i32::from(FAILED)),
                Heard::Stop => {
                    told = true;
                    " Once more ends at once."
                }
                Heard::Hangup => "",
            };
            // A terminal that has gone away must not end this task: the second signal still counts.
            let _ = writeln!(
                std::io::stderr(),
                "Interrupted: nothing new begins, and what is issued already is still recorded and bound.{more}"
            );
        }
    });
}
