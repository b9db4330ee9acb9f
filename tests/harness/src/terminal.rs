//! Somebody at a terminal of 80 columns: what shows there, and what is typed once it does.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::blocking::Pty;

use crate::ran::Ran;

/// Generous, because a busy CI machine takes many times the usual second.
const SHOWS_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether the program has ended, while nothing shows.
const TICK: Duration = Duration::from_millis(10);
/// Written behind all that the program has written, once it has ended.
const END: &[u8] = b"\0end\0";

/// A program on a pseudo-terminal of its own. It is killed when this is dropped.
pub struct Terminal {
    pty: Arc<Pty>,
    /// The program's side. While it is open here, nothing that was written is lost when the program ends: where the
    /// last one closes it, Linux may say EIO before all of it was read.
    side: File,
    child: Child,
    chunks: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    seen: usize,
}

impl Terminal {
    /// Starts a program; what it is given as standard input, output and error is the terminal.
    ///
    /// # Panics
    /// There is no pseudo-terminal, or it does not start.
    pub fn start(command: Command) -> Self {
        let (pty, side) = pty_process::blocking::open().expect("a pseudo-terminal");
        pty.resize(pty_process::Size::new(24, 80)).expect("a size");
        let kept = File::from(side.as_fd().try_clone_to_owned().expect("a descriptor"));
        let child = pty_process::blocking::Command::from(command).spawn(side).expect("it starts");
        let pty = Arc::new(pty);
        let (sender, chunks) = channel();
        let reader = Arc::clone(&pty);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = (&*reader).read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { pty, side: kept, child, chunks, shown: Vec::new(), seen: 0 }
    }

    /// Waits until a text shows, behind the one that was waited for before, wherever its lines are broken.
    ///
    /// # Panics
    /// It does not within a minute.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        loop {
            let shown = String::from_utf8_lossy(&self.shown);
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(at) = shown.get(self.seen..).and_then(|shown| shown.find(text)) {
                self.seen += at + text.len();
                return;
            }
            match self.chunks.recv_timeout(SHOWS_WITHIN) {
                Ok(chunk) => self.shown.extend(chunk),
                Err(_) => panic!("`{text}` does not show:\n{shown}"),
            }
        }
    }

    /// Types, as it stands; a line ends in `\r`.
    ///
    /// # Panics
    /// Nobody reads it.
    pub fn type_keys(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("typed");
    }

    /// Waits for the end. `stdout` is everything that showed, with plain line ends.
    ///
    /// # Panics
    /// It takes more than a minute without showing anything.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        let mut quiet = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                break status.code();
            }
            if let Ok(chunk) = self.chunks.recv_timeout(TICK) {
                self.shown.extend(chunk);
                quiet = Instant::now();
            }
            let shown = String::from_utf8_lossy(&self.shown);
            assert!(quiet.elapsed() < SHOWS_WITHIN, "it does not end:\n{shown}");
        };
        self.side.write_all(END).expect("written");
        while !self.shown.ends_with(END) {
            self.shown.extend(self.chunks.recv_timeout(SHOWS_WITHIN).expect("what was written last"));
        }
        self.shown.truncate(self.shown.len() - END.len());
        let stdout = String::from_utf8_lossy(&self.shown).replace("\r\n", "\n");
        Ran { code, stdout, stderr: String::new() }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or is not wanted any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
