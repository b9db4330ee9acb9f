//! A machine that has git and the tools of the scripts, and an empty home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl_sandbox::{Options, Sandbox};
use certctl_testing::{Ran, Said};
use tempfile::TempDir;

/// The repository that is tested.
pub const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

pub struct Machine(TempDir);

impl Machine {
    pub fn new() -> Self {
        let machine =
            Self(tempfile::Builder::new().prefix("certctl-packaging-").tempdir().expect("a folder"));
        fs::create_dir(machine.path("home")).expect("a folder");
        machine
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("written");
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// A program with a scrubbed environment, cargo's folders apart: the scripts ask cargo, which must not fetch
    /// all its packages anew.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = certctl_testing::scrubbed(program, self.0.path(), &self.path("home"));
        let home = std::env::home_dir().expect("a home");
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let value = std::env::var_os(variable).unwrap_or_else(|| home.join(folder).into());
            command.env(variable, value);
        }
        command.env("SOURCE_DATE_EPOCH", "1790000000").env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// A script of this source's packaging/.
    pub fn script(&self, source: &Path, name: &str, arguments: &[&str], code: i32) -> Said {
        Ran::of(self.command(source.join("packaging").join(name)).args(arguments)).expect(code)
    }

    /// A cluster in memory; the administrator's kubeconfig of it, where `kubeconfig` says.
    pub fn cluster(&self, kubeconfig: &Path) -> Sandbox {
        let options = Options { context: "prod-admin".to_owned(), ..Options::default() };
        let sandbox = Sandbox::start(options).expect("a cluster");
        fs::write(kubeconfig, sandbox.kubeconfig()).expect("a kubeconfig");
        sandbox
    }

    /// certctl as it is built, without what a debugger needs: with that it takes seconds to pack.
    pub fn certctl(&self) -> PathBuf {
        let stripped = self.path("certctl");
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&stripped).arg(env!("CARGO_BIN_EXE_certctl"));
        Ran::of(&mut strip).expect(0);
        stripped
    }
}

/// A roster of one user on a cluster, with the line that `certctl keygen` printed.
pub fn roster(cluster: &Sandbox, recipient: &str) -> String {
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters:\n\
         - {{name: prod, context: prod-admin, server: \"{}\"}}\ngroups:\n- name: developers\n  grants:\n  \
         - {{clusterRole: view}}\nusers:\n- name: alice\n  recipients:\n  {}\n  groups: [developers]\n",
        cluster.server(),
        recipient.trim()
    )
}
