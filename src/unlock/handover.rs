//! From the command that a person types to the process that stays: what that one has to ask is asked by the command, on
//! its terminal, and goes over two pipes. No secret is in an argument or in the environment.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::protocol::{receive, send};
use crate::os;
use crate::seal::Prompt;

const ASK: u8 = b'q';
const TELL: u8 = b't';
const READY: u8 = b'r';
const FAILED: u8 = b'e';
const ANSWER: u8 = b'a';
const DECLINED: u8 = b'd';

/// What became of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launched {
    /// How many identity files are unlocked.
    pub unlocked: usize,
    /// Why others stay locked.
    pub still_locked: Vec<String>,
}

/// Starts the process, and asks for it until it is ready. It goes on by itself then.
///
/// # Errors
/// It could not be started; or why it gave up, in its own words.
pub fn launch(command: &mut Command, prompt: &dyn Prompt) -> Result<Launched, String> {
    let broken =
        |why: io::Error| format!("the process that was to keep it unlocked ended without a word: {why}");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped
        .spawn()
        .map_err(|why| format!("the process that is to keep it unlocked could not be started: {why}"))?;
    let (Some(mut to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the process that is to keep it unlocked has no pipes".to_owned());
    };
    loop {
        let (kind, content) = receive(&mut from).map_err(broken)?;
        let text = String::from_utf8_lossy(&content);
        match kind {
            ASK => match prompt.secret(&text) {
                Ok(answer) if !answer.is_empty() => {
                    send(&mut to, ANSWER, answer.as_bytes()).map_err(broken)?
                }
                Ok(_) => send(&mut to, DECLINED, b"nothing was answered").map_err(broken)?,
                Err(why) => send(&mut to, DECLINED, why.as_bytes()).map_err(broken)?,
            },
            TELL => prompt.tell(&text),
            READY => return serde_json::from_slice(&content).map_err(|why| broken(why.into())),
            _ => return Err(text.into_owned()),
        }
    }
}

/// The other end: who stands in for the person there.
pub(super) struct StandIn(Mutex<(File, File)>);

impl StandIn {
    /// On standard input and output.
    ///
    /// # Errors
    /// One of them is closed.
    pub(super) fn new() -> io::Result<Self> {
        os::unbuffered_streams().map(Mutex::new).map(Self)
    }

    fn say(&self, kind: u8, content: &[u8]) -> io::Result<()> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut streams.1, kind, content)
    }

    /// It is done, and the command may end.
    ///
    /// # Errors
    /// The command is gone.
    pub(super) fn ready(&self, launched: &Launched) -> io::Result<()> {
        self.say(READY, &serde_json::to_vec(launched)?)
    }

    /// It gives up.
    ///
    /// # Errors
    /// The command is gone.
    pub(super) fn failed(&self, why: &str) -> io::Result<()> {
        self.say(FAILED, why.as_bytes())
    }
}

impl Prompt for StandIn {
    fn secret(&self, question: &str) -> Result<Zeroizing<String>, String> {
        let gone = |why: io::Error| format!("whoever could be asked is gone: {why}");
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut streams.1, ASK, question.as_bytes()).map_err(gone)?;
        let (kind, content) = receive(&mut streams.0).map_err(gone)?;
        let text = std::str::from_utf8(&content).map_err(|_| "the answer is no text".to_owned())?;
        if kind == ANSWER { Ok(Zeroizing::new(text.to_owned())) } else { Err(text.to_owned()) }
    }

    fn line(&self, _: &str) -> Result<String, String> {
        Err("it asks for passphrases only".to_owned())
    }

    fn tell(&self, message: &str) {
        let _ = self.say(TELL, message.as_bytes());
    }
}
