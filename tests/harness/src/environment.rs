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

/// Has a script run by each push of a clone to its origin, when git has been told where the branches are, and before
/// what it sends arrives there: somebody else comes first.
///
/// # Panics
/// It cannot be set up.
pub fn before_a_push_arrives(clone: &Path, script: &str) {
    let program = clone.join(".git/receive-pack");
    // A push begins with a length, and one that sends nothing with `0000`.
    let receive = format!(
        "{{ first=$(dd bs=1 count=4 status=none)\n[ \"$first\" = 0000 ] || ( {script} ) >&2\n\
         printf %s \"$first\"; cat; }} | git receive-pack \"$@\""
    );
    executable(&program, &receive);
    let mut git = Command::new("git");
    git.arg("-C").arg(clone).args(["config", "remote.origin.receivepack"]).arg(program);
    assert!(git.status().expect("git starts").success());
}
