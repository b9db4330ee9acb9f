//! Files that are written into a checkout, whose content others wrote. Refuses to write through a
//! symbolic link, which a branch can hold and which leads wherever its author wants.

use std::path::{Component, Path};

use crate::error::{Error, Result};

/// Refuses a path with a symbolic link in it, below `root`.
///
/// # Errors
/// The first link on the way to the file, or the file itself.
pub fn refuse_links(root: &Path, file: &Path) -> Result<()> {
    let mut path = if root == Path::new(".") { Default::default() } else { root.to_owned() };
    for part in file.components().filter(|part| *part != Component::CurDir) {
        path.push(part);
        if path.is_symlink() {
            return Err(Error::new(format!("{} is a symbolic link; nothing was written", path.display()))
                .hint("put a file or a folder there, or write what it leads to by hand"));
        }
    }
    Ok(())
}
