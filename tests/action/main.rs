//! The scripts of action.yml and of GitLab's template, as they stand: run by bash as the runner runs
//! them, with real git, the real certctl, curl and jq, and a stand-in for the host's API on loopback.

mod github;
mod gitlab;
mod host;
mod world;
