//! `certctl decrypt`: one kubeconfig to standard output, after a look at what it holds.

use super::terminal::Terminal;
use super::{DONE, clock, load, own};
use crate::cli::{DecryptArgs, Global};
use crate::error::Result;
use crate::seal::Identities;

pub fn run(global: &Global, args: &DecryptArgs, terminal: &Terminal) -> Result<u8> {
    let source = load::roster(global)?;
    let identities = Identities::load(&own::identity_files(&args.identity)?)?;
    let own = own::open_one(&source, global, args.user.as_ref(), &identities)?;
    if own.credential.not_after <= clock::now() {
        terminal.say(&format!(
            "The certificate expired at {}; pull the latest one with `git pull`, or ask an admin to run `certctl apply`.",
            own.credential.not_after
        ));
    }
    if own.kubeconfig.private_key.is_none() {
        terminal.say(&format!(
            "It holds no private key, because you keep it: add it with `kubectl config set-credentials {} --client-key=FILE`.",
            own.kubeconfig.user
        ));
    }
    terminal.detail(&format!("{}'s kubeconfig for {}: it is the one on record", own.user, own.cluster));
    terminal.print(&own.plaintext)?;
    Ok(DONE)
}
