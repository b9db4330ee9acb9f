//! Strings as Go's formatting verbs print them, for messages that match the real server's.

use std::fmt::Write as _;

/// A string as `%q` writes it (Go, strconv.Quote).
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            ' '..='~' => quoted.push(character),
            '\0'..='\x7f' => escape(&mut quoted, 'x', 2, character),
            // Like Go, Rust escapes what is not printable.
            _ if character.escape_debug().len() == 1 => quoted.push(character),
            '\u{80}'..='\u{ffff}' => escape(&mut quoted, 'u', 4, character),
            _ => escape(&mut quoted, 'U', 8, character),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(quoted: &mut String, letter: char, width: usize, character: char) {
    // Writing to a String cannot fail.
    let _ = write!(quoted, "\\{letter}{:0width$x}", u32::from(character));
}

/// A list of strings as `%q` writes it: `["a" "b"]`.
pub(crate) fn quote_list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        for (text, quoted) in [
            ("system:masters", r#""system:masters""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\tc\u{7}", r#""a\nb\tc\a""#),
            ("nul\0del\u{7f}", r#""nul\x00del\x7f""#),
            ("é 世 it's", "\"é 世 it's\""),
            ("soft\u{ad}hyphen\u{e0001}", r#""soft\u00adhyphen\U000e0001""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
        assert_eq!(quote_list(&["a b".into(), "c".into()]), r#"["a b" "c"]"#);
        assert_eq!(quote_list(&[]), "[]");
    }
}
