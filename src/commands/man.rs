//! `certctl man`: manual pages, made of the help text.

use std::fs;
use std::path::Path;

use crate::cli::man;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::DONE;
use crate::render::count;

pub fn run(command: Option<&str>, output: Option<&Path>, terminal: &Terminal) -> Result<u8> {
    let pages = man::pages();
    let Some(folder) = output else {
        let file = command.map_or_else(|| "certctl.1".to_owned(), |command| format!("certctl-{command}.1"));
        let page = pages.iter().find(|(name, _)| *name == file);
        let (_, page) = page.ok_or_else(|| {
            let command = visible_line(command.unwrap_or_default());
            Error::usage(format!("certctl has no command `{command}`")).hint("`certctl --help` lists them")
        })?;
        terminal.print(page)?;
        return Ok(DONE);
    };
    let failed =
        |file: &Path, cause| Error::new(format!("{} could not be written", file.display())).caused_by(cause);
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    for (name, page) in &pages {
        let file = folder.join(name);
        fs::write(&file, page).map_err(|cause| failed(&file, cause))?;
    }
    terminal.say(&format!("{}: {}.", folder.display(), count(pages.len(), "manual page")));
    Ok(DONE)
}
