//! Where certctl talks to people: the terminal, progress on it, and its signals.

pub mod progress;
pub mod signals;
pub mod terminal;
