//! Who has access, as an administrator asks about it: pure, from what roster, records and clusters say.
//!
//! `granted` is what the roster gives somebody on one cluster, `delivered` whether a cluster lists that, `rights` what
//! they have there, and `explain` why; `audit` is what is behind the roster's back. `credentials` is who holds which credential there, and `status` that
//! of all clusters; `events` is what happened between two versions of roster and records, `beginnings` since when what
//! they say counts, and `clue` what somebody has of a certificate. `review` is all of it, for an auditor. Nothing in
//! here decides anything: what is to change is the plan's, and its answers are read from there.

pub mod audit;
pub mod beginnings;
pub mod clue;
pub mod credentials;
pub mod delivered;
pub mod events;
pub mod explain;
pub mod granted;
pub mod notices;
pub mod question;
pub mod remains;
pub mod review;
pub mod rights;
pub mod status;
