//! Which files a roster is read from, as errors show them: the roster itself, then its parts.

use crate::model::Position;

/// Their names, by the number in a [`Position`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RosterFileNames(Vec<String>);

impl RosterFileNames {
    /// Only the roster itself.
    pub fn new(root: impl Into<String>) -> Self {
        Self(vec![root.into()])
    }

    /// One more; returns its number.
    pub(super) fn add(&mut self, part: String) -> u32 {
        self.0.push(part);
        // There are a thousand parts at most.
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The roster itself.
    pub fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The file that a place is in.
    pub fn of(&self, position: Position) -> &str {
        let number = usize::try_from(position.file).unwrap_or(usize::MAX);
        self.0.get(number).map_or_else(|| self.root(), String::as_str)
    }

    /// A place, as editors and terminals open it.
    pub fn place(&self, position: Position) -> String {
        format!("{}:{position}", self.of(position))
    }
}
