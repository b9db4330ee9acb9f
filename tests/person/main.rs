//! The person's side, with the real program and without a cluster: identities, where they are found
//! and how they are unlocked, and what is believed of a repository.

mod hostile;
mod identities;
mod requests;
mod typed;
mod unlock;
mod world;
