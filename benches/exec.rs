//! What the credential plugin costs a call of kubectl, on a real kube-apiserver, beside the same
//! call with an embedded certificate and beside starting `true`. Reported, not asserted.
//!
//! `CERTCTL_CONTROL_PLANE=$(tests/control-plane/build) cargo bench --bench exec`

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use certctl_testing::{ControlPlane, Options};

/// How often each is measured, in turns.
const ROUNDS: usize = 101;

fn main() {
    let Some(binaries) = certctl_testing::binaries() else {
        println!("skipped: CERTCTL_CONTROL_PLANE is not set");
        return;
    };
    let plane = ControlPlane::start(&binaries, Options::default()).expect("the control plane starts");
    println!("Kubernetes {}, medians of {ROUNDS} calls, in turns", plane.version());
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path();
    let key = folder.join("key");
    let made = quiet(Command::new(plane.bin("age-keygen")).arg("-o").arg(&key).stderr(Stdio::null()));
    assert!(made, "age-keygen");
    let text = fs::read_to_string(&key).expect("an identity");
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
    let head = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: bench}}\n\
         clusters: [{{name: prod, context: test, server: {:?}}}]\n\
         groups: [{{name: all, grants: [{{clusterRole: view}}]}}]\nusers:\n",
        plane.server()
    );
    let person = |name: &str| format!("- {{name: {name}, recipients: [{recipient}], groups: [all]}}\n");
    let roster = |others: usize| {
        let mut roster = format!("{head}{}", person("alice"));
        for i in 0..others {
            let _ = write!(roster, "{}", person(&format!("user-{i}")));
        }
        fs::write(folder.join("users.yaml"), roster).expect("a roster");
    };
    roster(0);
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "users.yaml"],
        &["-c", "user.name=Ada Admin", "-c", "user.email=admin@example.com", "commit", "-q", "-m", "roster"],
        &["config", "user.name", "Ada Admin"],
        &["config", "user.email", "admin@example.com"],
    ] {
        assert!(quiet(Command::new("git").current_dir(folder).args(args)), "git {args:?}");
    }
    let certctl = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certctl"));
        command
            .current_dir(folder)
            .env("CERTCTL_IDENTITY", &key)
            .env("KUBECONFIG", plane.kubeconfig())
            .args(args);
        command
    };
    assert!(quiet(&mut certctl(&["apply", "--auto-approve", "--no-push", "-q"])), "apply");
    let [embed, exec] = ["embed", "exec"].map(|how| {
        let file = folder.join(how);
        let name = file.to_str().expect("UTF-8");
        assert!(
            quiet(&mut certctl(&["login", "alice", &format!("--{how}"), "--kubeconfig", name, "-q"])),
            "login"
        );
        file
    });
    let kubectl = |kubeconfig: &Path| {
        let mut command = Command::new(plane.bin("kubectl"));
        command.env("CERTCTL_IDENTITY", &key).env("HOME", folder);
        command.arg("--kubeconfig").arg(kubeconfig).args(["get", "--raw", "/version"]);
        command
    };
    for others in [2, 9_999] {
        roster(others);
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            let mut commands = [
                Command::new("true"),
                certctl(&["credential", "--cluster", "prod", "alice"]),
                kubectl(&embed),
                kubectl(&exec),
            ];
            for (times, command) in times.iter_mut().zip(&mut commands) {
                let began = Instant::now();
                assert!(quiet(command), "{command:?} failed");
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        let [nothing, plugin, embedded, through] = times.map(median);
        println!("{} people on the roster:", others + 1);
        println!("  {nothing:>7.2} ms  true");
        println!("  {plugin:>7.2} ms  certctl credential, by itself");
        println!("  {embedded:>7.2} ms  kubectl with an embedded certificate");
        println!(
            "  {through:>7.2} ms  kubectl through the plugin: {:+.2} ms, {:.2} times",
            through - embedded,
            through / embedded
        );
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("it starts").success()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
