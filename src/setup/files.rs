//! The files of `certctl init` in a checkout. A file that says something else than certctl would write is
//! someone's own: it is left as it is. Nothing is written through a symbolic link.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::atomic_file::{self, Mode};
use crate::error::{Error, Result};
use crate::init::{self, Content, File};
use crate::person::checkout_file;

/// What to do with one file.
pub enum FileStep {
    /// It is not there.
    Create(String),
    /// Its new text, and how many lines are new.
    Extend(String, usize),
    /// It says what it should.
    Same,
    /// It says something else; what to do about it.
    Leave(String),
}

/// Looks at a file, and decides.
///
/// # Errors
/// It is a symbolic link or leads through one, or it cannot be read.
pub fn look(workdir: &Path, file: &File) -> Result<FileStep> {
    checkout_file::refuse_links(workdir, Path::new(&file.path))?;
    let path = workdir.join(&file.path);
    let old = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(why) if why.kind() == io::ErrorKind::NotFound => None,
        Err(why) => {
            return Err(Error::new(format!("{} could not be read; nothing was written", path.display()))
                .caused_by(why));
        }
    };
    Ok(match (&file.content, old) {
        (Content::Lines(heading, lines), old) => {
            let old = old.unwrap_or_default();
            match init::with_lines(&old, heading, lines) {
                None => FileStep::Same,
                Some(text) if old.is_empty() => FileStep::Create(text),
                Some(text) => {
                    let new = lines.iter().filter(|line| !old.lines().any(|there| there.trim_end() == *line));
                    FileStep::Extend(text, new.count())
                }
            }
        }
        (Content::Whole(text) | Content::Mentioning(text, _), None) => FileStep::Create(text.clone()),
        (Content::Whole(text) | Content::Mentioning(text, _), Some(old)) if *text == old => FileStep::Same,
        (Content::Mentioning(_, named), Some(old)) if old.contains(named) => FileStep::Same,
        (Content::Mentioning(text, _), Some(_)) => {
            FileStep::Leave(format!("it is your own; add to it:\n{}", text.trim_end()))
        }
        (Content::Whole(_), Some(_)) => {
            FileStep::Leave("it says something else; to have it written anew, remove it first".to_owned())
        }
    })
}

/// Takes the step.
///
/// # Errors
/// The file could not be written; it is as it was.
pub fn write(workdir: &Path, file: &File, step: &FileStep) -> Result<()> {
    let path = workdir.join(&file.path);
    let done = match step {
        FileStep::Same | FileStep::Leave(_) => return Ok(()),
        FileStep::Create(text) => create(&path, text),
        FileStep::Extend(text, _) => atomic_file::replace(&path, text.as_bytes(), Mode::Kept),
    };
    done.map_err(|why| {
        Error::new(format!("{} could not be written; it is as it was", path.display()))
            .caused_by(why)
            .hint("fix that and run `certctl init` again: it continues where it stopped")
    })
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
