//! Changing what a roster says about some users, in its text and nowhere else in it: comments, order and
//! formatting stay, byte for byte.
//!
//! The text is edited as a person would, and then the result is read again: it is accepted only
//! if the roster says exactly what it should now.

mod layout;
mod splice;

use std::collections::BTreeSet;

use jiff::Timestamp;

use self::layout::Laid;
use self::splice::{EditedText, NewValue, Splice};
use super::{CertificateOverrides, Details, Membership, OnClusters, Roster, User};
use crate::model::{ClusterName, FileNumber, GroupName, Recipient, UserName};

/// What is changed about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RosterEdit {
    /// `generation` rises by one.
    RaiseGeneration,
    /// `suspended: true`.
    Suspend,
    /// `suspended: false`.
    Resume,
    /// They are in this group, or until another time.
    Grant(NewMembership),
    /// They are not in this group any more.
    RevokeGrant(GroupName),
    /// They are on the roster, at its end.
    Add(NewUser),
    /// They are not on the roster any more.
    Remove,
}

/// A membership as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMembership {
    pub group: GroupName,
    /// When it ends; with `None`, never.
    pub until: Option<Timestamp>,
    /// Where it counts.
    pub clusters: OnClusters,
}

/// Who comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The file of the roster that they come into.
    pub file: FileNumber,
    /// As they are to be written; one at least.
    pub recipients: Vec<Recipient>,
    pub groups: BTreeSet<GroupName>,
    /// With `None`, all.
    pub clusters: Option<BTreeSet<ClusterName>>,
    pub until: Option<Timestamp>,
}

/// Changes each of these users in one file of the roster. `read` parses the whole roster with this text as
/// that file.
///
/// # Errors
/// A user whose entry is laid out in a way that cannot be edited safely.
pub fn change(
    text: &str,
    roster: &Roster,
    names: &[UserName],
    change: &RosterEdit,
    read: &dyn Fn(&str) -> Option<Roster>,
) -> Result<String, UserName> {
    let all = edited(text, names, roster, change).filter(|text| change.is_all(roster, names, read(text)));
    if let Some(edited) = all {
        return Ok(edited);
    }
    // Two of them touch one place, as neighbours who both go; or somebody's entry is laid out in an unusual way.
    let mut text = text.to_owned();
    let mut done = Vec::new();
    for name in names {
        let one = std::slice::from_ref(name);
        done.push(name.clone());
        text = edited(&text, one, roster, change)
            .filter(|text| change.is_all(roster, &done, read(text)))
            .ok_or_else(|| name.clone())?;
    }
    Ok(text)
}

fn edited(text: &str, names: &[UserName], roster: &Roster, change: &RosterEdit) -> Option<String> {
    let root = Laid::parse(text)?;
    let page = EditedText(text);
    let mut splices = Vec::new();
    for name in names {
        let made = change.splices(page, &root, name, roster.users.get(name));
        if made.is_empty() {
            return None;
        }
        splices.extend(made);
    }
    splice::apply(text, splices)
}

impl RosterEdit {
    /// What a person would change in the text; nothing where they would have to look twice.
    fn splices(
        &self,
        page: EditedText<'_>,
        root: &Laid<'_>,
        name: &UserName,
        user: Option<&User>,
    ) -> Vec<Splice> {
        let users = root.field("users");
        if let Self::Add(new) = self {
            let entry = new.entry(name);
            return match users {
                Some(users) => page.add_item(users, &entry),
                None => page.append(root, "users", &NewValue::List(vec![entry])),
            };
        }
        let found = users.and_then(|users| {
            let items = users.value.items();
            let index = items.iter().position(|item| item.name() == Some(name.as_str()))?;
            Some((users, index, items.get(index)?))
        });
        let (Some((users, index, entry)), Some(user)) = (found, user) else { return Vec::new() };
        let set = |field: &str, value: String| {
            let value = NewValue::Literal(value);
            match entry.field(field) {
                Some(field) => page.replace(&field.value, &value),
                None => entry
                    .field("name")
                    .map_or_else(Vec::new, |name| page.add_field(entry, name, field, &value)),
            }
        };
        match self {
            Self::RaiseGeneration => set("generation", user.generation.saturating_add(1).to_string()),
            Self::Suspend => set("suspended", true.to_string()),
            Self::Resume => set("suspended", false.to_string()),
            Self::Grant(granted) => granted.splices(page, entry),
            Self::RevokeGrant(group) => {
                let Some(groups) = entry.field("groups") else { return Vec::new() };
                let index = groups.value.items().iter().position(|item| item.name() == Some(group.as_str()));
                index.map_or_else(Vec::new, |index| page.remove_item(groups, index))
            }
            Self::Remove => page.remove_item(users, index),
            Self::Add(_) => Vec::new(),
        }
    }

    /// Whether that is what the roster says now, and nothing else.
    fn is_all(&self, before: &Roster, names: &[UserName], after: Option<Roster>) -> bool {
        let Some(after) = after.map(Roster::without_positions) else { return false };
        let mut wanted = before.clone().without_positions();
        for name in names {
            if let Self::Add(new) = self {
                let Some(user) = after.users.get(name).filter(|user| new.is(user)) else { return false };
                wanted.users.insert(name.clone(), user.clone());
                continue;
            }
            let Some(user) = wanted.users.get_mut(name) else { return false };
            match self {
                Self::RaiseGeneration => user.generation = user.generation.saturating_add(1),
                Self::Suspend => user.suspended = true,
                Self::Resume => user.suspended = false,
                Self::Grant(NewMembership { group, until, clusters }) => {
                    let read = after.users.get(name).and_then(|user| user.groups.get(group));
                    // In a part, all clusters are those that the part is about.
                    let is_wanted = |read: &&Membership| {
                        read.until == *until && (*clusters == OnClusters::All || read.clusters == *clusters)
                    };
                    let Some(read) = read.filter(is_wanted) else { return false };
                    user.groups.insert(group.clone(), read.clone());
                }
                Self::RevokeGrant(group) => drop(user.groups.remove(group)),
                Self::Remove => drop(wanted.users.remove(name)),
                Self::Add(_) => {}
            }
        }
        wanted == after
    }

    /// What to write by hand, for this user.
    pub fn by_hand(&self, name: &UserName, user: Option<&User>) -> String {
        match self {
            Self::RaiseGeneration => {
                let generation = user.map_or(1, |user| user.generation).saturating_add(1);
                format!("set `generation: {generation}`")
            }
            Self::Suspend => "set `suspended: true`".to_owned(),
            Self::Resume => "set `suspended: false`".to_owned(),
            Self::Grant(granted) => format!("add `{}` to `groups`", splice::line(&granted.item())),
            Self::RevokeGrant(group) => format!("take `{group}` out of `groups`"),
            Self::Add(new) => format!("add `{}` to `users`", splice::line(&new.entry(name))),
            Self::Remove => "delete the entry".to_owned(),
        }
    }
}

impl NewMembership {
    fn item(&self) -> NewValue {
        let mut fields = vec![("name", NewValue::Word(self.group.to_string()))];
        if let OnClusters::Only(clusters) = &self.clusters {
            fields.push(("clusters", words(clusters)));
        }
        fields.extend(self.until.map(|until| ("until", NewValue::Word(until.to_string()))));
        match fields.len() {
            1 => NewValue::Word(self.group.to_string()),
            _ => NewValue::Fields(fields),
        }
    }

    fn splices(&self, page: EditedText<'_>, user: &Laid<'_>) -> Vec<Splice> {
        let Some(groups) = user.field("groups") else {
            let after = user.field("recipients").or_else(|| user.field("name"));
            let groups = NewValue::List(vec![self.item()]);
            return after.map_or_else(Vec::new, |after| page.add_field(user, after, "groups", &groups));
        };
        let mut items = groups.value.items().iter();
        let Some(known) = items.find(|item| item.name() == Some(self.group.as_str())) else {
            return page.add_item(groups, &self.item());
        };
        // Only its end changes, where it has one: a membership without an end is not cut short by a grant.
        match (known.field("until"), self.until) {
            (Some(end), Some(until)) => page.replace(&end.value, &NewValue::Word(until.to_string())),
            _ => Vec::new(),
        }
    }
}

impl NewUser {
    fn entry(&self, name: &UserName) -> NewValue {
        let recipients = self.recipients.iter().map(|recipient| NewValue::Word(recipient.to_string()));
        let mut fields = vec![
            ("name", NewValue::Word(name.to_string())),
            ("recipients", NewValue::List(recipients.collect())),
        ];
        if !self.groups.is_empty() {
            fields.push(("groups", words(&self.groups)));
        }
        fields.extend(self.clusters.as_ref().map(|clusters| ("clusters", words(clusters))));
        fields.extend(self.until.map(|until| ("until", NewValue::Word(until.to_string()))));
        NewValue::Fields(fields)
    }

    fn is(&self, user: &User) -> bool {
        user.recipients.keys().eq(self.recipients.iter().collect::<BTreeSet<_>>())
            && user.groups.keys().eq(&self.groups)
            && user.groups.values().all(|membership| membership.until.is_none())
            && self.clusters.as_ref().is_none_or(|clusters| *clusters == user.clusters)
            && user.until == self.until
            && user.grants.is_empty()
            && user.certificates == CertificateOverrides::default()
            && user.details == Details::default()
            && !user.suspended
    }
}

fn words<T: std::fmt::Display>(names: &BTreeSet<T>) -> NewValue {
    NewValue::List(names.iter().map(|name| NewValue::Word(name.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme} # \u{e9}\nclusters: [{name: prod}]\ngroups: [{name: dev}, {name: on-call}]\n";

    fn read(text: &str) -> Option<Roster> {
        let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
        crate::roster::parse("users.yaml", text, &recipient).ok()
    }

    fn name(text: &str) -> UserName {
        text.parse().expect("a name")
    }

    /// What stands below `users:` after a change of these users.
    fn edited(users: &str, names: &[&str], change: &RosterEdit) -> Option<String> {
        let text = format!("{HEAD}{users}");
        let roster = read(&text).unwrap_or_else(|| panic!("not valid: {users}"));
        let names: Vec<UserName> = names.iter().map(|text| name(text)).collect();
        let edited = super::change(&text, &roster, &names, change, &read).ok()?;
        Some(edited.strip_prefix(HEAD).expect("the head is untouched").to_owned())
    }

    fn check(cases: &[(&str, &[&str], &RosterEdit, &str)]) {
        for (before, names, change, after) in cases {
            assert_eq!(edited(before, names, change).as_deref(), Some(*after), "{before}");
        }
    }

    fn on_call(until: &str) -> RosterEdit {
        RosterEdit::Grant(NewMembership {
            group: "on-call".parse().expect("a name"),
            until: Some(until.parse().expect("a time")),
            clusters: OnClusters::All,
        })
    }

    fn joins(group: &str) -> RosterEdit {
        RosterEdit::Grant(NewMembership {
            group: group.parse().expect("a name"),
            until: None,
            clusters: OnClusters::All,
        })
    }

    fn leaves(group: &str) -> RosterEdit {
        RosterEdit::RevokeGrant(group.parse().expect("a name"))
    }

    #[test]
    fn only_one_value_changes() {
        let up = &RosterEdit::RaiseGeneration;
        let alice: &[&str] = &["alice"];
        check(&[
            (
                "users:\n- name: alice\n  recipients: [a]\n",
                alice,
                up,
                "users:\n- name: alice\n  generation: 2\n  recipients: [a]\n",
            ),
            (
                "users:\n  - name: \"alice\"  # boss\n    recipients: [a]\n",
                alice,
                up,
                "users:\n  - name: \"alice\"  # boss\n    generation: 2\n    recipients: [a]\n",
            ),
            (
                "users:\n- {name: alice, recipients: [a]}\n",
                alice,
                up,
                "users:\n- {name: alice, generation: 2, recipients: [a]}\n",
            ),
            (
                "users: [{recipients: [a], name: 'alice'}]",
                alice,
                up,
                "users: [{recipients: [a], name: 'alice', generation: 2}]",
            ),
            (
                "users:\n- recipients: [a]\n  name: alice",
                alice,
                up,
                "users:\n- recipients: [a]\n  name: alice\n  generation: 2",
            ),
            (
                "users:\r\n- name: alice\r\n  recipients: [a]\r\n",
                alice,
                up,
                "users:\r\n- name: alice\r\n  generation: 2\r\n  recipients: [a]\r\n",
            ),
            (
                "users:\n- name: alice\n  recipients: [a]\n  generation: 9 # leaked\n",
                alice,
                up,
                "users:\n- name: alice\n  recipients: [a]\n  generation: 10 # leaked\n",
            ),
            (
                "users:\n-   name: alice\n    recipients:\n    - >-\n      a\n      b\n",
                alice,
                up,
                "users:\n-   name: alice\n    generation: 2\n    recipients:\n    - >-\n      a\n      b\n",
            ),
            (
                "users: [{\"name\": \"alice\", \"recipients\": [\"a\"]}]\n",
                alice,
                up,
                "users: [{\"name\": \"alice\", \"generation\": 2, \"recipients\": [\"a\"]}]\n",
            ),
            (
                "users:\n- name: alice # on leave\n  recipients: [a]\n- {name: bob, recipients: [b]} # too\n",
                &["alice", "bob"],
                &RosterEdit::Suspend,
                "users:\n- name: alice # on leave\n  suspended: true\n  recipients: [a]\n- {name: bob, suspended: true, recipients: [b]} # too\n",
            ),
            (
                "users:\n- recipients: [a]\n  suspended: true # since May\n  name: alice",
                alice,
                &RosterEdit::Resume,
                "users:\n- recipients: [a]\n  suspended: false # since May\n  name: alice",
            ),
        ]);
    }

    #[test]
    fn a_grant_is_one_item() {
        let late = &on_call("2027-01-01T04:00:00Z");
        let alice: &[&str] = &["alice"];
        check(&[
            (
                "users:\n- name: alice\n  recipients: [a] # laptop\n- {name: bob, recipients: [b]}\n",
                alice,
                late,
                "users:\n- name: alice\n  recipients: [a] # laptop\n  groups: [{name: on-call, until: 2027-01-01T04:00:00Z}]\n- {name: bob, recipients: [b]}\n",
            ),
            (
                "users:\n- name: alice\n  groups:\n  - dev # always\n  # more to come\n  recipients:\n  - a\n",
                alice,
                late,
                "users:\n- name: alice\n  groups:\n  - dev # always\n  - name: on-call\n    until: 2027-01-01T04:00:00Z\n  # more to come\n  recipients:\n  - a\n",
            ),
            (
                "users:\n- name: alice\n  groups:\n    -   dev\n  recipients: [a]",
                alice,
                late,
                "users:\n- name: alice\n  groups:\n    -   dev\n    - name: on-call\n      until: 2027-01-01T04:00:00Z\n  recipients: [a]",
            ),
            (
                "users:\n- {name: alice, recipients: [a], groups: [dev]}\n",
                alice,
                &joins("on-call"),
                "users:\n- {name: alice, recipients: [a], groups: [dev, on-call]}\n",
            ),
            (
                "users: [{name: alice, groups: [], recipients: [a]}]",
                alice,
                &joins("on-call"),
                "users: [{name: alice, groups: [on-call], recipients: [a]}]",
            ),
            (
                "users: [{\"name\": \"alice\", \"recipients\": [\"a\"], \"groups\": [\"dev\"]}]",
                alice,
                late,
                "users: [{\"name\": \"alice\", \"recipients\": [\"a\"], \"groups\": [\"dev\", {\"name\": \"on-call\", \"until\": \"2027-01-01T04:00:00Z\"}]}]",
            ),
            (
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev, # always\n  ]\n",
                alice,
                &joins("on-call"),
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev, # always\n    on-call,\n  ]\n",
            ),
            (
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev # always\n  ]\n",
                alice,
                &joins("on-call"),
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev, # always\n    on-call\n  ]\n",
            ),
            (
                "users:\n- name: alice\n  recipients: [a]\n  groups: [{name: on-call, until: \"2026-01-01\"}, dev]\n",
                alice,
                late,
                "users:\n- name: alice\n  recipients: [a]\n  groups: [{name: on-call, until: \"2027-01-01T04:00:00Z\"}, dev]\n",
            ),
        ]);
        // A membership without an end is not cut short.
        let always = "users:\n- {name: alice, recipients: [a], groups: [on-call]}\n";
        assert_eq!(edited(always, alice, late), None);
    }

    #[test]
    fn a_revoked_grant_is_one_item_less() {
        let alice: &[&str] = &["alice"];
        check(&[
            (
                "users: [{name: alice, recipients: [a], groups: [dev, on-call]}]",
                alice,
                &leaves("dev"),
                "users: [{name: alice, recipients: [a], groups: [on-call]}]",
            ),
            (
                "users: [{name: alice, recipients: [a], groups: [dev, on-call]}]",
                alice,
                &leaves("on-call"),
                "users: [{name: alice, recipients: [a], groups: [dev]}]",
            ),
            (
                "users: [{name: alice, recipients: [a], groups: [dev,]}]",
                alice,
                &leaves("dev"),
                "users: [{name: alice, recipients: [a], groups: []}]",
            ),
            (
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev, # always\n    {name: on-call, until: 2027-01-01} # once\n  ]\n",
                alice,
                &leaves("on-call"),
                "users:\n- name: alice\n  recipients: [a]\n  groups: [\n    dev # always\n  ]\n",
            ),
            (
                "users:\n- name: alice\n  groups: # see wiki\n  - name: on-call\n    until: 2027-01-01 # once\n  - dev\n  recipients: [a]\n",
                alice,
                &leaves("on-call"),
                "users:\n- name: alice\n  groups: # see wiki\n  - dev\n  recipients: [a]\n",
            ),
            (
                "users:\n- name: alice\n  groups: # see wiki\n  - name: on-call\n    until: 2027-01-01\n  recipients: [a]\n",
                alice,
                &leaves("on-call"),
                "users:\n- name: alice\n  groups: [] # see wiki\n  recipients: [a]\n",
            ),
        ]);
    }

    #[test]
    fn who_comes_is_added_at_the_end_and_who_goes_leaves_nothing() {
        let carol = &RosterEdit::Add(NewUser {
            file: FileNumber::FIRST,
            recipients: vec![
                Recipient::accepted_by_age("age1c".to_owned()),
                Recipient::accepted_by_age("ssh-ed25519 AAAA".to_owned()),
            ],
            groups: ["dev".parse().expect("a name")].into(),
            clusters: None,
            until: None,
        });
        let new: &[&str] = &["carol"];
        let entry = "- name: carol\n  recipients: [age1c, \"ssh-ed25519 AAAA\"]\n  groups: [dev]\n";
        let two = "users:\n# the boss\n- name: alice\n  recipients: [a] # key\n\n- {name: bob, recipients: [b]} # too\n";
        check(&[
            (two, new, carol, &format!("{two}{entry}")),
            (
                "users:\n  - name: alice\n    recipients:\n    - a\nsafety: {maxRevocations: 1}\n",
                new,
                carol,
                "users:\n  - name: alice\n    recipients:\n    - a\n  - name: carol\n    recipients: [age1c, \"ssh-ed25519 AAAA\"]\n    groups: [dev]\nsafety: {maxRevocations: 1}\n",
            ),
            ("", new, carol, &format!("users:\n{entry}")),
            (
                "users: []\n",
                new,
                carol,
                "users: [{name: carol, recipients: [age1c, \"ssh-ed25519 AAAA\"], groups: [dev]}]\n",
            ),
            (
                two,
                &["alice"],
                &RosterEdit::Remove,
                "users:\n# the boss\n\n- {name: bob, recipients: [b]} # too\n",
            ),
            (
                two,
                &["bob"],
                &RosterEdit::Remove,
                "users:\n# the boss\n- name: alice\n  recipients: [a] # key\n\n",
            ),
            (two, &["alice", "bob"], &RosterEdit::Remove, "users: []\n# the boss\n\n"),
            (
                "users: [{name: alice, recipients: [a]}, {name: bob, recipients: [b]}]",
                &["alice", "bob"],
                &RosterEdit::Remove,
                "users: []",
            ),
        ]);
    }

    #[test]
    fn what_cannot_be_edited_safely_is_left_alone() {
        for (users, change) in [
            ("users:\n- ? name\n  : alice\n  recipients: [a]\n", RosterEdit::Suspend),
            ("users:\n- {name: alice, recipients: [a]}\n", leaves("dev")),
        ] {
            assert_eq!(edited(users, &["alice"], &change), None, "{users}");
        }
    }
}
