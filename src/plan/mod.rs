//! The pure diff: roster, records and cluster in, a plan out.
pub mod observed;
