//! Who somebody is, besides their user name: for reports and notices, and for nothing else. None of it is in a
//! certificate, a record, a kubeconfig or a digest. Text that a page would obey instead of show is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::errors::{Errors, quoted};
use super::reader::{self, Fields};
use super::yaml::Value;
use crate::error::visible_line;
use crate::model::Invalid;

/// The most labels of one user.
const MOST_LABELS: usize = 32;
/// The longest full name or label, in characters.
const LONGEST_TEXT: usize = 100;
/// The longest address (RFC 5321) and the longest name of a label.
const LONGEST_ADDRESS: usize = 254;
const LONGEST_LABEL: usize = 63;

/// What the roster says of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    pub full_name: Option<OneLine>,
    pub email: Option<EmailAddress>,
    pub labels: BTreeMap<LabelName, OneLine>,
}

/// Text that is one line, and looks like what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OneLine(String);

/// As browsers accept it in a form (HTML, `input type=email`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// `team`, `example.com/cost-center`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelName(String);

impl FromStr for OneLine {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let why = if text.is_empty() {
            "is empty"
        } else if text.chars().count() > LONGEST_TEXT {
            "is longer than 100 characters"
        } else if text.trim() != text {
            "begins or ends with a space"
        } else if visible_line(text) != text {
            "holds a character that a reader would not see"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Invalid(why.into()))
    }
}

impl FromStr for EmailAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let local = |part: &str| {
            let plain = |c: u8| c.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&c);
            !part.is_empty() && part.bytes().all(plain)
        };
        let label =
            |part: &str| part.len() <= 63 && is_word(part, |c| c.is_ascii_alphanumeric() || c == b'-');
        let is_one = text.len() <= LONGEST_ADDRESS
            && text.split_once('@').is_some_and(|(name, host)| local(name) && host.split('.').all(label));
        if is_one {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid("is no address such as alice@example.com".into()))
        }
    }
}

impl FromStr for LabelName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_one = text.len() <= LONGEST_LABEL
            && is_word(text, |c| c.is_ascii_alphanumeric() || b"-._/".contains(&c));
        if is_one {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(
                "is no name of a label: at most 63 of [a-zA-Z0-9-._/], with a letter or digit at each end"
                    .into(),
            ))
        }
    }
}

/// Not empty, of these characters, with a letter or digit at each end.
fn is_word(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let end = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    end(text.bytes().next()) && end(text.bytes().last()) && text.bytes().all(allowed)
}

/// What is wrong with it is reported.
pub(super) fn read(user: &Fields<'_, '_>, errors: &mut Errors) -> Details {
    let full_name = user.get("fullName");
    let email = user.get("email");
    Details {
        full_name: full_name.and_then(|node| reader::word(node, &user.label("fullName"), errors)),
        email: email.and_then(|node| reader::word(node, &user.label("email"), errors)),
        labels: labels(user, errors),
    }
}

fn labels(user: &Fields<'_, '_>, errors: &mut Errors) -> BTreeMap<LabelName, OneLine> {
    let mut labels = BTreeMap::new();
    let Some(node) = user.get("labels") else { return labels };
    let label = user.label("labels");
    let Value::Mapping(entries) = &node.value else {
        reader::wrong_type(node, &label, "a mapping such as {team: shop}", errors);
        return labels;
    };
    if entries.len() > MOST_LABELS {
        errors.add(node.position, format!("{label}: {} labels; {MOST_LABELS} are the most", entries.len()));
        return labels;
    }
    for entry in entries {
        match entry.key.parse::<LabelName>() {
            Ok(name) => {
                let what = format!("label {} of {}", quoted(&entry.key), user.what);
                labels.extend(reader::word(&entry.value, &what, errors).map(|value| (name, value)));
            }
            Err(Invalid(why)) => errors.add(entry.position, format!("{label}: {} {why}", quoted(&entry.key))),
        }
    }
    labels
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

text!(OneLine, EmailAddress, LabelName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_a_browser_takes() {
        for good in ["alice@example.com", "a.b+c@x", "o'neil@sub.example.co.uk"] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "alice",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "a@-c",
            "a@b..c",
            "<a@b>",
            "a@b\n",
            "a@\u{e9}.fr",
            &long,
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_any_text_that_shows_what_it_is() {
        for good in ["Alice Example", "Zo\u{eb} \u{5f20}", "x".repeat(100).as_str()] {
            assert!(good.parse::<OneLine>().is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{202e}b", "a\u{200b}", "x".repeat(101).as_str()] {
            assert!(bad.parse::<OneLine>().is_err(), "{bad:?}");
        }
    }
}
