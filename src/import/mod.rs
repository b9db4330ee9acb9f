//! From access that was given by hand to a roster: a draft of what is bound on a cluster, and which of the old bindings
//! the roster has replaced since.
//!
//! Names in a cluster are anybody's. What a roster cannot say is left out and named, never bent into something else;
//! and nothing counts as replaced before everyone whom it names holds the same role through certctl.

pub mod draft;
pub mod finish;
pub mod subject;
