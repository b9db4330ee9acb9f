//! The lock that libgit2 takes while it moves a branch, and that a killed run leaves behind.
//!
//! git leaves such a lock to people, because nobody knows whose it is. Of ours we know: before a move its
//! name is written into a file of our own, under a lock of the system's that ends with the process. It
//! refuses to remove a lock that was not made in that moment: it is somebody else's.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{Head, Repo};

/// In the folder of git, where nothing is ever pushed from.
const MARK: &str = "certctl-moves";

/// Between the mark and the lock lies one system call; this leaves room for coarse clocks of files.
const MOMENT: Duration = Duration::from_secs(2);

/// A move that has begun. When this goes, it is over.
pub(super) struct Moving(Option<File>);

impl Drop for Moving {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // What stays behind says of a move that it was not finished, and is looked at again.
            let _ = file.set_len(0);
        }
    }
}

impl Repo {
    /// Notes that `name` (`HEAD` or a branch) is about to be moved. Where that cannot be noted, a crash
    /// leaves git's lock to be removed by hand.
    pub(super) fn moving(&self, name: &str) -> Moving {
        let note = || -> std::io::Result<File> {
            let mut file = File::options().create(true).truncate(false).write(true).open(self.mark())?;
            file.lock()?;
            file.set_len(0)?;
            file.write_all(name.as_bytes())?;
            Ok(file)
        };
        Moving(note().ok())
    }

    /// Removes the lock that a killed run of ours left on HEAD or its branch.
    pub(super) fn remove_stale_lock(&self, head: &Head) {
        let Ok(mut mark) = File::options().read(true).write(true).open(self.mark()) else { return };
        // Held by whoever moves it right now.
        if mark.try_lock().is_err() {
            return;
        }
        let mut name = String::new();
        let read = mark.read_to_string(&mut name).is_ok();
        let named = [Some("HEAD"), head.branch.as_deref()].contains(&Some(name.as_str()));
        let made = |metadata: fs::Metadata| metadata.modified().ok();
        let noted = mark.metadata().ok().and_then(made);
        if let (true, true, Some(noted)) = (read, named, noted) {
            let lock = self.lock_of(&name);
            let locked = fs::symlink_metadata(&lock).ok().and_then(made);
            if locked.is_some_and(|locked| is_of_that_moment(noted, locked)) {
                // Where it stays, the move will say so.
                let _ = fs::remove_file(&lock);
            }
        }
        let _ = mark.set_len(0);
    }

    /// Where git's lock of a reference is.
    pub(super) fn lock_of(&self, name: &str) -> PathBuf {
        let folder = if name == "HEAD" { self.git.path() } else { self.git.commondir() };
        folder.join(format!("{name}.lock"))
    }

    fn mark(&self) -> PathBuf {
        self.git.path().join(MARK)
    }
}

fn is_of_that_moment(noted: SystemTime, locked: SystemTime) -> bool {
    match locked.duration_since(noted) {
        Ok(after) => after <= MOMENT,
        Err(before) => before.duration() <= MOMENT,
    }
}
