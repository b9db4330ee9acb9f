//! The fault suite: every call of an apply broken in every way, and the process killed at every call,
//! git step and file step. Each time the next apply must converge, and nothing may be lost, doubled, or
//! bound without a record.
//!
//! It runs the real certctl and git against the sandbox, and needs nothing else. The closing table goes
//! to standard error and to `target/tmp/faults.txt`.

mod calls;
mod checks;
mod crashes;
mod fixture;
mod kinds;
mod matrix;
mod outages;
mod scenarios;
mod table;
