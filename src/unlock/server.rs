//! Answers on the socket until the time is over, somebody locks it, or a signal comes.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::protocol::{AgentReply, AgentRequest};
use super::vault::Vault;
use crate::os::{Connection, Heard, Listener, Signals};

/// How long one question and its answer may take: a file is opened in milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How often the clock is looked at: while a machine sleeps, timers stand still.
const TICK: Duration = Duration::from_secs(15);

/// Answers until then. `lasts` is the same time by another clock, which nobody can set back, and `is_there` says
/// whether anybody could still find the socket.
pub(super) async fn serve(
    listener: &Listener,
    mut vault: Vault,
    lasts: Duration,
    clock: impl Fn() -> Timestamp,
    is_there: impl Fn() -> bool,
) {
    let mut signals = Signals::listen();
    let end = Instant::now() + lasts;
    while clock() < vault.until() && Instant::now() < end && is_there() {
        let look = tokio::time::Instant::from_std(end.min(Instant::now() + TICK));
        let accepted = tokio::select! {
            accepted = listener.accept(PATIENCE) => accepted,
            // Its terminal may close: it was started to outlive that.
            heard = signals.next() => match heard {
                Heard::Stop => return,
                Heard::Hangup => continue,
            },
            () = tokio::time::sleep_until(look) => continue,
        };
        match accepted.and_then(|connection| reply(connection, &mut vault, clock())) {
            Ok(AgentReply::Locked) => return,
            Ok(_) => {}
            // Whoever sends nothing of use gets no answer; nobody can make this loop spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn reply(connection: Connection, vault: &mut Vault, now: Timestamp) -> io::Result<AgentReply> {
    let mut connection = Hurried { connection, until: Instant::now() + PATIENCE };
    let answer = vault.answer(&AgentRequest::receive(&mut connection)?, now);
    // Whoever asked may be gone; locked it is all the same.
    let sent = answer.send(&mut connection);
    if matches!(answer, AgentReply::Locked) { Ok(answer) } else { sent.map(|()| answer) }
}

/// A connection that has to be through in time, however slowly its bytes come.
struct Hurried {
    connection: Connection,
    until: Instant,
}

impl Hurried {
    fn in_time(&self) -> io::Result<()> {
        if Instant::now() < self.until { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

impl Read for Hurried {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time()?;
        self.connection.read(buffer)
    }
}

impl Write for Hurried {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time()?;
        self.connection.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::thread;

    use super::*;
    use crate::os;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn ask(socket: &Path, question: &AgentRequest) -> io::Result<AgentReply> {
        let mut connection = os::connect(socket, PATIENCE)?;
        question.send(&mut connection)?;
        AgentReply::receive(&mut connection)
    }

    /// Serves an empty vault until the 100th second, while somebody asks.
    fn while_serving(clock: &AtomicI64, lasts: Duration, asks: impl FnOnce(&Path) + Send) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let inside = runtime.enter();
        let listener = Listener::bind(&socket).expect("bound");
        drop(inside);
        let vault = Vault::new(BTreeMap::new(), at(100));
        let now = || at(clock.load(Ordering::SeqCst));
        thread::scope(|scope| {
            scope.spawn(|| asks(&socket));
            runtime.block_on(serve(&listener, vault, lasts, now, || true));
        });
    }

    #[test]
    fn it_answers_until_its_time_is_over_and_ends_then() {
        let clock = AtomicI64::new(0);
        while_serving(&clock, 3600 * SECOND, |socket| {
            let Ok(AgentReply::What(unlocked)) = ask(socket, &AgentRequest::What) else {
                panic!("it answers")
            };
            assert_eq!((unlocked.until, unlocked.files.len()), (at(100), 0));
            // Whoever sends something else gets nothing, and is in nobody's way.
            let mut stranger = os::connect(socket, PATIENCE).expect("connected");
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
            assert!(AgentReply::receive(&mut stranger).is_err());
            clock.store(99, Ordering::SeqCst);
            assert!(matches!(ask(socket, &AgentRequest::What), Ok(AgentReply::What(_))));
            clock.store(100, Ordering::SeqCst);
            let _ = ask(socket, &AgentRequest::What);
        });
    }

    #[test]
    fn it_ends_by_its_own_clock_too_and_when_it_is_told() {
        let stopped = AtomicI64::new(0);
        while_serving(&stopped, Duration::ZERO, |_| {});
        while_serving(&stopped, 3600 * SECOND, |socket| {
            assert!(matches!(ask(socket, &AgentRequest::Lock), Ok(AgentReply::Locked)));
        });
    }
}
