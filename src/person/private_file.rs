//! Files that only their owner may read: never through a wider mode, whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file of mode 0600: a new one beside it, then renamed onto it. `force` replaces what is there.
///
/// # Errors
/// It exists, without `force`; or it cannot be written, and is as it was.
pub fn write(path: &Path, content: &[u8], force: bool) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::new(format!("{} is no regular file; nothing was written", path.display()))
            .hint("name another file; for standard output, leave `-o` out"));
    }
    let folder = folder(path);
    let create = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // The mode at creation, not one that is narrowed later.
        let mut file = builder.permissions(fs::Permissions::from_mode(0o600)).tempfile_in(&folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        if force {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        Ok(())
    };
    create().map_err(|why| match why.kind() {
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
    let folder = folder(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|why| {
        Error::new(format!("the folder {} could not be made; nothing was written", folder.display()))
            .caused_by(why)
    })
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
