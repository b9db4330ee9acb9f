//! Files that are written into a checkout, whose content others wrote. Refuses to write through a
//! symbolic link, which a branch can hold and which leads wherever its author wants.

use std::path::{Component, Path, PathBuf};

use crate::atomic_file::{self, Mode};
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

/// Replaces a file of the checkout that the roster is in, whole or not at all.
///
/// # Errors
/// A symbolic link of the checkout is in the way, or the file cannot be written; then it is as it was.
pub fn replace(roster: &Path, file: &Path, text: &str) -> Result<()> {
    refuse_planted(roster, file)?;
    let path = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        return Err(Error::new(format!("{} is no regular file; nothing was written", path.display()))
            .hint("name a file, or one that is not there yet"));
    }
    atomic_file::replace(&path, text.as_bytes(), Mode::Kept).map_err(|cause| {
        Error::new(format!("{} could not be written; it is as it was", path.display())).caused_by(cause)
    })
}

/// Refuses a path that leads through a symbolic link of the checkout that the roster is in. Links
/// elsewhere are the user's own.
///
/// # Errors
/// The first such link on the way to the file, or the file itself.
pub fn refuse_planted(roster: &Path, file: &Path) -> Result<()> {
    let Some(root) = checkout_of(roster) else { return Ok(()) };
    let mut path = PathBuf::new();
    for part in std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).components() {
        let inside = path.canonicalize().is_ok_and(|folder| folder.starts_with(&root));
        path.push(part);
        if inside && path.is_symlink() {
            return Err(Error::new(format!(
                "{} is a symbolic link in the repository of the roster, which a pull request could have put there; nothing was written",
                path.display()
            ))
            .hint("name a file outside the repository, or replace the link with a file"));
        }
    }
    Ok(())
}

/// The working tree that holds the roster's folder, or that folder where there is no repository.
fn checkout_of(roster: &Path) -> Option<PathBuf> {
    let folder = roster.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let root = folder.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
    Some(root.unwrap_or(&folder).to_owned())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_link_of_the_checkout_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("repo/.git")).expect("made");
        fs::create_dir_all(at("repo/team")).expect("made");
        fs::create_dir_all(at("elsewhere")).expect("made");
        fs::write(at("repo/file"), "").expect("written");
        for (target, link) in [
            ("elsewhere", "repo/folder"),
            ("elsewhere/new", "repo/dangling"),
            ("repo", "own"),
            ("elsewhere", "mine"),
        ] {
            symlink(at(target), at(link)).expect("linked");
        }
        let refused = |file: &str| refuse_planted(&at("repo/team/users.yaml"), &at(file)).is_err();
        for file in ["repo/folder", "repo/folder/x", "repo/dangling", "own/folder/x", "repo/team/../folder/x"]
        {
            assert!(refused(file), "{file}");
        }
        for file in ["repo/file", "repo/new", "own/file", "mine/x", "elsewhere/x", "repo/team/new/x"] {
            assert!(!refused(file), "{file}");
        }
    }
}
