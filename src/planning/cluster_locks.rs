//! The locks that an apply holds, one on each cluster.

use std::sync::Mutex;
use std::time::Duration;

use super::clusters::Before;
use super::connect::Reached;
use super::source::Source;
use crate::apply;
use crate::cluster::{self, LeaseLock};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::model::{ClusterName, hex};
use crate::plan::check;
use crate::render::words;

pub struct Locks<'a> {
    source: &'a Source,
    patience: Duration,
    terminal: &'a Terminal,
    held: Mutex<Vec<LeaseLock>>,
}

impl<'a> Locks<'a> {
    pub fn new(source: &'a Source, patience: Duration, terminal: &'a Terminal) -> Self {
        Self { source, patience, terminal, held: Mutex::default() }
    }

    /// Gives all of them back.
    pub async fn release(self) {
        let held = self.held.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        futures::future::join_all(held.into_iter().map(LeaseLock::release)).await;
    }
}

impl Before for Locks<'_> {
    async fn reading(&self, name: &ClusterName, reached: &Reached) -> Result<()> {
        let connection = &reached.connection;
        // The lock is a write, and another cluster behind the same name gets none from us.
        if let Some(pinned) = &reached.repository.pinned_uid {
            let uid = cluster::uid(connection).await?;
            check::identity(Some(pinned), &uid).map_err(|other| words::another_cluster(name, &other))?;
        }
        let waiting = |who: &str| {
            self.terminal.say(&format!(
                "Cluster {name}: waiting for another apply, {}.",
                crate::error::visible_line(who)
            ));
        };
        let lock =
            apply::lock(connection, &self.source.roster.name, &holder()?, self.patience, &waiting).await?;
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(lock);
        Ok(())
    }
}

/// Who this is, for whoever waits: host and process, and something that no other run has.
fn holder() -> Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "unknown host" } else { host.trim() };
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|cause| Error::new("this system has no randomness; nothing was done").caused_by(cause))?;
    Ok(format!("certctl on {host}, process {}, run {}", std::process::id(), hex(&random)))
}
