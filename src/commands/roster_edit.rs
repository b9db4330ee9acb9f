//! What the commands share that edit the roster (`grant`, `add-user`, `rotate`, `suspend` ...): what it says of
//! some users changes in its text, and nothing else in it. The text is that of the working tree, or, for a
//! branch of its own, that of the last commit.

use std::rc::Rc;

use crate::cli::{EditArgs, Global};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::model::UserName;
use crate::person::checkout_file;
use crate::planning::source::{self, Source};
use crate::render::count;
use crate::repo::Repo;
use crate::roster::edit::{self, RosterEdit};
use crate::roster::nearest;

/// The roster as it is to be edited.
///
/// # Errors
/// It cannot be read, or is not valid.
pub fn open(global: &Global, args: &EditArgs) -> Result<Source> {
    if args.branch.is_none() {
        return source::roster(global);
    }
    let repo = Rc::new(Repo::discover(&global.roster)?);
    let head = repo.head()?;
    source::committed_roster(global, repo, head)
}

/// Each of them once, in order.
///
/// # Errors
/// One is not on the roster.
pub fn on_the_roster(source: &Source, users: &[UserName]) -> Result<Vec<UserName>> {
    let mut users = users.to_vec();
    users.sort();
    users.dedup();
    let missing = users.iter().filter(|user| !source.roster.users.contains_key(*user)).map(|user| {
        Error::new(format!("{}: there is no user `{user}`; nothing was changed", source.file)).hint(
            match nearest(user.as_str(), source.roster.users.keys().map(UserName::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "someone who is off the roster has lost their access already, or does at the next apply"
                        .into()
                }
            },
        )
    });
    match Error::all(missing) {
        Some(error) => Err(error),
        None => Ok(users),
    }
}

/// An edit that was made.
pub struct EditDone<'a> {
    /// What has changed: `granted on-call to alice`.
    pub done: &'a str,
    /// What the next apply makes of it.
    pub applied: &'a str,
}

/// Changes each of these users in the roster, and says so.
///
/// # Errors
/// Somebody's entry cannot be edited safely, or it cannot be written or pushed: nothing is changed.
pub fn write(
    global: &Global,
    args: &EditArgs,
    source: &Source,
    (users, change): (&[UserName], &RosterEdit),
    edit: EditDone<'_>,
    terminal: &Terminal,
) -> Result<()> {
    let file = &source.file;
    let read = |text: &str| source.with_text(text).ok();
    let text = edit::change(&source.text, &source.roster, users, change, &read).map_err(|user| {
        let known = source.roster.users.get(&user);
        let place = known.map_or_else(|| " ".to_owned(), |user| format!("{}: ", user.position));
        Error::new(format!(
            "{file}:{place}the entry of user `{user}` could not be edited safely; nothing was changed"
        ))
        .hint(format!("by hand: {}", change.by_hand(&user, known)))
    })?;
    let EditDone { done, applied } = edit;
    let Some(branch) = &args.branch else {
        checkout_file::replace(&global.roster, &global.roster, &text)?;
        terminal.say(&format!("{file}: {done}."));
        terminal.say(&format!(
            "Review it with `git diff {file}`, commit it, and run `certctl apply`: it {applied}."
        ));
        return Ok(());
    };
    let repo = Repo::discover(&global.roster)?;
    let files = [(repo.roster().to_owned(), text)];
    let pushed = repo.propose_edit(branch, &files, &format!("roster: {done}\n"))?;
    terminal.say(&format!("{file}: {done}, in commit {} on branch {branch}.", pushed.commit.short()));
    match pushed.page {
        Some(page) => terminal.say(&format!("Open the pull request: {page}")),
        None => terminal.say(&format!("Open a pull request for branch {branch}.")),
    }
    terminal.say(&format!("Once it is merged, `certctl apply` {applied}."));
    Ok(())
}

/// `alice`, or `3 users`.
pub fn named(users: &[UserName]) -> String {
    match users {
        [user] => user.to_string(),
        users => count(users.len(), "user"),
    }
}
