//! The newcomer's commands, on a machine with git and nothing else: no kubectl, no network, no cluster.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// certctl on a machine with git on the PATH, and nothing else.
fn certctl(machine: &Path) -> Command {
    on(machine, env!("CARGO_BIN_EXE_certctl"))
}

/// A program on that machine.
fn on(machine: &Path, program: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file());
    let bin = machine.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).expect("a folder");
        fs::create_dir(machine.join("tmp")).expect("a folder");
        symlink(git.expect("git is on the PATH"), bin.join("git")).expect("a link");
    }
    let mut command = certctl_testing::scrubbed(program, machine, machine);
    certctl_testing::with_author(&mut command);
    command.env("TMPDIR", machine.join("tmp"));
    command.env("PATH", bin);
    command
}

fn left_behind(machine: &Path) -> Vec<String> {
    let entries = fs::read_dir(machine.join("tmp")).expect("it can be read");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_story_ends_well_and_leaves_nothing_behind() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let output = certctl(machine.path()).arg("demo").output().expect("certctl starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let pods = "GET /api/v1/namespaces/shop/pods with";
    for (who, answers) in [("bob", ["200", "403"]), ("leaked", ["200", "403"])] {
        let asked = format!("{pods} ../{who}.kubeconfig\n  ");
        let codes: Vec<&str> = said.split(&asked).skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(codes, answers, "what {who}'s kubeconfig gets, before and after: {said}");
    }
    // Roster and plans are shown once each: apply carries out what was shown.
    let lines =
        |beginning: &str| said.lines().filter(|line| line.trim_start().starts_with(beginning)).count();
    for (once, what) in [
        ("kind: Roster", "the roster"),
        ("+ issue   bob ", "the first plan"),
        ("- revoke  bob ", "the second"),
    ] {
        assert_eq!(lines(once), 1, "{what}: {said}");
    }
    let mut digests: Vec<&str> = said.lines().filter(|line| line.starts_with("Digest: ")).collect();
    let shown = digests.len();
    digests.dedup();
    assert_eq!((shown, digests.len()), (2, 2), "{said}");
    assert!(said.contains("\nThe end, after "), "{said}");
    assert_eq!(left_behind(machine.path()), [""; 0]);
}

/// A program on the machine's PATH.
fn install(machine: &Path, name: &str, script: &str) {
    certctl_testing::executable(&machine.join("bin").join(name), script);
}

#[test]
fn a_story_that_goes_astray_leaves_no_key_behind() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let mut demo = certctl(machine.path());
    // It answers `version`, and then fails as it does without a network, and not as one that is refused.
    install(machine.path(), "kubectl", "[ \"$1\" = version ] || { echo 'Unable to connect' >&2; exit 1; }");
    let output = demo.args(["demo", "--keep"]).output().expect("certctl starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("did not end as the story has it: it failed"), "{said}");
    assert_eq!(left_behind(machine.path()), [""; 0]);
}

#[test]
fn a_kept_stage_can_be_played_on_until_it_is_told_to_end() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let mut demo = certctl(machine.path())
        .args(["demo", "--keep"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("certctl starts");
    let mut lines =
        BufReader::new(demo.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let value = |line: String, name: &str| line.trim().strip_prefix(name).map(str::to_owned);
    let repository = lines.by_ref().skip_while(|line| !line.starts_with("The repository and the cluster"));
    let repository = repository.skip(1).find_map(|line| value(line, "cd ")).expect("a folder");
    let kubeconfig = lines.find_map(|line| value(line, "export KUBECONFIG=")).expect("a kubeconfig");
    let hint = lines.find(|line| line.contains("Ctrl-C ends")).expect("how to go on");

    let plan = certctl(machine.path())
        .args(["plan", "--detailed-exitcode"])
        .current_dir(&repository)
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .expect("certctl starts");
    assert!(plan.status.success(), "{}", String::from_utf8_lossy(&plan.stderr));

    assert!(end(&mut demo, "-TERM").success());
    assert!(hint.contains(&left_behind(machine.path())[0]), "{hint}");
}

#[test]
fn a_sandbox_says_where_its_kubeconfig_is_and_is_gone_when_told_so() {
    is_gone_after("-INT");
    is_gone_after("-TERM");
    // What ignores hang-ups itself starts nothing that hears them.
    if !ignores_hangups(std::process::id()) {
        is_gone_after("-HUP");
    }
}

fn ignores_hangups(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask, 16).expect("a mask") & 1 == 1)
}

/// `nohup certctl sandbox &` outlives its terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_sandbox_that_was_started_to_ignore_hangups_ignores_them() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let mut sandbox = on(machine.path(), "/bin/sh")
        .args(["-c", "trap '' HUP; exec \"$0\" sandbox", env!("CARGO_BIN_EXE_certctl")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts");
    let mut up = String::new();
    BufReader::new(sandbox.stdout.take().expect("piped")).read_line(&mut up).expect("a line");
    assert!(ignores_hangups(sandbox.id()));
    assert!(end(&mut sandbox, "-TERM").success());
}

fn end(child: &mut Child, signal: &str) -> ExitStatus {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
    child.wait().expect("its end")
}

fn is_gone_after(signal: &str) {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let mut sandbox = certctl(machine.path())
        .args(["sandbox", "--context", "play"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("certctl starts");
    let mut path = String::new();
    BufReader::new(sandbox.stdout.take().expect("piped")).read_line(&mut path).expect("a line");
    let kubeconfig = fs::read_to_string(path.trim()).expect("a kubeconfig");
    assert!(kubeconfig.contains("current-context: \"play\""), "{kubeconfig}");

    // certctl itself plans against it.
    let roster = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters: [{name: play}]\nusers: []\n";
    fs::write(machine.path().join("users.yaml"), roster).expect("a roster");
    let plan =
        certctl(machine.path()).args(["plan", "--kubeconfig", path.trim()]).output().expect("it starts");
    assert!(plan.status.success(), "{}", String::from_utf8_lossy(&plan.stderr));

    assert!(end(&mut sandbox, signal).success(), "{signal}");
    assert_eq!(left_behind(machine.path()), [""; 0]);
}
