//! The group that belongs to one certificate alone, and whose it says it is.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use super::{CredentialId, Invalid, NAME_LIMIT, UserName, check_user_name, hex, is_lower_hex, sha256};

/// The group that belongs to only one certificate: `certctl:<holder>:<credential id>`, at most 64 characters,
/// which is the limit of an O (RFC 5280, ub-organization-name). The id alone decides which certificate it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialGroup {
    /// Whose certificate it is.
    pub holder: Holder,
    /// Which of that person's certificates.
    pub id: CredentialId,
}

impl CredentialGroup {
    /// What every credential group begins with.
    pub const PREFIX: &'static str = "certctl:";

    /// The group of one certificate of this person.
    pub fn new(user: &UserName, id: CredentialId) -> Self {
        Self { holder: Holder::of(user), id }
    }
}

impl fmt::Display for CredentialGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}:{}", Self::PREFIX, self.holder, self.id))
    }
}

impl FromStr for CredentialGroup {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (holder, id) = text
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(|| Invalid("is no credential group `certctl:<user>:<id>`".into()))?;
        Ok(Self { holder: holder.parse()?, id: id.parse()? })
    }
}

/// A user's name as it stands in a credential group: whole, or of a name over 39 characters the first 30, `~`
/// and 8 hex digits of its SHA-256. No name has a `~`, so that nobody's whole name is another's short one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder(String);

/// How much of a long name is kept.
const BEGINNING: usize = 30;

impl Holder {
    /// This person, as their groups name them.
    pub fn of(user: &UserName) -> Self {
        let name = user.as_str();
        if name.len() <= NAME_LIMIT {
            return Self(name.to_owned());
        }
        Self(format!("{}~{}", &name[..BEGINNING], &hex(&sha256(name.as_bytes()))[..8]))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The person of this name or short name among these.
    pub fn find_in<'m, V>(&self, people: &'m BTreeMap<UserName, V>) -> Option<(&'m UserName, &'m V)> {
        let Some((beginning, _)) = self.0.split_once('~') else {
            return people.get_key_value(&UserName(self.0.clone()));
        };
        let from = (Bound::Included(UserName(beginning.to_owned())), Bound::Unbounded);
        let alike = people.range(from).take_while(|(user, _)| user.as_str().starts_with(beginning));
        alike.into_iter().find(|(user, _)| Self::of(user) == *self)
    }

    /// The name of somebody of whom nothing else is known: it may be a short one.
    pub fn name(&self) -> UserName {
        UserName(self.0.clone())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Holder {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once('~') {
            None => check_user_name(text, NAME_LIMIT)?,
            // What it was cut from ends in something else.
            Some((beginning, digest)) => {
                check_user_name(&format!("{beginning}0"), BEGINNING + 1)?;
                if beginning.len() != BEGINNING || digest.len() != 8 || !is_lower_hex(digest) {
                    return Err(Invalid("is no name of a user, nor a short one".into()));
                }
            }
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2a91bc4d5e6f70";

    fn user(name: &str) -> UserName {
        name.parse().expect(name)
    }

    #[test]
    fn a_credential_group_reads_back_what_it_prints() {
        let text = "certctl:alice:3f2a91bc4d5e6f70";
        let group: CredentialGroup = text.parse().expect("valid");
        assert_eq!(group.to_string(), text);
        assert_eq!(group, CredentialGroup::new(&user("alice"), ID.parse().expect("an id")));
        for bad in [
            "certctl:alice",
            "alice:3f2a91bc4d5e6f70",
            "certctl:alice:3F2A91BC4D5E6F70",
            "certctl:al:ice:3f2a91bc4d5e6f70",
            "certctl:cluster:3f2a91bc4d5e6f70",
            "certctl:alice~0011aabb:3f2a91bc4d5e6f70",
            "certctl:abcdefghijklmnopqrstuvwxyzabcd~0011AABB:3f2a91bc4d5e6f70",
            "certctl:-bcdefghijklmnopqrstuvwxyzabcd~0011aabb:3f2a91bc4d5e6f70",
            "certctl:abcdefghijklmnopqrstuvwxyzabcdefghijklmn:3f2a91bc4d5e6f70",
        ] {
            assert!(bad.parse::<CredentialGroup>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_name_is_cut_in_its_group_and_stays_its_own() {
        let id: CredentialId = ID.parse().expect("an id");
        let whole = user("maria.magdalena.von-und-zu@example.org1");
        assert_eq!(CredentialGroup::new(&whole, id.clone()).to_string().len(), 64);
        let long = [
            "maria.magdalena.von-und-zu@example.org12",
            "maria.magdalena.von-und-zu@example.org13",
            "maria.magdalena.von-und-zu@department.of.something.example.org.x",
        ]
        .map(user);
        let people: BTreeMap<UserName, usize> =
            long.iter().cloned().chain([whole.clone()]).zip(0..).collect();
        for (user, number) in &people {
            let text = CredentialGroup::new(user, id.clone()).to_string();
            assert_eq!(text.len(), 64);
            let read: CredentialGroup = text.parse().expect(&text);
            assert_eq!(read.holder.find_in(&people), Some((user, number)), "{text}");
        }
        assert_eq!(Holder::of(&long[0]).as_str(), "maria.magdalena.von-und-zu@exa~b32bcd89");
        assert_eq!(Holder::of(&Holder::of(&long[0]).name()), Holder::of(&long[0]));
        assert_eq!(Holder::of(&user("maria.magdalena.von-und-zu@example.org14")).find_in(&people), None);
    }
}
