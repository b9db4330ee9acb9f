//! `certctl unlock` and `lock`: a passphrase is asked for once, and a process keeps what it opens for some hours.

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

use crate::cli::UnlockArgs;
use crate::clock;
use crate::console::terminal::{Terminal, Tty};
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::os;
use crate::person::home;
use crate::person::identities;
use crate::render::count;
use crate::unlock::{self, Launched, Lock};

pub fn unlock(args: &UnlockArgs, terminal: &Terminal) -> Result<u8> {
    if !os::HAS_PRIVATE_SOCKETS {
        return Err(Error::new(
            "this system has no socket that its user alone can open, and `certctl unlock` needs one; nothing was unlocked",
        )
        .hint("use an identity without a passphrase, on an encrypted disk"));
    }
    let identities = identities::load_here(&args.identity, terminal)?;
    let files: Vec<&Path> = identities.with_passphrase().collect();
    if files.is_empty() {
        return Err(Error::new("none of your identities has a passphrase; there is nothing to unlock")
            .hint("name the one that has: `certctl unlock -i FILE`"));
    }
    let folder = identities::unlocked_folder().ok_or_else(identities::homeless)?;
    let in_folder = |what: &str| Error::new(format!("{} {what}; nothing was unlocked", home::shown(&folder)));
    os::make_private_folder(&folder).map_err(|why| in_folder("could not be made").caused_by(why))?;
    if !os::is_private_folder(&folder) {
        return Err(in_folder("is not yours alone")
            .hint(format!("look at what is in it, then remove it: `rm -r {}`", folder.display())));
    }
    let failed = |why: &str| Error::new(format!("{why}; nothing was unlocked"));
    let program =
        std::env::current_exe().map_err(|why| failed("certctl does not find itself").caused_by(why))?;
    let until = clock::now() + args.lasts;
    let mut command = Command::new(program);
    command.arg("keep-unlocked").arg("--folder").arg(&folder).arg("--until").arg(until.to_string()).arg("--");
    for file in files {
        // It leaves this folder.
        command.arg(os::full_path(file).map_err(|why| failed(&file.display().to_string()).caused_by(why))?);
    }
    let Launched { unlocked, still_locked } =
        unlock::launch(&mut command, &Tty).map_err(|why| failed(&why))?;
    for why in still_locked {
        terminal.say(&format!("Still locked: {why}."));
    }
    let what = count(unlocked, "identity file");
    terminal.say(&format!("Unlocked until {until}: {what}. `certctl lock` ends that at once."));
    Ok(DONE)
}

pub fn lock(terminal: &Terminal) -> Result<u8> {
    let folder = identities::unlocked_folder().ok_or_else(identities::homeless)?;
    terminal.say(match unlock::lock(&folder) {
        Lock::Locked => "Locked.",
        Lock::NothingUnlocked => "Nothing was unlocked.",
    });
    Ok(DONE)
}

/// The process that stays.
pub fn keep(folder: &Path, until: Timestamp, files: &[PathBuf]) -> Result<u8> {
    let by_hand =
        |why| Error::usage("this is for `certctl unlock` to start; nothing was unlocked").caused_by(why);
    let kept = unlock::keep(folder, until, files, clock::now).map_err(by_hand)?;
    Ok(if kept { DONE } else { FAILED })
}
