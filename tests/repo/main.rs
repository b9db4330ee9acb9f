//! The repository, against real git: temporary clones, a bare origin, the git program.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod workspace;

mod author;
mod branch_past;
mod commit;
mod crash_recovery;
mod discovery;
mod doctor;
mod fast_forward;
mod history;
mod http;
mod kinds;
mod propose;
mod propose_edit;
mod push;
mod revision;
mod target;
mod transport;
