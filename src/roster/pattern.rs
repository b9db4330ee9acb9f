//! Names with `*` for any characters, as in `payments-*`.

use std::fmt;
use std::str::FromStr;

use crate::model::{Invalid, Namespace};

/// Several names at once, or one where it has no `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Whether this is one of them. A pattern is covered if every name that it matches is: its `*` is only
    /// matched by a `*` here.
    pub fn covers(&self, name: &str) -> bool {
        fits(&self.0, name)
    }

    /// A pattern for namespaces, or the name of one.
    pub(super) fn of_namespaces(text: &str) -> Result<Self, Invalid> {
        // Whatever a `*` stands for, it is a name with a letter there.
        let _: Namespace = text.replace('*', "a").parse()?;
        text.parse()
    }

    /// `*`.
    pub(super) fn any() -> Self {
        Self("*".to_owned())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name fits a pattern. Each `*` stands for nothing at first, and for one character more each time the rest
/// does not fit. Only the last one is ever tried again, so the time is the product of the lengths at most.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < name.len() {
        if pattern.get(at) == Some(&b'*') {
            retry = Some((at + 1, seen));
            at += 1;
        } else if pattern.get(at) == Some(&name[seen]) {
            at += 1;
            seen += 1;
        } else if let Some((after, from)) = retry {
            retry = Some((after, from + 1));
            (at, seen) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

impl FromStr for Pattern {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._@+*".contains(&b);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            return Err(Invalid("is no name or pattern: at most 64 of [a-zA-Z0-9-._@+] and `*`".into()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_covers_another_star() {
        for (pattern, name, covered) in [
            ("payments", "payments", true),
            ("payments", "payments-2", false),
            ("payments-*", "payments-", true),
            ("payments-*", "payments-eu-1", true),
            ("payments-*", "xpayments-1", false),
            ("*-prod", "a-prod-prod", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXcX", false),
            ("*", "", true),
            ("*", "kube-system", true),
            ("payments-*", "payments-*", true),
            ("payments-*", "payments-eu-*", true),
            ("payments-*", "*", false),
            ("payments-eu-*", "payments-*", false),
            ("payments", "payment*", false),
            ("**", "*", true),
        ] {
            let parsed: Pattern = pattern.parse().expect("a pattern");
            assert_eq!(parsed.covers(name), covered, "{pattern} {name}");
        }
        let worst: Pattern = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b".parse().expect("a pattern");
        assert!(!worst.covers(&"a".repeat(64)));
    }
}
