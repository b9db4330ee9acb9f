//! GitHub Actions, where certctl runs in it: errors as annotations, the plan in the step summary, and no
//! text from outside that the runner would take for a command of ours. Gitea and Forgejo do the same.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Severity};
use crate::model::Position;
use crate::render::github_workflow_commands;

/// What a step may add to its summary, in bytes; of more, GitHub shows nothing.
const LARGEST_SUMMARY: u64 = 1024 * 1024;

/// A run of GitHub Actions.
pub struct Actions {
    /// The folder of the roster.
    folder: PathBuf,
    /// Annotations that GitHub would still show.
    left: AtomicUsize,
}

impl Actions {
    /// `None` elsewhere.
    pub fn detect(roster: &Path) -> Option<Self> {
        let here = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let folder = roster.parent().filter(|folder| !folder.as_os_str().is_empty());
        here.then(|| Self {
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            left: AtomicUsize::new(github_workflow_commands::MOST_ANNOTATIONS),
        })
    }

    /// A line for each error, as many as GitHub shows of a step. They are read on standard error too,
    /// so that they do not get into a file that standard output goes to.
    pub fn annotations(&self, error: &Error, severity: Severity) -> String {
        let mut lines = String::new();
        for error in error.each() {
            let left =
                self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if left.is_err() {
                break;
            }
            let place =
                error.place().and_then(|(file, position)| Some((self.in_repository(file)?, position)));
            let place: Option<(&str, Position)> = place.as_ref().map(|(file, at)| (file.as_str(), *at));
            lines += &github_workflow_commands::annotation(error, severity, place);
            lines.push('\n');
        }
        lines
    }

    /// A file as the pull request shows it: from the root of the repository, wherever that was checked
    /// out and wherever certctl runs.
    fn in_repository(&self, file: &str) -> Option<String> {
        let found = [PathBuf::from(file), self.folder.join(file)].into_iter().find(|path| path.is_file())?;
        let found = fs::canonicalize(found).ok()?;
        let folder = found.parent()?;
        let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
        let path = folder.strip_prefix(root).ok()?.join(found.file_name()?);
        path.to_str().map(str::to_owned)
    }
}

/// Adds to the step summary what `render` returns for the space that is left; does nothing elsewhere.
///
/// # Errors
/// There is one, and it cannot be written, or it is full.
pub fn summarize(render: impl FnOnce(usize) -> String) -> io::Result<()> {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    // The blank line ends whatever an earlier step has left open.
    let room = LARGEST_SUMMARY.saturating_sub(file.metadata()?.len() + 2);
    let text = render(usize::try_from(room).unwrap_or(usize::MAX));
    if text.len() as u64 > room {
        return Err(io::Error::other("it is full"));
    }
    file.write_all(format!("\n{text}\n").as_bytes())
}
