//! One binding that has to change.

use std::collections::BTreeSet;

use super::binding_diff::{BindingDiff, BindingVerb};
use super::binding_key::BindingSubject;
use super::change::Change;
use super::observed::{Binding, BindingAt, Subject};
use crate::error::visible_line;
use crate::model::{CredentialGroup, RoleRef};

/// One binding that has to change.
#[derive(Debug, Clone)]
pub struct BindingAction {
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
    /// Its namespace is one that no grant names: where it is gone meanwhile, nothing is missing.
    pub may_vanish: bool,
    /// Each subject that comes or goes, and why; sorted.
    pub changes: Vec<Change>,
}

impl BindingAction {
    /// How it changes, to be shown.
    pub fn diff(&self) -> BindingDiff {
        let observed = self.observed.as_ref();
        BindingDiff {
            at: self.at.clone(),
            unsplit: self.unsplit.clone(),
            verb: match (observed, self.desired.is_empty()) {
                (_, true) => BindingVerb::Unbind,
                (None, false) => BindingVerb::Bind,
                (Some(_), false) => BindingVerb::Update,
            },
            role: match (&self.role, observed) {
                (Some(role), _) => role.to_string(),
                (None, Some(binding)) => role_in_cluster(binding),
                (None, None) => String::new(),
            },
            replaced_role: observed.filter(|_| self.recreate).map(role_in_cluster),
            before: observed.iter().flat_map(|binding| &binding.subjects).map(subject_text).collect(),
            after: self.desired.clone(),
            changes: self.changes.clone(),
            is_ours: true,
        }
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
