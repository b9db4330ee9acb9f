//! The part of a roster's text that is about one person, for callers that cannot wait for all of it.
//!
//! A credential plugin runs at each call of kubectl, and reading 10,000 people takes longer than
//! kubectl itself. The lines of other people are left out of a list that is laid out as most are;
//! the rest is read as usual, and each line keeps its number.

use super::layout::{self, LongList, PieceKind};

/// The text of one of a roster's files without the entries of `users:` and `memberships:` that are about others;
/// `None` where those are no plain block lists.
pub fn about(text: &str, user: &str) -> Option<String> {
    let pieces = layout::cut(text)?;
    let content = |kind: PieceKind| {
        let of_kind = pieces.iter().filter(move |piece| piece.kind == kind);
        of_kind.map(|piece| &text[piece.range.clone()])
    };
    let mut out = String::with_capacity(text.len() / 8);
    for piece in &pieces {
        let lines = &text[piece.range.clone()];
        let is_about = match piece.kind {
            PieceKind::Rest | PieceKind::Name(LongList::Groups) | PieceKind::Entry(LongList::Groups) => true,
            PieceKind::Entry(_) => lines.contains(user),
            // A list without entries has no value.
            PieceKind::Name(list) => content(PieceKind::Entry(list)).any(|entry| entry.contains(user)),
        };
        if is_about {
            out.push_str(lines);
        } else {
            lines.split_inclusive('\n').for_each(|_| out.push('\n'));
        }
    }
    Some(out)
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
            (
                "groups:\n- {name: x}\nmemberships:\n- {user: amy, group: x}\n- {user: bob, group: x}\n",
                Some("groups:\n- {name: x}\nmemberships:\n\n- {user: bob, group: x}\n"),
            ),
            ("users: [{name: amy}]\n", Some("users: [{name: amy}]\n")),
            ("users:\n- name: amy\n x: 1\n  ? y\n", Some("\n\n\n\n")),
            ("users:\n\"- name\": bob\n", None),
            ("users:\n", None),
            ("kind: Roster\n", Some("kind: Roster\n")),
        ] {
            assert_eq!(about(text, "bob").as_deref(), about_bob, "{text}");
        }
    }
}
