//! Asking the person: for the passphrase of an identity, and for what an age plugin wants to know.

use std::sync::{Arc, Mutex, PoisonError};

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::visible;

/// How often a passphrase may be wrong.
const ATTEMPTS: usize = 3;

/// Someone who can be asked. Questions may come from a plugin, so they are shown, not obeyed.
pub trait Prompt: Send + Sync {
    /// Asks for a secret, typed unseen.
    ///
    /// # Errors
    /// A clause that says why nobody could be asked.
    fn secret(&self, question: &str) -> Result<Zeroizing<String>, String>;

    /// Asks for a line.
    ///
    /// # Errors
    /// As [`Self::secret`].
    fn line(&self, question: &str) -> Result<String, String>;

    /// Says something, such as `touch your key`.
    fn tell(&self, message: &str);
}

/// Nobody is there.
struct Nobody;

impl Prompt for Nobody {
    fn secret(&self, _: &str) -> Result<Zeroizing<String>, String> {
        Err("nobody can be asked here".into())
    }
    fn line(&self, _: &str) -> Result<String, String> {
        Err("nobody can be asked here".into())
    }
    fn tell(&self, _: &str) {}
}

/// A prompt, and what went wrong when it was used: age's own interfaces have no room for that.
#[derive(Clone)]
pub(super) struct Asker {
    prompt: Arc<dyn Prompt>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Default for Asker {
    fn default() -> Self {
        Self::new(Arc::new(Nobody))
    }
}

impl Asker {
    pub(super) fn new(prompt: Arc<dyn Prompt>) -> Self {
        Self { prompt, failure: Arc::default() }
    }

    /// Why the last question had no answer; asking again does not repeat it.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn failed(&self, why: String) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Asks for the passphrase of something until it fits, three times at most.
    pub(super) fn unlock<T>(
        &self,
        what: &str,
        fits: impl Fn(SecretString) -> Option<T>,
    ) -> Result<T, String> {
        for attempt in 1..=ATTEMPTS {
            let passphrase = self
                .prompt
                .secret(&format!("Passphrase of {what}"))
                .map_err(|why| format!("{what} is protected by a passphrase, and {why}"))?;
            if let Some(opened) = fits(SecretString::from(passphrase.as_str())) {
                return Ok(opened);
            }
            if attempt < ATTEMPTS {
                self.prompt.tell("That is not the passphrase.");
            }
        }
        Err(format!("{what} was not opened: the passphrase was wrong {ATTEMPTS} times"))
    }

    fn answer<T>(&self, answer: Result<T, String>, question: &str) -> Option<T> {
        answer.map_err(|why| self.failed(format!("an age plugin asks `{question}`, and {why}"))).ok()
    }
}

impl age::Callbacks for Asker {
    fn display_message(&self, message: &str) {
        self.prompt.tell(&visible(message));
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let choices = no.map_or_else(|| format!("yes: {yes}"), |no| format!("yes: {yes}; no: {no}"));
        let question = visible(&format!("{message} ({choices})"));
        self.answer(self.prompt.line(&question), &question).map(|answer| answer == "yes")
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        let question = visible(description);
        self.answer(self.prompt.line(&question), &question)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        let question = visible(description);
        let answer = self.answer(self.prompt.secret(&question), &question)?;
        Some(SecretString::from(answer.as_str()))
    }
}
