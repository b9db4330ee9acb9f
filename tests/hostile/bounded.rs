//! `certctl validate` on a folder, held to its bounds by the kernel.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// What a program may use, in `ulimit`'s units: 200 MB of data, and one second of the processor's
/// time, so that a busy machine causes no failure.
const BOUNDS: &str = "ulimit -d 204800 && ulimit -t 1 && ulimit -c 0 && exec \"$0\" \"$@\"";

/// The most that it may print: a thousand errors, each a line and a hint.
const LONGEST_OUTPUT: usize = 400_000;
/// The longest line.
const LONGEST_LINE: usize = 2_000;

/// An untrusted repository.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("certctl-hostile-").tempdir().expect("a folder");
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, bytes).expect("written");
    }

    /// What it says about the folder: it has failed, in order. Else what was wrong with that.
    pub fn refused(&self) -> Result<String, String> {
        let mut command = certctl_testing::scrubbed("sh", self.dir.path(), self.dir.path());
        command
            .args(["-c", BOUNDS, env!("CARGO_BIN_EXE_certctl"), "validate"])
            .env("CERTCTL_NOW", "2026-01-01T00:00:00Z")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("sh starts");
        let pid = rustix::process::Pid::from_child(&child);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        // A waiting program uses no processor time.
        let Ok(output) = receiver.recv_timeout(Duration::from_secs(60)) else {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            return Err("it waits for something".to_owned());
        };
        let output = output.expect("its output");
        match output.status.code() {
            Some(1) => said_in_order(&output.stdout, &output.stderr),
            _ => Err(format!("{}: {}", output.status, shown(&output.stderr))),
        }
    }
}

fn shown(said: &[u8]) -> String {
    String::from_utf8_lossy(said).chars().take(800).collect()
}

/// The output, if it is short, is text, cannot control a terminal, and if every line is one
/// of the printer's own and none that the file made up.
fn said_in_order(stdout: &[u8], stderr: &[u8]) -> Result<String, String> {
    let fails = |why: &str| Err(format!("{why}: {}", shown(stderr)));
    let Ok(said) = String::from_utf8(stderr.to_vec()) else { return fails("no UTF-8") };
    if !stdout.is_empty() {
        return fails("it printed a result");
    }
    if said.len() > LONGEST_OUTPUT {
        return fails("a long output");
    }
    if said.lines().any(|line| line.len() > LONGEST_LINE) {
        return fails("a long line");
    }
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if said.contains(steers) {
        return fails("it would steer a terminal");
    }
    let known = ["Error: ", "  Caused by: ", "  Hint: "];
    if !said.starts_with("Error: ")
        || said.lines().any(|line| !known.iter().any(|known| line.starts_with(known)))
    {
        return fails("a line that is not the printer's own");
    }
    Ok(said)
}
