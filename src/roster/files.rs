//! Which files a roster is read from, as errors show them: the roster itself, then its parts.

use crate::model::{FileNumber, Position};

/// Their names, by the number in a [`Position`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RosterFileNames(Vec<String>);

impl RosterFileNames {
    /// Only the roster itself.
    pub fn new(root: impl Into<String>) -> Self {
        Self(vec![root.into()])
    }

    /// One more; returns its number.
    pub(super) fn add(&mut self, part: String) -> FileNumber {
        self.0.push(part);
        FileNumber::after(self.0.len() - 1)
    }

    /// The roster itself.
    pub fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// One of them.
    pub fn name(&self, file: FileNumber) -> &str {
        self.0.get(file.index()).map_or_else(|| self.root(), String::as_str)
    }

    /// A place, as editors and terminals open it.
    pub fn place(&self, position: Position) -> String {
        format!("{}:{position}", self.name(position.file))
    }
}
