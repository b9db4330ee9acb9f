//! Reads fields out of the YAML tree by what they must be: mapping, list, text, number, boolean.
//!
//! It reports everything that has the wrong shape, each with its place and the name of the thing
//! it belongs to, and continues with the rest.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::errors::{Errors, quoted};
use super::yaml::{MappingEntry, Node, Value};
use crate::model::{Invalid, Position};

/// The fields that a mapping of one kind may have. A test compares them with the JSON Schema.
#[derive(Debug)]
pub(super) struct Shape {
    /// Fields that it must have.
    pub(super) required: &'static [&'static str],
    /// Fields that it may have.
    pub(super) optional: &'static [&'static str],
}

/// A mapping whose field names were checked.
#[derive(Debug)]
pub(super) struct Fields<'n, 't> {
    /// What it is about, for messages: `user `dana``.
    pub(super) what: String,
    /// Where it begins.
    pub(super) position: Position,
    /// The mapping itself.
    pub(super) node: &'n Node<'t>,
    entries: &'n [MappingEntry<'t>],
}

impl<'n, 't> Fields<'n, 't> {
    /// The value of a field, if present.
    pub(super) fn get(&self, field: &str) -> Option<&'n Node<'t>> {
        let entry = self.entries.iter().find(|entry| entry.key == field)?;
        Some(&entry.value)
    }

    /// The value of a field that must be there.
    pub(super) fn need(&self, field: &str, errors: &mut Errors) -> Option<&'n Node<'t>> {
        let value = self.get(field);
        if value.is_none() {
            errors.add(self.position, format!("{} has no `{field}`", self.what));
        }
        value
    }

    /// Where a field's name stands, or else the mapping.
    pub(super) fn position_of(&self, field: &str) -> Position {
        let entry = self.entries.iter().find(|entry| entry.key == field);
        entry.map_or(self.position, |entry| entry.position)
    }

    /// What a field is, for messages: `` `until` of user `dana` ``.
    pub(super) fn label(&self, field: &str) -> String {
        format!("`{field}` of {}", self.what)
    }
}

/// The `name` of a mapping, valid or not.
pub(super) fn name<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    let Value::Mapping(entries) = &node.value else {
        return None;
    };
    match &entries.iter().find(|entry| entry.key == "name")?.value.value {
        Value::Plain(name) | Value::Quoted(name) => Some(name),
        _ => None,
    }
}

/// What to call a thing in messages: its name, or else its place in the list (`index` from 0).
pub(super) fn title(kind: &str, node: &Node<'_>, index: usize) -> String {
    match name(node) {
        Some(name) if !name.is_empty() => format!("{kind} {}", quoted(name)),
        _ => format!("{kind} {}", index + 1),
    }
}

/// The fields of a mapping; unknown ones are reported.
pub(super) fn fields<'n, 't>(
    node: &'n Node<'t>,
    what: String,
    shape: &Shape,
    errors: &mut Errors,
) -> Option<Fields<'n, 't>> {
    let Value::Mapping(entries) = &node.value else {
        wrong_type(node, &what, "a mapping of fields", errors);
        return None;
    };
    let known = || shape.required.iter().chain(shape.optional).copied();
    for entry in entries {
        if !known().any(|field| field == entry.key) {
            errors.add_unknown(
                entry.position,
                format!("{what} has the unknown field {}", quoted(&entry.key)),
                &entry.key,
                known(),
            );
        }
    }
    Some(Fields { what, position: node.position, node, entries })
}

/// The items of a list.
pub(super) fn list<'n, 't>(node: &'n Node<'t>, what: &str, errors: &mut Errors) -> Option<&'n [Node<'t>]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => {
            wrong_type(node, what, "a list", errors);
            None
        }
    }
}

/// Text. What YAML reads as a number, boolean or nothing is refused without quotes, because
/// editors and other tools would not take it for text.
pub(super) fn text<'n>(node: &'n Node<'_>, what: &str, errors: &mut Errors) -> Option<&'n str> {
    match &node.value {
        Value::Quoted(text) => Some(text),
        Value::Plain(text) if meaning(text) == Meaning::Text => Some(text),
        Value::Plain(text) if meaning(text) != Meaning::Nothing => {
            errors.add_with_hint(
                node.position,
                format!("{what} must be text, not {}", meaning(text).described()),
                format!("put it in quotes: \"{}\"", quoted(text).trim_matches('`')),
            );
            None
        }
        _ => {
            wrong_type(node, what, "text", errors);
            None
        }
    }
}

/// Text that is a value of some type.
pub(super) fn parsed<T>(
    node: &Node<'_>,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
    errors: &mut Errors,
) -> Option<T> {
    let text = text(node, what, errors)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(why) => {
            errors.add(node.position, format!("{what}: {} {why}", quoted(text)));
            None
        }
    }
}

/// Text that is a name or other type of [`crate::model`].
pub(super) fn word<T: FromStr<Err = Invalid>>(node: &Node<'_>, what: &str, errors: &mut Errors) -> Option<T> {
    parsed(node, what, str::parse, errors)
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, what: &str, errors: &mut Errors) -> Option<bool> {
    match &node.value {
        Value::Plain(text) if meaning(text) == Meaning::Boolean => Some(text.eq_ignore_ascii_case("true")),
        _ => {
            wrong_type(node, what, "true or false", errors);
            None
        }
    }
}

/// A whole number within bounds.
pub(super) fn whole_number(
    node: &Node<'_>,
    what: &str,
    bounds: RangeInclusive<u32>,
    errors: &mut Errors,
) -> Option<u32> {
    let wanted = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    match &node.value {
        Value::Plain(text) if meaning(text) == Meaning::Number => {
            let number = text.parse().ok().filter(|number| bounds.contains(number));
            if number.is_none() {
                errors.add(node.position, format!("{what} must be {wanted}, not {}", quoted(text)));
            }
            number
        }
        _ => {
            wrong_type(node, what, &wanted, errors);
            None
        }
    }
}

/// Whether it is text to every reader of YAML, without quotes.
pub(super) fn is_plain_text(plain: &str) -> bool {
    meaning(plain) == Meaning::Text
}

/// Whether it is a number without quotes.
pub(super) fn is_number(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Plain(text) if meaning(text) == Meaning::Number)
}

/// Reports that a value is of another kind than it must be.
pub(super) fn wrong_type(node: &Node<'_>, what: &str, wanted: &str, errors: &mut Errors) {
    let found = match &node.value {
        Value::Mapping(_) => "a mapping",
        Value::List(_) => "a list",
        Value::Quoted(_) => "text",
        Value::Plain(text) => match meaning(text) {
            Meaning::Nothing => {
                errors.add_with_hint(
                    node.position,
                    format!("{what} has no value"),
                    "write its value, or delete the line",
                );
                return;
            }
            meaning => meaning.described(),
        },
        Value::Refused => return,
    };
    errors.add(node.position, format!("{what} must be {wanted}, not {found}"));
}

/// What unquoted text means in the core schema of YAML 1.2 (section 10.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Nothing,
    Boolean,
    /// Text here, but a boolean in YAML 1.1, which many tools still read.
    Ambiguous,
    Number,
    Text,
}

impl Meaning {
    fn described(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean => "a boolean",
            Self::Ambiguous => "a word that some YAML readers take for a boolean",
            Self::Number => "a number",
            Self::Text => "text",
        }
    }
}

fn meaning(plain: &str) -> Meaning {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Meaning::Boolean,
        _ if ["yes", "no", "on", "off", "y", "n"].iter().any(|word| plain.eq_ignore_ascii_case(word)) => {
            Meaning::Ambiguous
        }
        _ if is_plain_number(plain) => Meaning::Number,
        _ => Meaning::Text,
    }
}

fn is_plain_number(plain: &str) -> bool {
    let all =
        |digits: &str, valid: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(valid);
    if let Some(octal) = plain.strip_prefix("0o") {
        return all(octal, |b| (b'0'..=b'7').contains(b));
    }
    if let Some(hex) = plain.strip_prefix("0x") {
        return all(hex, u8::is_ascii_hexdigit);
    }
    if matches!(plain, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    // Rust reads the same decimal numbers, besides words such as `inf` and `nan`.
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && unsigned.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_words_mean_what_yaml_1_2_says() {
        for number in ["0", "007", "-1", "+1.5", "1e5", ".5", "1.", "0x1f", "0o17", ".inf", "-.INF", ".nan"] {
            assert_eq!(meaning(number), Meaning::Number, "{number}");
        }
        for text in
            ["a", "25%", "2027-03-31", "1.2.3", "inf", "nan", "e5", ".", "-", "0x", "0o9", "nope", "1_000"]
        {
            assert_eq!(meaning(text), Meaning::Text, "{text}");
        }
        assert_eq!(meaning("True"), Meaning::Boolean);
        assert_eq!(meaning("No"), Meaning::Ambiguous);
        assert_eq!(meaning("~"), Meaning::Nothing);
    }
}
