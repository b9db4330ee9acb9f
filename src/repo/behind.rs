//! Whether a clone lacks what its branch holds at the remote.
//!
//! It fetches nothing and asks nobody: a question for a passphrase would come from a command that is about something
//! else. A remote that does not answer is given up soon.

use super::{PushTarget, Repo, head_of};
use crate::error::Result;
use crate::interrupt::Interrupt;

impl Repo {
    /// The branch at the remote that the one here follows, where HEAD lacks commits of it.
    ///
    /// # Errors
    /// No branch of a remote is followed, or the remote did not answer.
    pub fn behind(&mut self) -> Result<Option<PushTarget>> {
        let target = self.preflight_push(None, None)?.at_home();
        // A signal that was heard before it begins: it has the time of one that comes later, and no more.
        let (interrupter, interrupt) = Interrupt::new();
        interrupter.set();
        self.heed(interrupt);
        let unasked = [("SSH_ASKPASS", "false".to_owned()), ("SSH_ASKPASS_REQUIRE", "force".to_owned())];
        let tip = self.remote_tip_with(&target, &unasked)?;
        let head = head_of(&self.git)?.id;
        Ok(tip.is_some_and(|tip| !self.reaches(head, tip)).then_some(target))
    }
}
