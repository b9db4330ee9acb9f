//! A real kubectl, in an empty environment and home.

use std::ffi::OsStr;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::Output;
use crate::environment::scrubbed;

/// Runs one kubectl, with whichever kubeconfig it is told.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    /// `home` is a folder for its caches and for temporary files; the caller removes it.
    pub fn new(program: PathBuf, home: PathBuf) -> Self {
        Self { program, home }
    }

    /// What it said, however it ended.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, kubeconfig: &Path, arguments: &[&str]) -> Output {
        self.run_with(kubeconfig, arguments, Stdio::null())
    }

    /// Its standard output.
    ///
    /// # Panics
    /// When it fails, with its standard error.
    #[track_caller]
    pub fn ok(&self, kubeconfig: &Path, arguments: &[&str]) -> String {
        expect_ok(self.run(kubeconfig, arguments), &format!("kubectl {}", arguments.join(" ")))
    }

    /// Gives `yaml` to `kubectl apply`, and returns what it said.
    ///
    /// # Panics
    /// When it fails, with its standard error.
    #[track_caller]
    pub fn apply(&self, kubeconfig: &Path, yaml: &str) -> String {
        // A file, not a pipe: kubectl answers before it has read everything, and could block on us.
        let mut file = tempfile::tempfile_in(&self.home).expect("make a temporary file");
        file.write_all(yaml.as_bytes()).and_then(|()| file.rewind()).expect("write a temporary file");
        expect_ok(self.run_with(kubeconfig, &["apply", "-f", "-"], file.into()), "kubectl apply -f -")
    }

    fn run_with(&self, kubeconfig: &Path, arguments: &[&str], stdin: Stdio) -> Output {
        let output = scrubbed(&self.program, &self.home, &self.home)
            .args([OsStr::new("--kubeconfig"), kubeconfig.as_os_str()])
            .args(arguments)
            .stdin(stdin)
            .output()
            .expect("run kubectl");
        Output {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[track_caller]
fn expect_ok(output: Output, command: &str) -> String {
    assert!(output.ok, "`{command}` failed:\n{}", output.stderr);
    output.stdout
}
