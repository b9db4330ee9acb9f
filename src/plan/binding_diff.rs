//! How one binding changes, as it is shown and digested. Nothing can be written from it.

use std::collections::BTreeSet;
use std::fmt;

use super::binding_key::BindingSubject;
use super::change::Change;
use super::observed::BindingAt;

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

/// How one binding changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingDiff {
    pub at: BindingAt,
    /// Where its subjects would be if they were not split: what it is digested by, where parts do not count.
    pub unsplit: BindingAt,
    /// What happens to it.
    pub verb: BindingVerb,
    /// Kind and name of the role that it leads to: `ClusterRole view`.
    pub role: String,
    /// The role that it leads to before, where that is replaced.
    pub replaced_role: Option<String>,
    /// Kind and name of its subjects before, in the order of the object.
    pub before: Vec<String>,
    /// Its subjects after.
    pub after: BTreeSet<BindingSubject>,
    /// Each subject that comes or goes, and why; sorted.
    pub changes: Vec<Change>,
    /// Whether it is a binding of this roster: of another one only credential groups are told.
    pub is_ours: bool,
}
