//! What a newcomer plays with: a cluster in memory, and the stage of the story that `certctl demo` tells.

pub mod cluster;
pub mod request;
mod roster;
pub mod stage;
