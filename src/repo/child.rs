//! Runs a child process to its end, which comes in bounded time once a signal has been heard.
//!
//! It does not end what is under way at the first signal: a push that is nearly done is better done.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::interrupt::{GRACE, Interrupt};
use crate::os;

/// How often a signal is looked for.
const TICK: Duration = Duration::from_millis(100);

/// What became of it.
pub(super) struct ChildExit {
    pub(super) status: ExitStatus,
    /// It did not end in time, and was ended.
    pub(super) cut_short: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Where there is a terminal, its Ctrl-C reaches everyone, and ssh may ask there. Elsewhere, as in CI, the child
/// and whatever it starts are a process group of their own, which can be ended as one.
fn has_terminal() -> bool {
    os::terminal().is_ok()
}

/// # Errors
/// It cannot be started, or what it prints cannot be read.
pub(super) fn run(command: &mut Command, interrupt: Option<&Interrupt>) -> io::Result<ChildExit> {
    let grouped = interrupt.is_some() && !has_terminal();
    if grouped {
        os::as_group(command);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let mut clock = Clock { interrupt, deadline: None };
    let mut printed = [None, None];
    let mut cut_short = false;
    for (read, printed) in [&stdout, &stderr].into_iter().zip(&mut printed) {
        while printed.is_none() && !cut_short {
            match read.recv_timeout(TICK) {
                Ok(bytes) => *printed = Some(bytes?),
                Err(RecvTimeoutError::Disconnected) => *printed = Some(Vec::new()),
                Err(RecvTimeoutError::Timeout) => cut_short = clock.is_up(),
            }
        }
    }
    if cut_short {
        end(&mut child, grouped)?;
        // Whoever still holds the pipes is not waited for.
        for (read, printed) in [&stdout, &stderr].into_iter().zip(&mut printed) {
            if printed.is_none() {
                *printed = read.recv_timeout(TICK).ok().and_then(Result::ok);
            }
        }
    }
    let status = child.wait()?;
    let [stdout, stderr] = printed.map(Option::unwrap_or_default);
    Ok(ChildExit { status, cut_short, stdout, stderr })
}

/// Reads all that it prints, beside the others.
fn reader(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.map_or(Ok(0), |mut from| from.read_to_end(&mut bytes));
        // Nobody may be waiting any more.
        let _ = send.send(read.map(|_| bytes));
    });
    receive
}

fn end(child: &mut Child, grouped: bool) -> io::Result<()> {
    if grouped { os::end_group(child) } else { child.kill() }
}

/// Counts from the moment that a signal is first seen.
struct Clock<'a> {
    interrupt: Option<&'a Interrupt>,
    deadline: Option<Instant>,
}

impl Clock<'_> {
    fn is_up(&mut self) -> bool {
        if !self.interrupt.is_some_and(Interrupt::is_set) {
            return false;
        }
        Instant::now() >= *self.deadline.get_or_insert_with(|| Instant::now() + GRACE)
    }
}
