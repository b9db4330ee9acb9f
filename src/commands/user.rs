//! `certctl add-user` and `certctl remove-user`: somebody comes onto the roster, or goes.

use super::grant::known_group;
use super::roster_edit::{self, EditDone};
use crate::cli::{AddUserArgs, Global, RemoveUserArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::{FileNumber, UserName};
use crate::roster;
use crate::roster::edit::{NewUser, RosterEdit};
use crate::seal;

pub fn add(global: &Global, args: &AddUserArgs, terminal: &Terminal) -> Result<u8> {
    let until = args.until.as_ref().map(|text| roster::end(text, clock::now())).transpose();
    let until = until.map_err(|why| Error::usage(format!("--until: {why}")))?;
    let recipients: Vec<_> = args.recipients.iter().map(|text| seal::parse_recipient(text)).collect();
    let wrong = recipients.iter().filter_map(|recipient| recipient.as_ref().err());
    if let Some(error) = Error::all(wrong.map(|why| Error::usage(format!("--recipient: it {why}")))) {
        return Err(error);
    }
    let source = roster_edit::open(global, &args.edit)?;
    let name = &args.user;
    if let Some(known) = source.roster.users.get(name) {
        let place = source.roster.files.place(known.position);
        return Err(Error::new(format!("{place}: there is a user `{name}` already; nothing was changed")));
    }
    let part = args.part.as_ref().map(|path| (path, source.roster.parts.get(path)));
    if let Some((path, None)) = part {
        return Err(Error::usage(format!("--part {path}: {} includes no such part", source.file)));
    }
    for group in &args.groups {
        known_group(&source, group)?;
    }
    let new = NewUser {
        file: part.and_then(|(_, part)| part).map_or(FileNumber::FIRST, |part| part.file),
        recipients: recipients.into_iter().flatten().collect(),
        groups: args.groups.iter().cloned().collect(),
        clusters: (!global.clusters.is_empty()).then(|| global.clusters.iter().cloned().collect()),
        until,
    };
    let done = format!("added {name}");
    let edit = EditDone { done: &done, applied: "issues their first credential" };
    let users = std::slice::from_ref(name);
    roster_edit::write(global, &args.edit, &source, (users, &RosterEdit::Add(new)), edit, terminal)?;
    if args.groups.is_empty() {
        terminal.say(&format!("Give them something to do: `certctl grant {name} --group GROUP`."));
    }
    Ok(DONE)
}

pub fn remove(global: &Global, args: &RemoveUserArgs, terminal: &Terminal) -> Result<u8> {
    let source = roster_edit::open(global, &args.edit)?;
    let users = roster_edit::on_the_roster(&source, &args.users)?;
    let done = format!("removed {}", roster_edit::named(&users));
    let edit = EditDone { done: &done, applied: "cuts off what they have" };
    roster_edit::write(global, &args.edit, &source, (&users, &RosterEdit::Remove), edit, terminal)?;
    let protected: Vec<UserName> = users
        .into_iter()
        .filter(|name| source.roster.users.get(name).is_some_and(|user| user.protected))
        .collect();
    if !protected.is_empty() {
        let names = roster_edit::named(&protected);
        terminal.say(&format!("Protected, so that apply needs `--acknowledge N`: {names}."));
    }
    Ok(DONE)
}
