//! Test binaries whose tests may need what a machine lacks. Such a test is reported as ignored, with the
//! reason; it never counts as passed. They take the arguments that every Rust test takes.

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::browser;

/// What a test needs besides Rust, git and a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing else.
    Nothing,
    /// The folder of binaries that `CERTCTL_CONTROL_PLANE` names.
    ControlPlane,
    /// This program on the PATH.
    Program(&'static str),
    /// To be root, who may change the root folder.
    Root,
    /// A control plane, and to be root where the kernel gives a process mounts of its own.
    OwnMounts,
    /// A control plane, a browser, and what tests/report/package-lock.json names.
    Browser,
}

impl Need {
    /// Why a test with this need cannot run here.
    fn missing(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::ControlPlane => {
                crate::binaries().is_none().then(|| "CERTCTL_CONTROL_PLANE is not set".to_owned())
            }
            Self::Program(name) => {
                let mut version = Command::new(name);
                let started = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
                started.is_err().then(|| format!("{name} is not installed"))
            }
            Self::Browser => {
                let lacks = |lacks: bool, what: &str| lacks.then(|| what.to_owned());
                let axe = || lacks(!browser::axe().exists(), "`npm ci --prefix tests/report` was not run");
                let browser = || lacks(browser::installed().is_none(), "chromium is not installed");
                Self::ControlPlane.missing().or_else(axe).or_else(browser)
            }
            Self::OwnMounts => {
                let unshare =
                    Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
                let mounts = unshare.is_ok_and(|status| status.success());
                let lacks =
                    (!mounts).then(|| "`unshare --mount` needs root, and a kernel that lets it".to_owned());
                Self::ControlPlane.missing().or(lacks)
            }
            Self::Root => {
                let id = Command::new("id").arg("-u").output();
                let root = id.is_ok_and(|id| id.stdout == b"0\n");
                (!root).then(|| "only root may change the root folder".to_owned())
            }
        }
    }
}

/// One test of a suite.
pub struct Test(Trial);

impl Test {
    /// A test that runs where its need is met; it fails by a panic.
    pub fn new(name: &str, need: Need, test: impl FnOnce() + Send + 'static) -> Self {
        Self(Trial::ignorable_test(name, move || {
            if let Some(reason) = need.missing() {
                return Ok(Completion::ignored_with(reason));
            }
            test();
            Ok(Completion::Completed)
        }))
    }
}

/// Functions as tests that share a need. A function that is not listed is dead code, and the compiler says so.
#[macro_export]
macro_rules! tests {
    ($need:expr, [$($test:path),+ $(,)?]) => {
        [$($crate::Test::new(stringify!($test), $need, $test)),+]
    };
}

/// The `main` of a test binary with `harness = false`.
pub fn run(tests: impl IntoIterator<Item = Test>) -> ExitCode {
    let tests = tests.into_iter().map(|Test(trial)| trial).collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
