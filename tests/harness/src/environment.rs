//! The environment of a machine on which nobody has set anything.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program in a folder, with nothing of this process's environment but the PATH, with another home
/// and folder for temporary files, and with an author for git.
pub fn scrubbed(program: impl AsRef<OsStr>, folder: &Path, home: &Path, tmp: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("TMPDIR", tmp)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null());
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada Admin");
        command.env(format!("GIT_{who}_EMAIL"), "admin@example.com");
    }
    command
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
