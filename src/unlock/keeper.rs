//! The process that keeps identities unlocked: from its first question to the end of its socket.

use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::client::lock;
use super::handover::{Launched, StandIn};
use super::server::serve;
use super::vault::Vault;
use super::{HELD, SOCKET};
use crate::os::{self, Listener};
use crate::seal::Identities;

/// Asks for the passphrases of these files through whoever started it, and answers until then. It has no terminal:
/// what goes wrong is said over there, and `false` is what is left to return.
///
/// # Errors
/// Nobody can be asked: it was started by hand.
pub fn keep(
    folder: &Path,
    until: Timestamp,
    files: &[PathBuf],
    clock: fn() -> Timestamp,
) -> io::Result<bool> {
    let stand_in = Arc::new(StandIn::new()?);
    os::leave_terminal();
    let kept = hold(folder, until, files, clock, &stand_in);
    if let Err(why) = &kept {
        // Whoever could hear it may be gone.
        let _ = stand_in.failed(why);
    }
    Ok(kept.is_ok())
}

fn hold(
    folder: &Path,
    until: Timestamp,
    files: &[PathBuf],
    clock: fn() -> Timestamp,
    stand_in: &Arc<StandIn>,
) -> Result<(), String> {
    let (identities, unusable) = Identities::load_with(files, stand_in.clone());
    let unusable = unusable.iter().map(|error| error.message().to_owned());
    let (files, locked) = identities.into_unlocked();
    let still_locked: Vec<String> = unusable.chain(locked).collect();
    if files.is_empty() {
        return Err(still_locked.join("; "));
    }
    let _held = take_over(folder)?;
    let socket = folder.join(SOCKET);
    let failed = |why: &dyn Display| format!("{}: {why}", socket.display());
    match fs::remove_file(&socket) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed(&why)),
        _ => {}
    }
    // Nothing else is kept busy by it, such as a disk that somebody wants to take out.
    let _ = std::env::set_current_dir(folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|why| failed(&why))?.block_on(async {
        let listener = Listener::bind(&socket).map_err(|why| failed(&why))?;
        let launched = Launched { unlocked: files.len(), still_locked };
        stand_in.ready(&launched).map_err(|why| failed(&why))?;
        let lasts = clock().duration_until(until).try_into().unwrap_or_default();
        serve(&listener, Vault::new(files, until), lasts, clock, || socket.exists()).await;
        // While it is still ours: the next one waits for that.
        let _ = fs::remove_file(&socket);
        Ok(())
    })
}

/// How often whoever holds something there is asked to end, and how long it has for that each time.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Ends whoever else holds something there, and takes their place: the file stays locked as long as this process is.
fn take_over(folder: &Path) -> Result<File, String> {
    let path = folder.join(HELD);
    let failed = |why: &dyn Display| format!("{}: {why}", path.display());
    let file = File::create(&path).map_err(|why| failed(&why))?;
    for _ in 0..TRIES {
        lock(folder);
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(why)) => return Err(failed(&why)),
        }
    }
    Err(failed(&"another `certctl unlock` does not end"))
}
