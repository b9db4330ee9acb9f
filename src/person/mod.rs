//! The person's side: who they are by their keys, their kubeconfigs in the repository, and files that are
//! theirs alone.

pub mod checkout_file;
pub mod home;
pub mod identities;
pub mod noted_roster;
pub mod own_kubeconfigs;
pub mod private_file;
pub mod rights;
