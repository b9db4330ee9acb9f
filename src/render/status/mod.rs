//! The credentials of a roster, for people, for programs and for a monitoring system.

pub mod document;
pub mod prometheus;
pub mod text;
