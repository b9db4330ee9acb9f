//! Changing one value of the roster's text, and nothing else: comments, order and formatting stay,
//! byte for byte.
//!
//! The text is edited as a person would, and then the result is read again: it is accepted only
//! if the roster says exactly what it should now.

use super::{Roster, User};
use crate::model::{Position, UserName};

/// What is changed about a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterEdit {
    /// `generation` rises by one.
    RaiseGeneration,
    /// `suspended: true`.
    Suspend,
    /// `suspended: false`.
    Resume,
}

/// One field of a user: its name, and from what to what it changes.
struct Field {
    name: &'static str,
    /// Where its value stands, if it is written.
    at: Option<Position>,
    old: String,
    new: String,
}

impl RosterEdit {
    /// What the roster says of the user then.
    fn make(self, user: &mut User) {
        match self {
            Self::RaiseGeneration => user.generation = user.generation.saturating_add(1),
            Self::Suspend => user.suspended = true,
            Self::Resume => user.suspended = false,
        }
    }

    fn field(self, user: &User) -> Field {
        let mut changed = user.clone();
        self.make(&mut changed);
        match self {
            Self::RaiseGeneration => Field {
                name: "generation",
                at: user.generation_position,
                old: user.generation.to_string(),
                new: changed.generation.to_string(),
            },
            Self::Suspend | Self::Resume => Field {
                name: "suspended",
                at: user.suspended_position,
                old: user.suspended.to_string(),
                new: changed.suspended.to_string(),
            },
        }
    }

    /// The line that a person would write by hand.
    pub fn line(self, user: &User) -> String {
        let Field { name, new, .. } = self.field(user);
        format!("{name}: {new}")
    }
}

/// Changes each of these users. `read` parses a roster's text.
///
/// # Errors
/// A user whose entry is laid out in a way that cannot be edited safely.
pub fn change(
    text: &str,
    roster: &Roster,
    names: &[UserName],
    change: RosterEdit,
    read: &dyn Fn(&str) -> Option<Roster>,
) -> Result<String, UserName> {
    // Last one first, so that an edit moves no place that is still needed.
    let mut names: Vec<&UserName> = names.iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(roster.users.get(*name).map(|user| user.position)));
    let mut wanted = roster.clone().without_positions();
    let mut edited = text.to_owned();
    for name in &names {
        change.make(wanted.users.get_mut(*name).ok_or_else(|| (*name).clone())?);
        let user = &roster.users[*name];
        let field = change.field(user);
        edited = edits(&edited, user, name, &field).into_iter().next().ok_or_else(|| (*name).clone())?;
    }
    let fits =
        |text: &str, wanted: &Roster| read(text).is_some_and(|read| read.without_positions() == *wanted);
    if fits(&edited, &wanted) {
        return Ok(edited);
    }
    // Someone's entry is laid out in an unusual way: one by one, every way there is.
    let mut edited = text.to_owned();
    let mut wanted = roster.clone().without_positions();
    for name in names {
        if let Some(user) = wanted.users.get_mut(name) {
            change.make(user);
        }
        let user = &roster.users[name];
        let tried = edits(&edited, user, name, &change.field(user));
        edited = tried.into_iter().find(|tried| fits(tried, &wanted)).ok_or_else(|| name.clone())?;
    }
    Ok(edited)
}

/// The ways in which a person would do it, the likeliest first.
fn edits(text: &str, user: &User, name: &UserName, field: &Field) -> Vec<String> {
    let Field { name: field, at, old, new } = field;
    if let Some(position) = *at {
        return replaced(text, position, old, new).into_iter().collect();
    }
    let Some((start, end)) = name_at(text, user, name) else { return Vec::new() };
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[end..].find(['\n', '\r']).map_or(text.len(), |at| end + at);
    // In a block, a new line goes behind the name and its comment, under the other fields.
    let newline = if text[line_end..].starts_with("\r\n") { "\r\n" } else { "\n" };
    let indent = text[line_start..].chars().take_while(|c| matches!(c, ' ' | '-')).count();
    let block = inserted(text, line_end, &format!("{newline}{}{field}: {new}", " ".repeat(indent)));
    let flow = inserted(text, end, &format!(", {field}: {new}"));
    if text[line_start..start].contains('{') { vec![flow, block] } else { vec![block, flow] }
}

/// Where a position is in the text; columns count characters.
fn offset(text: &str, position: Position) -> Option<usize> {
    let line = usize::try_from(position.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(position.column).ok()?.checked_sub(1)?;
    let start = match line {
        0 => 0,
        _ => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let (within, _) = text[start..].char_indices().nth(column)?;
    Some(start + within)
}

fn replaced(text: &str, position: Position, old: &str, new: &str) -> Option<String> {
    let at = offset(text, position)?;
    let rest = text[at..].strip_prefix(old)?;
    Some(format!("{}{new}{rest}", &text[..at]))
}

fn inserted(text: &str, at: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..at], &text[at..])
}

/// From where to where the name stands, with its quotes.
fn name_at(text: &str, user: &User, name: &UserName) -> Option<(usize, usize)> {
    let at = offset(text, user.position)?;
    let quotes = if text[at..].starts_with(['"', '\'']) { 2 } else { 0 };
    Some((at, at + name.as_str().len() + quotes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Recipient;

    fn read(text: &str) -> Option<Roster> {
        let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
        crate::roster::parse("users.yaml", text, &recipient).ok()
    }

    fn edited(users: &str, change: RosterEdit) -> Option<String> {
        let head = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme} # \u{e9}\nclusters: [{name: prod}]\nusers:\n";
        let text = format!("{head}{users}");
        let roster = read(&text).expect("a valid roster");
        let names: Vec<UserName> = roster.users.keys().cloned().collect();
        let edited = super::change(&text, &roster, &names, change, &read).ok()?;
        Some(edited.strip_prefix(head).expect("the head is untouched").to_owned())
    }

    #[test]
    fn only_the_generation_changes() {
        for (before, after) in [
            ("- name: alice\n  recipients: [a]\n", "- name: alice\n  generation: 2\n  recipients: [a]\n"),
            (
                "  - name: \"alice\"  # boss\n    recipients: [a]\n",
                "  - name: \"alice\"  # boss\n    generation: 2\n    recipients: [a]\n",
            ),
            ("- {name: alice, recipients: [a]}\n", "- {name: alice, generation: 2, recipients: [a]}\n"),
            ("- {recipients: [a], name: 'alice'}", "- {recipients: [a], name: 'alice', generation: 2}"),
            ("- recipients: [a]\n  name: alice", "- recipients: [a]\n  name: alice\n  generation: 2"),
            (
                "- name: alice\r\n  recipients: [a]\r\n",
                "- name: alice\r\n  generation: 2\r\n  recipients: [a]\r\n",
            ),
            (
                "- name: alice\n  recipients: [a]\n  generation: 9 # leaked\n",
                "- name: alice\n  recipients: [a]\n  generation: 10 # leaked\n",
            ),
        ] {
            assert_eq!(edited(before, RosterEdit::RaiseGeneration).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn suspending_writes_one_word_and_resuming_another() {
        for (before, suspended, resumed) in [
            (
                "- name: alice # on leave\n  recipients: [a]\n- {name: bob, recipients: [b]} # too\n",
                "- name: alice # on leave\n  suspended: true\n  recipients: [a]\n- {name: bob, suspended: true, recipients: [b]} # too\n",
                "- name: alice # on leave\n  suspended: false\n  recipients: [a]\n- {name: bob, suspended: false, recipients: [b]} # too\n",
            ),
            (
                "- recipients: [a]\n  suspended: false # since May\n  name: alice",
                "- recipients: [a]\n  suspended: true # since May\n  name: alice",
                "- recipients: [a]\n  suspended: false # since May\n  name: alice",
            ),
        ] {
            assert_eq!(edited(before, RosterEdit::Suspend).as_deref(), Some(suspended), "{before}");
            assert_eq!(edited(suspended, RosterEdit::Resume).as_deref(), Some(resumed), "{suspended}");
            let plain = |text: &str| {
                read(&format!("apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters: [{{name: prod}}]\nusers:\n{text}")).map(Roster::without_positions)
            };
            assert_eq!(plain(resumed), plain(before));
        }
    }
}
