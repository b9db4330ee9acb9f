//! What objects must look like, and what never changes again.

pub(crate) mod names;
