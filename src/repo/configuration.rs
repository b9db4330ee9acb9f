//! Whose configuration git reads: never that of a file which a commit can change, such as one that the clone
//! includes (`include.path = ../.gitconfig`). It names programs that git runs.

use std::path::{Path, PathBuf};

use super::{Repo, git};
use crate::error::{Error, Result};

impl Repo {
    /// # Errors
    /// git reads configuration from a tracked file, or cannot say what it reads.
    pub(super) fn refuse_tracked_configuration(&self) -> Result<()> {
        let arguments = ["config", "--list", "--show-origin", "--name-only", "-z"];
        let answer = git::run_unchecked(self, &arguments, b"", &[])?;
        if !answer.success {
            return Err(Error::new("git could not read its configuration; nothing was done")
                .caused_by(answer.cause()));
        }
        // Where each is from and what it is called, by turns.
        let origins = answer.stdout.split('\0').step_by(2).filter_map(|origin| origin.strip_prefix("file:"));
        match origins.map(|file| self.workdir.join(file)).find(|file| self.tracks(file)) {
            None => Ok(()),
            Some(file) => {
                let file = file.display();
                Err(Error::new(format!(
                    "git reads its configuration from {file}, which a commit can change, and with it what git runs; \
                     nothing was done"
                ))
                .hint("git config --show-origin --get-all include.path    # says where that file is included")
                .hint("leave out what includes it, or copy it to a place outside of the working tree"))
            }
        }
    }

    /// Whether this is a file of the index, by its name or by where a link leads.
    fn tracks(&self, file: &Path) -> bool {
        let Ok(index) = self.git.index() else { return true };
        let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
        let named = folder.and_then(|folder| Some(folder.join(file.file_name()?)));
        let files: Vec<PathBuf> = named.into_iter().chain(file.canonicalize()).collect();
        // What is read may itself say where the working tree is.
        let roots = [Some(self.workdir.as_path()), self.git.path().parent()];
        files.iter().any(|file| {
            roots.iter().flatten().any(|root| {
                let path =
                    root.canonicalize().ok().and_then(|root| Some(file.strip_prefix(root).ok()?.to_owned()));
                path.is_some_and(|path| (0..=3).any(|stage| index.get_path(&path, stage).is_some()))
            })
        })
    }
}
