//! Hostile files: whatever the roster and the records say, the real program ends in an error within a
//! second and 200 MB, and what it prints is short, plain and names the place.

mod api_server;
mod bounded;
mod records;
mod rosters;
