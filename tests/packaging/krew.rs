//! certctl as krew installs it: a link named like a plugin of kubectl, to a program elsewhere.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use certctl_testing::{Ran, Said};
use serde_json::Value;

use crate::machine::{Machine, SOURCE, roster};

/// Installs the plugin by its manifest; the folder that krew tells people to put on their PATH.
fn installed(machine: &Machine) -> PathBuf {
    let manifest = std::fs::read_to_string(format!("{SOURCE}/packaging/certctl.yaml")).expect("the manifest");
    // The blanks are no YAML yet.
    let manifest: Value = serde_saphyr::from_str(&manifest.replace('@', "0")).expect("YAML");
    let platform = &manifest["spec"]["platforms"][0];
    assert_eq!(platform["files"][0], serde_json::json!({"from": "*/certctl", "to": "."}));
    let program = platform["bin"].as_str().expect("a name");
    let store = machine.path("home/.krew/store/certctl/v1.0.0");
    let bin = machine.path("home/.krew/bin");
    for folder in [&store, &bin] {
        std::fs::create_dir_all(folder).expect("folders");
    }
    symlink(env!("CARGO_BIN_EXE_certctl"), store.join(program)).expect("a link");
    let name = manifest["metadata"]["name"].as_str().expect("a name");
    symlink(store.join(program), bin.join(format!("kubectl-{name}"))).expect("a link");
    bin
}

/// What it says of itself, however it is called.
fn speaks_as_plugin(machine: &Machine, run: impl Fn(&[&str], i32) -> Said) {
    run(&["plan", "--offline"], 1).says("Hint: ").says("`kubectl certctl init`");
    run(&["plan", "--no-such"], 64).says("Usage: kubectl certctl plan ");
    run(&["help", "apply"], 0).says("Usage: kubectl certctl apply ");
    run(&["--version"], 0).says(&format!("certctl {}\n", env!("CARGO_PKG_VERSION")));
    // And it works, on a cluster.
    let kubeconfig = machine.path("home/admin.kubeconfig");
    let cluster = machine.cluster(&kubeconfig);
    let recipient = run(&["keygen", "-o", "identity.txt"], 0).stdout;
    machine.write("users.yaml", roster(&cluster, &recipient));
    let kubeconfig = kubeconfig.display().to_string();
    run(&["plan", "--kubeconfig", &kubeconfig], 0).says("Plan: 1 to issue, 1 binding to write.");
}

pub fn krews_link_speaks_as_kubectls_plugin() {
    let machine = Machine::new();
    let bin = installed(&machine);
    speaks_as_plugin(&machine, |words, code| {
        Ran::of(machine.command(bin.join("kubectl-certctl")).args(words)).expect(code)
    });
    let machine = Machine::new();
    let own = |words: &[&str], code| {
        Ran::of(machine.command(env!("CARGO_BIN_EXE_certctl")).args(words)).expect(code)
    };
    own(&["plan", "--offline"], 1).says("`certctl init`");
    own(&["plan", "--no-such"], 64).says("Usage: certctl plan ");
}

pub fn kubectl_runs_krews_link() {
    let machine = Machine::new();
    let bin = installed(&machine);
    let kubectl = certctl_testing::binaries().expect("a control plane").join("kubectl");
    let path = std::env::var("PATH").unwrap_or_default();
    let run = |words: &[&str]| -> Command {
        let mut command = machine.command(&kubectl);
        command.env("PATH", format!("{}:{path}", bin.display())).arg("certctl").args(words);
        command
    };
    speaks_as_plugin(&machine, |words, code| Ran::of(&mut run(words)).expect(code));
}
