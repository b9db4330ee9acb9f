//! Setting up a repository: what `certctl init` asks, and how it writes what [`crate::init`] composes.

pub mod files;
pub mod questions;
