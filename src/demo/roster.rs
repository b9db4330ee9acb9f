//! The example's roster as text: what the story changes in it, and the way a person edits it.

use crate::error::Result;

/// The roster with one recipient for each of its users, created by `recipient`.
///
/// # Errors
/// The error of `recipient`.
pub fn with_recipients(text: &str, mut recipient: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut roster = String::new();
    let mut entries = RosterEntries::default();
    let mut mine = None;
    for line in text.lines() {
        if let Some(name) = entries.begins(line) {
            mine = Some(recipient(name)?);
        }
        match &mine {
            Some(recipient) if line.starts_with("  recipients:") => {
                roster += &format!("  recipients: [{recipient}]\n");
            }
            // The example's own keys, whose private halves nobody has.
            Some(_) if line.starts_with("  - age1") || line.starts_with("  - ssh-") => {}
            // Generating it takes seconds, and the story should not.
            Some(_) if line.starts_with("  key: rsa") => {}
            _ => {
                roster += line;
                roster.push('\n');
            }
        }
    }
    Ok(roster)
}

/// The roster with the address of its cluster: nobody gets one of the machine itself that it does not name.
pub fn leading_to(text: &str, server: &str) -> String {
    let named = |line: &str| match line.trim_start().strip_prefix("# server: ") {
        Some(_) => format!("  server: {server}\n"),
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(named).collect()
}

/// The roster without someone's entry.
pub fn without(text: &str, name: &str) -> String {
    let mut entries = RosterEntries::default();
    let mut theirs = false;
    let keep = |line: &&str| {
        if let Some(other) = entries.begins(line) {
            theirs = other == name;
        }
        !theirs
    };
    text.split_inclusive('\n').filter(keep).collect()
}

/// Finds where people begin: clusters and groups have names too.
#[derive(Default)]
struct RosterEntries {
    /// Whether `users:` has come.
    people: bool,
}

impl RosterEntries {
    /// Whose entry this line begins.
    fn begins<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        self.people |= line.starts_with("users:");
        line.strip_prefix("- name: ").filter(|_| self.people)?.split_whitespace().next()
    }
}
