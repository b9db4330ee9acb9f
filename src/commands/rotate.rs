//! `certctl rotate`: raises `generation` in the roster, so that apply reissues and cuts off.

use super::roster_edit::{self, EditDone};
use crate::cli::{Global, RotateArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::UserName;
use crate::roster::edit::RosterEdit;

pub fn run(global: &Global, args: &RotateArgs, terminal: &Terminal) -> Result<u8> {
    let source = roster_edit::open(global, &args.edit)?;
    let users: Vec<UserName> = if args.all {
        let own_keys =
            source.roster.users.iter().filter(|(_, user)| user.csr.is_some()).map(|(name, _)| name.as_str());
        let own_keys: Vec<&str> = own_keys.collect();
        if !own_keys.is_empty() {
            terminal.say(&format!(
                "Left out, because only they can replace their own keys: {}.",
                own_keys.join(", ")
            ));
        }
        source
            .roster
            .users
            .iter()
            .filter(|(_, user)| user.csr.is_none())
            .map(|(name, _)| name.clone())
            .collect()
    } else {
        args.users.clone()
    };
    let users = roster_edit::on_the_roster(&source, &users)?;
    // Their credential group is made of their key: only a new key cuts the old one off.
    let own_keys: Vec<Error> = users
        .iter()
        .filter_map(|user| Some((user, source.roster.users.get(user)?)))
        .filter_map(|(name, user)| Some((name, user, user.csr.as_ref()?)))
        .map(|(name, user, csr)| {
            Error::new(format!(
                "{}: user `{name}` brings their own key, which only they can replace; nothing was changed",
                source.roster.files.place(user.position)
            ))
            .hint(format!(
                "ask {name} for a new key and a new request in {csr}; the next apply cuts the old one off"
            ))
        })
        .collect();
    if let Some(error) = Error::all(own_keys) {
        return Err(error);
    }
    let done = format!("raised the generation of {}", roster_edit::named(&users));
    let edit = EditDone { done: &done, applied: "reissues, and cuts off what they had" };
    roster_edit::write(global, &args.edit, &source, (&users, &RosterEdit::RaiseGeneration), edit, terminal)?;
    Ok(DONE)
}
