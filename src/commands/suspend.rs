//! `certctl suspend` and `certctl resume`: in the roster, all access of some users is taken away for now,
//! or given back.

use super::roster_edit::{self, EditDone};
use crate::cli::{Global, SuspendArgs};
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::exit_code::DONE;
use crate::model::UserName;
use crate::planning::source::Source;
use crate::roster::User;
use crate::roster::edit::RosterEdit;

pub fn suspend(global: &Global, args: &SuspendArgs, terminal: &Terminal) -> Result<u8> {
    let source = roster_edit::open(global, &args.edit)?;
    let users = edit(global, &source, args, true, terminal)?;
    let protected = having(&source, &users, |user| user.protected);
    if !protected.is_empty() {
        let names = roster_edit::named(&protected);
        terminal.say(&format!("Protected, so that apply needs `--acknowledge N`: {names}."));
    }
    Ok(DONE)
}

pub fn resume(global: &Global, args: &SuspendArgs, terminal: &Terminal) -> Result<u8> {
    let source = roster_edit::open(global, &args.edit)?;
    let users = edit(global, &source, args, false, terminal)?;
    let own_keys = having(&source, &users, |user| user.csr.is_some());
    if !own_keys.is_empty() {
        let names = roster_edit::named(&own_keys);
        terminal.say(&format!(
            "A key that was cut off is not certified again, so this needs a new key and `csr:`: {names}."
        ));
    }
    Ok(DONE)
}

/// Changes whoever is not so yet, and says who is; returns whom it changed.
fn edit(
    global: &Global,
    source: &Source,
    args: &SuspendArgs,
    to_be_suspended: bool,
    terminal: &Terminal,
) -> Result<Vec<UserName>> {
    let named = roster_edit::on_the_roster(source, &args.users)?;
    let (suspended, others) =
        (having(source, &named, |user| user.suspended), having(source, &named, |user| !user.suspended));
    let (users, change, so_already, said) = match to_be_suspended {
        true => (others, RosterEdit::Suspend, suspended, "suspended already"),
        false => (suspended, RosterEdit::Resume, others, "not suspended"),
    };
    if !so_already.is_empty() {
        terminal.say(&format!("{}: {said}: {}.", source.file, roster_edit::named(&so_already)));
    }
    let (verb, applied) = match to_be_suspended {
        true => ("suspended", "cuts off what they have, and issues nothing"),
        false => ("resumed", "issues new credentials; the old ones stay revoked"),
    };
    if !users.is_empty() {
        let done = format!("{verb} {}", roster_edit::named(&users));
        let edit = EditDone { done: &done, applied };
        roster_edit::write(global, &args.edit, source, (&users, &change), edit, terminal)?;
    }
    Ok(users)
}

fn having(source: &Source, users: &[UserName], is: fn(&User) -> bool) -> Vec<UserName> {
    users.iter().filter(|user| source.roster.users.get(*user).is_some_and(is)).cloned().collect()
}
