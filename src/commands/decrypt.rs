//! `certctl decrypt`: one kubeconfig to standard output or a file, after a look at what it holds.

use crate::cli::{DecryptArgs, Global};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::exit_code::DONE;
use crate::person::checkout_file;
use crate::person::identities;
use crate::person::own_kubeconfigs;
use crate::person::private_file;
use crate::planning::source;

pub fn run(global: &Global, args: &DecryptArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let identities = identities::load(&args.identity, terminal)?;
    let own = own_kubeconfigs::open_one(&source, global, args.user.as_ref(), &identities)?;
    if own.credential.not_after <= clock::now() {
        terminal.say(&format!(
            "The certificate expired at {}; pull the latest one with `git pull`, or ask an admin to run `certctl apply`.",
            own.credential.not_after
        ));
    }
    if own.kubeconfig.private_key.is_none() {
        let place = identities::key_file(&own.credential.id)
            .map_or_else(|| "certctl's folder".to_owned(), |file| file.display().to_string());
        terminal.say(&format!(
            "It holds no private key, because you keep it: put that at {place}, or add it with `kubectl config set-credentials {} --client-key=FILE`.",
            own.kubeconfig.user
        ));
    }
    terminal.detail(&format!("{}'s kubeconfig for {}: it is the one on record", own.user, own.cluster));
    match &args.output {
        None => terminal.print(&own.plaintext)?,
        Some(path) => {
            checkout_file::refuse_planted(&global.roster, path)?;
            private_file::write(path, &own.plaintext, args.force).map_err(|error| {
                if args.force { error } else { error.hint("`--force` replaces a file that is there") }
            })?;
            terminal.say(&format!("{}: {} on {}.", path.display(), own.user, own.cluster));
        }
    }
    Ok(DONE)
}
