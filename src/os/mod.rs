//! What differs between systems, in one place: `unix` and `windows` have the same functions. Whoever wants to know
//! what is left to do on a system reads its file; nothing else in `src/` names an interface of one system.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Somebody wants it to stop.
    Stop,
    /// The terminal was closed. The kernel, the shell and a session manager may all send it, besides a
    /// `Stop`: it is no second wish.
    Hangup,
}
