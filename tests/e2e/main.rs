//! The e2e suite: real kube-apiserver, kubectl, git and age. It runs where `CERTCTL_CONTROL_PLANE`
//! names the folder that `tests/control-plane/build` prints; elsewhere each test says that it was
//! skipped.

mod bad_input;
mod calls;
mod commit_back;
mod init;
mod keys;
mod life;
mod login;
mod main_job;
mod permissions;
mod signing;
mod world;
