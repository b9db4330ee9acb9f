//! Where certctl talks to people: the terminal, progress on it, and the signals that it sends.

pub mod progress;
pub mod signals;
pub mod terminal;
