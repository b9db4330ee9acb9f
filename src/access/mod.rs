//! Who has access, as an administrator asks about it: pure, from what roster, records and clusters say.
//!
//! `granted` is what the roster gives somebody on one cluster, `rights` what they have there, and `explain` why;
//! `audit` is what is behind the roster's back. Nothing in here decides anything: what is to change is the plan's, and
//! its answers are read from there.

pub mod audit;
pub mod explain;
pub mod granted;
pub mod question;
pub mod rights;
