//! What `rotate`, `suspend` and `resume` share: one value of some users changes in the text of the roster,
//! and nothing else in it.

use crate::cli::Global;
use crate::error::{Error, Result};
use crate::model::UserName;
use crate::person::checkout_file;
use crate::planning::source::Source;
use crate::render::count;
use crate::roster;
use crate::roster::edit::{self, RosterEdit};
use crate::seal;

/// Each of them once, in order.
///
/// # Errors
/// One is not on the roster.
pub fn on_the_roster(source: &Source, users: &[UserName]) -> Result<Vec<UserName>> {
    let mut users = users.to_vec();
    users.sort();
    users.dedup();
    let missing = users.iter().filter(|user| !source.roster.users.contains_key(*user)).map(|user| {
        Error::new(format!("{}: there is no user `{user}`; nothing was changed", source.file))
            .hint("someone who is off the roster has lost their access already, or does at the next apply")
    });
    match Error::all(missing) {
        Some(error) => Err(error),
        None => Ok(users),
    }
}

/// Writes the roster with this change of each of these users.
///
/// # Errors
/// Somebody's entry cannot be edited safely, or the file cannot be written: it is as it was.
pub fn write(global: &Global, source: &Source, users: &[UserName], change: RosterEdit) -> Result<()> {
    let file = &source.file;
    let read = |text: &str| roster::parse(file, text, &seal::parse_recipient).ok();
    let text = edit::change(&source.text, &source.roster, users, change, &read).map_err(|user| {
        let line = change.line(&source.roster.users[&user]);
        let (field, _) = line.split_once(':').unwrap_or((&line, ""));
        Error::new(format!(
            "{file}:{}: `{field}` of user `{user}` could not be edited safely; nothing was changed",
            source.roster.users[&user].position
        ))
        .hint(format!("write it by hand: `{line}`"))
    })?;
    checkout_file::replace(&global.roster, &global.roster, &text)
}

/// `alice`, or `3 users`.
pub fn named(users: &[UserName]) -> String {
    match users {
        [user] => user.to_string(),
        users => count(users.len(), "user"),
    }
}

/// What to do with an edited roster.
pub fn next(file: &str, applied: &str) -> String {
    format!("Review it with `git diff {file}`, commit it, and run `certctl apply`: it {applied}.")
}
