//! The repository, against real git: temporary clones, a bare origin, the git program.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod place;

mod author;
mod commit;
mod discovery;
mod heal;
mod http;
mod propose;
mod push;
mod revision;
mod stale;
mod target;
mod transport;
