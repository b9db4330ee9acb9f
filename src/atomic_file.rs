//! Writes a file whole or not at all: a new one beside it, renamed onto its name. Nobody reads half of it,
//! and no wider mode than its own ever holds the content.
//!
//! A name that is a symbolic link is replaced, not followed: whoever means the file that it leads to resolves
//! it first. (`repo` writes a working tree as git does, from git's own folder, and is not built on this.)

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::os;

/// Which mode the file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// This one, narrowed by the umask as that of any new file.
    New(u32),
    /// That of the file that it replaces; where there is none, it is for its owner only.
    Kept,
}

/// For its owner only.
pub const PRIVATE: Mode = Mode::New(0o600);

/// Replaces what has this name, once the disk holds the content.
///
/// # Errors
/// It could not be written; what was there is as it was.
pub fn replace(path: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let file = staged(path, content, mode)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// As [`replace`], where nothing has this name yet.
///
/// # Errors
/// Something has: [`ErrorKind::AlreadyExists`]. Or it could not be written.
pub fn create(path: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let file = staged(path, content, mode)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// The new file, beside the name that it is to have.
fn staged(path: &Path, content: &[u8], mode: Mode) -> io::Result<NamedTempFile> {
    let new = |mode| {
        let mut builder = Builder::new();
        builder.prefix(".certctl-");
        if let Some(permissions) = os::permissions(mode) {
            builder.permissions(permissions);
        }
        builder.tempfile_in(folder_of(path))
    };
    let mut file = match mode {
        Mode::New(mode) => new(mode)?,
        Mode::Kept => new(0o600)?,
    };
    file.write_all(content)?;
    if mode == Mode::Kept {
        match fs::metadata(path) {
            Ok(old) => file.as_file().set_permissions(old.permissions())?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(file)
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_mode_is_exact_or_kept_and_what_exists_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let mode = || fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        create(&path, b"1", Mode::Kept).expect("written");
        assert_eq!(mode(), 0o600);
        let refused = create(&path, b"2", PRIVATE).expect_err("it exists");
        assert_eq!(
            (refused.kind(), fs::read(&path).expect("read")),
            (ErrorKind::AlreadyExists, b"1".to_vec())
        );
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("changed");
        replace(&path, b"3", Mode::Kept).expect("written");
        assert_eq!((mode(), fs::read(&path).expect("read")), (0o640, b"3".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1, "nothing else is left there");
    }
}
