//! `certctl rotate`: raises `generation` in the roster, so that apply reissues and cuts off.

use crate::cli::{Global, RotateArgs};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::UserName;
use crate::person::checkout_file;
use crate::planning::source;
use crate::render::count;
use crate::roster::{self, edit};
use crate::seal;

pub fn run(global: &Global, args: &RotateArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let file = &source.file;
    let mut users: Vec<UserName> = if args.all {
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
    users.sort();
    users.dedup();
    let missing: Vec<Error> = users
        .iter()
        .filter(|user| !source.roster.users.contains_key(*user))
        .map(|user| {
            Error::new(format!("{file}: there is no user `{user}`; nothing was changed")).hint(
                "someone who is off the roster has lost their access already, or does at the next apply",
            )
        })
        .collect();
    if let Some(error) = Error::all(missing) {
        return Err(error);
    }
    // Their credential group is made of their key: only a new key cuts the old one off.
    let own_keys: Vec<Error> = users
        .iter()
        .filter_map(|user| Some((user, source.roster.users.get(user)?)))
        .filter_map(|(name, user)| Some((name, user, user.csr.as_ref()?)))
        .map(|(name, user, csr)| {
            Error::new(format!(
                "{file}:{}: user `{name}` brings their own key, which only they can replace; nothing was changed",
                user.position
            ))
            .hint(format!("ask {name} for a new key and a new request in {csr}; the next apply cuts the old one off"))
        })
        .collect();
    if let Some(error) = Error::all(own_keys) {
        return Err(error);
    }
    let read = |text: &str| roster::parse(file, text, &seal::parse_recipient).ok();
    let text = edit::raise_generations(&source.text, &source.roster, &users, &read).map_err(|user| {
        let entry = &source.roster.users[&user];
        Error::new(format!(
            "{file}:{}: `generation` of user `{user}` could not be edited safely; nothing was changed",
            entry.position
        ))
        .hint(format!("write it by hand: `generation: {}`", entry.generation + 1))
    })?;
    checkout_file::replace(&global.roster, &global.roster, &text)?;
    terminal.say(&format!(
        "{file}: raised the generation of {}.",
        if users.len() == 1 { users[0].to_string() } else { count(users.len(), "user") }
    ));
    terminal.say(&format!("Review it with `git diff {file}`, commit it, and run `certctl apply`: it reissues, and cuts off what they had."));
    Ok(DONE)
}
