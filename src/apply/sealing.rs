//! Seals a kubeconfig beside everything else: an age plugin takes its time, and may never end.
//!
//! A plugin that is still at it some seconds after a signal is ended, so that an apply always ends, too.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::interrupt::{GRACE, Interrupt};
use crate::model::Recipient;
use crate::os::Starter;
use crate::seal;

/// How long it may take until a plugin that was ended is noticed to be gone.
const NOTICE: Duration = Duration::from_secs(1);

/// Seals to every recipient, on a thread of its own.
///
/// # Errors
/// As [`seal::seal`]; a plugin had to be ended.
pub(super) async fn seal(
    recipients: BTreeSet<Recipient>,
    plaintext: Zeroizing<Vec<u8>>,
    interrupt: &Interrupt,
) -> Result<Vec<u8>> {
    let broken = || Error::new("sealing the kubeconfig broke off; nothing was recorded");
    let (begin, begun) = oneshot::channel();
    let (finish, mut finished) = oneshot::channel();
    let work = move || {
        // Nobody may be waiting any more.
        let _ = begin.send(Starter::this_thread());
        let _ = finish.send(seal::seal(&recipients, &plaintext));
    };
    // Not one of the runtime's: it would wait for that one at its end.
    std::thread::Builder::new()
        .name("seal".to_owned())
        .spawn(work)
        .map_err(|cause| broken().caused_by(cause))?;
    let thread = begun.await.map_err(|_| broken())?;
    tokio::select! {
        sealed = &mut finished => sealed.unwrap_or_else(|_| Err(broken())),
        () = time_is_up(interrupt) => {
            thread.end_programs();
            // Without its plugin it fails, and lets go of the key.
            let _ = tokio::time::timeout(NOTICE, finished).await;
            let grace = GRACE.as_secs();
            Err(Error::new(format!(
                "an age plugin did not end within {grace} s of the signal that ended this apply, and was ended; \
                 nothing was sealed"
            )))
        }
    }
}

/// Returns some time after a signal.
async fn time_is_up(interrupt: &Interrupt) {
    interrupt.wait().await;
    tokio::time::sleep(GRACE).await;
}
