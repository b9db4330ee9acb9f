//! Text from outside as Markdown that says it and does nothing else.
//!
//! A value stands in a code span or a code block, where GitHub and GitLab read no markup, no HTML, no
//! link, no `@mention` and no `#reference`: entities and backslashes keep Markdown away, but hosts look
//! for mentions and references in what was rendered. So of a sentence only plain words stay outside.

use std::fmt::Write as _;

use crate::error::visible_line;
use crate::render::github_workflow_commands;

/// A value in a code span. What would end the span, or a table's cell, is shown as its code point.
pub fn code(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('`');
    for c in github_workflow_commands::without_old_commands(&visible_line(value)).chars() {
        match c {
            '`' | '|' => drop(write!(out, "{}", c.escape_unicode())),
            c => out.push(c),
        }
    }
    // A span of nothing, or of spaces alone, is none.
    if out.trim_end_matches(' ').len() == 1 {
        return "``\u{a0}``".to_owned();
    }
    out.push('`');
    out
}

/// A sentence that may hold values: plain words stay as they are, all else becomes code. What the
/// sentence itself has between backticks is code as a whole.
pub fn prose(sentence: &str) -> String {
    let sentence = visible_line(sentence);
    let mut out = Out::default();
    for (index, segment) in sentence.split('`').enumerate() {
        if index % 2 == 1 && !segment.trim().is_empty() {
            out.put(segment, true);
            continue;
        }
        let begins = segment.starts_with(|c: char| !c.is_whitespace());
        for (at, token) in segment.split_whitespace().enumerate() {
            if at > 0 || !begins {
                out.space();
            }
            out.token(token);
        }
        if segment.ends_with(char::is_whitespace) {
            out.space();
        }
    }
    out.finish()
}

/// Pieces of a line; neighbours that are code share a span.
#[derive(Default)]
struct Out {
    text: String,
    code: String,
    gap: bool,
}

impl Out {
    fn space(&mut self) {
        self.gap = true;
    }

    /// A token: a word between punctuation, or code between punctuation.
    fn token(&mut self, token: &str) {
        const CLOSING: [char; 7] = [',', ';', ':', '.', ')', '?', '!'];
        // What follows what the sentence itself put between backticks.
        if !self.gap && token.len() == 1 && token.starts_with(CLOSING) {
            return self.put(token, false);
        }
        let opened = token.trim_start_matches('(');
        let inner = opened.trim_end_matches(CLOSING);
        let (open, close) = (&token[..token.len() - opened.len()], &opened[inner.len()..]);
        // `1.` at the beginning would be a list, `:x:` anywhere a picture.
        if inner.is_empty()
            || close.len() > 2
            || close.contains("::")
            || (is_number(inner) && self.text.is_empty())
        {
            return self.put(token, true);
        }
        self.put(open, false);
        self.put(inner, !is_word(inner) && !is_number(inner));
        self.put(close, false);
    }

    fn put(&mut self, piece: &str, is_code: bool) {
        if piece.is_empty() {
            return;
        }
        if is_code {
            if self.code.is_empty() {
                self.gap();
            } else if std::mem::take(&mut self.gap) {
                self.code.push(' ');
            }
            self.code.push_str(piece);
        } else {
            self.close();
            self.gap();
            self.text.push_str(piece);
        }
    }

    fn gap(&mut self) {
        if std::mem::take(&mut self.gap) && !self.text.is_empty() {
            self.text.push(' ');
        }
    }

    fn close(&mut self) {
        if !self.code.is_empty() {
            self.text.push_str(&code(&std::mem::take(&mut self.code)));
        }
    }

    fn finish(mut self) -> String {
        self.close();
        self.text
    }
}

/// Letters, with hyphens and apostrophes between them. Hosts link words such as `GH-12`, and hex digits
/// that are a commit's.
fn is_word(text: &str) -> bool {
    let parts = text.split(['-', '\'']);
    let hex = |part: &str| part.len() >= 7 && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.clone().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphabetic()) && !hex(part))
}

fn is_number(text: &str) -> bool {
    (1..7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Lines in a block that no line can end; their signs colour them.
pub fn diff(lines: &[String]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| github_workflow_commands::without_old_commands(&visible_line(line)).into_owned())
        .collect();
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`').map(str::len)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}diff\n{}\n{fence}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_its_span_and_in_its_cell() {
        for (value, markdown) in [
            ("alice", "`alice`"),
            ("a`b``c", r"`a\u{60}b\u{60}\u{60}c`"),
            ("a|b\\", r"`a\u{7c}b\`"),
            ("a\nb\u{202e}", r"`a\u{a}b\u{202e}`"),
            ("##[add-mask]x", r"`#\u{23}[add-mask]x`"),
            ("", "``\u{a0}``"),
            ("  ", "``\u{a0}``"),
            ("<b>@all #1</b>", "`<b>@all #1</b>`"),
        ] {
            assert_eq!(code(value), markdown);
        }
    }

    #[test]
    fn a_sentence_keeps_its_words_and_nothing_else() {
        for (sentence, markdown) in [
            ("alice's access ends at 2026-12-24T00:00:00Z", "alice's access ends at `2026-12-24T00:00:00Z`"),
            ("user `dana` has no recipient, so", "user `dana` has no recipient, so"),
            (
                "binding certctl:x by @mallory is (not) ours: look",
                "binding `certctl:x` by `@mallory` is (not) ours: look",
            ),
            (
                "see GH-1 and deadbeef #7 :smile: 12 people.",
                "see `GH-1` and `deadbeef #7 :smile`: 12 people.",
            ),
            ("access to `prod`; is it `x`?", "access to `prod`; is it `x`?"),
            ("1. a list", "`1.` a list"),
            ("- a list", "`-` a list"),
            ("a `b c", "a `b c`"),
            ("see https://x.example, www.example.com", "see `https://x.example`, `www.example.com`"),
            ("line\n# heading", r"`line\u{a}#` heading"),
            ("", ""),
            ("``", ""),
        ] {
            assert_eq!(prose(sentence), markdown, "{sentence:?}");
        }
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(diff(&["+ a".into(), "  ````".into()]), "`````diff\n+ a\n  ````\n`````\n");
        assert_eq!(diff(&["+ a\n```".into()]), "````diff\n+ a\\u{a}```\n````\n");
    }
}
