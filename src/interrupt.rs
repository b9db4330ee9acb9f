//! The interrupt flag: set once, by the first signal; all waiting tasks are notified.

use std::time::Duration;

use tokio::sync::watch;

/// How long a program that certctl has started may go on after a signal.
pub const GRACE: Duration = Duration::from_secs(10);

/// Where the wish is heard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// The side that sets it.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

impl Interrupt {
    /// Both ends.
    pub fn new() -> (Interrupter, Self) {
        let (sender, receiver) = watch::channel(false);
        (Interrupter(sender), Self(receiver))
    }

    /// Whether to start nothing new.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is set; never if it can no longer be set.
    pub async fn wait(&self) {
        if self.0.clone().wait_for(|set| *set).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Interrupter {
    /// Sets it, for good.
    pub fn set(&self) {
        self.0.send_replace(true);
    }
}
