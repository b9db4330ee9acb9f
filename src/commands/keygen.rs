//! `certctl keygen`: a new age identity, and the line of it that goes into the roster.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cli::KeygenArgs;
use crate::clock;
use crate::console::terminal::{Terminal, Tty};
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::Recipient;
use crate::person::home;
use crate::person::identities;
use crate::person::private_file;
use crate::seal::{self, Identities, Prompt as _};

pub fn run(args: &KeygenArgs, terminal: &Terminal) -> Result<u8> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => identities::own_file().ok_or_else(identities::homeless)?,
    };
    if args.show {
        return show(&path, terminal);
    }
    // Before anyone thinks of a passphrase; the write below holds it.
    if path.symlink_metadata().is_ok() {
        return Err(taken(private_file::exists(&path)));
    }
    let passphrase = if args.passphrase { Some(ask()?) } else { None };
    let created = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let identity = seal::new_identity(&created, passphrase.as_ref().map(|text| text.as_str()))?;
    if args.output.is_none() {
        private_file::make_folder_of(&path)?;
    }
    private_file::write(&path, &identity.file, false).map_err(taken)?;
    terminal.say(&format!("Your identity is in {}. It never leaves this machine.", home::shown(&path)));
    terminal.say("Put this line under your `recipients:` in users.yaml, and commit it:");
    terminal.print(format!("- {}\n", identity.recipient).as_bytes())?;
    Ok(DONE)
}

/// The public side of what is in a file: it needs the passphrase, if there is one.
fn show(path: &Path, terminal: &Terminal) -> Result<u8> {
    let (identities, errors) = Identities::load_with(&[path.to_owned()], Arc::new(Tty));
    if let Some(error) = Error::all(errors) {
        return Err(error.hint("`certctl keygen` makes an identity"));
    }
    let (locked, why) = identities.unlock();
    let recipients: BTreeSet<&Recipient> = identities.recipients().iter().chain(locked).collect();
    if recipients.is_empty() {
        let error = Error::new(format!("{}: no line for the roster can be told from it", home::shown(path)));
        return Err(match why.first() {
            Some(why) => error.caused_by(why.clone()),
            None => error.hint("a plugin tells its recipient itself, e.g. `age-plugin-yubikey --list`"),
        });
    }
    for recipient in recipients {
        terminal.print(format!("- {recipient}\n").as_bytes())?;
    }
    Ok(DONE)
}

fn taken(error: Error) -> Error {
    error
        .hint("keep it, if it is yours: what was sealed to it can be opened with nothing else")
        .hint("`certctl keygen --show` prints its line for the roster")
        .hint("for a second identity, name another file: `certctl keygen -o FILE`")
}

fn ask() -> Result<Zeroizing<String>> {
    let refused = |why: &str| Error::new(format!("{why}; no identity was made"));
    let once = |question: &str| Tty.secret(question).map_err(|why| refused(&format!("--passphrase: {why}")));
    let passphrase = once("Passphrase of the new identity")?;
    if passphrase.is_empty() {
        return Err(refused("the passphrase is empty").hint("leave out --passphrase for an identity without"));
    }
    if once("The same again")? != passphrase {
        return Err(refused("the two passphrases differ"));
    }
    Ok(passphrase)
}
