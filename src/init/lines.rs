//! Files that others have written too: ours are whole lines, added where they are missing, and nothing
//! else is touched.

/// The text with these lines in it; `None` where it holds them all. New ones go to the end, under the
/// heading: in .gitattributes and in CODEOWNERS the last line that fits is the one that counts.
pub fn with_lines(old: &str, heading: &str, lines: &[String]) -> Option<String> {
    let missing: Vec<&String> =
        lines.iter().filter(|line| !old.lines().any(|there| there.trim_end() == line.as_str())).collect();
    if missing.is_empty() {
        return None;
    }
    // As the file has it.
    let end = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let mut text = old.to_owned();
    if !text.is_empty() {
        if !text.ends_with('\n') {
            text.push_str(end);
        }
        text.push_str(end);
    }
    text.push_str(heading);
    text.push_str(end);
    for line in missing {
        text.push_str(line);
        text.push_str(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_go_to_the_end_of_what_is_there_and_only_once() {
        let ours = lines(&["/a @x", "/b @x"]);
        let once = with_lines("* @all", "# certctl", &ours).expect("changed");
        assert_eq!(once, "* @all\n\n# certctl\n/a @x\n/b @x\n");
        assert_eq!(with_lines(&once, "# certctl", &ours), None);
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let text = with_lines("/a @x\n", "# certctl", &lines(&["/a @x", "/b @x"])).expect("changed");
        assert_eq!(text, "/a @x\n\n# certctl\n/b @x\n");
        // Part of a line is not the line.
        assert!(with_lines("/a @xy\n#/a @x\n", "# certctl", &lines(&["/a @x"])).is_some());
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        assert_eq!(with_lines("a\r\n", "# h", &lines(&["b"])).as_deref(), Some("a\r\n\r\n# h\r\nb\r\n"));
        assert_eq!(with_lines("b\r\n", "# h", &lines(&["b"])), None);
        assert_eq!(with_lines("", "# h", &lines(&["b"])).as_deref(), Some("# h\nb\n"));
    }
}
