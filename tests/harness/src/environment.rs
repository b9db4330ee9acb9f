//! The environment of a machine on which nobody has set anything.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program in a folder, with another home, and with nothing of this process's environment but the PATH.
pub fn scrubbed(program: impl AsRef<OsStr>, folder: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null());
    command
}

/// Lets git make commits where nobody has configured it.
pub fn with_author(command: &mut Command) {
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada Admin");
        command.env(format!("GIT_{who}_EMAIL"), "admin@example.com");
    }
}

/// A shell script that can be run, in a folder that is made.
///
/// # Panics
/// It cannot be written.
pub fn executable(file: &Path, script: &str) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("executable");
}
