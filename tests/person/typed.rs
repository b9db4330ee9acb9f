//! A person at a terminal: a pseudo-terminal, and what is typed when a question shows.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, tcgetattr};

use certctl_testing::Ran;

/// Runs a command on a terminal of its own. Each answer is typed once its question has shown and
/// what is typed no longer does. `stderr` is everything that showed.
pub fn typed(command: Command, answers: &[(&str, &str)]) -> Ran {
    let (mut terminal, side) = pty_process::blocking::open().expect("a pseudo-terminal");
    let command = pty_process::blocking::Command::from(command).stdout(Stdio::piped());
    let child = command.spawn(side).expect("it starts");
    let mut shown = String::new();
    let mut seen = 0;
    let mut answers = answers.iter();
    let mut next = answers.next();
    let mut buffer = [0; 4096];
    // Where the other side is closed, Linux says EIO.
    while let Ok(length @ 1..) = terminal.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        while let Some((question, answer)) = next
            && let Some(at) = shown[seen..].find(question)
        {
            seen += at + question.len();
            let deadline = Instant::now() + Duration::from_secs(60);
            while tcgetattr(&terminal).expect("a terminal").local_modes.contains(LocalModes::ECHO) {
                assert!(Instant::now() < deadline, "what is typed would show:\n{shown}");
                std::thread::yield_now();
            }
            terminal.write_all(format!("{answer}\n").as_bytes()).expect("typed");
            next = answers.next();
        }
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(next.is_none(), "`{next:?}` was not asked:\n{shown}");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: shown,
    }
}
