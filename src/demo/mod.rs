//! For newcomers: an in-memory cluster, and the setting of the story that `certctl demo` tells.

pub mod cluster;
pub mod request;
mod roster;
pub mod stage;
