//! What the commands share that edit the roster (`grant`, `add-user`, `rotate`, `suspend` ...): what it says of
//! some users changes in its text, and nothing else in it. The text is that of the working tree, or, for a
//! branch of its own, that of the last commit.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::cli::{EditArgs, Global};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::model::{FileNumber, UserName};
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

/// Changes each of these users in the file of the roster that they are in, and says so.
///
/// # Errors
/// Somebody's entry cannot be edited safely, or it cannot be written or pushed: nothing is changed.
pub fn write(
    global: &Global,
    args: &EditArgs,
    source: &Source,
    (users, change): (&[UserName], &RosterEdit),
    done: EditDone<'_>,
    terminal: &Terminal,
) -> Result<()> {
    let mut by_file: BTreeMap<FileNumber, Vec<UserName>> = BTreeMap::new();
    for user in users {
        let file = match change {
            RosterEdit::Add(new) => new.file,
            _ => source.roster.users.get(user).map_or(FileNumber::FIRST, |user| user.position.file),
        };
        by_file.entry(file).or_default().push(user.clone());
    }
    let mut texts: BTreeMap<FileNumber, String> = BTreeMap::new();
    let mut roster = source.roster.clone();
    for (file, users) in &by_file {
        let text = source.part(*file)?.map_or_else(|| source.text.clone(), |(_, text)| text);
        let read = |text: &str| {
            let mut texts = texts.clone();
            texts.insert(*file, text.to_owned());
            source.with_texts(&texts).ok()
        };
        let text = edit::change(&text, &roster, users, change, &read)
            .map_err(|user| by_hand(source, change, &user))?;
        texts.insert(*file, text);
        roster = source.with_texts(&texts)?;
    }
    say(global, args, source, &texts, done, terminal)
}

fn by_hand(source: &Source, change: &RosterEdit, user: &UserName) -> Error {
    let known = source.roster.users.get(user);
    let place = known.map_or(source.file.clone(), |user| source.roster.files.place(user.position));
    let error =
        format!("{place}: the entry of user `{user}` could not be edited safely; nothing was changed");
    Error::new(error).hint(format!("by hand: {}", change.by_hand(user, known)))
}

/// Puts the files where they are wanted, and says what comes next.
fn say(
    global: &Global,
    args: &EditArgs,
    source: &Source,
    texts: &BTreeMap<FileNumber, String>,
    EditDone { done, applied }: EditDone<'_>,
    terminal: &Terminal,
) -> Result<()> {
    let mut files = Vec::new();
    for (file, text) in texts {
        let shown = source.roster.files.name(*file);
        let path = match source.part(*file)? {
            Some((path, _)) => path.to_string(),
            None => global.roster.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        files.push((shown, path, text));
    }
    let shown: Vec<&str> = files.iter().map(|(shown, ..)| *shown).collect();
    let shown = shown.join(" ");
    // For a branch of its own, the roster was read from a commit.
    let (Some(branch), Some(base)) = (&args.branch, source.files.commit()) else {
        for (_, path, text) in &files {
            checkout_file::replace(&global.roster, &source.folder.join(path), text)?;
        }
        terminal.say(&format!("{shown}: {done}."));
        terminal.say(&format!(
            "Review it with `git diff {shown}`, commit it, and run `certctl apply`: it {applied}."
        ));
        return Ok(());
    };
    let repo = Repo::discover(&global.roster)?;
    let files: Vec<(String, String)> =
        files.into_iter().map(|(_, path, text)| (path, text.clone())).collect();
    let pushed = repo.propose_edit(branch, base, &files, &format!("roster: {done}\n"))?;
    terminal.say(&format!("{shown}: {done}, in commit {} on branch {branch}.", pushed.commit.short()));
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
