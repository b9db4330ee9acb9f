//! How a run of certctl ends.

/// Done, and for `plan` nothing to do.
pub const DONE: u8 = 0;
/// Failed, or partly failed.
pub const FAILED: u8 = 1;
/// `plan --detailed-exitcode`: changes are pending.
pub const CHANGES: u8 = 2;
/// Wrong usage: `EX_USAGE` of sysexits.h.
pub const USAGE: u8 = 64;
