//! The scripts of action.yml and of GitLab's template, as they stand: run by bash as the runner runs
//! them, with real git, the real certctl, curl and jq, and a stand-in for the host's API on loopback.

mod escaping;
mod github;
mod gitlab;
mod host;
#[path = "../repo/http.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the manner of the tests of src/repo, which use all of it")]
mod http;
mod install;
mod notices;
mod reviewed;
mod world;
