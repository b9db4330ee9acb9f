//! Words for a POSIX shell, which takes them as they are.

/// A word, in quotes where the shell would read something else.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:%@,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A command line.
pub fn line<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A comment, which is harmless even to a shell that takes none when it is typed, as zsh does: what such a shell could
/// obey is shown, not left.
pub fn comment(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+ ".contains(c);
    let shown = |c: char| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() };
    format!("# {}", text.chars().map(shown).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_every_word_as_it_is() {
        let words = [
            "",
            "plain/word:1",
            "a b",
            "it's",
            "'",
            "''",
            "$(touch x)",
            "`id`",
            "$HOME",
            "\\",
            "a\\'b",
            "\"",
            "*",
            "~",
            "-x",
            "#",
            ";",
            "a;b",
            "&",
            "|",
            "<",
            "!",
            "{a,b}",
            "a\nb",
            "\t",
            "ü",
            "\u{1b}[2J",
        ];
        let script = format!("for word in {}; do printf '%s\\0' \"$word\"; done", line(words));
        let ran = std::process::Command::new("sh").args(["-c", &script]).output().expect("sh");
        let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
        assert_eq!(String::from_utf8_lossy(&ran.stdout), expected);
    }

    #[test]
    fn a_comment_runs_nothing_where_it_is_no_comment() {
        assert_eq!(comment("RoleBinding shop/a: User a@b"), "# RoleBinding shop/a: User a@b");
        assert_eq!(comment("$(id)\n!1"), r"# \u{24}\u{28}id\u{29}\u{a}\u{21}1");
    }
}
