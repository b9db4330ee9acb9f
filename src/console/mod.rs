//! Where certctl talks to people: the terminal, and progress on it.

pub mod progress;
pub mod terminal;
