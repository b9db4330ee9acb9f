//! One binding that has to change.

use std::collections::BTreeSet;
use std::fmt;

use super::binding_key::BindingSubject;
use super::change::Change;
use super::observed::{Binding, BindingAt, Subject};
use crate::error::visible_line;
use crate::model::{CredentialGroup, RoleRef};

/// One binding that has to change.
#[derive(Debug, Clone)]
pub struct BindingAction {
    /// Where.
    pub at: BindingAt,
    /// Where its subjects would be if they were not split: what it is told by where parts do not count.
    pub unsplit: BindingAt,
    /// What it binds to; `None` where it has to go, and binds to something that no roster can name.
    pub role: Option<RoleRef>,
    /// As it is; `None` where it has to be created.
    pub observed: Option<Binding>,
    /// Who it has to hold in the end; empty where it has to go.
    pub desired: BTreeSet<BindingSubject>,
    /// Of those who may stay bound to this role, the ones that it holds now: what it is reduced to
    /// before anything is issued. `None` where nothing has to be taken out.
    pub reduced: Option<BTreeSet<CredentialGroup>>,
    /// It goes only after others hold what it holds: they were split anew.
    pub goes_last: bool,
    /// Its `roleRef` is not ours to keep: it is deleted first and created again.
    pub recreate: bool,
    /// Each subject that comes or goes, and why; sorted.
    pub changes: Vec<Change>,
}

/// What happens to a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingVerb {
    /// Created.
    Bind,
    /// Changed.
    Update,
    /// Deleted.
    Unbind,
}

impl fmt::Display for BindingVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bind => "bind",
            Self::Update => "update",
            Self::Unbind => "unbind",
        })
    }
}

impl BindingAction {
    /// What happens to it.
    pub fn verb(&self) -> BindingVerb {
        match (&self.observed, self.desired.is_empty()) {
            (_, true) => BindingVerb::Unbind,
            (None, false) => BindingVerb::Bind,
            (Some(_), false) => BindingVerb::Update,
        }
    }

    /// The role, in words: `ClusterRole view`.
    pub fn role_text(&self) -> String {
        match (&self.role, &self.observed) {
            (Some(role), _) => format!("{} {}", role.kind(), role.name()),
            (None, Some(binding)) => role_in_cluster(binding),
            (None, None) => String::new(),
        }
    }

    /// Subjects before and after as a unified diff that shows only what changes.
    pub fn diff(&self) -> String {
        let line = |subject: &str| format!("- {subject}\n");
        let role = |role: &str| if self.recreate { format!("roleRef: {role}\n") } else { String::new() };
        let held = self.observed.iter().flat_map(|binding| &binding.subjects);
        let before = role(&self.observed.as_ref().map_or(String::new(), role_in_cluster))
            + &held.map(|subject| line(&subject_text(subject))).collect::<String>();
        let mut after: BTreeSet<String> = self.desired.iter().map(|subject| line(&subject.text())).collect();
        // What stays keeps its place, so that an unsorted object does not read as changed.
        let mut text = role(&self.role_text());
        for subject in self.observed.iter().flat_map(|b| &b.subjects) {
            let subject = line(&subject_text(subject));
            if after.remove(&subject) {
                text.push_str(&subject);
            }
        }
        text.extend(after);
        similar::TextDiff::from_lines(&before, &text)
            .unified_diff()
            .context_radius(1)
            .header(&format!("{} in the cluster", self.at), "by the roster")
            .to_string()
    }
}

/// On one line, whatever is in it: a name must not forge a line of a diff.
pub(super) fn subject_text(subject: &Subject) -> String {
    visible_line(&match &subject.namespace {
        Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
        None => format!("{} {}", subject.kind, subject.name),
    })
}

pub(super) fn role_in_cluster(binding: &Binding) -> String {
    visible_line(&format!("{} {}", binding.role_kind, binding.role_name))
}

pub(super) fn same_role(binding: &Binding, role: &RoleRef) -> bool {
    binding.role_kind == role.kind() && binding.role_name == role.name().as_str()
}
