//! A temporary folder that is removed when the process that made it ends, in whatever way: also when it
//! is held in a `static`, which is never dropped, or is killed.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The folder. A small shell waits for our end of a pipe to close, then removes it.
pub struct TemporaryFolder {
    path: PathBuf,
    shell: Child,
}

impl TemporaryFolder {
    /// A new folder whose name starts with `prefix`.
    ///
    /// # Errors
    /// It cannot be made, or there is no `sh`.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir()?;
        let shell = Command::new("sh")
            .args(["-c", r#"cat >/dev/null; rm -rf -- "$1""#, "temporary-folder"])
            .arg(folder.path())
            // Ctrl-C goes to the whole foreground group, and the shell has to outlive it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { path: folder.keep(), shell })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It fails only where someone else has waited for our child, and then it has ended.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::TemporaryFolder;

    #[test]
    fn the_folder_is_removed_with_everything_in_it() {
        let folder = TemporaryFolder::new("certctl-test-").expect("a folder");
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "").expect("a file");
        drop(folder);
        assert!(!path.exists());
    }
}
