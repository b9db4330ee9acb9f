//! A repository on a host, a pull request to it, and the runner's checkout of that.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use certctl_testing::executable;
use serde_json::Value;
use tempfile::TempDir;

use super::host::{Host, TOKEN};

pub const ALICE: &str = "age1x6t9jndt085mq3wclcw2uhvwxuhj84v0fc7qj9wkxdys002g0dfsvqy4fk";
pub const BOB: &str = "age1s9csedkrh8r4re9c9cvw9pvh40xs6nyp6g4u50pchcte5qvyuv2q9ghtqw";

/// A roster of these people, each with what follows their name.
pub fn roster(people: &[(&str, &str)]) -> String {
    let mut text = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\n\
                    clusters: [{name: prod, server: 'https://prod.example.com'}]\n\
                    groups: [{name: developers, grants: [{clusterRole: view}]}]\nusers:\n"
        .to_owned();
    for (name, recipient) in people {
        text.push_str(&format!("- {{name: {name}, recipients: [{recipient}], groups: [developers]}}\n"));
    }
    text
}

/// action.yml.
pub fn action() -> Value {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action.yml")).expect("action.yml");
    serde_saphyr::from_str(&text).expect("YAML")
}

/// The step of action.yml that runs certctl.
pub fn certctl_step() -> Value {
    let action = action();
    let steps = action["runs"]["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["id"] == "certctl").expect("the step").clone()
}

/// What a script said, and how it ended.
pub struct Ran {
    pub code: Option<i32>,
    /// The job's log.
    pub log: String,
    /// What it wrote to GITHUB_OUTPUT.
    pub outputs: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.log);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.log.contains(text), "`{text}` was not said:\n{}", self.log);
        self
    }

    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }
}

pub struct World {
    pub host: Host,
    dir: TempDir,
}

impl World {
    /// alice is on the roster of `main`.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("certctl-action-").tempdir().expect("a folder");
        let world = Self { host: Host::start(), dir };
        for folder in ["home", "temp", "bin"] {
            fs::create_dir(world.path(folder)).expect("a folder");
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_certctl"), world.path("bin/certctl")).expect("a link");
        world.git(".", &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        world.git(".", &["clone", "-q", "origin.git", "clone"]);
        world.git("clone", &["checkout", "-q", "-b", "main"]);
        world.write("clone/users.yaml", roster(&[("alice", ALICE)]));
        world.commit("alice");
        world.git("clone", &["push", "-q", "origin", "main"]);
        world
    }

    /// A pull request that makes the roster this, merged as GitHub tries it, and checked out as
    /// actions/checkout leaves it: detached, with the merge and its parents alone.
    pub fn pull_request(&self, roster: &str) {
        self.pull_request_of("users.yaml", roster);
    }

    /// The same of another file.
    pub fn pull_request_of(&self, file: &str, text: &str) {
        self.git("clone", &["checkout", "-q", "-B", "topic", "main"]);
        self.write(&format!("clone/{file}"), text);
        self.commit("topic");
        let head = self.git("clone", &["rev-parse", "HEAD"]);
        self.git("clone", &["push", "-qf", "origin", "topic"]);
        self.git("clone", &["checkout", "-q", "--detach", "main"]);
        self.git("clone", &["merge", "-q", "--no-ff", "-m", "merge", head.trim()]);
        self.git("clone", &["push", "-qf", "origin", "HEAD:refs/pull/1/merge"]);
        let _ = fs::remove_dir_all(self.path("work"));
        self.git(".", &["init", "-q", "work"]);
        let origin = format!("file://{}", self.path("origin.git").display());
        self.git("work", &["remote", "add", "origin", &origin]);
        self.git("work", &["fetch", "-q", "--depth=2", "origin", "refs/pull/1/merge"]);
        self.git("work", &["checkout", "-q", "--detach", "FETCH_HEAD"]);
    }

    /// What certctl, and so git and every plugin, finds in its environment and can read of the script's.
    pub fn environment_of_certctl(&self, run: impl FnOnce()) -> String {
        let real = env!("CARGO_BIN_EXE_certctl");
        let listener = self.path("bin/certctl");
        fs::remove_file(&listener).expect("the link");
        let seen = self.path("seen");
        executable(
            &listener,
            &format!(
                "cat /proc/self/environ /proc/$PPID/environ >> '{}'\nexec '{real}' \"$@\"",
                seen.display()
            ),
        );
        run();
        fs::read_to_string(seen).expect("certctl was run")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("written");
        path
    }

    pub fn commit(&self, message: &str) {
        self.git("clone", &["add", "-A"]);
        self.git("clone", &["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let mut git = self.scrubbed("git");
        certctl_testing::with_author(&mut git);
        let output = git.args(args).current_dir(self.path(folder)).output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn scrubbed(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = certctl_testing::scrubbed(program, self.dir.path(), &self.path("home"));
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command
    }

    /// A script of the action in `work`, with these variables.
    pub fn script(&self, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.scrubbed(&format!("{}/action/{}", env!("CARGO_MANIFEST_DIR"), words[0]));
        command.args(&words[1..]);
        self.run(command, variables)
    }

    /// Lines of a job in `work`, with these variables, as a runner runs them.
    pub fn shell(&self, lines: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.scrubbed("bash");
        command.args(["-eo", "pipefail", "-c", lines]);
        self.run(command, variables)
    }

    fn run(&self, mut command: Command, variables: &[(&str, &str)]) -> Ran {
        fs::create_dir_all(self.path("work")).expect("a folder");
        let log = fs::File::create(self.path("log")).expect("a file");
        command.current_dir(self.path("work"));
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        for (name, value) in variables {
            command.env(name, value);
        }
        let code = command.status().expect("bash starts").code();
        let read =
            |name: &str| String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned();
        let ran = Ran { code, log: read("log"), outputs: read("output") };
        // Whatever it did, it did not tell.
        for text in [&ran.log, &ran.outputs] {
            assert!(!text.contains(TOKEN), "the token is in:\n{text}");
        }
        ran
    }

    /// action/github with what GitHub's runner sets.
    pub fn github(&self, event: &Value, inputs: &[(&str, &str)]) -> Ran {
        let event = self.write("event.json", event.to_string());
        let _ = fs::remove_file(self.path("output"));
        let text = |path: PathBuf| path.display().to_string();
        let (output, temp, work) =
            (text(self.path("output")), text(self.path("temp")), text(self.path("work")));
        let (event, graphql) = (text(event), format!("{}/graphql", self.host.url));
        let workflow = "acme/access/.github/workflows/certctl-apply.yml@refs/heads/main";
        let mut variables = vec![
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", &self.host.url),
            ("GITHUB_EVENT_PATH", &event),
            ("GITHUB_GRAPHQL_URL", &graphql),
            ("GITHUB_OUTPUT", &output),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REPOSITORY", "acme/access"),
            ("GITHUB_RUN_ID", "99"),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_WORKFLOW_REF", workflow),
            ("GITHUB_WORKSPACE", &work),
            ("RUNNER_TEMP", &temp),
            ("INPUT_TOKEN", TOKEN),
            ("INPUT_COMMENT", "true"),
        ];
        variables.extend(inputs);
        variables.push(("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR")));
        let run = certctl_step()["run"].as_str().expect("text").to_owned();
        self.shell(&run, &variables)
    }
}
