//! `certctl completions` in real shells, each on a terminal of its own: what Tab makes of a line. The scripts of
//! PowerShell and Nushell are only read: neither shell is a package of the usual distributions.

use std::fs;
use std::process::{Command, ExitCode};

use certctl_testing::{Need, Ran, TemporaryFolder, Terminal, executable, tests};

fn main() -> ExitCode {
    let everywhere = tests!(
        Need::Nothing,
        [
            bash_completes,
            a_broken_roster_completes_nothing_and_says_nothing,
            a_script_is_printed_for_each_shell
        ]
    );
    let zsh = tests!(Need::Program("zsh"), [zsh_completes]);
    let fish = tests!(Need::Program("fish"), [fish_completes]);
    certctl_testing::run(everywhere.into_iter().chain(zsh).chain(fish))
}

const ROSTER: &str = "\
apiVersion: certctl.dev/v1
kind: Roster
metadata: {name: acme}
clusters: [{name: prod}, {name: stage}]
groups: [{name: developers}, {name: on-call}]
users:
- {name: alice@example.com, recipients: [age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa]}
- {name: bob, recipients: [age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa]}
";

/// A folder with a roster, where certctl is on the PATH.
struct Place(TemporaryFolder);

impl Place {
    fn new(roster: &str) -> Self {
        let folder = TemporaryFolder::new("certctl-completions-").expect("a folder");
        fs::write(folder.path().join("users.yaml"), roster).expect("written");
        executable(
            &folder.path().join("bin/certctl"),
            &format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_certctl")),
        );
        for shell in ["bash", "zsh", "fish"] {
            let script = Ran::of(Command::new(env!("CARGO_BIN_EXE_certctl")).args(["completions", shell]));
            fs::write(folder.path().join(shell), script.expect(0).stdout).expect("written");
        }
        Self(folder)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = certctl_testing::scrubbed(program, self.0.path(), self.0.path());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.0.path().join("bin")].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("a PATH")).env("TERM", "dumb");
        command.args(args);
        command
    }

    /// The lines that Tab has made of these, in a shell that prints what it is asked to run.
    #[track_caller]
    fn completes(&self, shell: Command, setup: &str) {
        let mut terminal = Terminal::start(shell);
        // What is typed shows too, and must not be taken for what it prints.
        terminal.type_keys(&format!("{setup}; echo rea\\dy\r"));
        terminal.wait_for("ready");
        for (typed, becomes) in [
            ("certctl rot", "certctl rotate"),
            ("certctl rotate al", "certctl rotate alice@example.com"),
            // bash splits words at `@`, `=` and `:`.
            ("certctl rotate alice@ex", "certctl rotate alice@example.com"),
            ("certctl rotate bob alice@", "certctl rotate bob alice@example.com"),
            ("certctl plan --format=js", "certctl plan --format=json"),
            ("certctl plan --detailed", "certctl plan --detailed-exitcode"),
            ("certctl --cluster st", "certctl --cluster stage"),
            ("certctl grant bob --group on", "certctl grant bob --group on-call"),
            ("certctl revoke-grant bob --group dev", "certctl revoke-grant bob --group developers"),
        ] {
            // In each of them, `^A` goes to the start of the line and `^E` to its end.
            terminal.type_keys(&format!("{typed}\t"));
            terminal.type_keys("\u{1}echo '<'\u{5}.\r");
            terminal.wait_for(&format!("<{becomes}"));
        }
        terminal.type_keys("exit\r");
    }
}

fn bash_completes() {
    let place = Place::new(ROSTER);
    let bash = place.command("bash", &["--norc", "--noprofile"]);
    place.completes(bash, ". ./bash");
}

fn zsh_completes() {
    let place = Place::new(ROSTER);
    let zsh = place.command("zsh", &["-f"]);
    place.completes(zsh, "bindkey -e; autoload -Uz compinit; compinit -u -D; . ./zsh");
}

fn fish_completes() {
    let place = Place::new(ROSTER);
    let mut fish = place.command("fish", &["--no-config"]);
    fish.env("TERM", "xterm");
    place.completes(fish, "source ./fish");
}

/// It is asked at each Tab: what it has to say about a roster belongs to other commands.
fn a_broken_roster_completes_nothing_and_says_nothing() {
    for roster in ["users: [", "kind: Roster\nusers: 3\n"] {
        let place = Place::new(roster);
        let said = Ran::of(&mut place.command("certctl", &["complete", "--", "rotate", "a"])).expect(0);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    }
    let place = Place::new(ROSTER);
    fs::rename(place.0.path().join("users.yaml"), place.0.path().join("team.yaml")).expect("renamed");
    let named = ["complete", "--", "--roster", "team.yaml", "rotate", "b"];
    assert_eq!(Ran::of(&mut place.command("certctl", &named)).expect(0).stdout, "bob\n");
    let next = ["complete", "--next", "--", "--roster=team.yaml", "rotate"];
    assert!(Ran::of(&mut place.command("certctl", &next)).expect(0).stdout.contains("bob\n"));
}

fn a_script_is_printed_for_each_shell() {
    let place = Place::new(ROSTER);
    for shell in ["bash", "zsh", "fish", "powershell", "nushell"] {
        let script = Ran::of(&mut place.command("certctl", &["completions", shell])).expect(0).stdout;
        assert!(script.contains("certctl complete "), "{shell}: {script}");
    }
    Ran::of(&mut place.command("certctl", &["completions", "tcsh"])).expect(64).says("nushell");
}
