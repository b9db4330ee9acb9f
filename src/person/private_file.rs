//! Files that only their owner may read: never through a wider mode, whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

use crate::atomic_file::{self, PRIVATE, folder_of};
use crate::error::{Error, Result};
use crate::os;

/// Writes a file of mode 0600: a new one beside it, then renamed onto it. `force` replaces what is there.
///
/// # Errors
/// It exists, without `force`; or it cannot be written, and is as it was.
pub fn write(path: &Path, content: &[u8], force: bool) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::new(format!("{} is no regular file; nothing was written", path.display()))
            .hint("name another file; for standard output, leave `-o` out"));
    }
    let written = match force {
        true => atomic_file::replace(path, content, PRIVATE),
        false => atomic_file::create(path, content, PRIVATE),
    };
    written.map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Error::new(format!("{} could not be written; it is as it was", path.display())).caused_by(why),
    })
}

/// What to say of a file that is not overwritten.
pub fn exists(path: &Path) -> Error {
    Error::new(format!("{} exists already; nothing was written", path.display()))
}

/// Makes the folder of a file, and those above it, of mode 0700 where they are new.
///
/// # Errors
/// It cannot be made.
pub fn make_folder_of(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    os::make_private_folder(&folder).map_err(|why| {
        Error::new(format!("the folder {} could not be made; nothing was written", folder.display()))
            .caused_by(why)
    })
}
