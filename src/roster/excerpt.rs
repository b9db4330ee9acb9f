//! The part of a roster's text that is about one person, for callers that cannot wait for all of it.
//!
//! A credential plugin runs at each call of kubectl, and reading 10,000 people takes longer than
//! kubectl itself. The lines of other people are left out of a list that is laid out as most are;
//! the rest is read as usual, and each line keeps its number.

/// The text without the other entries of `users:`; `None` where they are not a plain block list.
pub fn about(text: &str, user: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() / 8);
    let mut lines = text.split_inclusive('\n');
    loop {
        let line = lines.next()?;
        out.push_str(line);
        if key(line) == Some("users") {
            break;
        }
    }
    let mut indent = None;
    // An entry, until it is known to be about someone else.
    let mut entry: Vec<&str> = Vec::new();
    let close = |entry: &mut Vec<&str>, out: &mut String| {
        let about = entry.iter().any(|line| line.contains(user));
        for line in entry.drain(..) {
            out.push_str(if about { line } else { "\n" });
        }
    };
    let mut inside = true;
    for line in lines {
        let rest = line.trim_start_matches(' ');
        let spaces = line.len() - rest.len();
        if !inside || rest.trim().is_empty() || rest.starts_with('#') {
            if inside {
                entry.push(line)
            } else {
                out.push_str(line)
            }
            continue;
        }
        let dash = rest.starts_with("- ");
        if dash && spaces == *indent.get_or_insert(spaces) {
            close(&mut entry, &mut out);
            entry.push(line);
        } else if indent.is_some_and(|indent| spaces > indent) {
            entry.push(line);
        } else if spaces == 0 && key(line).is_some() && indent.is_some() {
            close(&mut entry, &mut out);
            inside = false;
            out.push_str(line);
        } else {
            return None;
        }
    }
    close(&mut entry, &mut out);
    Some(out)
}

/// The key of a line that begins a field of the roster itself.
fn key(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(':')?;
    let plain = !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphabetic());
    let value = value.trim();
    // Of `users`, nothing but a comment may stand on this line.
    (plain && (key != "users" || value.is_empty() || value.starts_with('#'))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_people_are_left_out_and_lines_keep_their_numbers() {
        for (text, about_bob) in [
            (
                "kind: Roster\nusers: # all\n- name: amy\n  groups: [x]\n# next\n- {name: bob}\n\n- name: cid\nsafety: {a: 1}\n",
                Some("kind: Roster\nusers: # all\n\n\n\n- {name: bob}\n\n\nsafety: {a: 1}\n"),
            ),
            (
                "users:\n  - name: amy\n  - recipients:\n    - a\n    name: bob",
                Some("users:\n\n  - recipients:\n    - a\n    name: bob"),
            ),
            ("users: [{name: amy}]\n", None),
            ("users:\n- name: amy\n x: 1\n  ? y\n", Some("users:\n\n\n\n")),
            ("users:\n\"- name\": bob\n", None),
            ("kind: Roster\n", None),
        ] {
            assert_eq!(about(text, "bob").as_deref(), about_bob, "{text}");
        }
    }
}
